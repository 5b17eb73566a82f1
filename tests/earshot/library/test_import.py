"""What `import earshot` and opening a library load: in processes of their own."""

import json
import os
import subprocess
import sys

import earshot
from earshot.storage.database import Database

HEAVY = {"dagster", "torch", "pandas", "numpy", "psycopg"}


def loaded_by(code: str) -> set[str]:
    """The modules that a process has loaded after this."""
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    return set(json.loads(told.stdout))


def test_import_loads_nothing_else_of_earshot() -> None:
    loaded = loaded_by("import earshot")
    assert {name for name in loaded if name.startswith("earshot")} == {"earshot"}
    assert not loaded & HEAVY


def test_importing_the_class_and_the_error_loads_nothing_heavy() -> None:
    assert not loaded_by("from earshot import EarshotError, Library, open_library") & HEAVY


def test_reading_loads_neither_dagster_nor_torch(database: Database) -> None:
    assert database
    loaded = loaded_by(
        "import earshot\nlibrary = earshot.open_library()\nlibrary.videos()\nlibrary.people.list()\nlibrary.stale()"
    )
    assert "psycopg" in loaded
    assert not loaded & {"dagster", "torch"}


def test_every_public_name_is_there() -> None:
    assert {name: getattr(earshot, name).__name__ for name in earshot.__all__} == {name: name for name in earshot.__all__}
    assert set(earshot.__all__) <= set(dir(earshot))


def test_another_name_is_an_attribute_error() -> None:
    assert not hasattr(earshot, "open_libary")
