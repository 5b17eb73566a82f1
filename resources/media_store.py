"""The media store: each video's audio as 16 kHz mono FLAC, at a path or a URL such as s3://bucket/prefix.

Samples are 16-bit; their sha256 names the content whatever the container was, and is the key of everything computed from
them. A file is written beside its place and moved there, so that a reader never sees half of one;
the video's lock (resources/locks.py) keeps a second writer away.
"""

import hashlib
import io
from typing import Literal

import numpy as np
import soundfile
from dagster import ConfigurableResource
from upath import UPath

from resources.decoding import SAMPLE_RATE
from resources.settings import read_settings


class MediaStoreResource(ConfigurableResource):
    """Reads and writes audio under `EARSHOT_MEDIA`."""

    def write(self, video_id: str, samples: np.ndarray) -> str:
        """Keep a video's audio (int16 samples); returns where it is."""
        target = UPath(read_settings().media) / f"{video_id}.flac"
        target.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
        temporary = target.with_name(f".{target.name}.partial")  # one name: what a killed process left is overwritten
        temporary.write_bytes(buffer.getvalue())
        temporary.rename(target)
        return str(target)

    def read(self, uri: str, dtype: Literal["int16", "float32"] = "int16") -> np.ndarray:
        """A video's audio, as it is kept or in [-1, 1); raises FileNotFoundError where it is gone."""
        with UPath(uri).open("rb") as file:
            samples, _rate = soundfile.read(io.BytesIO(file.read()), dtype=dtype)
        return samples


def samples_sha256(samples: np.ndarray) -> str:
    """sha256 of int16 samples, little-endian."""
    return hashlib.sha256(samples.astype("<i2", copy=False).tobytes()).hexdigest()
