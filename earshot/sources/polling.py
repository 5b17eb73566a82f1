"""Watching sources: look for what is new, decide about it, and have what is wanted asked for.

`poll_sources()` is one tick of the sensor `new_uploads`. Each source that is due is looked at, several at once, each for
itself: one that cannot be listed is written down and tried later, and the others go on. What takes long is not done in a
tick: `list_fully()` reads everything a source has, in a run of its own (job `list_source`), the first time and whenever a look
shows nothing that is known. Decisions that need a video's own page are made a few at a time, politely.

Whatever is found is kept before anything is asked for (earshot/sources/listings.py), so that a tick may die at any point.
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

from earshot.common.errors import Blocked, DatabaseUnusable, EarshotError, Permanent, Retryable, SourceBlocked, SourceUnusable
from earshot.common.redaction import without_secrets
from earshot.config.sources_file import Kind, Source
from earshot.sources import listings
from earshot.sources.listing import fetch_details, is_url, list_all, poll
from earshot.sources.listings import StoredDecision
from earshot.sources.selection import Selection, in_order, select_entries
from earshot.storage.catalog.entries import Entry, Listing
from earshot.storage.catalog.source_states import (
    SourceState,
    needs_listing,
    pause,
    record_listing_failure,
    record_poll,
    states_of,
)
from earshot.storage.database import Database

PARALLELISM = 8
# A tick has 60 s (Dagster's limit): no look begins after this, and what is not looked at is first at the next tick.
TICK_S = 30.0
# Videos of one source whose own page is asked in one tick, and how often in vain before it is decided without.
MAX_FETCHES_PER_TICK = 5
MAX_FETCHES = 5
FORCE = "`earshot ingest --force` asks it all the same."


@dataclass(frozen=True)
class PollResult:
    """What one source gave: videos never listed before, those asked for, whether it must be listed whole, what went wrong."""

    source: Source
    new: int = 0
    asked_for: int = 0
    to_list: str = ""  # a key that stays the same until it was listed
    error: str = ""


def poll_sources(sources: Sequence[Source], database: Database) -> list[PollResult]:
    """Look at every source that is due, and decide what is open: first whichever was not looked at for longest.

    A source with nothing to do is not among what is returned.
    """
    states = states_of(database, [source.address for source in sources])
    deadline = time.monotonic() + TICK_S
    oldest_first = sorted(zip(sources, states, strict=True), key=lambda pair: str(pair[1].looked_at or ""))
    with ThreadPoolExecutor(PARALLELISM, thread_name_prefix="look") as threads:
        looking = [threads.submit(_poll_within, source, state, database, deadline) for source, state in oldest_first]
    looked = [_outcome(source, future, database) for (source, _), future in zip(oldest_first, looking, strict=True)]
    return [one for one in looked if one is not None]


def _outcome(source: Source, future: "Future[PollResult | None]", database: Database) -> PollResult | None:
    """What a look gave. One that failed as nobody foresaw is told, and stops no other source either."""
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, DatabaseUnusable):
        raise error
    message = without_secrets(f"{source.name}: {type(error).__name__}: {error}", [source.address])
    record_listing_failure(database, source.address, message)
    return PollResult(source, error=message)


def _poll_within(source: Source, state: SourceState, database: Database, deadline: float) -> PollResult | None:
    if state.paused or time.monotonic() > deadline:
        return None
    named_once = source.kind is Kind.URL and state.fully_listed  # a single video: there is nothing more to come
    options, due = options_digest(source), state.due(source.every_s) and not named_once
    if options != state.options:
        listings.reopen(database, source, options)
    elif not due and not state.undecided:
        return None
    looked = PollResult(source)
    try:
        if due:
            looked = _poll(source, state, database)
        return replace(looked, asked_for=decide_pending(source, database, MAX_FETCHES_PER_TICK, deadline))
    except (SourceUnusable, Blocked) as error:
        return replace(looked, error=_record(error, source, database))


def _poll(source: Source, state: SourceState, database: Database) -> PollResult:
    files = {} if is_url(source.address) else listings.known_files(database, source.address)
    found = poll(source, state.validators, files)
    if found is None:
        record_poll(database, source.address)
        return PollResult(source, to_list=_to_list(state))
    if not found.complete and (not state.fully_listed or _has_gap(found, source, state, database)):
        needs_listing(database, source.address)
        return PollResult(source, to_list=_to_list(replace(state, fully_listed=False)))
    return PollResult(source, new=_save(source, found, database))


def _has_gap(found: Listing, source: Source, state: SourceState, database: Database) -> bool:
    """Whether more may be new than this part of the source's list shows."""
    known = listings.count_known(database, source.address, [entry.video_id for entry in found.entries])
    if found.total is not None and state.total is not None:
        return found.total != state.total + len(found.entries) - known
    return known == 0


def _to_list(state: SourceState) -> str:
    """The key of the run that lists a source: the same until a listing ended, and for six hours if it died."""
    return "" if state.fully_listed else f"{state.listings}:{int(time.time() // (6 * 3600))}"


def list_fully(source: Source, database: Database) -> PollResult:
    """Read everything the source has, and decide all of it, however long that takes. Raises what went wrong, kept as well."""
    state = _state(source, database)
    try:
        new = _save(source, _whole(source, state, database), database)
        return PollResult(source, new, decide_pending(source, database))
    except (SourceUnusable, Blocked) as error:
        _record(error, source, database)
        raise


def _state(source: Source, database: Database) -> SourceState:
    """The source's state. Raises SourceBlocked where it is left alone."""
    (state,) = states_of(database, [source.address])
    if state.paused:
        raise SourceBlocked(f"{source.name} is left alone until {_until(state.paused_until)}: {state.last_error}", FORCE)
    return state


def _whole(source: Source, state: SourceState, database: Database) -> Listing:
    """Everything there is; of a folder, what has stopped growing."""
    if is_url(source.address):
        return list_all(source)
    found = poll(source, state.validators, listings.known_files(database, source.address))
    assert found is not None  # a folder is always read
    return found


def _save(source: Source, found: Listing, database: Database) -> int:
    return listings.save_listing(database, source, found, in_order(found.entries, source.newest_first))


def _record(error: EarshotError, source: Source, database: Database) -> str:
    """Write down why a source could not be read, and how long it is left alone."""
    if isinstance(error, Blocked | SourceBlocked):
        until = pause(database, source.address, str(error), error.pause_s)
        return f"{error} Left alone until {_until(until)}."
    record_listing_failure(database, source.address, str(error))
    return str(error)


def _until(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


# --- deciding ------------------------------------------------------------------------------------------------------------


def decide_pending(source: Source, database: Database, most_asks: int | None = None, deadline: float | None = None) -> int:
    """Decide what is open about this source; returns how many videos were asked for.

    At most `most_asks` videos' own pages are asked, none after the deadline (of `time.monotonic()`); what needs more stays
    open. Raises Blocked where the site refuses, after what was decided by then was kept.
    """
    entries = listings.open_entries(database, source.address)
    if not entries:
        return 0
    fetches = {one.entry.video_id: one.fetches for one in entries}
    ask = _page_fetcher(source, _give_up(source, database, fetches), most_asks, deadline)
    backlog, later = ([one.entry for one in entries if one.backlog == there] for there in (True, False))
    room = None if source.limit is None else max(0, source.limit - listings.count_wanted_backlog(database, source.address))
    decided: list[StoredDecision] = []
    try:
        for group, places in ((backlog, room), (later, None)):
            for entry, decision in select_entries(group, source, ask, places):
                if decision.verdict != "open":
                    decided.append(StoredDecision(entry, decision.verdict, decision.reason))
    finally:
        asked_for = listings.save_decisions(database, source, decided)
    return len(asked_for)


def select(source: Source, database: Database) -> list[tuple[Entry, Selection]]:
    """List everything the source has and decide all of it at once, for who waits for the answer.

    Nothing is kept of it, except that a site refuses us. Raises SourceUnusable, or Blocked.
    """
    _state(source, database)
    try:
        found = listings.with_known_details(database, list_all(source).entries)
        return list(
            select_entries(
                in_order(found, source.newest_first), source, _page_fetcher(source, _decide_without_details), source.limit
            )
        )
    except (Blocked, SourceBlocked) as error:
        _record(error, source, database)
        raise


def _page_fetcher(
    source: Source,
    in_vain: Callable[[Entry, Retryable], None],
    most_asks: int | None = None,
    deadline: float | None = None,
) -> Callable[[Entry], Entry | None]:
    """A function that asks a video's own page, a pause before each but the first, and tells `in_vain` what may pass."""
    asked = 0

    def ask(entry: Entry) -> Entry | None:
        nonlocal asked
        late = deadline is not None and time.monotonic() > deadline
        if late or (most_asks is not None and asked >= most_asks):
            return None
        if asked:
            time.sleep(source.pause_s)
        asked += 1
        try:
            return fetch_details(entry, source)
        except Retryable as error:
            return in_vain(entry, error)

    return ask


def _give_up(source: Source, database: Database, fetches: Mapping[str, int]) -> Callable[[Entry, Retryable], None]:
    """What to do when a page was asked in vain: leave the decision open, unless it has been asked often enough."""

    def in_vain(entry: Entry, error: Retryable) -> None:
        listings.count_fetch(database, source.address, entry.video_id)
        if fetches[entry.video_id] + 1 >= MAX_FETCHES:
            _decide_without_details(entry, error)

    return in_vain


def _decide_without_details(_entry: Entry, error: Retryable) -> None:
    """Nobody waits for another answer: the entry is left out, and why."""
    raise Permanent(f"its page was asked in vain: {error.message}") from None


def options_digest(source: Source) -> str:
    """Of what decides which videos are wanted: when it changes, what was left out is decided again."""
    asked = (
        source.since, source.limit, source.longer_than_s, source.shorter_than_s, source.skip_shorts, source.skip_live,
        source.skip_members_only,
    )  # fmt: skip
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:16]
