"""The program that runs inside a peer's own environment (bench/contenders/peers.py): loads the peer and processes recordings.

    python -I bench/contenders/peer_script.py whisperx|senko OPTIONS

OPTIONS is JSON: `device`, `compute_type`, `batch_size`, `threads`, `whisper` (the folder of a faster-whisper model). First it
prints a line of JSON about loading: `versions`, `load_s`, `not_done` (what, and why). Then, for each line on stdin (the path of
a 16 kHz mono WAV), it prints another: `stages` (asset, seconds, cpu_s, items), `turns` and `peak_mb`. Output of the libraries
goes to stderr.

Imports nothing of Earshot, which that environment lacks. Each peer is called as its documentation shows, with Earshot's device,
compute type, batch size and threads.
"""

import importlib
import json
import os
import resource
import sys
import time
import wave
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np  # every peer depends on it


class WhisperX:
    """Transcription with its own VAD; alignment and diarization if their models can be fetched."""

    packages = ("whisperx", "faster-whisper", "ctranslate2", "torch", "pyannote.audio")

    def __init__(self, options: dict[str, Any]) -> None:
        self.device, self.batch_size = options["device"], options["batch_size"]
        self.not_done: list[tuple[str, str]] = []
        self.whisperx = importlib.import_module("whisperx")
        chosen = {"compute_type": options["compute_type"], "threads": options["threads"], "local_files_only": True}
        self.speech = self.whisperx.load_model(options["whisper"], self.device, **chosen)
        self.alignment = self._optional("alignment of words", lambda: self.whisperx.load_align_model("en", self.device))
        self.diarization = self._optional("diarization", self._load_diarization)

    def _load_diarization(self) -> Any:
        pipeline = importlib.import_module("whisperx.diarize").DiarizationPipeline
        return pipeline(token=os.environ.get("HF_TOKEN") or None, device=self.device)

    def _optional(self, part: str, load: Callable[[], Any]) -> Any:
        """The part, or None if its model cannot be fetched; a refused model ends in AttributeError or ValueError."""
        try:
            return load()
        except (OSError, ValueError, AttributeError) as error:
            self.not_done.append((part, f"its model cannot be had: {type(error).__name__}: {str(error).strip()}"))
            return None

    def work_through(self, samples: np.ndarray) -> tuple[list[dict[str, Any]], list[Any]]:
        """The peer's stages and turns."""
        transcript, stage = timed("transcript", lambda: self._transcribe(samples))
        stages = [stage | {"items": len(transcript["segments"])}]
        if self.diarization is None:
            return stages, []
        turns, stage = timed("speaker_turns", lambda: self.diarization(samples))
        rows = list(zip(turns.start.tolist(), turns.end.tolist(), turns.speaker.tolist(), strict=True))
        return [*stages, stage | {"items": len(rows)}], rows

    def _transcribe(self, samples: np.ndarray) -> dict[str, Any]:
        transcript = self.speech.transcribe(samples, batch_size=self.batch_size)
        if self.alignment is None:
            return transcript
        return self.whisperx.align(transcript["segments"], *self.alignment, samples, self.device)


class Senko:
    """Diarization with its own weights."""

    packages = ("senko", "torch", "silero-vad", "umap-learn", "hdbscan")

    def __init__(self, options: dict[str, Any]) -> None:
        self.diarizer = importlib.import_module("senko").Diarizer(device=options["device"])
        self.not_done = []
        if options["device"] == "cuda" and self.diarizer.vad_model_type != "pyannote":
            self.not_done.append(("VAD on the GPU", f"it chose {self.diarizer.vad_model_type}, on the CPU"))
        if options["device"] == "cuda" and self.diarizer.clustering_location != "gpu":
            self.not_done.append(("clustering on the GPU", "RAPIDS is not in its environment"))

    def work_through(self, samples: np.ndarray) -> tuple[list[dict[str, Any]], list[Any]]:
        """The peer's stage and turns."""
        result, stage = timed("speaker_turns", lambda: self.diarizer.diarize_samples(samples))
        segments = result["merged_segments"] if result else []  # None: it found no speech
        turns = [(float(turn["start"]), float(turn["end"]), str(turn["speaker"])) for turn in segments]
        return [stage | {"items": len(turns)}], turns


PEERS = {"whisperx": WhisperX, "senko": Senko}


def timed(asset: str, work: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """The result and its cost. Every peer returns results on the host, so a GPU has finished by then."""
    started, cpu_started = time.perf_counter(), time.process_time()
    result = work()
    return result, {"asset": asset, "seconds": time.perf_counter() - started, "cpu_s": time.process_time() - cpu_started}


def read(path: str) -> np.ndarray:
    """A WAV file as float32 samples."""
    with wave.open(path) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768.0


def main(name: str, options: str) -> None:
    """Load the peer, then process the recordings named on stdin."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    started = time.perf_counter()
    peer = PEERS[name](json.loads(options))
    versions = {package: version(package) for package in peer.packages}
    loaded: dict[str, Any] = {"versions": versions, "load_s": time.perf_counter() - started, "not_done": peer.not_done}
    print(json.dumps(loaded), file=answers, flush=True)
    for line in sys.stdin:
        stages, turns = peer.work_through(read(line.rstrip("\n")))
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"stages": stages, "turns": turns, "peak_mb": peak_mb}), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
