"""The wheel has everything, and works in a folder that `earshot init` made, without the clone and without git."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from earshot.config.settings import PROJECT_ROOT
from earshot.config.settings_file import FILE
from earshot.library.upkeep.project import COPIED
from tests.conftest import MODELS

PACKAGES = ("earshot", "ingest_assets", "resources", "sensors")
RUN = "from earshot.cli import main; main()"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the wheel's packages."""
    built, folder = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("site-packages")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(built)]
    subprocess.run(command, cwd=PROJECT_ROOT, check=True, capture_output=True)
    [wheel] = built.glob("earshot-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def project(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder made by `earshot init`, with the models of the other tests. Its Postgres is stopped at the end."""
    folder = tmp_path_factory.mktemp("p") / "talks"
    assert _earshot(installed, folder.parent, "init", "talks", "--device", "cpu").returncode == 0
    (folder / ".earshot").mkdir()
    (folder / ".earshot" / "models").symlink_to(MODELS)
    yield folder
    _earshot(installed, folder, "down")


def _earshot(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the wheel's `earshot` in the folder, with no variable but a PATH without programs."""
    environment = {"PATH": "/nowhere", "HOME": os.environ["HOME"], "PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", RUN, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_wheel_has_every_file_of_the_packages(installed: Path) -> None:
    files = [file for package in PACKAGES for file in (PROJECT_ROOT / package).rglob("*") if file.is_file()]
    wanted = {file.relative_to(PROJECT_ROOT) for file in files if file.suffix != ".pyc"}
    assert sorted(str(file) for file in wanted if not (installed / file).exists()) == []
    assert {file.suffix for file in wanted} >= {".py", ".sql", ".html", ".css", ".js"}


def test_init_writes_the_files_of_the_clone(project: Path) -> None:
    assert sorted(file.name for file in project.iterdir() if file.is_file()) == sorted((FILE, *COPIED))
    assert [name for name in COPIED if (project / name).read_text() != (PROJECT_ROOT / name).read_text()] == []
    assert 'device = "cpu"' in (project / FILE).read_text()


def test_init_overwrites_nothing(installed: Path, project: Path) -> None:
    before = (project / FILE).read_text()
    refused = _earshot(installed, project, "init", ".")
    assert refused.returncode == 2
    assert "earshot.toml, dagster.yaml" in refused.stderr
    assert (project / FILE).read_text() == before


@pytest.mark.parametrize(("folder", "expected"), [("with space", "with a space"), ("/proc/none", "cannot be written")])
def test_init_refuses_folder_that_cannot_work(installed: Path, tmp_path: Path, folder: str, expected: str) -> None:
    refused = _earshot(installed, tmp_path, "init", folder)
    assert refused.returncode == 2
    assert expected in refused.stderr


def test_folder_without_settings_says_what_to_do(installed: Path, tmp_path: Path) -> None:
    refused = _earshot(installed, tmp_path, "videos")
    assert refused.returncode == 2
    assert f"There is no earshot.toml in {tmp_path}" in refused.stderr
    assert "`earshot init FOLDER`" in refused.stderr


def test_init_in_the_clone_is_refused(tmp_path: Path) -> None:
    refused = _earshot(PROJECT_ROOT, tmp_path, "init", "talks")
    assert refused.returncode == 2
    assert f"its clone, {PROJECT_ROOT}" in refused.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_ingest_and_search_need_neither_clone_nor_git(installed: Path, project: Path) -> None:
    spec = find_spec("moonshine_voice")
    assert spec is not None
    recording = Path(str(spec.origin)).parent / "assets" / "beckett.wav"
    ingested = _earshot(installed, project, "ingest", str(recording))
    assert ingested.returncode == 0, ingested.stderr + ingested.stdout
    (project / "below").mkdir()
    found = _earshot(installed, project / "below", "search", "try again, fail better", "--json")
    assert "fail better" in json.loads(found.stdout)["hits"][0]["text"].lower()
    assert (project / ".earshot" / "dagster" / "dagster.yaml").read_text().startswith(f"# Made from {project}/dagster.yaml")
