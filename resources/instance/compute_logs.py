"""Dagster's compute logs: what a step prints goes to a file for the UI, and to where its process prints.

Dagster copies the file there with a `tail` and a process that watches it, two of each for a run. If the watchers die with the
run, the tails run for ever. Here a thread of the process copies, and ends with it.

Everything else is Dagster's LocalComputeLogManager, in the folder that it has by default.
"""

import os
import shutil
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, BinaryIO, TextIO

from dagster._core.execution.compute_logs import _fileno, redirect_to_file
from dagster._core.instance.ref import compute_logs_directory
from dagster._core.storage.compute_log_manager import CapturedLogContext, ComputeIOType
from dagster._core.storage.local_compute_log_manager import IO_TYPE_EXTENSION, LocalComputeLogManager
from dagster._serdes import ConfigurableClassData
from dagster._utils import ensure_file, touch_file

COPY_S = 0.5


class EarshotComputeLogs(LocalComputeLogManager):
    """Dagster's local compute logs, without further processes."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003 - the class takes no configuration
    ) -> "EarshotComputeLogs":
        return cls(compute_logs_directory(os.environ["DAGSTER_HOME"]), inst_data=inst_data)

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Generator[CapturedLogContext, None, None]:
        """Copy what the process prints in the block to the files of this key."""
        streams = {ComputeIOType.STDOUT: sys.stdout, ComputeIOType.STDERR: sys.stderr}
        with ExitStack() as mirrored:
            for kind, stream in streams.items():
                path = self.get_captured_local_path(log_key, IO_TYPE_EXTENSION[kind])
                mirrored.enter_context(_mirrored(stream, path))
            yield CapturedLogContext(log_key)
        touch_file(self.complete_artifact_path(log_key))  # tells the UI that the capture is complete


@contextmanager
def _mirrored(stream: TextIO, path: str) -> Generator[None, None, None]:
    """Send the stream to the file for the block, and a copy to where it went. Does nothing to a stream without a descriptor."""
    ensure_file(path)
    number = _fileno(stream)
    if number is None:
        yield
        return
    ended = threading.Event()
    with open(path, "rb") as written, os.fdopen(os.dup(number), "wb", buffering=0) as before:
        copying = threading.Thread(target=_copy, args=(written, before, ended), daemon=True)
        copying.start()
        try:
            with redirect_to_file(stream, path):
                yield
        finally:
            ended.set()
            copying.join()


def _copy(written: BinaryIO, to: BinaryIO, ended: threading.Event) -> None:
    """Copy what is added to a file, until the event and the end of the file."""
    with suppress(OSError):  # nothing reads any more, or the disk is full: the file has it
        while True:
            last = ended.wait(COPY_S)
            shutil.copyfileobj(written, to)
            if last:
                return
