"""Causes of a wait that was judged too long: what was waited for. Pure functions.

A part of the wait is the cause if it grew by at least half of the excess. If none did, or earlier versions recorded the usual
timings, which have no parts, the cause is `io_wait`.

| cause | evidence |
|---|---|
| store_wait | reading or writing audio in the media store took longer |
| database_wait | the database took longer |
| network_wait | the download took longer |
| io_wait | all three together did |
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from statistics import median

from earshot.timings.causes.computing import MIN_SHARE, Cause
from earshot.timings.timing import Timing

IO_WAIT = "io_wait"
# The causes, with the seconds that prove each, and what they went into.
PARTS = {
    "store_wait": ("store_s", "the media store"),
    "database_wait": ("database_s", "the database"),
    "network_wait": ("network_s", "the download"),
}
WAITS = (*PARTS, IO_WAIT)


@dataclass(frozen=True)
class UsualWait:
    """The median wait per video and per second of audio. A wait grows with the recording, from a fixed part on."""

    per_video_s: float
    per_second: float

    def expected_s(self, audio_s: float) -> float:
        """The wait for a recording of this length."""
        return max(self.per_video_s, self.per_second * audio_s)


def usual_wait(usual: Sequence[Timing], seconds: Callable[[Timing], float | None]) -> UsualWait | None:
    """The usual wait by those timings that have it; None if none has."""
    waits = [(waited_s, timing.audio_s) for timing in usual if (waited_s := seconds(timing)) is not None]
    if not waits:
        return None
    return UsualWait(median(waited_s for waited_s, _ in waits), median(waited_s / audio_s for waited_s, audio_s in waits))


def explain_wait(now: Timing, usual: Sequence[Timing], expected_s: float) -> Cause:
    """The part that grew by at least half of the excess over `expected_s`; io_wait if none did."""
    grown = {name: (waited_s - usual_s, waited_s, usual_s) for name, waited_s, usual_s in _parts(now, usual)}
    name = max(grown, key=grown.__getitem__, default=IO_WAIT)
    if name == IO_WAIT or grown[name][0] < MIN_SHARE * (now.io_s - expected_s):
        return Cause(
            IO_WAIT, f"{now.io_s:.1f} s went into reading, writing, the network and the database; expected {expected_s:.1f} s"
        )
    _, waited_s, usual_s = grown[name]
    return Cause(name, f"{waited_s:.1f} s went into {PARTS[name][1]}; usual {usual_s:.1f} s")


def _parts(now: Timing, usual: Sequence[Timing]) -> Iterator[tuple[str, float, float]]:
    """The cause, the seconds and the usual seconds of each part that was recorded now and before."""
    for name, (key, _) in PARTS.items():
        waited_s, before = getattr(now, key), usual_wait(usual, attrgetter(key))
        if waited_s is not None and before is not None:
            yield name, waited_s, before.expected_s(now.audio_s)
