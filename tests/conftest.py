"""Shared fixtures: a home of the test session with a real Postgres, on the CPU, without a model hub.

The tests ask for the CPU, so that they pass without a GPU; those that need real models, a webserver or a browser are marked
`slow`. Homes are short paths under /tmp, since they hold the socket of Postgres.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest
from dagster import DagsterInstance

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a hundred processes start: each would compile Earshot again
os.environ["HF_HUB_OFFLINE"] = "1"  # a wrong path fails at once instead of asking the hub
os.environ["EARSHOT_DEVICE"] = "cpu"
os.environ["EARSHOT_SETTINGS"] = os.devnull  # not the developer's own
os.environ.pop("EARSHOT_DATABASE_URL", None)
os.environ.pop("EARSHOT_MODELS", None)
os.environ.pop("EARSHOT_MEDIA", None)
os.environ.pop("EARSHOT_ALERT_URL", None)
os.environ.pop("EARSHOT_ALERT_QUIET_HOURS", None)
os.environ.pop("EARSHOT_SOURCES", None)
os.environ.pop("EARSHOT_PEOPLE", None)
os.environ.pop("EARSHOT_WEBHOOKS", None)
os.environ.pop("EARSHOT_MONOLOGUE", None)
os.environ.pop("EARSHOT_WORKERS", None)
os.environ.pop("EARSHOT_WORKER_MEMORY_GB", None)
os.environ.pop("EARSHOT_BROKER", None)
os.environ.pop("EARSHOT_PAGE_TOKEN", None)
os.environ.pop("EARSHOT_ALLOW_PRIVATE_ADDRESSES", None)

if "PYTEST_XDIST_WORKER" in os.environ:  # three processes with two threads each get less done on two cores than with one
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from earshot.models.device import configure_libraries
from earshot.storage.database import Database, open_database
from earshot.storage.server import stop_embedded
from ingest_assets.partitions import videos
from resources.instance.home import open_instance
from tests.support.http_server import Site, misbehaving
from tests.support.tables import empty_tables

sys.dont_write_bytecode = False  # pytest rewrites the tests' assertions: 10 s of a core for each process
# No test depends on how fast it runs.
hypothesis.settings.register_profile("earshot", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("earshot")
configure_libraries()  # some tests import torch before anything of the library asks for a device

# Where the homes of all test processes have their models, assembled and converted once.
MODELS = Path(os.environ.get("PYTEST_EARSHOT_MODELS") or tempfile.mkdtemp(prefix="earshot-models-"))
os.environ["PYTEST_EARSHOT_MODELS"] = str(MODELS)  # test processes inherit it

# Modules that take a minute and more, the longest first: none of them must start last. `make test` gives modules to four
# processes, so that two cores stay busy while `earshot up` waits.
LONG = (
    "test_up", "test_drill", "test_pipeline", "test_interrupted_backfills", "test_crashes", "test_browser", "test_commands",
    "test_diarizer", "test_content_checks", "test_enrolments", "test_reuse", "test_report", "test_places_browser",
    "test_moved_library",
)  # fmt: skip

for proxy in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):  # all servers of the tests are on loopback
    os.environ.pop(proxy, None)
    os.environ.pop(proxy.upper(), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


def pytest_sessionfinish() -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shutil.rmtree(MODELS, ignore_errors=True)


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """EARSHOT_HOME of the whole test session, its Postgres stopped at the end."""
    folder = Path(tempfile.mkdtemp(prefix="earshot-"))
    (folder / "models").symlink_to(MODELS)
    os.environ["EARSHOT_HOME"] = str(folder)
    yield folder
    stop_embedded(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(home: Path) -> None:
    """The session's Postgres, without fsync: its databases need not survive a power cut."""
    assert home.exists()
    with psycopg.connect(open_database().url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="module")
def library(postgres: None) -> Database:  # noqa: ARG001
    """The session's database, migrated; without videos and partitions when the module begins."""
    opened = open_database()
    empty_tables(opened)
    _without_partitions()
    return opened


@pytest.fixture
def database(library: Database) -> Database:
    """The session's database, emptied: no videos, no sources, no timings, no failed checks."""
    empty_tables(library)
    return library


@pytest.fixture
def site() -> Iterator[Site]:
    """A scripted server on loopback."""
    with misbehaving() as opened:
        yield opened


@pytest.fixture
def instance(database: Database) -> DagsterInstance:
    """The session's Dagster instance, over the emptied database, without partitions."""
    assert database
    return _without_partitions()


def _without_partitions() -> DagsterInstance:
    opened = open_instance()
    for key in opened.get_dynamic_partitions(str(videos.name)):
        opened.delete_dynamic_partition(str(videos.name), key)
    return opened
