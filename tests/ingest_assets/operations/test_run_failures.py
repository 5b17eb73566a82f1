"""A run's error is reported wherever it occurred; an error of the set-up ends the whole ingest."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
import soundfile
from dagster import DagsterInstance, DagsterRunStatus, InitResourceContext, RunsFilter

from earshot.common.audio import SAMPLE_RATE
from earshot.common.errors import DatabaseUnusable, DiskFull, EarshotError
from earshot.config.sources_file import source_named
from earshot.storage.catalog.videos import list_videos
from earshot.storage.database import Database
from ingest_assets.operations.ingest import IngestChoice, Outcome, identify_speakers, ingest
from resources.database import DatabaseResource

UNUSABLE = DatabaseUnusable("The server is away.", "Start it.")


def _broken(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """The resource `database` fails, before the first step of any run."""

    @contextmanager
    def fail(*_: Any) -> Iterator[None]:
        raise error
        yield

    monkeypatch.setattr(DatabaseResource, "yield_for_execution", fail)


def _ingested(folder: Path, database: Database, instance: DagsterInstance) -> list[Outcome]:
    soundfile.write(folder / "a.wav", np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    steps = ingest([source_named(str(folder / "a.wav"))], IngestChoice(), database, instance)
    return [step for step in steps if isinstance(step, Outcome)]


def test_failure_before_first_step_keeps_its_message(
    database: Database, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _broken(monkeypatch, RuntimeError("boom"))
    [outcome] = _ingested(tmp_path, database, instance)
    assert (outcome.result, outcome.error) == ("failed", "the run: RuntimeError: boom")
    [video] = list_videos(database)
    assert (video.state, video.last_error) == ("failed", outcome.error)


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (UNUSABLE, DatabaseUnusable, "^The server is away. Start it.$"),
        (OSError(28, "No space left on device"), DiskFull, "No space left on device"),
        (KeyboardInterrupt(), KeyboardInterrupt, "^$"),
    ],
)
def test_set_up_error_leaves_video_new(
    database: Database,
    instance: DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    error: BaseException,
    raised: type[BaseException],
    message: str,
) -> None:
    _broken(monkeypatch, error)
    with pytest.raises(raised, match=message):
        _ingested(tmp_path, database, instance)
    [video] = list_videos(database)
    assert (video.state, video.attempts) == ("new", 0)


def test_failed_identification_raises_its_message(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    _broken(monkeypatch, RuntimeError("boom"))
    with pytest.raises(EarshotError, match="boom"):
        identify_speakers(instance)
    _broken(monkeypatch, UNUSABLE)
    with pytest.raises(DatabaseUnusable, match=r"The server is away. Start it.$"):
        identify_speakers(instance)


def test_run_that_an_outage_broke_is_run_again(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare, outages = DatabaseResource.yield_for_execution, [psycopg.OperationalError("server closed the connection")] * 2

    @contextmanager
    def fail_twice(resource: DatabaseResource, context: InitResourceContext) -> Iterator[DatabaseResource]:
        if outages:
            raise outages.pop()
        with prepare(resource, context) as prepared:
            yield prepared

    monkeypatch.setattr(DatabaseResource, "yield_for_execution", fail_twice)
    assert identify_speakers(instance)["voices"] == 0
    assert outages == []
    statuses = [run.status for run in instance.get_runs(RunsFilter(job_name="identify_people"), limit=3)]
    assert statuses == [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.FAILURE]
