"""Watching sources: real feeds, folders and databases."""

import time
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from earshot.common.errors import Blocked, LiveOrUpcoming, Private, SourceBlocked
from earshot.config.sources_file import Kind, Source, source_named
from earshot.sources import listing, polling
from earshot.sources.polling import list_fully, poll_sources
from earshot.storage.catalog.entries import Entry, Listing, Live
from earshot.storage.catalog.run_requests import request_retries
from earshot.storage.catalog.source_states import states_of
from earshot.storage.catalog.videos import get_video, list_videos, record_failure
from earshot.storage.database import Database
from tests.support.feeds import FIRST_DAY, feed
from tests.support.http_server import Answer, Site, moved, too_many


def podcast(site: Site, path: str = "/feed.xml", **options: Any) -> Source:
    """A watched feed of the site, looked at whenever somebody looks."""
    return Source(Kind.FEED, site.url + path, path, every_s=0.0, **options)


def asked_for(database: Database) -> list[str]:
    """The titles of what the sensor is to ask Dagster for, in order."""
    rows = database.query("SELECT title FROM run_requests JOIN videos USING (video_id) ORDER BY request_id")
    return [row["title"] for row in rows]


def reasons(database: Database) -> dict[str, str]:
    rows = database.query("SELECT title, reason FROM source_videos WHERE decision = 'left_out' ORDER BY position")
    return {row["title"]: row["reason"] for row in rows}


# --- one look ------------------------------------------------------------------------------------------------------------


def test_what_a_feed_has_is_registered_and_asked_for_newest_first(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed("e1", "e3", "e2")))
    [looked] = poll_sources([podcast(site)], database)
    assert (looked.new, looked.requested, looked.error, looked.listing_key) == (3, 3, "", "")
    assert asked_for(database) == ["e3", "e2", "e1"]
    assert {video.state for video in list_videos(database)} == {"new"}


def test_polls_without_news_send_etag_and_store_nothing(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed("e1"), etag='"1"'))
    source = podcast(site)
    poll_sources([source], database)
    for _ in range(3):
        assert [(one.new, one.requested) for one in poll_sources([source], database)] == [(0, 0)]
    assert [one.headers.get("If-None-Match") for one in site.asked_for("/feed.xml")] == [None, '"1"', '"1"', '"1"']
    assert asked_for(database) == ["e1"]


def test_a_source_is_left_alone_until_it_is_due(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed("e1")))
    source = replace(podcast(site), every_s=3600.0)
    for _ in range(3):
        poll_sources([source], database)
    assert len(site.asked_for("/feed.xml")) == 1


def test_failing_source_is_reported_and_stops_no_other(site: Site, database: Database) -> None:
    site.put("/bad.xml", Answer(status=500))
    site.put("/cut.xml", Answer(feed("e1", "e2")[:-40]))
    site.put("/good.xml", Answer(feed("e9")))
    looks = poll_sources([podcast(site, path) for path in ("/bad.xml", "/cut.xml", "/good.xml")], database)
    errors = {looked.source.name: looked.error for looked in looks}
    assert "500" in errors["/bad.xml"]
    assert "cut short" in errors["/cut.xml"]
    assert errors["/good.xml"] == ""
    assert asked_for(database) == ["e9"]


def test_bug_in_one_poll_is_reported_and_stops_no_other(
    site: Site, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put("/good.xml", Answer(feed("e9")))
    real = polling.poll

    def broken(source: Source, *rest: Any) -> Listing | None:
        if source.name == "/broken.xml":
            raise ZeroDivisionError("nobody thought of this")
        return real(source, *rest)

    monkeypatch.setattr(polling, "poll", broken)
    looks = poll_sources([podcast(site, "/broken.xml"), podcast(site, "/good.xml")], database)
    assert [looked.error for looked in looks if looked.error] == ["/broken.xml: ZeroDivisionError: nobody thought of this"]
    assert asked_for(database) == ["e9"]


def test_a_feed_that_was_cut_short_loses_nothing_once_it_is_whole(site: Site, database: Database) -> None:
    whole = feed("e2", "e1")
    site.put("/feed.xml", Answer(whole[:-60], etag='"cut"'), Answer(whole, etag='"whole"'))
    source = podcast(site)
    poll_sources([source], database)
    assert asked_for(database) == []
    database.query("UPDATE sources SET looked_at = NULL")
    poll_sources([source], database)
    assert asked_for(database) == ["e2", "e1"]


def test_unlistable_source_is_polled_with_growing_backoff(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(status=500))
    source = replace(podcast(site), every_s=60.0)
    waits = []
    for _ in range(3):
        database.query("UPDATE sources SET looked_at = looked_at - interval '1 day'")
        poll_sources([source], database)
        [state] = states_of(database, [source.address])
        assert state.looked_at is not None
        moved_back = [replace(state, looked_at=state.looked_at - timedelta(seconds=s)) for s in (119, 121, 239, 241, 479, 481)]
        waits.append([one.due(source.every_s) for one in moved_back])
    assert waits == [[False, True, True, True, True, True], [False, False, False, True, True, True], [False] * 5 + [True]]


def test_a_site_that_asks_to_be_left_alone_is_not_asked_before(site: Site, database: Database) -> None:
    site.put("/feed.xml", too_many("7200"), Answer(feed("e1")))
    source = podcast(site)
    [looked] = poll_sources([source], database)
    assert "Paused until" in looked.error
    [state] = states_of(database, [source.address])
    assert state.paused_until is not None
    assert timedelta(minutes=115) < state.paused_until - datetime.now(UTC) < timedelta(minutes=125)
    assert poll_sources([source], database) == []
    assert len(site.asked_for("/feed.xml")) == 1


def test_changed_title_is_stored_and_runs_nothing(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed("e1", title="Before")), Answer(feed("e1", title="After")))
    poll_sources([podcast(site)], database)
    poll_sources([podcast(site)], database)
    assert asked_for(database) == ["After"]
    assert [video.title for video in list_videos(database)] == ["After"]


def test_what_two_feeds_of_a_host_list_is_one_video_and_one_run(site: Site, database: Database) -> None:
    site.put("/a.xml", Answer(feed("e1", "e2")))
    site.put("/b.xml", Answer(feed("e2", "e3")))
    for source in (podcast(site, "/a.xml"), podcast(site, "/b.xml")):
        poll_sources([source], database)
    assert sorted(asked_for(database)) == ["e1", "e2", "e3"]
    assert len(list_videos(database)) == 3


def test_an_entry_that_was_removed_stays_in_the_library(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed("e1", "e2")), Answer(feed("e2")))
    poll_sources([podcast(site)], database)
    poll_sources([podcast(site)], database)
    assert len(list_videos(database)) == 2
    assert [row["title"] for row in database.query("SELECT title FROM source_videos WHERE NOT present")] == ["e1"]


def test_what_failed_is_run_again_once_its_media_moved(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed("e1", media=f"{site.url}/old")), Answer(feed("e1", media=f"{site.url}/new")))
    poll_sources([podcast(site)], database)
    [video] = list_videos(database)
    record_failure(database, video.video_id, Private("private"))
    database.query("DELETE FROM run_requests")
    poll_sources([podcast(site)], database)
    assert asked_for(database) == ["e1"]
    again = get_video(database, video.video_id)
    assert again is not None
    assert (again.state, again.url, again.attempts) == ("new", f"{site.url}/new/e1.mp3", 0)
    poll_sources([podcast(site)], database)
    assert asked_for(database) == ["e1"]


def test_a_token_that_changes_at_each_look_is_no_move(site: Site, database: Database) -> None:
    with_token = [feed("e1").replace(b".mp3", f".mp3?token={token}".encode()) for token in "ab"]
    site.put("/feed.xml", *[Answer(body) for body in with_token])
    poll_sources([podcast(site)], database)
    [video] = list_videos(database)
    record_failure(database, video.video_id, Private("private"))
    database.query("DELETE FROM run_requests")
    poll_sources([podcast(site)], database)
    assert asked_for(database) == []
    assert get_video(database, video.video_id).url.endswith("?token=b")  # pyright: ignore[reportOptionalMemberAccess]


def test_video_deleted_and_restored_runs_again_in_same_partition(site: Site, database: Database) -> None:
    both, one = Answer(feed("e1", "e2")), Answer(feed("e2"))
    site.put("/feed.xml", both, one, both)
    poll_sources([podcast(site)], database)
    gone = next(video for video in list_videos(database) if video.title == "e1")
    record_failure(database, gone.video_id, Private("its owner has hidden it"))
    database.query("DELETE FROM run_requests")
    poll_sources([podcast(site)], database)
    assert asked_for(database) == []
    poll_sources([podcast(site)], database)
    assert asked_for(database) == ["e1"]
    assert len(list_videos(database)) == 2


def test_what_is_ready_is_never_asked_for_again_by_a_listing(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed("e1")), Answer(feed("e1", media="https://elsewhere.example")))
    poll_sources([podcast(site)], database)
    database.query("UPDATE videos SET state = 'ready'")
    database.query("DELETE FROM run_requests")
    poll_sources([podcast(site)], database)
    assert asked_for(database) == []


def test_twenty_thousand_entries_are_kept_and_decided_in_order(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed(*[f"e{number}" for number in range(20_000, 0, -1)])))
    source = replace(podcast(site), limit=100)
    [looked] = poll_sources([source], database)
    assert (looked.new, looked.requested, looked.error) == (20_000, 100, "")
    assert asked_for(database)[:2] == ["e20000", "e19999"]


def test_limit_counts_backlog_but_not_later_uploads(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed("e3", "e2", "e1")), Answer(feed("e5", "e4", "e3", "e2", "e1")))
    source = replace(podcast(site), limit=1)
    poll_sources([source], database)
    assert asked_for(database) == ["e3"]
    poll_sources([source], database)
    assert asked_for(database) == ["e3", "e5", "e4"]
    assert reasons(database) == {"e2": "beyond the limit of 1", "e1": "beyond the limit of 1"}


def test_other_options_decide_anew_what_was_left_out(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed("e3", "e2", "e1"), etag='"1"'))
    source = replace(podcast(site), since=date(2026, 1, 3))
    poll_sources([source], database)
    assert reasons(database)["e1"] == "uploaded 2026-01-01, before 2026-01-03"
    poll_sources([replace(source, since=date(2026, 1, 2))], database)
    assert asked_for(database) == ["e3", "e2"]


def test_the_language_of_a_source_goes_with_its_videos(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(feed("e1")))
    poll_sources([podcast(site, language="de")], database)
    assert [video.language for video in list_videos(database)] == ["de"]


def test_feed_may_not_lead_to_unnamed_address_of_this_machine(site: Site, database: Database) -> None:
    site.put("/feed.xml", moved(site.url.replace("127.0.0.1", "127.0.0.2") + "/feed.xml"))
    [looked] = poll_sources([podcast(site)], database)
    assert "127.0.0.2" in looked.error
    assert "allow_private" in looked.error


def test_single_video_is_polled_once(site: Site, database: Database) -> None:
    site.put("/talk.mp3", Answer(b"ID3" + bytes(1000), headers={"Content-Type": "audio/mpeg"}))
    source = replace(source_named(f"{site.url}/talk.mp3"), every_s=0.0)
    poll_sources([source], database)
    asked = len(site.asked)
    assert asked_for(database) == ["talk"]
    assert poll_sources([source], database) == []
    assert len(site.asked) == asked


# --- folders -------------------------------------------------------------------------------------------------------------


def test_a_file_is_taken_once_it_has_stopped_growing(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = replace(source_named(str(tmp_path)), every_s=0.0)
    (tmp_path / "talk.wav").write_bytes(b"half of ")
    assert [(one.new, one.error) for one in poll_sources([source], database)] == [(0, "")]
    with (tmp_path / "talk.wav").open("ab") as file:
        file.write(b"a recording")
    monkeypatch.setattr(listing, "STABLE_S", 0.05)
    time.sleep(0.1)
    assert [one.new for one in poll_sources([source], database)] == [1]
    assert asked_for(database) == ["talk"]


def test_a_file_that_has_not_changed_is_not_read_again(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "STABLE_S", 0.0001)
    source = replace(source_named(str(tmp_path)), every_s=0.0)
    (tmp_path / "talk.wav").write_bytes(b"a recording")
    time.sleep(0.01)
    poll_sources([source], database)
    monkeypatch.setattr("earshot.sources.folders._content_digest", lambda file: pytest.fail(f"{file} was read again"))
    assert [one.error for one in poll_sources([source], database)] == [""]


# --- what needs YouTube itself: its answers are composed, the deciding and keeping is real ------------------------------------


UPLOADER = "https://www.youtube.com/channel/UC_x5XG1OV2P6uZZ5FSM9Ttw"
CHANNEL = Source(Kind.CHANNEL, UPLOADER, "a channel", every_s=0.0, pause_s=0.0)


@dataclass
class Channel:
    """A channel as poll(), list_all() and fetch_details() see it: its uploads newest first, with what each page tells."""

    uploads: list[Entry]
    pages: dict[str, Entry] = field(default_factory=dict)
    newest: int = 2
    asked: list[str] = field(default_factory=list)
    whole: int = 0

    def poll(self, *_: object) -> Listing | None:
        return Listing(tuple(self.uploads[: self.newest]), complete=False)

    def list_all(self, _: Source) -> Listing:
        self.whole += 1
        return Listing(tuple(replace(entry, published_at=None) for entry in self.uploads), complete=True)

    def fetch_details(self, entry: Entry, _: Source) -> Entry:
        self.asked.append(entry.video_id)
        return self.pages[entry.video_id]


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> Channel:
    played = Channel([upload(3), upload(2), upload(1)])
    for name in ("poll", "list_all", "fetch_details"):
        monkeypatch.setattr(polling, name, getattr(played, name))
    return played


def upload(day: int, **facts: Any) -> Entry:
    key = f"video-{day:05d}"
    return Entry(key, f"https://www.youtube.com/watch?v={key}", key, published_at=FIRST_DAY + timedelta(day - 1), **facts)


def test_channel_is_listed_in_full_first_then_polled_by_feed(channel: Channel, database: Database) -> None:
    [looked] = poll_sources([CHANNEL], database)
    assert looked.listing_key
    assert asked_for(database) == []
    [same] = poll_sources([CHANNEL], database)
    assert same.listing_key == looked.listing_key
    assert list_fully(CHANNEL, database).new == 3
    channel.uploads.insert(0, upload(4))
    [later] = poll_sources([CHANNEL], database)
    assert (later.new, later.requested, later.listing_key) == (1, 1, "")
    assert asked_for(database) == ["video-00003", "video-00002", "video-00001", "video-00004"]
    assert channel.whole == 1


def test_feed_with_only_unknown_videos_triggers_full_listing(channel: Channel, database: Database) -> None:
    list_fully(CHANNEL, database)
    channel.uploads = [upload(day) for day in range(9, 0, -1)]
    [looked] = poll_sources([CHANNEL], database)
    assert looked.listing_key
    assert looked.requested == 0
    list_fully(CHANNEL, database)
    assert sorted(asked_for(database)) == [f"video-{day:05d}" for day in range(1, 10)]
    assert [one.listing_key for one in poll_sources([CHANNEL], database)] == [""]


def test_undated_upload_has_its_page_fetched_before_since_applies(channel: Channel, database: Database) -> None:
    channel.pages = {entry.video_id: entry for entry in channel.uploads}
    list_fully(replace(CHANNEL, since=date(2026, 1, 2)), database)
    assert asked_for(database) == ["video-00003", "video-00002"]
    assert channel.asked == ["video-00003", "video-00002", "video-00001"]
    assert [video.published_at for video in list_videos(database)] == [FIRST_DAY + timedelta(days) for days in (2, 1)]


@pytest.mark.usefixtures("channel")
def test_blocking_page_pauses_source_and_keeps_decisions(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def examine(entry: Entry, _: Source) -> Entry:
        if entry.video_id == "video-00002":
            raise Blocked("Sign in to confirm you're not a bot.", pause_s=600.0)
        return upload(int(entry.video_id[-5:]))

    monkeypatch.setattr(polling, "fetch_details", examine)
    source = replace(CHANNEL, since=date(2026, 1, 1))
    with pytest.raises(Blocked):
        list_fully(source, database)
    assert asked_for(database) == ["video-00003"]
    assert poll_sources([source], database) == []
    with pytest.raises(SourceBlocked, match="paused until"):
        list_fully(source, database)
    database.query("UPDATE sources SET paused_until = now() - interval '1 second'")
    monkeypatch.setattr(polling, "fetch_details", lambda entry, _: upload(int(entry.video_id[-5:])))
    poll_sources([source], database)
    assert asked_for(database) == ["video-00003", "video-00002", "video-00001"]


def test_open_entries_are_decided_by_later_ticks_before_next_poll(
    channel: Channel, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "MAX_FETCHES_PER_TICK", 1)
    source = replace(CHANNEL, every_s=3600.0, since=date(2026, 1, 1))
    channel.pages = {entry.video_id: entry for entry in channel.uploads}
    channel.uploads = [replace(entry, published_at=None) for entry in channel.uploads]
    channel.newest = 3
    database.query("INSERT INTO sources (source, fully_listed) VALUES (%s, true)", [source.address])
    monkeypatch.setattr(polling, "_has_gap", lambda *_: False)
    ticks = [[one.requested for one in poll_sources([source], database)] for _ in range(4)]
    assert ticks == [[1], [1], [1], []]


def test_an_announced_video_waits_for_its_start_in_its_one_row(channel: Channel, database: Database) -> None:
    starts = datetime.now(UTC) + timedelta(days=1)
    channel.uploads = [upload(9, live=Live.UPCOMING, starts_at=starts), upload(1)]
    list_fully(CHANNEL, database)
    assert asked_for(database) == ["video-00001"]
    announced = get_video(database, "video-00009")
    assert announced is not None
    assert announced.state == "live_or_upcoming"
    assert announced.retry_at is not None
    assert timedelta(0) < announced.retry_at - starts < timedelta(hours=1)
    channel.uploads = [upload(9, live=Live.WAS_LIVE), upload(1)]
    poll_sources([CHANNEL], database)
    assert len(list_videos(database)) == 2


def test_upcoming_live_and_archived_broadcast_is_one_video(channel: Channel, database: Database) -> None:
    starts = datetime.now(UTC) + timedelta(days=1)
    states = []
    for live in (Live.UPCOMING, Live.ON_AIR, Live.WAS_LIVE):
        channel.uploads = [upload(9, live=live, starts_at=starts if live is Live.UPCOMING else None)]
        list_fully(CHANNEL, database)
        if live is Live.ON_AIR:  # its start has passed, and the sensor's run finds it on air
            record_failure(database, "video-00009", LiveOrUpcoming("It is on air."))
        [video] = list_videos(database)
        states.append((video.state, video.retry_at is not None))
    assert states == [("live_or_upcoming", True)] * 3
    database.query("UPDATE videos SET retry_at = now() - interval '1 second'")
    assert request_retries(database, "retries") == 1
    assert [video.state for video in list_videos(database)] == ["live_or_upcoming"]
    assert asked_for(database) == ["video-00009"]


def test_an_unlisted_video_that_was_named_is_wanted_like_any_other(channel: Channel, database: Database) -> None:
    channel.uploads = [upload(1, members_only=False)]
    list_fully(replace(CHANNEL, kind=Kind.URL, address=channel.uploads[0].url), database)
    assert asked_for(database) == ["video-00001"]
