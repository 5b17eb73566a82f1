"""What another user of the machine can do: the test's process forks, and the child becomes that user. Needs root."""

import os
import pwd
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection

import pytest

OTHER = "nobody"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def as_other_user(act: Callable[[], object], user: str = OTHER) -> str:
    """The result of `act()` as this user, as text; or the name of the error that it raised."""
    fork = get_context("fork")
    ours, theirs = fork.Pipe()
    child = fork.Process(target=_act, args=[act, pwd.getpwnam(user), theirs])
    child.start()
    try:
        assert ours.poll(120), "the other user has not finished"
        return ours.recv()
    finally:
        child.kill()
        child.join()


def _act(act: Callable[[], object], user: pwd.struct_passwd, answer: Connection) -> None:
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    try:
        answer.send(str(act()))
    except Exception as error:  # noqa: BLE001 - whatever it is, the test compares its name
        answer.send(type(error).__name__)
