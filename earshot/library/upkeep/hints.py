"""Hints: read, give and remove those of a video. The hints of a source are in sources.yaml."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from earshot.common.errors import EarshotError
from earshot.config import hints as read
from earshot.config.hints import HINT_KEYS, Hints
from earshot.config.mistakes import quoted
from earshot.library.lookup import known_video
from earshot.storage.catalog.video_hints import keep_hints, own_hints, source_hints
from earshot.storage.database import Database
from ingest_assets.stages.staleness import find_stale_among

_PARSERS = {
    "vocabulary": (read.parse_vocabulary, read.VOCABULARY),
    "vocabulary_from": (read.parse_places, read.PLACE_LIST),
    "prompt": (read.parse_prompt, read.PROMPT),
    "languages": (read.parse_languages, read.LANGUAGE_LIST),
    "speakers": (read.parse_speakers, read.SPEAKERS),
}

Given = str | Iterable[str] | None


@dataclass(frozen=True)
class AppliedHints:
    """A video's `own` hints, those `of_source`, and the ones that `apply`; `stale`: the video's stages that are out of date."""

    video_id: str
    own: Hints
    of_source: Hints
    stale: tuple[str, ...]

    @property
    def apply(self) -> Hints:
        return self.own.over(self.of_source)

    @property
    def described(self) -> dict[str, Any]:
        """The same as JSON has it."""
        return {
            "video_id": self.video_id,
            "hints": self.apply.given,
            "own": self.own.given,
            "of_source": self.of_source.given,
            "stale": list(self.stale),
        }


def read_hints(
    vocabulary: Given = None,
    vocabulary_from: Given = None,
    prompt: str | None = None,
    languages: Given = None,
    speakers: int | str | None = None,
) -> Hints:
    """Hints of what a user wrote. Raises EarshotError for a value that is not allowed."""
    counted = None if speakers is None else str(speakers)
    given = dict(zip(HINT_KEYS, (vocabulary, vocabulary_from, prompt, languages, counted), strict=True))
    return Hints.of({key: _parsed(key, value) for key, value in given.items() if value is not None})


def _parsed(key: str, value: str | Iterable[str]) -> Any:
    parse, allowed = _PARSERS[key]
    text = value if isinstance(value, str) else tuple(value)
    try:
        return parse(text)
    except ValueError as error:
        if len(error.args) == 2:
            raise EarshotError(*error.args) from None
        shown = quoted(text if isinstance(text, str) else ", ".join(text))
        raise EarshotError(f"{key} is {shown}.", f"Allowed: {allowed}") from None


class VideoHints:
    """`Library.hints`. Each method raises EarshotError, and changes nothing, if the video or a value is unknown."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, video: str) -> AppliedHints:
        """The hints for this video (key or title)."""
        known = known_video(self._database, video)
        stale = find_stale_among(self._database, [known.video_id]) if known.state == "ready" else []
        return AppliedHints(
            known.video_id,
            own_hints(self._database, known.video_id),
            source_hints().get(known.source, Hints()),
            tuple(stage.stage for stage in stale),
        )

    def give(
        self,
        video: str,
        *,
        vocabulary: Given = None,
        vocabulary_from: Given = None,
        prompt: str | None = None,
        languages: Given = None,
        speakers: int | str | None = None,
    ) -> AppliedHints:
        """Give these hints for this video, instead of its earlier ones of the same keys and those of its source.

        `speakers` is a number, `2-4` or `2+`. "" (`any` for languages and speakers, `none` for vocabulary_from) means none,
        whatever the source says. The stages that they concern become stale.
        """
        return self.keep(video, read_hints(vocabulary, vocabulary_from, prompt, languages, speakers))

    def keep(self, video: str, hints: Hints) -> AppliedHints:
        """`give()` with the hints as one object."""
        known = known_video(self._database, video)
        return self.replace(known.video_id, hints.over(own_hints(self._database, known.video_id)))

    def replace(self, video: str, hints: Hints) -> AppliedHints:
        """Give these hints for this video, instead of all its own; `Hints()` removes them."""
        known = known_video(self._database, video)
        keep_hints(self._database, known.video_id, hints)
        return self.of(known.video_id)

    def clear(self, video: str, *keys: str) -> AppliedHints:
        """Remove the video's own hints of these keys, or all, so that those of its source apply."""
        if unknown := set(keys) - set(HINT_KEYS):
            raise EarshotError(f"There is no hint {min(unknown)!r}.", f"Hints: {', '.join(HINT_KEYS)}.")
        known = known_video(self._database, video)
        own = own_hints(self._database, known.video_id)
        return self.replace(known.video_id, replace(own, **dict.fromkeys(keys or HINT_KEYS)))
