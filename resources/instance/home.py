"""The Dagster instance of this home: `EARSHOT_HOME/dagster`, configured by the project folder's dagster.yaml.

`prepare_dagster_home()` copies the configuration there, with the pool slots of the requested device, and sets DAGSTER_HOME for
this process and its children; a previous DAGSTER_HOME belongs to another project.
"""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

import yaml
from dagster import DagsterInstance

from earshot.config.home import make_home
from earshot.config.mistakes import read_text
from earshot.config.settings import read_settings
from earshot.config.settings_file import VARIABLE, project_folder
from earshot.storage.server import server_urls

# Stages that compute at once on a GPU; one stage fills a CPU. A single stage uses a fifth of an H200, because part of its work
# is on the CPU. Two at once are 1.7 times as fast, though each is a tenth slower than alone (docs/measurements/gpu.md).
GPU_SLOTS = 2

# With this variable, a backfill waits while the code server is restarted; without it, Dagster fails the backfill for good.
PATIENT_BACKFILLS = "DAGSTER_BACKFILL_RETRY_DEFINITION_CHANGED_ERROR"


def prepare_dagster_home() -> Path:
    """Write the current dagster.yaml to the folder, point DAGSTER_HOME at it, and return it."""
    settings = read_settings()
    folder = make_home(settings.home) / "dagster"
    folder.mkdir(exist_ok=True)
    source = project_folder() / "dagster.yaml"
    configuration = yaml.safe_load(read_text(source, VARIABLE, may_miss=False))
    if settings.device == "cuda":
        configuration["concurrency"]["pools"]["default_limit"] = GPU_SLOTS
    text = yaml.safe_dump(configuration, sort_keys=False)
    # Containers that share a home have equal process ids.
    with NamedTemporaryFile("w", dir=folder, prefix=".dagster.yaml.", delete=False) as temporary:
        temporary.write(f"# Made from {source} at each start: change that one.\n{text}")
    Path(temporary.name).replace(folder / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(folder)
    os.environ[PATIENT_BACKFILLS] = "1"
    files = {"EARSHOT_SOURCES": settings.sources, "EARSHOT_PEOPLE": settings.people, "EARSHOT_WEBHOOKS": settings.webhooks}
    for variable, file in files.items():
        if os.environ.get(variable):
            os.environ[variable] = str(file)  # children start in other folders
    return folder


def open_instance() -> DagsterInstance:
    """The instance of this home, which its UI and daemon use; starts the database if necessary."""
    prepare_dagster_home()
    server_urls(read_settings())  # if the server is unreachable, raises our clear error, not SQLAlchemy's
    return DagsterInstance.get()
