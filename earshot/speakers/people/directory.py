"""Directory of people and anonymous voices: lookup by name, lists and details, and what changed after an identification.

Reads the decisions of the asset `people` (table `identities`) and makes none. Every score is a cosine similarity in the voice
space of its row.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from earshot.common.errors import EarshotError
from earshot.common.times import link_at
from earshot.config.names import name_key
from earshot.speakers.corrections.claims import CorrectionSet, corrections_touching
from earshot.speakers.corrections.constraints import read_turns
from earshot.speakers.corrections.targets import describe_correction, describe_speakers, members_of
from earshot.speakers.tables.corrections import Correction, list_corrections
from earshot.speakers.tables.people import find_person, list_people
from earshot.speakers.tables.voice_space import VoiceSpace, in_space
from earshot.speakers.voices.assignment import kind_of
from earshot.speakers.voices.speakers import Key
from earshot.storage.database import Database
from earshot.transcripts.speaker_names import UNKNOWN, parse_voice_label, voice_label
from earshot.transcripts.speaker_refs import SpeakerRef


def resolve(database: Database, text: str) -> SpeakerRef:
    """The person of this name, or the voice of `voice 7`. Raises EarshotError, with a similar name if there is one."""
    number = parse_voice_label(text)
    if number is not None:
        members_of(database, number)
        return SpeakerRef(voice_label(number), voice_id=number)
    person = find_person(database, text)
    if person is None:
        suggestion = suggest(database, text)
        raise EarshotError(f"There is no person named {text!r}.", f"{suggestion}`earshot people list` shows all people.")
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


def list_known(database: Database, space: VoiceSpace) -> list[dict[str, Any]]:
    """One row per person and anonymous voice, those in most videos first; a last row sums the Unknown speakers, if any.

    Keys: kind (person, voice or unknown), name, person_id, voice_id, videos, speakers, speech_s, decided_by ({what: speakers}),
    moments (number of videos in which corrections give single turns to the person), enrolled_s and enrolments ({verdict or
    `pending`: count}) in this space. The row of Unknown also has reasons ({kind: speakers}).
    """
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
    rows = [
        {**_known("person", "", groups.pop(("person", row["person_id"]), [])), **row, **enrolled.get(row["person_id"], {})}
        for row in people
    ]
    unknown = groups.pop(("unknown", 0), [])
    rows += [_known(kind, voice_label(number), speakers, voice_id=number) for (kind, number), speakers in groups.items()]
    rows.sort(key=lambda row: (-row["videos"], -row["speech_s"], row["kind"], row["person_id"] or row["voice_id"]))
    if unknown:
        reasons = dict(Counter(kind_of(row["reason"]) for row in unknown).most_common())
        rows.append({**_known("unknown", UNKNOWN.shown, unknown), "reasons": reasons})
    return rows


def show_known(database: Database, who: SpeakerRef, space: VoiceSpace) -> dict[str, Any]:
    """Everything about one person or voice.

    Keys: name, person_id, voice_id, notes, score (what scores mean), speaks (`appearances()`), moments (`moments_of()`),
    enrolments (`enrolments_of()`), and corrections (number, kind, told): those that name the person or cover any solo time of
    their speakers.
    """
    people = {person.person_id: person for person in list_people(database)}
    speaks = appearances(database, who.person_id, who.voice_id)
    names = {number: person.name for number, person in people.items()}
    return {
        "name": who.name,
        "person_id": who.person_id,
        "voice_id": who.voice_id,
        "notes": people[who.person_id].notes if who.person_id in people else "",
        "score": f"cosine similarity, -1 to 1, of {space.model} vectors",
        "speaks": speaks,
        "moments": moments_of(database, who.person_id) if who.person_id else [],
        "enrolments": enrolments_of(database, who.person_id, space) if who.person_id else [],
        "corrections": [
            {"number": correction.correction_id, "kind": correction.kind, "told": describe_correction(correction, names)}
            for correction in _corrections_of(database, who, {(row["video_id"], row["local_speaker"]) for row in speaks})
        ],
    }


def _corrections_of(database: Database, who: SpeakerRef, speakers: set[Key]) -> list[Correction]:
    """The corrections that name the person or cover any solo time of these speakers."""
    corrections = list_corrections(database)
    turns = read_turns(database, {video_id for video_id, _ in speakers})
    touching = corrections_touching(CorrectionSet(corrections, turns), speakers)
    return [
        correction
        for correction in corrections
        if correction.correction_id in touching or (who.person_id is not None and correction.person_id == who.person_id)
    ]


def appearances(database: Database, person_id: int | None = None, voice_id: int | None = None) -> list[dict[str, Any]]:
    """Where a person or voice speaks: one row per local speaker, newest video first.

    Keys: video_id, title, local_speaker, speech_s, first_s and link (the first turn), score and margin (cosines), decided_by,
    and excerpt (start_s, text, link): the longest passage, or None.
    """
    rows = database.query(
        """
        SELECT i.video_id, v.title, v.url, i.local_speaker, coalesce(l.speech_s, 0) AS speech_s,
            (SELECT min(t.start_s) FROM turns t WHERE (t.video_id, t.local_speaker) = (i.video_id, i.local_speaker)) AS first_s,
            i.score, i.margin, i.decided_by, excerpt.start_s AS excerpt_s, excerpt.text
        FROM identities i JOIN videos v USING (video_id) LEFT JOIN local_speakers l USING (video_id, local_speaker)
            LEFT JOIN LATERAL (SELECT p.start_s, p.text FROM searched_passages p
                WHERE p.video_id = i.video_id AND p.local_speaker = i.local_speaker
                    AND NOT EXISTS (SELECT FROM segment_overrides m
                        WHERE m.video_id = p.video_id AND m.start_s < p.end_s AND m.end_s > p.start_s)
                ORDER BY p.end_s - p.start_s DESC, p.start_s LIMIT 1) excerpt ON true
        WHERE i.person_id = %(person)s OR i.voice_id = %(voice)s
        ORDER BY v.published_at DESC NULLS LAST, i.video_id, i.local_speaker
        """,
        {"person": person_id, "voice": voice_id},
    )
    return [_appearance(row) for row in rows]


def moments_of(database: Database, person_id: int) -> list[dict[str, Any]]:
    """The times that corrections give to a person within other speakers, in order of video and time.

    Keys: video_id, title, start_s, end_s, text and link.
    """
    rows = database.query(
        """
        SELECT m.video_id, v.title, v.url, coalesce(min(w.start_s), m.start_s) AS start_s, m.end_s,
            btrim(coalesce(string_agg(w.text, '' ORDER BY w.word_index), '')) AS text
        FROM segment_overrides m JOIN videos v USING (video_id) LEFT JOIN words w ON w.video_id = m.video_id
            AND m.start_s <= (w.start_s + w.end_s) / 2 AND m.end_s > (w.start_s + w.end_s) / 2
        WHERE m.person_id = %s GROUP BY m.video_id, m.start_s, m.end_s, v.video_id ORDER BY m.video_id, m.start_s
        """,
        [person_id],
    )
    return [{**row, "link": link_at(url, row["start_s"])} for row in rows for url in [row.pop("url")]]


def _appearance(row: dict[str, Any]) -> dict[str, Any]:
    url, excerpt_s, text = row.pop("url"), row.pop("excerpt_s"), row.pop("text")
    excerpt = None if text is None else {"start_s": excerpt_s, "text": text, "link": link_at(url, excerpt_s)}
    return {**row, "link": link_at(url, row["first_s"] or 0.0), "excerpt": excerpt}


def enrolments_of(database: Database, person_id: int, space: VoiceSpace) -> list[dict[str, Any]]:
    """The person's enrolments with their judgements in this space; the verdict is None if not judged yet."""
    return database.query(
        in_space("""
            SELECT e.enrolment_id, e.kind, e.recording, e.start_s, e.end_s, e.listed, j.verdict, j.reasons, j.clean_s,
                j.other_voice_s, j.spread
            FROM enrolments e LEFT JOIN enrolment_judgements j ON j.enrolment_id = e.enrolment_id AND {in_space}
            WHERE e.person_id = %(person)s ORDER BY e.enrolment_id
        """),
        {**space.columns, "person": person_id},
    )


def _known(kind: str, name: str, rows: list[dict[str, Any]], voice_id: int | None = None) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": name,
        "person_id": None,
        "voice_id": voice_id,
        "videos": len({row["video_id"] for row in rows}),
        "speakers": len(rows),
        "speech_s": sum(row["speech_s"] for row in rows),
        "enrolled_s": 0.0,
        "enrolments": {},
        "decided_by": dict(Counter(row["decided_by"] for row in rows).most_common()),
        "moments": 0,
    }


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
