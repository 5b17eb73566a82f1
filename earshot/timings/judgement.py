"""Judgement: three checks of one stage's timing. Pure functions; ingest_assets/stages/checks.py shows them in Dagster.

- `device`: the stage ran on the requested device. Otherwise an ERROR, whatever the speed.
- `floor`: it was at least as fast as the model registry requires on the device. Otherwise an ERROR; passes without a floor.
- `regression`: it was not slower than before (WARN from 1.3 times, ERROR from 2 times, earshot/timings/baseline.py), neither
  per unit of work nor through more work per second of audio. More work is a WARN at most: nothing runs slower.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from earshot.models.registry import Floor
from earshot.timings.baseline import MINIMUM_VIDEOS, SLACK_S, Cost, Level, Verdict, judge
from earshot.timings.causes import Cause, billable_s, diagnose
from earshot.timings.history import History
from earshot.timings.timing import Timing

# Allowance beyond a GPU's floor: the driver loads kernels at first use, which took 1.4 s for a process's first eight texts
# on an H200 (bench/results/gpu-9df3fc57a24a.json). A timing cannot tell those seconds from slow computing.
FIRST_USE_S = 3.0

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
class Evaluation:
    """The results of all three checks; `speed` is stored with the timing and decides whether later baselines include it."""

    findings: tuple[CheckOutcome, ...]
    speed: Level


def evaluate(asset: str, now: Timing, history: History, floors: Sequence[Floor]) -> Evaluation:
    """Run all three checks of one stage's timing."""
    speed = judge(_cost(now), [replace(_cost(past.timing), flagged=past.speed.flagged) for past in history.comparable])
    findings = (
        device_outcome(asset, now),
        floor_outcome(asset, now, history, floors),
        regression_outcome(asset, now, history, speed),
    )
    return Evaluation(findings, speed.level)


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
        if now.compute_s <= expected_s + (FIRST_USE_S if now.device == "cuda" else SLACK_S):
            return CheckOutcome("floor", Level.OK, f"{asset} did {speed:.1f} {unit}; {held}.")
        causes = diagnose(now, _usual(history))
        message = f"{asset} did {speed:.1f} {unit} on {now.device_name}; {held}. {_because(causes)}"
        return CheckOutcome("floor", Level.ERROR, message, causes[0].name, now.compute_s / expected_s, expected_s)
    return CheckOutcome(
        "floor", Level.NOT_EVALUATED, f"No floor is known for {now.model} on {now.device_asked} ({now.device_name})."
    )


def regression_outcome(asset: str, now: Timing, history: History, speed: Verdict) -> CheckOutcome:
    """The worse of two verdicts: seconds per unit of work (`speed`), and work per second of audio."""
    if not now.inputs:
        message = f"{asset} had nothing to compute, so nothing to compare: its results were cached, or it took a shortcut."
        return CheckOutcome("regression", Level.NOT_EVALUATED, message)
    if speed.level is Level.NOT_EVALUATED:
        begun = f"A new baseline began: {history.changed}. " if history.changed else ""
        known = f"{speed.videos} of the {MINIMUM_VIDEOS} videos needed so far"
        return CheckOutcome(
            "regression", Level.NOT_EVALUATED, f"{begun}Nothing to compare {asset} with yet: {known}.", videos=speed.videos
        )
    if speed.level.flagged:
        causes = diagnose(now, _usual(history))
        message = f"{asset} took {_compared(now, speed)}. {_because(causes)}"
        return CheckOutcome("regression", speed.level, message, causes[0].name, speed.ratio, speed.expected_s, speed.videos)
    amount = judge(_amount(now, speed), [_amount(past.timing, speed) for past in history.comparable])
    if amount.level.flagged:
        causes = diagnose(now, _usual(history))
        message = f"{asset} had {amount.ratio:.1f} times as much to do per second of audio. {_because(causes)}"
        return CheckOutcome("regression", Level.WARN, message, causes[0].name, amount.ratio, amount.expected_s, amount.videos)
    message = f"{asset} took {_compared(now, speed)}."
    return CheckOutcome("regression", Level.OK, message, "", speed.ratio, speed.expected_s, speed.videos)


def replay(check: str, failed: Sequence[Mapping[str, Any]]) -> CheckOutcome:
    """The result of a check for reused rows, from the run that made them; `failed` are its rows of `check_failures`."""
    for row in failed:
        if row["check_name"] == check:
            return CheckOutcome(check, Level(row["severity"]), f"When this was made: {row['message']}", row["cause"])
    message = "Nothing ran: the result is up to date. When it was made, the check passed."
    return CheckOutcome(check, Level.NOT_EVALUATED, message)


def _cost(timing: Timing) -> Cost:
    return Cost(billable_s(timing), timing.inputs)


def _amount(timing: Timing, speed: Verdict) -> Cost:
    """Work per second of audio, in the seconds that such work usually takes, so that the same slack applies."""
    return Cost(timing.inputs * speed.unit_s, timing.audio_s)


def _usual(history: History) -> list[Timing]:
    return [past.timing for past in history.comparable if not past.speed.flagged]


def _compared(now: Timing, speed: Verdict) -> str:
    return (
        f"{billable_s(now):.1f} s for {now.inputs:.0f} inputs, {speed.ratio:.1f} times the {speed.expected_s:.1f} s expected "
        f"from the median of {speed.videos} videos (spread {speed.spread:.0%})"
    )


def _because(causes: Sequence[Cause]) -> str:
    return "Cause: " + "; also ".join(f"{cause.name} - {cause.evidence}" for cause in causes) + "."
