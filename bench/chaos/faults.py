"""The faults: what each does, and how it ends. Those that need root, or a disk of their own, are left out without it."""

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import psutil
import psycopg

from bench.chaos.feed import Mood
from bench.chaos.world import World, unmount
from bench.harness.clock import Clock

KILLED = ("page", "webserver", "daemon", "code server", "worker", "broker", "postgres", "backend", "up")
LASTS_S = 12.0
CLOCK_STEPS = {"ahead": 3600, "back": -3600}  # and the other way when the fault ends
SPARE = 64 << 20  # bytes of memory that a worker gets under pressure

Heal = Callable[[], None]


@dataclass(frozen=True)
class Fault:
    """`begin` injects it and returns what ends it; None if there was nothing to inject it into. `lasts_s` 0: it ends itself."""

    name: str
    begin: Callable[[World, Random], Heal | None]
    lasts_s: float = LASTS_S


def faults_of(world: World) -> list[Fault]:
    """Every fault that is possible here."""
    faults = [Fault(f"kill {kind}", _signalling(kind, signal.SIGKILL), 0.0) for kind in KILLED]
    faults += [Fault(f"stop {kind}", _signalling(kind, signal.SIGSTOP)) for kind in KILLED]
    faults += [Fault("kill everything", _kill_everything, 0.0), Fault("cut connections", _cut_connections, 0.0)]
    faults += [Fault(f"feed {mood}", _in_mood(mood), 20.0) for mood in Mood if mood is not Mood.WELL]
    faults += [Fault("memory pressure on a worker", _squeeze)]
    if world.clock is not None:
        faults += [Fault(f"clock an hour {name}", _stepping(world.clock, step_s)) for name, step_s in CLOCK_STEPS.items()]
    if world.own_disk:
        faults += [Fault("disk full", _fill_disk), Fault("media store read-only", _protect_media)]
    return faults


def _signalling(kind: str, number: signal.Signals) -> Callable[[World, Random], Heal | None]:
    def begin(world: World, random: Random) -> Heal | None:
        found = world.processes(kind)
        if not found:
            return None
        victim = random.choice(found)
        with suppress(psutil.NoSuchProcess):
            victim.send_signal(number)
        return lambda: _continue([victim])

    return begin


def _continue(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)


def _kill_everything(world: World, _: Random) -> Heal | None:
    for process in (*world.family(), *world.processes("postgres")):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return _nothing


def _cut_connections(world: World, _: Random) -> Heal | None:
    """End every connection to both databases."""
    with suppress(psycopg.OperationalError), psycopg.connect(url_of(world), connect_timeout=5, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        return _nothing
    return None


def _in_mood(mood: Mood) -> Callable[[World, Random], Heal | None]:
    def begin(world: World, _: Random) -> Heal:
        world.feed.mood = mood
        return lambda: setattr(world.feed, "mood", Mood.WELL)

    return begin


def _stepping(clock: Clock, seconds: int) -> Callable[[World, Random], Heal | None]:
    def begin(world: World, _: Random) -> Heal | None:
        clock.step(seconds)
        with suppress(psycopg.OperationalError):  # another fault has stopped it
            if abs(_clock_of_postgres(world) - time.time() - seconds) > LASTS_S:
                raise SystemExit("The clock of Postgres did not step, so that the campaign proves nothing about that.")
        return lambda: clock.step(0)

    return begin


def _clock_of_postgres(world: World) -> float:
    with psycopg.connect(url_of(world), connect_timeout=5) as connection:
        row = connection.execute("SELECT extract(epoch FROM clock_timestamp())").fetchone()
    return float(row[0]) if row else 0.0


def _squeeze(world: World, random: Random) -> Heal | None:
    """Let a worker's process have hardly more memory than it has."""
    processes = [process for process in world.processes("worker") if not process.children()]
    if not processes:
        return None
    victim = random.choice(processes)
    with suppress(psutil.NoSuchProcess):
        former, limit = victim.rlimit(psutil.RLIMIT_AS), victim.memory_info().vms + SPARE
        victim.rlimit(psutil.RLIMIT_AS, (limit, former[1]))
        return lambda: _restore(victim, former)
    return None


def _restore(process: psutil.Process, limits: tuple[int, int]) -> None:
    with suppress(psutil.NoSuchProcess):
        process.rlimit(psutil.RLIMIT_AS, limits)


def _fill_disk(world: World, _: Random) -> Heal:
    filler = world.home / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 20))
    return lambda: filler.unlink(missing_ok=True)


def _protect_media(world: World, _: Random) -> Heal:
    media = str(world.home / "media")
    subprocess.run(["mount", "--bind", media, media], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", media], check=True)
    return lambda: unmount(world.home / "media")


def _nothing() -> None: ...


def url_of(world: World, database: str = "earshot") -> str:
    """A database of the world's embedded Postgres."""
    return f"postgresql://postgres@/{database}?host={world.home}/postgres"
