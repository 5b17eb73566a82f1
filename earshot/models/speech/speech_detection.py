"""Speech detection: runs faster-whisper's Silero VAD on all cores.

faster-whisper runs the network in one thread, 400 times as fast as real time, which is more than half of a transcription on a
GPU. Convolutions over single windows of 32 ms take nine tenths of that; only a small LSTM after them carries state between
windows. `spread_over_cores()` splits the network between the two, and runs the first part in threads and the second in order.
The probabilities are identical to the last bit (tests/earshot/models/speech/test_speech_detection.py).

faster-whisper decides from these probabilities what is speech.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from faster_whisper.utils import get_assets_path
from faster_whisper.vad import get_vad_model
from onnx.utils import Extractor

from earshot.models.device import compute_threads

SLICE_WINDOWS = 256  # windows of 32 ms per call of the convolutions; smaller and larger slices are slower


class SplitSession:
    """The VAD network in two parts, with the interface of an onnxruntime session, of which faster-whisper uses only `run()`."""

    def __init__(self, path: Path, threads: int) -> None:
        network = onnx.load(path)
        [recurrent] = [node for node in network.graph.node if node.op_type == "LSTM"]
        self._between = recurrent.input[0]
        parts = Extractor(network)
        self._convolutions = _session(parts.extract_model(["input"], [self._between]))
        names = [output.name for output in network.graph.output]
        self._recurrence = _session(parts.extract_model([self._between, "h", "c"], names))
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="speech-detection")

    def run(self, names: list[str] | None, inputs: dict[str, np.ndarray]) -> list[Any]:
        """Outputs for `input` (windows, samples), continuing from the state `h` and `c` of earlier windows."""
        windows = inputs["input"]
        slices = (windows[first : first + SLICE_WINDOWS] for first in range(0, len(windows), SLICE_WINDOWS))
        features = np.concatenate(list(self._threads.map(self._convolve, slices)))
        return list(self._recurrence.run(names, {self._between: features, "h": inputs["h"], "c": inputs["c"]}))

    def _convolve(self, windows: np.ndarray) -> np.ndarray:
        [features] = self._convolutions.run(None, {"input": windows})
        return np.asarray(features)


@contextmanager
def spread_over_cores() -> Iterator[None]:
    """Make faster-whisper's VAD model, shared by the whole process, use all cores within the block."""
    model: Any = get_vad_model()
    original, model.session = model.session, _split_session()
    try:
        yield
    finally:
        model.session = original


@cache
def _split_session() -> SplitSession:
    [path] = Path(get_assets_path()).glob("silero_vad*.onnx")
    return SplitSession(path, compute_threads())


def _session(network: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """A session with the options of faster-whisper's own."""
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(network.SerializeToString(), options, providers=["CPUExecutionProvider"])
