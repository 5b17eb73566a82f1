"""The folder EARSHOT_HOME: created if it is missing, and closed to other users.

A running `earshot up` and a running page leave their processes and addresses in it.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from stat import S_IMODE

from earshot.common.errors import Misconfigured

PAGE_PORT = 3001  # by default
LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))  # names by which only this machine is reached
REMEDY = "Set EARSHOT_HOME to a folder that you may write to."


def make_home(home: Path) -> Path:
    """Create the folder if necessary, keep other users out, and return it.

    Raises Misconfigured if it cannot be created or written to.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"EARSHOT_HOME is {home}, which cannot be made: {error.strerror}.", REMEDY) from error
    if not os.access(home, os.W_OK | os.X_OK):
        raise Misconfigured(f"EARSHOT_HOME is {home}, which cannot be written to.", REMEDY)
    # Root's Postgres runs as a user whose group passes through the home (earshot/storage/postgres/access.py).
    _close(home, 0o710 if os.geteuid() == 0 else 0o700)
    for entry in home.iterdir():  # created within a closed folder, but earlier versions left it open
        if not entry.is_symlink():
            _close(entry, 0o700)
    return home


def _close(path: Path, most: int) -> None:
    """Take all rights but `most` away. A file system without rights, or the owner of a shared folder, decides otherwise."""
    with suppress(PermissionError, FileNotFoundError):
        mode = S_IMODE(path.lstat().st_mode)
        if mode & ~most & 0o777:
            path.chmod(mode & most)


def up_file(home: Path) -> Path:
    """Where a running `earshot up` has its process id and the UI's address, as JSON."""
    return home / "up.json"


def ui_url(home: Path) -> str | None:
    """The address of the UI; None if `earshot up` does not run here."""
    with suppress(FileNotFoundError):
        return json.loads(up_file(home).read_text())["url"]
    return None


def page_file(home: Path) -> Path:
    """Where a running page has its process id and its address, as JSON."""
    return home / "page.json"


def video_page(home: Path, video_id: str) -> str:
    """The address of a video on Earshot's page, where it runs now or else would by default."""
    return f"{page_address(home)}/videos/{video_id}"


def video_resource(home: Path, video_id: str) -> str:
    """The address of a video in the API of Earshot's page."""
    return f"{page_address(home)}/api/v1/videos/{video_id}"


def page_address(home: Path) -> str:
    """The address of Earshot's page, where it runs now or else would by default."""
    return page_url(home) or f"http://127.0.0.1:{PAGE_PORT}"


def page_url(home: Path) -> str | None:
    """The address of Earshot's page; None if it does not run here."""
    with suppress(FileNotFoundError):
        return json.loads(page_file(home).read_text())["url"]
    return None
