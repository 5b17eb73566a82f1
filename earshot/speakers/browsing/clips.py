"""Clips: stretches in which a speaker talks alone, from different videos, by which people recognize the voice.

Only the speaker's longest videos are read. A video without stored audio has no clips.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from earshot.common.timeline import Interval, build_timeline
from earshot.speakers.corrections.constraints import read_turns
from earshot.storage.database import Database
from earshot.transcripts.attribution.speaker_refs import SpeakerRef

if TYPE_CHECKING:
    import pandas as pd

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
    speakers = _speakers(database, who)
    keys = [speaker["video_id"] for speaker in speakers]
    turns, corrected = read_turns(database, keys), _corrected(database, keys)
    ranked = [(speaker, _ranked(turns, corrected[speaker["video_id"]], speaker)) for speaker in speakers]
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
        WHERE deleted_at IS NULL ORDER BY clear_s DESC, speech_s DESC, video_id, local_speaker LIMIT %(read)s
        """,
        {"person": who.person_id, "voice": who.voice_id, "looked_at": LOOKED_AT, "read": READ},
    )
    return list({row["video_id"]: row for row in reversed(rows)}.values())[::-1]


def _corrected(database: Database, keys: Sequence[str]) -> dict[str, list[Interval]]:
    """When somebody else speaks than the local speaker is, by corrections of single turns."""
    corrected: dict[str, list[Interval]] = {key: [] for key in keys}
    for row in database.query("SELECT video_id, start_s, end_s FROM segment_overrides WHERE video_id = ANY(%s)", [keys]):
        corrected[row["video_id"]].append((row["start_s"], row["end_s"]))
    return corrected


def _ranked(turns: "pd.DataFrame", corrected: Sequence[Interval], speaker: dict[str, Any]) -> list[Interval]:
    """The stretches in which the speaker talks alone in the video, the best first, each cut to MAX_S."""
    of_video = turns[turns.video_id == speaker["video_id"]].reset_index(drop=True)
    stretches = [
        (start, min(end, start + MAX_S))
        for start, end in _alone(of_video, speaker["local_speaker"])
        if not any(first < end and last > start for first, last in corrected)
    ]
    return sorted(stretches, key=lambda stretch: (stretch[0] - stretch[1], stretch[0]))[:3]


def _alone(turns: "pd.DataFrame", local_speaker: str) -> Iterator[Interval]:
    timeline = build_timeline(turns)
    if local_speaker in timeline.speakers:
        talking = timeline.speaking[timeline.speakers.index(local_speaker)]
        yield from timeline.merged(talking & (timeline.speaking.sum(axis=0) == 1))


def _clip(database: Database, video: dict[str, Any], stretch: Interval) -> Clip:
    start, end = stretch
    [said] = database.query(
        "SELECT btrim(coalesce(string_agg(text, '' ORDER BY word_index), '')) AS text FROM words "
        "WHERE video_id = %s AND (start_s + end_s) / 2 BETWEEN %s AND %s",
        [video["video_id"], start, end],
    )
    return Clip(video["video_id"], video["title"], start, end, said["text"])
