"""Targets: parses what a user types to refer to a voice, and looks it up in the library. Writes nothing.

| typed | target |
|---|---|
| `voice 7`, `voice-7` | every local speaker of that anonymous voice |
| `VIDEO@SPEAKER_01` | one local speaker |
| `VIDEO` | the only local speaker of that video |
| `VIDEO@0:12:30` | the turn at that time (earshot/transcripts/attribution/turn_times.py) |

A target has spans of time, because corrections are stored as times (earshot/speakers/tables/corrections.py). Those of a speaker
are the solo time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from earshot.common.errors import EarshotError, InconsistentVideo, NotTranscribed
from earshot.common.timeline import build_timeline
from earshot.speakers.corrections.claims import spans_in
from earshot.speakers.corrections.constraints import derive_constraints, read_corrections, read_turns
from earshot.speakers.tables.corrections import CorrectedSpan
from earshot.speakers.tables.people import find_person
from earshot.speakers.tables.voices import members_of
from earshot.speakers.voices.speakers import Key, describe_speakers
from earshot.storage.catalog.videos import get_video
from earshot.storage.database import Database
from earshot.transcripts.attribution.speaker_names import Names, parse_voice_label, speaker_names, voice_label
from earshot.transcripts.attribution.turn_times import TurnTimes, TypedTime, parse_typed_time, turn_times, turns_alone
from earshot.transcripts.recordings import read_recording

FORMS = "Write a voice such as 'voice 7', a speaker such as VIDEO@SPEAKER_01, or a turn by its time: VIDEO@0:12:30."


@dataclass(frozen=True)
class Target:
    """Local speakers and their spans of time. `turn`: the spans are those of a single turn of the one speaker."""

    label: str
    speakers: tuple[Key, ...]
    spans: tuple[CorrectedSpan, ...]
    turn: bool = False

    @property
    def description(self) -> str:
        """The label for a message; with the number of speakers and videos if there are several."""
        return self.label if len(self.speakers) == 1 else f"{self.label} ({describe_speakers(self.speakers)})"


def parse_target(database: Database, text: str) -> Target:
    """The target of this text. Raises EarshotError, with the possible targets in the remedy."""
    number = parse_voice_label(text)
    if number is not None:
        return _whole(database, voice_label(number), members_of(database, number))
    video_id, mark, part = text.strip().rpartition("@")
    if not mark:
        return _whole_video(database, text.strip())
    turns = _turns_of(database, video_id)
    if part in set(turns.local_speaker):
        return _whole(database, f"{video_id}@{part}", [(video_id, part)])
    try:
        at = parse_typed_time(part)
    except ValueError:
        speakers = ", ".join(sorted(set(turns.local_speaker)))
        message = f"{part!r} is neither a speaker of {video_id} nor a time in it. Its speakers: {speakers}."
        raise EarshotError(message, FORMS) from None
    return _turn(database, video_id, turns, at)


def _whole_video(database: Database, text: str) -> Target:
    """A video with a single speaker, named by its key alone."""
    if get_video(database, text) is None:
        person = find_person(database, text)
        if person is not None:
            remedy = f"To merge two people: earshot people merge {person.name!r} OTHER. {FORMS}"
            raise EarshotError(f"{person.name} is a person, not a voice or a part of a video.", remedy)
        raise EarshotError(f"{text!r} is neither a voice nor a part of a video.", FORMS)
    labels = sorted(set(_turns_of(database, text).local_speaker))
    if len(labels) > 1:
        names = speaker_names(database, text)
        choices = ", ".join(f"{text}@{label} ({names.of_label(label).shown})" for label in labels)
        raise EarshotError(f"{text} has {len(labels)} speakers.", f"Name one of them: {choices}.")
    return _whole(database, text, [(text, labels[0])])


def split_in_two(database: Database, voice_id: int) -> tuple[Target, Target]:
    """The two parts that average linkage joins last into this voice; the part with the first video comes first.

    Speakers that `same` corrections make one voice stay together. Raises EarshotError if fewer than two speakers have a vector.
    """
    from scipy.cluster.hierarchy import cut_tree, linkage
    from scipy.spatial.distance import pdist, squareform

    rows = database.query(
        "SELECT video_id, local_speaker, centroid FROM identities JOIN local_speakers USING (video_id, local_speaker) "
        "WHERE voice_id = %s AND centroid IS NOT NULL ORDER BY video_id, local_speaker",
        [voice_id],
    )
    if len(rows) < 2:
        members_of(database, voice_id)
        raise EarshotError(
            f"Voice {voice_id} is a single speaker of one video and cannot be split.",
            "If two people speak in it, name each turn: earshot people correct VIDEO@0:12:30 --is NAME",
        )
    keys = [(row["video_id"], row["local_speaker"]) for row in rows]
    distances = squareform(pdist([row["centroid"].to_numpy() for row in rows], "cosine"))
    index_of = {key: index for index, key in enumerate(keys)}
    for pair in derive_constraints(read_corrections(database)).same:
        if all(key in index_of for key in pair):
            left, right = (index_of[key] for key in pair)
            distances[left, right] = distances[right, left] = 0.0
    labels = cut_tree(linkage(squareform(distances, checks=False), "average"), n_clusters=2).ravel()
    parts = ([key for key, label in zip(keys, labels, strict=True) if label == part] for part in (labels[0], 1 - labels[0]))
    first, second = (_whole(database, f"a part of {voice_label(voice_id)}", part) for part in parts)
    return first, second


def subtract(database: Database, whole: Target, part: Target) -> Target:
    """The whole without the speakers of the part."""
    if not set(whole.speakers) & set(part.speakers):
        return whole
    return _whole(database, whole.label, [key for key in whole.speakers if key not in part.speakers])


def _turns_of(database: Database, video_id: str) -> pd.DataFrame:
    if get_video(database, video_id) is None:
        raise EarshotError(f"There is no video {video_id!r}.", "`earshot videos` lists them.")
    turns = read_turns(database, [video_id])
    if turns.empty:
        raise EarshotError(f"{video_id} has no speaker turns.", "`earshot videos` shows whether it is ready.")
    return turns


def _whole(database: Database, label: str, speakers: Sequence[Key]) -> Target:
    """Whole speakers, with their solo time."""
    spans: list[CorrectedSpan] = []
    turns = read_turns(database, {video_id for video_id, _ in speakers})
    for video_id, of_video in turns.groupby("video_id", sort=True):
        timeline = build_timeline(of_video)
        for speaker, solo in zip(timeline.speakers, timeline.solo, strict=True):
            if (video_id, speaker) in speakers:
                spans += spans_in(str(video_id), timeline.merged(solo))
    return Target(label, tuple(speakers), tuple(spans))


def _turn(database: Database, video_id: str, turns: pd.DataFrame, at: TypedTime) -> Target:
    times, names = _times(database, video_id, turns)
    rows = times.meant(at)
    if len(rows) != 1:
        raise _unclear(f"{video_id}@{at}", times, names, rows)
    speaker = str(times.turns.local_speaker.iloc[rows[0]])
    alone = times.alone(rows[0])
    if not alone:
        raise EarshotError(
            f"In the turn at {video_id}@{at}, {speaker} never speaks alone.",
            f"Name the whole speaker: {video_id}@{speaker}.",
        )
    return Target(f"{video_id}@{at}", ((video_id, speaker),), spans_in(video_id, alone), turn=True)


def _times(database: Database, video_id: str, turns: pd.DataFrame) -> tuple[TurnTimes, Names]:
    """The turn times of a video and its speakers' names; from its turns alone if it is not fully ingested."""
    try:
        recording = read_recording(database, video_id)
    except (NotTranscribed, InconsistentVideo):
        return turns_alone(turns), speaker_names(database, video_id)
    return turn_times(recording), recording.names


def _unclear(label: str, times: TurnTimes, names: Names, rows: Sequence[int]) -> EarshotError:
    """The error for a time at which there is no turn, or several, with times that are unambiguous."""
    video_id = label.rpartition("@")[0]
    if not rows:
        at_s, starts = parse_typed_time(label.rpartition("@")[2]).seconds, times.turns.start_s.reset_index(drop=True)
        near = [times.time_of(row) for row in sorted((starts - at_s).abs().nsmallest(3).index)]
        suggestions = ", ".join(str(time) for time in near if time)
        return EarshotError(f"There is no turn at {label}.", f"Turns near it begin at {suggestions}.")
    turns = times.turns.iloc[list(rows)]
    speakers = names.of_spans(turns, turns.local_speaker.tolist())
    forms = [f"{video_id}@{times.time_of(row) or times.turns.local_speaker.iloc[row]}" for row in rows]
    choices = " or ".join(f"{speaker.shown}'s ({form})" for speaker, form in zip(speakers, forms, strict=True))
    return EarshotError(f"{label} may mean {len(rows)} turns: {choices}.", "Type one of these instead.")
