"""Troubles: what does not work and will not mend itself, as it stands now, for the terminal of `earshot up` and for alerts.

Sources that are not watched because sources.yaml is refused, a source that cannot be read or whose site refuses this machine,
and a watched source's videos that failed for good. A slow stage is none: that is a failed check (earshot/timings/alerts.py).
Messages hold no secrets.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from earshot.common.errors import Misconfigured
from earshot.common.redaction import without_secrets
from earshot.common.text import pluralize
from earshot.config.sources_file import Source
from earshot.storage.catalog.source_states import SourceState, states_of
from earshot.storage.catalog.watched_sources import watched_sources
from earshot.storage.database import Database

SOURCES_REFUSED = "sources_refused"


@dataclass(frozen=True)
class Trouble:
    """`about` is a source's name, or the file; `severity` is `error` or `warn`, as a check's; `over` says that it has ended."""

    about: str
    cause: str
    severity: str
    message: str
    over: str

    @property
    def key(self) -> str:
        return f"{self.cause} {self.about}"

    def __str__(self) -> str:
        return f"{self.severity.upper()}: {self.message}"


def read_troubles(database: Database) -> list[Trouble]:
    """Everything that does not work now. Of the sources nothing is known while their file is refused."""
    try:
        sources = watched_sources()
    except Misconfigured as error:
        message = f"No source is watched until sources.yaml is corrected. {error}"
        return [Trouble("sources.yaml", SOURCES_REFUSED, "error", message, "sources.yaml is read again.")]
    addresses = [source.address for source in sources]
    failed = _failed(database, addresses)
    found: list[Trouble] = []
    for source, state in zip(sources, states_of(database, addresses), strict=True):
        found += _of_source(source, state)
        if source.address in failed:
            found.append(_failed_videos(source, *failed[source.address]))
    return found


def _of_source(source: Source, state: SourceState) -> Iterator[Trouble]:
    if state.paused:
        until = f"{state.paused_until:%Y-%m-%d %H:%M} UTC"
        message = f"Source {source.name} is left alone until {until}: {_reason(source, state.last_error)}"
        yield Trouble(source.name, "source_blocked", "warn", message, f"Source {source.name} is asked again.")
    elif state.failures:
        message = f"Source {source.name}: {_reason(source, state.last_error)}"
        yield Trouble(source.name, "source_unreadable", "error", message, f"Source {source.name} can be read again.")


def _reason(source: Source, error: str | None) -> str:
    """The error without the source's name before it, which the message has, and without secrets."""
    return without_secrets(error or "").removeprefix(f"{source.name}: ")


def _failed_videos(source: Source, videos: int, why: str) -> Trouble:
    failed = f"Source {source.name}: {pluralize(videos, 'video')} failed (earshot videos --state failed)"
    message = f"{failed}{', for example' if videos > 1 else ''}: {_reason(source, why)}"
    return Trouble(source.name, "videos_failed", "warn", message, f"Source {source.name}: no video is failed any more.")


def _failed(database: Database, sources: Sequence[str]) -> dict[str, tuple[int, str]]:
    """By source, how many of its videos failed and are not tried again by themselves, and why one of them did."""
    rows = database.query(
        "SELECT source, count(*) AS videos, (array_agg(last_error ORDER BY registered_at DESC, video_id))[1] AS why "
        "FROM videos WHERE state = 'failed' AND retry_at IS NULL AND source = ANY(%s) GROUP BY source",
        [list(sources)],
    )
    return {row["source"]: (row["videos"], row["why"] or "") for row in rows}


def describe_changes(before: Mapping[str, Trouble], now: Sequence[Trouble]) -> tuple[dict[str, Trouble], list[str]]:
    """What stands now, by key, and a line for each that is new, has changed or is over."""
    standing = {trouble.key: trouble for trouble in now}
    lines = [str(trouble) for key, trouble in standing.items() if trouble != before.get(key)]
    if any(trouble.cause == SOURCES_REFUSED for trouble in now):
        return {**before, **standing}, lines  # nothing is known of the others
    return standing, [*lines, *(trouble.over for key, trouble in before.items() if key not in standing)]
