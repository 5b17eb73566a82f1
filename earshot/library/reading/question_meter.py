"""The question meter: measures how long a server takes to embed questions, as stages are measured. One in a hundred questions.

Each sample leaves a row of `asset_timings` for `questions`, with device, floor and regression checks; its `video_id` is
`questions`, because a question is about no video. What was asked is not kept.
"""

from itertools import count

import numpy as np

from earshot.models.measurement import Measurement
from earshot.models.text.text_encoder import TextEncoder
from earshot.storage.catalog.stages import QUESTIONS
from earshot.storage.database import Database
from earshot.timings.history import read_history
from earshot.timings.judgement import evaluate
from earshot.timings.timing import timing
from ingest_assets.stages.outputs import FinishedRun, record_timing

EVERY = 100
FIRST = 1  # the first question of a process, counted from 0, would include what the process does once
CODE_VERSION = "1"


class QuestionMeter:
    """Counts the questions of a process, and measures every hundredth."""

    def __init__(self, run_id: str) -> None:
        """`run_id` names the process in the rows."""
        self._run_id = run_id
        self._numbers = count()

    def embed(self, database: Database, encoder: TextEncoder, question: str) -> np.ndarray:
        """The vector of the question: float32, unit length."""
        if next(self._numbers) % EVERY != FIRST:
            return encoder.encode([question])[0]
        measurement = Measurement()
        try:
            with measurement.computing():
                [vector] = encoder.encode([question], measurement.tally)
            self._record(database, encoder, measurement)
        finally:
            measurement.close()
        return vector

    def _record(self, database: Database, encoder: TextEncoder, measurement: Measurement) -> None:
        figures = timing(measurement, encoder.execution, audio_s=0.0, items=1)
        examined = evaluate(QUESTIONS, figures, read_history(database, QUESTIONS, figures), floors=())
        with database.connect() as connection:
            record_timing(connection, FinishedRun(QUESTIONS, QUESTIONS, self._run_id, CODE_VERSION, figures, examined))
