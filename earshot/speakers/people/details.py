"""Details of one person or anonymous voice: where they speak and why that was decided, their recordings and corrections.

Reads the decisions of the asset `people` (table `identities`) and makes none. Every score is a cosine similarity in the voice
space of its row.
"""

from dataclasses import dataclass
from typing import Any

from earshot.common.times import link_at
from earshot.speakers.corrections.claims import CorrectionSet, corrections_touching
from earshot.speakers.corrections.constraints import read_turns
from earshot.speakers.corrections.listing import ListedCorrection, listed
from earshot.speakers.tables.corrections import Correction, list_corrections
from earshot.speakers.tables.people import list_people
from earshot.speakers.tables.voice_space import VoiceSpace, in_space
from earshot.speakers.voices.speakers import Key
from earshot.storage.database import Database
from earshot.transcripts.attribution.speaker_refs import SpeakerRef
from earshot.transcripts.corrections.corrected_words import rows_in, text_of
from earshot.transcripts.corrections.word_corrections import corrected_videos, read_words


@dataclass(frozen=True)
class Quote:
    """A passage: its text, its start in seconds of the recording, and a link that opens the video there."""

    start_s: float
    text: str
    link: str


@dataclass(frozen=True)
class Appearance:
    """A local speaker who is this person or voice, and why: `score` and `margin` are cosines, None if none was computed.

    `first_s` is when they first speak; `link` opens the video there. `excerpt` is their longest passage.
    """

    video_id: str
    title: str
    local_speaker: str
    speech_s: float
    first_s: float | None
    score: float | None
    margin: float | None
    decided_by: str
    link: str
    excerpt: Quote | None


@dataclass(frozen=True)
class Moment:
    """A part of another speaker's speech that corrections give to this person: its interval in seconds, and its text."""

    video_id: str
    title: str
    start_s: float
    end_s: float
    text: str
    link: str


@dataclass(frozen=True)
class Enrolment:
    """A recording of the person from `start_s` to `end_s` seconds (None: to its end). `listed`: it comes from people.yaml.

    `verdict` is good, fair or refused, None until it is judged; `clean_s` and `other_voice_s` are seconds, `spread` is the
    lowest cosine of a sample to the mean of all samples.
    """

    enrolment_id: int
    kind: str
    recording: str
    start_s: float
    end_s: float | None
    listed: bool
    verdict: str | None
    reasons: str | None
    clean_s: float | None
    other_voice_s: float | None
    spread: float | None


@dataclass(frozen=True)
class SpeakerDetails:
    """A person or voice in detail. `score` explains the scores. The corrections are those that name the person or cover
    any solo time of their speakers."""

    name: str
    person_id: int | None
    voice_id: int | None
    notes: str
    score: str
    speaks: tuple[Appearance, ...]
    moments: tuple[Moment, ...]
    enrolments: tuple[Enrolment, ...]
    corrections: tuple[ListedCorrection, ...]


def show_known(database: Database, who: SpeakerRef, space: VoiceSpace) -> SpeakerDetails:
    """Everything about one person or voice."""
    people = {person.person_id: person for person in list_people(database)}
    speaks = appearances(database, who.person_id, who.voice_id)
    names = {number: person.name for number, person in people.items()}
    touching = _corrections_of(database, who, {(place.video_id, place.local_speaker) for place in speaks})
    return SpeakerDetails(
        name=who.name,
        person_id=who.person_id,
        voice_id=who.voice_id,
        notes=people[who.person_id].notes if who.person_id in people else "",
        score=f"cosine similarity, -1 to 1, of {space.model} vectors",
        speaks=speaks,
        moments=moments_of(database, who.person_id) if who.person_id else (),
        enrolments=enrolments_of(database, who.person_id, space) if who.person_id else (),
        corrections=tuple(listed(correction, names) for correction in touching),
    )


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


def appearances(database: Database, person_id: int | None = None, voice_id: int | None = None) -> tuple[Appearance, ...]:
    """Where a person or voice speaks, newest video first."""
    rows = database.query(
        """
        SELECT i.video_id, v.title, v.url, i.local_speaker, coalesce(l.speech_s, 0) AS speech_s,
            (SELECT min(t.start_s) FROM turns t WHERE (t.video_id, t.local_speaker) = (i.video_id, i.local_speaker)) AS first_s,
            i.score, i.margin, i.decided_by, excerpt.start_s AS excerpt_s, excerpt.text
        FROM identities i JOIN videos v USING (video_id) LEFT JOIN local_speakers l USING (video_id, local_speaker)
            LEFT JOIN LATERAL (SELECT p.start_s, p.text FROM searched_passages p
                WHERE p.video_id = i.video_id AND p.local_speaker = i.local_speaker AND p.text <> ''
                    AND NOT EXISTS (SELECT FROM segment_overrides m
                        WHERE m.video_id = p.video_id AND m.start_s < p.end_s AND m.end_s > p.start_s)
                ORDER BY p.end_s - p.start_s DESC, p.start_s LIMIT 1) excerpt ON true
        WHERE i.person_id = %(person)s OR i.voice_id = %(voice)s
        ORDER BY v.published_at DESC NULLS LAST, i.video_id, i.local_speaker
        """,
        {"person": person_id, "voice": voice_id},
    )
    return tuple(_appearance(row) for row in rows)


def moments_of(database: Database, person_id: int) -> tuple[Moment, ...]:
    """The times that corrections give to a person within other speakers, in order of video and time."""
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
    words = {
        video_id: read_words(database, video_id) for video_id in corrected_videos(database, [row["video_id"] for row in rows])
    }
    for row in rows:
        if (said := words.get(row["video_id"])) is not None:
            row["text"] = text_of(said, rows_in(said, row["start_s"], row["end_s"]))
    return tuple(Moment(link=link_at(row.pop("url"), row["start_s"]), **row) for row in rows)


def _appearance(row: dict[str, Any]) -> Appearance:
    url, excerpt_s, text = row.pop("url"), row.pop("excerpt_s"), row.pop("text")
    excerpt = None if text is None else Quote(excerpt_s, text, link_at(url, excerpt_s))
    return Appearance(**row, link=link_at(url, row["first_s"] or 0.0), excerpt=excerpt)


def enrolments_of(database: Database, person_id: int, space: VoiceSpace) -> tuple[Enrolment, ...]:
    """The person's enrolments with their judgements in this space."""
    rows = database.query(
        in_space("""
            SELECT e.enrolment_id, e.kind, e.recording, e.start_s, e.end_s, e.listed, j.verdict, j.reasons, j.clean_s,
                j.other_voice_s, j.spread
            FROM enrolments e LEFT JOIN enrolment_judgements j ON j.enrolment_id = e.enrolment_id AND {in_space}
            WHERE e.person_id = %(person)s ORDER BY e.enrolment_id
        """),
        {**space.columns, "person": person_id},
    )
    return tuple(Enrolment(**row) for row in rows)
