"""Troubles: current problems that need the user, for the terminal of `earshot up` and for alerts.

These are an invalid sources.yaml, because of which no source is watched, a source that cannot be read or whose site refuses
this machine, and a watched source's videos that failed for good. A slow stage is not a trouble but a failed check
(earshot/timings/alerts.py). Messages contain no secrets.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
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
    """`about` is a source's name or the file, `severity` is `error` or `warn` as of a check, `over` the message of its end."""

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


@dataclass(frozen=True)
class Troubles:
    """The current troubles. `watched` has the names of the watched sources, None while sources.yaml is invalid."""

    current: Sequence[Trouble]
    watched: frozenset[str] | None


def read_troubles(database: Database) -> Troubles:
    """All current troubles. While sources.yaml is invalid, nothing is known about the sources."""
    try:
        sources = watched_sources()
    except Misconfigured as error:
        message = f"No source is watched until sources.yaml is corrected. {error}"
        return Troubles([Trouble("sources.yaml", SOURCES_REFUSED, "error", message, "sources.yaml is valid again.")], None)
    addresses = [source.address for source in sources]
    failed = _failed(database, addresses)
    troubles: list[Trouble] = []
    for source, state in zip(sources, states_of(database, addresses), strict=True):
        troubles += _of_source(source, state)
        if source.address in failed:
            troubles.append(_failed_videos(source, *failed[source.address]))
    return Troubles(troubles, frozenset(source.name for source in sources))


def _of_source(source: Source, state: SourceState) -> Iterator[Trouble]:
    if source.paused:
        return
    if state.paused:
        until = f"{state.paused_until:%Y-%m-%d %H:%M} UTC"
        message = f"Source {source.name} is paused until {until}: {_reason(source, state.last_error)}"
        yield Trouble(source.name, "source_blocked", "warn", message, f"Source {source.name} is polled again.")
    elif state.failures:
        message = f"Source {source.name}: {_reason(source, state.last_error)}"
        yield Trouble(source.name, "source_unreadable", "error", message, f"Source {source.name} can be read again.")


def _reason(source: Source, error: str | None) -> str:
    """The error without secrets, and without the source's name in front, which the message already has."""
    return without_secrets(error or "").removeprefix(f"{source.name}: ")


def _failed_videos(source: Source, videos: int, why: str) -> Trouble:
    failed = f"Source {source.name}: {pluralize(videos, 'video')} failed (earshot videos --state failed)"
    message = f"{failed}{', for example' if videos > 1 else ''}: {_reason(source, why)}"
    return Trouble(source.name, "videos_failed", "warn", message, f"Source {source.name}: no failed videos are left.")


def _failed(database: Database, sources: Sequence[str]) -> dict[str, tuple[int, str]]:
    """By source: how many of its videos failed without another automatic retry, and the newest one's error."""
    rows = database.query(
        "SELECT source, count(*) AS videos, (array_agg(last_error ORDER BY registered_at DESC, video_id))[1] AS why "
        "FROM videos WHERE state = 'failed' AND retry_at IS NULL AND source = ANY(%s) GROUP BY source",
        [list(sources)],
    )
    return {row["source"]: (row["videos"], row["why"] or "") for row in rows}


def describe_changes(before: Mapping[str, Trouble], now: Troubles) -> tuple[dict[str, Trouble], list[str]]:
    """The current troubles by key, and a line for each that is new, has changed or is over."""
    current = {trouble.key: trouble for trouble in now.current}
    lines = [str(trouble) for key, trouble in current.items() if trouble != before.get(key)]
    if now.watched is None:
        return {**before, **current}, lines  # nothing is known about the sources, so their troubles stay
    ended = [_end(trouble, now.watched) for key, trouble in before.items() if key not in current]
    return current, [*lines, *dict.fromkeys(ended)]


def _end(trouble: Trouble, watched: Set[str]) -> str:
    if trouble.cause == SOURCES_REFUSED or trouble.about in watched:
        return trouble.over
    return f"Source {trouble.about} is no longer watched."
