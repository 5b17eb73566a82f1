"""Dagster's storage: a process keeps its connection from one statement to the next, and makes another where that has broken."""

from typing import Any

import pytest
from dagster import DagsterInstance
from sqlalchemy import text

from ingest_assets.instance import open_instance
from resources.database import Database

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
