"""Real files of several formats decode to samples; empty, truncated and non-media files are refused."""

import os
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from av.audio.stream import AudioStream
from av.packet import Packet

from bench.corpora.episodes import write_mp3
from earshot.common.audio import SAMPLE_RATE
from earshot.common.errors import InvalidMedia, NoAudio, OverLimit
from earshot.sources.media import sound
from earshot.sources.media.sound import read_sound

FRAMES_PER_S = 10
FASTSTART = {"movflags": "faststart"}  # index in front, so that a truncated file still opens
Writer = Callable[[Path, np.ndarray], None]


def decode(path: Path) -> np.ndarray:
    """The file's samples, read in this process."""
    pieces: list[bytes] = []
    samples = read_sound(path, lambda piece: pieces.append(bytes(piece)))
    decoded = np.frombuffer(b"".join(pieces), dtype=np.int16)
    assert len(decoded) == samples
    return decoded


def tone(seconds: float) -> np.ndarray:
    """A tone in noise, which no codec can compress to almost nothing."""
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    noise = np.random.default_rng(0).normal(0.0, 0.05, len(times))
    return (0.3 * np.sin(2 * np.pi * 440 * times) + noise).astype(np.float32)


def mux(
    path: Path,
    sound: np.ndarray | None,
    picture_s: float = 0.0,
    options: dict[str, str] | None = None,
    codec: str = "aac",
) -> None:
    """A file with sound, MPEG-4 video, or both; its packets in order of time."""
    with av.open(str(path), "w", options=options or {}) as container:
        audio = container.add_stream(codec, rate=SAMPLE_RATE, layout="mono") if sound is not None else None
        video = container.add_stream("mpeg4", rate=FRAMES_PER_S, width=64, height=48, pix_fmt="yuv420p") if picture_s else None
        packets: list[Packet] = []
        assert audio is None or isinstance(audio, AudioStream)
        if audio is not None and sound is not None:
            frame = av.AudioFrame.from_ndarray((sound * 32767).astype(np.int16)[None], format="s16", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            packets += [*audio.encode(frame), *audio.encode(None)]
        if video is not None:
            for number in range(round(picture_s * FRAMES_PER_S)):
                picture = np.random.default_rng(number).integers(0, 255, (48, 64, 3), dtype=np.uint8)
                packets += video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24"))
            packets += video.encode(None)
        for packet in sorted(packets, key=lambda packet: float((packet.dts or 0) * (packet.time_base or 0))):
            container.mux(packet)


def write_pcm(path: Path, samples: np.ndarray) -> None:
    soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")


def write_streamable(path: Path, samples: np.ndarray) -> None:
    mux(path, samples, options=FASTSTART)


FORMATS: dict[str, Writer] = {"wav": write_pcm, "flac": write_pcm, "mp3": write_mp3, "m4a": mux}


def written(folder: Path, suffix: str, seconds: float) -> Path:
    path = folder / f"talk.{suffix}"
    FORMATS[suffix](path, tone(seconds))
    return path


def keep(path: Path, share: float) -> None:
    """Cut the file, keeping this share of its bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: round(len(content) * share)])


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_lossless_file_decodes_exactly(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, suffix, 1.5)
    expected, _ = soundfile.read(path, dtype="int16")
    decoded = decode(path)
    assert decoded.dtype == np.int16
    assert np.array_equal(decoded, expected)


@pytest.mark.parametrize("seconds", [0.2, 3.0])
@pytest.mark.parametrize("suffix", FORMATS)
def test_file_keeps_its_length_but_for_padding(tmp_path: Path, suffix: str, seconds: float) -> None:
    decoded = decode(written(tmp_path, suffix, seconds))
    assert len(decoded) == pytest.approx(seconds * SAMPLE_RATE, abs=0.15 * SAMPLE_RATE)
    assert np.abs(decoded).max() > 5000


def test_stereo_at_another_rate_becomes_mono_at_16_khz(tmp_path: Path) -> None:
    both = np.stack([np.full(44_100, 0.5), np.full(44_100, 0.25)], axis=1)
    soundfile.write(tmp_path / "stereo.wav", both, 44_100)
    decoded = decode(tmp_path / "stereo.wav")
    assert len(decoded) == pytest.approx(SAMPLE_RATE, abs=32)
    assert decoded[4000:12_000].mean() / 32768 == pytest.approx(0.375, abs=0.001)


def test_silence_is_decoded(tmp_path: Path) -> None:
    write_pcm(tmp_path / "silence.wav", np.zeros(SAMPLE_RATE, dtype=np.float32))
    assert decode(tmp_path / "silence.wav").tolist() == [0] * SAMPLE_RATE


@pytest.mark.parametrize("suffix", FORMATS)
def test_empty_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"nothing.{suffix}"
    path.touch()
    with pytest.raises(InvalidMedia, match=rf"nothing\.{suffix} is empty"):
        decode(path)


@pytest.mark.parametrize("suffix", FORMATS)
def test_text_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"notes.{suffix}"
    path.write_text("These are the minutes of the meeting, and no recording of it.\n" * 200)
    with pytest.raises(InvalidMedia, match=rf"notes\.{suffix}"):
        decode(path)


HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nheard.wav\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize("playlist", ["ffconcat version 1.0\nfile heard.wav\n", HLS], ids=["concat", "hls"])
def test_list_of_other_files_is_refused(tmp_path: Path, playlist: str) -> None:
    """FFmpeg would read these files as often as the list names them."""
    soundfile.write(tmp_path / "heard.wav", tone(1.0), SAMPLE_RATE)
    (tmp_path / "episode.mp3").write_text(playlist)
    with pytest.raises(InvalidMedia, match="cannot be read as audio or video"):
        decode(tmp_path / "episode.mp3")


def test_wav_without_samples_is_refused(tmp_path: Path) -> None:
    write_pcm(tmp_path / "header.wav", tone(0.0))
    with pytest.raises(InvalidMedia, match=r"header\.wav"):
        decode(tmp_path / "header.wav")


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
def test_video_without_audio_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture.{suffix}"
    mux(path, None, picture_s=1.0)
    with pytest.raises(NoAudio, match=rf"picture\.{suffix} has no audio"):
        decode(path)


@pytest.mark.parametrize(
    ("suffix", "share"), [("wav", 0.5), ("wav", 0.9), ("flac", 0.5), ("mp3", 0.5), ("mp3", 0.9), ("m4a", 0.5)]
)
def test_truncated_file_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    path = written(tmp_path, suffix, 10.0)
    keep(path, share)
    with pytest.raises(InvalidMedia, match=rf"talk\.{suffix}"):
        decode(path)


def test_truncated_streamable_file_is_refused_with_both_lengths(tmp_path: Path) -> None:
    write_streamable(tmp_path / "talk.m4a", tone(10.0))
    keep(tmp_path / "talk.m4a", 0.5)
    with pytest.raises(InvalidMedia, match=r"talk\.m4a ends after [345]\.\d s of audio, but declares 10\.\d s"):
        decode(tmp_path / "talk.m4a")


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_truncated_video_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film.{suffix}"
    mux(path, tone(10.0), picture_s=10.0, options=FASTSTART if suffix == "mp4" else None)
    keep(path, 0.5)
    with pytest.raises(InvalidMedia, match=rf"film\.{suffix}"):
        decode(path)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_audio_shorter_than_the_picture_is_accepted(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film.{suffix}"
    mux(path, tone(1.5), picture_s=6.0)
    assert len(decode(path)) == pytest.approx(1.5 * SAMPLE_RATE, abs=0.15 * SAMPLE_RATE)


AVI_CODECS = ("pcm_s16le", "pcm_u8", "adpcm_ms", "adpcm_ima_wav", "libmp3lame", "mp2", "aac", "pcm_alaw")


@pytest.mark.parametrize("picture_s", [0.0, 4.0], ids=["sound", "film"])
@pytest.mark.parametrize("codec", AVI_CODECS)
def test_whole_avi_is_accepted_and_half_of_it_refused(tmp_path: Path, codec: str, picture_s: float) -> None:
    path = tmp_path / "talk.avi"
    mux(path, tone(4.0), picture_s, codec=codec)
    assert len(decode(path)) == pytest.approx(4.0 * SAMPLE_RATE, abs=0.15 * SAMPLE_RATE)
    keep(path, 0.5)
    with pytest.raises(InvalidMedia, match=r"talk\.avi ends after [12]\.\d s of audio, but declares 4\.\d s"):
        decode(path)


def test_avi_without_its_index_is_accepted(tmp_path: Path) -> None:
    """All of the sound is there."""
    path = tmp_path / "talk.avi"
    mux(path, tone(4.0), codec="pcm_s16le")
    keep(path, path.read_bytes().rindex(b"idx1") / path.stat().st_size)
    assert len(decode(path)) == pytest.approx(4.0 * SAMPLE_RATE, abs=0.15 * SAMPLE_RATE)


def test_avi_of_unknown_size_is_accepted(tmp_path: Path) -> None:
    """As one whose recording was interrupted."""
    path = tmp_path / "talk.avi"
    mux(path, tone(4.0), codec="pcm_s16le")
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"\xff" * 4 + content[8 : len(content) // 2])
    assert len(decode(path)) == pytest.approx(2.0 * SAMPLE_RATE, abs=0.15 * SAMPLE_RATE)


def test_last_chunk_of_an_avi_tells_whether_it_is_cut(tmp_path: Path) -> None:
    """FFmpeg begins another RIFF chunk after a gigabyte; here the header's 8 s are not all in the first."""
    path = tmp_path / "talk.avi"
    mux(path, tone(4.0), codec="pcm_s16le")
    content = bytearray(path.read_bytes())
    length_at = content.index(b"strh") + 40
    content[length_at : length_at + 4] = (8 * SAMPLE_RATE).to_bytes(4, "little")
    path.write_bytes(content + b"RIFF" + (4).to_bytes(4, "little") + b"AVIX")
    assert len(decode(path)) == 4 * SAMPLE_RATE
    path.write_bytes(content + b"RIFF" + (100_000).to_bytes(4, "little") + b"AVIX")
    with pytest.raises(InvalidMedia, match=r"ends after 4\.0 s of audio, but declares 8\.0 s: it was cut off"):
        decode(path)


def test_video_is_decoded_to_its_sound(tmp_path: Path) -> None:
    mux(tmp_path / "film.mp4", tone(2.0), picture_s=2.0)
    assert len(decode(tmp_path / "film.mp4")) == pytest.approx(2.0 * SAMPLE_RATE, abs=0.15 * SAMPLE_RATE)


def test_awkward_file_name_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "Ünder \"the\" 'sea' 🎙 100%d.wav"
    write_pcm(path, tone(0.5))
    assert len(decode(path)) == SAMPLE_RATE // 2


@pytest.mark.parametrize("unknown", [b"\x00" * 4, b"\xff" * 4])
def test_wav_of_unknown_length_is_accepted(tmp_path: Path, unknown: bytes) -> None:
    path = written(tmp_path, "wav", 1.0)
    content = path.read_bytes()
    path.write_bytes(content[:4] + unknown + content[8:40] + unknown + content[44:])
    assert len(decode(path)) == SAMPLE_RATE


def test_raw_aac_with_rising_bit_rate_is_accepted(tmp_path: Path) -> None:
    mux(tmp_path / "talk.aac", np.concatenate([np.zeros(5 * SAMPLE_RATE, dtype=np.float32), tone(5.0)]))
    assert len(decode(tmp_path / "talk.aac")) == pytest.approx(10.0 * SAMPLE_RATE, abs=0.15 * SAMPLE_RATE)


def test_truncated_mp3_without_info_header_is_accepted(tmp_path: Path) -> None:
    path = written(tmp_path, "mp3", 4.0)
    content = path.read_bytes().replace(b"Info", b"\0\0\0\0").replace(b"Xing", b"\0\0\0\0")
    path.write_bytes(content[: len(content) // 2])
    assert len(decode(path)) == pytest.approx(2.0 * SAMPLE_RATE, abs=0.2 * SAMPLE_RATE)


def test_recording_that_changes_its_rate_and_channels_is_read_to_its_end(tmp_path: Path) -> None:
    """As a podcast whose host inserts advertisements."""
    both = np.stack([tone(2.0)] * 2)
    with av.open(str(tmp_path / "stereo.mp3"), "w") as container:
        stream = container.add_stream("libmp3lame", rate=44_100, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(both), format="fltp", layout="stereo")
        frame.sample_rate = SAMPLE_RATE
        container.mux([*stream.encode(frame), *stream.encode(None)])
    mono = written(tmp_path, "mp3", 3.0)
    path = tmp_path / "both.mp3"
    path.write_bytes((tmp_path / "stereo.mp3").read_bytes().replace(b"Info", b"\0\0\0\0") + mono.read_bytes())
    decoded = decode(path)
    assert len(decoded) == pytest.approx(5.0 * SAMPLE_RATE, abs=0.3 * SAMPLE_RATE)
    assert np.abs(decoded[-SAMPLE_RATE:]).max() > 5000


def test_metadata_that_is_not_unicode_is_accepted(tmp_path: Path) -> None:
    path = written(tmp_path, "mp3", 1.0)
    text = b"TIT2" + (7).to_bytes(4, "big") + b"\0\0" + b"\x03\xffM\xfcll\0"
    path.write_bytes(b"ID3\x04\0\0" + bytes([0, 0, 0, len(text)]) + text + path.read_bytes())
    assert len(decode(path)) == pytest.approx(SAMPLE_RATE, abs=0.15 * SAMPLE_RATE)


def test_damage_in_the_middle_costs_only_what_is_damaged(tmp_path: Path) -> None:
    path = written(tmp_path, "flac", 10.0)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 40] = bytes(40)
    path.write_bytes(bytes(content))
    assert len(decode(path)) == pytest.approx(10.0 * SAMPLE_RATE, abs=0.6 * SAMPLE_RATE)


def test_recording_longer_than_the_most_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound, "MOST_SAMPLES", SAMPLE_RATE)
    with pytest.raises(OverLimit, match=r"talk\.wav has more than 12 hours of audio.* Split it"):
        decode(written(tmp_path, "wav", 1.5))


def test_declared_length_over_the_most_is_refused_before_decoding(tmp_path: Path) -> None:
    path = declaring(written(tmp_path, "flac", 1.0), 24 * 3600 * SAMPLE_RATE)
    with pytest.raises(OverLimit, match=r"talk\.flac declares 24:00:00 of audio; 12 hours are the most"):
        read_sound(path, lambda _piece: pytest.fail("decoded"))


def test_file_name_that_is_not_unicode_is_named(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"M\xfcller\n.mp3")
    path.write_text("no sound")
    with pytest.raises(InvalidMedia, match=r"^M\ufffdller \.mp3 cannot be read"):
        decode(path)


def declaring(path: Path, samples: int) -> Path:
    """The FLAC file, with another number of samples in its header: the last 36 bits of bytes 21 to 25."""
    content = bytearray(path.read_bytes())
    content[21] = content[21] & 0xF0 | samples >> 32
    content[22:26] = (samples & 0xFFFFFFFF).to_bytes(4, "big")
    path.write_bytes(bytes(content))
    return path
