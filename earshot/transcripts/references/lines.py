"""Formats with one segment a line: STM (who says what when) and RTTM (who speaks when).

STM is read as NIST's sclite reads it, except for alternatives in braces, which are taken as words. Of RTTM, lines SPEAKER and
NOSCORE count; other types are skipped.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from earshot.transcripts.references.segments import FilePlace, Segment

STM_LINE = "RECORDING CHANNEL SPEAKER START END TEXT"
RTTM_LINE = "SPEAKER RECORDING CHANNEL START DURATION <NA> <NA> NAME <NA> <NA>"
NOT_SCORED, GAP = "IGNORE_TIME_SEGMENT_IN_SCORING", "inter_segment_gap"
RTTM_TYPES = frozenset(
    ("SEGMENT", "NOSCORE", "NO_RT_METADATA", "LEXEME", "NON-LEX", "NON-SPEECH", "FILLER", "EDIT", "SU", "IP", "CB", "A/P")
) | {"SPEAKER", "SPKR-INFO"}

_LABEL = re.compile(r"<(?:[^\s<>]*,[^\s<>]*|NA)>\s*")  # before the text of an STM line: <o,f0,male>


def read_stm(text: str, path: Path) -> Iterator[Segment]:
    """The segments of an STM file. Raises EarshotError."""
    for place, line in _lines(text, path):
        fields = line.split(maxsplit=5)
        if len(fields) < 5:
            raise place.refuse(STM_LINE, line)
        recording, _, speaker, start, end = fields[:5]
        start_s = place.seconds(start, "START")
        end_s = place.end(place.seconds(end, "END"), start_s, line)
        said = _LABEL.sub("", "".join(fields[5:]), count=1)
        if NOT_SCORED in (said.strip().upper(), speaker.upper()):
            yield Segment(recording, start_s, end_s, scored=False)
        else:
            yield Segment(recording, start_s, end_s, speaker, "" if speaker == GAP else said)


def read_rttm(text: str, path: Path) -> Iterator[Segment]:
    """The turns of an RTTM file. Raises EarshotError."""
    for place, line in _lines(text, path):
        fields = line.split()
        if fields[0] not in RTTM_TYPES:
            raise place.refuse(RTTM_LINE, line)
        if fields[0] not in ("SPEAKER", "NOSCORE"):
            continue
        scored = fields[0] == "SPEAKER"
        if len(fields) < (8 if scored else 5):
            raise place.refuse(RTTM_LINE, line)
        start_s = place.seconds(fields[3], "START")
        end_s = start_s + place.seconds(fields[4], "DURATION")
        yield Segment(fields[1], start_s, end_s, fields[7] if scored else None, scored=scored)


def _lines(text: str, path: Path) -> Iterator[tuple[FilePlace, str]]:
    """The lines that are neither blank nor comments."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() and not line.startswith(";;"):
            yield FilePlace(path, f"line {number}"), line.strip()
