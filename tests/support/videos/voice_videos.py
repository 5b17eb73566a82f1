"""Videos in which made-up voices speak: rows as the assets write them, without a model."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from earshot.common.audio import SAMPLE_RATE
from earshot.common.excerpt import FILE, Excerpt
from earshot.config.settings import read_settings
from earshot.speakers.tables.enrolments import save_assessment
from earshot.speakers.tables.people import add_enrolment, add_person
from earshot.speakers.tables.voice_space import voice_space
from earshot.speakers.voices.enrolment_quality import EnrolmentVerdict, Quality, Samples
from earshot.speakers.voices.local_speakers import conditions, local_speakers
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database

TURN_S = 10.0
NOISE = 0.05


def voice(name: str) -> np.ndarray:
    """The direction of a voice: the same for a name, nearly at right angles to every other."""
    drawn = np.random.default_rng(list(name.encode())).normal(size=voice_space(read_settings()).dimension)
    return drawn / np.linalg.norm(drawn)


def speak(database: Database, video_id: str, voices: Sequence[str], rounds: int = 2) -> pd.DataFrame:
    """A video in which these voices take turns of ten seconds, SPEAKER_00 the first of them; returns its turns."""
    rows = [
        (index * TURN_S, (index + 1) * TURN_S, f"SPEAKER_{index % len(voices):02d}", voices[index % len(voices)])
        for index in range(rounds * len(voices))
    ]
    turns = pd.DataFrame(rows, columns=["start_s", "end_s", "local_speaker", "voice"])
    keep(database, video_id, turns)
    return turns


def keep(database: Database, video_id: str, turns: pd.DataFrame, audio: str | None = None) -> None:
    """The video with these turns (start_s, end_s, local_speaker, voice), as if it had been run (again)."""
    register(database, [Video(video_id, f"https://www.youtube.com/watch?v={video_id}", "https://x", f"Talk {video_id}")])
    forgotten = database.frame("forgotten_spans", video_id, "start_s")
    times = list(zip(forgotten.start_s.tolist(), forgotten.end_s.tolist(), strict=True))
    states = conditions(turns, times)
    rng = np.random.default_rng(list(video_id.encode()))
    made = [_near(voice(name), rng) for name in turns.voice]
    vectors = [None if condition == "forgotten" else vector for vector, condition in zip(made, states, strict=True)]
    space, sha256 = voice_space(read_settings()).columns, audio or f"sha256 of {video_id}"
    embedded = turns.assign(turn_index=range(len(turns)), condition=states, embedding=pd.Series(vectors, dtype=object))
    per_turn = embedded[["turn_index", "condition", "embedding"]].assign(
        audio_sha256=sha256,
        first_sample=(turns.start_s * SAMPLE_RATE).astype(int),
        last_sample=(turns.end_s * SAMPLE_RATE).astype(int),
        **space,
    )
    whole = float(turns.end_s.max())
    sound = pd.DataFrame(
        {
            "uri": [f"/media/{video_id}.flac"], "samples_sha256": [sha256], "samples": [int(whole * SAMPLE_RATE)],
            "sample_rate": [SAMPLE_RATE], "duration_s": [whole], "downloader": ["none"],
        }
    )  # fmt: skip
    database.replace(
        video_id,
        {
            "audio": sound,
            "turns": embedded[["turn_index", "start_s", "end_s", "local_speaker"]].assign(overlap=False),
            "voice_embeddings": per_turn,
            "local_speakers": local_speakers(embedded).assign(**space),
        },
    )


def enrol(
    database: Database,
    name: str,
    *vectors: np.ndarray,
    recording: str = "",
    notes: str = "",
    verdict: EnrolmentVerdict = EnrolmentVerdict.GOOD,
    seconds: float = 20.0,
) -> int:
    """A file is enrolled for this person and assessed: a sample of so many seconds for each vector. Returns the person's id."""
    person, length = add_person(database, name, notes), round(seconds * SAMPLE_RATE)
    excerpt = Excerpt(FILE, recording or f"/recordings/{name}.wav")
    spans = tuple((index * length, (index + 1) * length) for index in range(len(vectors)))
    with database.transaction() as whole, whole.connect() as connection:
        number = add_enrolment(connection, person.person_id, excerpt, listed=False)
        samples = Samples(f"sha256 of enrolment {number}", spans, np.array(vectors, dtype=np.float32))
        quality = Quality(verdict, "", seconds * len(vectors), 0.0, None)
        save_assessment(whole, number, voice_space(read_settings()), quality, samples)
    return person.person_id


def _near(direction: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    vector = direction + NOISE * rng.normal(size=len(direction)) / np.sqrt(len(direction))
    return (vector / np.linalg.norm(vector)).astype(np.float32)
