"""The modules that `import earshot` and opening a library load, each in its own process."""

import subprocess
import sys

import pytest

import earshot

HEAVY = {"dagster", "torch", "pandas", "numpy", "psycopg", "mcp", "prometheus_client"}


def loaded_by(code: str) -> set[str]:
    """The modules that a process has loaded after this code."""
    ended = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(ended.stdout.split())


def test_import_loads_only_the_package() -> None:
    loaded = loaded_by("import earshot")
    assert {name for name in loaded if name.startswith("earshot")} == {"earshot"}
    assert not loaded & HEAVY


def test_importing_public_names_loads_nothing_heavy() -> None:
    assert not loaded_by("from earshot import EarshotError, Library, open_library") & HEAVY


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("call", ["videos()", "people.list()", "stale()", "sources()"])
def test_lists_load_only_the_database(call: str) -> None:
    loaded = loaded_by(f"import earshot\nearshot.open_library().{call}")
    assert loaded & HEAVY == {"psycopg"}
    assert not loaded & {"psycopg2", "pydantic", "pynvml"}


@pytest.mark.usefixtures("database")
def test_search_loads_neither_dagster_nor_torch_nor_pandas() -> None:
    loaded = loaded_by("import earshot\nearshot.open_library().search('bridge', words_only=True)")
    assert not loaded & {"dagster", "torch", "pandas"}


def test_every_public_name_exists() -> None:
    assert {name: getattr(earshot, name).__name__ for name in earshot.__all__} == {name: name for name in earshot.__all__}
    assert set(earshot.__all__) <= set(dir(earshot))


def test_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(earshot, "open_libary")
