"""No target of the Makefile deletes a library by mistake; `make env` takes the newest Python that can build one."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from earshot.config.settings import PROJECT_ROOT


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with an environment and a library, neither of which works."""
    for kept in (".venv/bin", ".earshot/postgres"):
        (tmp_path / kept).mkdir(parents=True)
    return tmp_path


def _make(clone: Path, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    command = ["make", "-f", str(PROJECT_ROOT / "Makefile"), *arguments]
    return subprocess.run(command, cwd=clone, stdin=stdin, capture_output=True, text=True, check=False)


def _answered(clone: Path, answer: str) -> subprocess.CompletedProcess[str]:
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    try:
        return _make(clone, "delete-library", stdin=theirs)
    finally:
        os.close(ours)
        os.close(theirs)


def test_clean_keeps_library(clone: Path) -> None:
    assert _make(clone, "clean").returncode == 0
    assert os.listdir(clone) == [".earshot"]


def test_delete_library_needs_yes_without_terminal(clone: Path) -> None:
    ended = _make(clone, "delete-library")
    assert ended.returncode != 0
    assert "make delete-library YES=1" in ended.stdout
    assert (clone / ".earshot" / "postgres").exists()


def test_delete_library_with_yes_deletes(clone: Path) -> None:
    assert _make(clone, "delete-library", "YES=1").returncode == 0
    assert os.listdir(clone) == [".venv"]


@pytest.mark.parametrize(("answer", "left"), [("y", [".venv"]), ("", [".earshot", ".venv"]), ("no", [".earshot", ".venv"])])
def test_delete_library_asks_on_terminal(clone: Path, answer: str, left: list[str]) -> None:
    ended = _answered(clone, answer)
    assert f"Delete {clone}/.earshot, with all transcripts" in ended.stdout
    assert sorted(os.listdir(clone)) == left


def test_delete_library_without_library_says_so(clone: Path) -> None:
    _make(clone, "delete-library", "YES=1")
    assert "There is no library in" in _make(clone, "delete-library", "YES=1").stdout


def _pythons(folder: Path, monkeypatch: pytest.MonkeyPatch, **exit_codes: int) -> None:
    """Commands such as python3.13 that exit with these codes, before those of the machine; the name is python3_13."""
    for name, code in exit_codes.items():
        command = folder / name.replace("_", ".")
        command.write_text(f"#!/bin/sh\nexit {code}\n")
        command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_env_takes_newest_python_that_runs(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (clone / "requirements.lock").touch()
    (clone / "pyproject.toml").touch()
    _pythons(clone, monkeypatch, python3_11=0, python3_12=0, python3_13=127)
    assert f"{clone}/python3.12 -m venv .venv" in _make(clone, "--dry-run", "env").stdout
    assert f"{sys.executable} -m venv .venv" in _make(clone, "--dry-run", "env", f"PYTHON={sys.executable}").stdout


def test_env_names_the_pythons_it_needs(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (clone / "requirements.lock").touch()
    (clone / "pyproject.toml").touch()
    _pythons(clone, monkeypatch, python3_13=127, python3_12=127, python3_11=1, python3=1)
    ended = _make(clone, "env")
    assert ended.returncode != 0
    assert "Earshot needs Python 3.11, 3.12 or 3.13" in ended.stdout
    assert "apt install python3-venv" in ended.stdout
    assert "make PYTHON=/path/to/python3.13" in ended.stdout


def test_env_installs_the_lock_that_is_asked_for(clone: Path) -> None:
    for name in ("requirements-cpu.lock", "pyproject.toml"):
        (clone / name).touch()
    planned = _make(clone, "--dry-run", "env", "LOCK=requirements-cpu.lock", f"PYTHON={sys.executable}").stdout
    assert "uv pip sync --quiet --compile-bytecode --python .venv/bin/python requirements-cpu.lock" in planned


def test_lock_for_the_cpu_is_the_lock_without_cuda_and_torch() -> None:
    whole, for_cpu = (_packages(PROJECT_ROOT / name) for name in ("requirements.lock", "requirements-cpu.lock"))
    assert for_cpu < whole
    left_out = {package.partition("==")[0] for package in whole - for_cpu}
    assert left_out >= {"torch", "torchaudio", "torchcodec", "triton", "transformers", "sentence-transformers", "lightning"}
    assert [
        name for name in (package.partition("==")[0] for package in for_cpu) if name.startswith(("torch", "nvidia-c"))
    ] == []


def _packages(lock: Path) -> set[str]:
    return {line.strip() for line in lock.read_text().splitlines() if "==" in line and not line.startswith((" ", "#"))}
