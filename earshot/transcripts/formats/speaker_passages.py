"""Passages by one speaker each: what the readable formats are made of. Pure functions.

A stored passage can have several speakers once single turns were corrected; it is split here. A short back-channel stays in the
passage that it interrupts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from itertools import groupby
from operator import itemgetter
from typing import Any

from earshot.common.text import one_line
from earshot.common.times import link_at
from earshot.storage.catalog.videos import Video
from earshot.transcripts.attribution.speaker_names import Speaker
from earshot.transcripts.recordings import Recording


@dataclass(frozen=True)
class SpeakerPassage:
    """A text by one speaker, with its times in seconds; `local_speaker` is None where the diarization heard no one."""

    start_s: float
    end_s: float
    local_speaker: str | None
    text: str
    speaker: Speaker

    @property
    def shown(self) -> str:
        """The speaker's name, on one line."""
        return one_line(self.speaker.shown)


def speaker_passages(recording: Recording) -> list[SpeakerPassage]:
    """The passages of a recording in order of time; those of several speakers are split."""
    found = []
    for row in recording.passages.to_dict("records"):
        words = recording.words.iloc[row["first_word"] : row["last_word"] + 1]
        label = row["local_speaker"]
        speakers = recording.names.of_spans(words, [label] * len(words))
        if len(set(speakers)) > 1:
            parts = groupby(zip(speakers, words.to_dict("records"), strict=True), key=itemgetter(0))
            found += [_part([word for _, word in part], label, speaker) for speaker, part in parts]
        else:
            speaker = speakers[0] if speakers else recording.names.of_label(label)
            found.append(SpeakerPassage(row["start_s"], row["end_s"], label, row["text"], speaker))
    return found


def _part(words: Sequence[dict[Any, Any]], label: str | None, speaker: Speaker) -> SpeakerPassage:
    text = "".join(word["text"] for word in words).strip()
    return SpeakerPassage(words[0]["start_s"], max(word["end_s"] for word in words), label, text, speaker)


def speaker_runs(recording: Recording) -> list[tuple[str, list[SpeakerPassage]]]:
    """Consecutive passages of each speaker, with the name to show above them."""
    grouped = groupby(speaker_passages(recording), key=lambda passage: passage.speaker)
    runs = [list(run) for _, run in grouped]
    return [(run[0].shown, run) for run in runs]


def title_of(video: Video) -> str:
    """The title on one line, else the key."""
    return one_line(video.title) or video.video_id


def day_of(video: Video) -> str:
    """The day of publication (UTC), "" if unknown."""
    return f"{video.published_at.astimezone(UTC):%Y-%m-%d}" if video.published_at else ""


def link_to(video: Video, start_s: float) -> str:
    """A link that opens the recording at this second, without characters that end a link in Markdown."""
    link = link_at(video.url, start_s)
    return link.replace(" ", "%20").replace("(", "%28").replace(")", "%29").replace("<", "%3C").replace(">", "%3E")
