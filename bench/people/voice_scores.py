"""The voice model's cosines, of the same person in two recordings and of two people, by seconds of speech and degradation.

    python -m bench.people.voice_scores [FOLDER]

FOLDER has a folder for each person, with recordings of that person alone (wav, flac, mp3, ogg). The default threshold in
earshot/models/registry.py was measured this way on the voices in tortoise-tts 3.0.0's source archive (`pip download --no-deps
--no-binary :all: tortoise-tts==3.0.0`, folder tortoise/voices): 25 people, without a duplicate and without characters of films
and games. They are not a dependency, because most of those people never gave consent. Without FOLDER, the cast of
bench/corpora/voice_episodes.py is measured, the first half of each voice against the second: one session, and few people.

Each row compares the first seconds of a recording with those of another recording, degraded.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.corpora.voice_episodes import CAST, Spoiling, spoil, stretches
from bench.demo import choose_device
from earshot.common.audio import SAMPLE_RATE
from earshot.config.settings import read_settings
from earshot.models.device import require_device
from earshot.models.registry import model_set
from earshot.sources.media.decoding import decode
from earshot.speakers.voices.calibration import equal_error_rate, false_accepts, false_rejects

if TYPE_CHECKING:  # imports torch
    from earshot.models.voice.voice_encoder import VoiceEncoder

SECONDS = (2.0, 5.0, 10.0, 20.0)
SHORTEST = 0.8  # share of the seconds: slightly shorter recordings count, too
SPOILINGS = {
    "clean": Spoiling(),
    "noise at 20 dB": Spoiling(noise_db=20.0),
    "noise at 10 dB": Spoiling(noise_db=10.0),
    "music at 15 dB": Spoiling(music_db=15.0),
    "telephone band": Spoiling(telephone=True),
}
SUFFIXES = (".wav", ".flac", ".mp3", ".ogg")

Recordings = Mapping[str, Sequence[np.ndarray]]
Vectors = list[tuple[str, int, np.ndarray]]


def main() -> None:
    """Print the figures as JSON."""
    os.environ["EARSHOT_DEVICE"], _ = choose_device(os.environ.get("EARSHOT_DEVICE"))
    recordings = from_folder(Path(sys.argv[1])) if len(sys.argv) > 1 else of_the_cast()
    print(json.dumps(measure(recordings, load_encoder()), indent=1))


def load_encoder() -> "VoiceEncoder":
    """The voice model of the configured model set."""
    from earshot.models.cache import Models

    return Models().voice_encoder(require_device(read_settings().device))


def from_folder(folder: Path) -> Recordings:
    """The recordings in each person's folder."""
    return {
        person.name: [_read(path) for path in sorted(person.iterdir()) if path.suffix.lower() in SUFFIXES]
        for person in sorted(folder.iterdir())
        if person.is_dir()
    }


def _read(path: Path) -> np.ndarray:
    return decode(path).astype(np.float32) / 32768.0


def of_the_cast() -> Recordings:
    """Each voice's stretches as two recordings, its first and its second half."""
    return {name: [np.concatenate(half) for half in _halves(stretches(name))] for name in CAST}


def _halves(parts: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
    ends = np.cumsum([len(part) for part in parts])
    first = int(np.searchsorted(ends, ends[-1] / 2)) + 1
    return [list(parts[:first]), list(parts[first:])]


def measure(recordings: Recordings, encoder: "VoiceEncoder") -> list[dict[str, Any]]:
    """A row for each number of seconds and each degradation."""
    limits = model_set(read_settings()).voice.thresholds
    assert limits is not None  # every voice model has one
    rows = []
    for seconds in SECONDS:
        clean = embed(recordings, seconds, SPOILINGS["clean"], encoder)
        for name, spoiling in SPOILINGS.items():
            same, different = scores(clean, embed(recordings, seconds, spoiling, encoder))
            if len(same) and len(different):
                rows.append({"seconds": seconds, "spoiling": name, **figures(same, different, limits.threshold)})
    return rows


def embed(recordings: Recordings, seconds: float, spoiling: Spoiling, encoder: "VoiceEncoder") -> Vectors:
    """(person, recording, vector) of the first seconds of each recording that is long enough."""
    length = round(seconds * SAMPLE_RATE)
    vectors = []
    for person, takes in recordings.items():
        for take, samples in enumerate(takes):
            if len(samples) >= SHORTEST * length:
                spoiled = spoil(samples[:length], spoiling)
                vectors.append((person, take, encoder.encode(spoiled, [(0, len(spoiled))])[0]))
    return vectors


def scores(clean: Vectors, spoiled: Vectors) -> tuple[np.ndarray, np.ndarray]:
    """Sorted cosines of the same person in two recordings, and of different people."""
    same, different = [], []
    for (person, take, vector), (other, other_take, other_vector) in product(clean, spoiled):
        if person != other:
            different.append(float(vector @ other_vector))
        elif take != other_take:
            same.append(float(vector @ other_vector))
    return np.sort(same), np.sort(different)


def figures(same: np.ndarray, different: np.ndarray, threshold: float) -> dict[str, Any]:
    """EER, percentiles, and both error rates at the threshold."""
    eer, eer_threshold = equal_error_rate(same, different)
    return {
        "one_person": len(same),
        "two_people": len(different),
        "one_person_percentiles_1_5_50": np.percentile(same, [1, 5, 50]).round(3).tolist(),
        "two_people_percentiles_50_99_100": np.percentile(different, [50, 99, 100]).round(3).tolist(),
        "eer": round(eer, 4),
        "eer_threshold": round(eer_threshold, 3),
        "threshold": threshold,
        "false_accepts": round(false_accepts(different, threshold), 5),
        "false_rejects": round(false_rejects(same, threshold) or 0.0, 4),
    }


if __name__ == "__main__":
    main()
