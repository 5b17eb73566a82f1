"""Overhead: the cost of measuring as a share of the measured stage, which must stay under 1 %.

A stage's `Cost` (measured by bench/pipeline/microbench.py) is the work done only to measure it: the stopwatches, building the
timing, and the counting of every model call. The sum is divided by the stage's seconds in this run, without loading. If a GPU
was sampled, the sum includes starting and ending the sampler and its thread's CPU seconds; otherwise it includes no estimate
of them.

Reported separately, because it happens after the stage's clock was read and does not grow with the video: judging (reading the
history, the rule, storing the row), and Dagster's storing of check results as events. Pure functions, and the two tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from earshot.cli.output import print_table

LIMIT = 0.01


@dataclass(frozen=True)
class Sampling:
    """The cost of the GPU sampler: seconds to start, read and end it, and its thread's CPU seconds per second."""

    once_s: float
    cpu_share: float


@dataclass(frozen=True)
class Cost:
    """The cost of measuring one stage, in seconds.

    `measuring` is spent once in the stage, `call_s` per model call; `judging`, and `check_events_s` in Dagster, after it.
    """

    asset: str
    measuring: Mapping[str, float]
    judging: Mapping[str, float]
    call_s: float
    check_events_s: float
    sampling: Sampling | None

    def seconds(self, row: Mapping[str, Any]) -> float:
        """Seconds of measuring the stage of this row of `asset_timings`."""
        calls = row["inputs"] / row["batch_mean"] if row["batch_mean"] else 0.0
        sampled_s = self.sampling.once_s + self.sampling.cpu_share * _working_s(row) if self.sampling else 0.0
        return sum(self.measuring.values()) + calls * self.call_s + sampled_s


@dataclass(frozen=True)
class Share:
    """Measuring as a share of one stage over one or several recordings; `worst` is the worst video's share.

    `with_judging` includes judging, `with_check_events` also Dagster's events.
    """

    recording: str
    asset: str
    measuring_s: float
    stage_s: float
    share: float
    worst: float
    holds: bool
    with_judging: float
    with_check_events: float


def shares(recording: str, costs: Sequence[Cost], rows: Sequence[Mapping[str, Any]]) -> list[Share]:
    """The share of measuring in each stage of these rows."""
    return [_share(recording, cost, [row for row in rows if row["asset"] == cost.asset]) for cost in costs]


def _share(recording: str, cost: Cost, rows: Sequence[Mapping[str, Any]]) -> Share:
    measuring_s, stage_s = sum(map(cost.seconds, rows)), sum(map(_working_s, rows))
    share, judging_s = measuring_s / stage_s, sum(cost.judging.values())
    return Share(
        recording=recording,
        asset=cost.asset,
        measuring_s=measuring_s,
        stage_s=stage_s,
        share=share,
        worst=max(cost.seconds(row) / _working_s(row) for row in rows),
        holds=share < LIMIT,
        with_judging=share + len(rows) * judging_s / stage_s,
        with_check_events=share + len(rows) * (judging_s + cost.check_events_s) / stage_s,
    )


def _working_s(row: Mapping[str, Any]) -> float:
    return row["wall_s"] - row["load_s"]


def print_costs(costs: Sequence[Cost]) -> None:
    """Print the milliseconds per stage, by part."""
    measured, judged = list(costs[0].measuring), list(costs[0].judging)
    headings = [("stage", "left"), *((f"{name} ms", "right") for name in measured), ("us per call", "right")]
    headings += [*((f"{name} ms", "right") for name in judged), ("Dagster's check events ms", "right")]
    rows = [
        (
            cost.asset,
            *(f"{cost.measuring[name] * 1e3:.2f}" for name in measured),
            f"{cost.call_s * 1e6:.2f}",
            *(f"{cost.judging[name] * 1e3:.1f}" for name in judged),
            f"{cost.check_events_s * 1e3:.0f}",
        )
        for cost in costs
    ]
    print_table(headings, rows)
    print(describe_sampling(costs))


def describe_sampling(costs: Sequence[Cost]) -> str:
    """The cost of sampling the GPU, in one sentence."""
    sampling = next((cost.sampling for cost in costs if cost.sampling is not None), None)
    if sampling is None:
        return "Sampling a GPU: not measured, no stage ran on one."
    return f"Sampling the GPU: {sampling.once_s * 1e3:.1f} ms in each stage, {sampling.cpu_share:.2%} of a core while it runs."


def print_shares(found: Sequence[Share]) -> None:
    """Print each stage's share, and whether it is under the limit."""
    headings = [
        ("recording", "left"), ("stage", "left"), ("measuring s", "right"), ("stage s", "right"), ("share", "right"),
        ("worst video", "right"), (f"under {LIMIT:.0%}", "left"), ("with judging", "right"), ("with check events", "right"),
    ]  # fmt: skip
    print_table(headings, [table_row(share) for share in found])


def table_row(share: Share) -> tuple[str, ...]:
    """One line of the table."""
    return (
        share.recording,
        share.asset,
        f"{share.measuring_s:.5f}",
        f"{share.stage_s:.2f}",
        f"{share.share:.3%}",
        f"{share.worst:.3%}",
        "yes" if share.holds else "NO",
        f"{share.with_judging:.2%}",
        f"{share.with_check_events:.2%}",
    )


def as_record(costs: Sequence[Cost], found: Sequence[Share]) -> dict[str, Any]:
    """The figures for JSON; `sampling` is null if no GPU was sampled."""
    return {"limit": LIMIT, "costs": [asdict(cost) for cost in costs], "shares": [asdict(s) for s in found]}
