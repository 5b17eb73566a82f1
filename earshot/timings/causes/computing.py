"""Causes of slow computing, as far as a timing proves them. Pure functions.

`diagnose()` compares a timing with earlier ones and returns the causes that explain at least half of the excess of computing,
the most certain first. If nothing does, it says `unknown`: a wrong guess would cost more time than an honest gap. Waiting is
judged apart (earshot/timings/causes/waiting.py).

| cause | evidence |
|---|---|
| device | the model's parameters were on another device than requested |
| cold_load | the process loaded the stage's model again, and the load is at least half of the excess |
| cache_misses | more work per audio second, and a larger share of it missed the cache |
| more_items | more work per audio second |
| batch_size | fewer inputs per model call, or memory that ran out |
| gpu_clock | the GPU ran at a lower clock |
| gpu_idle | the GPU did less than usual while the process kept a core busy |
| machine_busy | the process waited for a CPU for at least half of the excess; or other processes filled the machine |
| fewer_threads | the process used as many CPU seconds as usual, on fewer cores |
| starved | the process used as many CPU seconds as usual, but had to wait for them |
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from earshot.timings.timing import Timing

MIN_SHARE = 0.5
INCREASE = 1.3  # the smallest ratio that counts as an increase
IDLE_SHARE = 0.5
BUSY_CORE = 0.8  # CPU seconds per second
FULL_MACHINE = 0.9  # share of the time of all CPUs
MORE_BY_OTHERS = 0.2  # of the same: what other processes used beyond the usual

MACHINE_BUSY = "machine_busy"
# Faults of the process itself, which a slower machine does not cause.
OF_THE_PROCESS = frozenset({"device", "cold_load", "batch_size", "gpu_idle", "fewer_threads"})


@dataclass(frozen=True)
class Cause:
    """`name` is a cause of the table above, or `unknown`; `evidence` puts the figures in words."""

    name: str
    evidence: str


UNKNOWN = Cause("unknown", "no measurement explains it")


def diagnose(now: Timing, usual: Sequence[Timing]) -> list[Cause]:
    """The causes that the figures prove, the most certain first; [UNKNOWN] if there are none.

    Without `usual` timings only the causes that need no comparison are tried.
    """
    causes = [cause for proof in (_PROOFS if usual else _SELF_EVIDENT) if (cause := proof(now, usual)) is not None]
    return causes or [UNKNOWN]


def explain_amount(now: Timing, usual: Sequence[Timing]) -> list[Cause]:
    """Why there was more to do per second of audio, which must be so, than in `usual` timings."""
    causes = [_cache_misses(now, usual), _more_items(now, usual)]
    return [cause for cause in causes if cause]


def billable_s(timing: Timing) -> float:
    """The seconds that count as a stage's cost: wall time without the one model load that every process needs."""
    return timing.wall_s - (timing.load_s if timing.model_loads <= 1 else 0.0)


def computing_s(timing: Timing) -> float:
    """The part of `billable_s` that did not wait for reading, writing or the network."""
    return max(0.0, billable_s(timing) - timing.io_s)


def cpu_lost_s(timing: Timing) -> float:
    """The seconds by which waiting for a CPU delayed the stage.

    Of several threads that wait at once, only one delays it: so their share of waiting counts, and not more than they waited.
    """
    waited_s, total_s = timing.cpu_wait_s or 0.0, computing_s(timing)
    wanted_s = waited_s + timing.cpu_s
    lost_s = min(waited_s, total_s * waited_s / wanted_s) if wanted_s > 0 else 0.0
    return min(total_s, lost_s + total_s * (timing.cpu_steal or 0.0))


def _device(now: Timing, _usual: Sequence[Timing]) -> Cause | None:
    if now.device == now.device_asked:
        return None
    return Cause("device", f"asked for {now.device_asked}, ran on {now.device} ({now.device_name})")


def _cold_load(now: Timing, usual: Sequence[Timing]) -> Cause | None:
    if now.model_loads <= 1 or not _explains(now.load_s, now, usual):
        return None
    return Cause("cold_load", f"the model was loaded again, {now.load_s:.1f} s, time {now.model_loads:.0f} in one process")


def _cache_misses(now: Timing, usual: Sequence[Timing]) -> Cause | None:
    missed, before = _missed(now), _usually(usual, _missed)
    if missed <= before or missed - before < (1.0 - before) * MIN_SHARE:
        return None
    return Cause("cache_misses", f"{missed:.0%} were not in the cache, usually {before:.0%}")


def _more_items(now: Timing, usual: Sequence[Timing]) -> Cause:
    ratio = density(now) / _usually(usual, density)
    return Cause("more_items", f"{density(now):.2f} inputs per second of audio, {ratio:.1f} times as many as usual")


def _batch_size(now: Timing, usual: Sequence[Timing]) -> Cause | None:
    if now.memory_retries:
        return Cause("batch_size", f"memory ran out {now.memory_retries:.0f} times; only {now.batch_size:.0f} inputs fitted")
    before = _usually(usual, lambda timing: timing.batch_mean)
    if not 0 < now.batch_mean <= MIN_SHARE * before:
        return None
    return Cause(
        "batch_size",
        f"{now.batch_mean:.1f} inputs per model call (at most {now.batch_size:.0f}), usually {before:.1f}",
    )


def _gpu_clock(now: Timing, usual: Sequence[Timing]) -> Cause | None:
    before = _usually(usual, lambda timing: timing.gpu_clock_mhz)
    if not now.gpu_clock_mhz or now.gpu_clock_mhz * INCREASE > before:
        return None
    return Cause("gpu_clock", f"the GPU ran at {now.gpu_clock_mhz:.0f} MHz, usually at {before:.0f}: too hot or power-limited")


def _gpu_idle(now: Timing, usual: Sequence[Timing]) -> Cause | None:
    before = _usually(usual, lambda timing: timing.gpu_util_mean)
    busy = now.cpu_s / now.wall_s if now.wall_s else 0.0
    if now.gpu_util_mean is None or now.gpu_util_mean > IDLE_SHARE * before or busy < BUSY_CORE:
        return None
    return Cause("gpu_idle", f"the GPU worked {now.gpu_util_mean:.0f} % of the time, usually {before:.0f} %, with the CPU busy")


def _cpu_short(now: Timing, usual: Sequence[Timing]) -> Cause | None:
    """The process got less of the CPU: the most specific reason."""
    return _machine_busy(now, usual) or _fewer_threads(now, usual) or _cpu_starved(now, usual)


def _machine_busy(now: Timing, usual: Sequence[Timing]) -> Cause | None:
    lost_s, usual_s = cpu_lost_s(now), _expected(now, usual, cpu_lost_s)
    others, usually = now.cpu_others or 0.0, _usually(usual, lambda timing: timing.cpu_others)
    crowded = (now.cpu_busy or 0.0) >= FULL_MACHINE and others >= usually + MORE_BY_OTHERS
    if not _explains(lost_s - usual_s, now, usual) and not (crowded and _took_longer(now, usual)):
        return None
    return Cause(
        MACHINE_BUSY,
        f"waiting for a CPU took {lost_s:.1f} s, expected {usual_s:.1f} s; other processes used {others:.0%} of the machine, "
        f"usually {usually:.0%}, and the hypervisor {now.cpu_steal or 0.0:.0%}; load average {now.load_average or 0.0:.1f}",
    )


def _fewer_threads(now: Timing, usual: Sequence[Timing]) -> Cause | None:
    """Only for stages on the CPU. A process that waits keeps less than one core busy."""
    cores, before = _cores(now), _usually(usual, _cores)
    if not _same_work_took_longer(now, usual) or cores < BUSY_CORE or cores * INCREASE > before:
        return None
    return Cause("fewer_threads", f"the process kept {cores:.1f} cores busy, usually {before:.1f}, for the same work")


def _cpu_starved(now: Timing, usual: Sequence[Timing]) -> Cause | None:
    """Only for stages on the CPU: waiting for a GPU is normal."""
    if not _same_work_took_longer(now, usual):
        return None
    return Cause(
        "starved",
        f"the process got {_cores(now):.2f} CPU seconds per second, usually {_usually(usual, _cores):.2f}, for the same work: "
        "it waited, or other processes used the CPU",
    )


_PROOFS: tuple[Callable[[Timing, Sequence[Timing]], Cause | None], ...] = (
    _device, _cold_load, _batch_size, _gpu_clock, _gpu_idle, _cpu_short,
)  # fmt: skip

_SELF_EVIDENT = (_device, _batch_size)


def density(timing: Timing) -> float:
    """Inputs per second of audio."""
    return timing.inputs / timing.audio_s if timing.audio_s else 0.0


def _cores(timing: Timing) -> float:
    """The CPU seconds per second."""
    return timing.cpu_s / timing.wall_s if timing.wall_s else 0.0


def _same_work_took_longer(now: Timing, usual: Sequence[Timing]) -> bool:
    """Whether the CPU computed longer, with no more CPU seconds than usual."""
    computed_s, cpu_s = (_expected(now, usual, seconds) for seconds in (lambda t: t.compute_s, lambda t: t.cpu_s))
    return now.device == "cpu" and now.cpu_s <= INCREASE * cpu_s and now.compute_s >= INCREASE * computed_s


def _missed(timing: Timing) -> float:
    asked = timing.cache_hits + timing.cache_misses
    return timing.cache_misses / asked if asked else 0.0


def _usually(usual: Sequence[Timing], figure: Callable[[Timing], float | None]) -> float:
    """The median of a figure over the timings that have it; 0 if none does."""
    values = [value for timing in usual if (value := figure(timing)) is not None]
    return median(values) if values else 0.0


def _expected(now: Timing, usual: Sequence[Timing], seconds: Callable[[Timing], float]) -> float:
    """The seconds that this many inputs usually take."""
    return now.inputs * _usually(usual, lambda timing: seconds(timing) / timing.inputs if timing.inputs else None)


def _took_longer(now: Timing, usual: Sequence[Timing]) -> bool:
    return computing_s(now) >= INCREASE * _expected(now, usual, computing_s)


def _explains(part_s: float, now: Timing, usual: Sequence[Timing]) -> bool:
    """Whether computing took too long and these seconds are at least half of the excess."""
    excess_s = computing_s(now) - _expected(now, usual, computing_s)
    return _took_longer(now, usual) and part_s >= MIN_SHARE * excess_s
