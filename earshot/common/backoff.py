"""The retry policy: a video's state after a failure, and when to retry. Pure functions of the error.

Permanent errors are never retried. Retryable ones are, with growing pauses and a limit on attempts that their class sets
(earshot/common/errors.py); then the video is `failed`. A broadcast is retried after its announced start. A site that blocks
this machine and a wrong configuration are not the video's fault and do not count as attempts.

sensors/retries.py carries out the retries.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from earshot.common.errors import Blocked, EarshotError, LiveOrUpcoming, Misconfigured, Retryable, VideoError

MAX_PAUSE_S = 24 * 3600.0
# After a wrong configuration, or a block without a stated end.
SET_UP_PAUSE_S = 3600.0
# From the announced start of a broadcast to the first check whether it is over and archived.
AFTER_START_S = 1800.0


@dataclass(frozen=True)
class Fate:
    """`state` None keeps the video's state; `retry_at` None means no automatic retry."""

    state: str | None
    attempts: int
    message: str
    retry_at: datetime | None


def fate_of(error: EarshotError, attempts: int, paused_until: datetime | None = None) -> Fate:
    """The next state and retry of a video that had failed `attempts` times before this error."""
    now = datetime.now(UTC)
    if isinstance(error, Blocked | Misconfigured):
        return Fate(None, attempts, str(error), paused_until or now + timedelta(seconds=SET_UP_PAUSE_S))
    state = error.state if isinstance(error, VideoError) else None
    if not isinstance(error, Retryable):
        return Fate(state, attempts + 1, str(error), None)
    if attempts + 1 >= error.most_attempts:
        return Fate("failed", attempts + 1, f"Given up after {attempts + 1} attempts. {error}", None)
    return Fate(state, attempts + 1, str(error), now + timedelta(seconds=_pause_s(error, attempts)))


def _pause_s(error: Retryable, attempts: int) -> float:
    if isinstance(error, LiveOrUpcoming) and error.starts_in_s:
        return error.starts_in_s + AFTER_START_S
    return min(error.first_pause_s * error.growth**attempts, MAX_PAUSE_S)
