"""Speaker names: how exports and search display the speakers of a video.

The asset `people` identifies each local speaker (table `identities`; view `current_identities` leaves out decisions about an
earlier diarization). A local speaker is displayed as follows:

| the local speaker is | displayed as |
|---|---|
| a known person | the person's name |
| an anonymous voice | `voice 7`, the same number in every video |
| Unknown, or not identified yet | the label within this video, `SPEAKER_00`: two unknown voices stay two |
| none (words outside all turns) | `Unknown` |

A correction of a time range ("this turn is Ana") takes precedence: a word, passage or turn with its middle in such a range
(table `segment_overrides`) is that person's, regardless of the diarization.

Names are looked up at display time and not copied, so naming a voice changes every later export and search. Why a speaker got
a name is in table `identities`. Search applies the same rules in SQL (function `passage_speakers`).
"""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from earshot.storage.database import Database

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Speaker:
    """A speaker's displayed name, and the person's name or the anonymous voice's number if there is one."""

    shown: str
    person: str | None = None
    voice: int | None = None


UNKNOWN = Speaker("Unknown")
_VOICE = re.compile(r"voice[\s-]*(\d{1,18})", re.IGNORECASE)


@dataclass(frozen=True)
class Names:
    """The speakers of one video: by label, and by corrected time range (start_s, end_s), disjoint and in order."""

    by_label: Mapping[str, Speaker] = field(default_factory=dict)
    moments: tuple[tuple[float, float, Speaker], ...] = ()

    def of_label(self, label: object) -> Speaker:
        """The speaker with this label; UNKNOWN if it is none (None, pandas' NaN)."""
        return self.by_label.get(label, Speaker(label)) if isinstance(label, str) else UNKNOWN

    def of_spans(self, spans: "pd.DataFrame", labels: Sequence[object]) -> list[Speaker]:
        """The speaker of each word or turn (start_s, end_s), given its local speaker."""
        by_label = {label: self.of_label(label) for label in set(labels)}
        speakers = [by_label[label] for label in labels]
        if not self.moments:
            return speakers
        middles = ((spans.start_s + spans.end_s) / 2).tolist()
        starts = [start for start, _, _ in self.moments]
        last = (bisect_right(starts, middle) - 1 for middle in middles)
        return [
            self.moments[moment][2] if moment >= 0 and middle < self.moments[moment][1] else speaker
            for speaker, moment, middle in zip(speakers, last, middles, strict=True)
        ]


def speaker_names(database: Database, video_id: str) -> Names:
    """The speakers of this video as currently identified."""
    rows = database.query(
        "SELECT local_speaker, voice_id, name FROM current_identities LEFT JOIN people USING (person_id) WHERE video_id = %s",
        [video_id],
    )
    by_label = {row["local_speaker"]: _speaker(row["local_speaker"], row["name"], row["voice_id"]) for row in rows}
    corrected = database.query(
        "SELECT start_s, end_s, name FROM segment_overrides JOIN people USING (person_id) WHERE video_id = %s ORDER BY start_s",
        [video_id],
    )
    moments = tuple((row["start_s"], row["end_s"], Speaker(row["name"], person=row["name"])) for row in corrected)
    return Names(by_label, moments)


def _speaker(label: str, name: str | None, voice_id: int | None) -> Speaker:
    if name is not None:
        return Speaker(name, person=name)
    return Speaker(label) if voice_id is None else Speaker(voice_label(voice_id), voice=voice_id)


def voice_label(voice_id: int) -> str:
    """The label of an anonymous voice, here and in the SQL function `passage_speakers`: `voice 7`."""
    return f"voice {voice_id}"


def parse_voice_label(text: str) -> int | None:
    """The number of `voice 7`, `voice-7` or `Voice7`; None for anything else."""
    match = _VOICE.fullmatch(text.strip())
    return int(match[1]) if match else None
