"""Causes: each is proved by its own figures."""

import pytest

from earshot.timings.causes.computing import UNKNOWN, billable_s, computing_s, diagnose, explain_amount
from earshot.timings.timing import Timing
from tests.support.timing_rows import usual

HISTORY = [usual()] * 10


@pytest.mark.parametrize(
    ("cause", "evidence", "now"),
    [
        ("device", "asked for cuda, ran on cpu", usual(device="cpu", device_name="a processor", wall_s=60.0, compute_s=59.0)),
        ("cold_load", "loaded again, 12.0 s, time 3 in one", usual(wall_s=22.5, load_s=12.0, model_loads=3.0)),
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


ON_CPU = {"device": "cpu", "device_asked": "cpu", "gpu_util_mean": None, "gpu_clock_mhz": None}
QUIET = [usual(**ON_CPU, cpu_s=20.0, cpu_wait_s=0.1, cpu_busy=0.9, cpu_others=0.1, cpu_steal=0.0)] * 10


@pytest.mark.parametrize(
    ("cause", "evidence", "figures"),
    [
        ("starved", "0.40 CPU seconds per second, usually 1.90", {"wall_s": 50.5, "cpu_s": 20.0}),
        ("fewer_threads", "1.0 cores busy, usually 1.9", {"wall_s": 20.5, "cpu_s": 20.0}),
        ("machine_busy", "waiting for a CPU took 33.5 s, expected 0.1 s", {"wall_s": 50.5, "cpu_s": 20.0, "cpu_wait_s": 40.0}),
        ("machine_busy", "and the hypervisor 60%", {"wall_s": 50.5, "cpu_s": 20.0, "cpu_steal": 0.6}),
        (
            "machine_busy",
            "used 50% of the machine, usually 10%",
            {"wall_s": 20.5, "cpu_s": 39.0, "cpu_busy": 1.0, "cpu_others": 0.5},
        ),
    ],
)
def test_slowness_on_the_cpu_has_its_cause(cause: str, evidence: str, figures: dict[str, float]) -> None:
    first, *_ = diagnose(usual(**ON_CPU, **{"compute_s": figures["wall_s"] - 0.5} | figures), QUIET)
    assert first.name == cause
    assert evidence in first.evidence


@pytest.mark.parametrize(
    ("before", "now", "causes"),
    [(0.0, 300.0, ["cache_misses", "more_items"]), (300.0, 900.0, ["more_items"]), (0.0, 0.0, ["more_items"])],
)
def test_cache_misses_are_a_cause_if_more_than_usual(before: float, now: float, causes: list[str]) -> None:
    found = explain_amount(usual(inputs=900.0, cache_misses=now), [usual(cache_misses=before)] * 10)
    assert [cause.name for cause in found] == causes
    assert "3.0 times as many as usual" in found[-1].evidence


@pytest.mark.parametrize("cpu_s", [11.0, 60.0], ids=["waits for the GPU", "computes"])
def test_slowness_without_evidence_is_unknown(cpu_s: float) -> None:
    assert diagnose(usual(wall_s=50.5, compute_s=50.0, cpu_s=cpu_s), HISTORY) == [UNKNOWN]


def test_part_below_half_of_the_excess_is_no_cause() -> None:
    assert diagnose(usual(wall_s=50.5, compute_s=50.0, cpu_s=60.0, cpu_wait_s=20.0), HISTORY) == [UNKNOWN]
    assert diagnose(usual(wall_s=50.5, compute_s=45.0, load_s=5.0, model_loads=2.0, cpu_s=60.0), HISTORY) == [UNKNOWN]


def test_first_load_of_a_process_is_not_billed() -> None:
    assert billable_s(usual(wall_s=22.5, load_s=12.0, model_loads=1.0)) == pytest.approx(10.5)
    assert billable_s(usual(wall_s=22.5, load_s=12.0, model_loads=2.0)) == pytest.approx(22.5)


def test_computing_excludes_reading_and_writing() -> None:
    assert computing_s(usual(wall_s=22.5, load_s=12.0, io_s=4.0, model_loads=1.0)) == pytest.approx(6.5)


def test_two_causes_are_sorted_by_certainty() -> None:
    now = usual(device="cpu", wall_s=60.0, compute_s=59.0, batch_mean=1.0)
    assert [cause.name for cause in diagnose(now, HISTORY)][:2] == ["device", "batch_size"]


def test_without_history_only_certain_causes_are_claimed() -> None:
    slow = usual(wall_s=60.0, io_s=50.0, batch_mean=1.0, gpu_util_mean=1.0, cpu_s=60.0)
    assert diagnose(slow, []) == [UNKNOWN]
    assert [cause.name for cause in diagnose(usual(device="cpu"), [])] == ["device"]
    assert [cause.name for cause in diagnose(usual(memory_retries=1.0), [])] == ["batch_size"]
