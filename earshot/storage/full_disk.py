"""A full disk, however Python or Postgres put it, becomes one error, DiskFull: the set-up is to blame, and no video."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from earshot.common.errors import DiskFull, error_chain

SQLSTATE = "53100"  # disk_full, as psycopg 3 (`sqlstate`) and psycopg 2 (`pgcode`) have it
WORDS = "No space left on device"  # as the operating system says it, and with it Postgres and Dagster


@contextmanager
def explaining_full_disk() -> Iterator[None]:
    """For the block: an error that a full disk caused is raised as DiskFull; all others as they are."""
    try:
        yield
    except Exception as error:
        cause = next((found for found in error_chain(error) if _is_full(found)), None)
        if cause is None:
            raise
        raise disk_full(str(cause)) from error


def disk_full(said: str) -> DiskFull:
    """The error for a full disk, of which the system said this. Where Earshot's data grows is named: it may be two disks."""
    # Every command loads this module to end well, and few end here.
    from earshot.common.redaction import without_secrets
    from earshot.config.settings import read_settings

    settings = read_settings()
    media = without_secrets(settings.media)
    elsewhere = "" if media.startswith(f"{settings.home}/") else f", EARSHOT_MEDIA is {media}"
    return DiskFull(
        f"The disk is full ({' '.join(said.split())}); EARSHOT_HOME is {settings.home}{elsewhere}.",
        "Free some space, or move the library to a larger disk (docs/guides/library.md), then run the same command again.",
    )


def _is_full(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return SQLSTATE in (getattr(error, "sqlstate", None), getattr(error, "pgcode", None))
