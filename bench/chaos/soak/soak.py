"""The soak: publishes an episode at a steady rate, lets readers read, and samples what everything uses."""

import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psycopg

from bench.chaos.feed import serving_feed
from bench.chaos.invariants import querying
from bench.chaos.soak import disk, processes, tables
from bench.chaos.soak.readers import Readers, reading
from bench.chaos.soak.recordings import recording
from bench.chaos.world import World
from bench.harness.clock import make_clock

SAMPLE_S = 20.0
LOOK_S = 2.0  # between two looks for episodes that became searchable
LAST_S = 600.0  # in which the last episodes become searchable
POLLS_A_DAY = 96
SOURCES = "sources:\n  - feed: {}\n    name: Soak\n    every: {}\n    pause: 0\n"

_READY = "SELECT video_id, url FROM videos WHERE state = 'ready'"

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Plan:
    """How long, how much is published how often, and how fast the clock of `up` goes. `keep_videos` 0: all."""

    minutes: float = 60.0
    every_s: float = 60.0
    length_s: float = 20.0
    speed: int = 1
    keep_videos: int = 0

    @property
    def sources(self) -> str:
        """sources.yaml, but for the feed's address. In compressed time polls come as often a day as every 15 minutes."""
        kept = f"    keep_videos: {self.keep_videos}\n" if self.keep_videos else ""
        return SOURCES.format("{}", "30s" if self.speed == 1 else f"{24 * 60 // POLLS_A_DAY}m") + kept


@dataclass(frozen=True)
class Record:
    """What a soak measured. `curves`: the points of each, of seconds since the start and a value."""

    plan: Plan
    curves: dict[str, Points]
    videos: int
    unfinished: list[str]
    restarts: int
    reads: int
    failed_reads: list[str]


@dataclass
class SoakWorld(World):
    """A library in a plain folder, perhaps by a fast clock."""

    plan: Plan = field(default_factory=Plan)

    def prepare(self) -> None:
        """Make a new home, and point this process's settings at it, but for the clock."""
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir()
        (self.folder / "sources.yaml").write_text(self.plan.sources.format(self.feed.address))
        os.environ.update(self.environment)
        if self.plan.speed > 1:
            self.clock = make_clock(self.folder)
            if self.clock is None:
                raise SystemExit("A fast clock needs a C compiler, and no `cc` works here. Install one, or leave out --speed.")
            self.clock.run(self.plan.speed)


@dataclass
class Soak:
    """A soak under way. `published`: seconds since the start, by episode."""

    world: SoakWorld
    readers: Readers
    started: float = field(default_factory=time.monotonic)
    curves: dict[str, Points] = field(default_factory=dict)
    published: dict[str, float] = field(default_factory=dict)
    searchable: set[str] = field(default_factory=set)
    ticks: tables.Ticks = field(init=False)

    def __post_init__(self) -> None:
        self.ticks = tables.Ticks(self.world, self.world.plan.speed)

    @property
    def at_s(self) -> float:
        return time.monotonic() - self.started

    @property
    def record(self) -> Record:
        plan, readers = self.world.plan, self.readers
        videos, restarts = len(self.published), self.world.restarts
        return Record(plan, self.curves, videos, self.waiting, restarts, readers.calls, readers.failures)

    def run(self) -> None:
        """Publish, look and sample until the plan's time is over, or until Ctrl-C; then wait for the last episodes."""
        end_s, publish_s, sample_s = 60.0 * self.world.plan.minutes, 0.0, 0.0
        while self.at_s < end_s:
            self.world.keep_up()
            if self.at_s >= publish_s:
                self.publish()
                publish_s += self.world.plan.every_s
            self.look()
            if self.at_s >= sample_s:
                self.sample()
                sample_s += SAMPLE_S
            time.sleep(LOOK_S)
        while self.waiting and self.at_s < end_s + LAST_S:
            self.look()
            time.sleep(LOOK_S)

    @property
    def waiting(self) -> list[str]:
        """Published episodes that were not searchable at the last look, the oldest first."""
        return [name for name in self.published if name not in self.searchable]

    def publish(self) -> None:
        name = f"episode-{len(self.published) + 1}"
        self.world.feed.episodes[name] = recording(len(self.published), self.world.plan.length_s)
        self.published[name] = self.at_s

    def look(self) -> None:
        """Note the episodes that became searchable."""
        try:
            ready = querying(self.world)(_READY)
        except psycopg.Error:
            return
        self.readers.videos = [row["video_id"] for row in ready]
        for name in sorted({Path(row["url"]).stem for row in ready} - self.searchable):
            self.searchable.add(name)
            self._add({"searchable": self.at_s - self.published[name]})

    def sample(self) -> None:
        """Add a point to each curve; those of the databases are left out while they do not answer."""
        took_s, self.readers.took_s = self.readers.took_s, {}
        self._add(processes.measure(self.world))
        self._add(disk.measure(self.world.home))
        self._add({f"answer {what}": median(seconds) for what, seconds in took_s.items()})
        self._add({"load": os.getloadavg()[0], "videos": len(self.searchable), "restarts": self.world.restarts})
        self._add({"waiting": self.at_s - self.published[self.waiting[0]] if self.waiting else 0.0})
        try:
            self._add({**tables.measure(self.world), **self.ticks.measure()})
        except psycopg.Error as error:
            print(f"{self.at_s:.0f} s: {' '.join(str(error).split())}", flush=True)

    def _add(self, values: dict[str, float]) -> None:
        at_s = self.at_s
        for name, value in values.items():
            self.curves.setdefault(name, []).append((round(at_s, 1), round(value, 3)))


def run_soak(plan: Plan, folder: Path) -> Record:
    """Run it on a new library under the folder, which is left there."""
    with serving_feed() as feed:
        world = SoakWorld(folder, feed, plan=plan)
        world.prepare()
        world.keep_up()
        soak = Soak(world, Readers(world))
        try:
            with reading(soak.readers), suppress(KeyboardInterrupt):
                soak.run()
        finally:
            world.stop()
    return soak.record
