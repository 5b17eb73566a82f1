"""Subtitles: a recording as SRT or WebVTT. Pure functions.

Words are cut into cues of at most two lines of 42 characters and 7 s, at the ends of sentences where they can be; no cue
reaches into the next. SRT has nothing that says who speaks: there `Ana: ` stands before the text where the speaker changes, a
name cut to 24 characters. In WebVTT every cue begins with a voice tag, `<v Ana>`. A short back-channel stands in the sentence
it falls into.

No name and no word breaks a file. In WebVTT what would be markup is escaped. SRT knows no escapes: there `-->` becomes an
arrow, and the `<` of what players would take for a tag, such as `<i>`, a single guillemet.
"""

import html
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from ingest_assets.passages import Limits, cut_passages
from ingest_assets.recordings import Recording
from ingest_assets.wording import one_line
from ingest_assets.words import sentence_speakers

# Subtitling's common limits (e.g. the BBC's and Netflix's guidelines): two lines of 42 characters, 7 s on screen.
LINE_CHARACTERS = 42
# Kept free in a cue of two lines: what breaking before a word of 18 letters loses.
BREAK_CHARACTERS = 17
CUE_LIMITS = Limits(seconds=7.0, weight=2 * LINE_CHARACTERS - BREAK_CHARACTERS)
NAME_CHARACTERS = 24  # of a name on the screen: more would leave its words no room
SHORTEST_CUE_S = 0.001

_TAG_BEGINS = re.compile(r"<(?=/?[A-Za-z])")


def as_srt(recording: Recording) -> str:
    blocks, before = [], None
    for number, cue in enumerate(_cues(recording), start=1):
        name = f"{_on_screen(cue.speaker)}: " if cue.speaker != before else ""
        before = cue.speaker
        times = f"{_clock(cue.start_s, ',')} --> {_clock(cue.end_s, ',')}"
        text = _TAG_BEGINS.sub("‹", (name + cue.text).replace("-->", "→"))
        blocks.append(f"{number}\n{times}\n{_lines(text)}\n")
    return "\n".join(blocks)


def as_vtt(recording: Recording) -> str:
    blocks = ["WEBVTT\n"]
    for cue in _cues(recording):
        times = f"{_clock(cue.start_s, '.')} --> {_clock(cue.end_s, '.')}"
        text = html.escape(_lines(cue.text), quote=False)
        blocks.append(f"{times}\n<v {html.escape(one_line(cue.speaker), quote=False)}>{text}\n")
    return "\n".join(blocks)


@dataclass(frozen=True)
class _Cue:
    start_s: float
    end_s: float
    speaker: str
    text: str


def _cues(recording: Recording) -> list[_Cue]:
    """Words cut to what a screen holds; no cue reaches into the next."""
    words = recording.words
    labels = sentence_speakers(words, recording.word_speakers())
    shown = [speaker.shown for speaker in recording.names.of_spans(words, labels)]
    rows = cut_passages(words, shown, _characters(words.text.tolist(), shown), CUE_LIMITS).to_dict("records")
    cues: list[_Cue] = []
    for index, row in enumerate(rows):
        start = max(row["start_s"], cues[-1].end_s if cues else 0.0)
        next_start = rows[index + 1]["start_s"] if index + 1 < len(rows) else float("inf")
        end = max(min(row["end_s"], next_start), start + SHORTEST_CUE_S)
        cues.append(_Cue(start, end, row["local_speaker"], row["text"]))
    return cues


def _characters(texts: Sequence[str], shown: Sequence[str]) -> list[int]:
    """What each word takes on the screen; the first of a speaker's comes with the name."""
    names = [0 if index and shown[index - 1] == name else len(f"{_on_screen(name)}: ") for index, name in enumerate(shown)]
    return [len(text) + name for text, name in zip(texts, names, strict=True)]


def _on_screen(name: str) -> str:
    line = one_line(name)
    return line if len(line) <= NAME_CHARACTERS else f"{line[: NAME_CHARACTERS - 1].rstrip()}…"


def _lines(text: str) -> str:
    return "\n".join(textwrap.wrap(text, LINE_CHARACTERS, break_long_words=False, break_on_hyphens=False))


def _clock(seconds: float, mark: str) -> str:
    """hh:mm:ss,mmm; hours grow beyond two digits."""
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{mark}{rest % 1000:03d}"
