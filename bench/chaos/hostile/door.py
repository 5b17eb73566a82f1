"""The worker of a campaign: a process that takes inputs through the real doors, one after another, in one library.

It reads requests from its standard input and answers on a descriptor, a line of JSON each. It is a process, so that an input
that ends it is noticed.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from scipy import signal

from bench.chaos.hostile.case import CLIP, EMPTY, NO_SOURCE, READ, SPEECH
from bench.corpora.episodes import clip_samples
from earshot.common.audio import SAMPLE_RATE
from earshot.common.errors import EarshotError, error_chain
from earshot.config.people_file import read_people
from earshot.config.settings import read_settings
from earshot.config.sources_file import Kind, read_sources, source_named
from earshot.storage.database import Database, open_database
from earshot.storage.media_store import MediaStore
from ingest_assets.operations import ingest as operation
from resources.instance.home import open_instance

Answer = dict[str, Any]
SILENCE, LIKENESS = 1e-3, 0.6  # of full scale; a correlation


def main(descriptor: int) -> None:
    database, instance = open_database(), open_instance()
    with os.fdopen(descriptor, "w") as output:
        for line in sys.stdin:
            request = json.loads(line)
            try:
                answer = through_door(request, database, instance)
            except Exception as error:  # noqa: BLE001 - what the campaign looks for
                answer = {
                    "state": "traceback",
                    "message": f"{type(error).__name__}: {error}"[:2000] + traceback.format_exc()[-2000:],
                }
            print(json.dumps(answer), file=output, flush=True)


def through_door(request: Answer, database: Database, instance: Any) -> Answer:
    """What becomes of an input: its state and message and, if it is ready, what is heard in it."""
    address = Path(request["address"])
    doors: dict[str, Callable[[], Answer]] = {
        "ingest": lambda: _ingest(request, database, instance),
        "sources": lambda: _read(lambda: read_sources(address)),
        "people": lambda: _read(lambda: read_people(address)),
        "settings": lambda: _settings(request),
    }
    return doors[request["door"]]()


def _ingest(request: Answer, database: Database, instance: Any) -> Answer:
    if request["whole"]:
        return _through(request, database, instance)
    with patch.object(operation, "_stages", lambda *_: ("audio",)):
        return _through(request, database, instance)


def _through(request: Answer, database: Database, instance: Any) -> Answer:
    options = dict(request["options"])
    if "kind" in options:
        options["kind"] = Kind(options["kind"])
    try:
        source = source_named(request["address"], **options)
    except EarshotError as error:
        return _refusal(error)
    steps = operation.ingest([source], operation.IngestChoice(), database, instance)
    outcomes = [step for step in steps if isinstance(step, operation.Outcome) and step.result != "left_out"]
    if not outcomes:
        return {"state": EMPTY, "message": ""}
    outcome = outcomes[0]
    if outcome.video is None:
        return {"state": NO_SOURCE, "message": outcome.error}
    video = outcome.video
    answer = {"state": video.state, "message": outcome.error}
    if outcome.result != "done":
        return answer
    if request["whole"]:
        rows = database.query("SELECT text FROM passages WHERE video_id = %s ORDER BY passage_index", [video.video_id])
        return {**answer, "words": " ".join(row["text"] for row in rows)}
    [stored] = database.query("SELECT uri FROM audio WHERE video_id = %s", [video.video_id])
    return {**answer, "state": "ready", "words": _heard(MediaStore().read(stored["uri"], "float32"))}


def _heard(samples: np.ndarray) -> str:
    """SPEECH if the good recording, or its beginning, is in the samples at any place; "" if there is nothing but silence."""
    if not np.abs(samples).max() > SILENCE:
        return ""
    good = clip_samples(CLIP)[: max(min(len(samples), 4 * SAMPLE_RATE), 1)]
    found = signal.correlate(samples[: 60 * SAMPLE_RATE], good, mode="valid", method="fft")
    powers = signal.correlate(samples[: 60 * SAMPLE_RATE] ** 2, np.ones(len(good)), mode="valid", method="fft")
    likeness = np.abs(found) / np.sqrt(np.maximum(powers, 1e-6) * np.square(good).sum())
    return SPEECH if likeness.max() > LIKENESS else f"sound with a likeness of {likeness.max():.2f}"


def _settings(request: Answer) -> Answer:
    before = os.environ.get("EARSHOT_SETTINGS", "")
    os.environ["EARSHOT_SETTINGS"] = request["address"]
    try:
        return _read(read_settings)
    finally:
        os.environ["EARSHOT_SETTINGS"] = before


def _read(read: Callable[[], object]) -> Answer:
    try:
        read()
    except EarshotError as error:
        return _refusal(error)
    return {"state": READ, "message": ""}


def _refusal(error: EarshotError) -> Answer:
    return {"state": NO_SOURCE, "message": str(error), "error": [type(link).__name__ for link in error_chain(error)]}


if __name__ == "__main__":
    main(int(sys.argv[1]))
