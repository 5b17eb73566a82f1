"""Dagster's own storage in Earshot's Postgres, without a URL in any file.

dagster.yaml names this class; whichever program opens the instance (webserver, daemon, `dagster dev`, the command line)
then finds the server of `EARSHOT_HOME` or `EARSHOT_DATABASE_URL`, starting the embedded one by need. Everything else is
dagster-postgres, whose connections wait for a server that is restarted (earshot/storage/outages.py).

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
from dagster_postgres import DagsterPostgresStorage
from sqlalchemy import Engine, create_engine

from earshot.config.settings import read_settings
from earshot.storage.outages import install_reconnect
from earshot.storage.pool import MAX_OVERFLOW, POOL_SIZE, RECYCLE_S
from earshot.storage.server import server_urls
from resources.instance.event_log import EarshotEventLog

_TABLES_LOCK = 0x0EA2DA65  # any number that is always the same


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
        install_reconnect()
        urls = server_urls(read_settings())
        url = urls.dagster_sqlalchemy
        with _one_at_a_time(urls.dagster):
            storage = cls(postgres_url=url, should_autocreate_tables=True, inst_data=inst_data)
            storage._event_log_storage = EarshotEventLog(url)
        parts: list[Any] = [storage.event_log_storage, storage.run_storage, storage.schedule_storage]
        for part in parts:
            part._engine = _engine(url, os.getpid())
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
def _engine(url: str, _process: int) -> Engine:
    """As dagster-postgres makes it for the webserver; a forked process has its own."""
    return create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=POOL_SIZE,
        max_overflow=MAX_OVERFLOW,
        pool_recycle=RECYCLE_S,
        pool_use_lifo=True,
    )
