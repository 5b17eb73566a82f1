"""Kept connections: with a real Postgres, whose numbers of server processes tell one connection from another."""

import functools
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest

from earshot.common.errors import DatabaseUnusable
from earshot.storage import pool
from earshot.storage.database import Database
from earshot.storage.pool import pooled_connection
from tests.support.earshot_up import wait


@pytest.fixture(autouse=True)
def _own_pool(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A pool as a process begins with it: one connection."""
    monkeypatch.setattr(pool, "_pool", functools.cache(pool._pool.__wrapped__))
    yield
    pool._pool(database.url, os.getpid()).close()


def server_process(database: Database) -> int:
    return database.query("SELECT pg_backend_pid() AS number")[0]["number"]


def test_operations_one_after_another_share_a_connection(database: Database) -> None:
    assert server_process(database) == server_process(database)


def test_those_at_the_same_time_do_not(database: Database) -> None:
    with database.connect() as connection:
        assert connection.info.backend_pid != server_process(database)


def test_those_beyond_the_kept_one_are_closed_when_they_are_not_needed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "MAX_IDLE_S", 0.1)
    with database.connect(), database.connect() as second:
        assert server_process(database) != second.info.backend_pid
    kept = pool._pool(database.url, os.getpid())
    wait(lambda: kept.get_stats()["pool_size"] == pool.KEPT, 30, "connections are kept that nobody needs")


def test_all_that_ask_at_once_are_served(database: Database) -> None:
    asking, numbers = threading.Barrier(pool.MOST), []

    def ask() -> None:
        with database.connect() as connection:
            numbers.append(connection.info.backend_pid)
            asking.wait(60)

    threads = [threading.Thread(target=ask) for _ in range(pool.MOST)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(numbers)) == pool.MOST


def test_one_that_the_server_has_ended_is_replaced(database: Database) -> None:
    before = server_process(database)
    with psycopg.connect(database.url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [before])
    assert server_process(database) != before


def test_one_that_broke_while_it_was_used_is_not_kept(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    before = server_process(database)
    with pytest.raises(psycopg.OperationalError):
        database.query("SELECT pg_terminate_backend(pg_backend_pid())")
    assert server_process(database) != before
    assert caplog.text == ""


def test_server_that_comes_back_is_waited_for(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    before, connect = server_process(database), psycopg.Connection.connect.__func__
    refusals = iter([True, True, False])

    def refuse_twice(cls: type[psycopg.Connection], *arguments: str, **parameters: object) -> psycopg.Connection:
        if next(refusals, False):
            raise psycopg.OperationalError("the database system is starting up")
        return connect(cls, *arguments, **parameters)

    with psycopg.connect(database.url, autocommit=True) as other:
        monkeypatch.setattr(psycopg.Connection, "connect", classmethod(refuse_twice))
        other.execute("SELECT pg_terminate_backend(%s)", [before])
    assert server_process(database) != before
    assert not next(refusals, False)


def test_what_failed_leaves_nothing_and_the_connection_serves_again(database: Database) -> None:
    before = server_process(database)
    with pytest.raises(psycopg.errors.DivisionByZero), database.connect() as connection:
        connection.execute("INSERT INTO sources (source) SELECT 'https://' || 1 / n FROM unnest(ARRAY[1, 0]) AS n")
    assert server_process(database) == before
    assert database.query("SELECT source FROM sources") == []


def left_alone(database: Database) -> None:
    with database.snapshot() as seen:
        seen.query("SELECT 1")


def broken_off(database: Database) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero), database.snapshot() as seen:
        seen.query("SELECT 1 / 0")


@pytest.mark.parametrize("look", [left_alone, broken_off])
def test_after_a_snapshot_the_connection_can_be_written_by(database: Database, look: Callable[[Database], None]) -> None:
    before = server_process(database)
    look(database)
    database.query("INSERT INTO sources (source) VALUES ('https://x')")
    assert server_process(database) == before
    assert database.query("SHOW transaction_isolation") == [{"transaction_isolation": "read committed"}]


def test_nothing_is_prepared_however_often_it_is_asked(database: Database) -> None:
    for _ in range(20):
        database.query("SELECT %s::int", [1])
    assert database.query("SELECT * FROM pg_prepared_statements") == []


def test_a_forked_process_has_its_own(database: Database) -> None:
    before, context = server_process(database), multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=lambda: sender.send(server_process(database)))
    child.start()
    assert receiver.poll(30)
    assert receiver.recv() != before
    child.join()
    assert server_process(database) == before  # the child has not closed it


def test_a_server_that_is_not_there_is_told() -> None:
    threads = threading.active_count()
    with (
        pytest.raises(DatabaseUnusable, match="Postgres does not answer"),
        pooled_connection("postgresql://127.0.0.1:9/earshot"),
    ):
        pass
    assert threading.active_count() == threads
