"""Dagster's storage: a process keeps its connection from one statement to the next, and makes another where that has broken."""

from typing import Any

import pytest
from dagster import DagsterInstance
from sqlalchemy import text

from ingest_assets.instance import open_instance


def _server_process(storage: Any) -> int:
    with storage._engine.connect() as connection:
        return connection.execute(text("SELECT pg_backend_pid()")).scalar_one()


@pytest.mark.parametrize("part", ["event_log_storage", "run_storage", "schedule_storage"])
def test_a_connection_is_kept_and_a_broken_one_is_replaced(instance: DagsterInstance, part: str) -> None:
    storage = getattr(open_instance(), part)
    first = _server_process(storage)
    assert _server_process(storage) == first
    with instance.run_storage._engine.connect() as other:  # pyright: ignore[reportAttributeAccessIssue]
        other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": first})
    assert _server_process(storage) != first
