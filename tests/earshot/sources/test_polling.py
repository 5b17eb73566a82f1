"""Polling sources: real feeds, folders and databases; YouTube is recorded."""

import gc
import logging
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from yt_dlp import YoutubeDL

from earshot.common.errors import Blocked, LiveOrUpcoming, Private, SourceBlocked
from earshot.config.sources_file import Kind, Source, source_named
from earshot.sources import listing, polling
from earshot.sources.kinds.youtube import watch_url
from earshot.sources.polling import list_fully, poll_sources
from earshot.storage.catalog.entries import Listing
from earshot.storage.catalog.run_requests import request_retries
from earshot.storage.catalog.source_states import states_of
from earshot.storage.catalog.videos import get_video, list_videos, record_failure
from earshot.storage.database import Database
from tests.earshot.sources.kinds.youtube import CHANNEL, YouTube, play_youtube, upload, uploaded_at
from tests.support.feeds import FIRST_DAY, feed
from tests.support.http_server import Answer, Site, too_many


def podcast(site: Site, path: str = "/feed.xml", **options: Any) -> Source:
    """A watched feed of the site, always due."""
    return Source(Kind.FEED, site.url + path, path, every_s=0.0, **options)


def requested(database: Database) -> list[str]:
    """The titles of the videos whose runs are requested, in order."""
    rows = database.query("SELECT title FROM run_requests JOIN videos USING (video_id) ORDER BY request_id")
    return [row["title"] for row in rows]


def reasons(database: Database) -> dict[str, str]:
    rows = database.query("SELECT title, reason FROM source_videos WHERE decision = 'left_out' ORDER BY position")
    return {row["title"]: row["reason"] for row in rows}


def open_sessions() -> int:
    gc.collect()
    return sum(type(held) is YoutubeDL for held in gc.get_objects())


# --- feeds ---------------------------------------------------------------------------------------------------------------


def test_feed_videos_are_requested_newest_first(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed("e1", "e3", "e2")))
    [result] = poll_sources([podcast(site)], database)
    assert (result.new, result.requested, result.error, result.listing_key) == (3, 3, "", "")
    assert requested(database) == ["e3", "e2", "e1"]
    assert {video.state for video in list_videos(database)} == {"new"}


def test_polls_without_news_send_etag_and_store_nothing(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed("e1"), etag='"1"'))
    source = podcast(site)
    poll_sources([source], database)
    for _ in range(3):
        assert [(result.new, result.requested) for result in poll_sources([source], database)] == [(0, 0)]
    assert [request.headers.get("If-None-Match") for request in site.asked_for("/feed.xml")] == [None, '"1"', '"1"', '"1"']
    assert requested(database) == ["e1"]


def test_polls_leave_no_session_behind(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed("e1")))
    log = logging.getLogger("urllib3")
    sessions, handlers = open_sessions(), list(log.handlers)
    for _ in range(3):
        poll_sources([podcast(site)], database)
    assert len(site.asked_for("/feed.xml")) == 3
    assert log.handlers == handlers
    assert open_sessions() == sessions


def test_source_is_not_polled_before_it_is_due(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed("e1")))
    source = replace(podcast(site), every_s=3600.0)
    for _ in range(3):
        poll_sources([source], database)
    assert len(site.asked_for("/feed.xml")) == 1


def test_failing_source_is_reported_and_stops_no_other(site: Site, database: Database) -> None:
    site.put("/bad.xml", Answer(status=500))
    site.put("/cut.xml", Answer(feed("e1", "e2")[:-40]))
    site.put("/good.xml", Answer(feed("e9")))
    results = poll_sources([podcast(site, path) for path in ("/bad.xml", "/cut.xml", "/good.xml")], database)
    errors = {result.source.name: result.error for result in results}
    assert "500" in errors["/bad.xml"]
    assert "cut short" in errors["/cut.xml"]
    assert errors["/good.xml"] == ""
    assert requested(database) == ["e9"]


def test_bug_in_one_poll_is_reported_and_stops_no_other(
    site: Site, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put("/good.xml", Answer(feed("e9")))
    real = polling.poll

    def broken(source: Source, *rest: Any) -> Listing | None:
        if source.name == "/broken.xml":
            raise ZeroDivisionError("a bug")
        return real(source, *rest)

    monkeypatch.setattr(polling, "poll", broken)
    results = poll_sources([podcast(site, "/broken.xml"), podcast(site, "/good.xml")], database)
    assert [result.error for result in results if result.error] == ["/broken.xml: ZeroDivisionError: a bug"]
    assert requested(database) == ["e9"]


def test_truncated_feed_is_read_in_full_next_time(site: Site, database: Database) -> None:
    whole = feed("e2", "e1")
    site.put("/feed.xml", Answer(whole[:-60], etag='"cut"'), Answer(whole, etag='"whole"'))
    source = podcast(site)
    poll_sources([source], database)
    assert requested(database) == []
    database.query("UPDATE sources SET looked_at = NULL")
    poll_sources([source], database)
    assert requested(database) == ["e2", "e1"]


def test_unlistable_source_is_polled_with_growing_backoff(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(status=500))
    source = replace(podcast(site), every_s=60.0)
    due = []
    for _ in range(3):
        database.query("UPDATE sources SET looked_at = looked_at - interval '1 day'")
        poll_sources([source], database)
        [state] = states_of(database, [source.address])
        assert state.looked_at is not None
        earlier = [replace(state, looked_at=state.looked_at - timedelta(seconds=s)) for s in (119, 121, 239, 241, 479, 481)]
        due.append([state.due(source.every_s) for state in earlier])
    assert due == [[False, True, True, True, True, True], [False, False, False, True, True, True], [False] * 5 + [True]]


def test_retry_after_pauses_the_source(site: Site, database: Database) -> None:
    site.put("/feed.xml", too_many("7200"), Answer(feed("e1")))
    source = podcast(site)
    [result] = poll_sources([source], database)
    assert "Paused until" in result.error
    [state] = states_of(database, [source.address])
    assert state.paused_until is not None
    assert timedelta(minutes=115) < state.paused_until - datetime.now(UTC) < timedelta(minutes=125)
    assert poll_sources([source], database) == []
    assert len(site.asked_for("/feed.xml")) == 1


def test_changed_title_is_stored_and_runs_nothing(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed("e1", title="Before")), Answer(feed("e1", title="After")))
    poll_sources([podcast(site)], database)
    poll_sources([podcast(site)], database)
    assert requested(database) == ["After"]
    assert [video.title for video in list_videos(database)] == ["After"]


def test_video_in_two_feeds_of_a_host_runs_once(site: Site, database: Database) -> None:
    site.put("/a.xml", Answer(feed("e1", "e2")))
    site.put("/b.xml", Answer(feed("e2", "e3")))
    for source in (podcast(site, "/a.xml"), podcast(site, "/b.xml")):
        poll_sources([source], database)
    assert sorted(requested(database)) == ["e1", "e2", "e3"]
    assert len(list_videos(database)) == 3


def test_entry_removed_from_feed_stays_in_library(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed("e1", "e2")), Answer(feed("e2")))
    poll_sources([podcast(site)], database)
    poll_sources([podcast(site)], database)
    assert len(list_videos(database)) == 2
    assert [row["title"] for row in database.query("SELECT title FROM source_videos WHERE NOT present")] == ["e1"]


def test_failed_video_runs_again_when_its_media_moves(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed("e1", media=f"{site.url}/old")), Answer(feed("e1", media=f"{site.url}/new")))
    poll_sources([podcast(site)], database)
    [video] = list_videos(database)
    record_failure(database, video.video_id, Private("private"))
    database.query("DELETE FROM run_requests")
    poll_sources([podcast(site)], database)
    assert requested(database) == ["e1"]
    moved = get_video(database, video.video_id)
    assert moved is not None
    assert (moved.state, moved.url, moved.attempts) == ("new", f"{site.url}/new/e1.mp3", 0)
    poll_sources([podcast(site)], database)
    assert requested(database) == ["e1"]


def test_changed_token_does_not_retry_failed_video(site: Site, database: Database) -> None:
    with_token = [feed("e1").replace(b".mp3", f".mp3?token={token}".encode()) for token in "ab"]
    site.put("/feed.xml", *[Answer(body) for body in with_token])
    poll_sources([podcast(site)], database)
    [video] = list_videos(database)
    record_failure(database, video.video_id, Private("private"))
    database.query("DELETE FROM run_requests")
    poll_sources([podcast(site)], database)
    assert requested(database) == []
    assert get_video(database, video.video_id).url.endswith("?token=b")  # pyright: ignore[reportOptionalMemberAccess]


def test_video_deleted_and_restored_runs_again_in_same_partition(site: Site, database: Database) -> None:
    both, without = Answer(feed("e1", "e2")), Answer(feed("e2"))
    site.put("/feed.xml", both, without, both)
    poll_sources([podcast(site)], database)
    hidden = next(video for video in list_videos(database) if video.title == "e1")
    record_failure(database, hidden.video_id, Private("its owner has hidden it"))
    database.query("DELETE FROM run_requests")
    poll_sources([podcast(site)], database)
    assert requested(database) == []
    poll_sources([podcast(site)], database)
    assert requested(database) == ["e1"]
    assert len(list_videos(database)) == 2


def test_listing_never_requests_ready_video_again(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed("e1")), Answer(feed("e1", media="https://elsewhere.example")))
    poll_sources([podcast(site)], database)
    database.query("UPDATE videos SET state = 'ready'")
    database.query("DELETE FROM run_requests")
    poll_sources([podcast(site)], database)
    assert requested(database) == []


def test_large_feed_is_decided_in_order(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed(*[f"e{number}" for number in range(5_000, 0, -1)])))
    source = replace(podcast(site), limit=100)
    [result] = poll_sources([source], database)
    assert (result.new, result.requested, result.error) == (5_000, 100, "")
    assert requested(database)[:2] == ["e5000", "e4999"]


def test_limit_counts_backlog_but_not_later_uploads(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed("e3", "e2", "e1")), Answer(feed("e5", "e4", "e3", "e2", "e1")))
    source = replace(podcast(site), limit=1)
    poll_sources([source], database)
    assert requested(database) == ["e3"]
    poll_sources([source], database)
    assert requested(database) == ["e3", "e5", "e4"]
    assert reasons(database) == {"e2": "beyond the limit of 1", "e1": "beyond the limit of 1"}


def test_changed_options_reconsider_left_out_videos(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed("e3", "e2", "e1"), etag='"1"'))
    source = replace(podcast(site), since=date(2026, 1, 3))
    poll_sources([source], database)
    assert reasons(database)["e1"] == "uploaded 2026-01-01, before 2026-01-03"
    poll_sources([replace(source, since=date(2026, 1, 2))], database)
    assert requested(database) == ["e3", "e2"]


def test_videos_take_language_of_source(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed("e1")))
    poll_sources([podcast(site, language="de")], database)
    assert [video.language for video in list_videos(database)] == ["de"]


def test_single_video_is_polled_once(site: Site, database: Database) -> None:
    site.put("/talk.mp3", Answer(b"ID3" + bytes(1000), headers={"Content-Type": "audio/mpeg"}))
    source = replace(source_named(f"{site.url}/talk.mp3"), every_s=0.0)
    poll_sources([source], database)
    requests = len(site.asked)
    assert requested(database) == ["talk"]
    assert poll_sources([source], database) == []
    assert len(site.asked) == requests


# --- folders -------------------------------------------------------------------------------------------------------------


def test_growing_file_is_registered_once_stable(tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    source = replace(source_named(str(tmp_path)), every_s=0.0)
    (tmp_path / "talk.wav").write_bytes(b"half of ")
    assert [(result.new, result.error) for result in poll_sources([source], database)] == [(0, "")]
    with (tmp_path / "talk.wav").open("ab") as file:
        file.write(b"a recording")
    monkeypatch.setattr(listing, "STABLE_S", 0.05)
    time.sleep(0.1)
    assert [result.new for result in poll_sources([source], database)] == [1]
    assert requested(database) == ["talk"]


def test_unchanged_file_is_not_read_again(tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "STABLE_S", 0.0001)
    source = replace(source_named(str(tmp_path)), every_s=0.0)
    (tmp_path / "talk.wav").write_bytes(b"a recording")
    time.sleep(0.01)
    poll_sources([source], database)
    monkeypatch.setattr("earshot.sources.kinds.folders._content_digest", lambda file: pytest.fail(f"{file} was read again"))
    assert [result.error for result in poll_sources([source], database)] == [""]


# --- YouTube -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def channel(site: Site, monkeypatch: pytest.MonkeyPatch) -> YouTube:
    """A channel with three uploads."""
    played = play_youtube(site, monkeypatch)
    played.publish(upload(3), upload(2), upload(1))
    return played


def test_channel_is_listed_in_full_first_then_polled_by_feed(channel: YouTube, database: Database) -> None:
    [first] = poll_sources([CHANNEL], database)
    assert first.listing_key
    assert requested(database) == []
    [second] = poll_sources([CHANNEL], database)
    assert second.listing_key == first.listing_key
    assert list_fully(CHANNEL, database).new == 3
    channel.publish(upload(4), *channel.uploads)
    [later] = poll_sources([CHANNEL], database)
    assert (later.new, later.requested, later.listing_key) == (1, 1, "")
    assert requested(database) == ["video-00003", "video-00002", "video-00001", "video-00004"]
    assert len(channel.extracted) == 1


def test_feed_with_only_unknown_videos_triggers_full_listing(channel: YouTube, database: Database) -> None:
    list_fully(CHANNEL, database)
    channel.publish(*[upload(day) for day in range(9, 0, -1)])
    [result] = poll_sources([CHANNEL], database)
    assert result.listing_key
    assert result.requested == 0
    list_fully(CHANNEL, database)
    assert sorted(requested(database)) == [f"video-{day:05d}" for day in range(1, 10)]
    assert [result.listing_key for result in poll_sources([CHANNEL], database)] == [""]


def give_dates(channel: YouTube) -> None:
    """Let the pages of all uploads have their dates, which the listing has not."""
    ids = [entry["id"] for entry in channel.uploads]
    channel.pages = {video_id: {"timestamp": int(uploaded_at(video_id).timestamp())} for video_id in ids}


def test_undated_upload_has_its_page_fetched_before_since_applies(channel: YouTube, database: Database) -> None:
    give_dates(channel)
    list_fully(replace(CHANNEL, since=date(2026, 1, 2)), database)
    assert requested(database) == ["video-00003", "video-00002"]
    assert channel.extracted[1:] == [entry["url"] for entry in channel.uploads]
    assert [video.published_at for video in list_videos(database)] == [FIRST_DAY + timedelta(days) for days in (2, 1)]


def test_blocking_page_pauses_source_and_keeps_decisions(channel: YouTube, database: Database) -> None:
    give_dates(channel)
    channel.errors["video-00002"] = "Sign in to confirm you're not a bot."
    source = replace(CHANNEL, since=date(2026, 1, 1))
    with pytest.raises(Blocked):
        list_fully(source, database)
    assert requested(database) == ["video-00003"]
    assert poll_sources([source], database) == []
    with pytest.raises(SourceBlocked, match="paused until"):
        list_fully(source, database)
    database.query("UPDATE sources SET paused_until = now() - interval '1 second'")
    channel.errors.clear()
    poll_sources([source], database)
    assert requested(database) == ["video-00003", "video-00002", "video-00001"]


def test_open_entries_are_decided_by_later_ticks_before_next_poll(
    channel: YouTube, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "MAX_FETCHES_PER_TICK", 1)
    source = replace(CHANNEL, every_s=3600.0, longer_than_s=60.0)  # the feed has no lengths
    list_fully(source, database)
    channel.publish(upload(6), upload(5), upload(4), *channel.uploads, in_feed=4)
    database.query("UPDATE sources SET looked_at = NULL")
    ticks = [[result.requested for result in poll_sources([source], database)] for _ in range(4)]
    assert ticks == [[1], [1], [1], []]


def broadcast(live: str, starts_at: datetime) -> dict[str, Any]:
    """The upload of the ninth day as a broadcast."""
    return upload(9, live_status=live, release_timestamp=starts_at.timestamp() if live == "is_upcoming" else None)


def test_upcoming_video_waits_for_its_start(channel: YouTube, database: Database) -> None:
    starts_at = datetime.now(UTC) + timedelta(days=1)
    channel.publish(broadcast("is_upcoming", starts_at), upload(1))
    list_fully(CHANNEL, database)
    assert requested(database) == ["video-00001"]
    announced = get_video(database, "video-00009")
    assert announced is not None
    assert announced.state == "live_or_upcoming"
    assert announced.retry_at is not None
    assert timedelta(0) < announced.retry_at - starts_at < timedelta(hours=1)
    poll_sources([CHANNEL], database)
    assert len(list_videos(database)) == 2


def test_upcoming_live_and_archived_broadcast_is_one_video(channel: YouTube, database: Database) -> None:
    states = []
    for live in ("is_upcoming", "is_live", "was_live"):
        channel.publish(broadcast(live, datetime.now(UTC) + timedelta(days=1)))
        list_fully(CHANNEL, database)
        if live == "is_live":  # its start has passed, and the sensor's run finds it on air
            record_failure(database, "video-00009", LiveOrUpcoming("It is on air."))
        [video] = list_videos(database)
        states.append((video.state, video.retry_at is not None))
    assert states == [("live_or_upcoming", True)] * 3
    database.query("UPDATE videos SET retry_at = now() - interval '1 second'")
    assert request_retries(database) == 1
    assert [video.state for video in list_videos(database)] == ["live_or_upcoming"]
    assert requested(database) == ["video-00009"]


def test_unlisted_video_named_by_url_is_wanted(channel: YouTube, database: Database) -> None:
    channel.pages["video-00001"] = {"availability": "unlisted"}
    list_fully(replace(CHANNEL, kind=Kind.URL, address=watch_url("video-00001")), database)
    assert requested(database) == ["video-00001"]
