"""Turns the errors that Python and Postgres raise for a full disk into DiskFull, which does not count against a video."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from earshot.common.errors import DatabaseDiskFull, DiskFull, error_chain

SQLSTATE = "53100"  # disk_full; `sqlstate` in psycopg 3, `pgcode` in psycopg 2
WORDS = "No space left on device"  # the operating system's message, which Postgres and Dagster quote


@contextmanager
def explaining_full_disk() -> Iterator[None]:
    """Within the block, raise errors caused by a full disk as DiskFull, and all others unchanged."""
    try:
        yield
    except Exception as error:
        cause = next((link for link in error_chain(error) if _is_full(link)), None)
        if cause is None:
            raise
        raise disk_full(str(cause)) from error


def disk_full(detail: str) -> DiskFull:
    """The error for a full disk, with the system's message."""
    return DiskFull(*_message(detail))


def database_disk_full(detail: str) -> DatabaseDiskFull:
    """The error for an embedded Postgres that a full disk keeps from starting, with the system's message."""
    return DatabaseDiskFull(*_message(detail))


def _message(detail: str) -> tuple[str, str]:
    """What is wrong and what to do. Names both places where data grows: they may be two disks."""
    # Imported late: every command loads this module, and few need these.
    from earshot.common.redaction import without_secrets
    from earshot.config.settings import read_settings

    settings = read_settings()
    media = without_secrets(settings.media)
    elsewhere = "" if media.startswith(f"{settings.home}/") else f", EARSHOT_MEDIA is {media}"
    return (
        f"The disk is full ({' '.join(detail.split())}); EARSHOT_HOME is {settings.home}{elsewhere}.",
        "Free some space, or move the library to a larger disk (docs/guides/operation/library.md), then run the command again.",
    )


def _is_full(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return SQLSTATE in (getattr(error, "sqlstate", None), getattr(error, "pgcode", None))
