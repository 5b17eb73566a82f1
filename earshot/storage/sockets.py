"""Folders for the unix sockets of a home's servers. Only the library's user can enter them.

Sockets do not lie in the home, whose path may be longer than the system allows for a socket.
"""

import hashlib
import os
import tempfile
from pathlib import Path
from stat import S_IMODE, S_ISDIR

from earshot.common.errors import Misconfigured

LONGEST_PATH = 107  # bytes, without the final NUL
LONGEST_NAME = ".s.PGSQL.5432"  # of our sockets


def fits(folder: Path) -> bool:
    """Whether a socket in this folder has a path that the system allows."""
    return len(os.fsencode(folder / LONGEST_NAME)) <= LONGEST_PATH


def socket_folder(home: Path, purpose: str = "", owner: int | None = None) -> Path:
    """A private folder under TMPDIR, or under /tmp if that path is too long. `owner`: a user id, by default this process's.

    Raises Misconfigured if another user has made a folder or link of this name.
    """
    owner = os.geteuid() if owner is None else owner
    digest = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    name = f"earshot-{digest}-{purpose}" if purpose else f"earshot-{digest}"
    folder = Path(tempfile.gettempdir()) / name
    if not fits(folder):
        folder = Path("/tmp") / name
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not S_ISDIR(found.st_mode) or found.st_uid not in (owner, os.geteuid()):
        raise Misconfigured(f"{folder} was made by another user.", "Remove it, or set TMPDIR to a folder of your own.")
    if S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)
    if found.st_uid != owner:
        os.chown(folder, owner, -1)
    return folder
