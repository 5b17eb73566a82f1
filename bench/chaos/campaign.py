"""The campaign: publishes episodes, injects faults while they are at work, and waits until everything holds again.

A round has one to MOST_AT_ONCE faults. Each begins at a random moment of the work on an episode that was just published, and on
a backfill; those of a round overlap. The time to recovery is from the end of the last fault (that of a kill, at once) until all
invariants hold at once; what does not hold after RECOVERY_S is a finding.
"""

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import psycopg

from bench.chaos import invariants
from bench.chaos.callers import Callers, calling
from bench.chaos.faults import Fault, faults_of
from bench.chaos.feed import Feed, serving_feed
from bench.chaos.world import EARSHOT, World
from bench.corpora.episodes import TELEPHONE, Clip, clip_samples, write_mp3

CLIPS = (
    Clip(TELEPHONE.package, TELEPHONE.path, 6.5, 14.5),
    Clip("moonshine_voice", "assets/beckett.wav", 0.0, 8.0),
    Clip("moonshine_voice", "assets/two_cities.wav", 0.0, 9.0),
)
FIRST_S, RECOVERY_S = 900.0, 300.0
LOOK_S = 2.0
RESTART_S = 10.0  # as the systemd unit's RestartSec
NOTICED_S = 90.0  # in which an episode is noticed
LATEST_S = 15.0  # after a run has started, or after the fault before, a fault begins
MOST_AT_ONCE = 3  # faults of a round


@dataclass(frozen=True)
class Injected:
    """The faults of a round, and what did not hold RECOVERY_S after it."""

    faults: tuple[str, ...]
    recovered_s: float
    findings: tuple[str, ...]


@dataclass
class Report:
    """A campaign. `findings` are those of the callers, and of the end."""

    seed: int
    injected: list[Injected] = field(default_factory=list)
    videos: int = 0
    restarts_of_up: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    longest_command_s: float = 0.0
    findings: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        """How many faults were injected."""
        return sum(len(injected.faults) for injected in self.injected)


@dataclass
class Campaign:
    """A campaign under way. `recordings`: the number of the recording of each published episode."""

    world: World
    feed: Feed
    random: Random
    callers: Callers
    media: list[bytes]
    report: Report
    recordings: dict[str, int] = field(default_factory=dict)
    clean: dict[int, str] = field(default_factory=dict)
    seen: int = 0  # bytes of the log of `up` that were read
    ended_at: float | None = None

    def begin(self) -> None:
        """Ingest each recording once without a fault, and keep what its rows are."""
        for number in range(len(self.media)):
            self._publish(number)
        left = self._wait(FIRST_S, self._unfinished)
        if left:
            raise SystemExit(f"The library could not be filled: {left}")
        query = invariants.querying(self.world)
        self.clean = {self.recordings[name]: digest for name, digest in invariants.digests(query).items()}
        for row in query("SELECT video_id, url FROM videos"):
            recording = self.recordings[Path(row["url"]).stem]
            texts = query("SELECT text FROM passages WHERE video_id = %s", [row["video_id"]])
            self.callers.passages[recording] = sorted(text["text"] for text in texts)
            self.callers.recordings[row["video_id"]] = recording

    def inject(self, faults: Sequence[Fault]) -> None:
        """Publish, inject the faults one after the other, end them, and wait until everything holds."""
        self.callers.changing.set()
        self._publish(self.random.randrange(len(self.media)))
        self._ask_for_backfill()
        self._wait(NOTICED_S, lambda: [] if self._at_work() else ["no run has started"])
        begun = self._begin_and_end(faults)
        if not begun:
            return
        ended = time.monotonic()
        self.callers.changing.clear()
        left = self._wait(RECOVERY_S, self.violations)
        for name in invariants.unfinished(invariants.querying(self.world), self.recordings) if left else []:
            self.recordings.pop(name.partition(" ")[0])  # lost, but once
        injected = Injected(tuple(begun), round(time.monotonic() - ended, 1), tuple(left))
        self.report.injected.append(injected)
        print(f"{self.report.faults}. {', '.join(begun)}: {injected.recovered_s:.0f} s {'; '.join(left)}", flush=True)

    def _begin_and_end(self, faults: Sequence[Fault]) -> list[str]:
        """Inject the faults, each for as long as it lasts; returns those that were possible. The last to begin ends first."""
        begun: list[str] = []
        with ExitStack() as heals:
            for fault in faults:
                self._wait(self.random.uniform(0.0, LATEST_S), lambda: ["waiting"])
                heal = fault.begin(self.world, self.random)
                if heal is not None:
                    heals.callback(heal)
                    begun.append(fault.name)
            self._wait(max(fault.lasts_s for fault in faults), lambda: ["lasting"])
        return begun

    def violations(self) -> list[str]:
        """Everything that does not hold now; nothing further once videos are unfinished."""
        query, dagster = invariants.querying(self.world), invariants.querying(self.world, "earshot_dagster")
        try:
            left = self._unfinished()
            if left:
                return left
            return [
                *invariants.wrong_rows(query, self.recordings, self.clean),
                *invariants.leaks(query, dagster),
                *invariants.stray_files(query, self.world.home),
                *invariants.stray_processes(self.world),
                *invariants.lost_corrections(query, self.callers.acknowledged, self.callers.undone),
            ]
        except psycopg.Error as error:
            return [f"the database does not answer: {' '.join(str(error).split())}"]

    def read_log(self) -> None:
        """A traceback that `up` printed is a finding."""
        text = self.world.log.read_text(errors="replace")
        if "Traceback" in text[self.seen :]:
            self.report.findings.append(f"`up` printed a traceback: {text[self.seen :][-800:]}")
        self.seen = len(text)

    def complete(self) -> Report:
        """The report, with what the world and the callers have counted so far."""
        callers = self.callers
        self.report.findings += callers.findings
        callers.findings.clear()
        self.report.videos, self.report.restarts_of_up = len(self.recordings), self.world.restarts
        self.report.calls, self.report.longest_command_s = dict(callers.calls), round(callers.longest_command_s, 1)
        return self.report

    def _at_work(self) -> bool:
        with suppress(psycopg.Error):
            return invariants.at_work(invariants.querying(self.world, "earshot_dagster"))
        return False

    def _unfinished(self) -> list[str]:
        query = invariants.querying(self.world)
        try:
            invariants.hasten(query)
            return invariants.unfinished(query, self.recordings)
        except psycopg.Error as error:
            return [f"the database does not answer: {' '.join(str(error).split())}"]

    def _wait(self, seconds: float, left: Callable[[], list[str]]) -> list[str]:
        """Wait until nothing is left, and return what is after these seconds; `up` is started again as systemd would."""
        deadline = time.monotonic() + seconds
        while True:
            self._keep_up()
            found = left()
            if not found or time.monotonic() >= deadline:
                return found
            time.sleep(min(LOOK_S, max(0.0, deadline - time.monotonic())))

    def _keep_up(self) -> None:
        if self.world.process is not None and self.world.process.poll() is not None:
            self.ended_at = self.ended_at or time.monotonic()
            if time.monotonic() - self.ended_at < RESTART_S:
                return
        self.ended_at = None
        self.world.keep_up()

    def _publish(self, recording: int) -> None:
        name = f"episode-{len(self.recordings) + 1}"
        self.recordings[name] = recording
        self.feed.episodes[name] = self.media[recording]

    def _ask_for_backfill(self) -> None:
        """Have the stages of one video run again, in the background."""
        if self.callers.recordings:
            video = self.random.choice(sorted(self.callers.recordings))
            command = [EARSHOT, "backfill", "transcript", "--video", video, "--detach"]
            subprocess.run(command, env=self.world.environment, capture_output=True, check=False, timeout=RECOVERY_S)


def run_campaign(seed: int, faults: int, folder: Path, keep: Callable[[Report], object]) -> Report:
    """Inject so many faults in an order that the seed decides: each kind once before any comes again.

    `keep` gets the report after each round. KeyboardInterrupt ends the campaign early.
    """
    random, report = Random(seed), Report(seed)
    with serving_feed() as feed:
        world = World(folder, feed)
        world.prepare()
        callers = Callers(world, Random(seed))
        campaign = Campaign(world, feed, random, callers, _media(), report)
        try:
            campaign.begin()
            print(f"Seed {seed}: {len(campaign.media)} recordings are in the library.", flush=True)
            with calling(callers), suppress(KeyboardInterrupt):
                for together in _rounds(faults_of(world), faults, random):
                    campaign.inject(together)
                    campaign.read_log()
                    keep(campaign.complete())
            report.findings += invariants.failed_backfills(invariants.querying(world, "earshot_dagster"))
        finally:
            world.stop()
    return campaign.complete()


def _rounds(kinds: list[Fault], count: int, random: Random) -> Iterator[list[Fault]]:
    """So many faults in rounds; each kind comes once before any comes again."""
    chosen: list[Fault] = []
    while len(chosen) < count:
        chosen += random.sample(kinds, len(kinds))
    chosen = chosen[:count]
    while chosen:
        together = random.randint(1, MOST_AT_ONCE)
        yield chosen[:together]
        chosen = chosen[together:]


def _media() -> list[bytes]:
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.mp3" for number in range(len(CLIPS))]
        for path, clip in zip(paths, CLIPS, strict=True):
            write_mp3(path, clip_samples(clip))
        return [path.read_bytes() for path in paths]
