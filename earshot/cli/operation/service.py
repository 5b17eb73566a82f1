"""`earshot up`, `worker` and `down`: Postgres, the broker, Dagster's webserver and daemon, on loopback, and workers.

`up` stays in the foreground until Ctrl-C or `earshot down`. The webserver, the daemon and the workers are child processes that
log to EARSHOT_HOME/logs, where logs are rotated (earshot/common/log_files.py). If the webserver or the daemon exits, `up`
stops everything and prints the end of its log; a worker or the broker is restarted. The embedded Postgres keeps running after
`up`, because other commands use it; `down` stops it.

`worker` runs only workers, on another machine; they take their work from the broker at EARSHOT_BROKER.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click
import psutil
import psycopg

from earshot.cli.output import json_option, print_json
from earshot.common.errors import DatabaseUnusable, Misconfigured
from earshot.common.log_files import rotate
from earshot.common.text import join_numbers
from earshot.config.home import ui_url, up_file
from earshot.config.settings import PROJECT_ROOT, read_settings
from earshot.models.device import require_device
from earshot.sources.troubles import Trouble, describe_changes, read_troubles
from earshot.storage.database import Database, open_database
from earshot.storage.server import stop_embedded
from ingest_assets.operations.workers import Worker
from resources.instance.broker import EmbeddedBroker
from resources.instance.home import prepare_dagster_home

STARTUP_S = 300.0
CHECK_CHILDREN_S = 0.5
CHECK_TROUBLES_S = 5.0
CHECK_LOGS_S = 60.0
TERMINATION_S = 8.0  # before a process that was asked to exit is killed

# In the environment of every process that `up` starts: its EARSHOT_HOME.
MARK = "EARSHOT_UP_HOME"


@click.command("up")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address of the UI. It has no login: beyond loopback, anyone who can reach it can use it.",
)
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True, help="Port of the UI.")
def up(host: str, port: int) -> None:
    """Start the web UI, the sensors, the queue and the workers.

    Runs in the foreground; Ctrl-C or `earshot down` stops it. Logs are in EARSHOT_HOME/logs.
    """
    from resources.instance.home import open_instance

    settings = read_settings()
    _refuse_second(settings.home)
    device = require_device(settings.device)
    _stop(left_over(settings.home))  # before checking the port, which processes of a killed `up` may still hold
    _refuse_taken(host, port)
    open_instance()
    database = open_database()
    click.echo(f"Device: {device.kind} ({device.name}). Models: {settings.models}. Starting ...")
    logs = settings.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    os.environ[MARK] = str(settings.home)
    broker = EmbeddedBroker(settings.home) if settings.broker is None else None
    if broker is not None:
        broker.start()
        os.environ["EARSHOT_BROKER"] = broker.url
    workspace = ["-w", str(PROJECT_ROOT / "workspace.yaml")]
    children = {
        "webserver": _start("webserver", ["-h", host, "-p", str(port), *workspace], logs),
        "daemon": _start("daemon", ["run", *workspace], logs),
    }
    workers = _workers(settings.workers, logs) if broker or settings.broker_url else []
    state = up_file(settings.home)
    state.write_text(json.dumps({"pid": os.getpid(), "url": f"http://{host}:{port}"}))
    try:
        with _monitoring(database, logs):
            _supervise(children, workers, broker, f"http://{host}:{port}", logs)
    finally:
        _stop([child.pid for child in children.values()] + [pid for worker in workers for pid in worker.pids])
        if broker is not None:
            broker.stop()
        state.unlink(missing_ok=True)


@click.command("worker")
@click.option("--count", type=click.IntRange(min=1), default=1, show_default=True, help="Number of videos to process at once.")
def worker_command(count: int) -> None:
    """Process videos for a library on another machine.

    Set EARSHOT_BROKER and EARSHOT_DATABASE_URL to that machine's servers. Audio is kept on this machine unless EARSHOT_MEDIA
    names storage that all machines share. Ctrl-C finishes the current videos; press it again to stop immediately.
    """
    settings = read_settings()
    if settings.broker_url is None:
        raise Misconfigured(
            "EARSHOT_BROKER is not set.",
            "Set it, here and for `earshot up`, to the URL of a Redis or Valkey server that both machines can reach.",
        )
    device = require_device(settings.device)
    prepare_dagster_home()
    open_database()
    click.echo(f"Device: {device.kind} ({device.name}). Models: {settings.models}. Workers: {count}.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    workers = _workers(count, None)
    try:
        with suppress(KeyboardInterrupt):
            while True:
                _ensure_running(workers)
                time.sleep(CHECK_CHILDREN_S)
        click.echo("Finishing the current videos; press Ctrl-C again to stop immediately.")
        for worker in workers:
            worker.end()
    finally:
        _stop([pid for worker in workers for pid in worker.pids])


@click.command("down")
@json_option
def down(as_json: bool) -> None:
    """Stop `earshot up` and the embedded Postgres."""
    home = read_settings().home
    pid = _running(home)
    if pid is not None:
        psutil.Process(pid).terminate()  # `up` stops its own children
        _gone, alive = psutil.wait_procs([psutil.Process(pid)], timeout=2 * TERMINATION_S)
        _stop([process.pid for process in alive])
    left = left_over(home)
    _stop(left)
    postgres = stop_embedded(home)
    if as_json:
        print_json({"stopped_up": pid is not None, "left_over": len(left), "stopped_postgres": postgres})
        return
    click.echo("Stopped `earshot up`." if pid is not None else "`earshot up` was not running.")
    if left:
        click.echo(f"Stopped processes that a killed `earshot up` had left running (process ids {join_numbers(left)}).")
    click.echo("Stopped the embedded Postgres." if postgres else "The embedded Postgres was not running.")


def _start(program: str, arguments: list[str], logs: Path) -> subprocess.Popen[bytes]:
    """Start a program of this environment's Dagster, in its own session so that Ctrl-C reaches only this process."""
    command = [str(Path(sys.executable).parent / f"dagster-{program}"), *arguments]
    with (logs / f"{program}.log").open("ab") as log:
        log.write(f"--- earshot up, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n".encode())
        log.flush()
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=PROJECT_ROOT, start_new_session=True)


def _workers(count: int, logs: Path | None) -> list[Worker]:
    """This many workers, with names that no other `earshot worker` on this machine uses."""
    prefix = "worker" if logs else f"worker-{os.getpid()}"
    names = [f"{prefix}-{number}" for number in range(1, count + 1)]
    return [Worker(name, logs / f"{name}.log" if logs else None) for name in names]


def _ensure_running(workers: Iterable[Worker]) -> None:
    for worker in workers:
        if message := worker.ensure_running():
            click.echo(message)


@contextmanager
def _monitoring(database: Database, logs: Path) -> Iterator[None]:
    """Print troubles and rotate logs during the block. In threads, because an unreachable database blocks for a while."""
    ended = threading.Event()
    for monitor in (partial(_print_troubles, database, ended), partial(_rotate_logs, logs, ended)):
        threading.Thread(target=monitor, daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _print_troubles(database: Database, ended: threading.Event) -> None:
    """Print each change of the troubles once."""
    printed: dict[str, Trouble] = {}
    while not ended.wait(CHECK_TROUBLES_S):
        with suppress(DatabaseUnusable, psycopg.OperationalError):
            printed, lines = describe_changes(printed, read_troubles(database))
            for line in lines:
                click.echo(line)


def _rotate_logs(logs: Path, ended: threading.Event) -> None:
    while not ended.wait(CHECK_LOGS_S):
        try:
            rotate(logs)
        except OSError as error:
            click.echo(f"The logs in {logs} cannot be rotated ({error.strerror}) and keep growing. Make room on that disk.")


def _supervise(
    children: dict[str, subprocess.Popen[bytes]], workers: list[Worker], broker: EmbeddedBroker | None, url: str, logs: Path
) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    deadline = time.monotonic() + STARTUP_S
    announced = False
    try:
        while True:
            for name, child in children.items():
                if child.poll() is not None:
                    raise Misconfigured(f"The {name} exited (exit code {child.returncode}):\n{_tail(logs, name)}")
            if broker is not None and not broker.answers:
                click.echo("The broker exited; restarting it.")
                broker.start()
            _ensure_running(workers)
            if not announced and _answers(url):
                click.echo(f"The UI is at {url} (Ctrl-C stops it). Logs: {logs}")
                announced = True
            if not announced and time.monotonic() > deadline:
                raise Misconfigured(f"The webserver did not answer within {STARTUP_S:.0f} s:\n{_tail(logs, 'webserver')}")
            time.sleep(CHECK_CHILDREN_S)
    except KeyboardInterrupt:
        click.echo("Stopping ...")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/server_info", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def _stop(pids: Iterable[int]) -> None:
    """Terminate processes and their descendants, then kill any that remain. Dagster's code servers survive a SIGTERM."""
    family: list[psutil.Process] = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(pid)
            family += [parent, *parent.children(recursive=True)]
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _gone, alive = psutil.wait_procs(family, timeout=TERMINATION_S)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=TERMINATION_S)


def left_over(home: Path) -> list[int]:
    """The processes that a killed `up` left running, except Postgres, which outlives `up` on purpose."""
    pids = []
    for process in psutil.process_iter(["name", "environ"]):
        environment = process.info["environ"] or {}  # None for other users' processes
        if environment.get(MARK) == str(home) and process.info["name"] != "postgres" and process.pid != os.getpid():
            pids.append(process.pid)
    return pids


def _running(home: Path) -> int | None:
    """The process id of this home's `earshot up`; None if it does not run."""
    state = up_file(home)
    if not state.exists():
        return None
    pid = int(json.loads(state.read_text())["pid"])
    with suppress(psutil.NoSuchProcess):
        if any("earshot" in part for part in psutil.Process(pid).cmdline()):
            return pid
    return None


def _refuse_second(home: Path) -> None:
    if _running(home) is not None:
        raise Misconfigured(f"`earshot up` is already running for {home}, at {ui_url(home)}.", "Stop it with: earshot down")


def _refuse_taken(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Misconfigured(
                f"Cannot listen on {host}:{port} ({error.strerror}).", "Choose another port: earshot up --port 3001"
            ) from error


def _tail(logs: Path, program: str, lines: int = 15) -> str:
    return "\n".join((logs / f"{program}.log").read_text(errors="replace").splitlines()[-lines:])
