"""Causes: each is proved by its own figures."""

import pytest

from earshot.timings.causes import UNKNOWN, billable_s, diagnose
from earshot.timings.timing import Timing
from tests.support.timing_rows import usual

HISTORY = [usual()] * 10


@pytest.mark.parametrize(
    ("cause", "evidence", "now"),
    [
        ("device", "asked for cuda, ran on cpu", usual(device="cpu", device_name="a processor", wall_s=60.0, compute_s=59.0)),
        ("cold_load", "loaded again, 12.0 s, time 3 in one", usual(wall_s=22.5, load_s=12.0, model_loads=3.0)),
        ("io_wait", "20.2 s went into reading", usual(wall_s=30.5, io_s=20.2)),
        ("cache_misses", "100% were not", usual(wall_s=30.5, compute_s=30.0, inputs=900.0, cache_misses=300.0)),
        ("more_items", "3.0 times as many as usual", usual(wall_s=30.5, compute_s=30.0, inputs=900.0)),
        ("batch_size", "1.0 inputs per model call (at most 64), usually 60.0", usual(wall_s=40.0, batch_mean=1.0)),
        ("batch_size", "memory ran out 3 times", usual(wall_s=20.0, memory_retries=3.0, batch_size=8.0)),
        ("gpu_clock", "at 600 MHz, usually at 2500", usual(wall_s=40.0, compute_s=39.5, gpu_clock_mhz=600.0)),
        ("gpu_idle", "worked 2 % of the time, usually 80 %", usual(wall_s=50.0, compute_s=49.5, gpu_util_mean=2.0, cpu_s=50.0)),
    ],
)
def test_cause_is_proved_by_its_figures(cause: str, evidence: str, now: Timing) -> None:
    first, *_ = diagnose(now, HISTORY)
    assert first.name == cause
    assert evidence in first.evidence


def test_waiting_for_the_cpu_is_starvation() -> None:
    on_cpu = {"device": "cpu", "device_asked": "cpu", "gpu_util_mean": None, "gpu_clock_mhz": None}
    history = [usual(**on_cpu, cpu_s=20.0)] * 10
    [cause] = diagnose(usual(**on_cpu, wall_s=50.5, compute_s=50.0, cpu_s=20.0), history)
    assert cause.name == "starved"
    assert "0.40 CPU seconds per second, usually 1.90" in cause.evidence


def test_usual_cache_misses_are_no_cause() -> None:
    history = [usual(cache_misses=300.0)] * 10
    now = usual(wall_s=30.5, compute_s=30.0, inputs=900.0, cache_misses=900.0)
    assert [cause.name for cause in diagnose(now, history)] == ["more_items"]


@pytest.mark.parametrize("cpu_s", [11.0, 60.0], ids=["waits for the GPU", "computes"])
def test_slowness_without_evidence_is_unknown(cpu_s: float) -> None:
    assert diagnose(usual(wall_s=50.5, compute_s=50.0, cpu_s=cpu_s), HISTORY) == [UNKNOWN]


def test_part_below_half_of_the_excess_is_no_cause() -> None:
    assert diagnose(usual(wall_s=50.5, compute_s=35.0, io_s=10.0, cpu_s=60.0), HISTORY) == [UNKNOWN]
    assert diagnose(usual(wall_s=50.5, compute_s=45.0, load_s=5.0, model_loads=2.0, cpu_s=60.0), HISTORY) == [UNKNOWN]


def test_first_load_of_a_process_is_not_billed() -> None:
    assert billable_s(usual(wall_s=22.5, load_s=12.0, model_loads=1.0)) == pytest.approx(10.5)
    assert billable_s(usual(wall_s=22.5, load_s=12.0, model_loads=2.0)) == pytest.approx(22.5)


def test_two_causes_are_sorted_by_certainty() -> None:
    now = usual(device="cpu", wall_s=60.0, compute_s=59.0, batch_mean=1.0)
    assert [cause.name for cause in diagnose(now, HISTORY)][:2] == ["device", "batch_size"]


def test_without_history_only_certain_causes_are_claimed() -> None:
    slow = usual(wall_s=60.0, io_s=50.0, batch_mean=1.0, gpu_util_mean=1.0, cpu_s=60.0)
    assert diagnose(slow, []) == [UNKNOWN]
    assert [cause.name for cause in diagnose(usual(device="cpu"), [])] == ["device"]
    assert [cause.name for cause in diagnose(usual(memory_retries=1.0), [])] == ["batch_size"]
