"""Comparison: Earshot's seconds over each other side's, per stage and in total, with their spread.

Every side does the same recordings in turn, several rounds (bench/contenders/rounds.py). A ratio is of one round: what was busy
on the machine then slowed both. Told are the median of the rounds' ratios, the lowest and the highest; of CPU seconds too,
which hardly change where other processes have the CPU: where the two ratios differ much, the machine was busy.

A side that does not do all stages is held against the ones it does. Against one that does all, the total is everything: also
what Earshot takes around its stages, `AROUND`. Whether all found the same is not asked here; the number of results is kept.
Pure functions over a DataFrame of COLUMNS.
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
    """One stage, or `total`: Earshot beside another side, all recordings of a round together. Above 1 Earshot is slower.

    `items` None: not a number to be added up.
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
    """Every other side of `done` beside Earshot, in their order; the total of each last."""
    ours = done[done.side == EARSHOT]
    found = []
    for side in dict.fromkeys(done.side[done.side != EARSHOT]):
        theirs = done[done.side == side]
        stages = [asset for asset in STAGES if (theirs.asset == asset).any()]
        found += [_ratio(side, asset, ours[ours.asset == asset], theirs[theirs.asset == asset]) for asset in stages]
        counted = [*stages, AROUND] if len(stages) == len(STAGES) else stages
        if len(stages) > 1:
            found.append(_ratio(side, TOTAL, ours[ours.asset.isin(counted)], theirs))
    return found


def _ratio(side: str, asset: str, ours: pd.DataFrame, theirs: pd.DataFrame) -> Ratio:
    sums = ["seconds", "cpu_s", "items"]
    one, other = (rows.groupby("round")[sums].sum() for rows in (ours, theirs))
    one_stage = asset != TOTAL
    return Ratio(
        side=side,
        asset=asset,
        audio_s=float(ours[ours["round"] == ours["round"].min()].drop_duplicates("recording").audio_s.sum()),
        earshot_s=Spread.over(one.seconds.tolist()),
        other_s=Spread.over(other.seconds.tolist()),
        ratio=Spread.over((one.seconds / other.seconds).tolist()),
        cpu_ratio=Spread.over((one.cpu_s / other.cpu_s).tolist()),
        earshot_items=float(one["items"].median()) if one_stage else None,
        other_items=float(other["items"].median()) if one_stage else None,
    )


def print_ratios(found: Sequence[Ratio]) -> None:
    """The table; `speed` is times real time."""
    headings = [
        ("beside", "left"), ("stage", "left"), ("earshot s", "right"), ("other s", "right"), ("ratio", "right"),
        ("CPU ratio", "right"), ("speed", "right"), ("other", "right"), ("items", "right"), ("other", "right"),
    ]  # fmt: skip
    print_table(headings, [table_row(ratio) for ratio in found])


def table_row(ratio: Ratio) -> tuple[str, ...]:
    """One line of the table, as text."""
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
