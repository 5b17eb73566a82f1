"""Evaluation: finds the video of each reference, and compares the references with what the library has of it.

A reference belongs to the video whose key, title or file name, tried in this order, is the reference's name; letter case is
ignored. Exports name their videos by key, so an export that was corrected by hand is a reference, too.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from earshot.common.errors import EarshotError, Unknown
from earshot.common.text import join_first, pluralize
from earshot.library.lookup import known_video
from earshot.storage.database import Database
from earshot.transcripts.attribution.speaker_names import UNKNOWN, Speaker
from earshot.transcripts.evaluation.scores import Evaluation, Transcribed, evaluate_videos
from earshot.transcripts.evaluation.speakers import Turn
from earshot.transcripts.evaluation.words import Word, whole_words
from earshot.transcripts.formats.files import key_in
from earshot.transcripts.recordings import Recording, read_recording
from earshot.transcripts.references.references import Reference, combine, find_references, read_references

MAX_LISTED = 10  # names in a message


def evaluate(database: Database, paths: Sequence[Path], video: str | None, collar_s: float) -> Evaluation:
    """Compare the references in these files and folders with their videos, or the only one with this video (key or title).

    Raises EarshotError if a file cannot be read, a reference has no video, or a video has no transcript.
    """
    if not 0.0 <= collar_s < float("inf"):
        raise EarshotError(f"The collar is {collar_s:g} s.", "Give seconds, 0 or more.")
    references = [reference for path in find_references(paths) for reference in read_references(path)]
    if not references:
        raise EarshotError(f"{paths[0]} has no recording to compare.", "Name a reference in which something is said.")
    matched = _matched(database, references) if video is None else _as_video(database, references, video)
    truths = {video_id: combine(together) for video_id, together in sorted(matched.items())}
    return evaluate_videos(((truth, transcribed(read_recording(database, key))) for key, truth in truths.items()), collar_s)


def transcribed(recording: Recording) -> Transcribed:
    """What is compared of a recording: its words as corrected, its turns, and the displayed speakers of both."""
    words, turns, video = recording.words, recording.turns, recording.video
    speakers = recording.names.of_spans(words, recording.word_speakers())
    speaking = recording.names.of_spans(turns, turns.local_speaker.tolist())
    return Transcribed(
        video.video_id,
        video.title or video.video_id,
        video.url,
        video.duration_s or 0.0,
        tuple(whole_words(map(_word, words.text.tolist(), words.start_s.tolist(), speakers))),
        tuple(map(Turn, turns.start_s.tolist(), turns.end_s.tolist(), (speaker.shown for speaker in speaking))),
        frozenset(each.shown for each in (*speakers, *speaking) if each.person is not None or each.voice is not None),
    )


def _word(text: str, start_s: float, speaker: Speaker) -> Word:
    return Word(text, start_s, None if speaker == UNKNOWN else speaker.shown)


def _as_video(database: Database, references: Sequence[Reference], video: str) -> Mapping[str, Sequence[Reference]]:
    names = dict.fromkeys(reference.name for reference in references)
    if len(names) > 1:
        message = f"The references are of {pluralize(len(names), 'recording')}: {join_first(list(names), MAX_LISTED)}."
        raise EarshotError(message, "Name one video for one recording only.")
    return {known_video(database, video).video_id: references}


def _matched(database: Database, references: Sequence[Reference]) -> Mapping[str, Sequence[Reference]]:
    """The references of each video. Raises Unknown if one has no video, EarshotError if one has several."""
    catalogue = _read_catalogue(database)
    matched: defaultdict[str, list[Reference]] = defaultdict(list)
    missing: dict[str, Path] = {}
    for reference in references:
        found = catalogue.named(reference.name)
        if len(found) > 1:
            raise EarshotError(
                f"Several videos are called {reference.name!r}.", f"Use one of their keys: {join_first(found, MAX_LISTED)}."
            )
        for key in found:
            matched[key].append(reference)
        if not found:
            missing[reference.name] = reference.path
    if missing:
        names = join_first([f"{name!r} ({path})" for name, path in missing.items()], MAX_LISTED)
        there = (
            f"The library has {join_first(catalogue.shown, MAX_LISTED)}."
            if catalogue.shown
            else "The library has no videos yet."
        )
        raise Unknown(f"No video is called {names}.", f"{there} Name references by key, title or file name, or use --video.")
    return matched


@dataclass(frozen=True)
class _Catalogue:
    """All videos: the keys of those with a name, by kind of name, and all of them as messages list them."""

    by_name: Sequence[Mapping[str, Sequence[str]]]
    shown: Sequence[str]

    def named(self, name: str) -> Sequence[str]:
        """The keys of the videos with this name, in the first kind of name that any has."""
        kinds = zip(self.by_name, (key_in(name) or name, name, name), strict=True)
        return next((keys for names, wanted in kinds if (keys := names.get(wanted.casefold()))), ())


def _read_catalogue(database: Database) -> _Catalogue:
    rows = database.query("SELECT video_id, title, url FROM videos ORDER BY title, video_id")
    by_name: list[defaultdict[str, list[str]]] = [defaultdict(list) for _ in range(3)]
    for row in rows:
        for names, name in zip(by_name, (row["video_id"], row["title"], _stem(row["url"])), strict=True):
            names[name.casefold()].append(row["video_id"])
    return _Catalogue(by_name, [f"{row['video_id']} ({row['title']})" for row in rows])


def _stem(url: str) -> str:
    """The name of the file that a URL or path leads to, without its suffix."""
    return PurePosixPath(url if url.startswith("/") else unquote(urlsplit(url).path)).stem
