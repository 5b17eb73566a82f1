"""Decoding: turns any audio or video file into 16 kHz mono samples, or refuses it with a clear error.

PyAV (with FFmpeg in its wheel) inspects the file; faster-whisper's `decode_audio` decodes and resamples it. This module adds
the detection of truncated files: faster-whisper skips what it cannot decode, so half a file would silently give half a
transcript. The decoded length is compared with the duration that the file declares; for WAV, whose duration FFmpeg derives from
the file's size, with the size in its header. Truncated Ogg files declare nothing and pass. So do MP3 files without a Xing or
Info header: their duration follows from their size, and an incomplete last frame proves no loss, since recordings of streams
end so too.
"""

import gc
import sys
from pathlib import Path

import av.error
import numpy as np
from av.container import InputContainer

from earshot.common.audio import SAMPLE_RATE
from earshot.common.errors import InvalidMedia, NoAudio
from earshot.sources.media.container import open_media

# Encoders pad and containers round: a missing end up to the larger of these is accepted.
TOLERANCE_SHARE = 0.02
TOLERANCE_S = 0.5
# Formats with the duration in their header. For others, FFmpeg's guess from the first frame's bit rate is unreliable.
DECLARING_FORMATS = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "flac", "aiff", "avi", "asf"})


def import_decoder() -> None:
    """Import what the first `decode()` of a process would, which takes longer than decoding some minutes."""
    import faster_whisper  # noqa: F401


def decoder_is_imported() -> bool:
    return "faster_whisper" in sys.modules


def decode(path: Path) -> np.ndarray:
    """The file's audio as int16 samples, mono, 16 kHz. Raises InvalidMedia or NoAudio, naming the file."""
    if path.stat().st_size == 0:
        raise InvalidMedia(f"{path.name} is empty (0 bytes).", "Get the file again.")
    declared_s = _declared_duration(path)
    samples = _samples(path)
    if len(samples) == 0:
        raise InvalidMedia(f"{path.name} has an empty audio track.", "Get the file again.")
    _refuse_truncated(path, len(samples) / SAMPLE_RATE, declared_s)
    return samples


def _declared_duration(path: Path) -> float:
    """Seconds of audio that the file declares; 0 if it declares none."""
    try:
        with open_media(path) as container:
            if not container.streams.audio:
                raise NoAudio(f"{path.name} has no audio track, only {_tracks(container)}.", "There is nothing to transcribe.")
            stream = container.streams.audio[0]
            if container.format.name == "wav":
                return _wav_duration(path, (stream.duration or 0) * float(stream.time_base or 0))
            if container.format.name == "mp3":
                if not _mp3_declares_duration(path):
                    return 0.0
            elif container.format.name not in DECLARING_FORMATS:
                return 0.0
            if stream.duration and stream.time_base:
                return float(stream.duration * stream.time_base)
            return (container.duration or 0) / 1_000_000
    except av.error.FFmpegError as error:
        raise InvalidMedia(
            f"{path.name} cannot be read as audio or video ({error.strerror}): it is damaged, truncated, or not media.",
            "Check whether it plays, and get it again.",
        ) from error


def _tracks(container: InputContainer) -> str:
    return ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"


def _wav_duration(path: Path, readable_s: float) -> float:
    """FFmpeg's duration, scaled to the size in the RIFF header. Streamed files declare 0 or the largest number."""
    with path.open("rb") as file:
        head = file.read(8)
    declared, size = int.from_bytes(head[4:8], "little") + 8, path.stat().st_size
    if head[:4] != b"RIFF" or declared in (8, 0xFFFFFFFF + 8) or declared <= size:
        return readable_s
    return readable_s * declared / size


def _mp3_declares_duration(path: Path) -> bool:
    """Whether a Xing or Info header, with the number of frames, follows the ID3 tag."""
    with path.open("rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3":  # its size: four bytes of seven bits
            file.seek(10 + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True)))
        first_frame = file.read(4096)
    return b"Xing" in first_frame or b"Info" in first_frame


def _samples(path: Path) -> np.ndarray:
    from faster_whisper import decode_audio

    # decode_audio runs the garbage collector, because of the resampler. With a million objects of Dagster and torch that takes
    # longer than decoding five minutes, so the existing objects are excluded.
    gc.freeze()
    try:
        decoded = decode_audio(str(path), sampling_rate=SAMPLE_RATE)
    except (av.error.FFmpegError, IndexError) as error:
        raise InvalidMedia(f"{path.name} cannot be decoded: {error}.", "Get the file again.") from error
    finally:
        gc.unfreeze()
    # decode_audio divides 16-bit samples by 32768; this restores them exactly.
    return (np.asarray(decoded) * 32768.0).astype(np.int16)


def _refuse_truncated(path: Path, decoded_s: float, declared_s: float) -> None:
    missing = declared_s - decoded_s
    if missing <= max(TOLERANCE_S, TOLERANCE_SHARE * declared_s) or _plays_to_the_end(path, declared_s):
        return
    raise InvalidMedia(
        f"{path.name} ends after {decoded_s:.1f} s of audio, but declares {declared_s:.1f} s: it was cut off.",
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
