"""Exports: one video as subtitles, text, JSON or RTTM. Pure functions from what the database holds to text.

| format | what it is | made of | how speakers are told |
|---|---|---|---|
| `srt` | subtitles, at most two lines of 42 characters and 7 s | words | `Ana: ` on change, cut to 24 characters |
| `vtt` | the same | words | a voice tag on each cue: `<v Ana>` |
| `txt` | one line a passage: `[h:mm:ss] Ana: text` | passages | one a line |
| `json` | everything, words with their speakers | all | see below |
| `rttm` | who spoke when, overlap kept, as diarization tools read it | turns | a field without spaces: `_rttm_labels` |

In `json`, words, passages and turns have `local_speaker` as it was heard, `speaker` as shown (ingest_assets/names.py), and
`person`, a name, and `voice`, a number; null where it is not one. A passage in which moments are corrected is several, in `txt`
too. In subtitles and passages a short back-channel stands in the sentence it falls into; a word of `json` has who says it.

No name breaks a format: what has no place on one line becomes a space, and what a format reads as its own is written as that
format wants it.
"""

import html
import json
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import pandas as pd

from ingest_assets.moments import hms
from ingest_assets.names import Names, Speaker
from ingest_assets.passages import Limits, cut_passages
from ingest_assets.words import attribute_words, sentence_speakers
from resources.catalogue import Video

# Subtitling's common limits (e.g. the BBC's and Netflix's guidelines): two lines of 42 characters, 7 s on screen.
LINE_CHARACTERS = 42
# Kept free in a cue of two lines: what breaking before a word of 18 letters loses.
BREAK_CHARACTERS = 17
CUE_LIMITS = Limits(seconds=7.0, weight=2 * LINE_CHARACTERS - BREAK_CHARACTERS)
NAME_CHARACTERS = 24  # of a name on the screen: more would leave its words no room
SHORTEST_CUE_S = 0.001

PASSAGE_KEYS = ["start_s", "end_s", "local_speaker", "text"]
TURN_KEYS = ["start_s", "end_s", "local_speaker", "overlap"]
WORD_KEYS = ["start_s", "end_s", "text", "probability", "local_speaker"]

_NOT_ON_A_LINE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_NOT_IN_A_FIELD = re.compile(r"[\s\x00-\x1f\x7f-\x9f\"]+")
# What readers of RTTM take for no value: pandas' list, which pyannote.database reads it with.
_NO_VALUE = frozenset(
    ("", "#n/a", "#na", "<na>", "na", "n/a", "nan", "-nan", "none", "null", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan")
)


@dataclass(frozen=True)
class Recording:
    """What the database holds of one video, each frame in order of time, and who its speakers are."""

    video: Video
    language: str | None
    words: pd.DataFrame
    turns: pd.DataFrame
    exclusive_turns: pd.DataFrame
    passages: pd.DataFrame
    names: Names


def export(recording: Recording, format_name: str) -> str:
    """The recording in one of FORMATS, ending in a newline."""
    return FORMATS[format_name](recording)


def as_srt(recording: Recording) -> str:
    blocks, before = [], None
    for number, cue in enumerate(_cues(recording), start=1):
        name = f"{_on_screen(cue.speaker)}: " if cue.speaker != before else ""
        before = cue.speaker
        times = f"{_clock(cue.start_s, ',')} --> {_clock(cue.end_s, ',')}"
        blocks.append(f"{number}\n{times}\n{_lines((name + cue.text).replace('-->', '→'))}\n")
    return "\n".join(blocks)


def as_vtt(recording: Recording) -> str:
    blocks = ["WEBVTT\n"]
    for cue in _cues(recording):
        times = f"{_clock(cue.start_s, '.')} --> {_clock(cue.end_s, '.')}"
        text = html.escape(_lines(cue.text), quote=False)
        blocks.append(f"{times}\n<v {html.escape(_one_line(cue.speaker), quote=False)}>{text}\n")
    return "\n".join(blocks)


def as_txt(recording: Recording) -> str:
    return "".join(
        f"[{hms(row['start_s'])}] {_one_line(speaker.shown)}: {row['text']}\n" for row, speaker in _by_speaker(recording)
    )


def as_json(recording: Recording) -> str:
    video, names = recording.video, recording.names
    passages = _by_speaker(recording)
    spoken = pd.DataFrame([row for row, _ in passages], columns=PASSAGE_KEYS, dtype=object)
    labels = attribute_words(recording.words, recording.exclusive_turns, recording.turns)
    words = recording.words.assign(local_speaker=pd.Series(labels, dtype=object))
    turns = recording.turns
    document = {
        "video_id": video.video_id,
        "title": video.title,
        "url": video.url,
        "duration_s": video.duration_s,
        "language": recording.language,
        "turns": _records(turns, TURN_KEYS, names.of_spans(turns, turns.local_speaker.tolist())),
        "passages": _records(spoken, PASSAGE_KEYS, [speaker for _, speaker in passages]),
        "words": _records(words, WORD_KEYS, names.of_spans(words, labels)),
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def as_rttm(recording: Recording) -> str:
    name, turns = recording.video.video_id, recording.turns
    labels = _rttm_labels(recording.names.of_spans(turns, turns.local_speaker.tolist()))
    return "".join(
        f"SPEAKER {name} 1 {turn['start_s']:.3f} {turn['end_s'] - turn['start_s']:.3f} <NA> <NA> {label} <NA> <NA>\n"
        for turn, label in zip(turns.to_dict("records"), labels, strict=True)
    )


FORMATS: dict[str, Callable[[Recording], str]] = {
    "srt": as_srt,
    "vtt": as_vtt,
    "txt": as_txt,
    "json": as_json,
    "rttm": as_rttm,
}


@dataclass(frozen=True)
class _Cue:
    start_s: float
    end_s: float
    speaker: str
    text: str


def _cues(recording: Recording) -> list[_Cue]:
    """Words cut to what a screen holds; no cue reaches into the next."""
    words = recording.words
    labels = sentence_speakers(words, attribute_words(words, recording.exclusive_turns, recording.turns))
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


def _by_speaker(recording: Recording) -> list[tuple[dict[Any, Any], Speaker]]:
    """Passages (PASSAGE_KEYS) with who says them, those of several speakers in parts."""
    found = []
    for row in recording.passages.to_dict("records"):
        words = recording.words.iloc[row["first_word"] : row["last_word"] + 1]
        said = recording.names.of_spans(words, [row["local_speaker"]] * len(words))
        if len(set(said)) > 1:
            parts = groupby(zip(said, words.to_dict("records"), strict=True), key=itemgetter(0))
            found += [({**row, **_part([word for _, word in part])}, speaker) for speaker, part in parts]
        else:
            found.append((row, said[0] if said else recording.names.of_label(row["local_speaker"])))
    return found


def _part(words: Sequence[dict[Any, Any]]) -> dict[str, Any]:
    return {
        "start_s": words[0]["start_s"],
        "end_s": max(word["end_s"] for word in words),
        "text": "".join(word["text"] for word in words).strip(),
    }


def _rttm_labels(speakers: Sequence[Speaker]) -> list[str]:
    """Names as fields of RTTM: runs of spaces, control characters and double quotes become `_`.

    One that would then read like another's, or like no value (`None`), has `_` behind it, as many as it takes; who is named
    first in the file comes first.
    """
    labels: dict[Speaker, str] = {}
    for speaker in speakers:
        label = _NOT_IN_A_FIELD.sub("_", speaker.shown)
        while speaker not in labels and (label in labels.values() or label.casefold() in _NO_VALUE):
            label += "_"
        labels.setdefault(speaker, label)
    return [labels[speaker] for speaker in speakers]


def _one_line(name: str) -> str:
    return _NOT_ON_A_LINE.sub(" ", name).strip()


def _on_screen(name: str) -> str:
    line = _one_line(name)
    return line if len(line) <= NAME_CHARACTERS else f"{line[: NAME_CHARACTERS - 1].rstrip()}…"


def _lines(text: str) -> str:
    return "\n".join(textwrap.wrap(text, LINE_CHARACTERS, break_long_words=False, break_on_hyphens=False))


def _clock(seconds: float, mark: str) -> str:
    """hh:mm:ss,mmm; hours grow beyond two digits."""
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{mark}{rest % 1000:03d}"


def _records(frame: pd.DataFrame, columns: list[str], speakers: Sequence[Speaker]) -> list[dict[str, Any]]:
    rows = frame[columns].astype(object).where(frame[columns].notna(), None).to_dict("records")
    return [
        {**{str(key): value for key, value in row.items()}, "speaker": who.shown, "person": who.person, "voice": who.voice}
        for row, who in zip(rows, speakers, strict=True)
    ]
