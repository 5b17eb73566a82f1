"""Vectors are cached by audio, samples and voice space; with the real encoder."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.corpora.episodes import TELEPHONE, clip_samples
from earshot.common.audio import SAMPLE_RATE
from earshot.models import registry
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.speakers.tables.voice_cache import cached_embeddings
from earshot.speakers.tables.voice_space import PREPARATION, VoiceSpace
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from ingest_assets.assets.voice_embeddings import voice_embeddings
from tests.support.videos.one_video import metadata_of, put_audio, put_turns, run

VIDEO = Video("v1", "/a.mp3", "/", "A")
EAST = np.eye(3, dtype=np.float32)[0]
SPACE = VoiceSpace("campplus", "r1", "pieces", 3)

# --- the key -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def embedded(database: Database) -> Database:
    """A video whose first turn, samples 0 to 16000, has a vector; its second is forgotten."""
    register(database, [VIDEO])
    columns = {"audio_sha256": "of the samples", "first_sample": 0, "last_sample": 16_000, **SPACE.columns}
    rows = [
        {"turn_index": 0, "condition": "clear", "embedding": EAST, **columns},
        {"turn_index": 1, "condition": "forgotten", "embedding": None, **columns, "first_sample": 1},
    ]
    database.replace("v1", {"voice_embeddings": pd.DataFrame(rows)})
    return database


def test_stored_vector_is_cached_exactly(embedded: Database) -> None:
    cached = cached_embeddings(embedded, SPACE, "of the samples")
    assert list(cached) == [(0, 16_000)]
    assert np.array([cached[0, 16_000]], dtype=np.float32).tolist() == [EAST.tolist()]


@pytest.mark.parametrize(
    ("audio_sha256", "space"),
    [
        ("of other samples", SPACE),
        ("of the samples", replace(SPACE, model="wespeaker")),
        ("of the samples", replace(SPACE, model_revision="r2")),
        ("of the samples", replace(SPACE, preparation="other pieces")),
        ("of the samples", replace(SPACE, dimension=4)),
    ],
)
def test_vector_of_other_audio_or_space_is_not_cached(embedded: Database, audio_sha256: str, space: VoiceSpace) -> None:
    assert cached_embeddings(embedded, space, audio_sha256) == {}


def test_preparation_is_part_of_the_code_version() -> None:
    assert PREPARATION in (voice_embeddings.code_versions_by_key[voice_embeddings.key] or "")


# --- the asset -----------------------------------------------------------------------------------------------------------

TURNS = [(6.75, 8.25, "A"), (8.32, 9.94, "B"), (10.98, 14.31, "B"), (14.8, 17.8, "A"), (18.0, 18.3, "A")]


@pytest.fixture
def diarized(database: Database, home: Path) -> Database:
    """The beginning of the telephone call with five turns, the last too short."""
    assert home.exists()
    put_audio(database, "v1", clip_samples(TELEPHONE)[: 20 * SAMPLE_RATE])
    put_turns(database, "v1", TURNS)
    return database


def hits_and_misses() -> tuple[object, object]:
    """Run the asset; returns these figures of its metadata."""
    metadata = metadata_of(run(voice_embeddings, "v1"))
    return metadata["cache_hits"], metadata["cache_misses"]


def vectors(database: Database) -> dict[tuple[int, int], list[float] | None]:
    rows = database.frame("voice_embeddings", "v1", "turn_index").to_dict("records")
    return {
        (row["first_sample"], row["last_sample"]): None if row["embedding"] is None else row["embedding"].to_list()
        for row in rows
    }


@pytest.mark.slow
def test_second_run_computes_nothing(diarized: Database) -> None:
    assert hits_and_misses() == (0.0, 5.0)
    first = vectors(diarized)
    assert hits_and_misses() == (5.0, 0.0)
    assert vectors(diarized) == first
    figures = "SELECT cache_hits, cache_misses, inputs FROM asset_timings WHERE asset = 'voice_embeddings' ORDER BY timing_id"
    assert [tuple(row.values()) for row in diarized.query(figures)] == [(0.0, 5.0, 5.0), (5.0, 0.0, 0.0)]


@pytest.mark.slow
def test_only_a_changed_turn_is_recomputed(diarized: Database) -> None:
    hits_and_misses()
    first = vectors(diarized)
    put_turns(diarized, "v1", [*TURNS[:3], (14.8, 17.0, "A"), TURNS[4]])
    assert hits_and_misses() == (4.0, 1.0)
    changed = vectors(diarized)
    assert {span for span in changed if changed[span] != first.get(span)} == {(236_800, 272_000)}


@pytest.mark.slow
def test_same_audio_in_another_video_is_cached(diarized: Database) -> None:
    hits_and_misses()
    put_audio(diarized, "again", clip_samples(TELEPHONE)[: 20 * SAMPLE_RATE])
    put_turns(diarized, "again", TURNS)
    assert metadata_of(run(voice_embeddings, "again"))["cache_hits"] == 5.0


@pytest.mark.slow
@pytest.mark.parametrize("changed", ["revision", "preparation"])
def test_another_voice_space_recomputes_everything(diarized: Database, monkeypatch: pytest.MonkeyPatch, changed: str) -> None:
    hits_and_misses()
    if changed == "preparation":
        monkeypatch.setattr("earshot.speakers.tables.voice_space.PREPARATION", "another")
    else:
        bundled = registry.SETS["bundled"]
        monkeypatch.setitem(registry.SETS, "bundled", replace(bundled, voice=replace(bundled.voice, revision="another")))
    assert hits_and_misses() == (0.0, 5.0)
    for table in ("voice_embeddings", "local_speakers"):
        spaces = diarized.frame(table, "v1", "model")[["model", "model_revision", "preparation"]].drop_duplicates()
        assert (spaces == "another").to_numpy().sum() == len(spaces) == 1
    assert hits_and_misses() == (5.0, 0.0)


@pytest.mark.slow
def test_short_turn_is_embedded_but_not_in_the_centroid(diarized: Database) -> None:
    run(voice_embeddings, "v1")
    rows = diarized.frame("voice_embeddings", "v1", "turn_index")
    assert rows.condition.tolist() == ["clear"] * 4 + ["too_short"]
    unit = [row.to_numpy() for row in rows.embedding]
    assert np.linalg.norm(unit[4]) == pytest.approx(1.0, abs=1e-4)
    speaker = diarized.frame("local_speakers", "v1", "local_speaker").iloc[0]
    assert speaker.clear_s == pytest.approx(4.5)
    mean = 1.5 * unit[0] + 3.0 * unit[3]
    np.testing.assert_allclose(speaker.centroid.to_numpy(), mean / np.linalg.norm(mean), atol=1e-5)


@pytest.mark.slow
def test_forgotten_turns_get_no_vectors(diarized: Database) -> None:
    run(voice_embeddings, "v1")
    diarized.query("INSERT INTO forgotten_spans VALUES ('v1', 6.0, 8.3), ('v1', 14.5, 18.5)")
    diarized.query("UPDATE voice_embeddings SET embedding = NULL, condition = 'forgotten' WHERE turn_index IN (0, 3, 4)")
    assert hits_and_misses() == (2.0, 0.0)
    assert [vector is None for vector in vectors(diarized).values()] == [True, False, False, True, True]
    speakers = diarized.frame("local_speakers", "v1", "local_speaker").set_index("local_speaker")
    assert speakers.centroid["A"] is None
    assert (speakers.clear_s["A"], speakers.turns["A"]) == (0.0, 3)
    assert speakers.centroid["B"] is not None


@pytest.mark.slow
def test_entirely_forgotten_video_still_runs(diarized: Database) -> None:
    diarized.query("INSERT INTO forgotten_spans VALUES ('v1', 0.0, 20.0)")
    assert hits_and_misses() == (0.0, 0.0)
    assert set(vectors(diarized).values()) == {None}


# --- the preparation -----------------------------------------------------------------------------------------------------

# For known samples: the sha256 of the pieces passed to the network, and in every sixteenth band the mean absolute deviation of
# the features of the first second. If the last test fails, vectors have changed: rename PREPARATION and record it here.
FINGERPRINTS = {
    "pieces-1-2-4-8s": (
        "8aae655fa688a08e0ee29be722e227fe10655b8aaa74f428cda96e04fd618406",
        (0.363, 0.788, 0.817, 0.845, 0.874),
    )
}


@pytest.mark.slow
def test_preparation_names_the_piece_lengths() -> None:
    from earshot.models.voice.voice_encoder import PIECE_LENGTHS

    assert "-".join(str(length // SAMPLE_RATE) for length in PIECE_LENGTHS) in PREPARATION


@pytest.mark.slow
def test_preparation_of_known_samples_is_unchanged(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from earshot.models.networks.filter_bank import MEL_BANDS, features

    assert home.exists()
    encoder = Models().voice_encoder(require_device("cpu"))
    pieces_sha256 = hashlib.sha256()

    def record(waveforms: np.ndarray) -> np.ndarray:
        pieces_sha256.update(waveforms.tobytes())
        return waveforms

    samples = (np.arange(40 * SAMPLE_RATE) % 9973 / 9973).astype(np.float32)
    spans = [(0, 300), (5, 16_005), (7, 40_000), (100, 100_000), (1_000, 640_000)]
    with monkeypatch.context() as patch:
        patch.setattr(encoder._network, "frames", record)
        patch.setattr(encoder._network, "vectors", lambda frames: np.ones((len(frames), encoder.dimension)))
        encoder.encode(samples, spans)
    levels = np.abs(features(samples[:SAMPLE_RATE])).mean(axis=0)
    pieces, means = FINGERPRINTS[PREPARATION]
    assert pieces_sha256.hexdigest() == pieces
    assert levels[:: MEL_BANDS // 5].tolist() == pytest.approx(means, abs=1e-2)
