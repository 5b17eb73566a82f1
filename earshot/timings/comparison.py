"""Compares two versions of the code by their timings. Pure functions.

A version is a git commit (at least COMMIT_PREFIX first characters, or a name that git knows) or, if no timing has that commit,
a code version. Each stage is compared by its seconds per input. If at least MINIMUM_VIDEOS videos ran with both versions, only
those are compared, video by video; otherwise all timings of both, with a note if their videos differ.

The interval of the ratio is a bootstrap of medians. It reflects the spread of the timings; it cannot show that the machine was
busy while one of the versions ran.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from earshot.common.errors import Misconfigured
from earshot.common.text import join_first
from earshot.storage.catalog.stages import MEASURED
from earshot.timings.baseline import MINIMUM_VIDEOS
from earshot.timings.history import BASELINE_KEY
from earshot.timings.report import Row, seconds_per_input

COMMIT_PREFIX = 4
RESAMPLES = 2000
INTERVAL = (0.025, 0.975)
MOST_LISTED = 10

SLOWER, FASTER = "slower", "faster"
NO_DIFFERENCE = "no difference that the spread allows to claim"


@dataclass(frozen=True)
class Comparison:
    """One stage, version B against version A. Seconds are per input; None if there are too few timings.

    If `paired`, `a_n` and `b_n` count the same videos, and `ratio` is the median of their ratios, not the ratio of the medians.
    Otherwise they count timings. `note` says what else differs.
    """

    asset: str
    a_s: float | None
    b_s: float | None
    ratio: float | None
    low: float | None
    high: float | None
    a_n: int
    b_n: int
    paired: bool
    verdict: str
    note: str


@dataclass(frozen=True)
class _Sample:
    """The logarithms of two sets of costs; if `paired`, of the same videos in the same order."""

    a: np.ndarray
    b: np.ndarray
    paired: bool = False

    @property
    def fewest(self) -> int:
        return min(len(self.a), len(self.b))


def compare(
    rows: Sequence[Row], a: str, b: str, commit_named: Callable[[str], str | None] = lambda _name: None
) -> list[Comparison]:
    """Compares each stage that ran with A or B (rows oldest first). Raises Misconfigured if either version is unknown.

    `commit_named` resolves a git name to a commit.
    """
    before, after = _version(rows, a, commit_named(a)), _version(rows, b, commit_named(b))
    assets = {row["asset"] for row in (*before, *after)}
    return [_compare_stage(asset, _costs(before, asset), _costs(after, asset)) for asset in MEASURED if asset in assets]


def _version(rows: Sequence[Row], name: str, commit: str | None) -> list[Row]:
    """The rows of this commit, or else of this code version."""
    prefix = commit or name
    of_commit = [row for row in rows if len(prefix) >= COMMIT_PREFIX and (row["git_commit"] or "").startswith(prefix)]
    commits = {row["git_commit"] for row in of_commit}
    if len(commits) > 1:
        raise Misconfigured(f"{name!r} begins {len(commits)} commits: {_listed(sorted(commits))}.", "Give more characters.")
    of_version = of_commit or [row for row in rows if row["code_version"] == name]
    if of_version:
        return of_version
    commits, versions = (_newest_first(row[key] for row in rows) for key in ("git_commit", "code_version"))
    known_as = f" ({commit[:10]})" if commit and not commit.startswith(name) else ""
    raise Misconfigured(
        f"No timing has {name!r}{known_as} as its commit ({COMMIT_PREFIX} characters or more) or code version.",
        f"Known, newest first: commits {_listed(commits)}; code versions {_listed(versions)}.",
    )


def _newest_first(names: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(name for name in reversed(list(names)) if name))


def _listed(names: Sequence[str]) -> str:
    return join_first([name[:10] for name in names], MOST_LISTED) or "none"


@dataclass(frozen=True)
class _Cost:
    video_id: str
    identity: tuple[str, ...]
    logarithm: float


def _costs(rows: Sequence[Row], asset: str) -> list[_Cost]:
    return [
        _Cost(row["video_id"], tuple(row[key] for key in BASELINE_KEY), float(np.log(cost)))
        for row in rows
        if row["asset"] == asset and (cost := seconds_per_input(row)) is not None
    ]


def _compare_stage(asset: str, a: Sequence[_Cost], b: Sequence[_Cost]) -> Comparison:
    sample = _sample(a, b)
    enough = sample.fewest >= MINIMUM_VIDEOS
    low, high = _interval(sample) if enough else (None, None)
    return Comparison(
        asset=asset,
        a_s=_median(sample.a),
        b_s=_median(sample.b),
        ratio=_ratio(sample) if sample.fewest else None,
        low=low,
        high=high,
        a_n=len(sample.a),
        b_n=len(sample.b),
        paired=sample.paired,
        verdict=_verdict(low, high, sample.fewest),
        note=_note(a, b, sample.paired) if sample.fewest else "",
    )


def _sample(a: Sequence[_Cost], b: Sequence[_Cost]) -> _Sample:
    of_a, of_b = _by_video(a), _by_video(b)
    both = [video_id for video_id in of_a if video_id in of_b]
    if len(both) >= MINIMUM_VIDEOS:
        return _Sample(np.array([of_a[video] for video in both]), np.array([of_b[video] for video in both]), paired=True)
    return _Sample(np.array([cost.logarithm for cost in a]), np.array([cost.logarithm for cost in b]))


def _by_video(costs: Sequence[_Cost]) -> dict[str, float]:
    """The median cost of each video's runs."""
    runs: dict[str, list[float]] = {}
    for cost in costs:
        runs.setdefault(cost.video_id, []).append(cost.logarithm)
    return {video_id: float(np.median(logarithms)) for video_id, logarithms in runs.items()}


def _median(logarithms: np.ndarray) -> float | None:
    return float(np.exp(np.median(logarithms))) if len(logarithms) else None


def _ratio(sample: _Sample) -> float:
    difference = np.median(sample.b - sample.a) if sample.paired else np.median(sample.b) - np.median(sample.a)
    return float(np.exp(difference))


def _interval(sample: _Sample) -> tuple[float, float]:
    """A 95 % bootstrap interval of the ratio; deterministic."""
    random = np.random.default_rng(0)
    if sample.paired:
        differences = _medians(sample.b - sample.a, random)
    else:
        differences = _medians(sample.b, random) - _medians(sample.a, random)
    low, high = np.exp(np.quantile(differences, INTERVAL))
    return float(low), float(high)


def _medians(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The medians of RESAMPLES samples, of a million values at a time."""
    at_once = max(1, 1_000_000 // len(values))
    sizes = [min(at_once, RESAMPLES - first) for first in range(0, RESAMPLES, at_once)]
    return np.concatenate([np.median(random.choice(values, (size, len(values))), axis=1) for size in sizes])


def _verdict(low: float | None, high: float | None, fewest: int) -> str:
    if low is None or high is None:
        return f"too few ({fewest} of {MINIMUM_VIDEOS})"
    if low > 1.0:
        return SLOWER
    return FASTER if high < 1.0 else NO_DIFFERENCE


def _note(a: Sequence[_Cost], b: Sequence[_Cost], paired: bool) -> str:
    """What else differs between the two versions."""
    notes = []
    for index, key in enumerate(BASELINE_KEY):
        was, now = ({cost.identity[index] for cost in costs} for costs in (a, b))
        if was != now:
            notes.append(f"{key} was {_named(was)}, is {_named(now)}")
    if not paired and {cost.video_id for cost in a} != {cost.video_id for cost in b}:
        notes.append("not the same videos")
    return "; ".join(notes)


def _named(values: set[str]) -> str:
    return " and ".join(sorted(value or "none" for value in values))
