"""Who runs the embedded server, who may connect to it, and through which folders its user must pass.

Postgres refuses to run as root. For root it runs as user `pgserver`, which is made if necessary; in another user's home, as
that user, if its number has a name on this machine. `pgserver` may pass through the home, by its group, but not list it;
folders above the home, and above the programs, are opened for passing through only if they are closed.
"""

import os
import pwd
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from pwd import struct_passwd

from earshot.common.errors import DatabaseUnusable
from earshot.storage.postgres.programs import programs

SUPERUSER = "postgres"  # in the server; not a user of the machine
USER_FOR_ROOT = "pgserver"
ATTEMPTS, PAUSE_S = 20, 0.5  # to make that user
MAP = "earshot"
HEADING = "# Written by Earshot at each start.\n"


def server_user(home: Path) -> struct_passwd | None:
    """The user as whom this process must start the server of this home; None: its own."""
    if os.geteuid() != 0:
        return None
    owner = home.stat().st_uid
    return (_user(owner) if owner else None) or _user_for_root()


def _user(number: int) -> struct_passwd | None:
    """The user of this number; None if it has no name, as in a container whose folder is another machine's."""
    try:
        return pwd.getpwuid(number)
    except KeyError:
        return None


def _user_for_root() -> struct_passwd:
    """The user, made if necessary. Another process may be making it: it has locked the file of users meanwhile."""
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", USER_FOR_ROOT]
    failure: Exception | None = None
    for _ in range(ATTEMPTS):
        with suppress(KeyError):
            return pwd.getpwnam(USER_FOR_ROOT)
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except OSError as error:
            failure = error
            break
        except subprocess.CalledProcessError as error:
            failure = error
            time.sleep(PAUSE_S)
    raise DatabaseUnusable(
        f"Postgres does not run as root, and the user {USER_FOR_ROOT} cannot be made: {failure}.",
        f"Make it yourself: {' '.join(command)}. Or run Earshot as another user.",
    ) from failure


def write_access(home: Path) -> bool:
    """Let the owners of the home and of the server, and root, connect over the socket, and no one else.

    Returns whether that changes the files, which a running server reads again only on request.
    """
    data = home / "postgres"
    numbers = {0, os.geteuid(), home.stat().st_uid, data.stat().st_uid}
    names = {user.pw_name for number in numbers if (user := _user(number))}
    lines = "".join(f'{MAP} "{name}" {SUPERUSER}\n' for name in sorted(names))
    files = {data / "pg_hba.conf": f"{HEADING}local all {SUPERUSER} peer map={MAP}\n", data / "pg_ident.conf": HEADING + lines}
    changed = [file for file, text in files.items() if file.read_text() != text]
    for file in changed:
        file.write_text(files[file])
    return bool(changed)


def give(data: Path, user: struct_passwd) -> None:
    """Make the server's files this user's: copied from another machine, they may have a number that is another user here."""
    if data.stat().st_uid != user.pw_uid:
        for path in (data, *data.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def let_through(home: Path, user: struct_passwd) -> None:
    """Let the server's user pass through the home to its files, and reach the programs."""
    if home.stat().st_uid != user.pw_uid:
        os.chown(home, -1, user.pw_gid)
        home.chmod(home.stat().st_mode | 0o010)
    for folder in _closed((*home.parents, *programs().parents), user):
        folder.chmod(folder.stat().st_mode | 0o001)
    _open_programs()


def _closed(folders: tuple[Path, ...], user: struct_passwd) -> Iterator[Path]:
    """The folders that the user cannot pass through."""
    for folder in folders:
        state = folder.stat()
        as_owner = state.st_uid == user.pw_uid and state.st_mode & 0o100
        as_group = state.st_gid == user.pw_gid and state.st_mode & 0o010
        if not (as_owner or as_group or state.st_mode & 0o001):
            yield folder


def _open_programs() -> None:
    """Let every user read the programs and their libraries, which are no secret; root's umask may have closed them."""
    installed = programs().parent
    if (programs() / "postgres").stat().st_mode & 0o005 != 0o005:
        for path in (installed, *installed.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(mode | 0o044 | (mode & 0o100) // 0o10 | (mode & 0o100) // 0o100)
