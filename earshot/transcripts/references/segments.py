"""Segments: what every reader makes of a reference file, and the error about a file that it cannot read."""

from pathlib import Path
from typing import NamedTuple

from earshot.common.errors import EarshotError

SHOWN = 80  # characters of a line that an error shows


class Segment(NamedTuple):
    """A stretch of a recording as a reference describes it; None for what the format, or this segment, does not say.

    `recording` is the name inside the file. `text` is None where only who speaks is known. A segment that is not `scored`
    marks time that no score counts.
    """

    recording: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    speaker: str | None = None
    text: str | None = None
    scored: bool = True


class FilePlace(NamedTuple):
    """Where in a file something is, for errors: `line 3`."""

    path: Path
    where: str

    def refuse(self, expected: str, found: object) -> EarshotError:
        """The error about what is found here; the caller raises it."""
        shown = found if isinstance(found, str) else repr(found)
        cut = shown if len(shown) <= SHOWN else f"{shown[: SHOWN - 1]}…"
        return EarshotError(f"{self.path}, {self.where}: expected {expected}, found {cut!r}.", "Correct the file.")

    def seconds(self, text: object, what: str) -> float:
        """The number of seconds, 0 or more; raises EarshotError for anything else."""
        try:
            seconds = float(text) if isinstance(text, str | int | float) else -1.0
        except (ValueError, OverflowError):  # OverflowError: hundreds of digits
            seconds = -1.0
        if not 0.0 <= seconds < float("inf"):  # also refuses NaN
            raise self.refuse(f"{what} in seconds", text)
        return seconds

    def end(self, end_s: float, start_s: float, found: object) -> float:
        """The end, if it is not before the start; raises EarshotError otherwise."""
        if end_s < start_s:
            raise self.refuse(f"an end after the start at {start_s:g} s", found)
        return end_s
