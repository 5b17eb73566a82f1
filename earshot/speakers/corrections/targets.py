"""Subjects: what a user types to say whose voice he means, found in the library.

| typed | means |
|---|---|
| `voice 7`, `voice-7` | every local speaker of that anonymous voice |
| `VIDEO@SPEAKER_01` | one local speaker |
| `VIDEO` | the only local speaker of that video |
| `VIDEO@0:12:30` | the turn that this time means: earshot/transcripts/turn_times.py |

A subject is told in spans of time, which is what a correction keeps (earshot/speakers/tables/corrections.py): of a speaker,
when he is the only one to speak. Nothing is written here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from earshot.common.errors import EarshotError, InconsistentVideo, NotTranscribed
from earshot.common.text import pluralize
from earshot.common.timeline import build_timeline
from earshot.common.times import format_hms
from earshot.speakers.corrections.claims import spans_in
from earshot.speakers.corrections.constraints import derive_constraints, read_corrections, read_turns
from earshot.speakers.tables.corrections import CorrectedSpan, Correction, CorrectionKind
from earshot.speakers.tables.people import find_person
from earshot.speakers.voices.speakers import Key
from earshot.storage.catalog.videos import get_video
from earshot.storage.database import Database
from earshot.transcripts.recordings import read_recording
from earshot.transcripts.speaker_names import Names, parse_voice_label, speaker_names, voice_label
from earshot.transcripts.turn_times import TurnTimes, TypedTime, parse_typed_time, turn_times, turns_alone

FORMS = "Write a voice such as 'voice 7', a speaker such as VIDEO@SPEAKER_01, or a turn by its time: VIDEO@0:12:30."


@dataclass(frozen=True)
class Target:
    """Whose voice is meant: `speakers` the local speakers, `spans` their time. `turn`: one turn of that speaker only."""

    label: str
    speakers: tuple[Key, ...]
    spans: tuple[CorrectedSpan, ...]
    turn: bool = False

    @property
    def description(self) -> str:
        """It for a message: a voice with how much of it there is."""
        return self.label if len(self.speakers) == 1 else f"{self.label} ({describe_speakers(self.speakers)})"


def parse_target(database: Database, text: str) -> Target:
    """What is meant; raises EarshotError that says what there is instead."""
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
        told = f"{part!r} is neither a speaker of {video_id} nor a time in it. Its speakers: {speakers}."
        raise EarshotError(told, FORMS) from None
    return _turn(database, video_id, turns, at)


def _whole_video(database: Database, text: str) -> Target:
    """A video named by its key alone, in which one speaker speaks."""
    if get_video(database, text) is None:
        person = find_person(database, text)
        if person is not None:
            remedy = f"Two people who are one: earshot people merge {person.name!r} OTHER. {FORMS}"
            raise EarshotError(f"{person.name} is a person, not a voice or a part of a video.", remedy)
        raise EarshotError(f"{text!r} is neither a voice nor a part of a video.", FORMS)
    labels = sorted(set(_turns_of(database, text).local_speaker))
    if len(labels) > 1:
        names = speaker_names(database, text)
        told = ", ".join(f"{text}@{label} ({names.of_label(label).shown})" for label in labels)
        raise EarshotError(f"{text} has {len(labels)} speakers.", f"Name one of them: {told}.")
    return _whole(database, text, [(text, labels[0])])


def members_of(database: Database, voice_id: int) -> list[Key]:
    """The local speakers of an anonymous voice; raises EarshotError where there are none."""
    rows = database.query(
        "SELECT video_id, local_speaker FROM identities WHERE voice_id = %s ORDER BY video_id, local_speaker", [voice_id]
    )
    if not rows:
        raise EarshotError(f"There is no voice {voice_id}, or nobody has it any more.", "`earshot people list` shows all.")
    return [(row["video_id"], row["local_speaker"]) for row in rows]


def split_in_two(database: Database, voice_id: int) -> tuple[Target, Target]:
    """The two parts that average linkage joined last into this voice, the part of the first video first.

    Whom corrections say to be one voice stays together. Raises EarshotError where there is nothing to divide.
    """
    from scipy.cluster.hierarchy import cut_tree, linkage
    from scipy.spatial.distance import pdist, squareform

    rows = database.query(
        "SELECT video_id, local_speaker, centroid FROM identities JOIN local_speakers USING (video_id, local_speaker) "
        "WHERE voice_id = %s AND centroid IS NOT NULL ORDER BY video_id, local_speaker",
        [voice_id],
    )
    if len(rows) < 2:
        told = "is one speaker of one video" if members_of(database, voice_id) else ""
        raise EarshotError(
            f"Voice {voice_id} {told}, which cannot be split.",
            "If two people speak in it, say of each turn whose it is: earshot people correct VIDEO@0:12:30 --is NAME",
        )
    keys = [(row["video_id"], row["local_speaker"]) for row in rows]
    distances = squareform(pdist([row["centroid"].to_numpy() for row in rows], "cosine"))
    place = {key: index for index, key in enumerate(keys)}
    for one, other in derive_constraints(read_corrections(database)).same:
        if one in place and other in place:
            distances[place[one], place[other]] = distances[place[other], place[one]] = 0.0
    labels = cut_tree(linkage(squareform(distances, checks=False), "average"), n_clusters=2).ravel()
    parts = ([key for key, label in zip(keys, labels, strict=True) if label == part] for part in (labels[0], 1 - labels[0]))
    one, other = (_whole(database, f"a part of {voice_label(voice_id)}", part) for part in parts)
    return one, other


def subtract(database: Database, one: Target, other: Target) -> Target:
    """The one less what is also the other's; itself where they have nothing in common."""
    if not set(one.speakers) & set(other.speakers):
        return one
    return _whole(database, one.label, [key for key in one.speakers if key not in other.speakers])


def describe_speakers(speakers: Sequence[Key]) -> str:
    """4 speakers in 3 videos."""
    videos = len({video_id for video_id, _ in speakers})
    return f"{pluralize(len(speakers), 'speaker')} in {pluralize(videos, 'video')}"


def describe_correction(correction: Correction, people: dict[int, str]) -> str:
    """A correction in one line, its number first; `people`: names by person_id."""
    said = {
        CorrectionKind.IS: f"is {people.get(correction.person_id or 0, '')}",
        CorrectionKind.NEVER: f"is never {people.get(correction.person_id or 0, '')}",
        CorrectionKind.SAME: f"is one voice with {_places(correction.others)}",
        CorrectionKind.DIFFERENT: f"is not the voice of {_places(correction.others)}",
    }[correction.kind]
    return f"{correction.correction_id}: {_places(correction.spans)} {said}"


def _places(spans: Sequence[CorrectedSpan]) -> str:
    """The first stretch, and how many more."""
    if not spans:
        return "(nothing that is left)"
    first = f"{spans[0].video_id} {format_hms(spans[0].start_s)}-{format_hms(spans[0].end_s)}"
    videos = len({span.video_id for span in spans})
    more = f" and {len(spans) - 1} more" if len(spans) > 1 else ""
    return f"{first}{more}{f' in {videos} videos' if videos > 1 else ''}"


def _turns_of(database: Database, video_id: str) -> pd.DataFrame:
    if get_video(database, video_id) is None:
        raise EarshotError(f"There is no video {video_id!r}.", "`earshot videos` lists them.")
    turns = read_turns(database, [video_id])
    if turns.empty:
        raise EarshotError(f"In {video_id} nobody was heard to speak.", "`earshot videos` shows whether it is ready.")
    return turns


def _whole(database: Database, label: str, speakers: Sequence[Key]) -> Target:
    """Whole speakers, told by the time in which nobody else speaks."""
    spans: list[CorrectedSpan] = []
    turns = read_turns(database, {video_id for video_id, _ in speakers})
    for video_id, of_video in turns.groupby("video_id", sort=True):
        stretches = build_timeline(of_video)
        for speaker, own in zip(stretches.speakers, stretches.solo, strict=True):
            if (video_id, speaker) in speakers:
                spans += spans_in(str(video_id), stretches.merged(own))
    return Target(label, tuple(speakers), tuple(spans))


def _turn(database: Database, video_id: str, turns: pd.DataFrame, at: TypedTime) -> Target:
    times, names = _times(database, video_id, turns)
    meant = times.meant(at)
    if len(meant) != 1:
        raise _unclear(f"{video_id}@{at}", times, names, meant)
    speaker = str(times.turns.local_speaker.iloc[meant[0]])
    alone = times.alone(meant[0])
    if not alone:
        raise EarshotError(
            f"In the turn at {video_id}@{at} others speak too, all the time, so no time in it is {speaker}'s alone.",
            f"Name the whole speaker: {video_id}@{speaker}.",
        )
    return Target(f"{video_id}@{at}", ((video_id, speaker),), spans_in(video_id, alone), turn=True)


def _times(database: Database, video_id: str, turns: pd.DataFrame) -> tuple[TurnTimes, Names]:
    """The times of a video, and its speakers' names; of its turns alone where it is not ingested to its end."""
    try:
        recording = read_recording(database, video_id)
    except (NotTranscribed, InconsistentVideo):
        return turns_alone(turns), speaker_names(database, video_id)
    return turn_times(recording), recording.names


def _unclear(label: str, times: TurnTimes, names: Names, meant: Sequence[int]) -> EarshotError:
    """No turn, or several: with the times that mean one."""
    video_id = label.rpartition("@")[0]
    if not meant:
        asked, starts = parse_typed_time(label.rpartition("@")[2]).seconds, times.turns.start_s.reset_index(drop=True)
        near = [times.time_of(row) for row in sorted((starts - asked).abs().nsmallest(3).index)]
        told = ", ".join(str(time) for time in near if time)
        return EarshotError(f"Nobody speaks at {label}.", f"Name a time at which somebody does; turns near it begin at {told}.")
    chosen = times.turns.iloc[list(meant)]
    said_by = names.of_spans(chosen, chosen.local_speaker.tolist())
    forms = [f"{video_id}@{times.time_of(row) or times.turns.local_speaker.iloc[row]}" for row in meant]
    told = " or ".join(f"{speaker.shown}'s ({form})" for speaker, form in zip(said_by, forms, strict=True))
    return EarshotError(f"{label} may mean {len(meant)} turns: {told}.", "Type the one that you mean.")
