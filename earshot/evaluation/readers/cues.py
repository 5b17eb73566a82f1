"""Subtitles: SubRip and WebVTT. Their times are those of cues, so they say what is said, but not who speaks when.

In WebVTT a voice tag, `<v Ana>`, names the speaker. SubRip has no field for speakers: if its first cue begins with `Ana: `,
then such names are speakers wherever a cue begins with one, and hold until the next; otherwise no speaker is known.
"""

import html
import re
from collections.abc import Iterator
from pathlib import Path

from earshot.evaluation.readers.segments import FilePlace, Segment

TIMES = "times such as 00:01:02,500 --> 00:01:04,000"
MAX_NAME = 40  # characters of a name before a cue's text

_CLOCK = r"(?:(\d+):)?(\d{1,2}):(\d{2})[.,](\d{3})"
_TIMES = re.compile(rf"\s*{_CLOCK}\s+-->\s+{_CLOCK}(?:\s.*)?")
_NAME = re.compile(rf"([^\s:][^:\n]{{0,{MAX_NAME - 1}}}): +")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?[ \t\n]+([^>]*)>")
_TAG = re.compile(r"<[^>]*>")
_SRT_TAG = re.compile(r"</?[A-Za-z][^>]*>|\{\\[^}]*\}")
_NO_CUE = ("WEBVTT", "NOTE", "STYLE", "REGION")

Cue = tuple[float, float, str]


def read_srt(text: str, path: Path) -> Iterator[Segment]:
    """The cues of a SubRip file. Raises EarshotError."""
    cues = [(start, end, _SRT_TAG.sub("", said).strip()) for start, end, said in _cues(text, path, ())]
    names_speakers, speaker = bool(cues and _NAME.match(cues[0][2])), None
    for start, end, said in cues:
        name = _NAME.match(said) if names_speakers else None
        speaker = name[1] if name else speaker
        yield Segment(None, start, end, speaker, said[name.end() :] if name else said)


def read_vtt(text: str, path: Path) -> Iterator[Segment]:
    """The cues of a WebVTT file; one with several voices becomes a segment for each. Raises EarshotError."""
    if not text.startswith("WEBVTT"):
        raise FilePlace(path, "line 1").refuse("WEBVTT", text.split("\n", 1)[0])
    for start, end, said in _cues(text, path, _NO_CUE):
        before, *voices = _VOICE.split(said)
        spoken = [(None, before), *zip(voices[::2], voices[1::2], strict=True)]
        for name, part in spoken:
            plain = html.unescape(_TAG.sub("", part)).strip()
            if plain:
                yield Segment(None, start, end, None if name is None else html.unescape(name).strip(), plain)


def _cues(text: str, path: Path, others: tuple[str, ...]) -> Iterator[Cue]:
    """Start, end and text of each block of lines; blocks that begin with one of `others` are none."""
    for first, block in _blocks(text):
        if others and block[0].startswith(others):
            continue
        at = 1 if "-->" not in block[0] and block[1:] else 0  # after the cue's number or name
        place, times = FilePlace(path, f"line {first + at}"), _TIMES.fullmatch(block[at])
        if not times:
            raise place.refuse(TIMES, block[at])
        start, end = _seconds(*times.groups()[:4]), _seconds(*times.groups()[4:])
        yield start, place.end(end, start, block[at]), "\n".join(block[at + 1 :])


def _blocks(text: str) -> Iterator[tuple[int, list[str]]]:
    """Runs of lines that are not blank, each with the number of its first line."""
    block: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        if line.strip():
            block.append(line)
        elif block:
            yield number - len(block), block
            block = []


def _seconds(hours: str | None, minutes: str, seconds: str, thousandths: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(thousandths) / 1000
