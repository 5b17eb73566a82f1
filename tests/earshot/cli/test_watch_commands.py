"""`earshot ingest`, `retry`, `videos` and `sources` with watched sources: the command line itself, in this process.

Media is answered with 404 or never requested, so that no model is loaded.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from earshot.cli.operation.ingest import describe_speakers
from earshot.common.errors import InvalidMedia, LiveOrUpcoming, Removed
from earshot.sources.polling import poll_sources
from earshot.storage.catalog.source_states import pause, states_of
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.videos import Video, list_videos, record_failure, register
from earshot.storage.catalog.watched_sources import watched_sources
from earshot.storage.database import Database
from ingest_assets.partitions import videos
from ingest_assets.stages.versions import expected_versions
from resources.instance.home import open_instance
from tests.earshot.cli.conftest import Earshot
from tests.support import feeds
from tests.support.http_server import Answer, Site, too_many
from tests.support.library import run_stage, stored_video

SECRET = "s3cr3t-t0ken-0123456789"


@pytest.fixture(autouse=True)
def sources_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sources.yaml without sources."""
    (tmp_path / "sources.yaml").write_text("")
    monkeypatch.setenv("EARSHOT_SOURCES", str(tmp_path / "sources.yaml"))


def watch(folder: Path, *entries: str) -> None:
    (folder / "sources.yaml").write_text("sources:\n" + "".join(f"  - {entry}\n" for entry in entries))


def feed(site: Site, *names: str, path: str = "/feed.xml") -> str:
    """A feed of these episodes at this path of the site; returns its URL."""
    return site.put(path, Answer(feeds.feed(*names, media=site.url)))


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


# --- ingest: sources.yaml ------------------------------------------------------------------------------------------------


def test_ingest_uses_sources_file_by_default(earshot: Earshot, site: Site, tmp_path: Path) -> None:
    feed(site, "e1", path="/a.xml")
    feed(site, "e4", "e5", path="/b.xml")
    watch(tmp_path, f"{{feed: '{site.url}/a.xml', name: first}}", f"{{feed: '{site.url}/b.xml', name: second, limit: 1}}")
    ended = earshot("ingest", "--dry-run", "--json")
    assert ended.code == 0
    assert [(outcome["source"], outcome["title"], outcome["result"]) for outcome in ended.outcomes] == [
        ("first", "e1", "planned"),
        ("second", "e4", "left_out"),
        ("second", "e5", "planned"),
    ]


def test_ingest_without_any_source_is_usage_error(earshot: Earshot, tmp_path: Path) -> None:
    ended = earshot("ingest")
    assert (ended.code, ended.out) == (2, "")
    assert str(tmp_path / "sources.yaml") in "".join(ended.err.split())


def test_invalid_sources_file_stops_every_command(earshot: Earshot, site: Site, tmp_path: Path) -> None:
    watch(tmp_path, f"feed: {feed(site, 'e1')}\n    limit: none")
    for command in (["ingest"], ["ingest", "--dry-run"], ["sources"]):
        ended = earshot(*command)
        assert ended.code == 2
        assert "line 3: limit is 'none'." in ended.err
    assert site.asked == []


def test_typed_options_override_sources_file(earshot: Earshot, site: Site, tmp_path: Path) -> None:
    url = feed(site, "e3", "e2", "e1")
    watch(tmp_path, f"{{feed: '{url}', name: mine, limit: 1}}")
    listed = earshot("ingest", url, "--dry-run", "--json").outcomes
    assert [(outcome["source"], outcome["result"]) for outcome in listed] == [
        ("mine", "left_out"),
        ("mine", "left_out"),
        ("mine", "planned"),
    ]
    more = earshot("ingest", url, "--dry-run", "--json", "--limit", "2").outcomes
    assert [outcome["title"] for outcome in more if outcome["result"] == "planned"] == ["e3", "e2"]


def test_failing_source_does_not_stop_others(earshot: Earshot, site: Site, tmp_path: Path) -> None:
    site.put("/bad.xml", Answer(status=500))
    feed(site, "e1")
    watch(tmp_path, f"{{feed: '{site.url}/bad.xml', name: bad}}", f"{{feed: '{site.url}/feed.xml', name: good}}")
    ended = earshot("ingest", "--dry-run")
    assert (ended.code, ended.out) == (1, "1 to do, 1 failed.\n")
    assert "✗ bad: " in ended.err
    assert "· e1 (" in ended.err


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
    [printed] = [printed for printed in ended.err.splitlines() if printed]
    assert printed.startswith(line)


def test_speaker_counts_are_singular_or_plural() -> None:
    counts = {"by_correction": 1.0, "by_profile": 0.0, "voices": 1.0, "recurring_voices": 0.0, "unknown": 2.0}
    assert describe_speakers(counts) == (
        "The library has 1 appearance of named people, 1 anonymous voice (0 in several videos), 2 unidentified speakers."
    )


# --- ingest: videos left out ---------------------------------------------------------------------------------------------


def test_dry_run_says_why_each_video_is_left_out(earshot: Earshot, site: Site, tmp_path: Path) -> None:
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
    assert (ended.code, ended.out) == (0, "2 to do, 3 left out.\n")
    since = earshot("ingest", "--dry-run", "--since", "2026-01-05", "--json").outcomes
    assert {outcome["title"]: outcome["reason"] for outcome in since} == {
        "e5": None,
        "e4": "uploaded 2026-01-04, before 2026-01-05",
        "e2": "uploaded 2026-01-02, before 2026-01-05",
        "e1": "uploaded 2026-01-01, before 2026-01-05",
        "undated": "unknown upload date",
    }


def test_dry_run_changes_nothing(earshot: Earshot, site: Site, database: Database, tmp_path: Path) -> None:
    known = feed(site, "e2", "e1", path="/known.xml")
    watch(tmp_path, f"feed: {known}")
    poll_sources(watched_sources(), database)
    record_failure(database, ids(database)["e1"], Removed("gone"))
    fresh = feed(site, "undated", "e9")
    before = everything(database)
    for arguments in ([known], [known, "--force"], [fresh], [fresh, "--since", "2026-01-01", "--limit", "1"], []):
        earshot("ingest", "--dry-run", *arguments)
    assert everything(database) == before


def test_left_out_videos_are_counted_not_registered(earshot: Earshot, site: Site, database: Database) -> None:
    ended = earshot("ingest", feed(site, "e3", "e2", "e1"), "--limit", "1")
    assert (ended.code, ended.out) == (1, "2 left out, 1 failed.\n")
    assert list(ids(database)) == ["e3"]
    assert "e2" not in ended.err


# --- removed videos ------------------------------------------------------------------------------------------------------


def tries(site: Site, path: str) -> int:
    return len(site.asked_for(path))


@pytest.fixture
def gone(earshot: Earshot, site: Site, database: Database) -> tuple[str, str]:
    """A feed of two episodes whose media is gone, both tried once; its URL, and the key of `e1`."""
    url = feed(site, "e2", "e1")
    register(database, [Video("other", f"{site.url}/other.mp3", f"{site.url}/other.xml", "other")])
    ended = earshot("ingest", url, "--json")
    assert [(outcome["state"], outcome["result"]) for outcome in ended.outcomes] == [("removed", "failed")] * 2
    return url, ids(database)["e1"]


def test_removed_video_is_left_out_with_retry_command(earshot: Earshot, site: Site, gone: tuple[str, str]) -> None:
    url, video_id = gone
    before = tries(site, "/e1.mp3")
    for _ in range(2):
        ended = earshot("ingest", url, "--dry-run")
        assert f"`earshot retry {video_id}`" in ended.err
        assert ended.code == 0
    assert earshot("ingest", url).out == "2 left out.\n"
    assert tries(site, "/e1.mp3") == before


def test_retry_by_key_tries_that_video_only(earshot: Earshot, site: Site, database: Database, gone: tuple[str, str]) -> None:
    _, video_id = gone
    before, others = tries(site, "/e1.mp3"), tries(site, "/e2.mp3")
    ended = earshot("retry", video_id, "--json")
    assert ended.code == 1
    assert [(outcome["video_id"], outcome["state"], outcome["result"]) for outcome in ended.outcomes] == [
        (video_id, "removed", "failed")
    ]
    assert "404" in ended.outcomes[0]["error"]
    assert tries(site, "/e1.mp3") > before
    assert tries(site, "/e2.mp3") == others
    assert stored_video(database, video_id).attempts == 1


def test_retry_by_state_tries_all_in_it(earshot: Earshot, site: Site, gone: tuple[str, str]) -> None:
    url, _ = gone
    before = {path: tries(site, path) for path in ("/e1.mp3", "/e2.mp3")}
    ended = earshot("retry", "--state", "removed", "--json")
    assert sorted(outcome["title"] for outcome in ended.outcomes) == ["e1", "e2"]
    assert {outcome["source"] for outcome in ended.outcomes} == {url}
    assert all(tries(site, path) > count for path, count in before.items())
    assert tries(site, "/other.mp3") == 0


def test_force_retries_removed_videos(earshot: Earshot, site: Site, gone: tuple[str, str]) -> None:
    url, _ = gone
    before = tries(site, "/e1.mp3")
    ended = earshot("ingest", url, "--force", "--json")
    assert [outcome["result"] for outcome in ended.outcomes] == ["failed", "failed"]
    assert tries(site, "/e1.mp3") > before


def test_naming_a_removed_video_retries_it(earshot: Earshot, site: Site, database: Database) -> None:
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("retry", "VIDEOs or a --state"),
        ("retry --json", "VIDEOs or a --state"),
        ("retry a-video --state failed", "VIDEOs or a --state"),
        ("retry --state gone", "'gone' is not one of"),
        ("retry --state ready", "'ready' is not one of"),
        ("videos --state lost", "'lost' is not one of"),
        ("ingest anything --since yesterday", "'--since'"),
        ("ingest anything --since 2026-02-30", "'--since'"),
        ("ingest anything --limit 0", "'--limit'"),
    ],
)
def test_wrong_arguments_are_usage_errors(earshot: Earshot, arguments: str, message: str) -> None:
    ended = earshot(*arguments.split())
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err


def test_retry_of_unknown_video_tries_nothing(earshot: Earshot, site: Site, database: Database) -> None:
    register(database, [Video("known", f"{site.url}/known.mp3", f"{site.url}/known.mp3", "Known", state="removed")])
    ended = earshot("retry", "known", "unknown")
    assert (ended.code, ended.err) == (1, "Error: There is no video 'unknown'. `earshot videos` lists the videos.\n")
    assert site.asked == []


def test_retry_of_empty_state_does_nothing(earshot: Earshot) -> None:
    ended = earshot("retry", "--state", "private")
    assert (ended.code, ended.out) == (0, "Nothing to do.\n")


def test_retry_ignores_pause_of_source(earshot: Earshot, site: Site, database: Database) -> None:
    source = site.put("/busy.mp3", too_many("3600"))
    register(database, [Video("v1", source, source, "Busy")])
    pause(database, source, "429", 86_400.0)
    ended = earshot("retry", "v1", "--json")
    assert ended.code == 1
    assert "429" in ended.outcomes[0]["error"]
    video, [state] = stored_video(database, "v1"), states_of(database, [source])
    assert (video.state, video.attempts, video.retry_at) == ("new", 0, state.paused_until)
    assert state.blocks == 1


# --- videos --------------------------------------------------------------------------------------------------------------


def test_videos_are_listed_by_state_with_next_try(earshot: Earshot, database: Database) -> None:
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
    next_try = datetime.fromisoformat(upcoming["retry_at"])
    table = earshot("videos", "--state", "live_or_upcoming").out
    assert f"{next_try:%Y-%m-%d %H:%M}" in table
    assert "Premieres in 2 hours." in table
    assert "Title one" not in table
    assert earshot("videos", "--state", "private").out == "No video is private.\n"
    assert json.loads(earshot("videos", "--state", "private", "--json").out) == []


# --- sources -------------------------------------------------------------------------------------------------------------


def test_sources_shows_state_of_each(earshot: Earshot, site: Site, database: Database, tmp_path: Path) -> None:
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
    assert [good[count] for count in ("listed", "wanted", "ready", "failed", "unavailable")] == [2, 1, 1, 0, 0]
    assert bad["state"].startswith("failed ")
    assert busy["state"].startswith("paused until 20")
    assert (never["kind"], never["state"], never["looked_at"]) == ("folder", "not polled yet; `earshot up` polls it", None)
    assert (never["listed"], never["wanted"], never["ready"]) == (0, 0, 0)
    assert all(row["looked_at"] for row in (good, bad))
    assert "UTC" in earshot("sources").out


def test_sources_counts_failed_and_unavailable_videos(earshot: Earshot, site: Site, database: Database, tmp_path: Path) -> None:
    watch(tmp_path, f"feed: {feed(site, 'e4', 'e3', 'e2', 'e1')}")
    poll_sources(watched_sources(), database)
    for title, error in {"e1": InvalidMedia("cut off"), "e2": Removed("gone"), "e3": Removed("gone")}.items():
        record_failure(database, ids(database)[title], error)
    [row] = json.loads(earshot("sources", "--json").out)
    assert (row["wanted"], row["ready"], row["failed"], row["unavailable"]) == (4, 0, 1, 2)


def test_channel_without_full_listing_is_pending(earshot: Earshot, database: Database, tmp_path: Path) -> None:
    watch(tmp_path, "channel: https://www.youtube.com/channel/UC_x5XG1OV2P6uZZ5FSM9Ttw")
    [source] = watched_sources()
    database.query("INSERT INTO sources (source, looked_at) VALUES (%s, now())", [source.address])
    [row] = json.loads(earshot("sources", "--json").out)
    assert (row["kind"], row["state"]) == ("channel", "full listing pending")


def test_sources_without_any_names_the_file(earshot: Earshot, tmp_path: Path) -> None:
    ended = earshot("sources")
    assert ended.code == 0
    assert str(tmp_path / "sources.yaml") in ended.out
    assert json.loads(earshot("sources", "--json").out) == []


def test_secrets_in_addresses_are_not_printed(earshot: Earshot, site: Site, tmp_path: Path) -> None:
    url = feed(site, "e1") + f"?token={SECRET}"
    watch(tmp_path, f"feed: {url}")
    printed = [earshot("sources"), earshot("sources", "--json"), earshot("ingest", "--dry-run", "--json"), earshot("ingest")]
    assert all(SECRET not in ended.out + ended.err for ended in printed)
    assert all(site.url in ended.out for ended in printed[:3])
    assert len(site.asked_for(f"/feed.xml?token={SECRET}")) == 2


# --- changing sources.yaml -------------------------------------------------------------------------------------------------


def test_source_is_added_paused_and_resumed(earshot: Earshot, tmp_path: Path) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text("# mine\n")
    added = earshot("sources", "add", f"https://x/feed.xml?token={SECRET}", "--name", "Harbour", "--since", "2026-01-02")
    assert (added.code, added.out.split(" to ")[0]) == (0, "Added Harbour (feed)")
    assert SECRET not in added.out
    assert file.read_text() == (
        f"# mine\n\nsources:\n  - feed: https://x/feed.xml?token={SECRET}\n    name: Harbour\n    since: 2026-01-02\n"
    )
    assert earshot("sources", "pause", "Harbour").out == "Paused Harbour.\n"
    assert [source.paused for source in watched_sources()] == [True]
    assert earshot("sources", "resume", "Harbour").out == "Resumed Harbour.\n"
    assert [source.paused for source in watched_sources()] == [False]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["add", "https://x/feed.xml", "--since", "soon"], 2, "line 3: since is 'soon'"),
        (["add", "https://x/feed.xml", "--every", "often"], 2, "line 3: every is 'often'"),
        (["add", "absent"], 1, "There is no folder"),
        (["pause", "Harbor"], 1, "It has: none."),
        (["resume", "Harbor"], 1, "It has: none."),
    ],
)
def test_mistake_in_a_change_changes_nothing(
    earshot: Earshot, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    ended = earshot("sources", *arguments)
    assert (ended.code, said in ended.err) == (code, True), ended.err
    assert (tmp_path / "sources.yaml").read_text() == ""


def test_folder_is_added_by_its_whole_path(earshot: Earshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "talks").mkdir()
    monkeypatch.chdir(tmp_path)
    assert earshot("sources", "add", "talks").code == 0
    assert [source.address for source in watched_sources()] == [str(tmp_path / "talks")]
