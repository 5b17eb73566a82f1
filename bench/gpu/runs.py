"""Runs of steps: each in its own process, interrupted at its own limit or at the common deadline.

A step that fails or runs out of time is reported, and the others continue. After each step, and every few seconds, result.json
(per step: `how` it ended, `seconds`, `lines`, `data`) and log.txt (the end of each step's output) are written to the output
folder, so that an interrupted call keeps its results. The work folder has a copy, with which the next call continues.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.gpu.findings import read_json, work_folder, write_json
from bench.gpu.steps import Row, Step

ENDED, NOT_RUN = "ended", "not run: no time left"
MIN_LEFT_S = 15.0  # no step starts with less time left
RESERVE_S = 5.0  # before the deadline, to stop running steps
SAVE_S = 5.0  # between two writes of the results
LOG_END = 20_000  # characters of each step's log


@dataclass
class Running:
    """A running step."""

    step: Step
    process: subprocess.Popen[bytes]
    started: float
    limit_s: float

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


class Runs:
    """All steps so far, including those of earlier calls."""

    def __init__(self, out: Path) -> None:
        self._work, self._out = work_folder(), out
        for folder in (self._found, self._logs, out):
            folder.mkdir(parents=True, exist_ok=True)
        self.result: dict[str, dict[str, Any]] = read_json(self._work / "result.json")

    @property
    def _found(self) -> Path:
        return self._work / "found"

    @property
    def _logs(self) -> Path:
        return self._work / "logs"

    def ended(self, step: Step) -> bool:
        return self.result.get(step.name, {}).get("how") == ENDED

    def run(self, rows: Sequence[Row], deadline: float) -> list[str]:
        """Run the rows in order; returns the steps that failed or were interrupted."""
        for row in rows:
            self._run_row(row, deadline)
        hows = {step.name: self.result[step.name]["how"] for row in rows for step in row}
        return [name for name, how in hows.items() if how not in (ENDED, NOT_RUN)]

    def _run_row(self, row: Row, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left < MIN_LEFT_S:
            for step in row:
                if not self.ended(step):
                    self.result[step.name] = {"how": NOT_RUN, "seconds": 0.0}
                print(f"== {step.name}: {NOT_RUN}", flush=True)
            self._save()
            return
        running = [self._start(step, min(step.limit_s, left - RESERVE_S)) for step in row]
        saved = time.monotonic()
        try:
            while running:
                time.sleep(0.05)
                for run in running:
                    if run.process.poll() is not None or run.seconds > run.limit_s:
                        self._end(run)
                running = [run for run in running if run.process.returncode is None]
                if time.monotonic() - saved > SAVE_S:
                    saved = time.monotonic()
                    self._save(running)
        finally:  # steps have their own sessions, so Ctrl-C does not reach them
            for run in running:
                interrupt(run.process)

    def _start(self, step: Step, limit_s: float) -> Running:
        found = self._found / f"{step.name}.json"
        found.unlink(missing_ok=True)
        command = [sys.executable, "-m", "bench.gpu.steps", step.module, step.name, str(found)]
        with self._log(step.name).open("wb") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
            )
        return Running(step, process, time.monotonic(), limit_s)

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.txt"

    def _end(self, run: Running) -> None:
        seconds, interrupted = run.seconds, run.process.poll() is None
        interrupt(run.process)
        found = read_json(self._found / f"{run.step.name}.json")
        error = found.pop("error", None)
        if interrupted:
            how = f"cut off at {run.limit_s:.0f} s"
        elif run.process.returncode:
            how = f"failed: {error or f'exit code {run.process.returncode}'}"
        else:
            how = ENDED
        self.result[run.step.name] = {"how": how, "seconds": round(seconds, 1), **found}
        self._report(run.step.name)
        self._save()

    def _report(self, name: str) -> None:
        """Print the step's lines, and the end of its log if it failed."""
        found = self.result[name]
        print(f"== {name}: {found['how']}, {found['seconds']:.0f} s")
        for line in found.get("lines", []):
            print(f"   {line}")
        if found["how"] != ENDED:
            for line in self._log(name).read_text(errors="replace").splitlines()[-6:]:
                print(f"   | {line}")
        sys.stdout.flush()

    def _save(self, running: Sequence[Running] = ()) -> None:
        unfinished = {
            run.step.name: {
                "how": "not ended",
                "seconds": round(run.seconds, 1),
                **read_json(self._found / f"{run.step.name}.json"),
            }
            for run in running
        }
        for folder in (self._work, self._out):
            write_json(folder / "result.json", self.result | unfinished)
        logs = {path.stem: path.read_text(errors="replace")[-LOG_END:] for path in sorted(self._logs.glob("*.txt"))}
        (self._out / "log.txt").write_text("".join(f"===== {name}\n{text}\n" for name, text in logs.items()))


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """Let a step stop what it started, then kill the rest of its process group."""
    for number, patience_s in ((signal.SIGINT, 8.0), (signal.SIGKILL, 2.0)):
        try:
            os.killpg(process.pid, number)
            process.wait(patience_s)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
