"""Calibration plot: the score distributions of pairs of one person and of two people, and both error rates by threshold.

A pure function from pairs (earshot/speakers/voices/calibration.py) to a matplotlib figure; earshot/timings/plots.py writes it
to a file. Each distribution is scaled to an area of one, because there are far more pairs of two people. Importing matplotlib
takes a second, so this module is imported only where it is used.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from earshot.speakers.voices.calibration import ACROSS, HALVES, NAMED, ONE_PERSON, ONE_VIDEO, TWO_PEOPLE, Calibration, scores_of
from earshot.timings.plots import DOTS_PER_INCH, WIDTH_INCHES

HEIGHT_INCHES = 6.0
BIN = 0.02
# Colour-blind safe (Okabe and Ito): one person in blue and green, two people in orange and purple.
COLOURS = {HALVES: "#0072b2", ACROSS: "#009e73", ONE_VIDEO: "#e69f00", NAMED: "#cc79a7"}
LABELS = {
    HALVES: "one person: two halves of a video",
    ACROSS: "one person: two recordings",
    ONE_VIDEO: "two people of one video",
    NAMED: "two people, named",
}


def draw(pairs: pd.DataFrame, calibration: Calibration, current: float) -> Figure:
    """The figure. `current` is the threshold in use."""
    figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), dpi=DOTS_PER_INCH, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    _draw_scores(above, pairs)
    _draw_errors(below, pairs)
    for axes in (above, below):
        axes.axvline(calibration.threshold, color="#d00000", linewidth=1.2, label=f"threshold {calibration.threshold:.4f}")
        axes.axvline(current, color="0.3", linewidth=1.0, linestyle="--", label=f"current {current:.4f}")
        axes.legend(fontsize=8, frameon=False)
    below.set_xlabel("cosine similarity")
    return figure


def _draw_scores(axes: Axes, pairs: pd.DataFrame) -> None:
    lowest = float(np.floor(pairs.score.min() / BIN) * BIN)
    edges = np.arange(lowest, 1.0 + 2 * BIN, BIN).tolist()
    for kind in (*TWO_PEOPLE, *ONE_PERSON):
        scores = scores_of(pairs, [kind])
        if len(scores):
            label = f"{LABELS[kind]} ({len(scores)})"
            axes.hist(scores, edges, density=True, histtype="stepfilled", alpha=0.45, color=COLOURS[kind], label=label)
    axes.set_title("Scores of pairs of speakers, each kind scaled to an area of one", fontsize=10)
    axes.set_yticks([])


def _draw_errors(axes: Axes, pairs: pd.DataFrame) -> None:
    one, two = scores_of(pairs, ONE_PERSON), scores_of(pairs, TWO_PEOPLE)
    accepted = 1.0 - np.arange(len(two)) / len(two)
    axes.step(two, accepted, where="pre", color=COLOURS[ONE_VIDEO], label="false accepts")
    if len(one):
        axes.step(one, np.arange(1, len(one) + 1) / len(one), where="post", color=COLOURS[HALVES], label="false rejects")
    axes.set_yscale("log")
    axes.set_ylabel("share of pairs", fontsize=8)
    axes.set_title("Error rates by threshold", fontsize=10)
