"""Which videos a search or a backfill is restricted to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, kw_only=True)
class VideoFilter:
    """Which videos; empty tuples and None select all. `since` and `until` are publishing days (UTC), both inclusive.

    A video without a date matches no range.
    """

    sources: tuple[str, ...] = ()  # addresses
    videos: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()  # whisper's codes
    since: date | None = None
    until: date | None = None

    @property
    def has_days(self) -> bool:
        """Whether an undated video is left out."""
        return self.since is not None or self.until is not None

    @property
    def names(self) -> Mapping[str, list[str] | None]:
        """The parameters `sources`, `videos` and `languages` of a query; None selects all."""
        chosen = {"sources": self.sources, "videos": self.videos, "languages": self.languages}
        return {key: list(names) or None for key, names in chosen.items()}
