"""Decoding: the audio of a media file as 16 kHz mono samples, read by a process with limits.

The process (earshot/sources/media/decoder.py) reads one file. If it crashes, or takes more time or memory than it may, that
file fails, and the caller goes on. It writes the samples into memory that both share, so that they exist once. If the caller
dies, so does the process, and nothing is left.
"""

import json
import mmap
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from earshot.common.errors import EarshotError, InvalidMedia, NoAudio, OutOfMemory, OverLimit, Retryable
from earshot.common.text import one_line, without_surrogates
from earshot.config.settings import PROJECT_ROOT
from earshot.sources.media.decoder import LENGTH, READ, READY
from earshot.sources.media.limits import SAMPLE_BYTES, WALL_PER_CPU, most_cpu_s, shown

ERRORS: dict[str, type[EarshotError]] = {error.__name__: error for error in (InvalidMedia, NoAudio, OutOfMemory, OverLimit)}
# Sent by others, such as the kernel when memory runs out.
ENDED_FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})
HARMFUL = "It is damaged, or made to do harm: get it from elsewhere, or convert it yourself."
LATER = "It is retried automatically; `earshot retry` tries it now."

_SHOWN = 200  # characters of a message from the process


@dataclass(frozen=True)
class Decoder:
    """A process that waits for its one file. `descriptor`: the shared memory."""

    process: "subprocess.Popen[bytes]"
    descriptor: int

    def decode(self, path: Path) -> np.ndarray:
        """The file's audio as int16 samples, mono, 16 kHz, read-only. Raises OSError, or a VideoError that names the file."""
        samples = self._ask(READ, path)
        if not isinstance(samples, int) or os.fstat(self.descriptor).st_size != samples * SAMPLE_BYTES:
            raise self._failure(path, b"")
        return np.frombuffer(mmap.mmap(self.descriptor, samples * SAMPLE_BYTES, access=mmap.ACCESS_READ), dtype=np.int16)

    def length_s(self, path: Path) -> float | None:
        """The length that the file declares, in seconds; None if it is unknown. Raises as `decode()`."""
        length = self._ask(LENGTH, path)
        return length if isinstance(length, float) else None

    def _ask(self, what: str, path: Path) -> Any:
        most_s = WALL_PER_CPU * most_cpu_s(path)
        request = json.dumps({"what": what, "path": str(path)}).encode() + b"\n"
        try:
            answer, messages = self.process.communicate(request, timeout=most_s)
        except subprocess.TimeoutExpired:
            raise Retryable(
                f"{shown(path)} was not decoded in {most_s} s: the disk is slow, or the machine busy.", LATER
            ) from None
        if not answer:
            raise self._failure(path, messages)
        return _result(json.loads(answer), path)

    def _failure(self, path: Path, messages: bytes) -> EarshotError:
        """The error for a process that ended without an answer."""
        code = self.process.returncode
        if -code == signal.SIGXCPU:
            return OverLimit(f"{shown(path)} takes more than {most_cpu_s(path)} s of a CPU to decode.", HARMFUL)
        if -code in ENDED_FROM_OUTSIDE:
            return OutOfMemory(f"{shown(path)}: its decoder was killed (signal {-code}), as when memory runs out.", LATER)
        reason = signal.Signals(-code).name if code < 0 else _last_line(messages)
        return InvalidMedia(f"{shown(path)} cannot be decoded: FFmpeg fails at it ({reason}).", HARMFUL)


@contextmanager
def started_decoder() -> Iterator[Decoder]:
    """A process that has imported FFmpeg when the block begins, and is gone when it ends. Raises Retryable if there is none."""
    descriptor = os.memfd_create("samples")
    try:
        with _process(descriptor) as process:
            assert process.stdout is not None
            if process.stdout.readline() != READY:
                _, messages = process.communicate()
                raise Retryable(f"The process that decodes could not start: {_last_line(messages)}.", LATER)
            yield Decoder(process, descriptor)
    finally:
        os.close(descriptor)


def decode(path: Path) -> np.ndarray:
    """As `Decoder.decode()`, in a process started for it."""
    with started_decoder() as decoder:
        return decoder.decode(path)


def media_length_s(path: Path) -> float | None:
    """The length that a media file declares, in seconds; None if it declares none, or cannot be read."""
    try:
        with started_decoder() as decoder:
            return decoder.length_s(path)
    except (EarshotError, OSError):
        return None


@contextmanager
def _process(descriptor: int) -> "Iterator[subprocess.Popen[bytes]]":
    command = [sys.executable, "-P", "-m", "earshot.sources.media.decoder", str(descriptor)]
    path = os.pathsep.join(filter(None, (str(PROJECT_ROOT), os.environ.get("PYTHONPATH"))))
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[descriptor],
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _result(answer: dict[str, Any], path: Path) -> Any:
    """What the process found out; raises the error that it met."""
    if "error" in answer:
        raise ERRORS[answer["error"]](answer["message"], answer["remedy"])
    if "errno" in answer:
        raise OSError(answer["errno"], answer["strerror"], str(path))
    return answer["result"]


def _last_line(messages: bytes) -> str:
    lines = without_surrogates(messages.decode(errors="replace")).strip().split("\n")
    return one_line(lines[-1])[:_SHOWN] or "without a message"
