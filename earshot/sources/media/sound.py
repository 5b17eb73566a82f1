"""Sound: reads the audio of any audio or video file as 16 kHz mono samples, or refuses the file with a clear error.

The file is not trusted: earshot/sources/media/decoder.py runs this module in a process with limits. Samples are passed on as
they are decoded, so that a long recording takes no memory here. Packets that cannot be decoded are left out; a file that lacks
too many of them, or its end, is refused, because half a file would silently give half a transcript. The decoded length is
compared with the duration that the file declares. For WAV, FFmpeg derives the duration from the file's size, so it is scaled to
the size in the header. For AVI, FFmpeg derives it from an index, so the header of the track counts; but only in a file that is
shorter than its RIFF chunks declare, since some writers put a wrong length there. Truncated Ogg files declare nothing and pass.
So do MP3 files without a Xing or Info header: their duration follows from their size, and an incomplete last frame proves no
loss, since recordings of streams end so too.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import BinaryIO

import av
import av.error
from av.audio.fifo import AudioFifo
from av.audio.resampler import AudioResampler
from av.container import InputContainer

from earshot.common.audio import SAMPLE_RATE
from earshot.common.errors import InvalidMedia, NoAudio, OverLimit
from earshot.common.times import format_hms
from earshot.sources.media.container import open_media
from earshot.sources.media.limits import MOST_HOURS, MOST_SAMPLES, SAMPLE_BYTES, SPLIT, shown

# Encoders pad and containers round: a missing end up to the larger of these is accepted.
TOLERANCE_SHARE = 0.02
TOLERANCE_S = 0.5
# A recorded stream lacks a packet now and then; the speech of a file that lacks more is not all there.
MOST_LOST_SHARE = 0.1
# Formats with the duration in their header. For others, FFmpeg's guess from the first frame's bit rate is unreliable.
DECLARING_FORMATS = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "flac", "aiff", "asf"})
# What a RIFF chunk declares as its size in a file that was streamed, or not closed.
UNKNOWN_SIZES = (0, 0xFFFFFFFF)
# Frames are resampled in blocks, which is faster: of so many samples a channel, and so many of all channels.
BLOCK_SAMPLES = 500_000
BLOCK_VALUES = 4_000_000


@dataclass
class _Packets:
    """How many packets of the audio track were decoded, and how many could not be."""

    decoded: int = 0
    lost: int = 0


def read_sound(path: Path, write: Callable[[memoryview], object]) -> int:
    """Pass the file's audio on as int16 samples, mono, 16 kHz, in pieces; returns how many there are.

    Raises InvalidMedia, NoAudio or OverLimit, naming the file; what was passed on until then is worthless.
    """
    if path.stat().st_size == 0:
        raise InvalidMedia(f"{shown(path)} is empty (0 bytes).", "Get the file again.")
    declared_s = _declared_duration(path)
    if declared_s > MOST_HOURS * 3600:
        raise OverLimit(f"{shown(path)} declares {format_hms(declared_s)} of audio; {MOST_HOURS} hours are the most.", SPLIT)
    samples, packets = _decoded(path, write)
    if packets.lost > MOST_LOST_SHARE * (packets.lost + packets.decoded):
        raise InvalidMedia(
            f"{shown(path)} cannot be decoded: {packets.lost} of its {packets.lost + packets.decoded} packets are damaged.",
            "Get the file again.",
        )
    if samples == 0:
        raise InvalidMedia(f"{shown(path)} has an empty audio track.", "Get the file again.")
    _refuse_truncated(path, samples / SAMPLE_RATE, declared_s)
    return samples


def length_s(path: Path) -> float | None:
    """The length of any media file in seconds as it declares it; None if it is unknown."""
    try:
        with open_media(path) as container:
            return None if container.duration is None else container.duration / av.time_base
    except (av.error.FFmpegError, OSError):
        return None


# --- what a file declares ------------------------------------------------------------------------------------------------


def _declared_duration(path: Path) -> float:
    """Seconds of audio that the file declares; 0 if it declares none."""
    try:
        with open_media(path) as container:
            if not container.streams.audio:
                raise NoAudio(
                    f"{shown(path)} has no audio track, only {_tracks(container)}.", "There is nothing to transcribe."
                )
            stream = container.streams.audio[0]
            if container.format.name == "wav":
                return _wav_duration(path, (stream.duration or 0) * float(stream.time_base or 0))
            if container.format.name == "avi":
                return stream.frames * float(stream.time_base or 0) if _lacks_its_end(path) else 0.0
            if container.format.name == "mp3":
                if not _mp3_declares_duration(path):
                    return 0.0
            elif container.format.name not in DECLARING_FORMATS:
                return 0.0
            if stream.duration and stream.time_base:
                return float(stream.duration * stream.time_base)
            return (container.duration or 0) / 1_000_000
    except MemoryError:
        raise
    except av.error.FFmpegError as error:
        raise InvalidMedia(
            f"{shown(path)} cannot be read as audio or video ({error.strerror}): it is damaged, truncated, or not media.",
            "Check whether it plays, and get it again.",
        ) from error


def _tracks(container: InputContainer) -> str:
    return ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"


def _wav_duration(path: Path, readable_s: float) -> float:
    """FFmpeg's duration, scaled to the size in the RIFF header."""
    size = path.stat().st_size
    with path.open("rb") as file:
        declared = _riff_chunk_size(file)
    return readable_s * declared / size if declared is not None and declared > size else readable_s


def _lacks_its_end(path: Path) -> bool:
    """Whether the last RIFF chunk declares more bytes than the file has. AVI files of over a gigabyte have several chunks."""
    size, end = path.stat().st_size, 0
    with path.open("rb") as file:
        while end < size:
            declared = _riff_chunk_size(file)
            if declared is None:
                return False
            end += declared
            file.seek(end)
    return end > size


def _riff_chunk_size(file: BinaryIO) -> int | None:
    """The bytes of the RIFF chunk that begins here, its head included; None if there is none, or it declares no size."""
    head = file.read(8)
    declared = int.from_bytes(head[4:], "little")
    return None if head[:4] != b"RIFF" or declared in UNKNOWN_SIZES else len(head) + declared


def _mp3_declares_duration(path: Path) -> bool:
    """Whether a Xing or Info header, with the number of frames, follows the ID3 tag."""
    with path.open("rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3":  # its size: four bytes of seven bits
            file.seek(10 + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True)))
        first_frame = file.read(4096)
    return b"Xing" in first_frame or b"Info" in first_frame


# --- samples -------------------------------------------------------------------------------------------------------------


def _decoded(path: Path, write: Callable[[memoryview], object]) -> tuple[int, _Packets]:
    """Pass on the samples of the first audio track; returns their number, and that of the packets."""
    samples, packets = 0, _Packets()
    try:
        with open_media(path) as container:
            for frame in _resampled(_frames(container, packets)):
                samples += frame.samples
                if samples > MOST_SAMPLES:
                    raise OverLimit(f"{shown(path)} has more than {MOST_HOURS} hours of audio, which are the most.", SPLIT)
                write(memoryview(frame.planes[0])[: frame.samples * SAMPLE_BYTES])
    except MemoryError:
        raise
    except (av.error.FFmpegError, ValueError) as error:  # ValueError: a format that PyAV does not know
        raise InvalidMedia(f"{shown(path)} cannot be decoded: {error}.", "Get the file again.") from error
    return samples, packets


def _frames(container: InputContainer, packets: _Packets) -> Iterator[av.AudioFrame]:
    """The frames of the first audio track, without those that cannot be decoded."""
    stream = container.streams.audio[0]
    stream.codec_context.thread_count = 1  # each thread would reserve a stack, and hardly any audio is decoded faster by more
    for packet in container.demux(stream):
        if packet.size:  # an empty one within a file would end the decoding
            try:
                yield from packet.decode()  # pyright: ignore[reportReturnType]
                packets.decoded += 1
            except av.error.InvalidDataError:
                packets.lost += 1
    yield from stream.codec_context.decode(None)


def _resampled(frames: Iterable[av.AudioFrame]) -> Iterator[av.AudioFrame]:
    """Frames as 16 kHz mono. Some files change their rate or channels, such as podcasts with inserted advertisements."""
    for _, alike in groupby(frames, key=_form):
        resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        for block in chain(_blocks(alike), [None]):  # None: the resampler's last samples
            yield from resampler.resample(block)


def _form(frame: av.AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _blocks(frames: Iterable[av.AudioFrame]) -> Iterator[av.AudioFrame]:
    fifo = AudioFifo()
    for frame in frames:
        frame.pts = None  # gaps between the times of frames are not filled
        fifo.write(frame)
        most = min(BLOCK_SAMPLES, BLOCK_VALUES // max(frame.layout.nb_channels, 1))
        if fifo.samples >= most and (block := fifo.read()):
            yield block
    if fifo.samples and (block := fifo.read()):
        yield block


def _refuse_truncated(path: Path, decoded_s: float, declared_s: float) -> None:
    missing = declared_s - decoded_s
    if missing <= max(TOLERANCE_S, TOLERANCE_SHARE * declared_s) or _plays_to_the_end(path, declared_s):
        return
    raise InvalidMedia(
        f"{shown(path)} ends after {decoded_s:.1f} s of audio, but declares {declared_s:.1f} s: it was cut off.",
        "Get the whole file.",
    )


def _plays_to_the_end(path: Path, declared_s: float) -> bool:
    """Whether another track reaches the declared end: then the audio is merely shorter than the picture."""
    with open_media(path) as container:
        if not container.streams.video:
            return False
        end = 0.0
        for packet in container.demux():
            if packet.pts is not None and packet.time_base is not None:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        start = (container.start_time or 0) / 1_000_000
    return end - start >= declared_s * (1 - TOLERANCE_SHARE) - TOLERANCE_S
