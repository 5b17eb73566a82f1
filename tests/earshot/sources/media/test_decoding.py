"""Decoding in a process: the samples arrive; what befalls the process fails this one file, and leaves nothing behind."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from earshot.common.audio import SAMPLE_RATE
from earshot.common.errors import EarshotError, InvalidMedia, NoAudio, OutOfMemory, OverLimit, Retryable
from earshot.sources.media import decoding
from earshot.sources.media.decoding import decode, media_length_s, started_decoder
from tests.support.videos.recordings import write_silent_picture

# What a process of the decoder does with a file that takes all the memory it can get.
HUNGRY = """
import os
from pathlib import Path
from earshot.sources.media import decoder
decoder.MEMORY_BYTES = 32 << 20
print(decoder._answer("read", Path({path!r}), os.memfd_create("samples")))
"""
# A parent that waits for its decoder until it is killed.
WAITING = """
import signal
from earshot.sources.media.decoding import started_decoder
with started_decoder() as decoder:
    print(decoder.process.pid, flush=True)
    signal.pause()
"""


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "talk.wav"
    soundfile.write(path, np.arange(SAMPLE_RATE, dtype=np.int16), SAMPLE_RATE)
    return path


def test_samples_arrive_as_they_are_in_the_file(recording: Path) -> None:
    before, children = psutil.Process().num_fds(), psutil.Process().children()
    assert np.array_equal(decode(recording), np.arange(SAMPLE_RATE, dtype=np.int16))
    assert psutil.Process().num_fds() <= before + 1  # the memory of samples that are still in use
    assert psutil.Process().children() == children


def test_length_is_that_of_the_file(recording: Path) -> None:
    assert media_length_s(recording) == 1.0


def test_length_of_other_files_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "notes.mp3").write_text("no sound")
    assert media_length_s(tmp_path / "notes.mp3") is None
    assert media_length_s(tmp_path / "gone.mp3") is None


def test_error_of_the_process_is_raised(tmp_path: Path) -> None:
    write_silent_picture(tmp_path / "picture.mp4", 0.2)
    with pytest.raises(NoAudio, match=r"picture\.mp4 has no audio track, only video\. There is nothing to transcribe\."):
        decode(tmp_path / "picture.mp4")


def test_file_that_is_gone_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        decode(tmp_path / "gone.mp3")


@pytest.mark.parametrize(
    ("number", "error", "message"),
    [
        (
            signal.SIGSEGV,
            InvalidMedia,
            r"talk\.wav cannot be decoded: FFmpeg fails at it \(SIGSEGV\)\. .* get it from elsewhere",
        ),
        (signal.SIGXCPU, OverLimit, r"talk\.wav takes more than 60 s of a CPU to decode\. .* get it from elsewhere"),
        (signal.SIGKILL, OutOfMemory, r"talk\.wav: its decoder was killed \(signal 9\).* retried automatically"),
    ],
)
def test_signal_that_ends_the_process_fails_the_file(
    recording: Path, number: signal.Signals, error: type[EarshotError], message: str
) -> None:
    with started_decoder() as decoder:
        decoder.process.send_signal(number)
        decoder.process.wait()
        with pytest.raises(error, match=message):
            decoder.decode(recording)
    assert len(decode(recording)) == SAMPLE_RATE


def test_process_that_hangs_is_ended_and_the_file_retried(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "WALL_PER_CPU", 0.01)
    with started_decoder() as decoder:
        decoder.process.send_signal(signal.SIGSTOP)
        with pytest.raises(Retryable, match=r"talk\.wav was not decoded in 0\.6 s.* retried automatically"):
            decoder.decode(recording)
    assert not psutil.pid_exists(decoder.process.pid)


def test_process_that_cannot_start_is_not_held_against_the_file(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(Retryable, match="could not start"):
        decode(recording)


def test_file_that_takes_too_much_memory_is_refused(tmp_path: Path) -> None:
    content = np.zeros((100_000, 64), dtype=np.float32)  # a block of these takes 16 MB
    soundfile.write(tmp_path / "many.wav", content, SAMPLE_RATE, subtype="FLOAT")
    script = HUNGRY.format(path=str(tmp_path / "many.wav"))
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "OverLimit" in answer
    assert "many.wav takes more than 32 MB of memory to decode" in answer


def test_process_ends_with_its_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", WAITING], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        decoder = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    decoder.wait(60)
