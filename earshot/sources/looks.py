"""Looks at the watched sources in words: what a tick of `new_uploads` saw, and when the next look is due. Pure functions."""

from collections.abc import Sequence
from datetime import UTC, datetime

from earshot.common.text import pluralize
from earshot.config.sources_file import Source
from earshot.sources.polling import PollResult
from earshot.storage.catalog.source_states import SourceState, next_look

MOST_SOURCES = 5  # that a message describes; those with news or troubles first

Watched = tuple[Source, SourceState]


def describe_tick(polls: Sequence[PollResult], watched: Sequence[Watched]) -> str:
    """Such as "Harbour Talk: 2 new of 15; next look in 4 min." """
    looks = sorted((poll for poll in polls if poll.looked or poll.requested), key=lambda poll: not (poll.new or poll.error))
    parts = [f"{poll.source.name}: {describe_look(poll)}" for poll in looks[:MOST_SOURCES]]
    if looks[MOST_SOURCES:]:
        parts.append(f"{pluralize(len(looks) - MOST_SOURCES, 'more source')} looked at")
    parts = parts or [
        f"none of {pluralize(len(watched), 'source')} is due" if len(watched) > 1 else f"{_names(watched)} is not due"
    ]
    return f"{'; '.join([*parts, *_next(watched)])}."


def describe_look(poll: PollResult) -> str:
    """Such as "2 new of 15, 1 run requested", or what stood in the way."""
    if poll.error:
        return poll.error.removeprefix(f"{poll.source.name}: ").rstrip(".")
    requested = [f"{pluralize(poll.requested, 'run')} requested"] if poll.requested else []
    if poll.listing_key:
        return ", ".join(["more than one look can list, so a run lists all", *requested])
    seen = ["unchanged" if poll.listed is None else f"{poll.new or 'nothing'} new of {poll.listed}"] if poll.polled else []
    return ", ".join([*seen, *requested])


def _next(watched: Sequence[Watched]) -> list[str]:
    times = [time for source, state in watched if (time := next_look(source, state)) is not None]
    return [f"next look {_in((min(times) - datetime.now(UTC)).total_seconds())}"] if times else []


def _in(seconds: float) -> str:
    if seconds <= 0:
        return "at once"
    if seconds < 100:
        return f"in {seconds:.0f} s"
    return f"in {seconds / 60:.0f} min" if seconds < 100 * 60 else f"in {seconds / 3600:.0f} h"


def _names(watched: Sequence[Watched]) -> str:
    return ", ".join(source.name for source, _ in watched)
