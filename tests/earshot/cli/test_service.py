"""`earshot up` and `down` around what is left of an `up` that was killed, and the logs; nothing is served here."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from earshot.cli.operation import service
from earshot.cli.operation.service import MARK, down, up
from earshot.common.errors import Misconfigured
from earshot.common.log_files import KEPT, rotate
from earshot.storage.database import Database
from tests.support.earshot_up import free_port

LISTENS = """
import socket, sys, time
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
time.sleep(600)
"""


class NoBroker:
    """Stands for the broker, the first thing that `up` starts, and refuses."""

    def __init__(self, home: Path) -> None:
        raise Misconfigured(f"No broker for {home}.")


@pytest.fixture
def left_over(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """A port, and a process that a killed `up` of this home left listening on it."""
    monkeypatch.setenv(MARK, str(home))
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", LISTENS, str(port)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "listening\n"
    yield port, process
    process.kill()
    process.wait()
    process.stdout.close()


def test_up_after_kill_takes_the_same_port(
    library: Database, left_over: tuple[int, "subprocess.Popen[str]"], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert library
    monkeypatch.setattr(service, "EmbeddedBroker", NoBroker)
    port, process = left_over
    with pytest.raises(Misconfigured, match="No broker for"):
        CliRunner().invoke(up, ["--port", str(port)], catch_exceptions=False)
    assert process.poll() is not None


def test_up_refuses_a_port_that_another_program_has(
    library: Database, left_over: tuple[int, "subprocess.Popen[str]"], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert library
    monkeypatch.setattr(service, "_left_over", lambda _home: [])
    with pytest.raises(Misconfigured, match="Cannot listen on"):
        CliRunner().invoke(up, ["--port", str(left_over[0])], catch_exceptions=False)


def test_down_says_what_it_ended(left_over: tuple[int, "subprocess.Popen[str]"], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "stop_embedded", lambda _home: False)
    _, process = left_over
    said = CliRunner().invoke(down, [], catch_exceptions=False).output
    assert said.splitlines()[:2] == [
        "`earshot up` was not running.",
        f"Stopped processes that a killed `earshot up` had left running (process ids {process.pid}).",
    ]


def test_log_of_an_earlier_up_is_kept(tmp_path: Path) -> None:
    (tmp_path / "webserver.log").write_text("what happened before\n")
    service._start("webserver", ["--version"], tmp_path).wait()
    before, heading, *_ = (tmp_path / "webserver.log").read_text().splitlines()
    assert before == "what happened before"
    assert heading.startswith("--- earshot up, ")


def test_full_log_is_put_aside_while_it_is_written_to(tmp_path: Path) -> None:
    log = tmp_path / "daemon.log"
    with log.open("ab", buffering=0) as writer:
        for number in range(KEPT + 3):
            writer.write(f"line {number} ".encode())
            rotate(tmp_path, most_bytes=5)
        writer.write(b"the end")
    assert log.read_text() == "the end"
    older = [f"daemon.log.{number}" for number in range(1, KEPT + 1)]
    assert [(tmp_path / name).read_text() for name in older] == ["line 5 ", "line 4 ", "line 3 "]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["daemon.log", *older]


def test_log_that_is_not_full_stays(tmp_path: Path) -> None:
    (tmp_path / "daemon.log").write_text("short")
    rotate(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["daemon.log"]
