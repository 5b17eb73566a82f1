"""Speakers: compares who speaks when, by pyannote.metrics.

DER, the diarization error rate: the seconds of speech that we miss, of silence that we take for speech (false alarm), and of
speech that we give to the wrong speaker (confusion), per second of speech, with speakers matched so that the confusion is
least. Overlapped speech counts, each speaker's time by itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from earshot.common.timeline import Interval

if TYPE_CHECKING:
    import pandas as pd
    from pyannote.core import Annotation

    Turns = Iterable[tuple[float, float, str]] | Annotation


class Turn(NamedTuple):
    """A time in which somebody speaks, in seconds."""

    start_s: float
    end_s: float
    speaker: str


@dataclass(frozen=True)
class SpeakerScore:
    """Seconds of speech in the reference, and of the errors by kind."""

    speech_s: float
    missed_s: float
    false_alarm_s: float
    confusion_s: float

    @property
    def rate(self) -> float | None:
        """DER; None if the reference has no speech."""
        return (self.missed_s + self.false_alarm_s + self.confusion_s) / self.speech_s if self.speech_s else None

    def __add__(self, other: "SpeakerScore") -> "SpeakerScore":
        return SpeakerScore(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


def diarization_errors(
    reference: "Turns", ours: "Turns", seconds: float, collar_s: float = 0.0, unscored: Iterable[Interval] = ()
) -> SpeakerScore:
    """The errors in a recording of this length, without the `collar_s` seconds on each side of a border of the reference, and
    without the `unscored` times."""
    from pyannote.core import Segment, Timeline
    from pyannote.metrics.diarization import DiarizationErrorRate

    whole = Timeline([Segment(0.0, seconds)])
    scored = Timeline([Segment(*span) for span in unscored]).support().gaps(support=whole)
    metric: Any = DiarizationErrorRate(collar=2 * collar_s)  # pyannote.metrics counts both sides of a border
    errors = metric(annotation(reference), annotation(ours), uem=scored, detailed=True)
    return SpeakerScore(errors["total"], errors["missed detection"], errors["false alarm"], errors["confusion"])


def annotation(turns: "Turns") -> "Annotation":
    """The turns as pyannote represents them; those of one speaker that overlap are one."""
    from pyannote.core import Annotation, Segment

    if isinstance(turns, Annotation):
        return turns
    spoken = Annotation()
    for index, (start, end, speaker) in enumerate(turns):
        spoken[Segment(start, end), index] = speaker
    return spoken.support()


def turns_of(frame: "pd.DataFrame", speaker: str = "local_speaker") -> list[Turn]:
    """The turns of a frame with columns start_s, end_s and the speaker's."""
    return list(map(Turn, frame.start_s.tolist(), frame.end_s.tolist(), frame[speaker].tolist()))


def shared_seconds(reference: "Turns", ours: "Turns") -> dict[tuple[str, str], float]:
    """For how many seconds a speaker of the reference and one of ours speak at the same time; without those who never do."""
    theirs, mine = annotation(reference), annotation(ours)
    seconds = theirs * mine
    return {
        (str(said), str(heard)): float(seconds[row, column])
        for row, said in enumerate(theirs.labels())
        for column, heard in enumerate(mine.labels())
        if seconds[row, column] > 0.0
    }
