"""Comparison: the ratio of Earshot's seconds to each other side's, per stage and in total, with its spread.

All sides process the same recordings in turn, in several rounds (bench/contenders/rounds.py). A ratio is taken within a round,
so that other load on the machine slows both. The result is the median, lowest and highest of the rounds' ratios; also for CPU
seconds, which other processes hardly affect: if the two ratios differ much, the machine was busy.

A side without all stages is compared on those it has. Against a side with all of them, the total includes Earshot's time around
its stages, `AROUND`. The results themselves are not compared, only counted. Pure functions over a DataFrame of COLUMNS.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from bench.harness.median_range import Spread
from earshot.cli.output import print_table
from earshot.storage.catalog.stages import STAGES

EARSHOT = "earshot"
AROUND = "around the stages"
TOTAL = "total"
COLUMNS = ["side", "round", "recording", "asset", "audio_s", "seconds", "cpu_s", "items"]


@dataclass(frozen=True)
class Ratio:
    """One stage, or `total`: Earshot against another side, over all recordings of a round. Above 1, Earshot is slower.

    The items are None for the total, because stages count different things.
    """

    side: str
    asset: str
    audio_s: float
    earshot_s: Spread
    other_s: Spread
    ratio: Spread
    cpu_ratio: Spread
    earshot_items: float | None
    other_items: float | None


def ratios(done: pd.DataFrame) -> list[Ratio]:
    """Earshot against every other side of `done`, in their order; the total of each comes last."""
    ours = done[done.side == EARSHOT]
    compared = []
    for side in dict.fromkeys(done.side[done.side != EARSHOT]):
        theirs = done[done.side == side]
        stages = [asset for asset in STAGES if (theirs.asset == asset).any()]
        compared += [_ratio(side, asset, ours[ours.asset == asset], theirs[theirs.asset == asset]) for asset in stages]
        counted = [*stages, AROUND] if len(stages) == len(STAGES) else stages
        if len(stages) > 1:
            compared.append(_ratio(side, TOTAL, ours[ours.asset.isin(counted)], theirs))
    return compared


def _ratio(side: str, asset: str, ours: pd.DataFrame, theirs: pd.DataFrame) -> Ratio:
    sums = ["seconds", "cpu_s", "items"]
    earshot, other = (rows.groupby("round")[sums].sum() for rows in (ours, theirs))
    one_stage = asset != TOTAL
    return Ratio(
        side=side,
        asset=asset,
        audio_s=float(ours[ours["round"] == ours["round"].min()].drop_duplicates("recording").audio_s.sum()),
        earshot_s=Spread.over(earshot.seconds.tolist()),
        other_s=Spread.over(other.seconds.tolist()),
        ratio=Spread.over((earshot.seconds / other.seconds).tolist()),
        cpu_ratio=Spread.over((earshot.cpu_s / other.cpu_s).tolist()),
        earshot_items=float(earshot["items"].median()) if one_stage else None,
        other_items=float(other["items"].median()) if one_stage else None,
    )


def print_ratios(found: Sequence[Ratio]) -> None:
    """Print the table; `speed` is times real time."""
    headings = [
        ("beside", "left"), ("stage", "left"), ("earshot s", "right"), ("other s", "right"), ("ratio", "right"),
        ("CPU ratio", "right"), ("speed", "right"), ("other", "right"), ("items", "right"), ("other", "right"),
    ]  # fmt: skip
    print_table(headings, [table_row(ratio) for ratio in found])


def table_row(ratio: Ratio) -> tuple[str, ...]:
    """One line of the table."""
    items = [f"{number:.0f}" if number is not None else "" for number in (ratio.earshot_items, ratio.other_items)]
    return (
        ratio.side,
        ratio.asset,
        f"{ratio.earshot_s.median:.2f}",
        f"{ratio.other_s.median:.2f}",
        ratio.ratio.text(),
        ratio.cpu_ratio.text(),
        f"{ratio.audio_s / ratio.earshot_s.median:.1f}x",
        f"{ratio.audio_s / ratio.other_s.median:.1f}x",
        *items,
    )
