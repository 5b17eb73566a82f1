"""Exports: recordings as subtitles, text, JSON, RTTM or SegLST. Pure functions from what the database holds to text.

| format | what it is | made of | how speakers are told |
|---|---|---|---|
| `srt`, `vtt` | subtitles: earshot/transcripts/formats/subtitles.py | words | on change; a voice tag |
| `txt` | title, date and link, then one line a passage: `[h:mm:ss] Ana: text` | passages | one a line |
| `json` | everything, words with their speakers: docs/reference/export.schema.json | all | see below |
| `rttm` | who spoke when, overlap kept, as diarization tools read it | turns | a field without spaces: `_field_labels` |
| `seglst` | who said what when, as meeteval reads it to score transcripts | words | the same |

In `json`, words, passages and turns have `local_speaker` as it was heard, `speaker` as shown
(earshot/transcripts/speaker_names.py), and `person`, a name, and `voice`, a number; null where it is not one. A passage in
which moments are corrected is several, in `txt` too. In subtitles and passages a short back-channel stands in the sentence it
falls into; a word of `json` and a segment of `seglst` have who says it.

No name breaks a format: what has no place on one line becomes a space, and what a format reads as its own is written as that
format wants it. Which recordings are exported and what becomes a file of its own is earshot/transcripts/formats/files.py.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from itertools import groupby
from operator import itemgetter
from typing import Any

import pandas as pd

from earshot.common.text import one_line
from earshot.common.times import browsable, format_hms
from earshot.storage.catalog.videos import Video
from earshot.transcripts.formats.subtitles import as_srt, as_vtt
from earshot.transcripts.passages import Limits, cut_passages
from earshot.transcripts.recordings import Recording
from earshot.transcripts.speaker_names import Speaker

PASSAGE_KEYS = ["start_s", "end_s", "local_speaker", "text"]
TURN_KEYS = ["start_s", "end_s", "local_speaker", "overlap"]
WORD_KEYS = ["start_s", "end_s", "text", "probability", "local_speaker"]

# meeteval guesses when each word of a segment is said, and warns of segments longer than its collar, usually 5 s.
SEGMENT_LIMITS = Limits(seconds=5.0, weight=0)

_NOT_IN_A_FIELD = re.compile(r"[\s\x00-\x1f\x7f-\x9f\"]+")
# What readers of RTTM take for no value: pandas' list, which pyannote.database reads it with.
_NO_VALUE = frozenset(
    ("", "#n/a", "#na", "<na>", "na", "n/a", "nan", "-nan", "none", "null", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan")
)


@dataclass(frozen=True)
class CombinedFormat:
    """One file of many recordings: `opening`, what `one` makes of each with `between` them, `closing`."""

    one: Callable[[Recording], str]
    opening: str = ""
    between: str = ""
    closing: str = ""

    def pieces(self, recordings: Iterable[Recording]) -> Iterator[str]:
        """The file in parts; a recording of which there is nothing to say has none."""
        yield self.opening
        before = ""
        for recording in recordings:
            piece = self.one(recording)
            if piece:
                yield before + piece
                before = self.between
        yield self.closing


@dataclass(frozen=True)
class Format:
    """How a recording becomes a file, whose name ends in `suffix`; and how many become one, if they can."""

    export: Callable[[Recording], str]
    suffix: str
    together: CombinedFormat | None = None


def as_txt(recording: Recording) -> str:
    said = [
        f"[{format_hms(row['start_s'])}] {one_line(speaker.shown)}: {row['text']}\n" for row, speaker in _by_speaker(recording)
    ]
    return "".join([_heading(recording.video), *(["\n"] if said else []), *said])


def _heading(video: Video) -> str:
    """Title, day of publishing (UTC) where it is known, and link, each on a line."""
    day = [f"{video.published_at.astimezone(UTC):%Y-%m-%d}"] if video.published_at else []
    return "".join(f"{line}\n" for line in [one_line(video.title) or video.video_id, *day, browsable(video.url)])


def as_json(recording: Recording) -> str:
    return json.dumps(document(recording), ensure_ascii=False, indent=1) + "\n"


def as_json_line(recording: Recording) -> str:
    return json.dumps(document(recording), ensure_ascii=False) + "\n"


def as_rttm(recording: Recording) -> str:
    name, turns = recording.video.video_id, recording.turns
    speakers = _turn_speakers(recording)
    labels = _field_labels(speakers)
    return "".join(
        f"SPEAKER {name} 1 {turn['start_s']:.3f} {turn['end_s'] - turn['start_s']:.3f} <NA> <NA> {labels[speaker]} <NA> <NA>\n"
        for turn, speaker in zip(turns.to_dict("records"), speakers, strict=True)
    )


def as_seglst(recording: Recording) -> str:
    return "".join(SEGLST.pieces([recording]))


def _segments(recording: Recording) -> str:
    """The objects of a SegLST list, one a line."""
    words = recording.words
    speakers = recording.names.of_spans(words, recording.word_speakers())
    labels = _field_labels([*_turn_speakers(recording), *speakers])
    shown = [labels[speaker] for speaker in speakers]
    rows = cut_passages(words, shown, [0] * len(words), SEGMENT_LIMITS).to_dict("records")
    segments = [
        {
            "session_id": recording.video.video_id,
            "speaker": row["local_speaker"],
            "start_time": row["start_s"],
            "end_time": row["end_s"],
            "words": one_line(row["text"]),
        }
        for row in rows
    ]
    return ",\n".join(json.dumps(segment, ensure_ascii=False) for segment in segments)


SEGLST = CombinedFormat(_segments, opening="[\n", between=",\n", closing="\n]\n")

FORMATS = {
    "srt": Format(as_srt, ".srt"),
    "vtt": Format(as_vtt, ".vtt"),
    "txt": Format(as_txt, ".txt", CombinedFormat(as_txt, between="\n")),
    "json": Format(as_json, ".json", CombinedFormat(as_json_line)),
    "rttm": Format(as_rttm, ".rttm", CombinedFormat(as_rttm)),
    "seglst": Format(as_seglst, ".seglst.json", SEGLST),  # by this ending meeteval knows it
}


def document(recording: Recording) -> dict[str, Any]:
    """The object that docs/reference/export.schema.json describes."""
    video, names, turns = recording.video, recording.names, recording.turns
    passages = _by_speaker(recording)
    spoken = pd.DataFrame([row for row, _ in passages], columns=PASSAGE_KEYS, dtype=object)
    labels = recording.word_speakers()
    words = recording.words.assign(local_speaker=pd.Series(labels, dtype=object))
    return {
        "video_id": video.video_id,
        "title": video.title,
        "url": video.url,
        "source": video.source,
        "published_at": video.published_at.astimezone(UTC).isoformat() if video.published_at else None,
        "duration_s": video.duration_s,
        "language": recording.language,
        "turns": _records(turns, TURN_KEYS, names.of_spans(turns, turns.local_speaker.tolist())),
        "passages": _records(spoken, PASSAGE_KEYS, [speaker for _, speaker in passages]),
        "words": _records(words, WORD_KEYS, names.of_spans(words, labels)),
    }


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


def _turn_speakers(recording: Recording) -> list[Speaker]:
    return recording.names.of_spans(recording.turns, recording.turns.local_speaker.tolist())


def _field_labels(speakers: Sequence[Speaker]) -> dict[Speaker, str]:
    """Names as fields without spaces: runs of spaces, control characters and double quotes become `_`.

    One that would then read like another's, or like no value (`None`), has `_` behind it, as many as it takes; who comes first
    in the recording comes first.
    """
    labels: dict[Speaker, str] = {}
    for speaker in dict.fromkeys(speakers):
        label = _NOT_IN_A_FIELD.sub("_", speaker.shown)
        while label in labels.values() or label.casefold() in _NO_VALUE:
            label += "_"
        labels[speaker] = label
    return labels


def _records(frame: pd.DataFrame, columns: list[str], speakers: Sequence[Speaker]) -> list[dict[str, Any]]:
    rows = frame[columns].astype(object).where(frame[columns].notna(), None).to_dict("records")
    return [
        {**{str(key): value for key, value in row.items()}, "speaker": who.shown, "person": who.person, "voice": who.voice}
        for row, who in zip(rows, speakers, strict=True)
    ]
