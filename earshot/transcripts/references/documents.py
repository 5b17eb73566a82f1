"""Formats that are read as a whole: SegLST, a JSON list of segments, and plain text.

Plain text has speakers and times if its lines say so:

| lines | read as |
|---|---|
| `[0:01:02] text` | the text and when it begins, with the lines that follow; those before the first are a heading |
| `[0:01:02] Ana: text`, every time | who says it, too |
| `Ana: text`, every line, and at least two | who says what |
| anything else | words alone |
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from earshot.common.excerpt import parse_time
from earshot.transcripts.references.segments import FilePlace, Segment

SEGLST = "a list of segments with session_id and words, and speaker, start_time and end_time if known"

_TIMED = re.compile(r"\[((?:\d{1,3}:[0-5]\d|\d{1,4}):[0-5]\d(?:\.\d{1,6})?)\] ?(.*)")
_NAMED = re.compile(r"(\S.{0,99}?): +(.*)")


def read_seglst(text: str, path: Path) -> Iterator[Segment]:
    """The segments of a SegLST file. Raises EarshotError."""
    try:
        segments = json.loads(text)
    except json.JSONDecodeError as error:
        raise FilePlace(path, f"line {error.lineno}").refuse("JSON", text.split("\n")[error.lineno - 1]) from None
    if not isinstance(segments, list):
        raise FilePlace(path, "line 1").refuse(SEGLST, type(segments).__name__)
    for number, segment in enumerate(segments, start=1):
        yield _segment(FilePlace(path, f"segment {number}"), segment)


def _segment(place: FilePlace, segment: Any) -> Segment:
    if not isinstance(segment, dict) or any(not isinstance(segment.get(key), str) for key in ("session_id", "words")):
        raise place.refuse("an object with session_id and words", json.dumps(segment, ensure_ascii=False))
    timed = segment.get("start_time") is not None and segment.get("end_time") is not None
    start_s = place.seconds(segment["start_time"], "start_time") if timed else None
    end_s = None if start_s is None else place.seconds(segment["end_time"], "end_time")
    if start_s is not None and end_s is not None:
        place.end(end_s, start_s, segment["end_time"])
    speaker = segment.get("speaker")
    return Segment(segment["session_id"], start_s, end_s, None if speaker is None else str(speaker), segment["words"])


def read_txt(text: str, _path: Path) -> Iterator[Segment]:
    """What the lines of a text file say, as above; all its text as one segment if they name neither times nor speakers."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    segments = _timed(lines)
    if segments:
        yield from _with_names(segments)
    else:
        named = _with_names([Segment(text=line) for line in lines]) if lines[1:] else ()
        yield from named if named and named[0].speaker else [Segment(text=text)]


def _timed(lines: Iterable[str]) -> list[Segment]:
    """A segment from each line that begins with a time, with the lines after it."""
    segments: list[Segment] = []
    for line in lines:
        match = _TIMED.fullmatch(line)
        if match:
            segments.append(Segment(start_s=parse_time(match[1]), text=match[2]))
        elif segments:
            segments[-1] = segments[-1]._replace(text=f"{segments[-1].text} {line}")
    return segments


def _with_names(segments: Sequence[Segment]) -> Sequence[Segment]:
    """The segments with the names that their texts begin with, if all do; else as they are."""
    matches = [_NAMED.fullmatch(segment.text or "") for segment in segments]
    named = [
        segment._replace(speaker=match[1], text=match[2]) for segment, match in zip(segments, matches, strict=True) if match
    ]
    return named if len(named) == len(segments) else segments
