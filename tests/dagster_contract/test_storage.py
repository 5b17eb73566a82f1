"""Dagster's storage: its tables are made by one process, whose connections are kept and replaced where they have broken."""

import threading
from typing import Any

import psycopg
import pytest
from dagster import DagsterInstance
from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata, SqlEventLogStorageTable
from dagster_postgres import PostgresEventLogStorage
from sqlalchemy import text

from earshot.storage.database import Database
from resources.instance.home import open_instance
from resources.instance.storage import EarshotDagsterStorage

PARTS = ("event_log_storage", "run_storage", "schedule_storage")


def _server_process(storage: Any) -> int:
    with storage._engine.connect() as connection:
        return connection.execute(text("SELECT pg_backend_pid()")).scalar_one()


@pytest.mark.parametrize("part", PARTS)
def test_a_connection_is_kept_and_a_broken_one_is_replaced(database: Database, instance: DagsterInstance, part: str) -> None:
    assert instance
    storage = getattr(open_instance(), part)
    first = _server_process(storage)
    assert _server_process(storage) == first
    database.query("SELECT pg_terminate_backend(%s)", [first])
    assert _server_process(storage) != first


def test_all_instances_of_a_process_share_their_connections(instance: DagsterInstance) -> None:
    assert instance
    parts = [getattr(open_instance(), part) for part in PARTS for _ in range(5)]
    assert len({_server_process(storage) for storage in parts}) == 1


def test_second_process_waits_until_the_first_has_made_all_tables(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert not too_early, "it took half of the tables for all of them"
    first.join(60)
    assert returned.wait(60)
    second.join()
    with psycopg.connect(fresh.replace("/at_once?", "/at_once_dagster?")) as connection:
        found = {row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert set(SqlEventLogStorageMetadata.tables) <= found
