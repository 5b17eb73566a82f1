"""Waiting for a restarting database server, and really broken connections under Earshot's locks and Dagster."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import psycopg
import psycopg2
import pytest
from dagster import DagsterInstance, asset, materialize
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from earshot.common.errors import DatabaseUnusable, DiskFull
from earshot.storage import locks, outages
from earshot.storage.database import Database
from earshot.storage.locks import is_held_elsewhere, lock, wait_for_holders
from earshot.storage.outages import (
    connect_with_retry,
    explain_outage,
    is_outage,
    refuse_gone,
    revive_with,
    server_of,
    wait_for_restarts,
)
from ingest_assets.stages.stage import retry_after_outage
from resources.instance.dagster_internals import WILL_RETRY_TAG
from tests.support.earshot_up import wait

URL = "postgresql://postgres@/earshot?host=/tmp/nowhere"
OTHER_URL = "postgresql://postgres@/earshot?host=/tmp/elsewhere"


class Refused(Exception):
    pass


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server has answered yet, and retries are short."""
    for known in ("_outages", "_revivals"):
        monkeypatch.setattr(outages, known, {})
    monkeypatch.setattr(outages, "_answered", set())
    monkeypatch.setattr(outages, "RECONNECT_S", 0.2)
    monkeypatch.setattr(outages, "PAUSE_S", 0.01)


def refusing(times: float) -> Callable[[], str]:
    """A function that refuses this often, then opens."""
    attempts = 0

    def connect() -> str:
        nonlocal attempts
        attempts += 1
        if attempts <= times:
            raise Refused(attempts)
        return f"opened after {attempts}"

    return connect


def test_server_that_never_answered_is_not_retried() -> None:
    with pytest.raises(DatabaseUnusable, match="does not answer: 1"):
        connect_with_retry("server", refusing(1), Refused)


def test_server_that_has_answered_is_retried() -> None:
    assert connect_with_retry("server", refusing(0), Refused) == "opened after 1"
    assert connect_with_retry("server", refusing(3), Refused) == "opened after 4"
    with pytest.raises(DatabaseUnusable, match="does not answer: 1"):
        connect_with_retry("another", refusing(1), Refused)


def test_server_that_stays_away_is_retried_once_by_all_connections() -> None:
    connect_with_retry("server", refusing(0), Refused)
    started = time.monotonic()
    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(connect_with_retry, "server", refusing(float("inf")), Refused) for _ in range(4)]
    assert [type(connection.exception()) for connection in waiting] == [DatabaseUnusable] * 4
    assert time.monotonic() - started >= 0.2
    with pytest.raises(DatabaseUnusable, match="does not answer: 1"):
        connect_with_retry("server", refusing(1), Refused)
    connect_with_retry("server", refusing(0), Refused)
    assert connect_with_retry("server", refusing(3), Refused) == "opened after 4"


def test_server_with_a_revival_is_started_again_once_for_each_outage() -> None:
    started: list[bool] = []

    def revive() -> bool:
        started.append(len(started) > 0)  # at first it has not quite ended
        return started[-1]

    revive_with(URL, revive)
    assert connect_with_retry(server_of(URL), refusing(5), Refused) == "opened after 6"
    assert started == [False, True]
    assert connect_with_retry(server_of(URL), refusing(1), Refused) == "opened after 2"
    assert started == [False, True, True]


def test_server_that_dies_again_and_again_is_not_started_for_ever() -> None:
    started: list[bool] = []
    revive_with(URL, lambda: started.append(True) or True)
    for _ in range(2 * outages.MOST_REVIVALS):
        assert connect_with_retry(server_of(URL), refusing(1), Refused) == "opened after 2"
    assert len(started) == outages.MOST_REVIVALS
    revive_with(OTHER_URL, lambda: started.append(True) or True)
    assert connect_with_retry(server_of(OTHER_URL), refusing(1), Refused) == "opened after 2"
    assert len(started) == outages.MOST_REVIVALS + 1


def test_server_that_cannot_be_started_is_given_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "RECONNECT_S", 3600.0)

    def fail() -> bool:
        raise DiskFull("The disk is full.")

    revive_with(URL, fail)
    for _ in range(2):
        with pytest.raises(DiskFull):
            connect_with_retry(server_of(URL), refusing(1), Refused)
    with pytest.raises(DiskFull):
        refuse_gone(URL)
    connect_with_retry(server_of(URL), refusing(0), Refused)
    refuse_gone(URL)


def test_server_that_is_retried_is_not_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    revive_with(URL, lambda: False)
    monkeypatch.setattr(outages, "RECONNECT_S", 3600.0)

    def connect() -> str:
        refuse_gone(URL)
        return retried()

    retried = refusing(2)
    assert connect_with_retry(server_of(URL), connect, Refused) == "opened after 3"


def test_lost_connection_is_explained_in_one_line(database: Database) -> None:
    with pytest.raises(psycopg.OperationalError) as lost:
        database.query("SELECT pg_terminate_backend(pg_backend_pid())")
    assert str(explain_outage(lost.value)) == (
        "The connection to Postgres was lost: terminating connection due to administrator command. Run the command again."
    )
    with pytest.raises(psycopg.OperationalError) as slow:
        database.query("SET statement_timeout = 1; SELECT pg_sleep(1)")
    assert explain_outage(slow.value) is None
    assert explain_outage(KeyError()) is None


def test_gone_server_is_no_outage_that_passes() -> None:
    gone = DatabaseUnusable("gone")
    gone.__cause__ = psycopg.OperationalError("refused")
    assert not is_outage(gone)
    assert explain_outage(gone) is gone


def test_other_error_is_not_retried() -> None:
    connect_with_retry("server", refusing(0), Refused)
    with pytest.raises(Refused, match="1"):
        connect_with_retry("server", refusing(2), KeyError)


def test_only_the_given_engine_waits(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    url = database.url.replace("postgresql://", "postgresql+psycopg2://", 1)
    named, another = create_engine(url, poolclass=NullPool), create_engine(url, poolclass=NullPool)
    wait_for_restarts(named)
    opened: list[str] = []

    def count(server: str, connect: Callable[[], object], refused: type[Exception]) -> object:
        opened.append(server)
        return connect_with_retry(server, connect, refused)

    monkeypatch.setattr(outages, "connect_with_retry", count)
    for engine in (named, another):
        with engine.connect() as connection:
            assert connection.execute(text("SELECT 1")).scalar() == 1
    assert len(opened) == 1


@pytest.mark.parametrize("driver", [psycopg, psycopg2])
def test_run_is_retried_after_lost_connection(database: Database, instance: DagsterInstance, driver: Any) -> None:
    @asset(hooks={retry_after_outage})
    def interrupted() -> None:
        connection = driver.connect(database.url)
        database.query("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
        try:
            connection.cursor().execute("SELECT 1")
        except driver.OperationalError as error:
            raise RuntimeError("wrapped by Dagster") from error

    run = materialize([interrupted], instance=instance, raise_on_error=False)
    assert _will_retry(instance, run.run_id) == "true"


def test_run_is_not_retried_after_another_error(database: Database, instance: DagsterInstance) -> None:
    @asset(hooks={retry_after_outage})
    def mistaken() -> None:
        database.query("SELECT nothing FROM nowhere")

    run = materialize([mistaken], instance=instance, raise_on_error=False)
    assert _will_retry(instance, run.run_id) == "false"


def test_lock_of_broken_connection_is_reacquired(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "HEARTBEAT_S", 0.05)
    before = _holders(database)
    with lock(database.url, "kept"):
        [broken] = _holders(database) - before
        database.query("SELECT pg_terminate_backend(%s)", [broken.process])
        wait(lambda: _holders(database) - before - {broken}, 10, "the lock was not taken back")
        [again] = _holders(database) - before
        assert (again.lock, again.process != broken.process) == (broken.lock, True)
    assert _holders(database) == before
    assert not is_held_elsewhere(database.url, "kept")


def test_lock_acquired_by_another_is_not_taken_back(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "HEARTBEAT_S", 0.05)
    before = _holders(database)
    with psycopg.connect(database.url, autocommit=True) as other, ThreadPoolExecutor() as threads:
        with lock(database.url, "lost"):
            [broken] = _holders(database) - before
            waiting = threads.submit(other.execute, "SELECT pg_advisory_lock(%s)", [broken.lock])  # so it is next
            wait(lambda: _is_waiting(database, other), 10, "the other does not wait")
            database.query("SELECT pg_terminate_backend(%s)", [broken.process])
            waiting.result(10)
            time.sleep(5 * locks.HEARTBEAT_S)
            assert _holders(database) - before == {Holder(broken.lock, other.info.backend_pid)}
        assert _holders(database) - before == {Holder(broken.lock, other.info.backend_pid)}


def test_restarted_server_waits_for_lock_holders(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    wait_for_holders(database.url)
    [row] = database.query("SELECT extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8 AS up_s")
    monkeypatch.setattr(locks, "HOLDERS_BACK_S", row["up_s"] + 100.0)
    wait_for_holders(database.url)
    [waited] = [seconds for seconds in slept if seconds > 50.0]  # other threads of the process sleep, too
    assert 90.0 < waited <= 100.0


def _will_retry(instance: DagsterInstance, run_id: str) -> str:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    assert run.is_failure
    return run.tags[WILL_RETRY_TAG]


class Holder(NamedTuple):
    """An advisory lock's number, and the server process of the connection that holds it."""

    lock: int
    process: int


def _holders(database: Database) -> set[Holder]:
    rows = database.query(
        "SELECT (classid::bigint << 32) | objid::bigint AS lock, pid AS process FROM pg_locks "
        "JOIN pg_database d ON d.oid = database "
        "WHERE locktype = 'advisory' AND granted AND datname = current_database()"
    )
    return {Holder(**row) for row in rows}


def _is_waiting(database: Database, connection: psycopg.Connection) -> bool:
    return bool(database.query("SELECT 1 FROM pg_locks WHERE NOT granted AND pid = %s", [connection.info.backend_pid]))
