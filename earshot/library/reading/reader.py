"""The transcript as people read it: paragraphs of one speaker, with the time of every word."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from earshot.common.timeline import Interval, build_timeline
from earshot.common.times import link_at
from earshot.library.lookup import known_video
from earshot.storage.catalog.videos import Video
from earshot.storage.database import Database
from earshot.transcripts.recordings import Recording, read_recording

# A paragraph ends at a pause of this length, and at the first end of a sentence after so many seconds.
PAUSE_S = 2.0
LONG_S = 30.0
_ENDS = (".", "?", "!", "。", "？", "！", "…")

Word = tuple[float, float, str, float]  # start_s, end_s, text with the space before it, probability


@dataclass(frozen=True)
class Paragraph:
    """Words of one speaker in a row. `speaker` is the displayed name; `person` or `voice` is set if there is one; `corrected`
    has the positions of the words that users corrected."""

    start_s: float
    end_s: float
    speaker: str
    person: str | None
    voice: int | None
    local_speaker: str | None
    words: tuple[Word, ...]
    corrected: tuple[int, ...] = ()


@dataclass(frozen=True)
class ReadableTranscript:
    """One video when it was read; times are seconds. `overlaps`: when several people speak at once.

    `link` opens the recording where it was published.
    """

    video: Video
    language: str | None
    link: str
    paragraphs: tuple[Paragraph, ...]
    overlaps: tuple[Interval, ...]


def read(database: Database, video: str) -> ReadableTranscript:
    """The transcript of the video with this key or title. Raises NotTranscribed or InconsistentVideo."""
    recording = read_recording(database, known_video(database, video).video_id)
    link = link_at(recording.video.url, 0)
    return ReadableTranscript(
        recording.video, recording.language, link, tuple(paragraphs(recording)), tuple(overlaps(recording))
    )


def paragraphs(recording: Recording) -> Iterator[Paragraph]:
    """The words by speaker. As in subtitles, a short back-channel stays in the sentence that it interrupts."""
    rows = recording.passages
    labels = np.repeat(rows.local_speaker.to_numpy(dtype=object), (rows.last_word - rows.first_word + 1).to_numpy(dtype=int))
    speakers = recording.names.of_spans(recording.words, labels.tolist())
    columns = (recording.words[name].tolist() for name in ("start_s", "end_s", "text", "probability"))
    words: list[Word] = list(zip(*columns, strict=True))
    spoken_by = [(label, speaker.shown) for label, speaker in zip(labels.tolist(), speakers, strict=True)]
    corrected = np.flatnonzero(recording.words.corrected)
    for first, end in pairwise(_borders(words, spoken_by)):
        label, speaker = spoken_by[first][0], speakers[first]
        said = tuple(words[first:end])
        yield Paragraph(
            said[0][0],
            max(word[1] for word in said),
            speaker.shown,
            speaker.person,
            speaker.voice,
            label,
            said,
            tuple((corrected[(corrected >= first) & (corrected < end)] - first).tolist()),
        )


def _borders(words: Sequence[Word], spoken_by: Sequence[tuple[str | None, str]]) -> Iterator[int]:
    """The index of the first word of each paragraph, and last the number of words."""
    first = 0
    for index, word in enumerate(words):
        before = words[index - 1]
        long = before[1] - words[first][0] > LONG_S and before[2].endswith(_ENDS)
        if index == 0 or spoken_by[index] != spoken_by[index - 1] or word[0] - before[1] > PAUSE_S or long:
            first = index
            yield index
    yield len(words)


def overlaps(recording: Recording) -> list[Interval]:
    """When several people speak at once, in order."""
    timeline = build_timeline(recording.turns)
    return timeline.merged(timeline.speaking.sum(axis=0) > 1)
