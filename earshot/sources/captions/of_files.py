"""Finds captions beside a local recording: `talk.vtt` or `talk.en.srt` for `talk.mp3`. Reads no content."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from earshot.sources.captions.choice import choose_file, language_of
from earshot.storage.catalog.entries import CaptionFile

SUFFIXES = {".vtt": "vtt", ".srt": "srt"}


def captions_by_name(files: Iterable[Path]) -> Mapping[str, list[Path]]:
    """The files of captions among these, by their path without suffix."""
    found: dict[str, list[Path]] = {}
    for file in files:
        if file.suffix.lower() in SUFFIXES:
            for stem in {file.stem, Path(file.stem).stem}:
                found.setdefault(str(file.with_name(stem)), []).append(file)
    return found


def captions_beside(recording: Path, by_name: Mapping[str, list[Path]], spoken: str) -> CaptionFile | None:
    """The captions of a recording in the spoken language (whisper's code, "" if it is not known), or that name none."""
    named = [(file, file.stem[len(recording.stem) + 1 :]) for file in sorted(by_name.get(str(recording.with_suffix("")), ()))]
    known = [(file, tag) for file, tag in named if not tag or language_of(tag)]
    return choose_file([_described(file) for file, _ in known], [tag for _, tag in known], spoken)


def _described(file: Path) -> CaptionFile:
    try:
        status = file.stat()
    except OSError:  # moved away since the folder was read: reading it will say so
        return CaptionFile(str(file), SUFFIXES[file.suffix.lower()], "")
    return CaptionFile(str(file), SUFFIXES[file.suffix.lower()], "", f"{status.st_size} {status.st_mtime_ns}")
