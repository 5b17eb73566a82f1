"""The vector index, and a new text model that takes over once it has every video."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from dagster import (
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    DefaultSensorStatus,
    SensorResult,
    SkipReason,
    build_sensor_context,
)

from earshot.common.errors import ModelUnavailable
from earshot.models import registry
from earshot.models.registry import MINILM, Model
from earshot.storage.database import Database
from earshot.transcripts.search.hits import Hit
from earshot.transcripts.search.query import EVERYTHING, explain, search
from earshot.transcripts.search.text_models import TextModel, count_missing, count_unsearched, list_text_models, searched_model
from earshot.transcripts.search.vector_index import build_index, drop_index, index_bytes, is_indexed
from ingest_assets.assets import search_index as module
from ingest_assets.assets.search_index import maintain, plan
from ingest_assets.definitions import defs
from ingest_assets.operations.ingest import keep_search_index
from sensors.search_upkeep import search_upkeep
from tests.support.timing_rows import keep, usual
from tests.support.videos.spoken_videos import MODEL, add_video

NEW = Model("new", "1", "MIT", 0, dimension=5)
MINILM_LIKE = replace(MINILM, dimension=MODEL.dimension)  # today's model but for its dimension
OLD_MODEL, NEW_MODEL = TextModel("t", "1", 8, True), TextModel("new", "1", 5, False)


@pytest.fixture
def indexed_early(monkeypatch: pytest.MonkeyPatch, database: Database) -> Iterator[Database]:
    """A library that gets an index at three passages; dropped after the test."""
    monkeypatch.setattr(module, "INDEXED_FROM", 3)
    yield database
    with database.connect() as connection:
        drop_index(connection, OLD_MODEL)
        drop_index(connection, NEW_MODEL)


def add_passages(database: Database, video_id: str, model: Model, *texts: str) -> None:
    """Passages of another model, beside those of the video."""
    of_model = {"model": model.name, "model_revision": model.revision}
    rows = [
        {"passage_index": index, "start_s": index * 1.0, "end_s": index + 0.5, "local_speaker": "A", "first_word": 0,
         "last_word": 0, "text": text, "embedding": np.ones(model.dimension, dtype=np.float32), "language": "en", **of_model}
        for index, text in enumerate(texts)
    ]  # fmt: skip
    database.query(
        "INSERT INTO text_models (model, model_revision, dimension) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        [model.name, model.revision, model.dimension],
    )
    database.replace(video_id, {"passages": pd.DataFrame(rows)}, of_model)


def add_timing(database: Database, video_id: str, model: Model) -> None:
    """`text_embeddings` has run with this model; it may have had nothing to embed."""
    keep(database, "text_embeddings", usual(model=model.name, model_revision=model.revision), video_id)


def statements(database: Database) -> list[str]:
    hits: list[Hit] = search(database, None, "statement", 50)
    return sorted(hit.text for hit in hits)


# --- the index -----------------------------------------------------------------------------------------------------------


def test_small_library_needs_no_index(database: Database) -> None:
    add_video(database, "v", ("A", "alpha"))
    assert plan(database, MODEL).description == ""
    assert plan(database, NEW).description == ""


def test_grown_library_gets_its_index_once(indexed_early: Database) -> None:
    add_video(indexed_early, "v", *[("A", "alpha")] * 2)
    assert plan(indexed_early, MODEL).description == ""
    add_video(indexed_early, "w", ("A", "alpha"))
    assert plan(indexed_early, MODEL).description == "t has no index"
    result = maintain(indexed_early, MODEL)
    assert (result.switched, result.removed, result.passages) == (0, 0, 3)
    assert result.index_bytes == index_bytes(indexed_early, OLD_MODEL) > 0
    assert is_indexed(indexed_early, OLD_MODEL)
    assert plan(indexed_early, MODEL).description == ""


def test_interrupted_index_build_is_repeated(indexed_early: Database) -> None:
    add_video(indexed_early, "v", *[("A", "alpha")] * 3)
    build_index(indexed_early, OLD_MODEL)
    name = indexed_early.query("SELECT indexname FROM pg_indexes WHERE indexname LIKE 'passages_vectors_%%'")[0]["indexname"]
    indexed_early.query("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", [name])
    assert plan(indexed_early, MODEL).index == OLD_MODEL
    maintain(indexed_early, MODEL)
    assert is_indexed(indexed_early, OLD_MODEL)


def test_index_build_blocks_no_search_or_write(indexed_early: Database) -> None:
    add_video(indexed_early, "v", *[("A", f"statement {number}") for number in range(400)])
    building = threading.Thread(target=build_index, args=(indexed_early, OLD_MODEL))
    building.start()
    while building.is_alive():
        assert search(indexed_early, None, "statement 7", 1)
        add_video(indexed_early, "w", ("A", "late statement"))
    building.join()
    assert search(indexed_early, None, "late", 1)[0].video_id == "w"


# --- a new text model ----------------------------------------------------------------------------------------------------


@pytest.fixture
def changing(database: Database) -> Database:
    """Two videos of the old model, which is searched; the new model has run over one of them."""
    for video in ("v", "w"):
        add_video(database, video, ("A", f"old statement {video}"), ("A", f"other old statement {video}"))
    add_passages(database, "v", NEW, "new statement v")
    return database


def test_old_model_is_searched_until_new_one_has_every_video(changing: Database) -> None:
    assert count_missing(changing, NEW_MODEL) == 1
    assert plan(changing, NEW).description == ""
    assert {text.split()[-3] for text in statements(changing)} == {"old"}
    assert maintain(changing, NEW).switched == 0
    assert searched_model(changing) == OLD_MODEL


def test_complete_new_model_takes_over(changing: Database) -> None:
    add_passages(changing, "w", NEW, "new statement w")
    assert plan(changing, NEW).description.startswith("new has been run over every video")
    result = maintain(changing, NEW)
    assert (result.switched, result.removed, result.passages) == (1, 4, 2)
    assert statements(changing) == ["new statement v", "new statement w"]
    assert list_text_models(changing) == [replace(NEW_MODEL, searched=True)]
    assert maintain(changing, NEW).switched == 0


def test_video_without_passages_does_not_delay_new_model(changing: Database) -> None:
    add_timing(changing, "w", NEW)
    assert count_missing(changing, NEW_MODEL) == 0
    assert maintain(changing, NEW).switched == 1


def test_new_model_is_indexed_before_it_is_searched(indexed_early: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    add_video(indexed_early, "v", ("A", "alpha"))
    add_passages(indexed_early, "v", NEW, "one", "two", "three")
    indexed = []
    monkeypatch.setattr(module, "switch_to", lambda *_: indexed.append(is_indexed(indexed_early, NEW_MODEL)))
    maintain(indexed_early, NEW)
    assert indexed == [True]


def test_passages_of_abandoned_model_are_removed(changing: Database) -> None:
    assert maintain(changing, MODEL).removed == 1
    assert list_text_models(changing) == [OLD_MODEL]


def test_video_of_new_model_only_is_reported_as_not_searched(changing: Database) -> None:
    add_video(changing, "x", ("A", "alpha"))
    changing.query("DELETE FROM passages WHERE video_id = 'x'")
    add_passages(changing, "x", NEW, "new statement x")
    assert count_unsearched(changing) == 1
    note = explain(changing, search(changing, None, "statement"), EVERYTHING)
    assert note.startswith("1 video with passages of new only is not searched yet")


def test_unknown_model_is_refused() -> None:
    with pytest.raises(ModelUnavailable, match="text model t 1"):
        assert OLD_MODEL.described
    assert TextModel(MINILM.name, MINILM.revision, 384, True).described is MINILM


def test_search_during_switch_mixes_no_models(changing: Database) -> None:
    add_passages(changing, "w", NEW, "new statement w")
    results: set[tuple[str, ...]] = set()
    switched = threading.Event()

    def search_repeatedly() -> None:
        while not switched.is_set():
            results.add(tuple(statements(changing)))

    searching = threading.Thread(target=search_repeatedly)
    searching.start()
    maintain(changing, NEW)
    switched.set()
    searching.join()
    old = sorted(f"{other}old statement {video}" for video in "vw" for other in ("", "other "))
    assert results <= {tuple(old), ("new statement v", "new statement w")}


# --- asset, sensor, command ----------------------------------------------------------------------------------------------


def test_asset_switches_model_and_returns_figures(
    database: Database, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_video(database, "v", ("A", "alpha"))
    monkeypatch.setitem(registry.SETS, "bundled", replace(registry.SETS["bundled"], text=NEW))
    add_passages(database, "v", NEW, "new statement v")
    figures = keep_search_index(database, instance)
    assert figures.pop("build_s") < 10
    assert figures == {"switched": 1.0, "removed": 1.0, "passages": 1.0, "index_bytes": 0.0}
    assert keep_search_index(database, instance) == {}


def test_sensor_requests_one_run(indexed_early: Database, instance: DagsterInstance) -> None:
    add_video(indexed_early, "v", ("A", "alpha"), model=MINILM_LIKE)
    assert isinstance(search_upkeep(build_sensor_context(instance)), SkipReason)
    add_video(indexed_early, "w", *[("A", "alpha")] * 3, model=MINILM_LIKE)
    answer = search_upkeep(build_sensor_context(instance))
    assert isinstance(answer, SensorResult)
    assert [request.job_name for request in answer.run_requests or ()] == ["keep_search_index"]
    again = search_upkeep(build_sensor_context(instance, cursor=answer.cursor))
    assert isinstance(again, SkipReason)
    assert "Already requested, but still to be done: all-MiniLM" in str(again.skip_message)


def test_sensor_waits_for_an_active_run(indexed_early: Database, instance: DagsterInstance) -> None:
    add_video(indexed_early, "w", *[("A", "alpha")] * 3, model=MINILM_LIKE)
    run = instance.add_run(DagsterRun(job_name="keep_search_index", status=DagsterRunStatus.STARTED))
    try:
        answer = search_upkeep(build_sensor_context(instance))
    finally:
        instance.delete_run(run.run_id)
    assert "queued or running" in str(answer.skip_message if isinstance(answer, SkipReason) else "")


def test_sensor_is_on_by_default() -> None:
    assert defs.resolve_sensor_def("search_upkeep").default_status == DefaultSensorStatus.RUNNING
