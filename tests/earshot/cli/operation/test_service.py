"""`earshot up` and `down` after an `up` that was killed, and the logs. Nothing is served here."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.harness.server import free_port
from earshot.cli.operation import service
from earshot.cli.operation.service import down, up
from earshot.common.errors import Misconfigured
from earshot.common.log_files import KEPT, rotate
from resources.instance.processes import MARK, start

Leftover = tuple[int, subprocess.Popen[str]]

LISTENS = """
import socket, sys, time
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
time.sleep(600)
"""


class NoBroker:
    """Stands for the broker, without which `up` gives up, and refuses."""

    def __init__(self, home: Path) -> None:
        raise Misconfigured(f"No broker for {home}.")


@pytest.fixture
def leftover(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Leftover]:
    """A port, and the process that a killed `up` of this home left listening on it."""
    monkeypatch.setenv(MARK, str(home))
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", LISTENS, str(port)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "listening\n"
    yield port, process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.usefixtures("library")
def test_up_after_kill_takes_same_port(leftover: Leftover, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "EmbeddedBroker", NoBroker)
    port, process = leftover
    with pytest.raises(Misconfigured, match="No broker for"):
        CliRunner().invoke(up, ["--port", str(port), "--page-port", str(free_port())], catch_exceptions=False)
    assert process.poll() is not None


@pytest.mark.usefixtures("library")
def test_up_refuses_occupied_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, pytest.raises(Misconfigured, match="Cannot listen on"):
        CliRunner().invoke(up, ["--port", str(listening.getsockname()[1])], catch_exceptions=False)


def test_down_reports_stopped_processes(leftover: Leftover, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "stop_embedded", lambda _home: False)
    _, process = leftover
    first, second, *_ = CliRunner().invoke(down, [], catch_exceptions=False).output.splitlines()
    assert "was not running" in first
    assert f"(process ids {process.pid})" in second


def test_earlier_log_is_kept(tmp_path: Path) -> None:
    (tmp_path / "webserver.log").write_text("what happened before\n")
    start("webserver", ["dagster-webserver", "--version"], tmp_path).wait()
    before, heading, *_ = (tmp_path / "webserver.log").read_text().splitlines()
    assert before == "what happened before"
    assert heading.startswith("--- earshot up, ")


def test_only_full_log_is_rotated_while_open(tmp_path: Path) -> None:
    log, small = tmp_path / "daemon.log", tmp_path / "webserver.log"
    small.write_text("some")
    with log.open("ab", buffering=0) as writer:
        for number in range(KEPT + 3):
            writer.write(f"line {number} ".encode())
            rotate(tmp_path, most_bytes=5)
        writer.write(b"the end")
    assert log.read_text() == "the end"
    older = [f"daemon.log.{number}" for number in range(1, KEPT + 1)]
    assert [(tmp_path / name).read_text() for name in older] == ["line 5 ", "line 4 ", "line 3 "]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["daemon.log", *older, "webserver.log"]
