"""Reuse of current outputs: a real recording, its real stages, and runs as the UI starts them."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile
from dagster import AssetCheckEvaluation, AssetKey, DagsterInstance, ExecuteInProcessResult, Failure

from bench.corpora.episodes import TELEPHONE, clip_samples
from earshot import Library
from earshot.common.audio import SAMPLE_RATE
from earshot.config.sources_file import source_named
from earshot.models.registry import MINILM, USE_MULTILINGUAL
from earshot.speakers.tables.people import add_person
from earshot.storage.catalog.previous_rows import KEEP_TAG, KEPT
from earshot.storage.catalog.stages import STAGES
from earshot.storage.database import Connection, Database
from earshot.storage.media_store import MediaStore, location_of
from earshot.transcripts.search.text_models import list_text_models
from ingest_assets.assets.search_index import maintain
from ingest_assets.definitions import defs
from ingest_assets.operations.ingest import IngestChoice, Outcome, ingest
from ingest_assets.operations.run_failures import QUIET
from ingest_assets.partitions import videos
from ingest_assets.presentation.checks import checks_of
from ingest_assets.stages.outputs import invalidate_output
from ingest_assets.stages.stage import FORCE_TAG, MAX_OUTAGE_RETRIES
from ingest_assets.stages.staleness import find_stale
from ingest_assets.stages.versions import expected_versions
from resources.instance.home import open_instance
from tests.dagster_contract.internals import DagsterMaxRetriesExceededError
from tests.support.library import run_stage, stored_video
from tests.support.tables import dump_tables, restore_tables
from tests.support.videos.spoken_videos import say_is

pytestmark = pytest.mark.slow

TABLES = ("transcripts", "segments", "words", "turns", "exclusive_turns", "voice_embeddings", "passages")


@dataclass(frozen=True)
class Talk:
    """Twelve seconds of the telephone call, ingested."""

    video_id: str
    database: Database
    instance: DagsterInstance

    def materialize(self, *stages: str, **tags: str) -> ExecuteInProcessResult:
        """A run of these stages over the video, or of all stages."""
        return defs.resolve_job_def("ingest_video").execute_in_process(
            instance=self.instance,
            partition_key=self.video_id,
            asset_selection=[AssetKey(stage) for stage in stages or STAGES],
            run_config=QUIET,
            tags=tags,
        )

    def written_by(self) -> dict[str, set[str]]:
        """By table, the transactions that wrote the video's rows."""
        return {
            table: {row["by"] for row in self.database.query(f"SELECT xmin::text AS by FROM {table}")}  # noqa: S608
            for table in TABLES
        }

    def timed(self, run: ExecuteInProcessResult) -> set[str]:
        rows = self.database.query("SELECT asset FROM asset_timings WHERE run_id = %s", [run.run_id])
        return {row["asset"] for row in rows}


@dataclass(frozen=True)
class Ingested:
    """The video right after its ingest: the rows of every table, and the file of its audio."""

    video_id: str
    rows: dict[str, bytes]
    flac: Path
    audio: bytes


@pytest.fixture(scope="module")
def ingested(library: Database, tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    soundfile.write(path, clip_samples(TELEPHONE)[: 12 * SAMPLE_RATE], SAMPLE_RATE)
    steps = ingest([source_named(str(path))], IngestChoice(), library, open_instance())
    [outcome] = [step for step in steps if isinstance(step, Outcome)]
    assert (outcome.result, outcome.reused) == ("done", ()), outcome
    assert outcome.video is not None
    path.unlink()  # fetching it again fails
    [stored] = library.query("SELECT uri FROM audio")
    flac = Path(str(location_of(stored["uri"])))
    return Ingested(outcome.video.video_id, dump_tables(library), flac, flac.read_bytes())


@pytest.fixture
def talk(database: Database, ingested: Ingested) -> Talk:
    restore_tables(database, ingested.rows)
    ingested.flac.write_bytes(ingested.audio)
    instance = open_instance()
    instance.add_dynamic_partitions(str(videos.name), [ingested.video_id])
    return Talk(ingested.video_id, database, instance)


def metadata(run: ExecuteInProcessResult, stage: str) -> dict[str, object]:
    [materialization] = run.asset_materializations_for_node(stage)
    return {key: entry.value for key, entry in materialization.metadata.items()}


def checked(run: ExecuteInProcessResult, stage: str) -> dict[str, AssetCheckEvaluation]:
    found = [check for check in run.get_asset_check_evaluations() if check.asset_key == AssetKey(stage)]
    return {check.check_name: check for check in found}


def test_rerun_of_current_video_changes_nothing_and_repeats_metadata(talk: Talk) -> None:
    made = talk.materialize(*STAGES[1:], **{FORCE_TAG: "true"})
    assert {metadata(made, stage)["reused"] for stage in STAGES[1:]} == {"no"}
    before = talk.written_by()
    again = talk.materialize()
    assert talk.written_by() == before
    assert talk.timed(again) == set()
    for stage in STAGES[1:]:
        assert metadata(again, stage) == metadata(made, stage) | {"reused": metadata(again, stage)["reused"]}
        assert str(metadata(again, stage)["reused"]).startswith(f"yes: made by run {made.run_id}")
    assert len(again.get_asset_check_evaluations()) == sum(len(checks_of(stage)) for stage in STAGES)
    assert all(check.passed for check in again.get_asset_check_evaluations())


def test_same_content_reuses_stages_below(talk: Talk) -> None:
    talk.database.query("UPDATE stage_outputs SET code_version = '0' WHERE asset = 'transcript'")
    assert [stale.stage for stale in find_stale(talk.database)] == ["transcript", "text_embeddings"]
    run = talk.materialize("transcript", "text_embeddings")
    assert talk.timed(run) == {"transcript"}
    assert find_stale(talk.database) == []


def test_hinted_number_of_speakers_is_obeyed_and_shown(talk: Talk) -> None:
    for hint, found in (("1", 1), ("2-4", 2), ("any", 2)):
        given = Library().hints.give(talk.video_id, speakers=hint)
        assert given.stale == ("speaker_turns", "voice_embeddings", "text_embeddings")
        run = talk.materialize()
        assert "speaker_turns" in talk.timed(run)
        assert "transcript" not in talk.timed(run)
        shown = metadata(run, "speaker_turns")
        assert (shown["speakers"], shown.get("hints")) == (found, None if hint == "any" else f"speakers: {hint} (hint)")
        if hint != "any":
            description = checked(run, "speaker_turns")["speakers"].description
            assert f"the hint is {hint}" in str(description), description
        assert find_stale(talk.database) == []


def test_hinted_words_make_a_new_transcript(talk: Talk) -> None:
    Library().hints.give(talk.video_id, vocabulary="Nagg", vocabulary_from="title", prompt="Hello?", languages="de, en")
    assert [stale.stage for stale in find_stale(talk.database)] == ["transcript", "text_embeddings"]
    shown = metadata(talk.materialize(), "transcript")
    assert str(shown["hints"]).splitlines()[:3] == [
        "vocabulary: Nagg; 0 from title (hint)", "prompt: Hello? (hint)", "languages: de, en (hint)"
    ]  # fmt: skip
    assert shown["language"] == "en"
    add_person(talk.database, "Diane")
    assert find_stale(talk.database) == []
    assert metadata(talk.materialize(), "transcript")["hints"] == shown["hints"]


def test_changed_content_reruns_only_stages_below(talk: Talk) -> None:
    run_stage(talk.database, talk.video_id, "transcript", expected_versions()["transcript"], "other words")
    assert talk.timed(talk.materialize()) == {"text_embeddings"}


def test_failed_check_fails_again_when_output_is_reused(talk: Talk) -> None:
    talk.database.query(
        "INSERT INTO check_failures (video_id, asset, check_name, severity, cause, message, run_id) "
        "SELECT video_id, asset, 'regression', 'warn', 'batching', 'transcript took long.', run_id FROM asset_timings "
        "WHERE asset = 'transcript'"
    )
    checks = checked(talk.materialize("transcript"), "transcript")
    assert {name for name, check in checks.items() if not check.passed} == {"regression"}
    assert set(checks) == set(checks_of("transcript"))
    failed = checks["regression"]
    assert (failed.severity.value, failed.metadata["cause"].value) == ("WARN", "batching")
    assert "transcript took long." in str(failed.description)
    assert len(talk.database.query("SELECT 1 FROM check_failures")) == 1  # no second alert


def test_keep_previous_keeps_replaced_rows(talk: Talk) -> None:
    talk.database.query("UPDATE words SET text = ' before' WHERE word_index = 0")
    forced = {FORCE_TAG: "true", KEEP_TAG: "true"}
    talk.materialize("transcript", "voice_embeddings", **forced)
    kept = talk.database.query("SELECT text FROM previous.words ORDER BY word_index")
    assert kept[0]["text"] == " before"
    assert len(kept) == len(talk.database.query("SELECT 1 FROM words"))
    assert talk.database.query("SELECT text FROM words WHERE word_index = 0") != [{"text": " before"}]
    assert talk.database.query("SELECT 1 FROM previous.turns") == []

    talk.database.query("UPDATE words SET text = ' later' WHERE word_index = 0")
    talk.materialize("transcript", **{FORCE_TAG: "true"})
    assert talk.database.query("SELECT text FROM previous.words ORDER BY word_index") == kept

    with talk.database.connect() as connection:
        invalidate_output(connection, talk.video_id, "transcript")  # as after a run that broke off in the middle
    talk.materialize("transcript", **forced)
    assert talk.database.query("SELECT text FROM previous.words ORDER BY word_index") == kept

    talk.materialize("transcript", **forced)
    assert talk.database.query("SELECT text FROM previous.words ORDER BY word_index")[0] == {"text": _first_word(talk)}
    talk.database.query("DELETE FROM videos")
    assert talk.database.query("SELECT 1 FROM previous.words") == []


def _first_word(talk: Talk) -> str:
    return talk.database.query("SELECT text FROM words WHERE word_index = 0")[0]["text"]


def test_kept_tables_have_the_columns_of_their_originals(database: Database) -> None:
    columns = (
        "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
    )
    for table in KEPT:
        assert database.query(columns, [f"previous.{table}"]) == database.query(columns, [f"public.{table}"]), table


def test_stage_without_inputs_fails_and_changes_nothing(talk: Talk) -> None:
    before = talk.written_by()
    talk.database.query("DELETE FROM stage_outputs WHERE asset IN ('transcript', 'speaker_turns')")
    with pytest.raises(Failure, match="has no speaker_turns and no transcript to make text_embeddings from"):
        talk.materialize("text_embeddings", **{FORCE_TAG: "true"})
    assert talk.written_by() == before


def test_stage_is_retried_after_a_broken_connection(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = breaking_connections(monkeypatch, 1)
    run = talk.materialize("text_embeddings", **{FORCE_TAG: "true"})
    assert broken == ["text_embeddings"]
    assert [event.step_key for event in run.all_events if event.is_step_restarted] == ["text_embeddings"]
    assert talk.timed(run) == {"text_embeddings"}
    assert find_stale(talk.database) == []


def test_stage_fails_after_repeated_broken_connections(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    before = talk.written_by()
    broken = breaking_connections(monkeypatch, 100)
    with pytest.raises(DagsterMaxRetriesExceededError):
        talk.materialize("text_embeddings", **{FORCE_TAG: "true"})
    assert len(broken) == 1 + MAX_OUTAGE_RETRIES
    assert talk.written_by() == before


def breaking_connections(monkeypatch: pytest.MonkeyPatch, times: int) -> list[str]:
    """The next transactions of stages lose their connection; returns the stages that did."""
    broken: list[str] = []

    def breaking(connection: Connection, video_id: str, asset: str) -> None:
        invalidate_output(connection, video_id, asset)
        if len(broken) < times:
            broken.append(asset)
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr("ingest_assets.stages.stage.invalidate_output", breaking)
    return broken


def test_damaged_audio_is_fetched_again(talk: Talk) -> None:
    [row] = talk.database.query("SELECT uri FROM audio")
    assert talk.timed(talk.materialize("audio")) == set()
    MediaStore().write(talk.video_id, clip_samples(TELEPHONE)[:SAMPLE_RATE].astype("int16"))
    with pytest.raises(Failure):  # its source is gone by now; the row stays
        talk.materialize("audio")
    assert "talk.wav" in str(stored_video(talk.database, talk.video_id).last_error)
    assert talk.database.query("SELECT uri FROM audio") == [row]


def test_corrected_words_are_embedded_again_and_survive_a_new_transcript(talk: Talk) -> None:
    corrections = Library().word_corrections
    heard = talk.database.frame("words", talk.video_id, "word_index")
    first, last = heard.iloc[1], heard.iloc[3]
    corrections.correct(talk.video_id, first.start_s, last.end_s, "zebra")
    corrections.correct(talk.video_id, heard.start_s.iloc[-1], heard.end_s.iloc[-1], "")
    [before] = talk.database.query("SELECT embedding FROM passages ORDER BY passage_index LIMIT 1")
    assert [stale.stage for stale in find_stale(talk.database)] == ["text_embeddings"]
    assert talk.timed(talk.materialize()) == {"text_embeddings"}
    assert find_stale(talk.database) == []
    passages = talk.database.query("SELECT * FROM passages ORDER BY passage_index")
    assert "zebra" in passages[0]["text"]
    assert (passages[0]["embedding"].to_numpy() != before["embedding"].to_numpy()).any()
    assert (passages[0]["first_word"], passages[-1]["last_word"]) == (0, len(heard) - 1)
    talk.materialize("transcript", "text_embeddings", **{FORCE_TAG: "true"})
    spoken = Library().transcript(talk.video_id).words.text.tolist()
    assert spoken[:2] == [heard.text.iloc[0], " zebra"]
    assert len(spoken) == len(heard) - 3
    assert "zebra" in talk.database.query("SELECT text FROM passages ORDER BY passage_index")[0]["text"]


def test_multilingual_set_embeds_the_text_again_and_nothing_else(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = talk.database.frame("words", talk.video_id, "word_index")
    Library().word_corrections.correct(talk.video_id, heard.start_s.iloc[1], heard.end_s.iloc[1], "zebra")
    say_is(talk.database, add_person(talk.database, "Diane").person_id, talk.video_id, 0.0, 12.0)
    talk.materialize()
    before = dump_tables(talk.database)
    assert {"words", "turns", "voice_embeddings", "word_corrections", "people", "corrections"} <= before.keys()

    monkeypatch.setenv("EARSHOT_MODELS", "multilingual")
    [stale] = find_stale(talk.database)
    assert (stale.stage, stale.reason) == ("text_embeddings", f"model {MINILM.name} -> {USE_MULTILINGUAL.name}")
    assert [model.model for model in list_text_models(talk.database)] == [MINILM.name]
    assert talk.timed(talk.materialize()) == {"text_embeddings"}
    assert find_stale(talk.database) == []
    assert [model.model for model in list_text_models(talk.database)] == [MINILM.name, USE_MULTILINGUAL.name]
    assert maintain(talk.database, USE_MULTILINGUAL).switched == 1

    changed = {table for table, rows in dump_tables(talk.database).items() if rows != before[table]}
    assert changed == {"passages", "passage_signs", "text_models", "stage_outputs", "asset_timings", "videos"}
    assert [model.model for model in list_text_models(talk.database)] == [USE_MULTILINGUAL.name]
    [best] = Library().search("no sabía que estabas ahí", limit=1).hits
    assert "zebra" in best.text


def test_video_of_which_every_word_was_deleted_is_empty(talk: Talk) -> None:
    number = Library().word_corrections.correct(talk.video_id, 0.0, 12.0, "").number
    talk.materialize()
    assert Library().transcript(talk.video_id).words.empty
    assert talk.database.query("SELECT FROM passages") == []
    Library().word_corrections.undo(number)
    talk.materialize()
    assert Library().transcript(talk.video_id).passages.text.str.len().sum() > 0
