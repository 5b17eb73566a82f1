"""A time of day that is stepped or goes fast, for processes that are started with its environment; the machine's is left alone.

Sleeps, timeouts and the monotonic clock stay real, so that work which takes a second is not found to hang.
"""

import shutil
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
DAY_S = 86_400
FIRST_HOUR = 5  # UTC: the nightly schedules, at 4 and 6, come at the end of the day and at its beginning


@dataclass(frozen=True)
class Clock:
    """A clock, set by a file in this folder."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What lets a process read it."""
        return {"LD_PRELOAD": str(self.folder / "clock.so"), "BENCH_CLOCK": str(self._setting)}

    def step(self, seconds: int) -> None:
        """Let it differ from the machine's by so many seconds."""
        self._set(start=0, shown=seconds, speed=1)

    def run(self, speed: int) -> None:
        """Let it show FIRST_HOUR of today now, and go so many times as fast."""
        now = int(time.time())
        self._set(start=now, shown=now - now % DAY_S + FIRST_HOUR * 3600, speed=speed)

    @property
    def _setting(self) -> Path:
        return self.folder / "clock"

    def _set(self, start: int, shown: int, speed: int) -> None:
        self._setting.touch()
        with self._setting.open("r+b") as file:  # other processes have mapped it
            file.write(struct.pack("lll", start, shown, speed))


def make_clock(folder: Path) -> Clock | None:
    """Compile a clock that shows the machine's time; None without a C compiler that can."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    clock = Clock(folder)
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(folder / "clock.so"), str(SOURCE), "-ldl"]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        return None
    clock.step(0)
    return clock
