"""Dagster's own storage in Earshot's Postgres, without a URL in any file.

dagster.yaml names this class; every program that opens the instance (webserver, daemon, `dagster dev`, the command line) finds
the server of `EARSHOT_HOME` or `EARSHOT_DATABASE_URL`, and starts the embedded one if necessary. Everything else is
dagster-postgres, on connections that wait for a restarting server (earshot/storage/outages.py).

Outside the webserver, dagster-postgres opens a connection for every one or two statements, 350 for a video of five stages; for
each, Postgres starts a process that must first read its catalogs. Here each process keeps its connections, shared by all of its
instances, since each run opens one and none closes it. resources/instance/event_log.py overrides the queries that are too slow
for a large library.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from dagster._core.scheduler.instigation import InstigatorState, SensorInstigatorData
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage, PostgresRunStorage, PostgresScheduleStorage
from dagster_postgres.utils import set_pg_statement_timeout
from sqlalchemy import Engine, create_engine, event

from earshot.common.times import CLOCKS_DIFFER_S
from earshot.config.settings import read_settings
from earshot.storage.outages import connect, wait_for_restarts
from earshot.storage.server import server_urls
from resources.instance.event_log import EarshotEventLog

_TABLES_LOCK = 0x0EA2DA65  # arbitrary, but constant
POOL_SIZE = 2  # connections that a process keeps; Postgres allows a hundred in all
MAX_OVERFLOW = 20  # more under load: a daemon's sensors and a code server's ticks run at once
RECYCLE_S = 3600  # an older connection is replaced


class _SharedEngine:
    """One of dagster-postgres' storages, on the engine that its process shares among them."""

    postgres_url: str
    _engine: Engine

    def share_engine(self) -> None:
        self._engine = _engine(self.postgres_url, os.getpid())

    def optimize_for_webserver(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """Called by the webserver; `statement_timeout` in milliseconds, `pool_recycle` in seconds."""
        self._engine = _engine(self.postgres_url, os.getpid(), max_overflow, pool_recycle, statement_timeout)


class _EventLog(_SharedEngine, EarshotEventLog): ...


class _Runs(_SharedEngine, PostgresRunStorage): ...


class _Schedules(_SharedEngine, PostgresScheduleStorage):
    """The states of sensors, read so that a clock that was set back stops none.

    Dagster ticks a sensor once its interval has passed since the last tick. If that was by a clock that was ahead, as before
    the network's time is known, no sensor would tick until the clock is there again.
    """

    def all_instigator_state(self, *args: Any, **options: Any) -> Sequence[InstigatorState]:
        return [_due_if_future(state) for state in super().all_instigator_state(*args, **options)]

    def get_instigator_state(self, *args: Any, **options: Any) -> InstigatorState | None:
        state = super().get_instigator_state(*args, **options)
        return _due_if_future(state) if state else None


class EarshotDagsterStorage(DagsterPostgresStorage):
    """dagster-postgres' storage, on the server of Earshot's settings."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003 - the class takes no configuration
    ) -> "EarshotDagsterStorage":
        urls = server_urls(read_settings())
        url = urls.dagster_sqlalchemy
        with _creating_tables(urls.dagster):
            storage = cls(postgres_url=url, should_autocreate_tables=True, inst_data=inst_data)
        storage._event_log_storage = _EventLog(url)
        storage._run_storage = _Runs(url, should_autocreate_tables=False)
        storage._schedule_storage = _Schedules(url, should_autocreate_tables=False)
        for part in (storage._event_log_storage, storage._run_storage, storage._schedule_storage):
            part.share_engine()
        return storage


def _due_if_future(state: InstigatorState) -> InstigatorState:
    """The state, without the times of the last tick if these lie in the future, so that the next tick is due."""
    data = state.instigator_data
    if not isinstance(data, SensorInstigatorData):
        return state
    last = max(data.last_tick_timestamp or 0.0, data.last_tick_start_timestamp or 0.0)
    if last <= time.time() + CLOCKS_DIFFER_S:
        return state
    return state.with_data(data._replace(last_tick_timestamp=None, last_tick_start_timestamp=None))


@contextmanager
def _creating_tables(url: str) -> Iterator[None]:
    """For the block, no other process creates Dagster's tables in this database (a libpq URL) or finds only some of them.

    Dagster commits each table as it creates it, and checks only for the first one. Locks once per process.
    """
    if url not in _created:
        with connect(url, autocommit=True) as connection:  # closing it releases the lock
            connection.execute("SELECT pg_advisory_lock(%s)", [_TABLES_LOCK])
            yield
        _created.add(url)
        return
    yield


_created: set[str] = set()  # databases, by URL


@cache
def _engine(
    url: str, _process: int, max_overflow: int = MAX_OVERFLOW, recycle_s: int = RECYCLE_S, statement_timeout_ms: int = 0
) -> Engine:
    """One engine per process, because a fork must not share connections. A `statement_timeout_ms` of 0 means no timeout."""
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=POOL_SIZE,
        max_overflow=max_overflow,
        pool_recycle=recycle_s,
        pool_use_lifo=True,
        pool_pre_ping=True,  # replaces a connection that a restart has broken
    )
    wait_for_restarts(engine)
    if statement_timeout_ms:
        event.listen(engine, "connect", lambda connection, _: set_pg_statement_timeout(connection, statement_timeout_ms))
    return engine
