"""Subtitles: formats a recording as SRT or WebVTT. Pure functions.

Words are split into cues (earshot/transcripts/formats/cues.py) of at most two lines of 42 characters and 7 s; cues do not
overlap. SRT has no field for speakers: `Ana: `, cut to 24 characters, precedes the text at each change of speaker. In WebVTT
every cue begins with a voice tag, `<v Ana>`. A short back-channel stays in the sentence that it interrupts.

No name or word can break a file. WebVTT escapes markup. SRT has no escapes: `-->` becomes an arrow, and the `<` of what players
would take for a tag, such as `<i>`, a single guillemet.
"""

import html
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from earshot.common.text import one_line
from earshot.transcripts.attribution.word_speakers import sentence_speakers
from earshot.transcripts.formats.cues import MAX_LINE_LENGTH, cut_cues
from earshot.transcripts.passages import MIN_PASSAGE_S
from earshot.transcripts.recordings import Recording

MAX_NAME_LENGTH = 24  # characters on the screen: a longer name would leave no room for words
MIN_CUE_S = 0.001

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
    """The recording's cues, without overlap."""
    words = recording.words
    labels = sentence_speakers(words, recording.word_speakers())
    shown = [speaker.shown for speaker in recording.names.of_spans(words, labels)]
    texts, starts, ends = words.text.tolist(), words.start_s.tolist(), words.end_s.tolist()
    parts = cut_cues(words, shown, _names(shown))
    cues: list[_Cue] = []
    for part, following in zip_longest(parts, parts[1:]):
        start = max(starts[part.start], cues[-1].end_s if cues else 0.0)
        end = max(max(ends[part.start : part.stop]), starts[part.start] + MIN_PASSAGE_S)
        if following is not None:
            end = min(end, starts[following.start])
        text = "".join(texts[part.start : part.stop]).strip()
        cues.append(_Cue(start, max(end, start + MIN_CUE_S), shown[part.start], text))
    return cues


def _names(shown: Sequence[str]) -> list[int]:
    """The length of the name printed before each word, 0 if its speaker also said the previous word."""
    return [0 if index and shown[index - 1] == name else len(f"{_on_screen(name)}: ") for index, name in enumerate(shown)]


def _on_screen(name: str) -> str:
    line = one_line(name)
    return line if len(line) <= MAX_NAME_LENGTH else f"{line[: MAX_NAME_LENGTH - 1].rstrip()}…"


def _lines(text: str) -> str:
    return "\n".join(textwrap.wrap(text, MAX_LINE_LENGTH, break_long_words=False, break_on_hyphens=False))


def _clock(seconds: float, mark: str) -> str:
    """hh:mm:ss,mmm with this decimal mark; hours may have more than two digits."""
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{mark}{rest % 1000:03d}"
