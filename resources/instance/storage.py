"""Dagster's own storage in Earshot's Postgres, without a URL in any file.

dagster.yaml names this class; whichever program opens the instance (webserver, daemon, `dagster dev`, the command line)
then finds the server of `EARSHOT_HOME` or `EARSHOT_DATABASE_URL`, starting the embedded one by need. Everything else is
dagster-postgres, on connections that wait for a server that is restarted (earshot/storage/outages.py).

Outside the webserver dagster-postgres makes a connection for each statement or two, 350 for a video of five stages: each is a
process that Postgres starts, and that must first read its catalogues. Here a process keeps its connections, and all instances
that it opens share them, since each run opens one and none closes it. What of dagster-postgres a large library does not bear
is bounded in resources/instance/event_log.py.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage, PostgresRunStorage, PostgresScheduleStorage
from dagster_postgres.utils import set_pg_statement_timeout
from sqlalchemy import Engine, create_engine, event

from earshot.config.settings import read_settings
from earshot.storage.outages import wait_for_restarts
from earshot.storage.server import server_urls
from resources.instance.event_log import EarshotEventLog

_TABLES_LOCK = 0x0EA2DA65  # any number that is always the same
KEPT = 2  # connections of a process; of a hundred, which is what Postgres allows
MAX_OVERFLOW = 20  # beyond these, while they are used: a daemon's sensors and a code server's ticks ask at once
RECYCLE_S = 3600  # a connection that is older is made anew


class _OneEngine:
    """One of dagster-postgres' storages, on the engine that its process has for all of them."""

    postgres_url: str
    _engine: Engine

    def share_engine(self) -> None:
        self._engine = _engine(self.postgres_url, os.getpid())

    def optimize_for_webserver(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """What the webserver asks for; `statement_timeout` in milliseconds, `pool_recycle` in seconds."""
        self._engine = _engine(self.postgres_url, os.getpid(), max_overflow, pool_recycle, statement_timeout)


class _EventLog(_OneEngine, EarshotEventLog): ...


class _Runs(_OneEngine, PostgresRunStorage): ...


class _Schedules(_OneEngine, PostgresScheduleStorage): ...


class EarshotDagsterStorage(DagsterPostgresStorage):
    """dagster-postgres, told where the server is by Earshot's settings."""

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
        with _one_at_a_time(urls.dagster):
            storage = cls(postgres_url=url, should_autocreate_tables=True, inst_data=inst_data)
        storage._event_log_storage = _EventLog(url)
        storage._run_storage = _Runs(url, should_autocreate_tables=False)
        storage._schedule_storage = _Schedules(url, should_autocreate_tables=False)
        for part in (storage._event_log_storage, storage._run_storage, storage._schedule_storage):
            part.share_engine()
        return storage


@contextmanager
def _one_at_a_time(url: str) -> Iterator[None]:
    """For the block: no other process makes Dagster's tables in this database, by libpq URL, or takes them for made.

    Dagster commits each table as it makes it, and looks only for the first one. Once done in a process it is done.
    """
    if url not in _made:
        with psycopg.connect(url, autocommit=True) as connection:  # whose end gives the lock back
            connection.execute("SELECT pg_advisory_lock(%s)", [_TABLES_LOCK])
            yield
        _made.add(url)
        return
    yield


_made: set[str] = set()


@cache
def _engine(
    url: str, _process: int, max_overflow: int = MAX_OVERFLOW, recycle_s: int = RECYCLE_S, statement_timeout_ms: int = 0
) -> Engine:
    """A forked process has its own. Without a `statement_timeout_ms` statements take as long as they do."""
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=KEPT,
        max_overflow=max_overflow,
        pool_recycle=recycle_s,
        pool_use_lifo=True,
        pool_pre_ping=True,  # finds a connection that a restart has broken before it is used
    )
    wait_for_restarts(engine)
    if statement_timeout_ms:
        event.listen(engine, "connect", lambda connection, _: set_pg_statement_timeout(connection, statement_timeout_ms))
    return engine
