"""`earshot serve`: what each command becomes. Dagster's processes themselves run in `make containers-test`."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from earshot.cli.operation.serve import serve_group
from earshot.common.errors import Misconfigured
from resources.instance import servers
from resources.instance.home import prepare_dagster_home


@pytest.fixture
def become(library: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command; returns the program and the arguments of the process that it becomes."""
    assert library
    became: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda path, arguments: became.append([path, *arguments[1:]]))
    monkeypatch.chdir(Path.cwd())

    def run(*arguments: str) -> list[str]:
        CliRunner().invoke(serve_group, arguments, catch_exceptions=False)
        [[program, *given]] = became
        assert os.access(program, os.X_OK)
        return [Path(program).name, *given]

    return run


def test_code_server_serves_the_definitions(become: Any) -> None:
    assert become("code", "--host", "0.0.0.0", "--port", "4567") == [
        "dagster", "api", "grpc", "--host", "0.0.0.0", "--port", "4567",
        "--module-name", "ingest_assets.definitions", "--location-name", "earshot",
    ]  # fmt: skip


def test_webserver_open_to_other_machines_needs_a_token(become: Any) -> None:
    with pytest.raises(Misconfigured, match="Other machines can reach"):
        become("webserver", "--host", "0.0.0.0")


@pytest.mark.usefixtures("library")
def test_daemon_loads_what_the_workspace_names(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    monkeypatch.setattr(servers, "run_daemon", given.append)
    monkeypatch.chdir(Path.cwd())
    CliRunner().invoke(serve_group, ["daemon"], catch_exceptions=False)
    [workspace] = given
    assert yaml.safe_load(Path(workspace).read_text())["load_from"]
    assert (Path(os.environ["DAGSTER_HOME"]) / "dagster.yaml").exists()


@pytest.mark.usefixtures("library")
def test_containers_that_share_a_home_prepare_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 7)  # as in each container
    with ThreadPoolExecutor(8) as executor:
        [folder] = set(executor.map(lambda _: prepare_dagster_home(), range(32)))
    assert [path.name for path in folder.glob(".dagster.yaml*")] == []
    assert yaml.safe_load((folder / "dagster.yaml").read_text())["concurrency"]
