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
    from earshot.library.corrections import ListedCorrection, SpeakerChange
    from earshot.library.exports import ExportSummary
    from earshot.library.library import Library, open_library
    from earshot.library.people import KnownSpeaker, SpeakerDetails
    from earshot.library.runs import Backfill, IngestResult
    from earshot.library.search import SearchResult
    from earshot.library.sources import WatchedSource
    from earshot.library.transcript import Transcript
    from earshot.library.videos import ListedVideo
    from earshot.transcripts.search.query import Hit

__all__ = [
    "Backfill",
    "EarshotError",
    "ExportSummary",
    "Hit",
    "IngestResult",
    "KnownSpeaker",
    "Library",
    "ListedCorrection",
    "ListedVideo",
    "SearchResult",
    "SpeakerChange",
    "SpeakerDetails",
    "Transcript",
    "WatchedSource",
    "open_library",
]

_MODULES = {
    "Backfill": "earshot.library.runs",
    "EarshotError": "earshot.common.errors",
    "ExportSummary": "earshot.library.exports",
    "Hit": "earshot.transcripts.search.query",
    "IngestResult": "earshot.library.runs",
    "KnownSpeaker": "earshot.library.people",
    "Library": "earshot.library.library",
    "ListedCorrection": "earshot.library.corrections",
    "ListedVideo": "earshot.library.videos",
    "SearchResult": "earshot.library.search",
    "SpeakerChange": "earshot.library.corrections",
    "SpeakerDetails": "earshot.library.people",
    "Transcript": "earshot.library.transcript",
    "WatchedSource": "earshot.library.sources",
    "open_library": "earshot.library.library",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'earshot' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
