"""Voices to name: videos with stored sound, words and vectors, as the stages leave them."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from earshot.common.audio import SAMPLE_RATE
from earshot.speakers.people.identify import identify
from earshot.storage.database import Database
from earshot.storage.media_store import MediaStore, samples_sha256
from earshot.transcripts.search.text_models import register_text_model
from tests.support.library import STAGES, run_stages
from tests.support.videos.spoken_videos import MODEL
from tests.support.videos.voice_videos import TURN_S, speak

TONE_HZ = 200.0


def hear(database: Database, videos: Mapping[str, Sequence[str]], rounds: int = 2) -> None:
    """Each video's voices take turns of ten seconds, each with a tone and words of its own; then all are identified.

    In a library without voices, the first is voice 1.
    """
    if not database.query("SELECT FROM voices LIMIT 1"):
        database.query("SELECT setval(pg_get_serial_sequence('voices', 'voice_id'), 1, false)")
    register_text_model(database, MODEL)
    for video_id, voices in videos.items():
        turns = speak(database, video_id, voices, rounds)
        _store_sound(database, video_id, len(turns))
        _store_words(database, video_id, turns)
        run_stages(database, video_id, *STAGES)
    database.query("UPDATE videos SET state = 'ready'")
    identify(database)


def _store_words(database: Database, video_id: str, turns: pd.DataFrame) -> None:
    """One word in each turn, which is also its passage."""
    number = range(len(turns))
    said = turns.drop(columns="voice").assign(text=[f" This is {name} in {video_id}." for name in turns.voice])
    model = {"model": MODEL.name, "model_revision": MODEL.revision}
    vectors = pd.Series([np.zeros(MODEL.dimension, dtype=np.float32)] * len(turns), dtype=object)
    database.replace(
        video_id,
        {
            "words": said.drop(columns="local_speaker").assign(word_index=number, segment_index=0, probability=0.9),
            "exclusive_turns": turns.drop(columns="voice").assign(turn_index=number),
            "transcripts": pd.DataFrame([{"language": "en", "language_probability": 1.0, **model}]),
        },
    )
    passages = said.assign(passage_index=number, first_word=number, last_word=number, language="en", embedding=vectors, **model)
    database.replace(video_id, {"passages": passages}, model)


def _store_sound(database: Database, video_id: str, turns: int) -> None:
    times = np.arange(round(TURN_S * SAMPLE_RATE)) / SAMPLE_RATE
    tones = [np.sin(2 * np.pi * TONE_HZ * (index + 1) * times) for index in range(turns)]
    samples = (np.concatenate(tones) * 8000).astype(np.int16)
    database.query(
        "UPDATE audio SET uri = %s, samples_sha256 = %s WHERE video_id = %s",
        [MediaStore().write(video_id, samples), samples_sha256(samples), video_id],
    )
