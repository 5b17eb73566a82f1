"""Earshot, the library: everything said on a channel, searchable by meaning, by word and by speaker.

    import earshot

    library = earshot.open_library()
    for hit in library.search("who paid for the bridge").hits:
        print(hit.title, hit.start_s, hit.speakers, hit.text)

Only what is in `__all__` is for other programs: docs/reference/python.md. Each name is imported when it is first used, so
that `import earshot` takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from earshot.common.errors import EarshotError
    from earshot.library.backup.backup import BackupSummary
    from earshot.library.backup.restore import RestoreSummary
    from earshot.library.exporting.exports import ExportSummary
    from earshot.library.library import Library, open_library
    from earshot.library.people.changes import SpeakerChange
    from earshot.library.reading.question import SearchResult
    from earshot.library.reading.transcript import Transcript
    from earshot.library.reading.word_corrections import ListedWordCorrection, WordChange
    from earshot.library.sources.sources import WatchedSource
    from earshot.library.videos import ListedVideo
    from earshot.library.work.backfill import Backfill
    from earshot.library.work.ingest import IngestResult
    from earshot.speakers.corrections.listing import ListedCorrection
    from earshot.speakers.people.details import Appearance, Enrolment, SpeakerDetails
    from earshot.speakers.people.directory import KnownSpeaker
    from earshot.speakers.people.forget import ForgetSummary
    from earshot.transcripts.evaluation.scores import Evaluation
    from earshot.transcripts.search.hits import Hit
    from ingest_assets.stages.staleness import StaleStage

__all__ = [
    "Appearance",
    "Backfill",
    "BackupSummary",
    "EarshotError",
    "Enrolment",
    "Evaluation",
    "ExportSummary",
    "ForgetSummary",
    "Hit",
    "IngestResult",
    "KnownSpeaker",
    "Library",
    "ListedCorrection",
    "ListedVideo",
    "ListedWordCorrection",
    "RestoreSummary",
    "SearchResult",
    "SpeakerChange",
    "SpeakerDetails",
    "StaleStage",
    "Transcript",
    "WatchedSource",
    "WordChange",
    "open_library",
]

_MODULES = {
    "Appearance": "earshot.speakers.people.details",
    "Backfill": "earshot.library.work.backfill",
    "BackupSummary": "earshot.library.backup.backup",
    "EarshotError": "earshot.common.errors",
    "Enrolment": "earshot.speakers.people.details",
    "Evaluation": "earshot.transcripts.evaluation.scores",
    "ExportSummary": "earshot.library.exporting.exports",
    "ForgetSummary": "earshot.speakers.people.forget",
    "Hit": "earshot.transcripts.search.hits",
    "IngestResult": "earshot.library.work.ingest",
    "KnownSpeaker": "earshot.speakers.people.directory",
    "Library": "earshot.library.library",
    "ListedCorrection": "earshot.speakers.corrections.listing",
    "ListedVideo": "earshot.library.videos",
    "ListedWordCorrection": "earshot.library.reading.word_corrections",
    "RestoreSummary": "earshot.library.backup.restore",
    "SearchResult": "earshot.library.reading.question",
    "SpeakerChange": "earshot.library.people.changes",
    "SpeakerDetails": "earshot.speakers.people.details",
    "StaleStage": "ingest_assets.stages.staleness",
    "Transcript": "earshot.library.reading.transcript",
    "WatchedSource": "earshot.library.sources.sources",
    "WordChange": "earshot.library.reading.word_corrections",
    "open_library": "earshot.library.library",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'earshot' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
