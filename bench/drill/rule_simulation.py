"""The baseline rule on simulated series: how often it raises false alarms, and how soon it detects a slowdown.

A series simulates a stage over a channel's videos: seconds for an amount of work that varies from video to video, with
proportional noise and one outlier in a hundred. `python -m bench.drill.rule_simulation` prints the table in
docs/measurements/regression-drill.md; seeds are fixed, so that it prints the same everywhere.
"""

import math
from collections.abc import Iterator

import numpy as np

from earshot.timings.baseline import Cost, Level, judge

# A stage's spread, as a standard deviation of logarithms: 0.05 is a quiet dedicated machine, 0.1 an ordinary one, 0.2 a shared
# one.
SPREADS = (0.05, 0.1, 0.15, 0.2)
OUTLIERS = 0.01
UNIT_S = 0.05
HEALTHY_VIDEOS = 30


def series(seed: int, spread: float, videos: int, slow_from: int | None = None, factor: float = 1.0) -> Iterator[Level]:
    """The verdict on each video, `factor` times as slow from `slow_from` on."""
    random = np.random.default_rng(seed)
    past: list[Cost] = []
    for index in range(videos):
        slow = slow_from is not None and index >= slow_from
        cost = _noisy(random, spread, factor if slow else 1.0)
        level = judge(cost, [*(before for before in past[:-2] if not before.flagged), *past[-2:]]).level
        past.append(Cost(cost.seconds, cost.units, level.flagged))
        yield level


def _noisy(random: np.random.Generator, spread: float, factor: float) -> Cost:
    units = float(random.uniform(100, 400))
    noise = random.normal(0.0, spread)
    if random.random() < OUTLIERS:
        noise += abs(random.normal(0.0, 3 * spread))
    return Cost(UNIT_S * units * factor * math.exp(noise), units)


def false_alarms(spread: float, seeds: int, videos: int = 1000) -> float:
    """The share of healthy videos that are flagged."""
    return float(np.mean([level.flagged for seed in range(seeds) for level in series(seed, spread, videos)]))


def detected(spread: float, factor: float, within: int, seeds: int) -> float:
    """The share of series whose slowdown is flagged within the first `within` slow videos."""
    return float(np.mean([_is_detected(seed, spread, factor, within) for seed in range(seeds)]))


def _is_detected(seed: int, spread: float, factor: float, within: int) -> bool:
    levels = list(series(seed, spread, HEALTHY_VIDEOS + within, HEALTHY_VIDEOS, factor))
    return any(level.flagged for level in levels[HEALTHY_VIDEOS:])


def main() -> None:
    """Print the table."""
    print("| spread | flagged of healthy | 1.5x: first | within 3 | 2x: first | within 3 |\n|---|---|---|---|---|---|")
    for spread in SPREADS:
        rates = [detected(spread, factor, within, seeds=500) for factor in (1.5, 2.0) for within in (1, 3)]
        cells = [f"{spread:.2f}", f"{false_alarms(spread, seeds=10):.2%}", *(f"{rate:.1%}" for rate in rates)]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
