"""Directory of people and anonymous voices: lookup by name, their list, and what changed after an identification.

Reads the decisions of the asset `people` (table `identities`) and makes none. earshot/speakers/people/details.py describes one
person or voice. Loads neither pandas nor numpy, for `earshot people list`.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from earshot.common.errors import Unknown
from earshot.config.names import name_key
from earshot.speakers.tables.people import find_person, list_people
from earshot.speakers.tables.voice_space import VoiceSpace, in_space
from earshot.speakers.tables.voices import members_of
from earshot.speakers.voices.speakers import Key, describe_speakers, kind_of
from earshot.storage.database import Database
from earshot.transcripts.attribution.speaker_names import UNKNOWN, parse_voice_label, voice_label
from earshot.transcripts.attribution.speaker_refs import SpeakerRef


@dataclass(frozen=True)
class KnownSpeaker:
    """A person, an anonymous voice, or (`kind` is `unknown`) all unidentified speakers.

    `speakers` is the number of local speakers, `speech_s` their speech in seconds, and `decided_by` counts them by the basis of
    the decision. `moments` is the number of videos in which corrections give single turns to the person. `enrolled_s` is the
    clean speech in the person's recordings, and `enrolments` counts these by verdict. `reasons` counts why the unknown are
    unknown.
    """

    kind: str
    name: str
    person_id: int | None = None
    voice_id: int | None = None
    videos: int = 0
    speakers: int = 0
    speech_s: float = 0.0
    enrolled_s: float = 0.0
    enrolments: Mapping[str, int] = field(default_factory=dict)
    decided_by: Mapping[str, int] = field(default_factory=dict)
    moments: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)


def resolve(database: Database, text: str) -> SpeakerRef:
    """The person of this name, or the voice of `voice 7`. Raises Unknown, with a similar name if there is one."""
    number = parse_voice_label(text)
    if number is not None:
        members_of(database, number)
        return SpeakerRef(voice_label(number), voice_id=number)
    person = find_person(database, text)
    if person is None:
        suggestion = suggest(database, text)
        raise Unknown(f"There is no person named {text!r}.", f"{suggestion}`earshot people list` shows all people.")
    return SpeakerRef(person.name, person_id=person.person_id)


def suggest(database: Database, text: str) -> str:
    """ "Did you mean Ana? " for the most similar name, "" if there is none."""
    names = {name_key(person.name): person.name for person in list_people(database)}
    near = get_close_matches(name_key(text), names, n=1)
    return f"Did you mean {names[near[0]]}? " if near else ""


def labels(database: Database) -> dict[Key, str]:
    """The displayed name of each local speaker: a person's name, "voice 7" or Unknown."""
    rows = database.query(
        "SELECT video_id, local_speaker, voice_id, name FROM identities LEFT JOIN people USING (person_id) "
        "ORDER BY video_id, local_speaker"
    )
    return {(row["video_id"], row["local_speaker"]): _display_name(row) for row in rows}


def describe_changes(before: Mapping[Key, str], after: Mapping[Key, str]) -> list[str]:
    """One sentence per new name: "3 speakers in 3 videos are now Ana." """
    renamed: defaultdict[str, list[Key]] = defaultdict(list)
    for key, label in after.items():
        if before.get(key) != label:
            renamed[label].append(key)
    return [
        f"{describe_speakers(keys)} {'is' if len(keys) == 1 else 'are'} now {label}." for label, keys in sorted(renamed.items())
    ]


def list_known(database: Database, space: VoiceSpace) -> list[KnownSpeaker]:
    """Each person and anonymous voice, those in most videos first; last, if there are any, the unknown speakers together."""
    groups: defaultdict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    identities = database.query(
        "SELECT video_id, person_id, voice_id, decided_by, reason, coalesce(speech_s, 0) AS speech_s "
        "FROM identities LEFT JOIN local_speakers USING (video_id, local_speaker) ORDER BY video_id, local_speaker"
    )
    for row in identities:
        kind = "person" if row["person_id"] else "voice" if row["voice_id"] else "unknown"
        groups[kind, row["person_id"] or row["voice_id"] or 0].append(row)
    enrolled = _enrolled(database, space)
    people = database.query(
        "SELECT person_id, name, count(DISTINCT video_id) AS moments FROM people LEFT JOIN segment_overrides USING (person_id) "
        "GROUP BY person_id ORDER BY person_id"
    )
    known = [
        _known("person", groups.pop(("person", row["person_id"]), []), **row, **enrolled.get(row["person_id"], {}))
        for row in people
    ]
    unknown = groups.pop(("unknown", 0), [])
    known += [_known(kind, rows, name=voice_label(number), voice_id=number) for (kind, number), rows in groups.items()]
    known.sort(key=lambda speaker: (-speaker.videos, -speaker.speech_s, speaker.kind, speaker.person_id or speaker.voice_id))
    if unknown:
        reasons = dict(Counter(kind_of(row["reason"]) for row in unknown).most_common())
        known.append(_known("unknown", unknown, name=UNKNOWN.shown, reasons=reasons))
    return known


def _known(kind: str, rows: Sequence[Mapping[str, Any]], **more: Any) -> KnownSpeaker:
    """The speaker that these rows of `identities` are decided to be; `more` are the other fields."""
    return KnownSpeaker(
        kind=kind,
        videos=len({row["video_id"] for row in rows}),
        speakers=len(rows),
        speech_s=sum(row["speech_s"] for row in rows),
        decided_by=dict(Counter(row["decided_by"] for row in rows).most_common()),
        **more,
    )


def _enrolled(database: Database, space: VoiceSpace) -> dict[int, dict[str, Any]]:
    """Per person: seconds of clean speech in the enrolments in use, and the number of enrolments by verdict."""
    rows = database.query(
        in_space("""
            SELECT person_id, coalesce(sum(clean_s) FILTER (WHERE verdict IN ('good', 'fair')), 0) AS enrolled_s,
                json_object_agg(verdict, enrolments ORDER BY verdict) AS enrolments
            FROM (SELECT e.person_id, coalesce(verdict, 'pending') AS verdict, count(*) AS enrolments, sum(clean_s) AS clean_s
                FROM enrolments e LEFT JOIN enrolment_judgements j ON j.enrolment_id = e.enrolment_id AND {in_space}
                GROUP BY 1, 2) counted
            GROUP BY person_id
        """),
        space.columns,
    )
    return {row.pop("person_id"): row for row in rows}


def _display_name(row: dict[str, Any]) -> str:
    return row["name"] or (voice_label(row["voice_id"]) if row["voice_id"] else UNKNOWN.shown)
