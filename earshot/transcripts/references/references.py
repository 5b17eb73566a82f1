"""References: what a user knows to be said in recordings, and by whom, read from files of six formats.

| suffix | names its recordings | words | who speaks when |
|---|---|---|---|
| `.stm`, `.seglst.json` (alone also `.json`) | inside | yes | yes |
| `.rttm` | inside | no | yes |
| `.srt`, `.vtt`, `.txt` | by the file's name | yes | no |

A file is read as a whole before anything is compared, so that a mistake in one costs nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from earshot.common.errors import EarshotError
from earshot.common.timeline import Interval
from earshot.transcripts.evaluation.speakers import Turn
from earshot.transcripts.evaluation.words import Word
from earshot.transcripts.references.cues import read_srt, read_vtt
from earshot.transcripts.references.documents import read_seglst, read_txt
from earshot.transcripts.references.lines import read_rttm, read_stm
from earshot.transcripts.references.segments import Segment


@dataclass(frozen=True)
class ReferenceFormat:
    """How to read a file, and whether its segments are turns: the times at which somebody speaks."""

    read: Callable[[str, Path], Iterator[Segment]]
    turns: bool = False


FORMATS = {
    ".stm": ReferenceFormat(read_stm, turns=True),
    ".rttm": ReferenceFormat(read_rttm, turns=True),
    ".srt": ReferenceFormat(read_srt),
    ".vtt": ReferenceFormat(read_vtt),
    ".txt": ReferenceFormat(read_txt),
    ".seglst.json": ReferenceFormat(read_seglst, turns=True),
}
SUFFIXES = ", ".join(FORMATS)


@dataclass(frozen=True)
class Reference:
    """What a file says of one recording; None for what its format does not say. `unscored`: times that no score counts."""

    name: str
    path: Path
    words: tuple[Word, ...] | None
    turns: tuple[Turn, ...] | None
    unscored: tuple[Interval, ...] = ()


@dataclass(frozen=True)
class Truth:
    """All that references say of one recording: the words of one file, the turns of one, maybe another."""

    files: tuple[Path, ...]
    words: tuple[Word, ...] | None
    turns: tuple[Turn, ...] | None
    unscored: tuple[Interval, ...] = ()


def find_references(paths: Iterable[Path]) -> list[Path]:
    """The files, and of each folder those within that have a suffix of FORMATS. Raises EarshotError if there are none."""
    files: list[Path] = []
    for path in paths:
        found = sorted(file for file in path.rglob("*") if _is_reference(file)) if path.is_dir() else [path]
        if not found:
            raise EarshotError(f"{path} has no references.", f"They are files ending in {SUFFIXES}.")
        files += found
    return list(dict.fromkeys(files))


def _is_reference(file: Path) -> bool:
    return file.name.lower().endswith(tuple(FORMATS)) and not file.name.startswith(".") and file.is_file()


def read_references(path: Path) -> list[Reference]:
    """What the file says of each of its recordings. Raises EarshotError with file, line and what was expected."""
    suffix = _suffix(path)
    form, text = FORMATS[suffix], _text(path)
    recordings: dict[str, list[Segment]] = {}
    for segment in form.read(text, path):
        recordings.setdefault(segment.recording or path.name[: -len(suffix)], []).append(segment)
    if not recordings and suffix in (".srt", ".vtt"):
        recordings[path.name[: -len(suffix)]] = []  # nothing is said
    return [_reference(name, path, form, segments) for name, segments in recordings.items()]


def _suffix(path: Path) -> str:
    name = path.name.lower()
    suffix = next((suffix for suffix in FORMATS if name.endswith(suffix)), None)
    if suffix is None and name.endswith(".json"):
        return ".seglst.json"
    if suffix is None:
        raise EarshotError(f"{path} is in no format of references.", f"They are files ending in {SUFFIXES}.")
    return suffix


def _text(path: Path) -> str:
    """The file's text, with line breaks as `\\n`. Raises EarshotError."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise EarshotError(f"{path}, line {line}: expected UTF-8.", "Save the file as UTF-8.") from None
    except OSError as error:
        raise EarshotError(f"{path} cannot be read: {error.strerror}.", "Name files or folders of references.") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _reference(name: str, path: Path, form: ReferenceFormat, segments: Sequence[Segment]) -> Reference:
    scored = [segment for segment in segments if segment.scored]
    in_order = sorted(scored, key=lambda segment: segment.start_s or 0.0)
    has_words = form.read is not read_rttm
    timed = form.turns and all(segment.start_s is not None and segment.speaker is not None for segment in scored)
    return Reference(
        name,
        path,
        tuple(word for segment in in_order for word in _words(segment)) if has_words else None,
        tuple(turn for segment in in_order for turn in _turns(segment)) if timed else None,
        tuple((segment.start_s or 0.0, segment.end_s or 0.0) for segment in segments if not segment.scored),
    )


def _words(segment: Segment) -> Iterator[Word]:
    """The segment's words, their times spread evenly by letters."""
    texts = (segment.text or "").split()
    start, end = segment.start_s, segment.end_s
    letters, before = sum(map(len, texts)), 0
    for text in texts:
        at = start if start is None or end is None else start + (end - start) * before / letters
        yield Word(text, at, segment.speaker)
        before += len(text)


def _turns(segment: Segment) -> Iterator[Turn]:
    """The segment as a turn, unless nothing is said in it."""
    if segment.text is None or segment.text.strip():
        yield Turn(segment.start_s or 0.0, segment.end_s or 0.0, segment.speaker or "")


def combine(references: Sequence[Reference]) -> Truth:
    """All references of one recording as one. Turns of an RTTM file precede those of a file with words.

    Raises EarshotError if two have words, or two are RTTM.
    """
    with_words = [reference for reference in references if reference.words is not None]
    turns_alone = [reference for reference in references if reference.words is None]
    for alike in (with_words, turns_alone):
        if len(alike) > 1:
            files = " and ".join(str(reference.path) for reference in alike[:2])
            raise EarshotError(f"{files} are both references of {alike[0].name!r}.", "Leave one of them out.")
    turns = [reference.turns for reference in (*turns_alone, *with_words) if reference.turns is not None]
    return Truth(
        tuple(reference.path for reference in references),
        with_words[0].words if with_words else None,
        turns[0] if turns else None,
        tuple(span for reference in references for span in reference.unscored),
    )
