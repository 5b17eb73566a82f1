"""The machine's load: from counters of the kernel, or not measured."""

from pathlib import Path

import pytest

from earshot.models import machine_load
from earshot.models.machine_load import LoadCounters, MachineLoad, load_between, read_counters

BEFORE = LoadCounters({"1": 5.0}, busy_s=100.0, steal_s=2.0, total_s=400.0)


def test_load_is_of_the_time_between() -> None:
    load = load_between(BEFORE, LoadCounters({"1": 6.0, "2": 0.5}, busy_s=118.0, steal_s=3.0, total_s=420.0), cpu_s=8.0)
    assert (load.cpu_wait_s, load.cpu_busy, load.cpu_others, load.cpu_steal) == (1.5, 0.9, 0.5, 0.05)
    assert load.load_average is not None


def test_ended_thread_does_not_reduce_the_wait() -> None:
    assert load_between(LoadCounters({"1": 5.0, "2": 9.0}, 0.0, 0.0, 0.0), BEFORE, 1.0).cpu_wait_s == 0.0


def test_shares_of_no_time_are_not_measured() -> None:
    assert load_between(BEFORE, BEFORE, 0.0) == MachineLoad(cpu_wait_s=0.0)


def test_guests_and_idle_time_are_not_counted_as_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = tmp_path / "task" / "7"
    task.mkdir(parents=True)
    (task / "schedstat").write_text("900 2500000000 1\n")
    (tmp_path / "stat").write_text("cpu  100 20 30 1000 50 1 2 40 60 0\ncpu0 1 1 1\n")
    monkeypatch.setattr(machine_load, "TASKS", tmp_path / "task")
    monkeypatch.setattr(machine_load, "STATISTICS", tmp_path / "stat")
    monkeypatch.setattr(machine_load, "TICKS_PER_S", 100)
    counters = read_counters()
    assert counters is not None
    assert counters.waits_s == {"7": 2.5}
    assert (counters.busy_s, counters.steal_s, counters.total_s) == pytest.approx((1.53, 0.4, 12.43))


def test_system_without_counters_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_load, "STATISTICS", tmp_path / "missing")
    assert read_counters() is None
    assert load_between(None, None, 1.0) == MachineLoad()
