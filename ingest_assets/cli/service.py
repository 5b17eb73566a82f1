"""`earshot up` and `down`: Postgres, Dagster's webserver and daemon, on loopback.

`up` stays in the foreground, and Ctrl-C or `earshot down` ends it. The webserver and the daemon are children with their own
logs under EARSHOT_HOME/logs; when one ends by itself, the other is stopped and the end of its log is shown. The embedded
Postgres goes on after `up` ends (other commands use it) and is stopped by `down`.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import click
import psutil

from ingest_assets.cli.output import json_option, print_json
from resources.database import open_database
from resources.errors import Misconfigured
from resources.gpu import require_device
from resources.postgres import stop_embedded
from resources.settings import PROJECT_ROOT, read_settings

STARTUP_S = 300.0
PATIENCE_S = 8.0  # for a process that was asked to end


@click.command("up")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Where the UI listens. Beyond loopback, anyone who reaches it may use it.",
)
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
def up(host: str, port: int) -> None:
    """Start the UI, the sensors and the queue; Ctrl-C stops them."""
    from ingest_assets.instance import open_instance

    settings = read_settings()
    _refuse_second(settings.home)
    _refuse_taken(host, port)
    device = require_device(settings.device)
    open_instance()
    open_database()
    click.echo(f"Device: {device.kind} ({device.name}). Models: {settings.models}. Starting ...")
    logs = settings.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    workspace = ["-w", str(PROJECT_ROOT / "workspace.yaml")]
    children = {
        "webserver": _start("webserver", ["-h", host, "-p", str(port), *workspace], logs),
        "daemon": _start("daemon", ["run", *workspace], logs),
    }
    state = _state_file(settings.home)
    state.write_text(json.dumps({"pid": os.getpid(), "url": f"http://{host}:{port}"}))
    try:
        _supervise(children, f"http://{host}:{port}", logs)
    finally:
        _stop([child.pid for child in children.values()])
        state.unlink(missing_ok=True)


@click.command("down")
@json_option
def down(as_json: bool) -> None:
    """Stop what `earshot up` started, and the embedded Postgres."""
    home = read_settings().home
    pid = _running(home)
    if pid is not None:
        psutil.Process(pid).terminate()  # `up` stops what it started
        _gone, alive = psutil.wait_procs([psutil.Process(pid)], timeout=2 * PATIENCE_S)
        _stop([process.pid for process in alive])
    postgres = stop_embedded(home)
    if as_json:
        print_json({"stopped_up": pid is not None, "stopped_postgres": postgres})
        return
    click.echo("Stopped the UI and the daemon." if pid is not None else "`earshot up` was not running.")
    click.echo("Stopped the embedded Postgres." if postgres else "The embedded Postgres was not running.")


def _start(program: str, arguments: list[str], logs: Path) -> subprocess.Popen[bytes]:
    """A child of this environment's own Dagster, its output in a log, Ctrl-C left to us."""
    command = [str(Path(sys.executable).parent / f"dagster-{program}"), *arguments]
    with (logs / f"{program}.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=PROJECT_ROOT, start_new_session=True)


def _supervise(children: dict[str, subprocess.Popen[bytes]], url: str, logs: Path) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    deadline = time.monotonic() + STARTUP_S
    announced = False
    try:
        while True:
            for name, child in children.items():
                if child.poll() is not None:
                    raise Misconfigured(f"The {name} ended by itself (exit code {child.returncode}):\n{_tail(logs, name)}")
            if not announced and _answers(url):
                click.echo(f"The UI is at {url} - Ctrl-C stops it. Logs: {logs}")
                announced = True
            if not announced and time.monotonic() > deadline:
                raise Misconfigured(f"The webserver does not answer after {STARTUP_S:.0f} s:\n{_tail(logs, 'webserver')}")
            time.sleep(0.5)
    except KeyboardInterrupt:
        click.echo("Stopping ...")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/server_info", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def _stop(pids: Iterable[int]) -> None:
    """End processes and everything they started: politely, then not. Dagster's code servers outlive a plain signal."""
    family: list[psutil.Process] = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(pid)
            family += [parent, *parent.children(recursive=True)]
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _gone, alive = psutil.wait_procs(family, timeout=PATIENCE_S)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=PATIENCE_S)


def _state_file(home: Path) -> Path:
    return home / "up.json"


def _running(home: Path) -> int | None:
    """The process id of this home's `earshot up`, None where it does not run."""
    state = _state_file(home)
    if not state.exists():
        return None
    pid = int(json.loads(state.read_text())["pid"])
    with suppress(psutil.NoSuchProcess):
        if any("earshot" in part for part in psutil.Process(pid).cmdline()):
            return pid
    return None


def _refuse_second(home: Path) -> None:
    if _running(home) is not None:
        url = json.loads(_state_file(home).read_text())["url"]
        raise Misconfigured(f"`earshot up` already runs for {home}, at {url}.", "Stop it with: earshot down")


def _refuse_taken(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Misconfigured(
                f"{host}:{port} cannot be listened on ({error.strerror}).", "Choose another: earshot up --port 3001"
            ) from error


def _tail(logs: Path, program: str, lines: int = 15) -> str:
    return "\n".join((logs / f"{program}.log").read_text(errors="replace").splitlines()[-lines:])
