"""Recordings for the tests: real ones from dependencies, and files that are wrong in a known way."""

from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream

from bench.corpora.episodes import write_mp3


def write_silent_picture(path: Path, seconds: float = 1.0) -> None:
    """A video file with a picture and no audio track."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(round(seconds * 10)):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), dtype=np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_noise(path: Path, seconds: float) -> None:
    """Noise as MP3."""
    write_mp3(path, np.random.default_rng(0).normal(0.0, 0.1, round(16_000 * seconds)).astype(np.float32))


def cut_in_the_middle(source: Path, target: Path) -> None:
    """The first half of a file's bytes."""
    content = source.read_bytes()
    target.write_bytes(content[: len(content) // 2])
