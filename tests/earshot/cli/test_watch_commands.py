"""`earshot ingest`, `retry`, `videos` and `sources` with watched sources: the command line itself, in this process.

Media is answered with 404 or never asked for, so that no model is loaded.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from earshot.cli import main
from earshot.cli.operation.ingest import describe_speakers
from earshot.common.errors import InvalidMedia, LiveOrUpcoming, Removed
from earshot.sources.polling import poll_sources
from earshot.storage.catalog.source_states import pause, states_of
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.videos import Video, get_video, list_videos, record_failure, register
from earshot.storage.catalog.watched_sources import watched_sources
from earshot.storage.database import Database
from ingest_assets.partitions import videos
from ingest_assets.stages.versions import expected_versions
from resources.instance.home import open_instance
from tests.support.http_server import Answer, Site, too_many
from tests.support.library import run_stage

FIRST_DAY = datetime(2026, 1, 1, 9, tzinfo=UTC)
SECRET = "s3cr3t-t0ken-0123456789"


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def outcomes(self) -> list[dict[str, Any]]:
        return json.loads(self.out)["outcomes"]


Earshot = Callable[..., Ended]


@pytest.fixture
def earshot(database: Database, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Earshot:
    """The console script, with a sources.yaml of its own."""
    assert database
    (tmp_path / "sources.yaml").write_text("")
    monkeypatch.setenv("EARSHOT_SOURCES", str(tmp_path / "sources.yaml"))

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["earshot", *arguments])
        capfd.readouterr()
        code: Any = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        printed = capfd.readouterr()
        return Ended(code, printed.out, printed.err)

    return run


def watch(folder: Path, *entries: str) -> None:
    (folder / "sources.yaml").write_text("sources:\n" + "".join(f"  - {entry}\n" for entry in entries))


def feed(site: Site, *names: str, path: str = "/feed.xml") -> str:
    """A feed of these episodes at this path; `e3` was published on the third day, `undated` nobody knows when. Its URL."""
    items = "".join(
        f'<item><guid isPermaLink="false">{name}</guid><title>{name}</title>{_dated(name)}'
        f'<enclosure url="{site.url}/{name}.mp3" type="audio/mpeg" length="1"/></item>'
        for name in names
    )
    return site.put(path, Answer(f'<rss version="2.0"><channel><title>Feed</title>{items}</channel></rss>'.encode()))


def _dated(name: str) -> str:
    if not name[1:].isdigit():
        return ""
    return f"<pubDate>{FIRST_DAY + timedelta(int(name[1:]) - 1):%a, %d %b %Y %H:%M:%S} GMT</pubDate>"


def ids(database: Database) -> dict[str, str]:
    """The keys of the videos in the catalogue, by title."""
    return {video.title: video.video_id for video in list_videos(database)}


def everything(database: Database) -> dict[str, Any]:
    """Every row of every table, and every partition."""
    tables = database.query(
        "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
    )
    names = sorted(row["name"] for row in tables)
    rows = {name: database.query(f'SELECT to_jsonb(t) AS row FROM "{name}" t ORDER BY t::text') for name in names}  # noqa: S608
    return {**rows, "partitions": sorted(open_instance().get_dynamic_partitions(str(videos.name)))}


# --- ingest: what sources.yaml names -------------------------------------------------------------------------------------


def test_ingest_without_a_source_takes_those_of_sources_yaml(earshot: Earshot, site: Site, tmp_path: Path) -> None:
    feed(site, "e1", path="/a.xml")
    feed(site, "e4", "e5", path="/b.xml")
    watch(tmp_path, f"{{feed: '{site.url}/a.xml', name: first}}", f"{{feed: '{site.url}/b.xml', name: second, limit: 1}}")
    ended = earshot("ingest", "--dry-run", "--json")
    assert ended.code == 0
    assert [(one["source"], one["title"], one["result"]) for one in ended.outcomes] == [
        ("first", "e1", "planned"),
        ("second", "e4", "left_out"),
        ("second", "e5", "planned"),
    ]


def test_ingest_with_an_empty_sources_yaml_says_what_to_do(earshot: Earshot, tmp_path: Path) -> None:
    ended = earshot("ingest")
    assert ended.code == 2
    assert f"Name a SOURCE, or add some to {tmp_path / 'sources.yaml'}" in " ".join(ended.err.split())
    assert ended.out == ""


def test_a_sources_yaml_with_an_error_is_told_with_its_line_and_nothing_is_done(
    earshot: Earshot, site: Site, tmp_path: Path
) -> None:
    watch(tmp_path, f"feed: {feed(site, 'e1')}\n    limit: none")
    for command in (["ingest"], ["ingest", "--dry-run"], ["sources"]):
        ended = earshot(*command)
        assert ended.code == 2
        assert "line 3: limit is 'none'. Allowed: a whole number" in ended.err
    assert site.asked == []


def test_a_source_that_is_typed_has_its_options_of_sources_yaml_and_options_typed_go_first(
    earshot: Earshot, site: Site, tmp_path: Path
) -> None:
    url = feed(site, "e3", "e2", "e1")
    watch(tmp_path, f"{{feed: '{url}', name: mine, limit: 1}}")
    listed = earshot("ingest", url, "--dry-run", "--json").outcomes
    assert [(one["source"], one["result"]) for one in listed] == [
        ("mine", "left_out"),
        ("mine", "left_out"),
        ("mine", "planned"),
    ]
    more = earshot("ingest", url, "--dry-run", "--json", "--limit", "2").outcomes
    assert [one["title"] for one in more if one["result"] == "planned"] == ["e3", "e2"]


def test_a_source_that_fails_is_told_and_the_others_go_on(earshot: Earshot, site: Site, tmp_path: Path) -> None:
    site.put("/bad.xml", Answer(status=500))
    feed(site, "e1")
    watch(tmp_path, f"{{feed: '{site.url}/bad.xml', name: bad}}", f"{{feed: '{site.url}/feed.xml', name: good}}")
    ended = earshot("ingest", "--dry-run")
    assert ended.code == 1
    assert "✗ bad: the site answers 500" in ended.err
    assert "· e1 (" in ended.err
    assert ended.out == "1 to do, 1 failed.\n"


@pytest.mark.parametrize(("names", "line"), [(["e1", "e2"], "= 2 videos: up to date"), (["e1"], "= e1 (")])
def test_current_videos_share_one_line(
    earshot: Earshot, site: Site, database: Database, tmp_path: Path, names: list[str], line: str
) -> None:
    watch(tmp_path, f"feed: {feed(site, *names)}")
    poll_sources(watched_sources(), database)
    for video_id in ids(database).values():
        for stage in STAGES:
            run_stage(database, video_id, stage, expected_versions()[stage], f"{stage} of {video_id}")
    ended = earshot("ingest")
    assert ended.out == f"{len(names)} up to date.\n"
    [said] = [said for said in ended.err.splitlines() if said]
    assert said.startswith(line)


def test_counts_of_speakers_are_in_the_right_number() -> None:
    counts = {"by_correction": 1.0, "by_profile": 0.0, "voices": 1.0, "recurring_voices": 0.0, "unknown": 2.0}
    assert describe_speakers(counts) == (
        "The library has 1 appearance of named people, 1 anonymous voice (0 in several videos), 2 unidentified speakers."
    )


# --- ingest: what is left out, and why -----------------------------------------------------------------------------------


def test_a_dry_run_says_why_each_video_is_left_out(earshot: Earshot, site: Site, tmp_path: Path) -> None:
    url = feed(site, "e5", "e4", "undated", "e2", "e1")
    site.put("/undated.mp3", Answer(b"ID3" + bytes(1000), headers={"Content-Type": "audio/mpeg"}))
    watch(tmp_path, f"feed: {url}")
    ended = earshot("ingest", "--dry-run", "--since", "2026-01-02", "--limit", "2")
    lines = {line.split(" (")[0]: line.partition("): ")[2] for line in ended.err.splitlines() if line}
    assert lines == {
        "· e5": "would run all stages",
        "· e4": "would run all stages",
        **dict.fromkeys(("- undated", "- e2", "- e1"), "left out (beyond the limit of 2)"),
    }
    assert ended.out == "2 to do, 3 left out.\n"
    assert ended.code == 0
    since = earshot("ingest", "--dry-run", "--since", "2026-01-05", "--json").outcomes
    assert {one["title"]: one["reason"] for one in since} == {
        "e5": None,
        "e4": "uploaded 2026-01-04, before 2026-01-05",
        "e2": "uploaded 2026-01-02, before 2026-01-05",
        "e1": "uploaded 2026-01-01, before 2026-01-05",
        "undated": "unknown upload date",
    }


def test_a_dry_run_changes_nothing(earshot: Earshot, site: Site, database: Database, tmp_path: Path) -> None:
    known = feed(site, "e2", "e1", path="/known.xml")
    watch(tmp_path, f"feed: {known}")
    poll_sources(watched_sources(), database)
    record_failure(database, ids(database)["e1"], Removed("gone"))
    fresh = feed(site, "undated", "e9")
    before = everything(database)
    for arguments in ([known], [known, "--force"], [fresh], [fresh, "--since", "2026-01-01", "--limit", "1"], []):
        earshot("ingest", "--dry-run", *arguments)
    assert everything(database) == before


def test_what_is_left_out_is_not_registered_and_only_counted_when_it_is_no_dry_run(
    earshot: Earshot, site: Site, database: Database
) -> None:
    ended = earshot("ingest", feed(site, "e3", "e2", "e1"), "--limit", "1")
    assert ended.code == 1
    assert list(ids(database)) == ["e3"]
    assert ended.out == "2 left out, 1 failed.\n"
    assert "e2" not in ended.err


def test_a_date_that_is_none_and_a_limit_of_nothing_are_refused(earshot: Earshot) -> None:
    for arguments in (["--since", "yesterday"], ["--since", "2026-02-30"], ["--limit", "0"]):
        ended = earshot("ingest", "anything", *arguments)
        assert ended.code == 2
        assert f"Invalid value for '{arguments[0]}'" in ended.err


# --- what is in a permanent state ----------------------------------------------------------------------------------------


def tries(site: Site, path: str) -> int:
    return len(site.asked_for(path))


@pytest.fixture
def gone(earshot: Earshot, site: Site, database: Database) -> tuple[str, str]:
    """A feed of two episodes whose media is gone, both tried once; its URL, and the key of `e1`."""
    url = feed(site, "e2", "e1")
    register(database, [Video("other", f"{site.url}/other.mp3", f"{site.url}/other.xml", "other")])
    ended = earshot("ingest", url, "--json")
    assert [(one["state"], one["result"]) for one in ended.outcomes] == [("removed", "failed")] * 2
    return url, ids(database)["e1"]


def test_a_video_that_is_gone_is_left_out_of_its_feed_which_says_how_to_try_it_again(
    earshot: Earshot, site: Site, gone: tuple[str, str]
) -> None:
    url, video_id = gone
    asked = tries(site, "/e1.mp3")
    for _ in range(2):
        ended = earshot("ingest", url, "--dry-run")
        assert f"- e1 ({video_id}): left out (removed; `earshot retry {video_id}` tries it again)" in ended.err
        assert ended.code == 0
    assert earshot("ingest", url).out == "2 left out.\n"
    assert tries(site, "/e1.mp3") == asked


def test_a_video_that_is_gone_is_tried_again_by_its_name(
    earshot: Earshot, site: Site, database: Database, gone: tuple[str, str]
) -> None:
    _, video_id = gone
    before, others = tries(site, "/e1.mp3"), tries(site, "/e2.mp3")
    ended = earshot("retry", video_id, "--json")
    assert ended.code == 1
    assert [(one["video_id"], one["state"], one["result"]) for one in ended.outcomes] == [(video_id, "removed", "failed")]
    assert "404" in ended.outcomes[0]["error"]
    assert tries(site, "/e1.mp3") > before
    assert tries(site, "/e2.mp3") == others
    assert get_video(database, video_id).attempts == 1  # pyright: ignore[reportOptionalMemberAccess]


def test_all_that_are_gone_are_tried_again_by_their_state_and_no_others(
    earshot: Earshot, site: Site, gone: tuple[str, str]
) -> None:
    url, _ = gone
    before = {path: tries(site, path) for path in ("/e1.mp3", "/e2.mp3")}
    ended = earshot("retry", "--state", "removed", "--json")
    assert sorted(one["title"] for one in ended.outcomes) == ["e1", "e2"]
    assert {one["source"] for one in ended.outcomes} == {url}
    assert all(tries(site, path) > count for path, count in before.items())
    assert tries(site, "/other.mp3") == 0


def test_all_that_are_gone_are_tried_again_by_force(earshot: Earshot, site: Site, gone: tuple[str, str]) -> None:
    url, _ = gone
    before = tries(site, "/e1.mp3")
    ended = earshot("ingest", url, "--force", "--json")
    assert [one["result"] for one in ended.outcomes] == ["failed", "failed"]
    assert tries(site, "/e1.mp3") > before


def test_a_video_that_is_gone_is_tried_again_when_it_is_all_that_was_named(
    earshot: Earshot, site: Site, database: Database
) -> None:
    json_ld = f'{{"@context": "https://schema.org", "@type": "VideoObject", "contentUrl": "{site.url}/talk.mp4"}}'
    page = f'<!doctype html><html><head><script type="application/ld+json">{json_ld}</script></head></html>'
    url = site.put("/talk.html", Answer(page.encode(), headers={"Content-Type": "text/html"}))
    counts = []
    for _ in range(2):
        [outcome] = earshot("ingest", url, "--json").outcomes
        assert (outcome["result"], outcome["state"]) == ("failed", "removed")
        counts.append(tries(site, "/talk.mp4"))
    assert counts[0] < counts[1]
    assert len(list_videos(database)) == 1


# --- retry ---------------------------------------------------------------------------------------------------------------


def test_retry_wants_videos_or_a_state_and_not_both(earshot: Earshot) -> None:
    for arguments in ([], ["--json"], ["a-video", "--state", "failed"]):
        ended = earshot("retry", *arguments)
        assert (ended.code, ended.out) == (2, "")
        assert "Name VIDEOs or a --state; `earshot videos` lists them." in ended.err


def test_retry_of_a_video_that_nobody_knows_is_told_and_tries_nothing(earshot: Earshot, site: Site, database: Database) -> None:
    register(database, [Video("known", f"{site.url}/known.mp3", f"{site.url}/known.mp3", "Known", state="removed")])
    ended = earshot("retry", "known", "nobody")
    assert (ended.code, ended.err) == (1, "Error: There is no video 'nobody'. `earshot videos` lists the videos.\n")
    assert site.asked == []


def test_retry_of_a_state_that_is_none_or_that_needs_no_retry_is_refused(earshot: Earshot) -> None:
    for state in ("gone", "ready"):
        ended = earshot("retry", "--state", state)
        assert ended.code == 2
        assert f"'{state}' is not one of" in ended.err


def test_retry_of_a_state_that_no_video_is_in_does_nothing(earshot: Earshot) -> None:
    ended = earshot("retry", "--state", "private")
    assert (ended.code, ended.out) == (0, "Nothing to do.\n")


def test_retry_asks_a_source_that_was_left_alone_and_which_blocks_again(
    earshot: Earshot, site: Site, database: Database
) -> None:
    source = site.put("/busy.mp3", too_many("3600"))
    register(database, [Video("v1", source, source, "Busy")])
    pause(database, source, "429", 86_400.0)
    ended = earshot("retry", "v1", "--json")
    assert ended.code == 1
    assert "429" in ended.outcomes[0]["error"]
    video, [state] = get_video(database, "v1"), states_of(database, [source])
    assert video is not None
    assert (video.state, video.attempts, video.retry_at) == ("new", 0, state.paused_until)
    assert state.blocks == 1


# --- videos --------------------------------------------------------------------------------------------------------------


def test_videos_are_listed_by_their_state_with_their_next_try(earshot: Earshot, database: Database) -> None:
    register(database, [Video(key, f"https://x/{key}", "https://x", f"Title {key}") for key in ("one", "two", "three")])
    record_failure(database, "two", Removed("It is gone."))
    record_failure(database, "three", LiveOrUpcoming("Premieres in 2 hours.", starts_in_s=7200.0))
    assert {video["video_id"]: video["state"] for video in json.loads(earshot("videos", "--json").out)} == {
        "one": "new",
        "two": "removed",
        "three": "live_or_upcoming",
    }
    [removed] = json.loads(earshot("videos", "--state", "removed", "--json").out)
    assert (removed["video_id"], removed["last_error"], removed["retry_at"]) == ("two", "It is gone.", None)
    [upcoming] = json.loads(earshot("videos", "--state", "live_or_upcoming", "--json").out)
    told = datetime.fromisoformat(upcoming["retry_at"])
    table = earshot("videos", "--state", "live_or_upcoming").out
    assert f"{told:%Y-%m-%d %H:%M}" in table
    assert "Premieres in 2 hours." in table
    assert "Title one" not in table
    assert earshot("videos", "--state", "private").out == "No video is private.\n"
    assert json.loads(earshot("videos", "--state", "private", "--json").out) == []
    assert earshot("videos", "--state", "lost").code == 2


# --- sources -------------------------------------------------------------------------------------------------------------


def test_sources_tells_how_it_stands_with_each(earshot: Earshot, site: Site, database: Database, tmp_path: Path) -> None:
    feed(site, "e2", "e1", path="/good.xml")
    site.put("/bad.xml", Answer(status=500))
    site.put("/busy.xml", too_many("7200"))
    watch(
        tmp_path,
        f"{{feed: '{site.url}/good.xml', name: good, limit: 1}}",
        f"{{feed: '{site.url}/bad.xml', name: bad}}",
        f"{{feed: '{site.url}/busy.xml', name: busy}}",
        f"{{folder: '{tmp_path}', name: never}}",
    )
    poll_sources([source for source in watched_sources() if source.name != "never"], database)
    database.query("UPDATE videos SET state = 'ready'")
    good, bad, busy, never = json.loads(earshot("sources", "--json").out)
    assert (good["source"], good["kind"], good["state"]) == ("good", "feed", "ok")
    assert (good["listed"], good["wanted"], good["ready"]) == (2, 1, 1)
    assert bad["state"].startswith("failed ")
    assert "bad: the site answers 500" in bad["state"]
    assert busy["state"].startswith("paused until 20")
    assert "429" in busy["state"]
    assert (good["failed"], good["unavailable"]) == (0, 0)
    assert (never["kind"], never["state"], never["looked_at"]) == ("folder", "not polled yet; `earshot up` polls it", None)
    assert (never["listed"], never["wanted"], never["ready"]) == (0, 0, 0)
    assert all(row["looked_at"] for row in (good, bad))
    table = earshot("sources").out
    assert [line.split()[0] for line in table.splitlines() if line[:1].strip()] == ["source", "good", "bad", "busy", "never"]
    assert "UTC" in table


def test_sources_counts_failed_and_unavailable_videos(earshot: Earshot, site: Site, database: Database, tmp_path: Path) -> None:
    watch(tmp_path, f"feed: {feed(site, 'e4', 'e3', 'e2', 'e1')}")
    poll_sources(watched_sources(), database)
    for title, error in {"e1": InvalidMedia("cut off"), "e2": Removed("gone"), "e3": Removed("gone")}.items():
        record_failure(database, ids(database)[title], error)
    [row] = json.loads(earshot("sources", "--json").out)
    assert (row["wanted"], row["ready"], row["failed"], row["unavailable"]) == (4, 0, 1, 2)


def test_a_channel_whose_feed_was_read_but_not_its_past_says_so(earshot: Earshot, database: Database, tmp_path: Path) -> None:
    watch(tmp_path, "channel: https://www.youtube.com/channel/UC_x5XG1OV2P6uZZ5FSM9Ttw")
    [source] = watched_sources()
    database.query("INSERT INTO sources (source, looked_at) VALUES (%s, now())", [source.address])
    [row] = json.loads(earshot("sources", "--json").out)
    assert (row["kind"], row["state"]) == ("channel", "full listing pending")


def test_sources_without_any_says_where_to_write_them(earshot: Earshot, tmp_path: Path) -> None:
    ended = earshot("sources")
    assert ended.code == 0
    assert ended.out.startswith(f"No sources are watched. Add some to {tmp_path / 'sources.yaml'}")
    assert json.loads(earshot("sources", "--json").out) == []


def test_what_may_be_secret_in_an_address_is_not_printed(earshot: Earshot, site: Site, tmp_path: Path) -> None:
    url = feed(site, "e1") + f"?token={SECRET}"
    watch(tmp_path, f"feed: {url}")
    printed = [earshot("sources"), earshot("sources", "--json"), earshot("ingest", "--dry-run", "--json"), earshot("ingest")]
    assert all(SECRET not in ended.out + ended.err for ended in printed)
    assert all(site.url in ended.out for ended in printed[:3])
    assert len(site.asked_for(f"/feed.xml?token={SECRET}")) == 2
