"""Videos with words and passages, as the stages leave them, and a text model with known vectors."""

from collections.abc import Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from earshot.models.registry import Model
from earshot.speakers.corrections.constraints import read_corrections, read_segment_overrides
from earshot.speakers.tables.corrections import CorrectedSpan, CorrectionKind, add_correction
from earshot.speakers.tables.identities import write_segment_overrides
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from earshot.transcripts.search.text_models import register_text_model

TEXTS = ("alpha", "beta", "gamma")
MODEL = Model("t", "1", "MIT", 0, dimension=8)
SPACE = {"model": "m", "model_revision": "r", "preparation": "p"}


class Encoder:
    """Stands for the text model: each of TEXTS is a direction of its own, "between" lies between the first two, and any other
    text has a direction that its characters decide."""

    execution = SimpleNamespace(model=MODEL.name, model_revision=MODEL.revision)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([direction(text) for text in texts])


def direction(text: str) -> np.ndarray:
    known = text.split()[0] if len(set(text.split())) == 1 else text
    if known in TEXTS:
        return np.eye(MODEL.dimension, dtype=np.float32)[TEXTS.index(known)]
    if known == "between":
        return np.array([0.8, 0.6] + [0.0] * (MODEL.dimension - 2), dtype=np.float32)
    vector = np.random.default_rng(crc32(text.encode())).normal(size=MODEL.dimension).astype(np.float32)
    return vector / np.linalg.norm(vector)


def add_video(
    database: Database,
    video_id: str,
    *said: tuple[str | None, str],
    language: str = "en",
    source: str = "https://x",
    published: datetime | None = None,
    model: Model = MODEL,
) -> None:
    """Each local speaker says a passage in turn, a turn of ten seconds each; a single word is said four times."""
    register(database, [Video(video_id, f"https://x/{video_id}", source, video_id.title(), published_at=published)])
    register_text_model(database, model)
    spoken = [(label, text if " " in text else " ".join([text] * 4)) for label, text in said]
    turns = pd.DataFrame(
        [(i, i * 10.0, i * 10.0 + 10.0, label, False) for i, (label, _) in enumerate(spoken) if label is not None],
        columns=["turn_index", "start_s", "end_s", "local_speaker", "overlap"],
    )
    words = pd.DataFrame(_words(spoken), columns=["word_index", "segment_index", "start_s", "end_s", "text", "probability"])
    transcript = pd.DataFrame(
        [(language, 1.0, "w", "1")], columns=["language", "language_probability", "model", "model_revision"]
    )
    tables = {"turns": turns, "exclusive_turns": turns.drop(columns="overlap"), "words": words, "transcripts": transcript}
    database.replace(video_id, tables)
    of_model = {"model": model.name, "model_revision": model.revision}
    database.replace(video_id, {"passages": _passages(spoken).assign(language=language, **of_model)}, of_model)


def _words(spoken: Sequence[tuple[str | None, str]]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for turn, (_, text) in enumerate(spoken):
        words = text.split()
        length = 10.0 / len(words)
        for index, word in enumerate(words):
            start, stop = turn * 10.0 + index * length, "." if index + 1 == len(words) else ""
            rows.append((len(rows), turn, start, start + 0.8 * length, f" {word}{stop}", 0.5))
    return rows


def _passages(spoken: Sequence[tuple[str | None, str]]) -> pd.DataFrame:
    ends = np.cumsum([len(text.split()) for _, text in spoken]).tolist()
    return pd.DataFrame(
        [
            (i, i * 10.0, i * 10.0 + 9.5, label, ends[i] - len(text.split()), ends[i] - 1, text, direction(text))
            for i, (label, text) in enumerate(spoken)
        ],
        columns=["passage_index", "start_s", "end_s", "local_speaker", "first_word", "last_word", "text", "embedding"],
    )


def identify(database: Database, video_id: str, label: str, **decided: Any) -> None:
    """Asset `people` would have decided this of a local speaker."""
    row = {"person_id": None, "voice_id": None, "decided_by": "nothing", "reason": "too short", **decided, **SPACE}
    database.query(
        """
        WITH heard AS (
            INSERT INTO local_speakers (video_id, local_speaker, speech_s, turns, model, model_revision, preparation)
            VALUES (%(video)s, %(label)s, 10, 1, %(model)s, %(model_revision)s, %(preparation)s) RETURNING made_at
        )
        INSERT INTO identities (video_id, local_speaker, person_id, voice_id, decided_by, reason, model, model_revision,
            preparation, made_at)
        SELECT %(video)s, %(label)s, %(person_id)s, %(voice_id)s, %(decided_by)s, %(reason)s, %(model)s, %(model_revision)s,
            %(preparation)s, made_at FROM heard
        """,
        {**row, "video": video_id, "label": label},
    )


def hear_again(database: Database, video_id: str, label: str) -> None:
    """A new diarization of the video has a local speaker of this label, maybe another person."""
    database.query(
        "UPDATE local_speakers SET made_at = clock_timestamp() WHERE video_id = %s AND local_speaker = %s", [video_id, label]
    )


def say_is(database: Database, person_id: int, video_id: str, start_s: float, end_s: float) -> None:
    """A correction, "this is that person", with what asset `people` makes of it."""
    add_correction(database, CorrectionKind.IS, person_id, [CorrectedSpan(video_id, start_s, end_s)])
    with database.connect() as connection:
        write_segment_overrides(connection, read_segment_overrides(database, read_corrections(database)))
