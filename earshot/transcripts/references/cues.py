"""Subtitles: SubRip and WebVTT. Their times are those of cues, so they say what is said, but not who speaks when.

In WebVTT a voice tag, `<v Ana>`, names the speaker. SubRip has no field for speakers: if its first cue begins with `Ana: `,
then such names are speakers wherever a cue begins with one, and hold until the next; otherwise no speaker is known.

`srt_cues()` and `vtt_cues()` are the cues as they are written. earshot/transcripts/captions reads those of strangers with them:
all patterns take time in proportion to the text, whatever it holds.
"""

import html
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from earshot.transcripts.references.segments import FilePlace, Segment

TIMES = "times such as 00:01:02,500 --> 00:01:04,000"
MAX_NAME = 40  # characters of a name before a cue's text

_CLOCK = r"(?:(\d{1,6}):)?(\d{1,2}):(\d{2})[.,](\d{3})"
_TIMES = re.compile(rf"\s*{_CLOCK}\s+-->\s+{_CLOCK}(?:\s.*)?")
_NAME = re.compile(rf"([^\s:][^:\n]{{0,{MAX_NAME - 1}}}): +")
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?[ \t\n]+([^<>]*)>")
_TAG = re.compile(r"<[^<>]*>")
_SRT_TAG = re.compile(r"</?[A-Za-z][^<>]*>|\{\\[^{}]*\}")
_NO_CUE = ("WEBVTT", "NOTE", "STYLE", "REGION")


class Cue(NamedTuple):
    """A cue as it is written: times in seconds, the text with its markup, and its place in the file."""

    start_s: float
    end_s: float
    text: str
    place: FilePlace


def read_srt(text: str, path: Path) -> Iterator[Segment]:
    """The cues of a SubRip file. Raises EarshotError."""
    cues = [(start, end, plain_srt(said)) for start, end, said in _ordered(srt_cues(text, path))]
    names_speakers, speaker = bool(cues and _NAME.match(cues[0][2])), None
    for start, end, said in cues:
        name = _NAME.match(said) if names_speakers else None
        speaker = name[1] if name else speaker
        yield Segment(None, start, end, speaker, said[name.end() :] if name else said)


def read_vtt(text: str, path: Path) -> Iterator[Segment]:
    """The cues of a WebVTT file; one with several voices becomes a segment for each. Raises EarshotError."""
    for start, end, said in _ordered(vtt_cues(text, path)):
        for name, part in voices_of(said):
            if plain := plain_vtt(part):
                yield Segment(None, start, end, name, plain)


def srt_cues(text: str, path: Path) -> Iterator[Cue]:
    """The cues of a SubRip file; an end may be before its start. Raises EarshotError for anything else."""
    return _cues(_blocks(text, str.strip), path, ())


def vtt_cues(text: str, path: Path) -> Iterator[Cue]:
    """The cues of a WebVTT file; an end may be before its start. Raises EarshotError for anything else."""
    if not text.startswith("WEBVTT"):
        raise FilePlace(path, "line 1").refuse("WEBVTT", text.split("\n", 1)[0])
    return _cues(_blocks(text, str), path, _NO_CUE)


def plain_srt(said: str) -> str:
    """A cue's text without SubRip's markup."""
    return _SRT_TAG.sub("", said).strip()


def plain_vtt(said: str) -> str:
    """A cue's text, or a part of it, without WebVTT's markup."""
    return html.unescape(_TAG.sub("", said)).strip()


def voices_of(said: str) -> list[tuple[str | None, str]]:
    """The parts of a WebVTT cue's text, each with the voice that it names, None before the first."""
    before, *voices = _VOICE.split(said)
    named = [(html.unescape(name).strip(), part) for name, part in zip(voices[::2], voices[1::2], strict=True)]
    return [(None, before), *named]


def _ordered(cues: Iterable[Cue]) -> Iterator[tuple[float, float, str]]:
    """Start, end and text of the cues. Raises EarshotError for an end before its start."""
    for cue in cues:
        yield cue.start_s, cue.place.end(cue.end_s, cue.start_s, f"{cue.start_s:g} --> {cue.end_s:g}"), cue.text


def _cues(blocks: Iterable[tuple[int, list[str]]], path: Path, others: tuple[str, ...]) -> Iterator[Cue]:
    """The cue of each block of lines; blocks that begin with one of `others` are none."""
    for first, block in blocks:
        if others and block[0].startswith(others):
            continue
        at = 1 if "-->" not in block[0] and block[1:] else 0  # after the cue's number or name
        place, times = FilePlace(path, f"line {first + at}"), _TIMES.fullmatch(block[at])
        if not times:
            raise place.refuse(TIMES, block[at])
        start, end = _seconds(*times.groups()[:4]), _seconds(*times.groups()[4:])
        yield Cue(start, end, "\n".join(block[at + 1 :]), place)


def _blocks(text: str, content: Callable[[str], str]) -> Iterator[tuple[int, list[str]]]:
    """Runs of lines with `content`, each with the number of its first line. Other times begin another run, too.

    A line of spaces ends no cue of WebVTT: YouTube's have such lines.
    """
    block: list[str] = []
    timed = False
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        if block and (not content(line) or (timed and "-->" in line)):
            yield number - len(block), block
            block, timed = [], False
        if content(line):
            block.append(line)
            timed = timed or "-->" in line


def _seconds(hours: str | None, minutes: str, seconds: str, thousandths: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(thousandths) / 1000
