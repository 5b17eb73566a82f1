"""`earshot up`, `worker` and `down`: Postgres, the broker, the page, Dagster's webserver and daemon, on loopback, and workers.

`up` stays in the foreground until Ctrl-C or `earshot down`. The page, the webserver, the daemon, their code server and the
workers are child processes that log to EARSHOT_HOME/logs, where logs are rotated (earshot/common/log_files.py). They, the
broker and the embedded Postgres are restarted if they exit; but if the webserver or the daemon exits before the UI first
answers, `up` stops everything and prints the end of its log. Postgres keeps running after `up`, because other commands use it;
`down` stops it.

`worker` runs only workers, on another machine; they take their work from the broker at EARSHOT_BROKER.
"""

import json
import os
import shutil
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType

import click
import psutil
import psycopg

from earshot.cli.operation.listening import (
    UI_PORT,
    host_option,
    mcp_option,
    name_option,
    port_option,
    refuse_open,
    refuse_taken,
)
from earshot.cli.output import json_option, print_json
from earshot.common.errors import DatabaseUnusable, Misconfigured
from earshot.common.log_files import rotate
from earshot.common.text import join_numbers
from earshot.config.home import PAGE_PORT, ui_url, up_file
from earshot.config.settings import Settings, read_settings
from earshot.models.device import require_device
from earshot.sources.troubles import Trouble, describe_changes, read_troubles
from earshot.storage.database import Database, open_database
from earshot.storage.server import stop_embedded
from earshot.storage.sockets import socket_folder
from ingest_assets.operations.workers import Worker
from resources.instance.broker import EmbeddedBroker
from resources.instance.code_server import CodeServer
from resources.instance.processes import MARK, RestartedProcess, left_over, log_tail, stop

STOPPING = (signal.SIGTERM, signal.SIGINT)
STARTUP_S = 300.0
STOP_S = 60.0  # in which `up` stops its own processes, also on a busy machine; then `down` does it
CHECK_CHILDREN_S = 0.5
CHECK_TROUBLES_S = 5.0
CHECK_LOGS_S = 60.0


@dataclass
class _Served:
    """What this `earshot up` has started."""

    url: str
    page_url: str
    logs: Path
    page: RestartedProcess
    code_server: CodeServer
    broker: EmbeddedBroker | None = None
    workers: list[Worker] = field(default_factory=list)
    dagster: list[RestartedProcess] = field(default_factory=list)  # the webserver and the daemon

    @property
    def pids(self) -> list[int]:
        return [pid for process in (*self.dagster, self.page, *self.workers) for pid in process.pids]


@click.command("up")
@host_option
@port_option(UI_PORT, text="Port of Dagster's UI.")
@port_option(PAGE_PORT, "--page-port", "Port of Earshot's page.")
@name_option
@mcp_option
def up(host: str, port: int, page_port: int, names: tuple[str, ...], mcp_corrections: bool) -> None:
    """Start Earshot's page, Dagster's UI, the queue and the workers.

    Runs in the foreground; Ctrl-C or `earshot down` stops it. Logs are in EARSHOT_HOME/logs.
    """
    settings = read_settings()
    _refuse_second(settings.home)
    device = require_device(settings.device)
    stop(left_over(settings.home))  # before checking the port, which processes of a killed `up` may still hold
    refuse_open(host, settings.page_token)
    refuse_taken(host, port, "earshot up --port")
    refuse_taken(host, page_port, "earshot up --page-port")
    database = open_database()
    click.echo(f"Device: {device.kind} ({device.name}). Models: {settings.models}. Starting ...")
    logs = settings.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    os.environ[MARK] = str(settings.home)
    named = [part for name in names for part in ("--name", name)]
    page_options = ["--host", host, "--port", str(page_port), *named, *["--mcp-corrections"] * mcp_corrections]
    page = RestartedProcess("page", ["earshot", "page", *page_options], logs)
    served = _Served(f"http://{host}:{port}", f"http://{host}:{page_port}", logs, page, CodeServer(settings.home, logs))
    state = up_file(settings.home)
    state.write_text(json.dumps({"pid": os.getpid(), "url": served.url}))
    for stopping in STOPPING:
        signal.signal(stopping, _interrupt_once)
    try:
        with _monitoring(database, logs):
            _ensure_running([page])
            click.echo(f"Earshot's page is at {served.page_url}. Dagster's UI is starting ...")
            _start_queue(served, settings)
            _start_dagster(served, ["--host", host, "--port", str(port), *named])
            _supervise(served, database)
    except KeyboardInterrupt:
        click.echo("Stopping ...")
    finally:
        stop(served.pids)
        served.code_server.stop()
        if served.broker is not None:
            served.broker.stop()
        shutil.rmtree(socket_folder(settings.home))
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
    from resources.instance.home import prepare_dagster_home

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
        stop([pid for worker in workers for pid in worker.pids])


@click.command("down")
@json_option
def down(as_json: bool) -> None:
    """Stop `earshot up` and the embedded Postgres."""
    home = read_settings().home
    pid = _running(home)
    if pid is not None:
        psutil.Process(pid).terminate()  # `up` stops its own children
        _gone, alive = psutil.wait_procs([psutil.Process(pid)], timeout=STOP_S)
        stop([process.pid for process in alive])
    left = left_over(home)
    stop(left)
    postgres = stop_embedded(home)
    if as_json:
        print_json({"stopped_up": pid is not None, "left_over": len(left), "stopped_postgres": postgres})
        return
    click.echo("Stopped `earshot up`." if pid is not None else "`earshot up` was not running.")
    if left:
        click.echo(f"Stopped processes that a killed `earshot up` had left running (process ids {join_numbers(left)}).")
    click.echo("Stopped the embedded Postgres." if postgres else "The embedded Postgres was not running.")


def _interrupt_once(_signal: int, _frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, and ignore what follows: each part stops in bounded time, and none may be left running."""
    for stopping in STOPPING:
        signal.signal(stopping, signal.SIG_IGN)
    raise KeyboardInterrupt


def _workers(count: int, logs: Path | None) -> list[Worker]:
    """This many workers, with names that no other `earshot worker` on this machine uses."""
    prefix = "worker" if logs else f"worker-{os.getpid()}"
    names = [f"{prefix}-{number}" for number in range(1, count + 1)]
    return [Worker(name, logs / f"{name}.log" if logs else None) for name in names]


def _ensure_running(restarted: Iterable[RestartedProcess | Worker]) -> None:
    for process in restarted:
        if message := process.ensure_running():
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


def _start_queue(served: _Served, settings: Settings) -> None:
    """Prepare Dagster's instance, start the embedded broker if none is set, and name the workers."""
    from resources.instance.home import open_instance  # loads Dagster, for which the page does not wait

    open_instance()
    if settings.broker is None:
        served.broker = EmbeddedBroker(settings.home)
        served.broker.start()
        os.environ["EARSHOT_BROKER"] = served.broker.url
    if served.broker is not None or settings.broker_url is not None:
        served.workers += _workers(settings.workers, served.logs)


def _start_dagster(served: _Served, options: list[str]) -> None:
    """Start the code server and, once it answers, Dagster's webserver and daemon, which load their definitions from it."""
    deadline = time.monotonic() + STARTUP_S
    _ensure_running([served.code_server])
    while not served.code_server.answers:
        if not served.code_server.running or time.monotonic() > deadline:
            raise Misconfigured(f"The code server does not start:\n{log_tail(served.logs, 'code server')}")
        _ensure_running([served.page])
        time.sleep(CHECK_CHILDREN_S)
    workspace = ["--workspace", str(served.code_server.write_workspace())]
    commands = {"webserver": [*options, *workspace], "daemon": workspace}
    for name, arguments in commands.items():
        served.dagster.append(RestartedProcess(name, ["earshot", "serve", name, *arguments], served.logs))
    _ensure_running(served.dagster)


def _supervise(served: _Served, database: Database) -> None:
    """Restart what exits, until the database is gone, or Dagster does not start (Misconfigured)."""
    deadline = time.monotonic() + STARTUP_S
    announced = False
    while True:
        with suppress(psycopg.OperationalError):  # the connection broke just now
            database.query("SELECT 1")  # starts the embedded Postgres again, raises DatabaseUnusable if it is gone
        for process in served.dagster:
            if not announced and not process.running:
                raise Misconfigured(f"The {process.name} exited:\n{log_tail(served.logs, process.name)}")
        if served.broker is not None and not served.broker.answers:
            click.echo("The broker exited; restarting it.")
            served.broker.start()
        _ensure_running([served.page, served.code_server, *served.dagster, *served.workers])
        if not announced and _answers(served.url):
            click.echo(f"The UI is at {served.url} (Ctrl-C stops it). Logs: {served.logs}")
            announced = True
        if not announced and time.monotonic() > deadline:
            raise Misconfigured(f"The webserver did not answer within {STARTUP_S:.0f} s:\n{log_tail(served.logs, 'webserver')}")
        time.sleep(CHECK_CHILDREN_S)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/server_info", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


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
