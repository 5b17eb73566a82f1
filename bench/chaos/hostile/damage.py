"""Damaged media: good files that are cut or have other bits here and there, and noise behind the mark of a format.

Damage at a place where no format notices it leaves the speech: such a file may be ready, with the words that are in it.
"""

from collections.abc import Iterator
from functools import partial
from random import Random

import av
import numpy as np
from av.audio.stream import AudioStream

from bench.chaos.hostile.case import SPEECH, Case, Made, Place
from earshot.common.audio import SAMPLE_RATE

CODECS = {
    "wav": "pcm_s16le", "flac": "flac", "mp3": "libmp3lame", "m4a": "aac", "mkv": "libopus", "ogg": "libopus", "aac": "aac",
    "avi": "mp2", "aiff": "pcm_s16be", "ts": "aac",
}  # fmt: skip
# Their length is nowhere in the file, so that a cut one is a shorter good one.
UNDECLARED = ("ogg", "aac", "ts")
MARKS = {
    "mp3": b"ID3\x04\0\0\0\x7f\x7f\x7f", "wav": b"RIFF\xff\xff\xff\xffWAVEfmt ", "flac": b"fLaC\x80\xff\xff\xff",
    "ogg": b"OggS\0\x02", "mkv": b"\x1a\x45\xdf\xa3\x01\xff\xff\xff", "mp4": b"\0\0\0\x18ftypisom", "ts": b"\x47\x40\0\x10",
    "flv": b"FLV\x01\x05\0\0\0\x09", "aiff": b"FORM\xff\xff\xff\xffAIFFCOMM", "aac": b"\xff\xf1\x50\x80",
    "wma": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "avi": b"RIFF\xff\xff\xff\xffAVI LIST", "wmv": b".snd\0\0\0\x20",
    "oga": b"OggS\0\x02\0\0", "mpg": b"\0\0\x01\xba\x44", "opus": b"OpusHead\x01", "mka": b"wvpk\xff\xff\0\0\x10\x04",
    "m4b": b"caff\0\x01\0\0desc", "mp2": b"MAC \x96\x0f", "webm": b"RF64\xff\xff\xff\xffWAVEds64",
}  # fmt: skip


def good_file(place: Place, suffix: str) -> bytes:
    """The good recording in this format."""
    path = place.folder / f"good.{suffix}"
    with av.open(str(path), "w") as container:
        rate = 48_000 if CODECS[suffix] == "libopus" else SAMPLE_RATE
        stream = container.add_stream(CODECS[suffix], rate=rate, layout="mono")
        assert isinstance(stream, AudioStream)
        frame = av.AudioFrame.from_ndarray((place.speech * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=rate)
        for resampled in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(resampled))
        container.mux(stream.encode(None))
    content = path.read_bytes()
    path.unlink()
    return content


def damage_cases(seed: int) -> Iterator[Case]:
    for suffix in CODECS:
        for share in (0.02, 0.5, 0.9):
            states = ("failed", "ready") if suffix in UNDECLARED or share < 0.1 else ("failed",)
            yield Case("cut", f"{suffix} cut at {share:.0%}", partial(_cut, suffix, share), states)
    for suffix in CODECS:
        for number in range(2):
            name = f"{suffix} with flipped bits {number + 1}"
            yield Case("flipped bits", name, partial(_flipped, suffix, seed * 100 + number), ("failed", "ready", "no_audio"))
    for suffix in MARKS:
        yield Case(
            "noise behind a mark",
            f"noise as {suffix}",
            partial(_noise, suffix, seed),
            ("failed", "no_audio", "ready"),
            words="",
        )
    yield Case("flipped bits", "wav with a flipped bit", partial(_one_flip, "wav"), ("ready",), words=SPEECH, whole=True)


def _save(place: Place, name: str, content: bytes) -> Made:
    path = place.folder / name
    path.write_bytes(content)
    return Made(str(path))


def _cut(suffix: str, share: float, place: Place) -> Made:
    content = good_file(place, suffix)
    return _save(place, f"cut {share}.{suffix}", content[: round(len(content) * share)])


def _flipped(suffix: str, seed: int, place: Place) -> Made:
    """A bit of every two thousandth byte on average; the beginning is hit, too."""
    content, random = bytearray(good_file(place, suffix)), Random(f"{suffix} {seed}")
    for at in [random.randrange(512), *(random.randrange(len(content)) for _ in range(len(content) // 2000 + 1))]:
        content[min(at, len(content) - 1)] ^= 1 << random.randrange(8)
    return _save(place, f"flipped {seed}.{suffix}", bytes(content))


def _one_flip(suffix: str, place: Place) -> Made:
    content = bytearray(good_file(place, suffix))
    content[len(content) // 2] ^= 1
    return _save(place, f"one flip.{suffix}", bytes(content))


def _noise(suffix: str, seed: int, place: Place) -> Made:
    return _save(place, f"noise.{suffix}", MARKS[suffix] + Random(f"{suffix} {seed}").randbytes(200_000))
