"""Videos, sources and performance: the API and the pages, without a browser."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path

import pytest
from dagster import DagsterInstance
from starlette.testclient import TestClient

from earshot import Library
from earshot.library.upkeep.at_work import AtWork
from earshot.page.api.events import Broadcast
from earshot.storage.catalog.videos import get_video
from earshot.storage.database import Database
from earshot.storage.locks import run_lock
from tests.earshot.page.pages.test_search_page import HOSTILE
from tests.earshot.storage.catalog.test_run_activity import runs, start_run
from tests.earshot.storage.test_locks import held_by_another
from tests.support.library import fill
from tests.support.timing_rows import usual

__all__ = ["runs"]  # a fixture

API = "/api/v1"


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "sources.yaml"
    file.write_text("# mine\nsources:\n  # the best\n  - feed: https://x/feed.xml?token=abcdef\n    name: Harbour Talk\n")
    monkeypatch.setenv("EARSHOT_SOURCES", str(file))
    return file


@pytest.fixture
def up(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if Dagster's daemon had reported just now."""
    monkeypatch.setattr("earshot.library.videos.is_daemon_running", lambda _urls: True)


# --- videos --------------------------------------------------------------------------------------------------------------


def keys(answer: dict[str, list[dict[str, str]]]) -> list[str]:
    return [video["video_id"] for video in answer["videos"]]


@pytest.fixture
def dated(database: Database) -> list[str]:
    """Seven videos, in the order in which they are listed: newest first, the undated ones last."""
    fill(database, [f"v{number}" for number in range(7)], [" so"])
    database.query(
        "UPDATE videos SET published_at = '2026-01-01'::timestamptz + substr(video_id, 2)::int / 2 * interval '1 day' "
        "WHERE video_id < 'v5'"
    )
    return ["v4", "v3", "v2", "v1", "v0", "v6", "v5"]


def test_pages_of_videos_join_to_the_whole_list(client: TestClient, dated: list[str]) -> None:
    listed, after = [], None
    while True:
        query = {"limit": 2} | ({"after": after} if after else {})
        answer = client.get(f"{API}/videos", params=query).json()
        listed += keys(answer)
        after = answer["next"]
        if after is None:
            break
    assert listed == dated


def test_videos_are_filtered(client: TestClient, database: Database, sources: Path) -> None:
    assert sources
    fill(database, ["talk_1", "talkx1"], [" so"], source="https://x/feed.xml?token=abcdef")
    database.query("UPDATE videos SET state = 'failed', title = '100%% Talk' WHERE video_id = 'talk_1'", {})
    for query, found in (
        ({"state": "failed"}, ["talk_1"]),
        ({"q": "100% t"}, ["talk_1"]),
        ({"q": "_"}, []),
        ({"source": "Harbour Talk", "state": "new"}, ["talkx1"]),
        ({"state": "running"}, []),
    ):
        assert keys(client.get(f"{API}/videos", params=query).json()) == found


@pytest.mark.parametrize(
    ("title", "asked", "found"),
    [
        ("The Bridge at Night", "night brid", True),
        ("The Bridge at Night", "ridge", False),
        ("The Bridge at Night", "bridge day", False),
        ("The Bridge at Night", "talk", True),  # the key
        ("The Bridge at Night", "tal", False),
        ("Ünder die Brücke: O'Neil's <b>", "BRÜCKE o'n", True),
        ("東京タワーの夜", "タワー", True),
        ("b" * 3000 + " " + "é" * 3000, "é" * 900, True),
        ("The Bridge", "-- !", False),
        ("The Bridge", "  ", True),
        ("The Bridge", "back\\slash'", False),
    ],
)
def test_titles_are_found_by_how_their_words_begin(
    client: TestClient, database: Database, title: str, asked: str, found: bool
) -> None:
    fill(database, ["talk"], [" so"])
    database.query("UPDATE videos SET title = %s", [title])
    assert keys(client.get(f"{API}/videos", params={"q": asked}).json()) == ["talk"] * found


@pytest.mark.parametrize(
    "query", [{"state": "odd"}, {"source": "nobody"}, {"after": "odd"}, {"after": "WyJhIiwiYiIsImMiXQ"}, {"limit": 0}, {"x": 1}]
)
def test_wrong_filter_is_a_problem(client: TestClient, query: dict[str, str | int]) -> None:
    assert client.get(f"{API}/videos", params=query).status_code == 422
    assert client.get("/videos", params=query).status_code == 422


def test_failed_video_says_why_and_is_retried(client: TestClient, database: Database, up: None) -> None:
    assert up is None
    fill(database, ["talk"], [" so"])
    database.query(
        "UPDATE videos SET state = 'private', last_error = 'It is private. Ask its owner. `earshot <up>`', attempts = 3"
    )
    page = client.get("/videos").text
    assert "<code>earshot &lt;up&gt;</code>" in page
    assert "It is private. Ask its owner." in page
    assert 'class="retry"' in page
    answer = client.post(f"{API}/videos/talk/retry")
    assert (answer.status_code, answer.json()["state"], answer.json()["last_error"]) == (202, "new", None)
    assert database.query("SELECT sensor, video_id FROM run_requests") == [{"sensor": "retries", "video_id": "talk"}]


def test_retry_without_up_says_what_to_type(client: TestClient, database: Database) -> None:
    fill(database, ["talk"], [" so"])
    database.query("UPDATE videos SET state = 'failed'")
    answer = client.post(f"{API}/videos/talk/retry")
    assert (answer.status_code, "earshot retry talk" in answer.json()["detail"]) == (422, True)
    assert database.query("SELECT * FROM run_requests") == []


def test_ready_video_is_not_retried(client: TestClient, database: Database, up: None) -> None:
    assert up is None
    fill(database, ["talk"], [" so"])
    database.query("UPDATE videos SET state = 'ready'")
    assert "is ready" in client.post(f"{API}/videos/talk/retry").json()["title"]


def test_removal_needs_confirmation(client: TestClient, database: Database, instance: DagsterInstance) -> None:
    assert instance
    fill(database, ["talk"], [" so"])
    assert client.get(f"{API}/videos/talk/traces").json()["words"] == 1
    for query in ({}, {"confirm": "other"}):
        assert client.delete(f"{API}/videos/talk", params=query).status_code == 422
    assert get_video(database, "talk") is not None
    assert client.delete(f"{API}/videos/talk", params={"confirm": "talk"}).json()["videos"] == 1
    assert client.get(f"{API}/videos/talk").status_code == 404
    assert [video["video_id"] for video in client.get(f"{API}/removed-videos").json()] == ["talk"]
    assert "Let it come back" in client.get("/videos").text
    assert client.delete(f"{API}/removed-videos/talk").status_code == 204
    assert client.delete(f"{API}/removed-videos/talk").status_code == 404


def test_what_titles_and_errors_say_is_text(client: TestClient, database: Database) -> None:
    fill(database, ["talk"], [" so"])
    database.query("UPDATE videos SET state = 'failed', title = %s, channel = %s, last_error = %s", [HOSTILE] * 3)
    page = client.get("/videos", params={"q": "<script>"}).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_empty_library_says_how_to_begin(client: TestClient) -> None:
    assert "Add a source" in client.get("/videos").text


# --- at work -------------------------------------------------------------------------------------------------------------


def test_running_video_has_its_stage_and_an_estimate(client: TestClient, runs: DagsterInstance, database: Database) -> None:
    fill(database, ["talk"], [" so"])
    timing = asdict(usual()) | {"audio_s": 60.0, "wall_s": 6.0}
    for stage in ("audio", "speaker_turns", "voice_embeddings", "transcript", "text_embeddings"):
        row = {"video_id": "other", "asset": stage, "run_id": "r", "code_version": "1", **timing}
        database.query(
            f"INSERT INTO asset_timings ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})",  # noqa: S608
            list(row.values()),
        )
    database.query("DELETE FROM asset_timings WHERE video_id <> 'other'")
    run = start_run(runs, "talk", "audio")
    with held_by_another(database, run_lock(run.run_id)):
        [video] = client.get(f"{API}/at-work").json()["running"]
    assert (video["video_id"], video["title"], video["run"], video["stage"]) == ("talk", "Talk", "running", "audio")
    assert (video["number"], video["stages"]) == (1, 5)
    assert 0 <= video["share"] < 0.2
    assert 24 < video["remaining_s"] <= 30


def test_events_are_read_once_for_all_listeners() -> None:
    class Counted(Library):
        polls = 0

        def at_work(self) -> AtWork:
            self.polls += 1
            return AtWork(up=True, running=(), queued=self.polls, next=(), requested=0)

    async def listen() -> tuple[list[str], int]:
        library = Counted()
        broadcast = Broadcast(library)
        listeners = [broadcast.listen() for _ in range(50)]
        heard = [[await anext(listener), await anext(listener)] for listener in listeners]
        for listener in listeners:
            await listener.aclose()
        return [parts[1] for parts in heard], library.polls

    heard, polls = asyncio.run(listen())
    assert {json.loads(event.removeprefix("data: "))["queued"] for event in heard} == {1}
    assert polls == 1


# --- sources -------------------------------------------------------------------------------------------------------------


def test_source_is_added_paused_and_taken_out(client: TestClient, database: Database, sources: Path) -> None:
    assert database
    before = sources.read_text()
    new = {"address": "https://example.com/a.rss", "options": {"name": "Podcast", "limit": 3, "skip_live": True}}
    added = client.post(f"{API}/sources", json=new)
    assert (added.status_code, added.json()["name"], added.json()["kind"]) == (201, "Podcast", "feed")
    assert sources.read_text().startswith(before)
    paused = client.patch(f"{API}/sources", json={"source": "Podcast", "paused": True}).json()
    assert (paused["paused"], paused["state"], paused["next_poll"]) == (True, "paused by sources.yaml", None)
    assert [source["name"] for source in client.get(f"{API}/sources").json()] == ["Harbour Talk", "Podcast"]
    assert client.delete(f"{API}/sources", params={"source": "Podcast", "confirm": "Podcast"}).status_code == 200
    assert sources.read_text() == before


def test_pages_say_what_a_source_keeps_and_whose_audio_is_deleted(
    client: TestClient, database: Database, sources: Path
) -> None:
    fill(database, ["v1"], [" so"])
    database.query("INSERT INTO audio VALUES ('v1', 'v1.flac', 'sha', 16000, 16000, 1.0, 'file', '2026-01-02')")
    sources.write_text(f"{sources.read_text()}    keep_days: 365\n")
    assert "keeps videos for 365 days" in client.get("/sources").text
    assert "The audio of v1 was deleted on 2026-01-02, as keep_audio_days" in client.get("/videos/v1").text
    assert "keep_audio_days" in client.get(f"{API}/videos/v1/audio").json()["title"]


def test_mistake_in_a_new_source_names_its_line(client: TestClient, database: Database, sources: Path) -> None:
    assert database
    answer = client.post(f"{API}/sources", json={"address": "https://example.com/a.rss", "options": {"limit": 0}})
    assert (answer.status_code, "line 7: limit is '0'" in answer.json()["title"]) == (422, True)
    assert "limit" not in sources.read_text()


def test_invalid_file_is_shown_with_its_mistakes(client: TestClient, database: Database, sources: Path) -> None:
    assert database
    sources.write_text("sources:\n  - odd: <b>\n")
    page = client.get("/sources")
    assert (page.status_code, "line 2: unknown key" in page.text) == (200, True)


def test_secrets_of_addresses_are_not_shown(client: TestClient, database: Database, sources: Path) -> None:
    assert database
    assert sources
    for path in ("/sources", f"{API}/sources"):
        assert "Harbour Talk" in client.get(path).text
        assert "abcdef" not in client.get(path).text


def test_missing_file_is_an_empty_list(client: TestClient, database: Database, sources: Path) -> None:
    assert database
    sources.unlink()
    assert "No sources are watched" in client.get("/sources").text


def test_source_is_removed_with_its_videos_after_confirmation(
    client: TestClient, database: Database, instance: DagsterInstance, sources: Path
) -> None:
    assert instance
    fill(database, ["talk"], [" so"], source="https://x/feed.xml?token=abcdef")
    asked = {"source": "Harbour Talk", "videos": "true"}
    assert client.get(f"{API}/sources/traces", params={"source": "Harbour Talk"}).json()["videos"] == 1
    assert client.delete(f"{API}/sources", params={**asked, "confirm": "x"}).status_code == 422
    assert client.delete(f"{API}/sources", params={**asked, "confirm": "Harbour Talk"}).json()["videos"] == 1
    assert get_video(database, "talk") is None
    assert sources.read_text() == "# mine\nsources:\n  # the best\n"


# --- performance ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def timed(database: Database) -> Database:
    """Timings of three stages, and a slow one of them."""
    fill(database, ["talk"], [" so"])
    database.query(
        "INSERT INTO check_failures (video_id, asset, check_name, severity, cause, message, run_id) "
        "VALUES ('talk', 'transcript', 'regression', 'warn', 'gpu_clock', 'Slow: 2.00 times.', 'run')"
    )
    return database


def test_report_has_each_stage_and_the_total(client: TestClient, timed: Database) -> None:
    assert timed
    report = client.get(f"{API}/timings/report").json()
    assert [row["asset"] for row in report] == ["transcript", "speaker_turns", "text_embeddings", "total"]
    assert [len(row["recent"]) for row in report] == [1, 1, 1, 0]


def test_timings_come_by_pages(client: TestClient, timed: Database) -> None:
    assert timed
    first = client.get(f"{API}/timings", params={"limit": 2}).json()
    second = client.get(f"{API}/timings", params={"limit": 2, "before": first["next"]}).json()
    assert [row["asset"] for row in first["timings"] + second["timings"]] == ["text_embeddings", "speaker_turns", "transcript"]
    assert second["next"] is None


def test_accepted_speed_ends_its_check(client: TestClient, timed: Database) -> None:
    assert timed
    [check] = client.get(f"{API}/checks").json()
    assert (check["cause"], check["video_id"], "power limits" in check["remedy"]) == ("gpu_clock", "talk", True)
    assert client.post(f"{API}/timings/transcript/accept").json() == {"stage": "transcript", "timings_left_out": 1}
    assert client.get(f"{API}/checks").json() == []


@pytest.mark.parametrize(("stage", "status"), [("odd", 422), ("audio", 404)])
def test_speed_without_timings_is_not_accepted(client: TestClient, stage: str, status: int) -> None:
    assert client.post(f"{API}/timings/{stage}/accept").status_code == status


def test_page_of_performance_reads_no_timings_itself(client: TestClient) -> None:
    assert "Time by stage" in client.get("/performance").text
