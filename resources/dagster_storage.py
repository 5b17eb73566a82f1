"""Dagster's own storage in Earshot's Postgres, without a URL in any file.

dagster.yaml names this class; whichever program opens the instance (webserver, daemon, `dagster dev`, the command line)
then finds the server of `EARSHOT_HOME` or `EARSHOT_DATABASE_URL`, starting the embedded one by need. Everything else is
dagster-postgres, whose connections wait for a server that is restarted (resources/outages.py).

Outside the webserver dagster-postgres makes a connection for each statement or two, 350 for a video of five stages: each is a
process that Postgres starts, and that must first read its catalogues. Here every process keeps its connections, as the
webserver does.
"""

from collections.abc import Mapping
from typing import Any

from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

from resources.outages import make_dagster_patient
from resources.postgres import server_urls
from resources.settings import read_settings

RECYCLE_S = 3600  # a connection that is older is made anew
MAX_OVERFLOW = 20  # connections beyond the one that is kept; a daemon's sensors and a webserver's pages ask at once


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
        make_dagster_patient()
        storage = cls(
            postgres_url=server_urls(read_settings()).dagster_sqlalchemy,
            should_autocreate_tables=True,
            inst_data=inst_data,
        )
        for part in (storage.event_log_storage, storage.run_storage, storage.schedule_storage):
            part.optimize_for_webserver(statement_timeout=0, pool_recycle=RECYCLE_S, max_overflow=MAX_OVERFLOW)
        return storage
