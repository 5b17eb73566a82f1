"""What a failure makes of a video: its state, and when it is tried again by itself. Pure functions of the error.

What is permanent is not tried again. What may pass is, after pauses that grow, at most as often as its class says
(earshot/common/errors.py), then it is `failed`. A broadcast is tried once it has begun. A site that blocks, and a set-up that
is wrong, are no fault of the video: they count as no attempt.

The retries are made by sensors/retries.py.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from earshot.common.errors import Blocked, EarshotError, LiveOrUpcoming, Misconfigured, Retryable, VideoError

MAX_PAUSE_S = 24 * 3600.0
# After a set-up that was wrong, or a block whose end nobody told.
SET_UP_PAUSE_S = 3600.0
# Between the announced start of a broadcast and the first look at whether it is over and archived.
AFTER_START_S = 1800.0


@dataclass(frozen=True)
class Fate:
    """`state` None leaves it as it is; `retry_at` None: never by itself."""

    state: str | None
    attempts: int
    message: str
    retry_at: datetime | None


def fate_of(error: EarshotError, attempts: int, paused_until: datetime | None = None) -> Fate:
    """What becomes of a video that has failed `attempts` times before this error."""
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
