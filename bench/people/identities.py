"""`python -m bench.people.identities [SPEAKERS...]`: the cost of identifying this many local speakers.

The speakers are synthetic: vectors of 192 dimensions with a cosine of about 0.65 within a voice and about 0.1 between voices,
distributed as in real libraries (a few hosts with hundreds of speakers, many guests with a few, and many heard once), three per
video. Nobody is enrolled, so all of them are clustered. For each number of speakers, in its own process and home, with
the real Postgres, `identify()` is timed with all speakers new, nothing new, one more video, and all clustered again. Comparing
the speakers with the profiles of 200 people is timed separately, without the database.

Prints the figures and the machine's description as JSON, and writes nothing.
"""

import os
import sys
from dataclasses import dataclass
from time import monotonic

import numpy as np

from bench.harness.figures import own_home
from bench.harness.per_size import peak_mb, print_sizes, timed
from earshot.config.settings import read_settings
from earshot.speakers.people.identify import identify
from earshot.speakers.tables.identities import Identity, read_identities
from earshot.speakers.tables.voice_space import VoiceSpace, accept_threshold, voice_space
from earshot.speakers.voices.cosine import quantize, quantized_dot
from earshot.speakers.voices.speakers import Key
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database, open_database

SIZES = (1_000, 10_000)
VOICES = 500
PEOPLE = 200
WITHIN, ACROSS = 0.65, 0.1
THRESHOLD = 0.5
HEARD_ONCE = 0.3  # share of all speakers
PER_VIDEO = 3


@dataclass(frozen=True)
class Figures:
    """One number of speakers: seconds, and the process's peak memory before the first run and at the end."""

    speakers: int
    largest_voice: int
    voices: int
    voices_found: int
    two_people_in_one_voice: int
    first_s: float
    nothing_new_s: float
    one_more_video_s: float
    one_more_video_clustered: int
    full_s: float
    full_changes_nothing: bool
    profiles_s: float
    before_mb: float
    peak_mb: float


def measure(speakers: int) -> Figures:
    """All figures for this number of speakers; the last video is added later."""
    truth, vectors = library(speakers)
    with own_home() as home:
        os.environ["EARSHOT_PEOPLE"] = str(home / "people.yaml")
        database, space = open_database(), voice_space(read_settings())
        accept_threshold(database, space, THRESHOLD, "between the cosines of what is made up")
        last = (speakers - 1) // PER_VIDEO * PER_VIDEO  # the first speaker of the last video
        add(database, space, vectors[:last], 0)
        before_mb = peak_mb()
        _, first_s = timed(lambda: identify(database))
        _, nothing_new_s = timed(lambda: identify(database))
        add(database, space, vectors[last:], last)
        more, more_s = timed(lambda: identify(database))
        rows = read_identities(database)
        full, full_s = timed(lambda: identify(database, full=True))
        grid = quantize(vectors)
        started = monotonic()
        quantized_dot(grid, grid[:PEOPLE]).argmax(axis=1)
        return Figures(
            speakers=full.speakers,
            largest_voice=int(np.bincount(truth).max()),
            voices=len(set(truth.tolist())),
            voices_found=full.voices,
            two_people_in_one_voice=mixed(rows, truth),
            first_s=first_s,
            nothing_new_s=nothing_new_s,
            one_more_video_s=more_s,
            one_more_video_clustered=more.clustered,
            full_s=full_s,
            full_changes_nothing=full.written == 0,
            profiles_s=monotonic() - started,
            before_mb=before_mb,
            peak_mb=peak_mb(),
        )


def library(speakers: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Each speaker's voice and vector, in random order."""
    generator = np.random.default_rng(seed)
    weights = 1.0 / np.arange(1, VOICES + 1)
    recurring = generator.choice(VOICES, int(speakers * (1 - HEARD_ONCE)), p=weights / weights.sum())
    truth = generator.permutation(np.concatenate([recurring, np.arange(VOICES, VOICES + speakers - len(recurring))]))
    shared = np.sqrt(ACROSS / WITHIN) * directions(generator, 1)
    voices = shared + np.sqrt(1 - ACROSS / WITHIN) * directions(generator, VOICES + speakers)
    vectors = np.sqrt(WITHIN) * voices[truth] + np.sqrt(1 - WITHIN) * directions(generator, speakers)
    return truth, vectors.astype(np.float32)


def directions(generator: np.random.Generator, count: int) -> np.ndarray:
    """Random vectors of about unit length, in the dimension of the bundled speaker model."""
    dimension = voice_space(read_settings()).dimension
    return generator.standard_normal((count, dimension)) / np.sqrt(dimension)


def add(database: Database, space: VoiceSpace, vectors: np.ndarray, first: int) -> None:
    """Add these speakers to the library, numbered from `first`."""
    keys = [key_of(first + index) for index in range(len(vectors))]
    names = sorted({video for video, _ in keys})
    register(database, [Video(name, f"/{name}.wav", "/", name) for name in names])
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO local_speakers (video_id, local_speaker, speech_s, clear_s, turns, model, model_revision, "
            "preparation, centroid) VALUES (%s, %s, 60, 50, 5, %s, %s, %s, %s)",
            [(*key, *space.columns.values(), vector) for key, vector in zip(keys, vectors, strict=True)],
        )


def key_of(index: int) -> Key:
    """The video and local name of this speaker."""
    return f"video-{index // PER_VIDEO:06d}", f"SPEAKER_{index % PER_VIDEO:02d}"


def mixed(rows: dict[Key, Identity], truth: np.ndarray) -> int:
    """How many excess (voice found, true voice) pairs there are; 0 if no voice mixes people."""
    pairs = {(rows[key_of(index)].voice_id, voice) for index, voice in enumerate(truth.tolist())}
    return len(pairs) - len({voice_id for voice_id, _ in pairs})


if __name__ == "__main__":
    print_sizes(measure, tuple(map(int, sys.argv[1:])) or SIZES)
