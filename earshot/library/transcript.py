"""Transcripts: what is said in one video, who says it, and the same as a file's text."""

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
    """What is said in one video, as it was at the moment of reading; times are seconds of the recording.

    Each frame has a row per word, passage or turn in order of time, and says who speaks in four columns: `local_speaker` as it
    was heard (SPEAKER_00), `speaker` as it is shown, `person`, a name, and `voice`, the number of an anonymous voice; None
    where there is none.
    """

    recording: Recording = field(repr=False)

    @property
    def video(self) -> Video:
        return self.recording.video

    @property
    def language(self) -> str | None:
        """Whisper's code, such as `en`; None where nothing was recognised."""
        return self.recording.language

    @cached_property
    def words(self) -> pd.DataFrame:
        """A row per word: start_s, end_s, text (with the space before it), probability (0 to 1), and who says it."""
        return self._frame("words", WORD_KEYS)

    @cached_property
    def passages(self) -> pd.DataFrame:
        """A row per passage, up to 20 seconds of one speaker: start_s, end_s, text, and who says it."""
        return self._frame("passages", PASSAGE_KEYS)

    @cached_property
    def turns(self) -> pd.DataFrame:
        """A row per turn of a speaker: start_s, end_s, overlap (whether somebody else speaks, too), and who it is."""
        return self._frame("turns", TURN_KEYS)

    def export(self, format: str = "txt") -> str:
        """The text of a file in this format: srt, vtt, txt, json, rttm or seglst. Raises EarshotError for another."""
        return known_format(format).export(self.recording)

    @cached_property
    def _document(self) -> dict[str, Any]:
        return document(self.recording)

    def _frame(self, part: str, columns: list[str]) -> pd.DataFrame:
        # Of objects but for the figures: a person who is None stays None, and a voice's number whole.
        frame = pd.DataFrame(self._document[part], columns=[*columns, *SPEAKER_COLUMNS], dtype=object)
        return frame.astype({column: float for column in FIGURES if column in columns})


def known_format(name: str) -> Format:
    """The format of this name; raises EarshotError where there is none."""
    if name not in FORMATS:
        raise EarshotError(f"There is no format {name!r}.", f"Formats: {', '.join(FORMATS)}.")
    return FORMATS[name]


def read_transcript(database: Database, video: str, speaker: str | None) -> Transcript:
    """Of the video of this key or title; only what one person or voice says, where one is named.

    Raises NotTranscribed, InconsistentVideo while it is ingested again, and EarshotError where video or speaker is unknown.
    """
    recording = read_recording(database, known_video(database, video).video_id)
    return Transcript(recording if speaker is None else spoken_by(recording, resolve(database, speaker)))
