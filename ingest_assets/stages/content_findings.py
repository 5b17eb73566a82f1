"""Content findings: the content checks of a stage, against the other videos of its source.

earshot/transcripts/content_checks.py has the rules. This module reads what is usual for the source, and turns the outcomes into
findings, which are stored and reported like those about the speed. A finding is a warning at most, with the check as its cause.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from earshot.storage.catalog.videos import Video
from earshot.storage.database import Database
from earshot.timings.baseline import Level
from earshot.timings.judgement import CheckOutcome
from earshot.transcripts.content_checks import ContentOutcome, Spoken, speakers_outcome, transcript_outcomes

if TYPE_CHECKING:  # imports torch
    from earshot.models.speech.transcriber import Transcription

COMPARED = 20  # of the source's videos, the last registered

_OTHERS = """
    WITH others AS (
        SELECT video_id FROM videos WHERE source = %(source)s AND video_id <> %(video)s AND state = 'ready'
        ORDER BY registered_at DESC, video_id LIMIT %(compared)s)
"""


def transcript_findings(database: Database, video: Video, transcript: "Transcription", duration_s: float) -> list[CheckOutcome]:
    """The content checks of a transcript; `duration_s` is that of the recording."""
    rows = _of_others(
        database, video, "SELECT language FROM others JOIN transcripts USING (video_id) WHERE language IS NOT NULL"
    )
    spoken = Spoken(
        transcript.segments,
        transcript.words,
        duration_s,
        transcript.speech_s,
        transcript.language,
        transcript.heard_language,
    )
    return [_finding(outcome) for outcome in transcript_outcomes(spoken, [str(row["language"]) for row in rows])]


def turn_findings(database: Database, video: Video, speakers: int, hint: str) -> list[CheckOutcome]:
    """The content check of a diarization that heard this many speakers; `hint` is the user's, "" if there is none."""
    counted = "SELECT count(DISTINCT local_speaker) AS speakers FROM others JOIN turns USING (video_id) GROUP BY video_id"
    rows = _of_others(database, video, counted)
    return [_finding(speakers_outcome(speakers, [int(row["speakers"]) for row in rows], hint))]


def _of_others(database: Database, video: Video, statement: str) -> Sequence[dict[str, Any]]:
    parameters = {"source": video.source, "video": video.video_id, "compared": COMPARED}
    return database.query(_OTHERS + statement, parameters)


def _finding(outcome: ContentOutcome) -> CheckOutcome:
    if outcome.figure is None:
        return CheckOutcome(outcome.check, Level.NOT_EVALUATED, outcome.message)
    if outcome.passed:
        return CheckOutcome(outcome.check, Level.OK, outcome.message)
    return CheckOutcome(outcome.check, Level.WARN, outcome.message, cause=outcome.check)
