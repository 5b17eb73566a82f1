"""The clock of campaigns, in a real process."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.harness.clock import FIRST_HOUR, Clock, make_clock

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")

# Prints the time of day, and by how much it went on during a sleep. Ends, because a wait lasts no longer than it should.
PROGRAM = """
import threading, time
day = time.time()
time.sleep(0.1)
print(day, time.time() - day)
threading.Event().wait(0.1)
"""


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    clock = make_clock(tmp_path)
    assert clock is not None
    return clock


def test_fast_clock_changes_the_time_of_day_alone(clock: Clock) -> None:
    clock.run(40)
    ended = run(clock, PROGRAM)
    day, passed_s = (float(number) for number in ended.split())
    assert day % 86_400 // 3600 >= FIRST_HOUR
    assert passed_s >= 40 * 0.1


def test_step_shows_in_a_running_process(clock: Clock) -> None:
    program = "import time; before = time.time(); print(flush=True); input(); print(round((time.time() - before) / 3600))"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, env={**os.environ, **clock.environment}, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        clock.step(-5 * 3600)
        stepped, _ = process.communicate("\n")
    assert int(stepped) == -5


def run(clock: Clock, program: str) -> str:
    """What the program prints."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env={**os.environ, **clock.environment}, capture_output=True, text=True, check=True).stdout
