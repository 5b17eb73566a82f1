"""Folders stay small enough to be read at a glance, and a class name means one thing."""

import ast
from collections import defaultdict
from pathlib import Path

from earshot.config.settings import PROJECT_ROOT

TOP_LEVEL = ("bench", "earshot", "ingest_assets", "resources", "sensors", "tests", "docs")
FOLDERS = [PROJECT_ROOT / name for name in TOP_LEVEL] + [
    folder
    for name in TOP_LEVEL
    for folder in (PROJECT_ROOT / name).rglob("*")
    if folder.is_dir() and "__pycache__" not in folder.parts
]
MOST_ENTRIES = 12
MIGRATIONS = Path("earshot/storage/migrations")  # one list, in the order in which they run


def _entries(folder: Path) -> list[str]:
    """Without the caches of a folder that was moved."""
    return [entry.name for entry in folder.iterdir() if entry.name != "__init__.py" and _has_files(entry)]


def _has_files(entry: Path) -> bool:
    files = [entry] if entry.is_file() else entry.rglob("*")
    return any(path.is_file() and path.suffix != ".pyc" for path in files)


def test_folder_has_at_most_twelve_entries() -> None:
    assert len(FOLDERS) > len(TOP_LEVEL)
    full = [folder.relative_to(PROJECT_ROOT) for folder in FOLDERS if len(_entries(folder)) > MOST_ENTRIES]
    assert full == [MIGRATIONS]


def test_packages_go_two_levels_below_a_top_level_one() -> None:
    """Those of tests/earshot mirror those of earshot, one level deeper."""
    packages = [module.parent.relative_to(PROJECT_ROOT) for folder in FOLDERS for module in folder.glob("__init__.py")]
    assert [str(package) for package in packages if len(package.parts) > (4 if package.parts[0] == "tests" else 3)] == []
    assert packages


def test_a_class_name_is_given_once() -> None:
    modules = defaultdict(list)
    for name in ("earshot", "ingest_assets", "resources", "sensors"):
        for module in (PROJECT_ROOT / name).rglob("*.py"):
            for node in ast.walk(ast.parse(module.read_text())):
                if isinstance(node, ast.ClassDef):
                    modules[node.name].append(str(module.relative_to(PROJECT_ROOT)))
    assert {name: where for name, where in modules.items() if len(where) > 1} == {}
    assert modules
