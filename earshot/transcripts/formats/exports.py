"""Exports: the formats in which recordings are written. Pure functions from recordings to text, or bytes for `docx`.

| format | content | made from | where speakers are named |
|---|---|---|---|
| `srt`, `vtt` | subtitles: earshot/transcripts/formats/subtitles.py | words | at each change; in a voice tag |
| `txt` | title, date and link, then one line per passage: `[h:mm:ss] Ana: text` | passages | on each line |
| `md`, `docx` | notes and documents: markdown.py, word_document.py | passages | above their passages |
| `csv` | one row per passage: passages_csv.py | passages | in columns |
| `podcast` | `podcast:transcript`: podcast_json.py | passages | in each segment |
| `json` | everything, words with their speakers: docs/reference/export.schema.json | all | see below |
| `rttm` | who spoke when, with overlap, for diarization tools | turns | in a field without spaces: `_field_labels` |
| `seglst` | who said what when, for scoring transcripts with meeteval | words | in the same way |

In `json`, words, passages and turns have the diarization's `local_speaker`, the displayed `speaker`
(earshot/transcripts/attribution/speaker_names.py), and `person` (a name) and `voice` (a number), null where they do not apply.
A passage with a corrected time range is split, in `txt` too. In subtitles and passages a short back-channel stays in the
sentence that it interrupts; words of `json` and segments of `seglst` have their own speaker.

No name can break a format: line breaks become spaces, and each format's special characters are escaped or replaced.
earshot/transcripts/formats/files.py writes the files.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import pandas as pd

from earshot.common.text import one_line
from earshot.common.times import browsable, format_hms
from earshot.storage.catalog.videos import Video
from earshot.transcripts.attribution.speaker_names import Speaker
from earshot.transcripts.formats.markdown import as_markdown
from earshot.transcripts.formats.passages_csv import HEADER, as_csv, rows_of
from earshot.transcripts.formats.podcast_json import as_podcast_json
from earshot.transcripts.formats.speaker_passages import day_of, speaker_passages, title_of
from earshot.transcripts.formats.subtitles import as_srt, as_vtt
from earshot.transcripts.passages import Limits, cut_passages
from earshot.transcripts.recordings import Recording

PASSAGE_KEYS = ["start_s", "end_s", "local_speaker", "text"]
TURN_KEYS = ["start_s", "end_s", "local_speaker", "overlap"]
WORD_KEYS = ["start_s", "end_s", "text", "probability", "local_speaker"]

# meeteval guesses the time of each word in a segment, and warns about segments longer than its collar, usually 5 s.
SEGMENT_LIMITS = Limits(seconds=5.0, weight=0)

_NOT_IN_A_FIELD = re.compile(r"[\s\x00-\x1f\x7f-\x9f\"]+")
# Strings that readers of RTTM take for a missing value: pandas's list, which pyannote.database uses.
_NO_VALUE = frozenset(
    ("", "#n/a", "#na", "<na>", "na", "n/a", "nan", "-nan", "none", "null", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan")
)


@dataclass(frozen=True)
class CombinedFormat:
    """One file of many recordings: `opening`, the text `one` makes of each, separated by `between`, and `closing`."""

    one: Callable[[Recording], str]
    opening: str = ""
    between: str = ""
    closing: str = ""

    def pieces(self, recordings: Iterable[Recording]) -> Iterator[str]:
        """The file in pieces; a recording without content has none."""
        yield self.opening
        separator = ""
        for recording in recordings:
            piece = self.one(recording)
            if piece:
                yield separator + piece
                separator = self.between
        yield self.closing


@dataclass(frozen=True)
class Format:
    """How to write one recording to a file with this suffix, and many to a single file (`together`), if possible."""

    export: Callable[[Recording], str | bytes]
    suffix: str
    together: CombinedFormat | None = None

    def content(self, recording: Recording) -> bytes:
        """The file; text is UTF-8."""
        exported = self.export(recording)
        return exported if isinstance(exported, bytes) else exported.encode()


def as_txt(recording: Recording) -> str:
    passages = speaker_passages(recording)
    lines = [f"[{format_hms(passage.start_s)}] {passage.shown}: {passage.text}\n" for passage in passages]
    return "".join([_heading(recording.video), *(["\n"] if lines else []), *lines])


def _heading(video: Video) -> str:
    """Title, publishing date (UTC) if known, and link, each on a line."""
    lines = [title_of(video), day_of(video), browsable(video.url)]
    return "".join(f"{line}\n" for line in lines if line)


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


def _as_docx(recording: Recording) -> bytes:
    from earshot.transcripts.formats.word_document import as_docx  # lxml takes a tenth of a second to import

    return as_docx(recording)


def as_seglst(recording: Recording) -> str:
    return "".join(SEGLST.pieces([recording]))


def _segments(recording: Recording) -> str:
    """The objects of a SegLST list, one per line."""
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
    "md": Format(as_markdown, ".md"),
    "docx": Format(_as_docx, ".docx"),
    "csv": Format(as_csv, ".csv", CombinedFormat(rows_of, opening=HEADER)),
    "json": Format(as_json, ".json", CombinedFormat(as_json_line)),
    "podcast": Format(as_podcast_json, ".podcast.json"),
    "rttm": Format(as_rttm, ".rttm", CombinedFormat(as_rttm)),
    "seglst": Format(as_seglst, ".seglst.json", SEGLST),  # the suffix that meeteval expects
}


def document(recording: Recording) -> dict[str, Any]:
    """The object that docs/reference/export.schema.json describes."""
    video, names, turns = recording.video, recording.names, recording.turns
    passages = speaker_passages(recording)
    passage_rows = pd.DataFrame([vars(passage) for passage in passages], columns=PASSAGE_KEYS, dtype=object)
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
        "passages": _records(passage_rows, PASSAGE_KEYS, [passage.speaker for passage in passages]),
        "words": _records(words, WORD_KEYS, names.of_spans(words, labels)),
    }


def _turn_speakers(recording: Recording) -> list[Speaker]:
    return recording.names.of_spans(recording.turns, recording.turns.local_speaker.tolist())


def _field_labels(speakers: Sequence[Speaker]) -> dict[Speaker, str]:
    """Each speaker's name as a field: runs of whitespace, control characters and double quotes become `_`.

    A label that is taken by an earlier speaker of the recording, or that reads as a missing value (`None`), gets `_` appended
    until it is unique.
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
