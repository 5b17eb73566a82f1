"""Four short episodes, composed from the recordings in two dependencies' wheels. The repository contains no recording.

pyannote.audio's wheel has a telephone call of two women; moonshine-voice's a narrator, a dialogue of two, and a line of
Beckett. The narrator speaks in two of the episodes. `write_episodes()` encodes them as MP3, `write_feed()` lists them in a
podcast feed.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from faster_whisper import decode_audio

from earshot.common.audio import SAMPLE_RATE

FEED_NAME = "feed.xml"


@dataclass(frozen=True)
class Clip:
    """Part of a recording inside a package; up to its end if `end_s` is None."""

    package: str
    path: str
    start_s: float = 0.0
    end_s: float | None = None


@dataclass(frozen=True)
class Episode:
    """One episode: its clips in order, a question that one of its passages answers, and words of that passage."""

    guid: str
    title: str
    published_at: datetime
    clips: tuple[Clip, ...]
    question: str
    answer: str


TELEPHONE = Clip("pyannote.audio", "sample/sample.wav")
_NARRATOR = ("moonshine_voice", "assets/two_cities.wav")
# A pause of the narrator between two sentences.
_MIDDLE_S = 21.2

EPISODES = (
    Episode(
        "earshot-demo-1",
        "Two strangers on the telephone",
        datetime(2026, 1, 5, 9, tzinfo=UTC),
        (TELEPHONE,),
        "who lives in Texas",
        "Sheila",
    ),
    Episode(
        "earshot-demo-2",
        "The best of times, the worst of times",
        datetime(2026, 1, 12, 9, tzinfo=UTC),
        (Clip(*_NARRATOR, end_s=_MIDDLE_S),),
        "an era of hope and despair, wisdom and folly",
        "It was the best of times",
    ),
    Episode(
        "earshot-demo-3",
        "Nagg and Nell",
        datetime(2026, 1, 19, 9, tzinfo=UTC),
        (Clip("moonshine_voice", "assets/endgame_nagg_nell.wav"),),
        "rescued from the side of the road",
        "fetched you from that ditch",
    ),
    Episode(
        "earshot-demo-4",
        "The narrator returns, and fails better",
        datetime(2026, 1, 26, 9, tzinfo=UTC),
        (Clip(*_NARRATOR, start_s=_MIDDLE_S), Clip("moonshine_voice", "assets/beckett.wav")),
        "do not give up when things go wrong",
        "Fail again. Fail better.",
    ),
)


def clip_path(clip: Clip) -> Path:
    """The installed file of the clip's recording."""
    spec = find_spec(clip.package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / clip.path


def clip_samples(clip: Clip) -> np.ndarray:
    """The clip as float32 samples, mono, 16 kHz."""
    last = None if clip.end_s is None else round(clip.end_s * SAMPLE_RATE)
    return _recording(clip_path(clip))[round(clip.start_s * SAMPLE_RATE) : last]


@cache
def _recording(path: Path) -> np.ndarray:
    samples = np.asarray(decode_audio(str(path), sampling_rate=SAMPLE_RATE))
    samples.setflags(write=False)
    return samples


def episode_samples(episode: Episode) -> np.ndarray:
    """The episode's clips, with half a second of silence between them."""
    silence = np.zeros(SAMPLE_RATE // 2, dtype=np.float32)
    parts = [part for clip in episode.clips for part in (clip_samples(clip), silence)]
    return np.concatenate(parts[:-1])


def write_episodes(folder: Path) -> list[Path]:
    """Encode the episodes as MP3 unless the files exist; returns their paths, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{episode.guid}.mp3" for episode in EPISODES]
    for episode, path in zip(EPISODES, paths, strict=True):
        if not path.exists():
            write_mp3(path, episode_samples(episode))
    return paths


def write_mp3(path: Path, samples: np.ndarray) -> None:
    """Encode float32 samples; the file appears whole or not at all."""
    partial = path.with_name(f".{path.name}")
    with av.open(str(partial), "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=SAMPLE_RATE)
        assert isinstance(stream.codec_context, AudioCodecContext)
        stream.codec_context.layout = "mono"
        stream.codec_context.bit_rate = 64_000
        frame = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        for packet in [*stream.codec_context.encode(frame), *stream.codec_context.encode(None)]:
            packet.stream = stream
            container.mux(packet)
    partial.replace(path)


def write_feed(folder: Path, base_url: str) -> Path:
    """Write a podcast feed (RSS 2.0) of the episodes, newest first, with their media under `base_url`; returns its path."""
    rss = ElementTree.Element("rss", version="2.0")
    channel = ElementTree.SubElement(rss, "channel")
    ElementTree.SubElement(channel, "title").text = "Earshot demo"
    for episode in reversed(EPISODES):
        item = ElementTree.SubElement(channel, "item")
        ElementTree.SubElement(item, "guid", isPermaLink="false").text = episode.guid
        ElementTree.SubElement(item, "title").text = episode.title
        ElementTree.SubElement(item, "pubDate").text = format_datetime(episode.published_at)
        media = folder / f"{episode.guid}.mp3"
        url = f"{base_url}/{media.name}"
        ElementTree.SubElement(item, "enclosure", url=url, type="audio/mpeg", length=str(media.stat().st_size))
    feed = folder / FEED_NAME
    ElementTree.ElementTree(rss).write(feed, encoding="utf-8", xml_declaration=True)
    return feed
