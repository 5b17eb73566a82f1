"""Polling: finds new videos of the watched sources, decides which are wanted, and requests their runs.

`poll_sources()` is one tick of the sensor `new_uploads`. It polls the sources that are due, several at once and independently:
a source that cannot be listed is recorded and retried later, while the others go on. Slow work stays out of the tick:
`list_fully()` reads everything a source has in a run of its own (job `list_source`), the first time and whenever a poll returns
only unknown videos. Decisions that need a video's own page are made a few at a time, with pauses between the requests.

Listed videos are stored before any run is requested (earshot/sources/listings.py), so that a tick may die at any point.
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
# No poll starts later in a tick, which Dagster limits to 60 s; sources that were not polled come first in the next tick.
TICK_S = 30.0
# Pages of a source's videos to fetch in one tick, and failed fetches of one page before the video is decided without it.
MAX_FETCHES_PER_TICK = 5
MAX_FETCHES = 5
FORCE = "`earshot ingest --force` reads it anyway."


@dataclass(frozen=True)
class PollResult:
    """The result of polling one source: videos never listed before, runs requested, and the error, if any.

    `polled` is false if only its pending entries were decided, `listed` counts the entries that it showed (None: unchanged).
    `listing_key` is the key of the run that must list the source in full, "" if that is not needed. `previous_look` is the time
    of the poll before.
    """

    source: Source
    new: int = 0
    requested: int = 0
    listing_key: str = ""
    error: str = ""
    polled: bool = False
    listed: int | None = None
    previous_look: datetime | None = None

    @property
    def looked(self) -> bool:
        """Whether the source was asked anything."""
        return self.polled or bool(self.error)


def poll_sources(sources: Sequence[Source], database: Database) -> list[PollResult]:
    """Poll every source that is due, least recently polled first, and decide its pending entries.

    Returns no result for a source with nothing to do.
    """
    states = states_of(database, [source.address for source in sources])
    deadline = time.monotonic() + TICK_S
    oldest_first = sorted(zip(sources, states, strict=True), key=lambda pair: str(pair[1].looked_at or ""))
    with ThreadPoolExecutor(PARALLELISM, thread_name_prefix="poll") as threads:
        polls = [threads.submit(_poll_within, source, state, database, deadline) for source, state in oldest_first]
    results = [_outcome(source, future, database) for (source, _), future in zip(oldest_first, polls, strict=True)]
    return [result for result in results if result is not None]


def _outcome(source: Source, future: "Future[PollResult | None]", database: Database) -> PollResult | None:
    """The result of a poll. An unforeseen error becomes a result, too, so that it does not stop the other sources."""
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, DatabaseUnusable):
        raise error
    message = without_secrets(f"{source.name}: {type(error).__name__}: {error}", [source.address])
    record_listing_failure(database, source.address, message)
    return PollResult(source, error=message)


def _poll_within(source: Source, state: SourceState, database: Database, deadline: float) -> PollResult | None:
    if source.paused or state.paused or time.monotonic() > deadline:
        return None
    single = source.kind is Kind.URL and state.fully_listed  # a single video, so no new ones can appear
    options, due = options_digest(source), state.due(source.every_s) and not single
    if options != state.options:
        listings.reopen(database, source, options)
    elif not due and not state.undecided:
        return None
    result = PollResult(source, previous_look=state.looked_at)
    try:
        if due:
            result = replace(_poll(source, state, database), polled=True, previous_look=state.looked_at)
        return replace(result, requested=decide_pending(source, database, MAX_FETCHES_PER_TICK, deadline))
    except (SourceUnusable, Blocked) as error:
        return replace(result, error=_record(error, source, database))


def _poll(source: Source, state: SourceState, database: Database) -> PollResult:
    files = {} if is_url(source.address) else listings.known_files(database, source.address)
    listing = poll(source, state.validators, files)
    if listing is None:
        record_poll(database, source.address)
        return PollResult(source, listing_key=_listing_key(state))
    if not listing.complete and (not state.fully_listed or _has_gap(listing, source, state, database)):
        needs_listing(database, source.address)
        return PollResult(source, listing_key=_listing_key(replace(state, fully_listed=False)))
    return PollResult(source, new=_save(source, listing, database), listed=len(listing.entries))


def _has_gap(listing: Listing, source: Source, state: SourceState, database: Database) -> bool:
    """Whether the source may have more new videos than this part of its list."""
    known = listings.count_known(database, source.address, [entry.video_id for entry in listing.entries])
    if listing.total is not None and state.total is not None:
        return listing.total != state.total + len(listing.entries) - known
    return known == 0


def _listing_key(state: SourceState) -> str:
    """The key of the run that lists a source in full: the same until a listing ends, or for at most six hours if it died."""
    return "" if state.fully_listed else f"{state.listings}:{int(time.time() // (6 * 3600))}"


def list_fully(source: Source, database: Database) -> PollResult:
    """Read everything the source has and decide all of it, however long that takes. Records an error and raises it."""
    state = _state(source, database)
    try:
        listing = _whole(source, state, database)
        new = _save(source, listing, database)
        return PollResult(source, new, decide_pending(source, database), polled=True, listed=len(listing.entries))
    except (SourceUnusable, Blocked) as error:
        _record(error, source, database)
        raise


def _state(source: Source, database: Database) -> SourceState:
    """The source's state. Raises SourceBlocked while it is paused."""
    (state,) = states_of(database, [source.address])
    if state.paused:
        raise SourceBlocked(f"{source.name} is paused until {_format_utc(state.paused_until)}: {state.last_error}", FORCE)
    return state


def _whole(source: Source, state: SourceState, database: Database) -> Listing:
    """Everything the source has; of a folder, the files that have stopped growing."""
    if is_url(source.address):
        return list_all(source)
    listing = poll(source, state.validators, listings.known_files(database, source.address))
    assert listing is not None  # a folder is always read
    return listing


def _save(source: Source, listing: Listing, database: Database) -> int:
    return listings.save_listing(database, source, listing, in_order(listing.entries, source.newest_first))


def _record(error: EarshotError, source: Source, database: Database) -> str:
    """Record why a source could not be read, pausing it if its site refuses. Returns the message."""
    if isinstance(error, Blocked | SourceBlocked):
        until = pause(database, source.address, str(error), error.pause_s)
        return f"{error} Paused until {_format_utc(until)}."
    record_listing_failure(database, source.address, str(error))
    return str(error)


def _format_utc(until: datetime | None) -> str:
    return f"{until:%Y-%m-%d %H:%M} UTC"


# --- deciding ------------------------------------------------------------------------------------------------------------


def decide_pending(source: Source, database: Database, max_fetches: int | None = None, deadline: float | None = None) -> int:
    """Decide the pending entries of this source; returns how many runs were requested.

    Fetches at most `max_fetches` videos' own pages, none after the deadline (of `time.monotonic()`); entries that lack a page
    stay pending. Raises Blocked if the site refuses, after storing the decisions made by then.
    """
    entries = listings.open_entries(database, source.address)
    if not entries:
        return 0
    fetches = {one.entry.video_id: one.fetches for one in entries}
    fetch = _page_fetcher(source, _give_up(source, database, fetches), max_fetches, deadline)
    backlog, later = ([one.entry for one in entries if one.backlog == in_backlog] for in_backlog in (True, False))
    limit = source.first_limit
    room = None if limit is None else max(0, limit - listings.count_wanted_backlog(database, source.address))
    decisions: list[StoredDecision] = []
    try:
        for group, group_room in ((backlog, room), (later, None)):
            for entry, decision in select_entries(group, source, fetch, group_room):
                if decision.verdict != "open":
                    decisions.append(StoredDecision(entry, decision.verdict, decision.reason))
    finally:
        requested = listings.save_decisions(database, source, decisions)
    return len(requested)


def select(source: Source, database: Database) -> list[tuple[Entry, Selection]]:
    """List everything the source has and decide all of it now, for a caller that waits for the result.

    Stores nothing but a pause if the site refuses. Raises SourceUnusable or Blocked.
    """
    _state(source, database)
    try:
        entries = in_order(listings.with_known_details(database, list_all(source).entries), source.newest_first)
        return list(select_entries(entries, source, _page_fetcher(source, _decide_without_details), source.first_limit))
    except (Blocked, SourceBlocked) as error:
        _record(error, source, database)
        raise


def _page_fetcher(
    source: Source,
    on_retryable: Callable[[Entry, Retryable], None],
    max_fetches: int | None = None,
    deadline: float | None = None,
) -> Callable[[Entry], Entry | None]:
    """A function that fetches a video's own page, pausing before all but the first, and calls `on_retryable` on such errors."""
    fetched = 0

    def fetch(entry: Entry) -> Entry | None:
        nonlocal fetched
        late = deadline is not None and time.monotonic() > deadline
        if late or (max_fetches is not None and fetched >= max_fetches):
            return None
        if fetched:
            time.sleep(source.pause_s)
        fetched += 1
        try:
            return fetch_details(entry, source)
        except Retryable as error:
            return on_retryable(entry, error)

    return fetch


def _give_up(source: Source, database: Database, fetches: Mapping[str, int]) -> Callable[[Entry, Retryable], None]:
    """What to do when fetching a page failed: leave the entry pending, but decide without the page after MAX_FETCHES."""

    def on_retryable(entry: Entry, error: Retryable) -> None:
        listings.count_fetch(database, source.address, entry.video_id)
        if fetches[entry.video_id] + 1 >= MAX_FETCHES:
            _decide_without_details(entry, error)

    return on_retryable


def _decide_without_details(_entry: Entry, error: Retryable) -> None:
    """Give up on the page: the entry is left out with this error as the reason."""
    raise Permanent(f"its page could not be fetched: {error.message}") from None


def options_digest(source: Source) -> str:
    """A digest of the options that decide which videos are wanted: when it changes, entries left out are decided again."""
    options = (
        source.since, source.limit, source.longer_than_s, source.shorter_than_s, source.skip_shorts, source.skip_live,
        source.skip_members_only,
    )  # fmt: skip
    if source.keep_days or source.keep_videos:  # others keep the digest that they had before there was retention
        options += (source.keep_days, source.keep_videos)
    return hashlib.sha256(repr(options).encode()).hexdigest()[:16]
