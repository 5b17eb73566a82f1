"""Pooled connections to a real Postgres, distinguished by their server process."""

import multiprocessing
import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest

from earshot.common.errors import DatabaseUnusable
from earshot.storage import pool
from earshot.storage.database import Database
from earshot.storage.pool import close_pool, pooled_connection
from tests.support.earshot_up import wait


@pytest.fixture(autouse=True)
def _own_pool(database: Database) -> Iterator[None]:
    """A fresh pool of one connection."""
    close_pool(database.url)
    yield
    close_pool(database.url)


def server_process(database: Database) -> int:
    return database.query("SELECT pg_backend_pid() AS number")[0]["number"]


def test_successive_operations_share_a_connection(database: Database) -> None:
    assert server_process(database) == server_process(database)


def test_concurrent_operations_have_their_own(database: Database) -> None:
    with database.connect() as connection:
        assert connection.info.backend_pid != server_process(database)


def test_idle_connections_are_closed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MAX_IDLE_S", 0.1)
    with database.connect() as first, database.connect() as second:
        opened = [connection.info.backend_pid for connection in (first, second)]

    def left() -> int:
        with psycopg.connect(database.url) as other:
            rows = other.execute("SELECT FROM pg_stat_activity WHERE pid = ANY(%s)", [opened])
            return rows.rowcount

    wait(lambda: left() == pool.KEPT, 30, "idle connections are kept")


def test_maximum_of_connections_is_served(database: Database) -> None:
    connected, numbers = threading.Barrier(pool.MOST), []

    def connect() -> None:
        with database.connect() as connection:
            numbers.append(connection.info.backend_pid)
            connected.wait(60)

    threads = [threading.Thread(target=connect) for _ in range(pool.MOST)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(numbers)) == pool.MOST


def test_terminated_connection_is_replaced(database: Database) -> None:
    before = server_process(database)
    with psycopg.connect(database.url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [before])
    assert server_process(database) != before


def test_connection_broken_in_use_is_replaced(database: Database, caplog: pytest.LogCaptureFixture) -> None:
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


def test_connection_is_reused_after_failed_transaction(database: Database) -> None:
    before = server_process(database)
    with pytest.raises(psycopg.errors.DivisionByZero), database.connect() as connection:
        connection.execute("INSERT INTO sources (source) SELECT 'https://' || 1 / n FROM unnest(ARRAY[1, 0]) AS n")
    assert server_process(database) == before
    assert database.query("SELECT source FROM sources") == []


def read(database: Database) -> None:
    with database.snapshot() as snapshot:
        snapshot.query("SELECT 1")


def fail(database: Database) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero), database.snapshot() as snapshot:
        snapshot.query("SELECT 1 / 0")


@pytest.mark.parametrize("use", [read, fail])
def test_connection_is_writable_after_snapshot(database: Database, use: Callable[[Database], None]) -> None:
    before = server_process(database)
    use(database)
    database.query("INSERT INTO sources (source) VALUES ('https://x')")
    assert server_process(database) == before
    assert database.query("SHOW transaction_isolation") == [{"transaction_isolation": "read committed"}]


def test_statements_are_never_prepared(database: Database) -> None:
    for _ in range(20):
        database.query("SELECT %s::int", [1])
    assert database.query("SELECT * FROM pg_prepared_statements") == []


def test_forked_process_has_its_own_connection(database: Database) -> None:
    before, context = server_process(database), multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=lambda: sender.send(server_process(database)))
    child.start()
    assert receiver.poll(30)
    assert receiver.recv() != before
    child.join()
    assert server_process(database) == before  # the child has not closed it


def test_missing_server_is_an_error() -> None:
    threads = threading.active_count()
    with pytest.raises(DatabaseUnusable, match="does not answer"), pooled_connection("postgresql://127.0.0.1:9/earshot"):
        pass
    assert threading.active_count() == threads
