"""The embedded server: PostgreSQL 18 with pgvector from a wheel, one for each home, started on demand.

Its files are in `EARSHOT_HOME/postgres`. It listens on a unix socket only: in that folder, or in one of
earshot/storage/sockets.py if the path would be too long. It asks the kernel who connects (earshot/storage/postgres/access.py).
It runs until `stop()`, longer than the process that started it.
"""

import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psutil
from psycopg.pq import PGconn, Ping

from earshot.common.errors import DatabaseUnusable, Misconfigured
from earshot.common.log_files import rotate_log
from earshot.config.home import make_home
from earshot.storage.full_disk import WORDS, database_disk_full
from earshot.storage.postgres.access import SUPERUSER, give, let_through, server_user, write_access
from earshot.storage.postgres.programs import launch_as, run_as
from earshot.storage.sockets import fits, socket_folder

MOST_MEMORY = 4 << 30  # bytes; the server's cache is an eighth of the machine's memory up to this, and grows only as needed

# After a crash the server first replays its log, and waits for its old processes to end. If that takes longer, it goes on while
# the command ends: every command ends within a minute.
START_S = 45.0
STOP_S = 60.0  # for each way of stopping
STOP_POLL_S = 0.1
PAUSE_S = 0.5
LOCK_FILES = ("postmaster.pid", ".s.PGSQL.5432.lock")  # each begins with the server's process id
SOCKET_LINE = 4  # of postmaster.pid, counted from 0
TRANSIENT_ERRORS = ("pre-existing shared memory block", "already exists")
LOG_LINES = 5
STARTING = "starting PostgreSQL"


def start(home: Path) -> Path:
    """Start the home's server if it does not run, and return the folder of its socket once it answers.

    Raises DiskFull or DatabaseUnusable if it does not within START_S.
    """
    data, deadline = make_home(home) / "postgres", time.monotonic() + START_S
    while True:
        sockets = _run(home, deadline)
        if PGconn.ping(f"{url(sockets, SUPERUSER)}&connect_timeout=5".encode()) == Ping.OK:
            return sockets
        if time.monotonic() > deadline:
            raise _silent(data)
        time.sleep(PAUSE_S)


def revive(home: Path) -> bool:
    """Start the home's server, which ran before, if it does not run; False if it does. Makes nothing that is missing.

    Raises DiskFull or DatabaseUnusable if it does not start within START_S.
    """
    data = home / "postgres"
    if not (data / "PG_VERSION").exists():
        raise DatabaseUnusable(
            f"The embedded Postgres has ended, and its files are gone from {data}.",
            "Put them back (was the folder moved, or is its disk not mounted?), then run the command again.",
        )
    if _is_running(data):
        return False
    _run(home, time.monotonic() + START_S)
    return True


def log_of(home: Path) -> Path:
    """The server's log."""
    return home / "postgres" / "log"


def _run(home: Path, deadline: float) -> Path:
    """Start the server if it does not run; returns the folder of its socket. Raises DiskFull or DatabaseUnusable."""
    data = home / "postgres"
    while True:
        try:
            with _alone(home, deadline):
                return _ensure_running(home, deadline)
        # IndexError: a server that is still starting has not written all lines of its file.
        except (subprocess.CalledProcessError, OSError, IndexError) as error:
            if not _may_need_time(error, data):
                raise _not_started(data) from error
            if time.monotonic() > deadline:
                raise (_silent(data) if _is_running(data) else _not_started(data)) from error
        time.sleep(PAUSE_S)


def stop(home: Path) -> bool:
    """Stop the home's server; False if it did not run."""
    data = home / "postgres"
    if not _is_running(data):
        return False
    with _alone(home, time.monotonic() + START_S):
        _end(data, signal.SIGINT)  # Postgres' fast shutdown
        _end(data, signal.SIGQUIT)  # its immediate one
    return True


def _end(data: Path, how: signal.Signals) -> None:
    """Signal the server if it runs, and wait until it has ended. A killed one leaves its file, and maybe a zombie, behind."""
    _signal(data, how)
    _signal(data, signal.SIGCONT)  # a suspended one gets the first signal only now
    deadline = time.monotonic() + STOP_S
    while (process := _process_of(data / LOCK_FILES[0])) and _is_alive(process) and time.monotonic() < deadline:
        time.sleep(STOP_POLL_S)


def _signal(data: Path, what: signal.Signals) -> None:
    if process := _process_of(data / LOCK_FILES[0]):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(what)


def url(sockets: Path, database: str) -> str:
    """The libpq URL of a database of the server whose socket is in this folder."""
    return f"postgresql://{SUPERUSER}@/{database}?host={quote(str(sockets))}"


@contextmanager
def _alone(home: Path, deadline: float) -> Iterator[None]:
    """No other process starts or stops the home's server during the block. Raises DatabaseUnusable if one does too long."""
    with (home / ".postgres.lock").open("a") as file:
        if os.geteuid() == 0:  # in another user's home, that user must be able to open it
            os.fchown(file.fileno(), home.stat().st_uid, -1)
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > deadline:
                raise _silent(home / "postgres")
            time.sleep(STOP_POLL_S)
        yield


def _ensure_running(home: Path, deadline: float) -> Path:
    data = home / "postgres"
    if not (data / "PG_VERSION").exists():
        _create(home)
    _remove_stale_lock_files(data)
    if not _is_running(data):
        _launch(home, deadline)
    elif write_access(home):  # started by earlier code, which trusted everyone
        _signal(data, signal.SIGHUP)  # reads them again
    return Path((data / LOCK_FILES[0]).read_text().splitlines()[SOCKET_LINE])


def _create(home: Path) -> None:
    """Make the files of a new server, in a folder that is renamed once they are whole."""
    user, new = server_user(home), home / ".postgres.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    if user is not None:
        let_through(home, user)
        os.chown(new, user.pw_uid, user.pw_gid)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    cache = f"--set=shared_buffers={min(memory // 8, MOST_MEMORY) >> 20}MB"
    try:
        run_as(user, "initdb", "--auth=peer", "--encoding=utf8", f"--username={SUPERUSER}", cache, f"--pgdata={new}")
    except subprocess.CalledProcessError as error:
        raise _not_created(home, str(error.stderr).strip()) from error
    new.replace(home / "postgres")


def refuse_audio_alone(home: Path) -> None:
    """Raise DatabaseUnusable if the home has audio, but no server: an empty library would hide that its database is gone."""
    media = home / "media"
    if not (home / "postgres").exists() and media.is_dir() and any(entry.is_file() for entry in media.iterdir()):
        raise DatabaseUnusable(
            f"{media} has audio, but its library's database is gone: there is no {home / 'postgres'}.",
            "Put that folder back (was it moved, or is its disk not mounted?), or run `earshot restore`. To begin with an "
            "empty library, move the audio away.",
        )


def _not_created(home: Path, reason: str) -> Misconfigured:
    if WORDS in reason:
        return database_disk_full(reason)
    return DatabaseUnusable(
        f"The embedded Postgres cannot be made under {home}: {reason}.",
        "Set EARSHOT_HOME to another folder, or EARSHOT_DATABASE_URL to a server.",
    )


def _launch(home: Path, deadline: float) -> None:
    user, data = server_user(home), home / "postgres"
    if user is not None:
        let_through(home, user)
        give(data, user)
    write_access(home)
    rotate_log(data / "log")
    sockets = data if fits(data) else socket_folder(home, "postgres", user.pw_uid if user else None)
    options = f"--options=-h '' -k {shlex.quote(str(sockets))}"
    waits = ("--wait", f"--timeout={max(1.0, deadline - time.monotonic()):.0f}")
    launch_as(user, "pg_ctl", "start", f"--pgdata={data}", *waits, f"--log={data / 'log'}", options)


def _may_need_time(error: Exception, data: Path) -> bool:
    """Whether a failed start may only need more time."""
    log = data / "log"
    if isinstance(error, subprocess.CalledProcessError):
        if _is_running(data):
            return True
        lines = log.read_text().splitlines()[-LOG_LINES:] if log.exists() else []
        return any(message in line for line in lines for message in TRANSIENT_ERRORS)
    return not isinstance(error, OSError)


def _silent(data: Path) -> DatabaseUnusable:
    return DatabaseUnusable(
        f"The embedded Postgres under {data} does not answer within {START_S:.0f} s.",
        "After a crash it may still be repairing its files: run the command again in a minute. "
        f"If that does not help, run `earshot down`; the end of {data / 'log'} says more.",
    )


def _not_started(data: Path) -> Misconfigured:
    if full := _full_disk_in(data / "log"):
        return database_disk_full(full)
    return DatabaseUnusable(
        f"The embedded Postgres under {data} does not start.",
        f"The end of {data / 'log'} says why. If you copied the files, their owner must be the same (cp -a).",
    )


def _full_disk_in(log: Path) -> str:
    """The log's message about a full disk since the server's last start, or ""."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    start = max((number for number, line in enumerate(lines) if STARTING in line), default=0)
    return next((line.partition(":  ")[2] for line in lines[start:] if WORDS in line), "")


def _remove_stale_lock_files(data: Path) -> None:
    """Remove lock files whose process id now belongs to another process, as after a power cut: Postgres would trust them.

    A file whose id is unused stays: Postgres needs it to clean up after the earlier server.
    """
    for name in LOCK_FILES:
        process = _process_of(data / name)
        if process is not None and not _serves(process, data):
            (data / name).unlink(missing_ok=True)


def _is_running(data: Path) -> bool:
    process = _process_of(data / LOCK_FILES[0])
    return process is not None and _serves(process, data)


def _process_of(file: Path) -> psutil.Process | None:
    with suppress(FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
        number = int(file.read_text().split()[0])
        with suppress(ChildProcessError):  # a container's first process inherits it, and must bury it
            os.waitpid(number, os.WNOHANG)
        return psutil.Process(number)
    return None


def _is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def _serves(process: psutil.Process, data: Path) -> bool:
    """Whether it is this folder's server. A zombie counts too: its process id is not free yet."""
    with suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE or str(data) in process.cmdline()
    return False
