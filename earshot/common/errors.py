"""The errors Earshot raises, as one tree.

    EarshotError
    ├── Misconfigured           the user's set-up: nothing about a video is wrong; exit code 2
    │   ├── InvalidConfig       a file that the user wrote, or a setting, is wrong: every mistake with its line
    │   ├── GpuUnavailable      CUDA was asked for and cannot be proved to work
    │   ├── ModelUnavailable    a model's files are missing, or are not the pinned ones
    │   ├── DatabaseUnusable    no server, no right to it, or a schema newer than this code
    │   └── DiskFull            the disk is full, or too little space is left to fetch anything
    ├── AlertRefused            the receiver of alerts did not accept one; it is offered again
    ├── RecordingUnusable       a recording of a person is gone, or has no such part; it is tried again
    ├── NotTranscribed          a video that is asked for is not known, or has no transcript
    ├── StageMissing            a stage that this one reads has left nothing for the video: nothing new is known of it
    ├── InconsistentVideo       what is kept of a video is partly of an older ingest; it will be whole again
    ├── SourceUnusable          a source cannot be listed: no such file, nothing at the URL; the other sources go on
    │   ├── SourceBlocked       its site refuses to serve this machine for now
    │   └── NotAFeed            there is something, but no feed
    └── VideoError              one video; the others go on
        ├── Permanent           never tried again unless asked: the state says why
        │   ├── InvalidMedia    not audio or video, empty, or cut in the middle
        │   ├── NoAudio         a video without an audio track
        │   ├── Removed         the site says that it is gone
        │   ├── Private         its owner keeps it to himself
        │   ├── MembersOnly     the channel's members may see it
        │   ├── GeoBlocked      not from where this machine is
        │   ├── AgeRestricted   not without an adult's account
        │   └── AddressRefused  it leads to a private address that nobody named
        ├── Retryable           may work later: network, server error
        │   ├── LiveOrUpcoming  not broadcast to the end yet
        │   ├── Truncated       less came than the site said there is
        │   └── OutOfMemory     one input at a time did not fit into what memory was free
        └── Blocked             the site refuses to serve this machine for now: the whole source must wait

Every error says what was wrong, with which value, and (`remedy`) what to do.
"""

from collections.abc import Iterator
from typing import NamedTuple


class EarshotError(Exception):
    """Anything Earshot can explain. `remedy` says what to do, in one sentence."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class Misconfigured(EarshotError):
    """The set-up is wrong; no video is to blame and none changes its state."""


class Mistake(NamedTuple):
    """One thing that a user wrote wrongly. `line` is None for an environment variable; `value` is as errors may show it."""

    line: int | None
    key: str
    value: str
    message: str
    remedy: str


class InvalidConfig(Misconfigured):
    """sources.yaml, people.yaml or the settings are wrong. `mistakes`: all that is wrong, in the order of the file."""

    def __init__(self, message: str, mistakes: tuple[Mistake, ...] = ()) -> None:
        super().__init__(message)
        self.mistakes = mistakes


class GpuUnavailable(Misconfigured):
    """A CUDA device was asked for and could not be proved to work."""


class ModelUnavailable(Misconfigured):
    """A model's files are missing or differ from the pinned ones."""


class DatabaseUnusable(Misconfigured):
    """The database cannot be reached, or its schema is not one this code may touch."""


class DiskFull(Misconfigured):
    """The disk is full, or fetching one more video could fill it."""


class RecordingUnusable(EarshotError):
    """A recording that a person is to be known by is gone, or has no such part; the others are used.

    The message may hold a path: not for logs.
    """


class NotTranscribed(EarshotError):
    """There is no such video, or nothing of what is said in it."""


class StageMissing(EarshotError):
    """A stage reads what another has not made for this video. What is known of the video stays as it is."""


class InconsistentVideo(EarshotError):
    """What one stage left of a video is older than what it is made from."""


class SourceUnusable(EarshotError):
    """What the user named as a source is not there, or nothing can be listed in it."""


class SourceBlocked(SourceUnusable):
    """The source's site has had enough of this machine. `pause_s`: how long it asks to be left alone, where it says."""

    def __init__(self, message: str, remedy: str = "", pause_s: float | None = None) -> None:
        super().__init__(message, remedy)
        self.pause_s = pause_s


class AlertRefused(EarshotError):
    """The address that alerts go to cannot be reached, or answered with an error."""


class NotAFeed(SourceUnusable):
    """What lies at a feed's address is something else."""


class VideoError(EarshotError):
    """One video cannot be processed. `state` is what table `videos` then says of it; None leaves it as it is."""

    state: str | None = "failed"


class Permanent(VideoError):
    """Trying again would end the same way."""


class InvalidMedia(Permanent):
    """The file is not media, is empty, or ends before it should."""


class NoAudio(Permanent):
    """There is a picture, but no audio track."""

    state = "no_audio"


class Removed(Permanent):
    """The site says that the media is gone."""

    state = "removed"


class Private(Permanent):
    """Its owner has made it private."""

    state = "private"


class MembersOnly(Permanent):
    """Only members of the channel may see it."""

    state = "members_only"


class GeoBlocked(Permanent):
    """The site does not offer it where this machine is."""

    state = "geo_blocked"


class AgeRestricted(Permanent):
    """The site asks for an account of somebody old enough."""

    state = "age_restricted"


class AddressRefused(Permanent):
    """A public source led to a private or loopback address that the user did not name."""


class Retryable(VideoError):
    """The same request may succeed later: after `first_pause_s`, then `growth` times longer, `most_attempts` times in all."""

    first_pause_s = 300.0
    growth = 3.0
    most_attempts = 6


class LiveOrUpcoming(Retryable):
    """It is announced or on air, and not archived yet. `starts_in_s`: seconds until its start, where that was told."""

    state = "live_or_upcoming"
    first_pause_s = 1800.0
    growth = 1.5
    most_attempts = 60

    def __init__(self, message: str, remedy: str = "", starts_in_s: float | None = None) -> None:
        super().__init__(message, remedy)
        self.starts_in_s = starts_in_s


class Truncated(Retryable):
    """What was fetched ends before the duration that the site gives."""


class OutOfMemory(Retryable):
    """The batch was halved down to one input, and memory still ran out."""


class Blocked(VideoError):
    """The site takes this machine for a bot, or has had enough of it: no video of the source can be had for now.

    `pause_s`: how long it asks to be left alone, where it says.
    """

    state = None

    def __init__(self, message: str, remedy: str = "", pause_s: float | None = None) -> None:
        super().__init__(message, remedy)
        self.pause_s = pause_s


def error_chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it wraps, the first cause last. `exc_info` and `cause` are where yt-dlp's errors keep theirs."""
    found: BaseException | None = error
    seen: set[int] = set()
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        wrapped = (getattr(found, "exc_info", None) or (None, None))[1] or getattr(found, "cause", None)
        found = wrapped or found.__cause__ or found.__context__
