"""Excerpts: part of a recording in which a person speaks, as people.yaml, the command line and table `enrolments` give it.

A time is in seconds (`90`, `12.5`) or h:mm:ss (`1:30`, `1:02:03.5`); a span is two times. No file is opened here.
"""

import re
from dataclasses import dataclass

FILE, VIDEO = "file", "video"

TIME_PATTERN = "a time in seconds or as h:mm:ss"
_CLOCK = re.compile(r"(?:(\d{1,3}):(?=\d\d:))?(\d{1,4}):([0-5]\d(?:\.\d{1,6})?)", re.ASCII)
_SECONDS = re.compile(r"\d{1,7}(?:\.\d{1,6})?", re.ASCII)


@dataclass(frozen=True)
class Excerpt:
    """Part of a recording, in seconds; `end_s` None means its end. `recording` is a video's key or an absolute path."""

    kind: str
    recording: str
    start_s: float = 0.0
    end_s: float | None = None

    @property
    def last_s(self) -> float:
        """Its end in seconds; infinity if `end_s` is None."""
        return float("inf") if self.end_s is None else self.end_s

    @property
    def times(self) -> str:
        """Its span for display: `0:10-1:02:03.5`."""
        return f"{format_time(self.start_s)}-{'end' if self.end_s is None else format_time(self.end_s)}"

    def overlaps(self, other: "Excerpt") -> bool:
        """Whether both share some time in the same recording."""
        same_recording = (self.kind, self.recording) == (other.kind, other.recording)
        return same_recording and self.start_s < other.last_s and other.start_s < self.last_s


def parse_time(text: str) -> float:
    """Seconds of `90`, `12.5`, `1:30`, `1:02:03.5`. Raises ValueError for anything else."""
    if _SECONDS.fullmatch(text):
        return float(text)
    match = _CLOCK.fullmatch(text)
    if not match or (match[1] and int(match[2]) > 59):
        raise ValueError(text)
    return int(match[1] or 0) * 3600.0 + int(match[2]) * 60.0 + float(match[3])


def parse_span(text: str) -> tuple[float, float]:
    """Start and end of `10-25` or `1:30-2:00`, in seconds. Raises ValueError, also if the end is not after the start."""
    start, _, end = text.partition("-")
    times = parse_time(start.strip()), parse_time(end.strip())
    if times[1] <= times[0]:
        raise ValueError(text)
    return times


def format_time(seconds: float) -> str:
    """`0:10`, `12:03.5`, `1:02:03`: to the millisecond, readable by `parse_time()`."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    minutes, seconds_left = divmod(whole, 60)
    hours, minutes_left = divmod(minutes, 60)
    fraction = f".{thousandths:03d}".rstrip("0") if thousandths else ""
    head = f"{hours}:{minutes_left:02d}" if hours else str(minutes)
    return f"{head}:{seconds_left:02d}{fraction}"
