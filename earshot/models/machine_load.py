"""The machine's load: how long this process waited for a CPU, and what else used the CPUs. Linux only; elsewhere not measured.

The kernel counts the waits of each thread (/proc/self/task/*/schedstat), and the seconds that all CPUs were in use, or taken by
the hypervisor of a virtual machine (/proc/stat). A container sees the CPUs of its host. This module judges nothing.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path

TASKS, STATISTICS = Path("/proc/self/task"), Path("/proc/stat")
TICKS_PER_S = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
IDLE, STEAL = {3, 4}, 7  # fields of /proc/stat: idle and iowait, steal
FIELDS = 8  # those after it count seconds of guests, which `user` contains


@dataclass(frozen=True)
class LoadCounters:
    """Counters at one moment. `waits_s` is by thread; the others sum up all CPUs of the machine."""

    waits_s: dict[str, float]
    busy_s: float
    steal_s: float
    total_s: float


@dataclass(frozen=True)
class MachineLoad:
    """The machine's load during a stage; None if not measured.

    `cpu_wait_s` sums over threads of this process that were ready to run and had no CPU. Shares are of the time of all CPUs:
    `cpu_busy` in use by anything, `cpu_others` by other processes, `cpu_steal` taken by the hypervisor. `load_average` is of
    the last minute.
    """

    cpu_wait_s: float | None = None
    cpu_busy: float | None = None
    cpu_others: float | None = None
    cpu_steal: float | None = None
    load_average: float | None = None


def read_counters() -> LoadCounters | None:
    """The counters now; None where the system has none."""
    try:
        ticks = [int(field) for field in STATISTICS.read_text().split("\n", 1)[0].split()[1 : FIELDS + 1]]
        seconds = [tick / TICKS_PER_S for tick in ticks]
        busy_s = sum(value for field, value in enumerate(seconds) if field not in IDLE and field != STEAL)
        return LoadCounters(_waits(), busy_s, seconds[STEAL], sum(seconds))
    except (OSError, ValueError, IndexError):
        return None


def _waits() -> dict[str, float]:
    waits = {}
    for thread in os.listdir(TASKS):
        try:
            waits[thread] = int((TASKS / thread / "schedstat").read_text().split()[1]) / 1e9
        except FileNotFoundError:  # the thread has ended
            continue
    return waits


def load_between(before: LoadCounters | None, after: LoadCounters | None, cpu_s: float) -> MachineLoad:
    """The load between two moments, of which this process used `cpu_s`."""
    if before is None or after is None:
        return MachineLoad()
    waited_s = math.fsum(waited - before.waits_s.get(thread, 0.0) for thread, waited in after.waits_s.items())
    total_s = after.total_s - before.total_s
    if total_s <= 0:
        return MachineLoad(cpu_wait_s=waited_s)
    busy_s, steal_s = after.busy_s - before.busy_s, after.steal_s - before.steal_s
    return MachineLoad(
        cpu_wait_s=waited_s,
        cpu_busy=busy_s / total_s,
        cpu_others=max(0.0, busy_s - cpu_s) / total_s,
        cpu_steal=steal_s / total_s,
        load_average=os.getloadavg()[0],
    )
