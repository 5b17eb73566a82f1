"""`Library`: what it reads, over videos as the stages leave them."""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from earshot import Library, open_library
from earshot.common.errors import EarshotError, Misconfigured, NotTranscribed
from earshot.speakers.tables.people import add_person
from earshot.storage.catalog.source_states import record_listing_failure
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.videos import Video, record_crash, register
from earshot.storage.database import Database
from earshot.timings.queries import ROW_KEYS
from ingest_assets.stages.versions import expected_versions
from tests.support.library import fill, run_stage, run_stages
from tests.support.timing_rows import keep, usual
from tests.support.videos.spoken_videos import add_video, identify

FEED = "https://x/feed"


@pytest.fixture
def opened(database: Database) -> Library:
    """A library of `bridge`, of a feed and in English, and `boat`, of a folder and in German; Ana speaks in `bridge`."""
    day = datetime(2026, 3, 1, tzinfo=UTC)
    turns = (("SPEAKER_00", "who paid for the bridge"), ("SPEAKER_01", "nobody did"))
    add_video(database, "bridge", *turns, source=FEED, published=day)
    add_video(database, "boat", ("SPEAKER_00", "ein Boot und eine bridge"), source="/recordings", language="de")
    person = add_person(database, "Ana")
    identify(database, "bridge", "SPEAKER_00", person_id=person.person_id, decided_by="profile", reason="")
    return open_library()


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sources.yaml that calls the feed Harbour Talk."""
    path = tmp_path / "sources.yaml"
    path.write_text(f"sources:\n  - feed: {FEED}\n    name: Harbour Talk\n")
    monkeypatch.setenv("EARSHOT_SOURCES", str(path))
    return path


def ids(rows: Iterable[Any]) -> list[str]:
    return [row.video_id for row in rows]


# --- opening -------------------------------------------------------------------------------------------------------------


def test_open_library_raises_for_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_DEVICE", "gpu")
    with pytest.raises(Misconfigured, match="EARSHOT_DEVICE is 'gpu'"):
        open_library()


def test_database_answers_sql(opened: Library) -> None:
    assert opened.database.query("SELECT count(*) AS videos FROM videos") == [{"videos": 2}]


# --- search --------------------------------------------------------------------------------------------------------------


def test_search_by_words_finds_speaker_and_time(opened: Library) -> None:
    result = opened.search("paid bridge", words_only=True)
    assert [(hit.video_id, hit.start_s, hit.speakers) for hit in result.hits[:1]] == [("bridge", 0.0, ("Ana",))]
    assert (result.note, result.absent_words, result.undated_videos_left_out) == ("", (), 0)


@pytest.mark.usefixtures("sources")
@pytest.mark.parametrize(
    "filters",
    [
        {"speaker": "ana"}, {"sources": FEED}, {"sources": ["harbour talk"]}, {"videos": "Bridge"}, {"languages": ("en",)},
        {"since": date(2026, 3, 1)}, {"until": date(2026, 3, 1)},
    ],
)  # fmt: skip
def test_search_filters(opened: Library, filters: dict[str, Any]) -> None:
    assert ids(opened.search("bridge", words_only=True, **filters).hits) == ["bridge"]


def test_search_reports_absent_words_and_undated_videos(opened: Library) -> None:
    result = opened.search("bridge Xylophone", words_only=True, since=date(2026, 1, 1))
    assert result.absent_words == result.notable_absences == ("Xylophone",)
    assert result.undated_videos_left_out == 1


def test_search_without_hits_says_so(opened: Library) -> None:
    assert opened.search("xylophone", words_only=True).note == "No passage fits."


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"speaker": "Anna"}, "Did you mean Ana?"),
        ({"videos": "brigde"}, "'brigde'"),
        ({"languages": "fr"}, "'fr'. Languages of this library: de, en"),
        ({"limit": 0}, "page 1 of 0"),
        ({"limit": 100, "page": 3}, "200 best"),
    ],
)
def test_search_refuses_unknown_filter_and_page(opened: Library, filters: dict[str, Any], message: str) -> None:
    with pytest.raises(EarshotError, match=message):
        opened.search("bridge", words_only=True, **filters)


def test_search_by_meaning_requires_the_device(opened: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_DEVICE", "cuda")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(Misconfigured, match="asks for cuda"):
        opened.search("")


# --- videos --------------------------------------------------------------------------------------------------------------


def test_videos_are_newest_first(opened: Library) -> None:
    assert ids(opened.videos()) == ids(opened.stream_videos()) == ["bridge", "boat"]
    assert ids(opened.videos(limit=1)) == ["bridge"]


def test_videos_of_one_state(opened: Library) -> None:
    record_crash(opened.database, "boat", "it broke")
    [failed] = opened.videos("failed")
    assert (failed.video_id, failed.last_error, failed.condition, failed.run) == ("boat", "it broke", "failed", None)
    assert opened.videos("queued") == []


def test_unknown_state_is_refused(opened: Library) -> None:
    with pytest.raises(EarshotError, match="There is no state 'done'"):
        opened.videos("done")


# --- transcript and export -----------------------------------------------------------------------------------------------


@pytest.fixture
def whole(opened: Library) -> Library:
    """The same with outputs of every stage, which exports require."""
    for video_id in ("bridge", "boat"):
        run_stages(opened.database, video_id, *STAGES)
    return opened


def test_transcript_has_words_passages_and_turns_with_speakers(whole: Library) -> None:
    transcript = whole.transcript("Bridge")
    assert (transcript.video.video_id, transcript.language) == ("bridge", "en")
    assert list(transcript.words.columns) == [
        "start_s", "end_s", "text", "probability", "local_speaker", "speaker", "person", "voice",
    ]  # fmt: skip
    assert transcript.words.text.tolist()[:2] == [" who", " paid"]
    assert transcript.passages[["start_s", "speaker", "person"]].to_numpy().tolist() == [
        [0.0, "Ana", "Ana"], [10.0, "SPEAKER_01", None],
    ]  # fmt: skip
    assert transcript.turns[["local_speaker", "overlap"]].to_numpy().tolist() == [["SPEAKER_00", False], ["SPEAKER_01", False]]
    assert transcript.words.start_s.dtype == float


def test_transcript_of_one_speaker(whole: Library) -> None:
    assert whole.transcript("bridge", speaker="Ana").passages.text.tolist() == ["who paid for the bridge"]


@pytest.mark.parametrize("format_name", ["srt", "vtt", "txt", "json", "rttm", "seglst"])
def test_transcript_exports_what_export_writes(whole: Library, tmp_path: Path, format_name: str) -> None:
    assert whole.export_file(tmp_path / "file", format_name, videos="bridge").videos == 1
    assert (tmp_path / "file").read_text() == whole.transcript("bridge").export(format_name)


def test_unknown_format_is_refused(whole: Library) -> None:
    with pytest.raises(EarshotError, match="There is no format 'odt'"):
        whole.transcript("bridge").export("odt")


def test_transcript_of_untranscribed_video_is_refused(opened: Library) -> None:
    register(opened.database, [Video("new", "https://x/new", FEED, "New")])
    with pytest.raises(NotTranscribed, match="new has no transcript"):
        opened.transcript("new")


def test_export_writes_a_file_per_video(whole: Library, tmp_path: Path) -> None:
    register(whole.database, [Video("new", "https://x/new", FEED, "New")])
    summary = whole.export(tmp_path / "out", "srt")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["Boat [boat].srt", "Bridge [bridge].srt"]
    assert (summary.videos, summary.untranscribed, summary.refused) == (2, 1, ())


def test_export_of_source_or_speaker(whole: Library, tmp_path: Path) -> None:
    whole.export(tmp_path / "source", source="/recordings")
    whole.export(tmp_path / "speaker", speaker="Ana")
    assert [path.name for path in (tmp_path / "source").iterdir()] == ["Boat [boat].txt"]
    assert [path.name for path in (tmp_path / "speaker").iterdir()] == ["Bridge [bridge].txt"]


def test_export_counts_half_ingested_videos(whole: Library, tmp_path: Path) -> None:
    run_stages(whole.database, "boat", "transcript")
    summary = whole.export(tmp_path / "out")
    assert summary.videos == 1
    assert [message.split()[0] for message in summary.refused] == ["boat"]


def test_export_file_of_several_videos_is_json_lines(whole: Library, tmp_path: Path) -> None:
    whole.export_file(tmp_path / "all.jsonl", "json", videos=["bridge", "boat"])
    lines = (tmp_path / "all.jsonl").read_text().splitlines()
    assert [json.loads(line)["video_id"] for line in lines] == ["bridge", "boat"]


def test_export_file_refuses_subtitles_of_several_videos(whole: Library, tmp_path: Path) -> None:
    with pytest.raises(EarshotError, match="srt writes one file per video"):
        whole.export_file(tmp_path / "all.srt", "srt")
    assert list(tmp_path.iterdir()) == []


def test_export_refuses_videos_with_source(whole: Library, tmp_path: Path) -> None:
    with pytest.raises(EarshotError, match="Both videos and the source"):
        whole.export(tmp_path / "out", videos="bridge", source=FEED)
    assert list(tmp_path.iterdir()) == []


# --- upkeep --------------------------------------------------------------------------------------------------------------


def test_timings_are_rows_and_a_report(database: Database) -> None:
    fill(database, ["a", "b"], [" Good", " day."])
    library = open_library()
    rows = library.timings()
    assert list(rows.columns) == list(ROW_KEYS)
    assert len(rows) == 6
    assert set(library.timings("a").video_id) == {"a"}
    report = library.timings_report()
    assert report.asset.tolist() == ["transcript", "speaker_turns", "text_embeddings", "total"]


@pytest.mark.usefixtures("database")
def test_empty_library_has_no_timings() -> None:
    library = open_library()
    assert library.timings().empty
    assert library.timings_report().empty
    assert library.stale() == []


def test_compare_timings_of_two_code_versions(database: Database) -> None:
    for version, seconds in (("1", 10.0), ("2", 20.0)):
        for number in range(5):
            keep(database, "transcript", usual(wall_s=seconds + 0.5, compute_s=seconds), f"v{number}", code_version=version)
    [compared] = open_library().compare_timings("1", "2")
    assert (compared.asset, compared.paired, compared.ratio) == ("transcript", True, pytest.approx(2.0, rel=0.1))


def test_stale_lists_each_stage(database: Database) -> None:
    fill(database, ["a"], [" Good", " day."])
    for stage in STAGES:
        run_stage(database, "a", stage, expected_versions()[stage], stage)
    database.query("UPDATE videos SET state = 'ready'")
    database.query("UPDATE stage_outputs SET code_version = '0' WHERE asset = 'text_embeddings'")
    assert [(stale.video_id, stale.stage) for stale in open_library().stale()] == [("a", "text_embeddings")]
    assert open_library().stale("audio") == []
    with pytest.raises(EarshotError, match="There is no stage 'audoi'"):
        open_library().stale(["audoi"])


@pytest.mark.usefixtures("sources")
def test_sources_show_their_state(opened: Library) -> None:
    [watched] = opened.sources()
    assert (watched.name, watched.address, watched.looked_at) == ("Harbour Talk", FEED, None)
    assert watched.state.startswith("not polled yet")
    record_listing_failure(opened.database, FEED, "the site answers 500")
    assert opened.sources()[0].state == "failed once: the site answers 500"


def test_invalid_sources_file_raises(opened: Library, sources: Path) -> None:
    sources.write_text("sources: [{feed: 1}]")
    with pytest.raises(Misconfigured, match=r"sources\.yaml"):
        opened.sources()
