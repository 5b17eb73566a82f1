"""The whole pipeline on the demo's episodes: real feed, real yt-dlp, real models, real Dagster, real Postgres.

The results are compared with what is known of the recordings: pyannote.audio ships the reference words and turns of the
telephone call.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dagster import AssetKey, AssetMaterialization, AssetRecordsFilter, DagsterInstance
from jsonschema import Draft202012Validator
from pgvector import Vector

from bench.corpora.episodes import EPISODES, FEED_NAME, TELEPHONE, Episode, clip_path, clip_samples, write_episodes, write_feed
from bench.harness.server import serving
from earshot import open_library
from earshot.config.settings import PROJECT_ROOT
from earshot.config.sources_file import source_named
from earshot.models import cache
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.videos import get_video
from earshot.storage.database import Database
from earshot.timings.timing import KEYS
from earshot.transcripts.content_checks import CONTENT_CHECKS
from earshot.transcripts.evaluation.words import normalized, word_errors
from earshot.transcripts.formats.exports import as_json, as_seglst
from earshot.transcripts.recordings import read_recording
from earshot.transcripts.references.references import read_references
from earshot.transcripts.search.query import search
from ingest_assets.operations.ingest import IngestChoice, Outcome, ingest
from ingest_assets.stages.versions import expected_versions
from resources.instance.home import open_instance
from tests.support.library import stored_video
from tests.support.timing_rows import TYPES, about

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Ingested:
    """The demo's episodes in the session's library: their keys, in the order of EPISODES."""

    keys: list[str]
    database: Database
    instance: DagsterInstance
    feed: str

    @property
    def telephone(self) -> str:
        return self.keys[0]


@pytest.fixture(scope="module")
def ingested(library: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingested]:
    folder = tmp_path_factory.mktemp("episodes")
    write_episodes(folder)
    instance = open_instance()
    cache.forget_models("transcriber")  # another test of this process may have loaded it
    with serving(folder) as url:
        write_feed(folder, url)
        feed = f"{url}/{FEED_NAME}"
        outcomes = _ingest([feed], library, instance)
        assert [outcome.result for outcome in outcomes] == ["done"] * len(EPISODES), outcomes
        by_title = {o.video.title: o.video.video_id for o in outcomes if o.video}
        yield Ingested([by_title[episode.title] for episode in EPISODES], library, instance, feed)


def _ingest(
    sources: list[str], database: Database, instance: DagsterInstance, choice: IngestChoice | None = None
) -> list[Outcome]:
    named = [source_named(source) for source in sources]
    return [step for step in ingest(named, choice or IngestChoice(), database, instance) if isinstance(step, Outcome)]


# --- rows ----------------------------------------------------------------------------------------------------------------


def test_every_episode_is_ready_with_all_rows(ingested: Ingested) -> None:
    for key in ingested.keys:
        video = stored_video(ingested.database, key)
        assert (video.state, video.attempts, video.last_error) == ("ready", 0, None)
        assert video.duration_s == pytest.approx(ingested.database.frame("audio", key, "uri").duration_s.iloc[0])
        for table, order in (("segments", "segment_index"), ("turns", "turn_index"), ("passages", "passage_index")):
            assert len(ingested.database.frame(table, key, order)) > 0, (key, table)


def test_no_content_check_warns_of_a_healthy_episode(ingested: Ingested) -> None:
    contents = [check for checks in CONTENT_CHECKS.values() for check in checks]
    assert ingested.database.query("SELECT message FROM check_failures WHERE check_name = ANY(%s)", [contents]) == []


def test_every_word_is_in_exactly_one_passage(ingested: Ingested) -> None:
    for key in ingested.keys:
        words = ingested.database.frame("words", key, "word_index")
        passages = ingested.database.frame("passages", key, "passage_index")
        covered = [i for row in passages.to_dict("records") for i in range(row["first_word"], row["last_word"] + 1)]
        assert covered == words.word_index.tolist()
        assert (passages.end_s > passages.start_s).all()


def test_every_turn_and_speaker_has_a_vector(ingested: Ingested) -> None:
    voice = Models().model_set().voice
    for key in ingested.keys:
        turns = ingested.database.frame("turns", key, "turn_index")
        vectors = ingested.database.frame("voice_embeddings", key, "turn_index")
        speakers = ingested.database.frame("local_speakers", key, "local_speaker")
        assert vectors.turn_index.tolist() == turns.turn_index.tolist()
        assert speakers.local_speaker.tolist() == sorted(turns.local_speaker.unique())
        assert set(vectors.model) | set(speakers.model) == {voice.name}
        for vector in [*vectors.embedding, *speakers.centroid]:
            assert np.linalg.norm(vector.to_numpy()) == pytest.approx(1.0, abs=1e-3)


def test_materializations_have_the_timings_of_the_database(ingested: Ingested) -> None:
    for stage in STAGES:
        rows = ingested.database.query(
            "SELECT * FROM asset_timings WHERE video_id = %s AND asset = %s", [ingested.telephone, stage]
        )
        materialization = _materialization(ingested.instance, stage, ingested.telephone)
        for key in KEYS:
            assert type(materialization.metadata[key]) is TYPES[key], key
            assert materialization.metadata[key].value == about(rows[0][key]), key
        assert rows[0]["audio_s"] == pytest.approx(30.0, abs=0.1)
        assert rows[0]["device"] == "cpu"
        assert rows[0]["code_version"] == expected_versions()[stage].code_version
        assert 0 < rows[0]["compute_s"] <= rows[0]["wall_s"]
        assert rows[0]["io_s"] == pytest.approx(rows[0]["store_s"] + rows[0]["database_s"] + rows[0]["network_s"])
        assert rows[0]["database_s"] > 0
        assert (rows[0]["store_s"] > 0) is (stage != "text_embeddings")


def test_models_load_for_the_first_video_only(ingested: Ingested) -> None:
    rows = ingested.database.query(
        "SELECT load_s FROM asset_timings WHERE asset = 'transcript' AND video_id = ANY(%s) ORDER BY timing_id", [ingested.keys]
    )
    first, *others = [row["load_s"] for row in rows][: len(ingested.keys)]
    assert len(others) == len(ingested.keys) - 1
    assert all(load < first / 10 for load in others), (first, others)


def _materialization(instance: DagsterInstance, stage: str, partition: str) -> AssetMaterialization:
    wanted = AssetRecordsFilter(asset_key=AssetKey(stage), asset_partitions=[partition])
    materialization = instance.fetch_materializations(wanted, limit=1).records[0].asset_materialization
    assert materialization is not None
    return materialization


# --- running again -------------------------------------------------------------------------------------------------------


def test_second_ingest_runs_nothing(ingested: Ingested) -> None:
    runs = ingested.instance.get_runs_count()
    assert {o.result for o in _ingest([ingested.feed], ingested.database, ingested.instance)} == {"current"}
    assert ingested.instance.get_runs_count() == runs


def test_dry_run_plans_and_registers_nothing(ingested: Ingested, tmp_path: Path) -> None:
    unseen = tmp_path / "unseen.wav"
    unseen.write_bytes(clip_path(TELEPHONE).read_bytes()[:-2000])
    choice = IngestChoice(dry_run=True)
    [outcome] = _ingest([str(unseen)], ingested.database, ingested.instance, choice)
    assert (outcome.result, outcome.stages) == ("planned", STAGES)
    assert outcome.video is not None
    assert get_video(ingested.database, outcome.video.video_id) is None


def test_forced_run_gives_the_same_rows_from_cached_vectors(ingested: Ingested) -> None:
    tables = {"words": "word_index", "turns": "turn_index", "passages": "passage_index", "local_speakers": "local_speaker"}
    newest = ingested.keys[-1]  # which the feed lists first
    before = {table: ingested.database.frame(table, newest, order) for table, order in tables.items()}
    first = replace(source_named(ingested.feed), limit=1)
    steps = ingest([first], IngestChoice(force=True), ingested.database, ingested.instance)
    outcome = next(step for step in steps if isinstance(step, Outcome) and step.result != "left_out")
    assert outcome.result == "done"
    assert outcome.video is not None
    assert outcome.video.video_id == newest
    for table, order in tables.items():
        again = ingested.database.frame(table, newest, order)
        kept = again.columns.drop("made_at", errors="ignore")  # a new run changes when a centroid was made
        pd.testing.assert_frame_equal(before[table][kept].map(_plain), again[kept].map(_plain), check_exact=False, rtol=1e-4)
    [timing] = ingested.database.query(
        "SELECT cache_hits, cache_misses FROM asset_timings WHERE run_id = %s AND asset = 'voice_embeddings'", [outcome.run_id]
    )
    assert timing == {"cache_hits": float(len(before["turns"])), "cache_misses": 0.0}


def test_changed_model_reruns_its_stage_and_those_below(ingested: Ingested) -> None:
    ingested.database.query(
        "UPDATE stage_outputs SET model_revision = 'older' WHERE video_id = %s AND asset = 'transcript'", [ingested.telephone]
    )
    outcomes = _ingest([ingested.feed], ingested.database, ingested.instance)
    ran = {o.video.video_id: o.stages for o in outcomes if o.video and o.stages}
    assert ran == {ingested.telephone: ("transcript", "text_embeddings")}


def _plain(value: object) -> object:
    return value.to_numpy().round(3).tolist() if isinstance(value, Vector) else value


# --- quality -------------------------------------------------------------------------------------------------------------


def test_words_are_as_good_as_plain_faster_whisper(ingested: Ingested) -> None:
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    from earshot.config.settings import read_settings
    from earshot.models.files import locate
    from earshot.models.registry import WHISPER_BASE

    whisper = WhisperModel(str(locate(WHISPER_BASE, read_settings())), device="cpu", compute_type="int8")
    segments, _ = BatchedInferencePipeline(whisper).transcribe(clip_samples(TELEPHONE), batch_size=8, word_timestamps=True)
    direct = _word_error_rate(" ".join(segment.text for segment in segments))
    ours = _word_error_rate("".join(ingested.database.frame("words", ingested.telephone, "word_index").text))
    print(f"WER of the telephone call: {ours:.3f}, faster-whisper called directly {direct:.3f}")
    assert ours <= direct + 0.03


def _word_error_rate(heard: str) -> float:
    [reference] = read_references(clip_path(TELEPHONE).with_suffix(".stm"))
    said = " ".join(word.text for word in reference.words or ())
    return word_errors(said, heard) / len(normalized(said).split())


def test_evaluation_of_the_call_is_within_what_was_measured(ingested: Ingested) -> None:
    references = [clip_path(TELEPHONE).with_suffix(suffix) for suffix in (".stm", ".rttm")]
    evaluation = open_library().evaluate(*references, video=ingested.telephone)
    words, speaker_words, speakers = vars(evaluation.total).values()
    print(f"The telephone call: WER {words.rate:.3f}, cpWER {speaker_words.rate:.3f}, DER {speakers.rate:.3f}")
    # Measured: WER 0.160, cpWER 0.198, DER 0.071 (collar 0, overlap counted).
    assert words.rate <= 0.20
    assert speaker_words.rate <= 0.24
    assert speaker_words.wrong_share <= 0.05
    assert speakers.rate <= 0.10
    [video] = evaluation.videos
    assert len(video.errors) == words.errors
    assert {each.person: each.identity for each in video.people} == {"Diane": None, "Sheila": None}  # nobody was identified


def test_exports_match_schema_and_have_every_word(ingested: Ingested) -> None:
    schema = json.loads((PROJECT_ROOT / "docs" / "reference" / "export.schema.json").read_text())
    for key in ingested.keys:
        recording = read_recording(ingested.database, key)
        document = json.loads(as_json(recording))
        assert [error.message for error in Draft202012Validator(schema).iter_errors(document)] == []
        words = "".join(word["text"] for word in document["words"]).split()
        assert words == " ".join(segment["words"] for segment in json.loads(as_seglst(recording))).split()
        assert words == " ".join(passage["text"] for passage in document["passages"]).split()


def test_each_recording_has_its_number_of_speakers(ingested: Ingested) -> None:
    counts = [len(ingested.database.frame("local_speakers", key, "local_speaker")) for key in ingested.keys]
    assert counts == [2, 1, 2, 2]


def test_narrator_is_nearest_to_the_same_voice(ingested: Ingested) -> None:
    centroids = {
        (index, row["local_speaker"]): row["centroid"].to_numpy()
        for index, key in enumerate(ingested.keys)
        for row in ingested.database.frame("local_speakers", key, "local_speaker").to_dict("records")
    }
    narrator = centroids.pop((1, "SPEAKER_00"))
    scores = sorted(((float(narrator @ vector), who) for who, vector in centroids.items()), reverse=True)
    assert scores[0][1][0] == 3, scores
    assert scores[0][0] > scores[1][0] + 0.1, scores


@pytest.mark.parametrize("episode", EPISODES, ids=lambda episode: episode.guid)
def test_each_question_finds_its_answer_first(ingested: Ingested, episode: Episode) -> None:
    encoder = Models().text_encoder(require_device("cpu"))
    best = search(ingested.database, encoder, episode.question)[0]
    assert normalized(episode.answer) in normalized(best.text)
    assert best.video_id == ingested.keys[EPISODES.index(episode)]
