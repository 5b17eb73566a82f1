"""What a soak publishes: pieces of real speech of the same length, no two alike."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench.corpora.episodes import EPISODES, episode_samples, write_mp3
from earshot.common.audio import SAMPLE_RATE

STEP_S = 7.3  # between the starts of two recordings that follow each other


def recording(number: int, length_s: float) -> bytes:
    """An MP3 of a piece of the demo's episodes, played in turn without an end; each number has another piece."""
    first = round(number * STEP_S * SAMPLE_RATE)
    samples = np.take(_speech(), np.arange(first, first + round(length_s * SAMPLE_RATE)), mode="wrap")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "recording.mp3"
        write_mp3(path, samples)
        return path.read_bytes()


@cache
def _speech() -> np.ndarray:
    return np.concatenate([episode_samples(episode) for episode in EPISODES])
