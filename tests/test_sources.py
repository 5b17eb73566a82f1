"""Which videos of a listing are wanted."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_assets.sources import choose
from resources.catalogue import Video

FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def listed(*names: str) -> list[Video]:
    """Videos by name; `b3` was uploaded on the third day, `c` has no date."""
    return [
        Video(
            name,
            f"https://x/{name}",
            "https://x",
            name,
            published_at=FIRST_DAY + timedelta(int(name[1:])) if name[1:] else None,
        )
        for name in names
    ]


def names(videos: list[Video]) -> list[str]:
    return [video.video_id for video in videos]


def test_the_order_of_the_source_stays() -> None:
    assert names(choose(listed("b1", "a3", "c", "d2"))) == ["b1", "a3", "c", "d2"]


def test_a_video_listed_twice_is_chosen_once() -> None:
    assert names(choose(listed("a", "b", "a", "c", "b"))) == ["a", "b", "c"]


def test_the_limit_counts_videos_and_not_listings() -> None:
    assert names(choose(listed("a", "a", "b", "c"), limit=2)) == ["a", "b"]


def test_a_limit_beyond_the_listing_gives_all_of_it() -> None:
    assert names(choose(listed("a", "b"), limit=9)) == ["a", "b"]


def test_newest_first_puts_undated_videos_last_in_the_order_of_the_source() -> None:
    assert names(choose(listed("z", "a1", "y", "b3", "x", "c2"), newest_first=True)) == ["b3", "c2", "a1", "z", "y", "x"]


def test_the_limit_is_applied_after_the_order() -> None:
    assert names(choose(listed("z", "a1", "b3", "c2"), limit=2, newest_first=True)) == ["b3", "c2"]


def test_videos_of_one_moment_keep_the_order_of_the_source() -> None:
    assert names(choose(listed("b2", "a2", "c2"), newest_first=True)) == ["b2", "a2", "c2"]


def test_nothing_listed_is_nothing_chosen() -> None:
    assert choose([], limit=3, newest_first=True) == []


LISTINGS = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["", "1", "2", "3"])).map("".join), max_size=20)


@settings(deadline=None)
@given(LISTINGS)
def test_newest_first_is_every_video_once_by_falling_date(listing: list[str]) -> None:
    chosen = names(choose(listed(*listing), newest_first=True))
    assert sorted(chosen) == sorted(set(listing))
    dates = [int(name[1:]) if name[1:] else 0 for name in chosen]
    assert dates == sorted(dates, reverse=True)
