"""The index of vectors, and a new text model that takes over when it has every video."""

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
from earshot.transcripts.search.query import EVERYTHING, Hit, explain, search
from earshot.transcripts.search.text_models import TextModel, count_missing, count_unsearched, list_text_models, searched_model
from earshot.transcripts.search.vector_index import build_index, drop_index, index_bytes, is_indexed
from ingest_assets.assets import search_index as module
from ingest_assets.assets.search_index import maintain, plan
from ingest_assets.definitions import defs
from ingest_assets.operations.ingest import keep_search_index
from sensors.search_upkeep import search_upkeep
from tests.support.spoken_videos import MODEL, add_video

NEW = Model("new", "1", "MIT", 0, dimension=5)
MINILM_LIKE = replace(MINILM, dimension=MODEL.dimension)  # today's, as far as anybody but its vectors can tell
OLD_MODEL, NEW_MODEL = TextModel("t", "1", 8, True), TextModel("new", "1", 5, False)


@pytest.fixture
def indexed_early(monkeypatch: pytest.MonkeyPatch, database: Database) -> Iterator[Database]:
    """A library that wants an index from three passages on; without any after the test."""
    monkeypatch.setattr(module, "INDEXED_FROM", 3)
    yield database
    with database.connect() as connection:
        drop_index(connection, OLD_MODEL)
        drop_index(connection, NEW_MODEL)


def add_passages(database: Database, video_id: str, model: Model, *texts: str) -> None:
    """Passages of another model beside those that the video has."""
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
    """`text_embeddings` has been run with this model, whether there was anything to embed or not."""
    columns = database.query(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'asset_timings' "
        "AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'"
    )
    row = {each["column_name"]: "" if each["data_type"] == "text" else 0.0 for each in columns}
    row |= {"video_id": video_id, "asset": "text_embeddings", "model": model.name, "model_revision": model.revision}
    names, places = ", ".join(row), ", ".join(f"%({name})s" for name in row)
    database.query(f"INSERT INTO asset_timings ({names}) VALUES ({places})", row)  # noqa: S608


def said(database: Database) -> list[str]:
    hits: list[Hit] = search(database, None, "statement", 50)
    return sorted(hit.text for hit in hits)


# --- the index -----------------------------------------------------------------------------------------------------------


def test_a_small_library_needs_nothing(database: Database) -> None:
    add_video(database, "v", ("A", "alpha"))
    assert plan(database, MODEL).told == ""
    assert plan(database, NEW).told == ""


def test_a_library_that_has_grown_gets_its_index_once(indexed_early: Database) -> None:
    add_video(indexed_early, "v", *[("A", "alpha")] * 2)
    assert plan(indexed_early, MODEL).told == ""
    add_video(indexed_early, "w", ("A", "alpha"))
    assert plan(indexed_early, MODEL).told == "t has no index"
    done = maintain(indexed_early, MODEL)
    assert (done.switched, done.removed, done.passages) == (0, 0, 3)
    assert done.index_bytes == index_bytes(indexed_early, OLD_MODEL) > 0
    assert is_indexed(indexed_early, OLD_MODEL)
    assert plan(indexed_early, MODEL).told == ""


def test_interrupted_index_build_is_repeated(indexed_early: Database) -> None:
    add_video(indexed_early, "v", *[("A", "alpha")] * 3)
    build_index(indexed_early, OLD_MODEL)
    name = indexed_early.query("SELECT indexname FROM pg_indexes WHERE indexname LIKE 'passages_vectors_%%'")[0]["indexname"]
    indexed_early.query("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", [name])
    assert plan(indexed_early, MODEL).index == OLD_MODEL
    maintain(indexed_early, MODEL)
    assert is_indexed(indexed_early, OLD_MODEL)


def test_searches_and_writes_go_on_while_an_index_is_built(indexed_early: Database) -> None:
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
    """Two videos that are searched with the old model; one of them has been run with the new one."""
    for video in ("v", "w"):
        add_video(database, video, ("A", f"old statement {video}"), ("A", f"other old statement {video}"))
    add_passages(database, "v", NEW, "new statement v")
    return database


def test_old_model_is_searched_until_new_one_has_every_video(changing: Database) -> None:
    assert count_missing(changing, NEW_MODEL) == 1
    assert plan(changing, NEW).told == ""
    assert {text.split()[-3] for text in said(changing)} == {"old"}
    assert maintain(changing, NEW).switched == 0
    assert searched_model(changing) == OLD_MODEL


def test_when_it_has_every_video_it_takes_over_and_the_old_passages_go(changing: Database) -> None:
    add_passages(changing, "w", NEW, "new statement w")
    assert plan(changing, NEW).told == "new has been run over every video and takes over; passages of t are left over"
    done = maintain(changing, NEW)
    assert (done.switched, done.removed, done.passages) == (1, 4, 2)
    assert said(changing) == ["new statement v", "new statement w"]
    assert list_text_models(changing) == [replace(NEW_MODEL, searched=True)]
    assert maintain(changing, NEW).switched == 0


def test_video_without_passages_does_not_delay_new_model(changing: Database) -> None:
    add_timing(changing, "w", NEW)
    assert count_missing(changing, NEW_MODEL) == 0
    assert maintain(changing, NEW).switched == 1


def test_the_new_model_has_its_index_before_it_is_searched(indexed_early: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    add_video(indexed_early, "v", ("A", "alpha"))
    add_passages(indexed_early, "v", NEW, "one", "two", "three")
    indexed = []
    monkeypatch.setattr(module, "switch_to", lambda *_: indexed.append(is_indexed(indexed_early, NEW_MODEL)))
    maintain(indexed_early, NEW)
    assert indexed == [True]


def test_passages_of_a_model_that_was_given_up_are_removed(changing: Database) -> None:
    assert plan(changing, MODEL).told == "passages of new are left over"
    assert maintain(changing, MODEL).removed == 1
    assert list_text_models(changing) == [OLD_MODEL]


def test_video_of_new_model_only_is_reported_as_not_searched(changing: Database) -> None:
    add_video(changing, "x", ("A", "alpha"))
    changing.query("DELETE FROM passages WHERE video_id = 'x'")
    add_passages(changing, "x", NEW, "new statement x")
    assert count_unsearched(changing) == 1
    told = explain(changing, search(changing, None, "statement"), EVERYTHING)
    assert told.startswith("1 video with passages of new only is not searched yet: the library is searched with t until")


def test_unknown_model_error_says_what_to_do() -> None:
    with pytest.raises(ModelUnavailable, match="searched with text model t 1, which this version does not have"):
        assert OLD_MODEL.described
    assert TextModel(MINILM.name, MINILM.revision, 384, True).described is MINILM


def test_a_search_during_the_switch_mixes_no_models(changing: Database) -> None:
    add_passages(changing, "w", NEW, "new statement w")
    seen: list[list[str]] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            seen.append(said(changing))

    asking = threading.Thread(target=ask)
    asking.start()
    maintain(changing, NEW)
    over.set()
    asking.join()
    old = sorted(f"{other}old statement {video}" for video in "vw" for other in ("", "other "))
    assert {tuple(each) for each in seen} <= {tuple(old), ("new statement v", "new statement w")}


# --- asset, sensor, command ----------------------------------------------------------------------------------------------


def test_the_asset_does_it_and_tells_figures(
    database: Database, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_video(database, "v", ("A", "alpha"))
    monkeypatch.setitem(registry.SETS, "bundled", replace(registry.SETS["bundled"], text=NEW))
    add_passages(database, "v", NEW, "new statement v")
    figures = keep_search_index(database, instance)
    assert figures.pop("build_s") < 10
    assert figures == {"switched": 1.0, "removed": 1.0, "passages": 1.0, "index_bytes": 0.0}
    assert keep_search_index(database, instance) == {}


def test_the_sensor_asks_once_for_what_there_is_to_do(indexed_early: Database, instance: DagsterInstance) -> None:
    add_video(indexed_early, "v", ("A", "alpha"), model=MINILM_LIKE)
    assert isinstance(search_upkeep(build_sensor_context(instance)), SkipReason)
    add_video(indexed_early, "w", *[("A", "alpha")] * 3, model=MINILM_LIKE)
    answer = search_upkeep(build_sensor_context(instance))
    assert isinstance(answer, SensorResult)
    assert [request.job_name for request in answer.run_requests or ()] == ["keep_search_index"]
    again = search_upkeep(build_sensor_context(instance, cursor=answer.cursor))
    assert isinstance(again, SkipReason)
    assert "Already requested, but still to be done: all-MiniLM" in str(again.skip_message)


def test_while_a_run_is_under_way_the_sensor_waits(indexed_early: Database, instance: DagsterInstance) -> None:
    add_video(indexed_early, "w", *[("A", "alpha")] * 3, model=MINILM_LIKE)
    run = instance.add_run(DagsterRun(job_name="keep_search_index", status=DagsterRunStatus.STARTED))
    try:
        answer = search_upkeep(build_sensor_context(instance))
    finally:
        instance.delete_run(run.run_id)
    assert "queued or running" in str(answer.skip_message if isinstance(answer, SkipReason) else "")


def test_the_sensor_runs_by_itself() -> None:
    assert defs.resolve_sensor_def("search_upkeep").default_status == DefaultSensorStatus.RUNNING
