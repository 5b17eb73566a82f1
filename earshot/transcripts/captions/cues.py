"""Reads captions of strangers: WebVTT, SubRip and the JSON of `podcast:transcript`. Pure functions.

What comes out is text: markup is removed, and what remains of it is not markup any more. Cues are in order of time and within
the recording; one without text, or that begins after its end, is left out. A file that is not of its format is refused with its
line, and so is one of more than MAX_CUES cues.

YouTube's automatic captions scroll: each cue repeats the line before, and shows it once more alone. If most cues of a file
begin with the last line of the cue before, only their new lines count.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from earshot.common.errors import EarshotError
from earshot.common.text import one_line
from earshot.transcripts.references.cues import plain_srt, plain_vtt, srt_cues, voices_of, vtt_cues
from earshot.transcripts.references.segments import FilePlace

MAX_CUES = 200_000
MAX_CHARACTERS = 2_000_000  # of text: twice as many as twelve hours of fast speech have
MAX_VOICE = 60  # characters of a voice's name
SEGMENTS = "an object with a list of segments, as podcast:transcript describes it"
# A recording may be a little longer than its source says.
TOLERANCE_S = 30.0

_NOT_TEXT = re.compile(r"[\ud800-\udfff\ufffe\uffff]")  # halves of characters, which Postgres refuses


@dataclass(frozen=True)
class CaptionCue:
    """What captions show from one time to another, in seconds. `voice` is whom they name as speaking, "" for no one."""

    start_s: float
    end_s: float
    text: str
    voice: str = ""


def read_cues(content: bytes, format: str, name: str, duration_s: float | None = None) -> list[CaptionCue]:
    """The cues of a file in this format (`vtt`, `srt` or `json`), called `name` in errors. Raises EarshotError."""
    path = Path(name)
    text = _decoded(content, path)
    cues = list(islice(_READERS[format](text, path), MAX_CUES + 1))
    if len(cues) > MAX_CUES:
        raise EarshotError(f"{name} has more than {MAX_CUES} cues.", "No captions are that long.")
    within = [shown for cue in _unrolled(cues) if (shown := _within(cue, duration_s))]
    if sum(len(cue.text) for cue in within) > MAX_CHARACTERS:
        raise EarshotError(f"{name} has more than {MAX_CHARACTERS} characters of text.", "No captions are that long.")
    return sorted(within, key=lambda cue: cue.start_s)


def _decoded(content: bytes, path: Path) -> str:
    """The text, with line breaks as `\\n`. Raises EarshotError."""
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise EarshotError(f"{path}, line {line}: expected UTF-8.", "Save the file as UTF-8.") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _vtt(text: str, path: Path) -> Iterator[CaptionCue]:
    for cue in vtt_cues(text, path):
        for voice, part in voices_of(cue.text):
            yield CaptionCue(cue.start_s, cue.end_s, plain_vtt(part), voice or "")


def _srt(text: str, path: Path) -> Iterator[CaptionCue]:
    return (CaptionCue(cue.start_s, cue.end_s, plain_srt(cue.text)) for cue in srt_cues(text, path))


def _json(text: str, path: Path) -> Iterator[CaptionCue]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise FilePlace(path, f"line {error.lineno}").refuse("JSON", text.split("\n")[error.lineno - 1]) from None
    except (RecursionError, ValueError):  # nested too deep, or a number of thousands of digits
        raise FilePlace(path, "line 1").refuse(SEGMENTS, text[:80]) from None
    segments = document.get("segments") if isinstance(document, dict) else None
    if not isinstance(segments, list):
        raise FilePlace(path, "line 1").refuse(SEGMENTS, type(document).__name__)
    for number, segment in enumerate(segments, start=1):
        yield _segment(segment, FilePlace(path, f"segment {number}"))


def _segment(segment: Any, place: FilePlace) -> CaptionCue:
    if not isinstance(segment, Mapping) or not isinstance(segment.get("body"), str):
        raise place.refuse("an object with startTime and body", json.dumps(segment)[:80])
    start_s = place.seconds(segment.get("startTime"), "startTime")
    end_s = place.seconds(segment.get("endTime", start_s), "endTime")
    return CaptionCue(start_s, end_s, segment["body"], str(segment.get("speaker") or ""))


_READERS: dict[str, Callable[[str, Path], Iterator[CaptionCue]]] = {"vtt": _vtt, "srt": _srt, "json": _json}


def _within(cue: CaptionCue, duration_s: float | None) -> CaptionCue | None:
    """The cue on one line and within the recording; None if it has no text or begins after the end."""
    text, voice = (one_line(_NOT_TEXT.sub(" ", part)) for part in (cue.text, cue.voice))
    latest = math.inf if duration_s is None else duration_s + TOLERANCE_S
    if not text or cue.start_s >= latest:
        return None
    return CaptionCue(cue.start_s, min(max(cue.end_s, cue.start_s), latest), text, voice[:MAX_VOICE])


def _unrolled(cues: Sequence[CaptionCue]) -> Iterable[CaptionCue]:
    """The cues, each with its new lines only, if they scroll."""
    lines = [[line.strip() for line in cue.text.split("\n") if line.strip()] for cue in cues]
    shown = [(number, lines[number]) for number in range(len(cues)) if lines[number]]
    repeated = sum(before[-1] == after[0] for (_, before), (_, after) in pairwise(shown))
    if repeated < 2 or repeated * 2 < len(shown) - 1:
        return cues
    before: list[str] = []
    new: list[CaptionCue] = []
    for number, of_cue in shown:
        new.append(replace(cues[number], text="\n".join(of_cue[_overlap(before, of_cue) :])))
        before = of_cue
    return new


def _overlap(before: Sequence[str], after: Sequence[str]) -> int:
    """How many lines at the beginning of `after` are the last of `before`."""
    longest = min(len(before), len(after))
    return next((count for count in range(longest, 0, -1) if list(before[-count:]) == list(after[:count])), 0)
