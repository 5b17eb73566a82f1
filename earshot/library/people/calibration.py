"""Calibration: computes a voice threshold from this library, and accepts it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from earshot.config.settings import read_settings
from earshot.models.registry import Thresholds
from earshot.speakers.people.calibration_data import CalibrationData, accept_calibration, read_calibration_data
from earshot.speakers.people.identify import Identified
from earshot.speakers.tables.voice_space import VoiceSpace, thresholds, voice_space
from earshot.speakers.voices.calibration import (
    ONE_PERSON,
    TWO_PEOPLE,
    Calibration,
    CalibrationSpeaker,
    calibrate,
    false_accepts,
    false_rejects,
    nearest,
    pairs_of,
    scores_of,
)
from earshot.storage.database import Database

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Calibration", "Distribution", "Identified", "LibraryCalibration", "PassingPair", "Thresholds"]


@dataclass(frozen=True)
class Distribution:
    """The pairs of one kind: how many, percentiles 1, 50 and 99 of their scores, and the share that the computed and today's
    threshold decide wrongly; None without pairs."""

    one_person: bool
    kind: str
    pairs: int
    percentiles: list[float] | None
    wrong: float | None
    wrong_today: float | None


@dataclass(frozen=True)
class PassingPair:
    """Two people whom the computed threshold accepts as one, with the cosine of their voices."""

    score: float
    first: CalibrationSpeaker
    second: CalibrationSpeaker


@dataclass(frozen=True, eq=False)
class LibraryCalibration:
    """The speakers of a library and the threshold in use today; `calibrate()` computes another."""

    database: Database
    space: VoiceSpace
    today: Thresholds
    data: CalibrationData
    _pairs: "pd.DataFrame" = field(repr=False)

    def calibrate(self, rate: float) -> Calibration:
        """The threshold for this rate of false accepts. Raises EarshotError if there are too few pairs."""
        return calibrate(self._pairs, rate)

    def distributions(self, threshold: float) -> Sequence[Distribution]:
        """One for each kind of pair, those of one person first."""
        return [self._distribution(kind, threshold) for kind in (*ONE_PERSON, *TWO_PEOPLE)]

    def _distribution(self, kind: str, threshold: float) -> Distribution:
        scores, same = scores_of(self._pairs, [kind]), kind in ONE_PERSON
        if not len(scores):
            return Distribution(same, kind, 0, None, None, None)
        wrong = false_rejects if same else false_accepts
        percentiles = np.percentile(scores, [1, 50, 99]).tolist()
        return Distribution(same, kind, len(scores), percentiles, wrong(scores, threshold), wrong(scores, self.today.threshold))

    def passing(self, threshold: float) -> Sequence[PassingPair]:
        """The few pairs of two people with the highest scores that this threshold accepts."""
        rows, speakers = nearest(self._pairs, threshold).to_dict("records"), self.data.speakers
        return [PassingPair(row["score"], speakers[row["first"]], speakers[row["second"]]) for row in rows]

    def plot(self, calibration: Calibration, path: Path) -> None:
        """Write a plot of the distributions and both thresholds to a .png, .svg or .pdf file."""
        from earshot.speakers.people.calibration_plot import draw
        from earshot.timings.plots import save

        save(draw(self._pairs, calibration, self.today.threshold), path)

    def accept(self, calibration: Calibration) -> Identified:
        """Use this threshold from now on, and identify all speakers again."""
        return accept_calibration(self.database, self.space, calibration)


def read_library(database: Database) -> LibraryCalibration:
    """The speakers of this library that can be compared."""
    settings = read_settings()
    space = voice_space(settings)
    data = read_calibration_data(database, space)
    return LibraryCalibration(database, space, thresholds(database, settings), data, pairs_of(data.speakers))
