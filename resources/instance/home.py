"""The Dagster instance of this home: `EARSHOT_HOME/dagster`, configured by the clone's dagster.yaml.

`prepare_dagster_home()` puts the configuration there, with as many slots as the device that was asked for bears, and sets
DAGSTER_HOME for this process and its children; whatever DAGSTER_HOME was set before belongs to another project.
"""

import os
from pathlib import Path

import yaml
from dagster import DagsterInstance

from earshot.config.home import make_home
from earshot.config.settings import PROJECT_ROOT, read_settings
from earshot.storage.server import server_urls

# How many stages compute at once on a GPU; a CPU is busy with one. One stage alone keeps a fifth of an H200 busy, because the
# CPU works too. Two at once are 1.7 times as fast, though each is a tenth slower than alone (docs/measurements/gpu.md).
GPU_SLOTS = 2


def prepare_dagster_home() -> Path:
    """The folder, with today's dagster.yaml in it, and DAGSTER_HOME pointing at it."""
    settings = read_settings()
    folder = make_home(settings.home) / "dagster"
    folder.mkdir(exist_ok=True)
    configuration = yaml.safe_load((PROJECT_ROOT / "dagster.yaml").read_text())
    if settings.device == "cuda":
        configuration["concurrency"]["pools"]["default_limit"] = GPU_SLOTS
    temporary = folder / f".dagster.yaml.{os.getpid()}"
    made = yaml.safe_dump(configuration, sort_keys=False)
    temporary.write_text(f"# Made from {PROJECT_ROOT / 'dagster.yaml'} at each start: change that one.\n{made}")
    temporary.replace(folder / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(folder)
    for variable, file in (("EARSHOT_SOURCES", settings.sources), ("EARSHOT_PEOPLE", settings.people)):
        if os.environ.get(variable):
            os.environ[variable] = str(file)  # children start in other folders
    return folder


def open_instance() -> DagsterInstance:
    """The instance that the UI and the daemon of this home show, the database started by need."""
    prepare_dagster_home()
    server_urls(read_settings())  # a server that cannot be reached is our clear error, not SQLAlchemy's
    return DagsterInstance.get()
