"""Dagster's own storage in Earshot's Postgres, without a URL in any file.

dagster.yaml names this class; whichever program opens the instance (webserver, daemon, `dagster dev`, the command line)
then finds the server of `EARSHOT_HOME` or `EARSHOT_DATABASE_URL`, starting the embedded one by need. Everything else is
dagster-postgres, whose connections wait for a server that is restarted (resources/outages.py).
"""

from collections.abc import Mapping
from typing import Any

from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

from resources.outages import make_dagster_patient
from resources.postgres import server_urls
from resources.settings import read_settings


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
        return cls(
            postgres_url=server_urls(read_settings()).dagster_sqlalchemy,
            should_autocreate_tables=True,
            inst_data=inst_data,
        )
