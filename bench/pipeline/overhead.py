"""What measuring costs, as a share of the stage that is measured; it must stay under 1 %.

A stage's `Cost` (bench/pipeline/microbench.py measures it) is what is done in it only to measure it: the stopwatches, building
the timing, and what each model call adds, as often as the stage called its model. The sum is divided by the seconds that the
stage took in this run, models loaded. Where a GPU was sampled, starting and ending the sampler is part of the sum and its
thread's CPU seconds are too; where none was, that was not measured, and nothing is put in its place.

Beside it, not in it, because it comes after the stage's clock was read and does not grow with the video: judging (reading the
history, the rule, keeping the row), and Dagster's keeping of each check's result as events. Pure functions, and the two tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from earshot.cli.output import print_table

LIMIT = 0.01


@dataclass(frozen=True)
class Sampling:
    """What the GPU's sampler costs: seconds to start, read and end it, and its thread's CPU seconds per second."""

    once_s: float
    cpu_share: float


@dataclass(frozen=True)
class Cost:
    """What measuring one stage costs, in seconds.

    `measuring` once in it, `call_s` each model call; after it `judging`, and `check_events_s` in Dagster.
    """

    asset: str
    measuring: Mapping[str, float]
    judging: Mapping[str, float]
    call_s: float
    check_events_s: float
    sampling: Sampling | None

    def seconds(self, row: Mapping[str, Any]) -> float:
        """Of measuring, for the stage of this row of `asset_timings`."""
        calls = row["inputs"] / row["batch_mean"] if row["batch_mean"] else 0.0
        sampled_s = self.sampling.once_s + self.sampling.cpu_share * _working_s(row) if self.sampling else 0.0
        return sum(self.measuring.values()) + calls * self.call_s + sampled_s


@dataclass(frozen=True)
class Share:
    """Measuring as a share of one stage over a recording or several; `worst` is that of the worst video alone.

    `with_judging` adds judging, `with_check_events` Dagster's events too.
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
    """What measuring these rows cost, per stage."""
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
    """Milliseconds once in a stage, by part."""
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
    """What sampling the GPU costs, in one sentence."""
    sampling = next((cost.sampling for cost in costs if cost.sampling is not None), None)
    if sampling is None:
        return "Sampling a GPU: not measured, no stage ran on one."
    return f"Sampling the GPU: {sampling.once_s * 1e3:.1f} ms in each stage, {sampling.cpu_share:.2%} of a core while it runs."


def print_shares(found: Sequence[Share]) -> None:
    """Each stage's share, and whether it is under the limit."""
    headings = [
        ("recording", "left"), ("stage", "left"), ("measuring s", "right"), ("stage s", "right"), ("share", "right"),
        ("worst video", "right"), (f"under {LIMIT:.0%}", "left"), ("with judging", "right"), ("with check events", "right"),
    ]  # fmt: skip
    print_table(headings, [table_row(share) for share in found])


def table_row(share: Share) -> tuple[str, ...]:
    """One line of the table, as text."""
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
    """For JSON; `sampling` is null where no GPU was sampled."""
    return {"limit": LIMIT, "costs": [asdict(cost) for cost in costs], "shares": [asdict(s) for s in found]}
