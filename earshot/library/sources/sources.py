"""Sources: resolve those named for an ingest, and describe the watched ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from earshot.config.sources_file import Source
from earshot.storage.catalog.source_states import SourceState, count_source_videos, next_look, states_of
from earshot.storage.catalog.watched_sources import source_of, watched_sources
from earshot.storage.database import Database

COUNTS = ("listed", "wanted", "ready", "failed", "unavailable")


@dataclass(frozen=True)
class WatchedSource:
    """A watched source.

    It counts videos: `listed` by the source so far, `wanted` of these by sources.yaml, and how many are `ready`, `failed` or
    `unavailable` (private, removed, ...). `state` is `ok` or a sentence that says what is wrong; `looked_at` is the time of the
    last poll, None before the first, `next_poll` that of the next, None if there is none. `paused`: by sources.yaml.
    `keeps` says what of it is kept, "" if everything.
    """

    name: str
    address: str
    kind: str
    looked_at: datetime | None
    listed: int
    wanted: int
    ready: int
    failed: int
    unavailable: int
    state: str
    paused: bool
    next_poll: datetime | None
    keeps: str


def named_sources(names: Sequence[str], limit: int | None, newest_first: bool, since: date | None) -> list[Source]:
    """The named sources, or those of sources.yaml that are not paused, with these options instead of their own.

    Raises SourceUnusable if a name is not a source, Misconfigured if sources.yaml is invalid.
    """
    chosen = [source_of(name) for name in names] if names else [one for one in watched_sources() if not one.paused]
    options = {"limit": limit, "newest_first": newest_first or None, "since": since}
    overrides = {name: value for name, value in options.items() if value is not None}
    return [replace(source, **overrides) for source in chosen]


def watched_source(database: Database, address: str) -> WatchedSource:
    """The watched source with this address."""
    [described] = describe_sources(database, [source for source in watched_sources() if source.address == address])
    return described


def describe_sources(database: Database, watched: Sequence[Source]) -> list[WatchedSource]:
    """Describe these sources, in their order."""
    addresses = [source.address for source in watched]
    counts = count_source_videos(database, addresses)
    states = states_of(database, addresses)
    return [_watched(source, state, counts.get(source.address, {})) for source, state in zip(watched, states, strict=True)]


def _watched(source: Source, state: SourceState, counts: dict[str, int]) -> WatchedSource:
    counted = {count: counts.get(count, 0) for count in COUNTS}
    return WatchedSource(
        source.name,
        source.address,
        source.kind.value,
        state.looked_at,
        **counted,
        state=_condition(source, state),
        paused=source.paused,
        next_poll=next_look(source, state),
        keeps=source.keeps,
    )


def _condition(source: Source, state: SourceState) -> str:
    if source.paused:
        return "paused by sources.yaml"
    if state.paused:
        return f"paused until {state.paused_until:%Y-%m-%d %H:%M} UTC: {state.last_error}"
    if state.last_error:
        times = "once" if state.failures == 1 else f"{state.failures} times"
        return f"failed {times}: {state.last_error}" if state.failures else state.last_error
    if state.looked_at is None:
        return "not polled yet; `earshot up` polls it"
    return "ok" if state.fully_listed else "full listing pending"
