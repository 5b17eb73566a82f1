"""Formats that are read as a whole: SegLST, a JSON list of segments, and plain text.

Plain text has speakers and times if its lines say so:

| lines | read as |
|---|---|
| `[0:01:02] Ana: text` | who says what from when on; all other lines are left out, as a heading is |
| `Ana: text`, every line | who says what |
| anything else | words alone |
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from earshot.common.excerpt import parse_time
from earshot.evaluation.readers.cues import MAX_NAME
from earshot.evaluation.readers.segments import Place, Segment

SEGLST = "a list of segments with session_id and words, and speaker, start_time and end_time if known"

_TIMED = re.compile(r"\[((?:\d{1,3}:[0-5]\d|\d{1,4}):[0-5]\d(?:\.\d{1,6})?)\] ([^:]+): (.*)")
_NAMED = re.compile(rf"([^\s:][^:]{{0,{MAX_NAME - 1}}}): (.*)")


def read_seglst(text: str, path: Path) -> Iterator[Segment]:
    """The segments of a SegLST file. Raises EarshotError."""
    try:
        segments = json.loads(text)
    except json.JSONDecodeError as error:
        raise Place(path, f"line {error.lineno}").refuse("JSON", text.split("\n")[error.lineno - 1]) from None
    if not isinstance(segments, list):
        raise Place(path, "line 1").refuse(SEGLST, type(segments).__name__)
    for number, segment in enumerate(segments, start=1):
        yield _segment(Place(path, f"segment {number}"), segment)


def _segment(place: Place, segment: Any) -> Segment:
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
    """The lines of a text file that names speakers, or all its text as one segment."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    timed = [match for line in lines if (match := _TIMED.fullmatch(line))]
    named = [match for line in lines if (match := _NAMED.fullmatch(line))]
    if timed:
        yield from (
            Segment(start_s=parse_time(time), speaker=name, text=said) for time, name, said in map(re.Match.groups, timed)
        )
    elif named and len(named) == len(lines):
        yield from (Segment(speaker=name, text=said) for name, said in map(re.Match.groups, named))
    else:
        yield Segment(text=text)
