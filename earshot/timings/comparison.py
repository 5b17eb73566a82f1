"""The comparison: one version of the code held against another, by the timings that each has left. Pure functions.

A version is a git commit (its first characters, at least COMMIT_PREFIX, or a name that git knows it by) or, where there is none
of that commit, a code version. What is
compared, per stage, is seconds per input. Where MINIMUM_VIDEOS videos have run with both, they are compared video by video, and
only they; otherwise all timings of the one with all of the other, and a note says so where the videos differ.

The interval of the ratio is a bootstrap of medians. It knows the spread of the timings; it does not know that a machine was
busy while only one of the versions ran.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from earshot.common.errors import Misconfigured
from earshot.storage.catalog.stages import STAGES
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
    """One stage with version B against the same with A. Seconds are per input; None where there are too few to tell.

    `paired`: `a_n` and `b_n` are videos, the same ones, and `ratio` is the median of their ratios, not the ratio of the two
    medians. Otherwise they are timings. `note` says what else differs.
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
    """The logarithms of two sets of costs; of the same videos in the same order where `paired`."""

    a: np.ndarray
    b: np.ndarray
    paired: bool = False

    @property
    def fewest(self) -> int:
        return min(len(self.a), len(self.b))


def compare(
    rows: Sequence[Row], a: str, b: str, commit_named: Callable[[str], str | None] = lambda _name: None
) -> list[Comparison]:
    """Each stage that ran with A or B (rows oldest first). Raises Misconfigured where one of the two is not known.

    `commit_named` gives the commit that git knows by a name.
    """
    before, after = _version(rows, a, commit_named(a)), _version(rows, b, commit_named(b))
    assets = {row["asset"] for row in (*before, *after)}
    return [_compare_stage(asset, _costs(before, asset), _costs(after, asset)) for asset in STAGES if asset in assets]


def _version(rows: Sequence[Row], name: str, commit: str | None) -> list[Row]:
    """The rows of a commit, which git may know by this name, or else of a code version."""
    begins = commit or name
    of_commit = [row for row in rows if len(begins) >= COMMIT_PREFIX and (row["git_commit"] or "").startswith(begins)]
    commits = {row["git_commit"] for row in of_commit}
    if len(commits) > 1:
        raise Misconfigured(f"{name!r} begins {len(commits)} commits: {_listed(sorted(commits))}.", "Give more of it.")
    found = of_commit or [row for row in rows if row["code_version"] == name]
    if found:
        return found
    commits, versions = (_newest_first(row[key] for row in rows) for key in ("git_commit", "code_version"))
    known_as = f" ({commit[:10]})" if commit and not commit.startswith(name) else ""
    raise Misconfigured(
        f"No timing is of {name!r}{known_as}, neither as a commit ({COMMIT_PREFIX} characters or more) nor as a code version.",
        f"Known, newest first: commits {_listed(commits)}; code versions {_listed(versions)}.",
    )


def _newest_first(names: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(name for name in reversed(list(names)) if name))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return ", ".join(name[:10] for name in names[:MOST_LISTED]) + more if names else "none"


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
    """One cost per video: the median of its runs."""
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
    """95 % of the ratios that samples like this one give; the same each time it is asked."""
    random = np.random.default_rng(0)
    if sample.paired:
        differences = _medians(sample.b - sample.a, random)
    else:
        differences = _medians(sample.b, random) - _medians(sample.a, random)
    low, high = np.exp(np.quantile(differences, INTERVAL))
    return float(low), float(high)


def _medians(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return np.array([np.median(random.choice(values, len(values))) for _ in range(RESAMPLES)])


def _verdict(low: float | None, high: float | None, fewest: int) -> str:
    if low is None or high is None:
        return f"too few ({fewest} of {MINIMUM_VIDEOS})"
    if low > 1.0:
        return SLOWER
    return FASTER if high < 1.0 else NO_DIFFERENCE


def _note(a: Sequence[_Cost], b: Sequence[_Cost], paired: bool) -> str:
    """What differs between the two beside the code."""
    notes = []
    for place, key in enumerate(BASELINE_KEY):
        was, now = ({cost.identity[place] for cost in costs} for costs in (a, b))
        if was != now:
            notes.append(f"{key} was {_named(was)}, is {_named(now)}")
    if not paired and {cost.video_id for cost in a} != {cost.video_id for cost in b}:
        notes.append("not the same videos")
    return "; ".join(notes)


def _named(values: set[str]) -> str:
    return " and ".join(sorted(value or "none" for value in values))
