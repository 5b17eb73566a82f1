"""Transcripts: the words, passages and turns of one video as frames, or exported as text."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from earshot.common.errors import EarshotError
from earshot.library.lookup import known_video
from earshot.speakers.people.directory import resolve
from earshot.storage.catalog.videos import Video
from earshot.storage.database import Database
from earshot.transcripts.formats.exports import FORMATS, PASSAGE_KEYS, TURN_KEYS, WORD_KEYS, Format, document
from earshot.transcripts.recordings import Recording, read_recording, spoken_by

SPEAKER_COLUMNS = ["speaker", "person", "voice"]
FIGURES = ["start_s", "end_s", "probability"]


@dataclass(frozen=True, eq=False)
class Transcript:
    """The transcript of one video when it was read; times are seconds of the recording.

    Each frame has one row per word, passage or turn, in order of time. Four columns say who speaks: `local_speaker` (such as
    SPEAKER_00), `speaker` (the displayed name), `person` (a name) and `voice` (the number of an anonymous voice); None if there
    is none.
    """

    recording: Recording = field(repr=False)

    @property
    def video(self) -> Video:
        return self.recording.video

    @property
    def language(self) -> str | None:
        """Whisper's code, such as `en`; None if no speech was recognized."""
        return self.recording.language

    @cached_property
    def words(self) -> pd.DataFrame:
        """One row per word: start_s, end_s, text (with the space before it), probability (0 to 1), and who says it."""
        return self._frame("words", WORD_KEYS)

    @cached_property
    def passages(self) -> pd.DataFrame:
        """One row per passage, up to 20 seconds of one speaker: start_s, end_s, text, and who says it."""
        return self._frame("passages", PASSAGE_KEYS)

    @cached_property
    def turns(self) -> pd.DataFrame:
        """One row per turn: start_s, end_s, overlap (whether others speak at the same time), and who speaks."""
        return self._frame("turns", TURN_KEYS)

    def export(self, format: str = "txt") -> str:
        """The transcript as text in this format: srt, vtt, txt, md, csv, json, podcast, rttm or seglst.

        Raises EarshotError for any other; `content()` also has docx.
        """
        exported = known_format(format).export(self.recording)
        if isinstance(exported, bytes):
            raise EarshotError(f"{format} is not text.", f"Call content({format!r}), or write it to a file: library.export().")
        return exported

    def content(self, format: str) -> bytes:
        """The transcript as a file of this format. Raises EarshotError if there is no such format."""
        return known_format(format).content(self.recording)

    def suffix(self, format: str) -> str:
        """The end of the name of a file in this format: `.srt`. Raises EarshotError for any other format."""
        return known_format(format).suffix

    @cached_property
    def _document(self) -> dict[str, Any]:
        return document(self.recording)

    def _frame(self, part: str, columns: list[str]) -> pd.DataFrame:
        # Columns other than FIGURES stay objects, so that None stays None and a voice's number an integer.
        frame = pd.DataFrame(self._document[part], columns=[*columns, *SPEAKER_COLUMNS], dtype=object)
        return frame.astype({column: float for column in FIGURES if column in columns})


def known_format(name: str) -> Format:
    """The format with this name; raises EarshotError if there is none."""
    if name not in FORMATS:
        raise EarshotError(f"There is no format {name!r}.", f"Formats: {', '.join(FORMATS)}.")
    return FORMATS[name]


def read_transcript(database: Database, video: str, speaker: str | None) -> Transcript:
    """The transcript of the video with this key or title; `speaker`: only what this person or voice says.

    Raises NotTranscribed if it has none, InconsistentVideo while it is being ingested again, and EarshotError if video or
    speaker is unknown.
    """
    recording = read_recording(database, known_video(database, video).video_id)
    return Transcript(recording if speaker is None else spoken_by(recording, resolve(database, speaker)))
