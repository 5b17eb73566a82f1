"""Dagster's storage: one process makes its tables; connections are kept, and replaced when they break."""

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import psycopg2
import pytest
from dagster import DagsterInstance
from dagster._core.remote_origin import RemoteInstigatorOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorType, SensorInstigatorData
from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata, SqlEventLogStorageTable
from dagster._daemon.sensor import get_elapsed
from dagster_postgres import PostgresEventLogStorage
from sqlalchemy import text

from earshot.storage import outages
from earshot.storage.database import Database
from resources.instance.home import open_instance
from resources.instance.storage import EarshotDagsterStorage
from tests.dagster_contract.queued_runs import REPOSITORY

PARTS = ("event_log_storage", "run_storage", "schedule_storage")
STATEMENT_MS = 15_007


pytestmark = pytest.mark.usefixtures("instance")


def _server_process(storage: Any) -> int:
    with storage._engine.connect() as connection:
        return connection.execute(text("SELECT pg_backend_pid()")).scalar_one()


def open_as_webserver() -> DagsterInstance:
    """As dagster-webserver opens it, with another limit for statements."""
    opened = open_instance()
    opened.optimize_for_webserver(statement_timeout=STATEMENT_MS, pool_recycle=3600, max_overflow=20)
    return opened


@pytest.mark.parametrize(("ahead_s", "waits"), [(-1.0, True), (20.0, True), (3600.0, False)])
def test_sensor_whose_last_tick_is_in_the_future_is_due(instance: DagsterInstance, ahead_s: float, waits: bool) -> None:
    origin, at = RemoteInstigatorOrigin(REPOSITORY, "from_the_future"), time.time() + ahead_s
    data = SensorInstigatorData(last_tick_timestamp=at, last_tick_start_timestamp=at, cursor="kept")
    instance.add_instigator_state(InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING, data))
    try:
        [read] = [state for state in instance.all_instigator_state() if state.name == "from_the_future"]
        alone = instance.get_instigator_state(origin.get_id(), origin.get_selector().get_id())
    finally:
        instance.delete_instigator_state(origin.get_id(), origin.get_selector().get_id())
    assert alone == read
    assert (get_elapsed(read) is not None) is waits
    assert isinstance(read.instigator_data, SensorInstigatorData)
    assert read.instigator_data.cursor == "kept"


@pytest.mark.parametrize("open_as", [open_instance, open_as_webserver])
@pytest.mark.parametrize("part", PARTS)
def test_broken_connection_is_replaced(database: Database, part: str, open_as: Callable[[], DagsterInstance]) -> None:
    storage = getattr(open_as(), part)
    first = _server_process(storage)
    assert _server_process(storage) == first
    database.query("SELECT pg_terminate_backend(%s)", [first])
    assert _server_process(storage) != first


def test_instances_of_a_process_share_connections() -> None:
    parts = [getattr(open_instance(), part) for part in PARTS for _ in range(5)]
    assert len({_server_process(storage) for storage in parts}) == 1


@pytest.mark.parametrize("open_as", [open_instance, open_as_webserver])
@pytest.mark.parametrize("part", PARTS)
def test_connecting_waits_for_a_restarting_server(
    monkeypatch: pytest.MonkeyPatch, part: str, open_as: Callable[[], DagsterInstance]
) -> None:
    storage = getattr(open_as(), part)
    first, connect, refusals = _server_process(storage), psycopg2.connect, [1, 2]

    def refuse_twice(*arguments: Any, **parameters: Any) -> Any:
        if refusals:
            refusals.pop()
            raise psycopg2.OperationalError("the database system is starting up")
        return connect(*arguments, **parameters)

    monkeypatch.setattr(outages, "PAUSE_S", 0.01)
    storage._engine.dispose()
    monkeypatch.setattr(psycopg2, "connect", refuse_twice)
    assert _server_process(storage) != first
    assert refusals == []


@pytest.mark.parametrize("part", PARTS)
def test_only_the_webserver_has_a_statement_timeout(part: str) -> None:
    with getattr(open_as_webserver(), part)._engine.connect() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar() == f"{STATEMENT_MS}ms"
    with getattr(open_instance(), part)._engine.connect() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar() == "0"


def test_second_process_waits_for_all_tables(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = database.url.replace("/earshot?", "/at_once?")
    monkeypatch.setenv("EARSHOT_DATABASE_URL", fresh)
    making, returned, go_on = threading.Event(), threading.Event(), threading.Event()
    make = PostgresEventLogStorage._init_db

    def make_slowly(storage: PostgresEventLogStorage) -> None:
        SqlEventLogStorageTable.create(storage._engine)
        making.set()
        go_on.wait(60)
        make(storage)

    monkeypatch.setattr(PostgresEventLogStorage, "_init_db", make_slowly)
    first = threading.Thread(target=EarshotDagsterStorage.from_config_value, args=(None, {}), daemon=True)
    first.start()
    assert making.wait(60)

    def open_second() -> None:
        EarshotDagsterStorage.from_config_value(None, {})
        returned.set()

    second = threading.Thread(target=open_second, daemon=True)
    second.start()
    too_early = returned.wait(2)
    go_on.set()
    assert not too_early, "it took some of the tables for all"
    first.join(60)
    assert returned.wait(60)
    second.join()
    with psycopg.connect(fresh.replace("/at_once?", "/at_once_dagster?")) as connection:
        tables = {row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert set(SqlEventLogStorageMetadata.tables) <= tables
