"""`earshot up`, `worker` and `down`: Postgres, the broker, Dagster's webserver and daemon, on loopback, and workers.

`up` stays in the foreground, and Ctrl-C or `earshot down` ends it. The webserver, the daemon and the workers are children with
their own logs under EARSHOT_HOME/logs, which are appended to and kept small (earshot/common/log_files.py). When the webserver
or the daemon ends by itself, all is stopped and the end of its log is shown; a worker or the broker is started again. The
embedded Postgres goes on after `up` ends (other commands use it) and is stopped by `down`.

`worker` is the workers alone, for another machine: what they have to do comes from the broker of EARSHOT_BROKER.
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
from earshot.config.settings import PROJECT_ROOT, read_settings
from earshot.models.device import require_device
from earshot.sources.troubles import Trouble, describe_changes, read_troubles
from earshot.storage.database import Database, open_database
from earshot.storage.server import stop_embedded
from ingest_assets.operations.workers import Worker
from resources.instance.broker import EmbeddedBroker
from resources.instance.home import prepare_dagster_home

STARTUP_S = 300.0
TEND_S = 0.5
TROUBLES_S = 5.0  # between two looks at what does not work
LOGS_S = 60.0  # between two looks at how large the logs are
PATIENCE_S = 8.0  # for a process that was asked to end

# In the environment of all that `up` starts: the home that it was started for.
MARK = "EARSHOT_UP_HOME"


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
    from resources.instance.home import open_instance

    settings = read_settings()
    _refuse_second(settings.home)
    device = require_device(settings.device)
    _stop(_left_over(settings.home))  # before the port is tried: what a killed `up` left may still listen on it
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
    state = _state_file(settings.home)
    state.write_text(json.dumps({"pid": os.getpid(), "url": f"http://{host}:{port}"}))
    try:
        with _looking(database, logs):
            _supervise(children, workers, broker, f"http://{host}:{port}", logs)
    finally:
        _stop([child.pid for child in children.values()] + [pid for worker in workers for pid in worker.pids])
        if broker is not None:
            broker.stop()
        state.unlink(missing_ok=True)


@click.command("worker")
@click.option("--count", type=click.IntRange(min=1), default=1, show_default=True, help="How many videos at once.")
def worker_command(count: int) -> None:
    """Work for the library of another machine; Ctrl-C ends it once its videos are done, twice at once.

    EARSHOT_BROKER and EARSHOT_DATABASE_URL name that machine's servers; this one's own EARSHOT_HOME holds only models, and its
    audio where EARSHOT_MEDIA does not name a place that all machines share.
    """
    settings = read_settings()
    if settings.broker_url is None:
        raise Misconfigured(
            "There is no broker to work for.",
            "Set EARSHOT_BROKER to the URL of the Redis or Valkey server that `earshot up` was given; alone it brings its own.",
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
                _tend(workers)
                time.sleep(TEND_S)
        click.echo("Ending once the videos at work are done; Ctrl-C again to end at once.")
        for worker in workers:
            worker.end()
    finally:
        _stop([pid for worker in workers for pid in worker.pids])


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
    left = _left_over(home)
    _stop(left)
    postgres = stop_embedded(home)
    if as_json:
        print_json({"stopped_up": pid is not None, "left_over": len(left), "stopped_postgres": postgres})
        return
    click.echo("Stopped the UI and the daemon." if pid is not None else "`earshot up` was not running.")
    if left:
        click.echo(f"Stopped what an `earshot up` that was killed had left running (process ids {join_numbers(left)}).")
    click.echo("Stopped the embedded Postgres." if postgres else "The embedded Postgres was not running.")


def _start(program: str, arguments: list[str], logs: Path) -> subprocess.Popen[bytes]:
    """A child of this environment's own Dagster, its output in a log, Ctrl-C left to us."""
    command = [str(Path(sys.executable).parent / f"dagster-{program}"), *arguments]
    with (logs / f"{program}.log").open("ab") as log:
        log.write(f"--- earshot up, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n".encode())
        log.flush()
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=PROJECT_ROOT, start_new_session=True)


def _workers(count: int, logs: Path | None) -> list[Worker]:
    """So many, named apart also from those of another `earshot worker` on this machine."""
    prefix = "worker" if logs else f"worker-{os.getpid()}"
    names = [f"{prefix}-{number}" for number in range(1, count + 1)]
    return [Worker(name, logs / f"{name}.log" if logs else None) for name in names]


def _tend(workers: Iterable[Worker]) -> None:
    for worker in workers:
        if told := worker.ensure_running():
            click.echo(told)


@contextmanager
def _looking(database: Database, logs: Path) -> Iterator[None]:
    """For the block, tell what does not work and keep the logs small. In threads: a database that is away is waited for."""
    ended = threading.Event()
    for look in (partial(_tell_troubles, database, ended), partial(_keep_small, logs, ended)):
        threading.Thread(target=look, daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _tell_troubles(database: Database, ended: threading.Event) -> None:
    """Tell each change once."""
    told: dict[str, Trouble] = {}
    while not ended.wait(TROUBLES_S):
        with suppress(DatabaseUnusable, psycopg.OperationalError):
            told, lines = describe_changes(told, read_troubles(database))
            for line in lines:
                click.echo(line)


def _keep_small(logs: Path, ended: threading.Event) -> None:
    while not ended.wait(LOGS_S):
        try:
            rotate(logs)
        except OSError as error:
            click.echo(f"The logs in {logs} grow: a full one cannot be put aside ({error.strerror}). Make room on that disk.")


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
                    raise Misconfigured(f"The {name} ended by itself (exit code {child.returncode}):\n{_tail(logs, name)}")
            if broker is not None and not broker.answers:
                click.echo("The broker ended by itself and is started again.")
                broker.start()
            _tend(workers)
            if not announced and _answers(url):
                click.echo(f"The UI is at {url} - Ctrl-C stops it. Logs: {logs}")
                announced = True
            if not announced and time.monotonic() > deadline:
                raise Misconfigured(f"The webserver does not answer after {STARTUP_S:.0f} s:\n{_tail(logs, 'webserver')}")
            time.sleep(TEND_S)
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


def _left_over(home: Path) -> list[int]:
    """What an `up` that was killed has left running. Postgres is not: it outlives `up` by intent, whoever started it."""
    found = []
    for process in psutil.process_iter(["name", "environ"]):
        environment = process.info["environ"] or {}  # None where the process is another user's
        if environment.get(MARK) == str(home) and process.info["name"] != "postgres" and process.pid != os.getpid():
            found.append(process.pid)
    return found


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
