"""The campaign: makes each input, takes it through its door in the worker process, and judges what became of it.

The worker's memory is that of its whole family, as resident pages, sampled; what an input took is the growth. A worker that
ends or does not answer in time is a finding, and another takes its place.
"""

import json
import os
import re
import select
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

from bench.chaos.hostile.case import CLIP, EMPTY, READ, Case, Made, Place
from bench.chaos.hostile.site import hostile_site
from bench.corpora.episodes import clip_samples
from earshot.config.settings import PROJECT_ROOT
from earshot.storage.database import open_database
from earshot.storage.server import stop_embedded

SAMPLED_S = 0.03
# A message ends with what to do: it has a second sentence.
REMEDY = re.compile(r"[.:…)'\"]\s+\S.*\.?\s*$", re.DOTALL)
LONGEST_MESSAGE = 20_000


@dataclass(frozen=True)
class Result:
    """What became of an input. `mb`: the most memory that the worker's family took beyond what it had."""

    kind: str
    name: str
    state: str
    message: str
    wall_s: float
    mb: float
    findings: tuple[str, ...]


@dataclass
class HostileReport:
    """A campaign's results."""

    seed: int
    results: list[Result] = field(default_factory=list)


@dataclass
class Worker:
    """The process that the inputs go through."""

    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    answers: int = -1

    def ask(self, request: dict[str, Any], most_s: float) -> dict[str, Any]:
        """The answer; one with the state `died` or `no answer`, if there is none."""
        if self.process is None:
            self._start()
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        answer, deadline = b"", time.monotonic() + most_s
        while not answer.endswith(b"\n"):
            ready, _, _ = select.select([self.answers], [], [], max(deadline - time.monotonic(), 0.0))
            piece = os.read(self.answers, 1 << 20) if ready else b""
            if not piece:
                return self._lost("died" if ready else "no answer")
            answer += piece
        return json.loads(answer)

    def family(self) -> list[psutil.Process]:
        if self.process is None:
            return []
        with suppress(psutil.NoSuchProcess):
            worker = psutil.Process(self.process.pid)
            return [worker, *(child for child in worker.children(recursive=True) if child.name() != "postgres")]
        return []

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            os.close(self.answers)
        self.process = None

    def _start(self) -> None:
        self.answers, theirs = os.pipe()
        command = [sys.executable, "-m", "bench.chaos.hostile.door", str(theirs)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, pass_fds=[theirs], cwd=PROJECT_ROOT
            )
        os.close(theirs)

    def _lost(self, state: str) -> dict[str, Any]:
        assert self.process is not None
        code = self.process.wait(10) if state == "died" else None
        self.end()
        return {"state": state, "message": f"exit code {code}: {self.log.read_text(errors='replace')[-500:]}"}


@contextmanager
def _measured(worker: Worker) -> Iterator[list[float]]:
    """Samples of the family's memory during the block, in MB; the first is that before it."""
    samples, ended = [_memory(worker)], threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLED_S):
            samples.append(_memory(worker))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def _memory(worker: Worker) -> float:
    total = 0.0
    for process in worker.family():
        with suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss / 1e6
    return total


def run_campaign(cases: Iterable[Case], seed: int, folder: Path) -> HostileReport:
    """Take each case through its door, in one new library under the folder."""
    report, home = HostileReport(seed), folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    (folder / "inputs").mkdir(parents=True, exist_ok=True)
    (folder / "models").mkdir(exist_ok=True)
    home.mkdir()
    (home / "models").symlink_to(folder / "models")
    own = {"EARSHOT_HOME": str(home), "EARSHOT_DEVICE": "cpu", "EARSHOT_SETTINGS": os.devnull, "PYTHONPATH": str(PROJECT_ROOT)}
    os.environ.update(own)
    worker = Worker(folder / "worker.log")
    try:
        with hostile_site() as site:
            place = Place(folder / "inputs", clip_samples(CLIP), site, seed)
            worker.ask({"door": "settings", "address": os.devnull}, 300.0)
            for number, case in enumerate(cases, start=1):
                result = _run(case, place, worker, home)
                report.results.append(result)
                print(_line(number, result), flush=True)
    finally:
        worker.end()
        stop_embedded(home)
    return report


def _run(case: Case, place: Place, worker: Worker, home: Path) -> Result:
    made = case.make(place)
    if worker.process is None:
        worker.ask({"door": "settings", "address": os.devnull}, 300.0)
    started = time.monotonic()
    with _measured(worker) as samples:
        answer = worker.ask(request_of(case, made), case.most_s)
    wall_s, taken = time.monotonic() - started, max(samples) - samples[0]
    findings = [*judge(case, answer), *_leftovers(home, worker, case.resumed)]
    if taken > case.most_mb:
        findings.append(f"it took {taken:.0f} MB")
    for path in place.folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    message = answer.get("message", "")[:600]
    return Result(case.kind, case.name, answer["state"], message, round(wall_s, 2), round(taken), tuple(findings))


def request_of(case: Case, made: Made) -> dict[str, Any]:
    """What the worker is asked."""
    return {"door": case.door, "address": made.address, "options": made.options, "whole": case.whole}


def judge(case: Case, answer: dict[str, Any]) -> Iterator[str]:
    """Whether the input ended as it must: its state, its message, and what is heard; each violation is a sentence."""
    state, message = answer["state"], answer.get("message", "")
    if state not in case.states:
        yield f"it is {state}, not {' or '.join(case.states)}"
    if state in ("died", "no answer", "traceback"):
        return
    if "Traceback" in message or len(message) > LONGEST_MESSAGE:
        yield f"its message has {len(message)} characters, or a traceback"
    if state not in ("ready", EMPTY, READ) and not REMEDY.search(message):
        yield f"its message has no remedy: {message[:200]!r}"
    if state not in ("ready", EMPTY, READ) and case.message and not re.search(case.message, message):
        yield f"its message lacks {case.message!r}"
    if state == "ready" and case.words is not None and not _heard(case.words, answer["words"]):
        yield f"it is ready with {answer['words'][:100]!r}, not {case.words!r}"


def _heard(expected: str, words: str) -> bool:
    return expected.lower() in words.lower() if expected else not words


def _leftovers(home: Path, worker: Worker, resumed: bool) -> Iterator[str]:
    """Files without a row, and processes, that an input left."""
    if worker.process is not None and (left := worker.family()[1:]):
        names = [" ".join(process.cmdline())[:100] for process in left]
        if names := [name for name in names if "decoder" in name]:
            yield f"processes are left: {names}"
    downloads = home / "downloads"
    if downloads.exists() and (names := [path.name for path in downloads.iterdir()]):
        if not resumed:
            yield f"downloads are left: {names}"
        shutil.rmtree(downloads)
    media = {path.name for path in (home / "media").iterdir()} if (home / "media").exists() else set()
    with psycopg.connect(open_database().url) as connection:
        stored = {uri for (uri,) in connection.execute("SELECT uri FROM audio").fetchall()}
    if strange := media - stored:
        yield f"audio is stored without a row: {strange}"


def _line(number: int, result: Result) -> str:
    found = f" FOUND {'; '.join(result.findings)}" if result.findings else ""
    return f"{number}. {result.kind}: {result.name}: {result.state}, {result.wall_s:.1f} s, {result.mb:.0f} MB{found}"
