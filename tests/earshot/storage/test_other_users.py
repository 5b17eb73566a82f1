"""Another user of the machine cannot read a home, nor connect to its Postgres or its broker; its owner can."""

import os
import pwd
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import psycopg
import pytest

from earshot.config.home import make_home
from earshot.config.settings import read_settings
from earshot.storage.postgres import embedded
from earshot.storage.postgres.access import USER_FOR_ROOT, server_user
from earshot.storage.server import server_urls, stop_embedded
from earshot.storage.sockets import socket_folder
from resources.instance.broker import EmbeddedBroker
from tests.support.other_user import OTHER, as_other_user, as_root

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def opened() -> Iterator[Path]:
    """A home that an earlier version left open to everyone, after it was opened again; its Postgres runs."""
    home = Path(tempfile.mkdtemp(prefix="earshot-"))
    (home / "media").mkdir()
    for name in ("logs/daemon.log", "models/m/model.bin", "broker/valkey.log"):
        (home / name).parent.mkdir(parents=True)
        (home / name).write_text(name)
    (home / "up.json").write_text("{}")
    for path in (home, *home.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    server_urls(replace(read_settings(), home=home, database_url=None))
    (home / "media" / "v.flac").write_text("media/v.flac")  # audio before its database would be refused
    (home / "media" / "v.flac").chmod(0o666)
    yield home
    stop_embedded(home)
    shutil.rmtree(home)


def test_home_is_closed_to_others_at_opening(opened: Path) -> None:
    assert opened.stat().st_mode & 0o067 == 0
    entries = [entry for entry in opened.iterdir() if entry.name != ".postgres.lock"]
    assert {entry.name: oct(entry.stat().st_mode & 0o077) for entry in entries} == {entry.name: "0o0" for entry in entries}
    assert (opened / "media" / "v.flac").read_text() == "media/v.flac"


@as_root
@pytest.mark.parametrize("name", ["media/v.flac", "logs/daemon.log", "models/m/model.bin", "broker/valkey.log", "up.json"])
def test_other_user_reads_no_file(opened: Path, name: str) -> None:
    assert as_other_user((opened / name).read_text) == "PermissionError"
    assert as_other_user(lambda: list(opened.iterdir())) == "PermissionError"


@as_root
def test_other_user_does_not_reach_the_database(opened: Path) -> None:
    url = server_urls(replace(read_settings(), home=opened, database_url=None)).earshot
    assert as_other_user(partial(psycopg.connect, url)) == "OperationalError"


@as_root
def test_open_socket_does_not_let_other_users_in(opened: Path) -> None:
    """Wherever the socket lies: the server asks who connects."""
    url = server_urls(replace(read_settings(), home=opened, database_url=None)).earshot
    folders = {path: path.stat().st_mode for path in (opened, opened / "postgres")}
    try:
        for path in folders:
            path.chmod(0o711)
        with pytest.raises(psycopg.OperationalError, match="Peer authentication failed"):
            raise psycopg.OperationalError(as_other_user(partial(_refusal, url)))
    finally:
        for path, mode in folders.items():
            path.chmod(stat.S_IMODE(mode))


def _refusal(url: str) -> str:
    try:
        psycopg.connect(url)
    except psycopg.OperationalError as error:
        return str(error)
    return "connected"


@as_root
def test_other_user_does_not_reach_the_broker(opened: Path) -> None:
    broker = EmbeddedBroker(opened)
    broker.start()
    try:
        path = str(socket_folder(opened) / "broker.sock")
        assert socket.socket(socket.AF_UNIX).connect_ex(path) == 0
        assert as_other_user(partial(socket.socket(socket.AF_UNIX).connect, path)) == "PermissionError"
    finally:
        broker.stop()
        shutil.rmtree(socket_folder(opened))


@as_root
def test_server_of_earlier_code_stops_trusting(opened: Path) -> None:
    rules = opened / "postgres" / "pg_hba.conf"
    rules.write_text("local all all trust\n")
    embedded.start(opened)
    assert "trust" not in rules.read_text()


@as_root
def test_home_of_another_user_works_for_both() -> None:
    home = Path(tempfile.mkdtemp(prefix="earshot-"))
    other = pwd.getpwnam(OTHER)
    os.chown(home, other.pw_uid, other.pw_gid)
    query = partial(_who_serves, home)
    try:
        assert as_other_user(query) == OTHER
        assert stop_embedded(home)
        assert query() == OTHER
    finally:
        stop_embedded(home)
        shutil.rmtree(home)


def _who_serves(home: Path) -> str:
    with psycopg.connect(embedded.url(embedded.start(home), "postgres")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    return pwd.getpwuid((home / "postgres" / "postmaster.pid").stat().st_uid).pw_name


@as_root
def test_home_of_a_number_without_a_name_has_the_server_of_root(tmp_path: Path) -> None:
    """As in a container with a folder of another machine."""
    os.chown(tmp_path, 54_321, -1)
    user = server_user(tmp_path)
    assert user is not None
    assert user.pw_name == USER_FOR_ROOT


def test_long_path_gets_its_socket_elsewhere() -> None:
    folder = Path(tempfile.mkdtemp(prefix="earshot-"))  # another pytest would close those of `tmp_path` meanwhile
    home = make_home(folder / ("long" * 30))
    sockets = embedded.start(home)
    try:
        assert sockets != home / "postgres"
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        with psycopg.connect(embedded.url(sockets, "postgres")) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        stop_embedded(home)
        shutil.rmtree(sockets)
        shutil.rmtree(folder)


def test_user_that_another_process_is_making_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []
    made = pwd.getpwuid(0)

    def getpwnam(_name: str) -> pwd.struct_passwd:
        if not tries:
            raise KeyError
        return made

    def run(command: list[str], **_options: object) -> None:
        tries.append(command[0])
        raise subprocess.CalledProcessError(1, command)  # useradd: cannot lock /etc/passwd; try again later.

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", getpwnam)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr("earshot.storage.postgres.access.PAUSE_S", 0.0)
    assert server_user(Path("/")) == made
    assert tries == ["useradd"]
