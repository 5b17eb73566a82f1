"""Judgement: three checks of one stage's timing. Pure functions; ingest_assets/presentation/checks.py shows them in Dagster.

- `device`: the stage ran on the requested device. Otherwise an ERROR, whatever the speed.
- `floor`: it was at least as fast as the model registry requires on the device. Otherwise an ERROR; passes without a floor.
- `regression`: it was not slower than before (earshot/timings/baseline.py): neither its computing per unit of work, nor its
  waiting for files, the network and the database per video, nor through more work per second of audio. The worst of the three
  is the result. More work is a WARN at most: nothing runs slower.

A machine that is busy with something else is a WARN, reported once in REPORT_AGAIN_HOURS; later videos pass and say so. If
the baseline follows a slower machine (earshot/timings/verdicts.py), one finding says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from earshot.models.registry import Floor
from earshot.timings.baseline import MINIMUM_VIDEOS, NEW_LEVEL_VIDEOS, WARN_LOST_S, Cost, Level, Verdict, judge
from earshot.timings.causes.computing import (
    MACHINE_BUSY,
    Cause,
    computing_s,
    cpu_lost_s,
    density,
    diagnose,
    explain_amount,
)
from earshot.timings.causes.waiting import explain_wait
from earshot.timings.history import REPORT_AGAIN_HOURS, SPEED, Follow, History
from earshot.timings.timing import Timing
from earshot.timings.verdicts import (
    FIRST_USE_S,
    judge_speed,
    judge_waiting,
    new_baseline,
    speed_costs,
    stakes_of,
    usual_speeds,
    usual_waits,
)

SIMILAR_LENGTH = 2.0  # the ratio up to which recordings can be compared in work per second of audio

BASELINE_FOLLOWED = "baseline_followed"

CHECKS = {
    "device": "The stage ran on the requested device.",
    "floor": "The model was at least as fast as it must be on this device.",
    "regression": "The stage was not slower than on earlier videos.",
}


@dataclass(frozen=True)
class CheckOutcome:
    """The result of one check. `cause` is "" if it passed, with `level` OK or NOT_EVALUATED."""

    check: str
    level: Level
    message: str
    cause: str = ""
    ratio: float | None = None
    expected_s: float | None = None
    videos: int = 0


@dataclass(frozen=True)
class Judgement:
    """The results of all three checks.

    `speed` and `waiting` are stored with the timing and decide whether later baselines include it; `cause` is that of a slow
    `speed`. With `follow`, a new baseline begins. `expected_s`: the seconds of computing that are usual for this work, None if
    there is nothing to compare with.
    """

    findings: tuple[CheckOutcome, ...]
    speed: Level
    waiting: Level = Level.NOT_EVALUATED
    cause: str = ""
    follow: Follow | None = None
    expected_s: float | None = None


def evaluate(asset: str, now: Timing, history: History, floors: Sequence[Floor]) -> Judgement:
    """Run all three checks of one stage's timing."""
    begin = new_baseline(now, history)
    comparable = history.following(begin) if begin else history
    speed, waiting = judge_speed(now, comparable), judge_waiting(now, comparable)
    causes = diagnose(now, usual_speeds(comparable)) if speed.level.flagged else []
    if begin:
        regression = _followed(asset, now, history, begin)
    else:
        regression = regression_outcome(asset, now, comparable, speed, waiting, causes)
    findings = (device_outcome(asset, now), floor_outcome(asset, now, comparable, floors), regression)
    expected_s = None if speed.level is Level.NOT_EVALUATED else speed.expected_s
    return Judgement(findings, speed.level, waiting.level, causes[0].name if causes else "", begin, expected_s)


def device_outcome(asset: str, now: Timing) -> CheckOutcome:
    """An error if the model was on another device than requested."""
    if now.device != now.device_asked:
        message = f"{asset} was asked to run on {now.device_asked} and ran on {now.device} ({now.device_name})."
        return CheckOutcome("device", Level.ERROR, message, "device")
    return CheckOutcome("device", Level.OK, f"{asset} ran on {now.device} ({now.device_name}), as asked.")


def floor_outcome(asset: str, now: Timing, history: History, floors: Sequence[Floor]) -> CheckOutcome:
    """An error if the stage was below a floor of the requested device by more than rounding."""
    for floor in floors:
        if floor.device != now.device_asked or floor.device_name not in now.device_name or not now.inputs:
            continue
        done = now.items if floor.unit == "items_per_s" else now.audio_s
        unit = "items/s" if floor.unit == "items_per_s" else "x real time"
        expected_s = done / floor.minimum
        speed = done / now.compute_s if now.compute_s else float("inf")
        held = f"the floor is {floor.minimum:g} ({floor.source})"
        if now.compute_s <= expected_s + (FIRST_USE_S if now.device == "cuda" else WARN_LOST_S):
            return CheckOutcome("floor", Level.OK, f"{asset} did {speed:.1f} {unit}; {held}.")
        causes = diagnose(now, usual_speeds(history))
        message = f"{asset} did {speed:.1f} {unit} on {now.device_name}; {held}. {_because(causes)}"
        return CheckOutcome("floor", Level.ERROR, message, causes[0].name, now.compute_s / expected_s, expected_s)
    return CheckOutcome(
        "floor", Level.NOT_EVALUATED, f"No floor is known for {now.model} on {now.device_asked} ({now.device_name})."
    )


def regression_outcome(
    asset: str, now: Timing, history: History, speed: Verdict, waiting: Verdict, causes: Sequence[Cause]
) -> CheckOutcome:
    """The worst of the verdicts on computing (`speed`, which `causes` explain), on waiting, and on work per second of audio."""
    if not now.inputs:
        message = f"{asset} had nothing to compute, so nothing to compare: its results were cached, or it took a shortcut."
        return CheckOutcome("regression", Level.NOT_EVALUATED, message)
    if speed.level is Level.NOT_EVALUATED:
        begun = f"A new baseline began: {history.changed}. " if history.changed else ""
        known = f"{speed.videos} of the {MINIMUM_VIDEOS} videos needed so far"
        return CheckOutcome(
            "regression", Level.NOT_EVALUATED, f"{begun}Nothing to compare {asset} with yet: {known}.", videos=speed.videos
        )
    outcomes = [
        _slow(asset, now, history, speed, causes),
        _waited(asset, now, history, waiting),
        _more_work(asset, now, history, speed),
    ]
    return max((outcome for outcome in outcomes if outcome), key=lambda outcome: outcome.level.rank)


def _slow(asset: str, now: Timing, history: History, speed: Verdict, causes: Sequence[Cause]) -> CheckOutcome:
    """The verdict on computing as an outcome."""
    message = f"{asset} took {_compared(now, speed)}."
    if not speed.level.flagged:
        return CheckOutcome("regression", Level.OK, message, "", speed.ratio, speed.expected_s, speed.videos)
    level, message = speed.level, f"{message} {_because(causes)}"
    if causes[0].name == MACHINE_BUSY and not _is_slow_anyway(now, history):
        level = Level.WARN
        if history.busy_reported:
            message += f" Reported already in the last {REPORT_AGAIN_HOURS:.0f} hours."
            return CheckOutcome("regression", Level.OK, message, "", speed.ratio, speed.expected_s, speed.videos)
    return CheckOutcome("regression", level, message, causes[0].name, speed.ratio, speed.expected_s, speed.videos)


def _is_slow_anyway(now: Timing, history: History) -> bool:
    """Whether the stage would be an error without the time that the machine took from it."""
    left_s = computing_s(now) - cpu_lost_s(now)
    return judge(Cost(left_s, now.inputs), speed_costs(history), stakes_of(now)).level is Level.ERROR


def _waited(asset: str, now: Timing, history: History, waiting: Verdict) -> CheckOutcome | None:
    if not waiting.level.flagged:
        return None
    cause = explain_wait(now, usual_waits(history), waiting.expected_s)
    message = f"{asset} waited {waiting.ratio:.3g} times as long as usual. {_because([cause])}"
    return CheckOutcome("regression", waiting.level, message, cause.name, waiting.ratio, waiting.expected_s, waiting.videos)


def _more_work(asset: str, now: Timing, history: History, speed: Verdict) -> CheckOutcome | None:
    """A warning if there was more to do per second of audio than in recordings of similar length.

    One unit more is rounding: a recording of 35 s has a second window of 30 s.
    """
    similar = [past.timing for past in history.comparable if _is_similar(past.timing, now)]
    amount = judge(_amount(now, speed, rounding=1.0), [_amount(timing, speed) for timing in similar], stakes_of(now))
    if not amount.level.flagged:
        return None
    causes = explain_amount(now, similar)
    ratio = density(now) / median(density(timing) for timing in similar)
    message = f"{asset} had {ratio:.1f} times as much to do per second of audio. {_because(causes)}"
    return CheckOutcome("regression", Level.WARN, message, causes[0].name, ratio, amount.expected_s, amount.videos)


def _is_similar(past: Timing, now: Timing) -> bool:
    return now.audio_s <= SIMILAR_LENGTH * past.audio_s and past.audio_s <= SIMILAR_LENGTH * now.audio_s


def _followed(asset: str, now: Timing, history: History, begin: Follow) -> CheckOutcome:
    """The finding that the baseline followed; `history` is that of the old one."""
    judged = judge_speed if begin.verdict == SPEED else judge_waiting
    before, after = judged(now, history), judged(now, history.following(begin))
    if begin.verdict == SPEED:
        took, slower = "taken", "The machine"
        compared = f"{after.unit_s:.3g} instead of {before.unit_s:.3g} s per input"
    else:
        took, slower = "waited", "What it waits for"
        compared = explain_wait(now, usual_waits(history), before.expected_s).evidence
    message = (
        f"{asset} has {took} {after.expected_s / before.expected_s:.1f} times as long as before for {NEW_LEVEL_VIDEOS} videos "
        f"in a row, with the same code: {compared}. {slower} is slower, and the baseline followed: those videos are the new "
        f"one. `earshot timings --accept {asset}` closes this finding."
    )
    return CheckOutcome("regression", Level.WARN, message, BASELINE_FOLLOWED, before.ratio, before.expected_s, before.videos)


def replay(check: str, failed: Sequence[Mapping[str, Any]]) -> CheckOutcome:
    """The result of a check for reused rows, from the run that made them; `failed` are its rows of `check_failures`."""
    for row in failed:
        if row["check_name"] == check:
            return CheckOutcome(check, Level(row["severity"]), f"When this was made: {row['message']}", row["cause"])
    message = "Nothing ran: the result is up to date. When it was made, the check passed."
    return CheckOutcome(check, Level.NOT_EVALUATED, message)


def _amount(timing: Timing, speed: Verdict, rounding: float = 0.0) -> Cost:
    """Work per second of audio, in the seconds that such work usually takes, so that the same stakes apply."""
    return Cost((timing.inputs - rounding) * speed.unit_s, timing.audio_s)


def _compared(now: Timing, speed: Verdict) -> str:
    return (
        f"{computing_s(now):.1f} s for {now.inputs:.0f} inputs, {speed.ratio:.1f} times the {speed.expected_s:.1f} s expected "
        f"from the median of {speed.videos} videos (spread {speed.spread:.0%})"
    )


def _because(causes: Sequence[Cause]) -> str:
    return "Cause: " + "; also ".join(f"{cause.name} - {cause.evidence}" for cause in causes) + "."
