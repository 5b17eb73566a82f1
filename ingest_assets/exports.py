"""Exports: one video as subtitles, text, JSON or RTTM. Pure functions from what the database holds to text.

| format | what it is | made of |
|---|---|---|
| `srt`, `vtt` | subtitles, at most two lines of 42 characters and 7 s, speaker told on change / as voice tag | words |
| `txt` | one line a passage: `[h:mm:ss] Speaker: text` | passages |
| `json` | everything, words with their speakers | all |
| `rttm` | who spoke when, overlap kept, as diarization tools read it | turns |
"""

import html
import json
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ingest_assets.passages import Limits, cut_passages
from ingest_assets.words import attribute_words
from resources.catalogue import Video

# Subtitling's common limits (e.g. the BBC's and Netflix's guidelines): two lines of 42 characters, 7 s on screen.
LINE_CHARACTERS = 42
# Kept free in a cue of two lines: a speaker's name and a colon, and what breaking before a word of 18 letters loses.
NAME_CHARACTERS = len("SPEAKER_00: ")
BREAK_CHARACTERS = 17
CUE_LIMITS = Limits(seconds=7.0, weight=2 * LINE_CHARACTERS - NAME_CHARACTERS - BREAK_CHARACTERS)
SHORTEST_CUE_S = 0.001
UNKNOWN = "Unknown"


@dataclass(frozen=True)
class Recording:
    """What the database holds of one video, each frame in order of time."""

    video: Video
    language: str | None
    words: pd.DataFrame
    turns: pd.DataFrame
    exclusive_turns: pd.DataFrame
    passages: pd.DataFrame


def export(recording: Recording, format_name: str) -> str:
    """The recording in one of FORMATS, ending in a newline."""
    return FORMATS[format_name](recording)


def as_srt(recording: Recording) -> str:
    blocks, before = [], None
    for number, cue in enumerate(_cues(recording), start=1):
        name = f"{cue.speaker}: " if cue.speaker != before else ""
        before = cue.speaker
        times = f"{_clock(cue.start_s, ',')} --> {_clock(cue.end_s, ',')}"
        blocks.append(f"{number}\n{times}\n{_lines(name + cue.text)}\n")
    return "\n".join(blocks)


def as_vtt(recording: Recording) -> str:
    blocks = ["WEBVTT\n"]
    for cue in _cues(recording):
        times = f"{_clock(cue.start_s, '.')} --> {_clock(cue.end_s, '.')}"
        text = html.escape(_lines(cue.text), quote=False)
        blocks.append(f"{times}\n<v {html.escape(cue.speaker, quote=False)}>{text}\n")
    return "\n".join(blocks)


def as_txt(recording: Recording) -> str:
    rows = recording.passages.to_dict("records")
    return "".join(f"[{hms(row['start_s'])}] {_name(row['local_speaker'])}: {row['text']}\n" for row in rows)


def as_json(recording: Recording) -> str:
    video, words = recording.video, recording.words
    speakers = attribute_words(words, recording.exclusive_turns)
    document = {
        "video_id": video.video_id,
        "title": video.title,
        "url": video.url,
        "duration_s": video.duration_s,
        "language": recording.language,
        "turns": _records(recording.turns, ["start_s", "end_s", "local_speaker", "overlap"]),
        "passages": _records(recording.passages, ["start_s", "end_s", "local_speaker", "text"]),
        "words": _records(words.assign(local_speaker=pd.Series(speakers, dtype=object)), [*WORD_KEYS, "local_speaker"]),
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


WORD_KEYS = ["start_s", "end_s", "text", "probability"]


def as_rttm(recording: Recording) -> str:
    name = recording.video.video_id
    return "".join(
        f"SPEAKER {name} 1 {turn['start_s']:.3f} {turn['end_s'] - turn['start_s']:.3f} "
        f"<NA> <NA> {turn['local_speaker']} <NA> <NA>\n"
        for turn in recording.turns.to_dict("records")
    )


FORMATS: dict[str, Callable[[Recording], str]] = {
    "srt": as_srt,
    "vtt": as_vtt,
    "txt": as_txt,
    "json": as_json,
    "rttm": as_rttm,
}


def hms(seconds: float) -> str:
    """h:mm:ss."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


@dataclass(frozen=True)
class _Cue:
    start_s: float
    end_s: float
    speaker: str
    text: str


def _cues(recording: Recording) -> list[_Cue]:
    """Words cut to what a screen holds; no cue reaches into the next."""
    words = recording.words
    speakers = attribute_words(words, recording.exclusive_turns)
    rows = cut_passages(words, speakers, [len(text) for text in words.text], CUE_LIMITS).to_dict("records")
    cues: list[_Cue] = []
    for index, row in enumerate(rows):
        start = max(row["start_s"], cues[-1].end_s if cues else 0.0)
        next_start = rows[index + 1]["start_s"] if index + 1 < len(rows) else float("inf")
        end = max(min(row["end_s"], next_start), start + SHORTEST_CUE_S)
        cues.append(_Cue(start, end, _name(row["local_speaker"]), row["text"]))
    return cues


def _name(speaker: str | None) -> str:
    """The speaker as shown; pandas may have made an unknown one's None a NaN."""
    return speaker if isinstance(speaker, str) else UNKNOWN


def _lines(text: str) -> str:
    return "\n".join(textwrap.wrap(text, LINE_CHARACTERS, break_long_words=False, break_on_hyphens=False))


def _clock(seconds: float, mark: str) -> str:
    """hh:mm:ss,mmm; hours grow beyond two digits."""
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{mark}{rest % 1000:03d}"


def _records(frame: pd.DataFrame, columns: list[str]) -> list[dict[str, Any]]:
    rows = frame[columns].astype(object).where(frame[columns].notna(), None)
    return [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]
