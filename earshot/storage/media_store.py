"""The media store: each video's audio as 16 kHz mono FLAC, at a path or a URL such as s3://bucket/prefix.

Samples are 16-bit; their sha256 identifies the content regardless of the original container, and is the key of everything
computed from them. A file is written under a temporary name and then renamed, so that readers never see half of it; the video's
lock (earshot/storage/locks.py) keeps other writers away.

Names are relative to the store, so that it can be moved; audio stored elsewhere has its full path or URL.

A store that cannot be created or written to is a configuration error, not a video's; `require_media_store()` reports it before
any work starts.
"""

import hashlib
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Literal

import fsspec
import numpy as np
import soundfile
from fsspec.registry import known_implementations
from upath import UPath

from earshot.common.audio import SAMPLE_RATE
from earshot.common.errors import Misconfigured
from earshot.common.redaction import without_secrets
from earshot.config.settings import read_settings
from earshot.storage.full_disk import explaining_full_disk

_OWN_ERRORS = {
    **dict.fromkeys(("s3", "s3a"), "botocore.exceptions.BotoCoreError"),
    **dict.fromkeys(("gs", "gcs"), "google.auth.exceptions.GoogleAuthError"),
    **dict.fromkeys(("az", "abfs", "abfss"), "azure.core.exceptions.AzureError"),
}


class MediaStore:
    """Reads and writes audio under `EARSHOT_MEDIA`."""

    def write(self, video_id: str, samples: np.ndarray) -> str:
        """Store a video's audio (int16 samples); returns its name in the store. Raises Misconfigured if that fails."""
        target = require_media_store() / f"{video_id}.flac"
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
        temporary = target.with_name(f".{target.name}.partial")  # a fixed name: overwrites what a killed process left
        try:
            with explaining_full_disk(), _removed_on_error(temporary):
                temporary.write_bytes(buffer.getvalue())
                temporary.rename(target)
        except OSError as error:
            raise _unusable(f"cannot be written to ({error.strerror or error})") from error
        return target.name

    def read(self, uri: str, dtype: Literal["int16", "float32"] = "int16") -> np.ndarray:
        """A video's audio as stored (int16), or as floats in [-1, 1). Raises FileNotFoundError if the file is gone."""
        with location_of(uri).open("rb") as file:
            samples, _rate = soundfile.read(io.BytesIO(file.read()), dtype=dtype)
        return samples


def location_of(uri: str) -> UPath:
    """The location of a `uri` of table `audio`: under EARSHOT_MEDIA, unless it is a full path or URL.

    Raises Misconfigured if the location needs a package that is not installed.
    """
    whole = uri if "://" in uri or uri.startswith("/") else f"{read_settings().media}/{uri}"
    require_package(whole)
    return UPath(whole)


@contextmanager
def _removed_on_error(file: UPath) -> Iterator[None]:
    """Remove the half-written file, so that a full disk gets its space back."""
    try:
        yield
    except OSError:
        with suppress(OSError):
            file.unlink(missing_ok=True)
        raise


def refetch_remedy(video_id: str) -> str:
    """How to restore a lost audio file. A plain ingest does not help, because it considers the stage current."""
    return f"To fetch it again: earshot backfill audio --video {video_id}, or materialize `audio` in the UI."


def require_media_store() -> UPath:
    """The folder or URL of `EARSHOT_MEDIA`, created if it is missing.

    Raises Misconfigured if it cannot be created or written to, or its URL needs a package that is not installed.
    """
    media = read_settings().media
    require_package(media)
    store = UPath(media)
    try:
        with explaining_unreachable(media):
            store.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(f"cannot be made ({error.strerror or error})") from error
    if "://" not in media and not os.access(media, os.W_OK | os.X_OK):
        raise _unusable("cannot be written to")
    return store


def require_package(location: str) -> None:
    """Raise Misconfigured if a URL has an unknown scheme, or needs a package that is not installed."""
    scheme, separator, _ = location.partition("://")
    if not separator:
        return
    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        package = str(known_implementations[scheme]["class"]).partition(".")[0]
        raise Misconfigured(
            f"{without_secrets(location)!r} needs the package {package}, which is not installed.",
            "Name a folder instead, or install the package: "
            f"{sys.executable} -m pip install {package} fsspec=={fsspec.__version__}",
        ) from error
    except ValueError as error:
        raise Misconfigured(
            f"{without_secrets(location)!r} has a scheme that is not known ({scheme}://).", "Name a folder or another URL."
        ) from error


@contextmanager
def explaining_unreachable(location: str) -> Iterator[None]:
    """Raise Misconfigured if the store of a URL cannot be asked: there are no credentials, or nothing answers."""
    try:
        yield
    except _own_errors(location) as error:
        raise Misconfigured(
            f"{without_secrets(location)!r} cannot be reached: {without_secrets(str(error).rstrip('.'))}.",
            "Check the address and the network, and set the credentials in the environment.",
        ) from error


def _own_errors(location: str) -> tuple[type[Exception], ...]:
    """What the package of this scheme raises besides OSError."""
    module, _, name = _OWN_ERRORS.get(location.partition("://")[0], "").rpartition(".")
    return (getattr(import_module(module), name),) if module else ()


def _unusable(reason: str) -> Misconfigured:
    media = without_secrets(read_settings().media)
    return Misconfigured(f"EARSHOT_MEDIA is {media!r}, which {reason}.", "Set it to a folder or a URL that you can write to.")


def samples_sha256(samples: np.ndarray) -> str:
    """sha256 of int16 samples, little-endian."""
    return hashlib.sha256(samples.astype("<i2", copy=False).tobytes()).hexdigest()
