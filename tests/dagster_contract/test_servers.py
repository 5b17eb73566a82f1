"""Dagster's daemon in a process of ours: it runs, and ends if the clock is set back."""

import subprocess
import sys

import pytest

from earshot.config.settings import PROJECT_ROOT
from resources.instance import servers
from resources.instance.home import prepare_dagster_home

SET_BACK = f"""
import threading
from resources.instance import servers
servers._ahead_of_monotonic = lambda: -3600.0 * any("SENSOR" in thread.name for thread in threading.enumerate())
servers.CHECK_CLOCK_S = 1.0
servers.run_daemon({str(PROJECT_ROOT / "workspace.yaml")!r})
"""


def test_slow_drift_is_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = iter([0.0, -30.0, -60.0, 500.0, 480.0, 400.0])
    monkeypatch.setattr(servers, "_ahead_of_monotonic", lambda: next(clocks))
    monkeypatch.setattr(servers, "CHECK_CLOCK_S", 0.0)
    steps: list[float] = []
    servers.wait_until_set_back(steps.append)
    assert steps == [80.0]


@pytest.mark.slow
@pytest.mark.usefixtures("instance")
def test_daemon_ends_if_the_clock_is_set_back() -> None:
    prepare_dagster_home()
    ended = subprocess.run([sys.executable, "-c", SET_BACK], capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert "The clock was set back by 3600 s" in ended.stderr
