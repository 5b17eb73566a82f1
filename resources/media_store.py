"""The media store: each video's audio as 16 kHz mono FLAC, at a path or a URL such as s3://bucket/prefix.

Samples are 16-bit; their sha256 names the content whatever the container was, and is the key of everything computed from
them. A file is written beside its place and moved there, so that a reader never sees half of one;
the video's lock (resources/locks.py) keeps a second writer away.

Files are named relative to the store, so that it can be moved: what is kept under another path or URL has its whole name.

A store that cannot be made or written is a wrong set-up, and no video's fault; `require_media_store()` says so before any work.
"""

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

import fsspec
import numpy as np
import soundfile
from dagster import ConfigurableResource
from fsspec.registry import known_implementations
from upath import UPath

from resources.decoding import SAMPLE_RATE
from resources.errors import Misconfigured
from resources.full_disk import explaining_full_disk
from resources.redaction import without_secrets
from resources.settings import read_settings


class MediaStoreResource(ConfigurableResource):
    """Reads and writes audio under `EARSHOT_MEDIA`."""

    def write(self, video_id: str, samples: np.ndarray) -> str:
        """Keep a video's audio (int16 samples); returns its name here. Raises Misconfigured where that cannot be."""
        target = require_media_store() / f"{video_id}.flac"
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
        temporary = target.with_name(f".{target.name}.partial")  # one name: what a killed process left is overwritten
        try:
            with explaining_full_disk(), _removed_on_error(temporary):
                temporary.write_bytes(buffer.getvalue())
                temporary.rename(target)
        except OSError as error:
            raise _unusable(f"cannot be written to ({error.strerror or error})") from error
        return target.name

    def read(self, uri: str, dtype: Literal["int16", "float32"] = "int16") -> np.ndarray:
        """A video's audio, as it is kept or in [-1, 1); raises FileNotFoundError where it is gone."""
        with place_of(uri).open("rb") as file:
            samples, _rate = soundfile.read(io.BytesIO(file.read()), dtype=dtype)
        return samples


def place_of(uri: str) -> UPath:
    """Where the audio of this row of table `audio` lies: under EARSHOT_MEDIA, unless the row has a whole path or URL.

    Raises Misconfigured where that needs a package that is not installed.
    """
    whole = uri if "://" in uri or uri.startswith("/") else f"{read_settings().media}/{uri}"
    _require_package(whole)
    return UPath(whole)


@contextmanager
def _removed_on_error(file: UPath) -> Iterator[None]:
    """A full disk gets back the room that half a file takes."""
    try:
        yield
    except OSError:
        with suppress(OSError):
            file.unlink(missing_ok=True)
        raise


def require_media_store() -> UPath:
    """The place that `EARSHOT_MEDIA` names, a folder made where it is missing.

    Raises Misconfigured where it cannot be made or written, or its URL needs a package that is not installed.
    """
    media = read_settings().media
    _require_package(media)
    place = UPath(media)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(f"cannot be made ({error.strerror or error})") from error
    if "://" not in media and not os.access(media, os.W_OK | os.X_OK):
        raise _unusable("cannot be written to")
    return place


def _require_package(where: str) -> None:
    scheme, separator, _ = where.partition("://")
    if not separator:
        return
    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        package = str(known_implementations[scheme]["class"]).partition(".")[0]
        raise Misconfigured(
            f"Audio at {without_secrets(where)!r} needs the package {package}, which is not installed.",
            "Set EARSHOT_MEDIA to a folder, or install the package: "
            f".venv/bin/uv pip install --python .venv/bin/python {package} fsspec=={fsspec.__version__}",
        ) from error
    except ValueError as error:
        raise _unusable(f"has a scheme that is not known ({scheme}://)") from error


def _unusable(why: str) -> Misconfigured:
    media = without_secrets(read_settings().media)
    return Misconfigured(f"EARSHOT_MEDIA is {media!r}, which {why}.", "Set it to a folder, or a URL, that can be written to.")


def samples_sha256(samples: np.ndarray) -> str:
    """sha256 of int16 samples, little-endian."""
    return hashlib.sha256(samples.astype("<i2", copy=False).tobytes()).hexdigest()
