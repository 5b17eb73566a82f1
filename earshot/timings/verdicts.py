"""Verdicts: whether a stage computed or waited longer than usual, and when a baseline follows. Pure functions.

Computing is judged in seconds per unit of work, and waiting (for the media store, the database, the network) in seconds per
video. Each has its own baseline (earshot/timings/baseline.py). If the same code stays slower for NEW_LEVEL_VIDEOS, and on a
busy machine for REPORT_AGAIN_HOURS, the machine is slower, or what the stage waits for, and the baseline follows.

earshot/timings/judgement.py makes checks of them.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from operator import attrgetter

from earshot.timings.baseline import NEW_LEVEL_VIDEOS, WINDOW, Cost, Level, Stakes, Verdict, is_new_level, judge
from earshot.timings.causes.computing import MACHINE_BUSY, OF_THE_PROCESS, computing_s, diagnose
from earshot.timings.causes.waiting import UsualWait, usual_wait
from earshot.timings.history import REPORT_AGAIN_HOURS, SPEED, WAITING, Follow, History, Past
from earshot.timings.timing import Timing

# Allowance for a GPU, whose driver loads kernels at first use: 1.4 s for a process's first eight texts on an H200
# (bench/results/gpu-9df3fc57a24a.json). A timing cannot tell those seconds from slow computing.
FIRST_USE_S = 3.0
SMALLEST_WAIT_S = 0.05  # shorter waits are all alike


def judge_speed(now: Timing, history: History) -> Verdict:
    """The verdict on computing."""
    return judge(Cost(computing_s(now), now.inputs), speed_costs(history), stakes_of(now))


def judge_waiting(now: Timing, history: History) -> Verdict:
    """The verdict on reading, writing and the network."""
    usual = usual_wait(usual_waits(history), attrgetter("io_s"))
    if usual is None:
        return Verdict(Level.NOT_EVALUATED, 0)
    return judge(_wait(now, usual), waiting_costs(history), Stakes.of_video(now.audio_s))


def new_baseline(now: Timing, history: History) -> Follow | None:
    """Where a new baseline begins, if the same code has been slower on this machine for NEW_LEVEL_VIDEOS, and still is."""
    return _begin(SPEED, now, history) or _begin(WAITING, now, history)


def _begin(verdict: str, now: Timing, history: History) -> Follow | None:
    judged, costs = _JUDGED[verdict]
    measured = [(past, cost) for past, cost in zip(history.comparable, costs(history), strict=True) if cost.measurable]
    if not is_new_level([cost for _, cost in measured]) or not judged(now, history).level.flagged:
        return None
    last = [past for past, _ in measured[-NEW_LEVEL_VIDEOS:]]
    usual = [past for past, cost in measured[:-NEW_LEVEL_VIDEOS] if not cost.flagged]
    if not _is_machine(last, usual) or OF_THE_PROCESS & {cause.name for cause in diagnose(now, usual_speeds(history))}:
        return None
    return Follow(verdict, after=last[0].timing_id - 1, until=last[-1].timing_id)


def _is_machine(last: Sequence[Past], usual: Sequence[Past]) -> bool:
    """Whether nothing but the machine can be the reason: the code that is slower now was as fast as usual before.

    Other work may end soon, so the baseline does not follow it at once.
    """
    causes = {past.cause for past in last}
    same_code = {past.code for past in last} <= {past.code for past in usual}
    lasts = last[-1].recorded_at - usual[-1].recorded_at >= timedelta(hours=REPORT_AGAIN_HOURS)
    return same_code and not OF_THE_PROCESS & causes and (lasts or MACHINE_BUSY not in causes)


def speed_costs(history: History) -> list[Cost]:
    """What computing cost so far."""
    return [Cost(computing_s(past.timing), past.timing.inputs, past.speed.flagged) for past in history.comparable]


def waiting_costs(history: History) -> list[Cost]:
    """What waiting cost so far."""
    usual = usual_wait(usual_waits(history), attrgetter("io_s")) or UsualWait(0.0, 0.0)
    return [_wait(past.timing, usual, past.waiting.flagged) for past in history.comparable]


def usual_speeds(history: History) -> list[Timing]:
    """The timings that computed as long as usual."""
    return [past.timing for past in history.comparable if not past.speed.flagged]


def usual_waits(history: History) -> list[Timing]:
    """The last timings that waited as long as usual."""
    return [past.timing for past in history.comparable if not past.waiting.flagged and past.timing.audio_s > 0][-WINDOW:]


def stakes_of(now: Timing) -> Stakes:
    """What computing may lose. A GPU that has just loaded the model may load kernels, too."""
    first_use = now.device == "cuda" and now.load_s > 0 and now.model_loads == 1
    return Stakes.of_video(now.audio_s, FIRST_USE_S if first_use else 0.0)


def _wait(timing: Timing, usual: UsualWait, flagged: bool = False) -> Cost:
    return Cost(max(timing.io_s, SMALLEST_WAIT_S), max(usual.expected_s(timing.audio_s), SMALLEST_WAIT_S), flagged)


_JUDGED: dict[str, tuple[Callable[[Timing, History], Verdict], Callable[[History], list[Cost]]]] = {
    SPEED: (judge_speed, speed_costs),
    WAITING: (judge_waiting, waiting_costs),
}
