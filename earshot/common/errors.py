"""The errors Earshot raises, as one tree.

    EarshotError
    ├── Misconfigured           the configuration is wrong, not a video; exit code 2
    │   ├── InvalidConfig       a user's file or setting is wrong: every mistake with its line
    │   ├── GpuUnavailable      CUDA was requested but does not demonstrably work
    │   ├── ModelUnavailable    a model's files are missing, or are not the pinned ones
    │   ├── DatabaseUnusable    no server, no permission, or a schema newer than this code
    │   └── DiskFull            the disk is full, or has too little space for another download
    │       └── DatabaseDiskFull  too full for the embedded Postgres to start: DatabaseUnusable, too
    ├── AlertRefused            the receiver did not accept an alert; it is sent again later
    ├── RecordingUnusable       a person's recording is gone, or does not contain its span; tried again later
    ├── Unknown                 the library has no video, person, voice, source or language of this name
    ├── WrongCursor             the text is no cursor of the list that is read
    ├── NotTranscribed          the requested video is unknown, or has no transcript
    ├── StageMissing            an upstream stage has no result for the video; the video's state does not change
    ├── InconsistentVideo       a video's rows partly come from an older ingest; the next ingest repairs it
    ├── SourceUnusable          a source cannot be listed: no such file, nothing at the URL; other sources continue
    │   ├── SourceBlocked       its site refuses to serve this machine for now
    │   └── NotAFeed            the address holds something other than a feed
    └── VideoError              one video failed; other videos continue
        ├── Permanent           retried only on request; the state says why
        │   ├── InvalidMedia    not audio or video, empty, or truncated
        │   ├── OverLimit       longer than Earshot takes, or decoding it needs more time or memory than it may
        │   ├── NoAudio         a video without an audio track
        │   ├── Removed         the site says that it is gone
        │   ├── Private         its owner has made it private
        │   ├── MembersOnly     only members of the channel may see it
        │   ├── GeoBlocked      not available in this machine's country
        │   ├── AgeRestricted   needs an adult's account
        │   └── AddressRefused  it leads to a private address that the user did not name
        ├── Retryable           may succeed later: network, server error
        │   ├── LiveOrUpcoming  not broadcast to the end yet
        │   ├── Truncated       the download is shorter than the site says
        │   └── OutOfMemory     even a single input did not fit into the free memory
        └── Blocked             the site refuses to serve this machine for now; the whole source pauses

Every error says what was wrong and with which value; its `remedy` says what to do.
"""

from collections.abc import Iterator
from typing import NamedTuple

REINSTALL = "Run `make env`; without a clone, install Earshot's wheel again"


class EarshotError(Exception):
    """Any error that Earshot can explain. `remedy` says what to do, in one sentence."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class Misconfigured(EarshotError):
    """The configuration is wrong; no video changes its state."""


class Mistake(NamedTuple):
    """A user's mistake. `line` is None for an environment variable; `value` is as errors may show it."""

    line: int | None
    key: str
    value: str
    message: str
    remedy: str


class InvalidConfig(Misconfigured):
    """sources.yaml, people.yaml or the settings are wrong. `mistakes` has all mistakes, in the order of the file."""

    def __init__(self, message: str, mistakes: tuple[Mistake, ...] = ()) -> None:
        super().__init__(message)
        self.mistakes = mistakes


class GpuUnavailable(Misconfigured):
    """A CUDA device was requested, but a check that it works failed."""


class ModelUnavailable(Misconfigured):
    """A model's files are missing or differ from the pinned ones."""


class DatabaseUnusable(Misconfigured):
    """The database cannot be reached, or this code does not support its schema."""


class DiskFull(Misconfigured):
    """The disk is full, or one more download could fill it."""


class DatabaseDiskFull(DiskFull, DatabaseUnusable):
    """The disk is too full for the embedded Postgres to start."""


class RecordingUnusable(EarshotError):
    """A person's recording is gone, or does not contain its span; that person's other recordings are still used.

    The message may contain a path: do not log it.
    """


class Unknown(EarshotError):
    """The library has nothing of this name."""


class WrongCursor(EarshotError):
    """The text is no cursor of the list that is read."""

    def __init__(self, cursor: str) -> None:
        super().__init__(f"{cursor!r} is no place in the list.", "Use `next` of an earlier answer.")


class NotTranscribed(EarshotError):
    """There is no such video, or it has no transcript."""


class StageMissing(EarshotError):
    """An upstream stage has no result for this video. The video's state does not change."""


class InconsistentVideo(EarshotError):
    """A stage's result for a video is older than its inputs."""


class SourceUnusable(EarshotError):
    """The user's source does not exist, or cannot be listed."""


class SourceBlocked(SourceUnusable):
    """The source's site refuses to serve this machine. `pause_s`: for how many seconds, if the site says."""

    def __init__(self, message: str, remedy: str = "", pause_s: float | None = None) -> None:
        super().__init__(message, remedy)
        self.pause_s = pause_s


class AlertRefused(EarshotError):
    """The receiver of alerts cannot be reached, or answered with an error."""


class NotAFeed(SourceUnusable):
    """A feed's address holds something other than a feed."""


class VideoError(EarshotError):
    """One video cannot be processed. `state` is its new state in table `videos`; None keeps the old one."""

    state: str | None = "failed"


class Permanent(VideoError):
    """A retry would fail in the same way."""


class InvalidMedia(Permanent):
    """The file is not media, is empty, or is truncated."""


class OverLimit(Permanent):
    """The recording is longer than Earshot takes, or decoding it needs more time or memory than it may."""


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
    """The site asks for an adult's account."""

    state = "age_restricted"


class AddressRefused(Permanent):
    """A public source led to a private or loopback address that the user did not name."""


class Retryable(VideoError):
    """May succeed later: retried after `first_pause_s`, then `growth` times longer each time; `most_attempts` in all."""

    first_pause_s = 300.0
    growth = 3.0
    most_attempts = 6


class LiveOrUpcoming(Retryable):
    """A broadcast that is announced or on air, but not archived yet. `starts_in_s`: seconds until it starts, if known."""

    state = "live_or_upcoming"
    first_pause_s = 1800.0
    growth = 1.5
    most_attempts = 60

    def __init__(self, message: str, remedy: str = "", starts_in_s: float | None = None) -> None:
        super().__init__(message, remedy)
        self.starts_in_s = starts_in_s


class Truncated(Retryable):
    """The download is shorter than the duration that the site gives."""


class OutOfMemory(Retryable):
    """Memory ran out even after the batch was halved down to one input."""


class Blocked(VideoError):
    """The site takes this machine for a bot or limits its rate: no video of the source can be fetched for now.

    `pause_s`: for how many seconds, if the site says.
    """

    state = None

    def __init__(self, message: str, remedy: str = "", pause_s: float | None = None) -> None:
        super().__init__(message, remedy)
        self.pause_s = pause_s


def error_chain(error: BaseException) -> Iterator[BaseException]:
    """The error and every error it wraps, the root cause last. yt-dlp's errors keep theirs in `exc_info` and `cause`."""
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        wrapped = (getattr(link, "exc_info", None) or (None, None))[1] or getattr(link, "cause", None)
        link = wrapped or link.__cause__ or link.__context__
