"""Selection: which listed videos are wanted, in which order, and why the others are not. Pure functions.

`judge_entry()` applies the source's options in sources.yaml (or on the command line) to one entry. If the decision needs a fact
that the listing lacks, it stays open until `select_entries()` has fetched the video's own page. A fact that is missing there,
too, is not assumed: a video without a date does not count as new.

earshot/sources/listing.py lists sources and fetches pages; earshot/sources/polling.py stores the decisions.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from earshot.common.errors import Permanent
from earshot.config.sources_file import Source
from earshot.sources.kinds.youtube import is_youtube
from earshot.storage.catalog.entries import Entry, Live, is_url

# No Short is longer (YouTube, since 2024-10-15), so that the page of a longer video need not be fetched.
MAX_SHORT_S = 180.0


@dataclass(frozen=True)
class Selection:
    """`verdict` is `wanted`, `left_out` or `open`; `reason` says why a video is left out, or which facts are missing."""

    verdict: str
    reason: str = ""


WANTED = Selection("wanted")


def in_order(entries: Sequence[Entry], newest_first: bool) -> list[Entry]:
    """Each video once, in the source's own order or newest first.

    With newest first, undated videos come last, in the source's order (which for YouTube is newest first already).
    """
    unique = list({entry.video_id: entry for entry in entries}.values())
    if newest_first:
        unique.sort(key=lambda entry: -entry.published_at.timestamp() if entry.published_at else float("inf"))
    return unique


def select_entries(
    entries: Iterable[Entry], source: Source, fetch: Callable[[Entry], Entry | None], room: int | None
) -> Iterator[tuple[Entry, Selection]]:
    """Decide each entry in order, at most `room` of them wanted, fetching missing facts.

    `fetch` returns the entry completed from its own page, or None if the page cannot be fetched now. The entry then stays open,
    and with a limit so do all after it, because it may be wanted.
    """
    for entry in entries:
        if room == 0:
            yield entry, Selection("left_out", f"beyond the limit of {source.first_limit}")
            continue
        completed, decision = _decided(entry, source, fetch)
        if decision.verdict == "open" and room is not None:
            return
        if decision.verdict == "wanted" and room is not None:
            room -= 1
        yield completed, decision


def _decided(entry: Entry, source: Source, fetch: Callable[[Entry], Entry | None]) -> tuple[Entry, Selection]:
    decision = judge_entry(entry, source)
    if decision.verdict != "open":
        return entry, decision
    try:
        completed = fetch(entry)
    except Permanent as error:
        return entry, Selection("left_out", error.message)
    return (entry, decision) if completed is None else (completed, judge_entry(completed, source, fetched=True))


def judge_entry(entry: Entry, source: Source, fetched: bool = False) -> Selection:
    """Whether this entry is wanted. `fetched`: its own page was fetched, so facts still missing stay unknown."""
    reason = _unwanted(entry, source)
    if reason:
        return Selection("left_out", reason)
    missing = missing_facts(entry, source)
    if not missing:
        return WANTED
    if not fetched:
        return Selection("open", f"its {' and '.join(missing)} must be fetched")
    needed = ("upload date", "length") if source.since else ("length",)
    unknown = [fact for fact in missing if fact in needed]
    return Selection("left_out", f"unknown {' and '.join(unknown)}") if unknown else WANTED


def _unwanted(entry: Entry, source: Source) -> str:
    """Why the known facts rule the entry out; "" if they do not."""
    if source.skip_members_only and entry.members_only:
        return "members only"
    if source.skip_live and entry.live not in (None, Live.NO):
        return f"a broadcast ({str(entry.live).replace('_', ' ')})"
    if source.skip_shorts and entry.short and (entry.duration_s is None or entry.duration_s <= MAX_SHORT_S):
        return "a Short"
    return _too_old(entry.published_at, source) or _wrong_length(entry.duration_s, source)


def _too_old(published_at: datetime | None, source: Source) -> str:
    if published_at is None:
        return ""
    if source.since and published_at < datetime.combine(source.since, time(), UTC):
        return f"uploaded {published_at:%Y-%m-%d}, before {source.since}"
    if source.keep_days and published_at < datetime.now(UTC) - timedelta(days=source.keep_days):
        return f"uploaded {published_at:%Y-%m-%d}, and keep_days is {source.keep_days}"
    return ""


def _wrong_length(duration_s: float | None, source: Source) -> str:
    if duration_s is None:
        return ""
    if source.longer_than_s is not None and duration_s <= source.longer_than_s:
        return f"{duration_s:.0f} s long, not longer than {source.longer_than_s:.0f} s"
    if source.shorter_than_s is not None and duration_s >= source.shorter_than_s:
        return f"{duration_s:.0f} s long, not shorter than {source.shorter_than_s:.0f} s"
    return ""


def missing_facts(entry: Entry, source: Source) -> list[str]:
    """The facts that this source's options depend on and the entry lacks."""
    not_over = entry.live in (Live.UPCOMING, Live.ON_AIR)  # a broadcast has no upload date and no length yet
    by_date = source.since is not None or (source.keep_days is not None and is_url(entry.url))
    by_length = source.longer_than_s is not None or source.shorter_than_s is not None
    missing = {
        "upload date": by_date and entry.published_at is None and not not_over,
        "length": by_length and entry.duration_s is None and not not_over,
        "kind": is_youtube(entry.url) and (_may_be_short(entry, source) or (source.skip_live and entry.live is None)),
    }
    return [fact for fact, is_missing in missing.items() if is_missing]


def _may_be_short(entry: Entry, source: Source) -> bool:
    unknown = entry.short is None and (entry.duration_s is None or entry.duration_s <= MAX_SHORT_S)
    return source.skip_shorts and unknown
