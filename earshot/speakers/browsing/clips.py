"""Clips: stretches in which a speaker talks alone, from different videos, by which people recognize the voice.

Only the speaker's longest videos are read. A video without stored audio has no clips.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from earshot.common.timeline import Interval, build_timeline
from earshot.speakers.corrections.constraints import read_turns
from earshot.storage.database import Database
from earshot.transcripts.speaker_refs import SpeakerRef

MIN_S, MAX_S = 3.0, 8.0
LOOKED_AT = 300  # local speakers, of which those who speak most are
READ = 8  # read


@dataclass(frozen=True)
class Clip:
    """A stretch of a video in which one speaker talks alone, and its words."""

    video_id: str
    title: str
    start_s: float
    end_s: float
    text: str


def clips_of(database: Database, who: SpeakerRef, count: int = 3) -> tuple[Clip, ...]:
    """The speaker's longest stretches, one from each video while there are enough videos."""
    ranked = [_ranked(database, speaker) for speaker in _speakers(database, who)]
    found = [(video, stretches.pop(0)) for video, stretches in ranked if stretches]
    found += [(video, stretch) for video, stretches in ranked for stretch in stretches]
    # Those long enough first; then in the order of `found`, different videos first.
    found.sort(key=lambda each: each[1][1] - each[1][0] < MIN_S)
    return tuple(_clip(database, video, stretch) for video, stretch in found[:count])


def _speakers(database: Database, who: SpeakerRef) -> list[dict[str, Any]]:
    """The speaker in the videos with most clear speech, once in each."""
    rows = database.query(
        """
        SELECT video_id, title, local_speaker FROM (
            SELECT video_id, local_speaker FROM identities
            WHERE person_id = %(person)s OR voice_id = %(voice)s LIMIT %(looked_at)s
        ) i JOIN local_speakers USING (video_id, local_speaker) JOIN videos USING (video_id) JOIN audio USING (video_id)
        ORDER BY clear_s DESC, speech_s DESC, video_id, local_speaker LIMIT %(read)s
        """,
        {"person": who.person_id, "voice": who.voice_id, "looked_at": LOOKED_AT, "read": READ},
    )
    return list({row["video_id"]: row for row in reversed(rows)}.values())[::-1]


def _ranked(database: Database, speaker: dict[str, Any]) -> tuple[dict[str, Any], list[Interval]]:
    """The video, and the stretches in which the speaker talks alone in it, the best first, each cut to MAX_S."""
    corrected = database.query(
        "SELECT start_s, end_s FROM segment_overrides WHERE video_id = %s ORDER BY start_s", [speaker["video_id"]]
    )
    stretches = [
        (start, min(end, start + MAX_S))
        for start, end in _alone(database, speaker)
        if not any(row["start_s"] < end and row["end_s"] > start for row in corrected)
    ]
    return speaker, sorted(stretches, key=lambda stretch: (stretch[0] - stretch[1], stretch[0]))[:3]


def _alone(database: Database, speaker: dict[str, Any]) -> Iterator[Interval]:
    timeline = build_timeline(read_turns(database, [speaker["video_id"]]))
    if speaker["local_speaker"] in timeline.speakers:
        talking = timeline.speaking[timeline.speakers.index(speaker["local_speaker"])]
        yield from timeline.merged(talking & (timeline.speaking.sum(axis=0) == 1))


def _clip(database: Database, video: dict[str, Any], stretch: Interval) -> Clip:
    start, end = stretch
    [said] = database.query(
        "SELECT btrim(coalesce(string_agg(text, '' ORDER BY word_index), '')) AS text FROM words "
        "WHERE video_id = %s AND (start_s + end_s) / 2 BETWEEN %s AND %s",
        [video["video_id"], start, end],
    )
    return Clip(video["video_id"], video["title"], start, end, said["text"])
