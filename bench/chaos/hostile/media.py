"""Media that lie: about their length, size or format, with more tracks, hours or bytes than are there, or none of them."""

import struct
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import av
import numpy as np
import soundfile

from bench.chaos.hostile import matroska as mkv
from bench.chaos.hostile.case import NOT_MEDIA, SPEECH, Case, Made, Place
from bench.chaos.hostile.damage import good_file
from earshot.common.audio import SAMPLE_RATE

HOURS = 3600 * SAMPLE_RATE
Write = Callable[[Place, Path], None]

TOO_LONG = "12 hours"
IMAGE = b"\0image/png\0\x03\0"


WHOLE = ("rate and channels change.mp3", "nan here and there.wav", "no length.flac", "mkv as.mp3")


def media_cases(seed: int) -> Iterator[Case]:
    """All of them; the seed changes none."""
    del seed
    for kind, name, write, states, message, words in [*_lies(), *_others(), *_bombs(), *_tracks(), *_numbers(), *_tags()]:
        most_s = 900.0 if kind == "bomb" else 150.0  # twelve hours of silence are decoded before it is refused
        yield Case(kind, name, partial(_made, name, write), states, message, words, whole=name in WHOLE, most_s=most_s)


def _made(name: str, write: Write, place: Place) -> Made:
    path = place.folder / name
    write(place, path)
    return Made(str(path))


Row = tuple[str, str, Write, tuple[str, ...], str, str | None]
FAILED, READY, NONE, ANY = ("failed",), ("ready",), ("no_audio",), ("failed", "ready", "no_audio")


# --- headers that lie ----------------------------------------------------------------------------------------------------


def _lies() -> Iterator[Row]:
    kind = "lying header"
    for name, at, value in (
        ("sample rate 1.wav", 24, struct.pack("<I", 1)),
        ("sample rate 0.wav", 24, struct.pack("<I", 0)),
        ("sample rate of 4 GHz.wav", 24, struct.pack("<I", 0xFFFFFFFF)),
        ("65535 channels.wav", 22, struct.pack("<H", 65535)),
        ("0 channels.wav", 22, struct.pack("<H", 0)),
        ("7 bits.wav", 34, struct.pack("<H", 7)),
        ("block of 0 bytes.wav", 32, struct.pack("<H", 0)),
        ("format 0xffff.wav", 20, struct.pack("<H", 0xFFFF)),
    ):
        yield kind, name, partial(_patched, "wav", at, value), ANY, "", None
    yield (
        kind,
        "10 hours that are not.wav",
        partial(_patched, "wav", 4, struct.pack("<I", 36_000 * 32_000)),
        FAILED,
        "cut off",
        None,
    )
    yield kind, "riff of 4 GB.wav", partial(_patched, "wav", 4, b"\xff\xff\xff\xff"), READY, "", SPEECH
    yield kind, "10 hours that are not.flac", partial(_declaring_flac, 10 * HOURS), FAILED, "cut off", None
    yield kind, "24 hours that are not.flac", partial(_declaring_flac, 24 * HOURS), FAILED, TOO_LONG, None
    yield kind, "no length.flac", partial(_declaring_flac, 0), READY, "", SPEECH
    yield kind, "10 hours that are not.mkv", partial(_matroska_of_length, 36_000_000.0), FAILED, "cut off", None
    yield kind, "endless.mkv", partial(_matroska_of_length, float("inf")), ANY, "", SPEECH
    yield kind, "nan hours.mkv", partial(_matroska_of_length, float("nan")), ANY, "", SPEECH
    yield kind, "minus an hour.mkv", partial(_matroska_of_length, -3_600_000.0), ANY, "", SPEECH
    yield kind, "10 hours that are not.m4a", _long_m4a, READY, "", SPEECH
    yield kind, "a billion frames.mp3", _long_mp3, FAILED, "cut off|12 hours", None
    yield (
        kind,
        "huge cluster.mkv",
        partial(_matroska, lambda pcm: [mkv.element(0x1F43B675, pcm[:100], (1 << 55) - 2)]),
        ANY,
        "",
        None,
    )
    yield (
        kind,
        "huge packet.mkv",
        partial(_matroska, lambda _pcm: [mkv.element(0xA3, b"\x81\0\0\x80", (1 << 40))]),
        ANY,
        "",
        None,
    )


def _patched(suffix: str, at: int, value: bytes, place: Place, path: Path) -> None:
    content = bytearray(good_file(place, suffix))
    content[at : at + len(value)] = value
    path.write_bytes(bytes(content))


def _declaring_flac(samples: int, place: Place, path: Path) -> None:
    content = bytearray(good_file(place, "flac"))
    content[21] = content[21] & 0xF0 | samples >> 32
    content[22:26] = (samples & 0xFFFFFFFF).to_bytes(4, "big")
    path.write_bytes(bytes(content))


def _long_m4a(place: Place, path: Path) -> None:
    """The lengths of the film, of the track and of its media, each as a 32-bit number of time units."""
    content = bytearray(good_file(place, "m4a"))
    for box, scale_at, length_at in ((b"mvhd", 16, 20), (b"mdhd", 16, 20)):
        start = content.index(box)
        scale = int.from_bytes(content[start + scale_at : start + scale_at + 4], "big")
        content[start + length_at : start + length_at + 4] = min(scale * 36_000, 0xFFFFFFFF).to_bytes(4, "big")
    path.write_bytes(bytes(content))


def _long_mp3(place: Place, path: Path) -> None:
    """The number of frames in the Xing or Info header."""
    content = bytearray(good_file(place, "mp3"))
    start = max(content.find(b"Xing"), content.find(b"Info"))
    content[start + 8 : start + 12] = (10**9).to_bytes(4, "big")
    path.write_bytes(bytes(content))


def _matroska(clusters: Callable[[bytes], list[bytes]], place: Place, path: Path) -> None:
    pcm = (place.speech * 32767).astype("<i2").tobytes()
    path.write_bytes(mkv.head() + mkv.segment(mkv.info(8000.0), mkv.tracks([mkv.audio_track()]), *clusters(pcm)))


def _matroska_of_length(milliseconds: float, place: Place, path: Path) -> None:
    pcm = (place.speech * 32767).astype("<i2").tobytes()
    content = mkv.segment(mkv.info(milliseconds), mkv.tracks([mkv.audio_track()]), *mkv.recording(pcm))
    path.write_bytes(mkv.head() + content)


# --- files of another kind -----------------------------------------------------------------------------------------------


def _others() -> Iterator[Row]:
    kind = "other content"
    contents = {
        "page.mp3": b"<!doctype html><title>Sign in</title>" * 500,
        "program.ogg": Path("/proc/self/exe").read_bytes()[:2_000_000],
        "document.m4a": b"%PDF-1.7\n" + b"1 0 obj << /Type /Catalog >> endobj\n" * 500,
        "zeros.mp3": bytes(1_000_000),
        "spaces.wav": b" " * 1_000_000,
        "one byte.flac": b"f",
        "playlist of this machine.mp3": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "playlist of itself.mp3": b"ffconcat version 1.0\nfile 'playlist of itself.mp3'\n",
        "stream of another host.mp3": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://169.254.169.254/\n#EXT-X-ENDLIST\n",
        "session.mp3": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
        "manifest.mp4": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>file:///etc/passwd</BaseURL></Period></MPD>',
        "cue.wav": b'FILE "/etc/passwd" BINARY\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
        "subtitles.mkv": b"1\n00:00:00,000 --> 00:00:02,000\nHello\n" * 100,
    }
    for name, content in contents.items():
        yield kind, name, partial(_written, content), ("failed", "no_audio"), "", None
    yield kind, "archive.mp4", _archive, FAILED, NOT_MEDIA, None
    yield kind, "mp3 as.wav", partial(_good, "mp3"), READY, "", SPEECH
    yield kind, "mkv as.mp3", partial(_good, "mkv"), READY, "", SPEECH
    yield kind, "picture.mp4", _picture, NONE, "no audio track", None
    yield kind, "picture.mkv", _picture, NONE, "no audio track", None


def _good(suffix: str, place: Place, path: Path) -> None:
    path.write_bytes(good_file(place, suffix))


def _written(content: bytes, _place: Place, path: Path) -> None:
    path.write_bytes(content)


def _picture(_place: Place, path: Path) -> None:
    """A second of video, and no sound."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10, width=64, height=64, pix_fmt="yuv420p")
        for _ in range(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), dtype=np.uint8), format="rgb24")))
        container.mux(stream.encode(None))


def _archive(_place: Place, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("episode.mp3", bytes(50 << 20))


# --- small files of much content -----------------------------------------------------------------------------------------


def _bombs() -> Iterator[Row]:
    kind = "bomb"
    yield kind, "24 hours of silence.wav", _silent_wav, FAILED, TOO_LONG, None
    yield kind, "24 hours of silence.mp3", _silent_mp3, FAILED, TOO_LONG, None
    yield kind, "24 hours of silence.flac", partial(_silent_flac, 24, True), FAILED, TOO_LONG, None
    yield kind, "24 hours of silence, not declared.flac", partial(_silent_flac, 24, False), FAILED, TOO_LONG, None
    yield kind, "2 GB of nothing.mp3", _sparse, FAILED, NOT_MEDIA, None
    yield kind, "packet of 300 MB.mkv", partial(_unpacking, (300,)), ANY, "", None
    yield kind, "a thousand packets of 9 MB.mkv", partial(_unpacking, (9,) * 1000), ANY, "", None
    yield kind, "192 kHz, 8 channels.wav", partial(_wide, 192_000, 8), READY, "", SPEECH
    yield kind, "48 kHz, 200 channels.wav", partial(_wide, 48_000, 200), ANY, "", None
    yield kind, "deeply nested.mkv", partial(_nested_matroska, 100_000), FAILED, "", None
    yield kind, "deeply nested.m4a", partial(_nested_boxes, 20_000), FAILED, "", None


def _silent_wav(_place: Place, path: Path) -> None:
    """8 kHz with 8 bits; a file with holes, whose bytes are 0."""
    size = 24 * 3600 * 8000
    form = struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8)
    with path.open("wb") as file:
        file.write(b"RIFF" + struct.pack("<I", size + 36) + b"WAVEfmt " + form + b"data" + struct.pack("<I", size))
        file.truncate(size + 44)


def _silent_mp3(_place: Place, path: Path) -> None:
    """The same frame of 36 ms at 8 kbit/s (MPEG-2, 16 kHz, mono: 36 bytes), without a header that counts them."""
    frame = b"\xff\xf3\x18\xc4" + bytes(32)
    with path.open("wb") as file:
        for _ in range(24):
            file.write(frame * 100_000)


def _silent_flac(hours: int, declared: bool, place: Place, path: Path) -> None:
    with soundfile.SoundFile(path, "w", 8000, 1, "PCM_16") as file:
        for _ in range(hours):
            file.write(np.zeros(3600 * 8000, dtype=np.int16))
    if not declared:
        content = bytearray(path.read_bytes())
        content[21] &= 0xF0
        content[22:26] = bytes(4)
        path.write_bytes(bytes(content))
    del place


def _sparse(_place: Place, path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2 << 30)


def _unpacking(megabytes: tuple[int, ...], _place: Place, path: Path) -> None:
    packets = {size: mkv.bomb(size) for size in set(megabytes)}
    clusters = [mkv.cluster(index * 1000, packets[size]) for index, size in enumerate(megabytes)]
    path.write_bytes(mkv.head() + mkv.segment(mkv.info(8000.0), mkv.tracks([mkv.audio_track(compressed=True)]), *clusters))


def _wide(rate: int, channels: int, place: Place, path: Path) -> None:
    sound = np.interp(np.arange(4 * rate) / rate, np.arange(len(place.speech)) / SAMPLE_RATE, place.speech)
    soundfile.write(path, np.repeat(sound[:, None], channels, axis=1).astype(np.float32), rate, "FLOAT")


def _nested_matroska(levels: int, _place: Place, path: Path) -> None:
    """Tags within tags: as many heads as levels, each with an unknown size."""
    path.write_bytes(
        mkv.head() + b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" + b"\x67\xc8\x01\xff\xff\xff\xff\xff\xff\xff" * levels
    )


def _nested_boxes(levels: int, _place: Place, path: Path) -> None:
    boxes = b"".join(struct.pack(">I", 8 * (levels - level)) + b"udta" for level in range(levels))
    path.write_bytes(b"\0\0\0\x18ftypisom\0\0\0\0isomM4A " + struct.pack(">I", len(boxes) + 8) + b"moov" + boxes)


# --- tracks and packets --------------------------------------------------------------------------------------------------


def _tracks() -> Iterator[Row]:
    kind = "tracks and packets"
    yield kind, "10,000 tracks of sound.mkv", _many_tracks, ANY, "", None
    yield kind, "10,000 tracks of subtitles.mkv", _many_subtitles, ("no_audio", "failed"), "", None
    yield kind, "empty packets between the speech.mkv", partial(_matroska, _with_empty_packets), READY, "", SPEECH
    yield (
        kind,
        "nothing but empty packets.mkv",
        partial(_matroska, lambda _pcm: [mkv.cluster(0, *[b""] * 1000)]),
        FAILED,
        "",
        None,
    )
    yield kind, "times that go back.mkv", partial(_matroska, lambda pcm: mkv.recording(pcm)[::-1]), ANY, "", None
    yield kind, "half of the packets are noise.mp3", _half_noise, FAILED, "", None
    yield kind, "rate and channels change.mp3", _changing, READY, "", SPEECH
    yield kind, "two files in one.wav", _two_in_one, ANY, "", SPEECH


def _many_tracks(_place: Place, path: Path) -> None:
    tracks = mkv.tracks(mkv.audio_track(number) for number in range(1, 10_001))
    path.write_bytes(mkv.head() + mkv.segment(mkv.info(8000.0), tracks, *mkv.recording(bytes(32_000))))


def _many_subtitles(_place: Place, path: Path) -> None:
    tracks = mkv.tracks(mkv.subtitle_track(number) for number in range(1, 10_001))
    path.write_bytes(mkv.head() + mkv.segment(mkv.info(8000.0), tracks, mkv.cluster(0, b"Hello")))


def _with_empty_packets(pcm: bytes) -> list[bytes]:
    return [part for piece in mkv.recording(pcm) for part in (piece, mkv.cluster(0, b"", b""))]


def _half_noise(place: Place, path: Path) -> None:
    """Every other kilobyte, without the header that declares a length."""
    content = bytearray(good_file(place, "mp3").replace(b"Info", b"\0\0\0\0").replace(b"Xing", b"\0\0\0\0"))
    for start in range(2000, len(content), 2000):
        content[start : start + 1000] = np.random.default_rng(start).bytes(min(1000, len(content) - start))
    path.write_bytes(bytes(content))


def _changing(place: Place, path: Path) -> None:
    stereo = place.folder / "advertisement.mp3"
    soundfile.write(stereo, np.zeros((44_100 * 2, 2)), 44_100)
    advertisement = stereo.read_bytes().replace(b"Info", b"\0\0\0\0").replace(b"Xing", b"\0\0\0\0")
    stereo.unlink()
    path.write_bytes(advertisement + good_file(place, "mp3"))


def _two_in_one(place: Place, path: Path) -> None:
    other = place.folder / "other.wav"
    soundfile.write(other, np.zeros((8000, 2)), 44_100)
    path.write_bytes(good_file(place, "wav") + other.read_bytes())
    other.unlink()


# --- numbers that are none -----------------------------------------------------------------------------------------------


def _numbers() -> Iterator[Row]:
    for name, value, words in (
        ("nan", np.nan, None),
        ("infinite", np.inf, None),
        ("denormal", 1e-42, ""),
        ("huge", 3e38, None),
    ):
        yield "numbers", f"{name}.wav", partial(_floats, value), READY, "", words
    yield "numbers", "nan here and there.wav", _some_nan, READY, "", None


def _floats(value: float, _place: Place, path: Path) -> None:
    soundfile.write(path, np.full(8 * SAMPLE_RATE, value, dtype=np.float32), SAMPLE_RATE, "FLOAT")


def _some_nan(place: Place, path: Path) -> None:
    sound = place.speech.astype(np.float32).copy()
    sound[::4000] = np.nan
    soundfile.write(path, sound, SAMPLE_RATE, "FLOAT")


# --- tags ----------------------------------------------------------------------------------------------------------------


def _tags() -> Iterator[Row]:
    kind = "tags"
    yield kind, "picture of 60 MB.mp3", partial(_tagged, b"APIC", 60 << 20, 0, IMAGE), READY, "", SPEECH
    yield kind, "picture of 250 MB that is not there.mp3", partial(_tagged, b"APIC", 1000, 250 << 20, IMAGE), ANY, "", None
    yield kind, "100,000 chapters.mp3", _chapters, READY, "", SPEECH
    yield kind, "title of 20 MB.mp3", partial(_tagged, b"TIT2", 20 << 20, 0, b"\x03"), READY, "", SPEECH
    yield kind, "title that is not Unicode.mp3", partial(_tagged, b"TIT2", 100, 0, b"\x03\xff\xfe\xfc"), READY, "", SPEECH


def _seven(size: int) -> bytes:
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))


def _tagged(frame: bytes, size: int, declared: int, head: bytes, place: Place, path: Path) -> None:
    content = head + bytes(size)
    tag = frame + _seven(declared or len(content)) + b"\0\0" + content
    path.write_bytes(b"ID3\x04\0\0" + _seven(declared or len(tag)) + tag + good_file(place, "mp3"))


def _chapters(place: Place, path: Path) -> None:
    times = struct.pack(">IIII", 0, 1000, 0xFFFFFFFF, 0xFFFFFFFF)
    frames = b"".join(
        b"CHAP" + _seven(len(name) + 16) + b"\0\0" + name + times for name in (b"c%d\0" % n for n in range(100_000))
    )
    path.write_bytes(b"ID3\x04\0\0" + _seven(len(frames)) + frames + good_file(place, "mp3"))
