"""The errors Earshot raises, as one tree.

    EarshotError
    ├── Misconfigured          the user's set-up: nothing about a video is wrong; exit code 2
    │   ├── GpuUnavailable     CUDA was asked for and cannot be proved to work
    │   ├── ModelUnavailable   a model's files are missing, or are not the pinned ones
    │   └── DatabaseUnusable   no server, no right to it, or a schema newer than this code
    ├── AlertRefused           the receiver of alerts did not accept one; it is offered again
    ├── SourceUnusable         a source cannot be listed: no such file, nothing at the URL; the other sources go on
    └── VideoError             one video; the others go on
        ├── Permanent          never tried again unless asked: the state says why
        │   ├── InvalidMedia   not audio or video, empty, or cut in the middle
        │   ├── NoAudio        a video without an audio track
        │   ├── Removed        the site says that it is gone
        │   ├── Private        its owner keeps it to himself
        │   ├── MembersOnly    the channel's members may see it
        │   ├── GeoBlocked     not from where this machine is
        │   └── AgeRestricted  not without an adult's account
        ├── Retryable          may work later: network, server error
        │   ├── LiveOrUpcoming not broadcast to the end yet
        │   └── OutOfMemory    one input at a time did not fit into what memory was free
        └── Blocked            the site refuses to serve this machine for now: the whole source must wait

Every error says what was wrong, with which value, and (`remedy`) what to do.
"""


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


class GpuUnavailable(Misconfigured):
    """A CUDA device was asked for and could not be proved to work."""


class ModelUnavailable(Misconfigured):
    """A model's files are missing or differ from the pinned ones."""


class DatabaseUnusable(Misconfigured):
    """The database cannot be reached, or its schema is not one this code may touch."""


class SourceUnusable(EarshotError):
    """What the user named as a source is not there, or nothing can be listed in it."""


class AlertRefused(EarshotError):
    """The address that alerts go to cannot be reached, or answered with an error."""


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


class Retryable(VideoError):
    """The same request may succeed later."""


class LiveOrUpcoming(Retryable):
    """It is announced or on air, and not archived yet."""

    state = "live_or_upcoming"


class OutOfMemory(Retryable):
    """The batch was halved down to one input, and memory still ran out."""


class Blocked(VideoError):
    """The site takes this machine for a bot, or has had enough of it: no video of the source can be had for now."""

    state = None
