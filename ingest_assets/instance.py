"""The Dagster instance of this home: `EARSHOT_HOME/dagster`, configured by the clone's dagster.yaml.

`prepare_dagster_home()` puts the configuration there and sets DAGSTER_HOME for this process and its children; whatever
DAGSTER_HOME was set before belongs to another project.
"""

import os
import shutil
from pathlib import Path

from dagster import DagsterInstance

from resources.postgres import server_urls
from resources.settings import PROJECT_ROOT, read_settings


def prepare_dagster_home() -> Path:
    """The folder, with today's dagster.yaml in it, and DAGSTER_HOME pointing at it."""
    folder = read_settings().home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".dagster.yaml.{os.getpid()}"
    shutil.copyfile(PROJECT_ROOT / "dagster.yaml", temporary)
    temporary.replace(folder / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(folder)
    return folder


def open_instance() -> DagsterInstance:
    """The instance that the UI and the daemon of this home show, the database started by need."""
    prepare_dagster_home()
    server_urls(read_settings())  # a server that cannot be reached is our clear error, not SQLAlchemy's
    return DagsterInstance.get()
