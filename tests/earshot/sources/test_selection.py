"""Which videos of a listing are wanted, in which order, and why the others are not."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earshot.common.errors import Blocked, Permanent, Private
from earshot.config.sources_file import Kind, Source
from earshot.sources.selection import WANTED, Selection, in_order, judge_entry, select_entries
from earshot.storage.catalog.entries import Entry, Live

FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
CHANNEL = Source(Kind.CHANNEL, "https://www.youtube.com/@channel", "a channel")
VIDEO = Entry("dQw4w9WgXcQ", "https://www.youtube.com/watch?v=dQw4w9WgXcQ", "A video")


def listed(*names: str) -> list[Entry]:
    """Entries by name; `b3` was uploaded on the third day, `c` has no date."""
    return [
        Entry(name, f"https://x/{name}", name, published_at=FIRST_DAY + timedelta(int(name[1:]) - 1) if name[1:] else None)
        for name in names
    ]


def names(entries: list[Entry]) -> list[str]:
    return [entry.video_id for entry in entries]


def no_fetch(entry: Entry) -> Entry | None:
    raise AssertionError(f"the page of {entry.video_id} was fetched")


def verdicts(entries: list[Entry], source: Source, fetch=no_fetch, room: int | None = None) -> dict[str, str]:
    return {entry.video_id: decision.verdict for entry, decision in select_entries(entries, source, fetch, room)}


# --- order ---------------------------------------------------------------------------------------------------------------


def test_video_listed_twice_counts_once() -> None:
    assert names(in_order(listed("a", "b", "a", "c", "b"), newest_first=False)) == ["a", "b", "c"]


def test_newest_first_puts_undated_videos_last() -> None:
    assert names(in_order(listed("z", "a1", "y", "b3", "x", "c2"), True)) == ["b3", "c2", "a1", "z", "y", "x"]


def test_videos_of_one_date_keep_their_order() -> None:
    assert names(in_order(listed("b2", "a2", "c2"), newest_first=True)) == ["b2", "a2", "c2"]


LISTINGS = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["", "1", "2", "3"])).map("".join), max_size=20)


@settings(deadline=None)
@given(LISTINGS)
def test_newest_first_sorts_each_video_once(listing: list[str]) -> None:
    chosen = names(in_order(listed(*listing), newest_first=True))
    assert sorted(chosen) == sorted(set(listing))
    dates = [int(name[1:]) if name[1:] else 0 for name in chosen]
    assert dates == sorted(dates, reverse=True)


# --- one entry -----------------------------------------------------------------------------------------------------------


def test_video_is_wanted_without_options() -> None:
    assert judge_entry(VIDEO, CHANNEL) == WANTED


@pytest.mark.parametrize(
    ("facts", "options", "reason"),
    [
        ({"members_only": True}, {}, "members only"),
        ({"live": Live.ON_AIR}, {"skip_live": True}, "a broadcast (on air)"),
        ({"live": Live.UPCOMING}, {"skip_live": True}, "a broadcast (upcoming)"),
        ({"live": Live.WAS_LIVE}, {"skip_live": True}, "a broadcast (was live)"),
        ({"short": True}, {"skip_shorts": True}, "a Short"),
        ({"published_at": FIRST_DAY}, {"since": date(2026, 1, 2)}, "uploaded 2026-01-01, before 2026-01-02"),
        ({"duration_s": 60.0}, {"longer_than_s": 60.0}, "60 s long, not longer than 60 s"),
        ({"duration_s": 60.0}, {"shorter_than_s": 60.0}, "60 s long, not shorter than 60 s"),
    ],
)
def test_option_leaves_out_with_its_reason(facts: dict, options: dict, reason: str) -> None:
    entry, source = replace(VIDEO, **facts), replace(CHANNEL, **options)
    assert judge_entry(entry, source) == Selection("left_out", reason)


def test_members_only_video_is_wanted_if_allowed() -> None:
    assert judge_entry(replace(VIDEO, members_only=True), replace(CHANNEL, skip_members_only=False)) == WANTED


def test_since_includes_start_of_its_day() -> None:
    assert judge_entry(replace(VIDEO, published_at=FIRST_DAY), replace(CHANNEL, since=date(2026, 1, 1))) == WANTED


def test_video_that_would_not_be_kept_is_left_out() -> None:
    source, now = replace(CHANNEL, keep_days=30), datetime.now(UTC)
    assert judge_entry(replace(VIDEO, published_at=now - timedelta(days=29)), source) == WANTED
    old = judge_entry(replace(VIDEO, published_at=now - timedelta(days=31)), source)
    assert (old.verdict, old.reason.partition(", and ")[2]) == ("left_out", "keep_days is 30")
    assert judge_entry(VIDEO, source).verdict == "open"
    assert judge_entry(VIDEO, source, fetched=True) == WANTED  # its age then counts from when it comes into the library
    assert judge_entry(replace(VIDEO, url="/talks/a.mp3"), source) == WANTED


def test_first_listing_has_no_more_than_is_kept() -> None:
    chosen = list(select_entries(listed("a", "b1", "b2"), replace(CHANNEL, keep_videos=2), lambda entry: entry, 2))
    assert [decision.reason for _, decision in chosen] == ["", "", "beyond the limit of 2"]
    assert [replace(CHANNEL, limit=limit, keep_videos=2).first_limit for limit in (None, 1, 3)] == [2, 1, 2]


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ({"since": date(2026, 1, 1)}, "its upload date must be fetched"),
        ({"longer_than_s": 60.0}, "its length must be fetched"),
        ({"skip_shorts": True}, "its kind must be fetched"),
        ({"skip_live": True}, "its kind must be fetched"),
        ({"since": date(2026, 1, 1), "shorter_than_s": 9.0}, "its upload date and length must be fetched"),
    ],
)
def test_decision_with_missing_facts_stays_open(options: dict, missing: str) -> None:
    assert judge_entry(VIDEO, replace(CHANNEL, **options)) == Selection("open", missing)


def test_unknown_date_is_not_invented() -> None:
    decision = judge_entry(VIDEO, replace(CHANNEL, since=date(2026, 1, 1)), fetched=True)
    assert decision == Selection("left_out", "unknown upload date")


def test_unknown_kind_counts_as_ordinary_video() -> None:
    assert judge_entry(VIDEO, replace(CHANNEL, skip_shorts=True, skip_live=True), fetched=True) == WANTED


def test_page_of_video_over_three_minutes_is_not_fetched_for_shorts() -> None:
    source = replace(CHANNEL, skip_shorts=True)
    assert judge_entry(replace(VIDEO, duration_s=181.0), source) == WANTED
    assert judge_entry(replace(VIDEO, duration_s=180.0), source).verdict == "open"


def test_kind_is_fetched_for_youtube_alone() -> None:
    episode = Entry("generic-a", "https://podcast.example/a.mp3", "An episode")
    assert judge_entry(episode, replace(CHANNEL, skip_shorts=True, skip_live=True)) == WANTED


def test_upcoming_broadcast_needs_no_date_or_length() -> None:
    coming = replace(VIDEO, live=Live.UPCOMING)
    assert judge_entry(coming, replace(CHANNEL, since=date(2026, 1, 1), longer_than_s=60.0)) == WANTED


# --- a listing -----------------------------------------------------------------------------------------------------------


def test_limit_counts_wanted_videos() -> None:
    source = replace(CHANNEL, limit=2, since=date(2026, 1, 2))
    decisions = list(select_entries(listed("a2", "b1", "c3", "d4"), source, no_fetch, source.limit))
    assert [(entry.video_id, decision.verdict) for entry, decision in decisions] == [
        ("a2", "wanted"),
        ("b1", "left_out"),
        ("c3", "wanted"),
        ("d4", "left_out"),
    ]
    assert decisions[3][1].reason == "beyond the limit of 2"


def test_no_page_beyond_the_limit_is_fetched() -> None:
    source = replace(CHANNEL, limit=1, since=date(2026, 1, 1))
    fetched: list[str] = []

    def fetch(entry: Entry) -> Entry:
        fetched.append(entry.video_id)
        return replace(entry, published_at=FIRST_DAY)

    assert verdicts(listed("a", "b", "c"), source, fetch, source.limit) == {"a": "wanted", "b": "left_out", "c": "left_out"}
    assert fetched == ["a"]


def test_decision_comes_with_fetched_facts() -> None:
    source = replace(CHANNEL, since=date(2026, 1, 1))
    [(entry, decision)] = select_entries(listed("a"), source, lambda entry: replace(entry, published_at=FIRST_DAY), None)
    assert (entry.published_at, decision) == (FIRST_DAY, WANTED)


def test_limit_waits_for_open_decision() -> None:
    source = replace(CHANNEL, limit=1, since=date(2026, 1, 1))
    assert verdicts(listed("a", "b2"), source, lambda _: None, source.limit) == {}


def test_open_decision_delays_no_other_without_limit() -> None:
    source = replace(CHANNEL, since=date(2026, 1, 1))
    assert verdicts(listed("a", "b2"), source, lambda _: None) == {"a": "open", "b2": "wanted"}


def test_unavailable_video_is_left_out_with_its_error() -> None:
    def refuse(_: Entry) -> Entry | None:
        raise Private("This video is private.")

    [(_, decision)] = select_entries(listed("a"), replace(CHANNEL, since=date(2026, 1, 1)), refuse, None)
    assert decision == Selection("left_out", "This video is private.")
    assert issubclass(Private, Permanent)


def test_blocking_site_ends_selection() -> None:
    def block(_: Entry) -> Entry | None:
        raise Blocked("Too many requests.")

    with pytest.raises(Blocked):
        list(select_entries(listed("a"), replace(CHANNEL, since=date(2026, 1, 1)), block, None))
