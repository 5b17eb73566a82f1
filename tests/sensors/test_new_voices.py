"""The sensor `new_voices`: it requests one run after each change, and none without a change."""

from collections.abc import Callable
from pathlib import Path

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

from earshot.common.excerpt import FILE, Excerpt
from earshot.config.settings import read_settings
from earshot.speakers.people.identify import identify
from earshot.speakers.tables.corrections import CorrectedSpan, CorrectionKind, add_correction, remove_correction
from earshot.speakers.tables.people import add_enrolment, add_person
from earshot.speakers.tables.voice_space import accept_threshold, voice_space
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from ingest_assets.definitions import defs
from ingest_assets.jobs import LISTING_PRIORITY, NEW_UPLOAD_PRIORITY
from ingest_assets.operations.runs import ACTIVE
from sensors.new_voices import new_voices, state_of

LISTED = "people:\n  - name: Somebody\n    samples:\n      - file: /somewhere.wav\n"


@pytest.fixture(autouse=True)
def people_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a people.yaml that does not exist yet."""
    path = tmp_path / "people.yaml"
    monkeypatch.setenv("EARSHOT_PEOPLE", str(path))
    return path


class Ticks:
    """The sensor's daemon: keeps the cursor of a tick that requested a run."""

    def __init__(self, instance: DagsterInstance) -> None:
        self.instance = instance
        self.cursor: str | None = None
        self.message: str = ""

    def requests_run(self) -> bool:
        """Whether this tick requests a run."""
        answer = new_voices(build_sensor_context(self.instance, cursor=self.cursor))
        if isinstance(answer, SkipReason):
            self.message = str(answer.skip_message)
            return False
        assert isinstance(answer, SensorResult)
        assert len(answer.run_requests or ()) == 1
        self.cursor = answer.cursor
        return True


@pytest.fixture
def ticks(instance: DagsterInstance) -> Ticks:
    return Ticks(instance)


def speak(database: Database, video: str, *speakers: str) -> None:
    register(database, [Video(video, f"/{video}.wav", "/", video)])
    space = voice_space(read_settings())
    centroids = [np.eye(space.dimension, dtype=np.float32)[index] for index in range(len(speakers))]
    rows = pd.DataFrame({"local_speaker": speakers, "speech_s": 60.0, "turns": 1, "clear_s": 30.0, "centroid": centroids})
    database.replace(video, {"local_speakers": rows.assign(**space.columns)})


def test_empty_library_requests_no_run(database: Database, ticks: Ticks, people_file: Path) -> None:
    people_file.write_text(LISTED)
    add_person(database, "Anna")
    assert not ticks.requests_run()


def _person_by_hand(database: Database) -> None:
    with database.connect() as connection:
        person = add_person(database, "Anna").person_id
        add_enrolment(connection, person, Excerpt(FILE, "/a.wav"), False)


CHANGES: dict[str, Callable[[Database], object]] = {
    "a video": lambda database: speak(database, "b", "S0"),
    "a video diarized again": lambda database: speak(database, "a", "S0", "S1"),
    "a video deleted": lambda database: database.query("DELETE FROM videos WHERE video_id = 'z'"),
    "people.yaml": lambda _: read_settings().people.write_text(LISTED),
    "a person enrolled": _person_by_hand,
    "a correction": lambda database: add_correction(
        database, CorrectionKind.SAME, None, [CorrectedSpan("a", 0, 9)], [CorrectedSpan("z", 0, 9)]
    ),
    "a threshold": lambda database: accept_threshold(database, voice_space(read_settings()), 0.4, "this test"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_change_of_identification_requests_one_run(change: str, database: Database, ticks: Ticks) -> None:
    speak(database, "a", "S0", "S1")
    speak(database, "z", "S0")
    assert [ticks.requests_run(), ticks.requests_run()] == [True, False]
    assert "No new voices" in ticks.message
    CHANGES[change](database)
    assert [ticks.requests_run(), ticks.requests_run()] == [True, False]


def test_replaced_correction_requests_a_run(database: Database, ticks: Ticks) -> None:
    speak(database, "a", "S0")
    first = add_correction(database, CorrectionKind.SAME, None, [CorrectedSpan("a", 0, 9)], [CorrectedSpan("a", 10, 19)])
    assert ticks.requests_run()
    remove_correction(database, first)
    add_correction(database, CorrectionKind.DIFFERENT, None, [CorrectedSpan("a", 0, 9)], [CorrectedSpan("a", 10, 19)])
    assert ticks.requests_run()


def test_late_commit_requests_a_run(database: Database, ticks: Ticks) -> None:
    speak(database, "a", "S0")
    speak(database, "z", "S0")
    assert ticks.requests_run()
    database.query("UPDATE local_speakers SET made_at = made_at - interval '1 ms' WHERE video_id = 'a'")  # not the newest
    assert ticks.requests_run()


def test_rows_of_the_run_itself_request_no_run(database: Database, ticks: Ticks, people_file: Path) -> None:
    people_file.write_text(LISTED)
    speak(database, "a", "S0")
    assert ticks.requests_run()
    identify(database)
    assert database.query("SELECT count(*) AS found FROM people, enrolments, identities")[0]["found"] == 1
    assert not ticks.requests_run()


def test_other_model_set_requests_a_run(database: Database, ticks: Ticks, monkeypatch: pytest.MonkeyPatch) -> None:
    speak(database, "a", "S0")
    assert ticks.requests_run()
    monkeypatch.setenv("EARSHOT_MODELS", "large")
    assert ticks.requests_run()


@pytest.mark.parametrize("status", [status for status in ACTIVE if status != DagsterRunStatus.QUEUED])
def test_active_run_defers_the_request(status: DagsterRunStatus, database: Database, ticks: Ticks) -> None:
    speak(database, "a", "S0")
    run = ticks.instance.add_run(DagsterRun(job_name="identify_people", status=status))
    try:
        assert not ticks.requests_run()
        assert "queued or running" in ticks.message
    finally:
        ticks.instance.delete_run(run.run_id)
    assert ticks.requests_run()


def test_runs_of_other_jobs_defer_nothing(database: Database, ticks: Ticks) -> None:
    speak(database, "a", "S0")
    listing = ticks.instance.add_run(DagsterRun(job_name="list_source", status=DagsterRunStatus.STARTED))
    requested = ticks.requests_run()
    ticks.instance.delete_run(listing.run_id)
    assert requested


def test_cursor_has_no_name_and_runs_have_priority(database: Database, instance: DagsterInstance, people_file: Path) -> None:
    people_file.write_text(LISTED)
    speak(database, "a", "S0")
    answer = new_voices(build_sensor_context(instance))
    assert isinstance(answer, SensorResult)
    [request] = answer.run_requests or []
    assert request.job_name == "identify_people"
    assert NEW_UPLOAD_PRIORITY < int(request.tags["dagster/priority"]) < LISTING_PRIORITY
    assert answer.cursor == state_of(database, read_settings())
    assert len(answer.cursor or "") == 32


def test_sensor_is_on_by_default() -> None:
    sensor = defs.resolve_sensor_def("new_voices")
    assert (sensor.default_status, sensor.minimum_interval_seconds) == (DefaultSensorStatus.RUNNING, 30)
