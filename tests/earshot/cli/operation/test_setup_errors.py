"""A wrong set-up: one line with the remedy, exit code 2, no traceback, and no video changes its state."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import psycopg
import pytest
import soundfile

from earshot.common.audio import SAMPLE_RATE
from earshot.common.errors import DiskFull, Misconfigured, SourceUnusable
from earshot.config.home import make_home
from earshot.config.sources_file import source_named
from earshot.storage.catalog.videos import list_videos
from earshot.storage.database import Database
from earshot.storage.full_disk import disk_full, explaining_full_disk
from earshot.storage.media_store import MediaStore, require_media_store
from ingest_assets.operations.ingest import IngestChoice, ingest
from resources.instance.home import open_instance
from resources.media_source import MediaSourceResource
from tests.support.earshot_up import EARSHOT

# --- folders -------------------------------------------------------------------------------------------------------------


def test_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, reason in ((tmp_path / "file", "File exists"), (tmp_path / "file" / "home", "Not a directory")):
        with pytest.raises(Misconfigured, match=reason):
            make_home(path)


@pytest.mark.slow
@pytest.mark.parametrize("command", [["videos"], ["search", "storm"], ["up"]])
def test_command_without_usable_home_prints_one_line(command: list[str]) -> None:
    environment = {**os.environ, "EARSHOT_HOME": "/proc/foo", "EARSHOT_DEVICE": "cpu"}
    ended = subprocess.run([EARSHOT, *command], capture_output=True, text=True, check=False, env=environment)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "Error: EARSHOT_HOME is /proc/foo, which cannot be made: No such file or directory. "
        "Set EARSHOT_HOME to a folder that you may write to.\n"
    )


# --- the media store -----------------------------------------------------------------------------------------------------


def test_media_url_without_package_names_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_MEDIA", "s3://bucket/audio")
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(Misconfigured, match="package s3fs") as refused:
        require_media_store()
    assert "-m pip install s3fs fsspec==" in refused.value.remedy
    with pytest.raises(Misconfigured, match="package s3fs"):
        MediaStore().read("v.flac")


def test_unknown_media_scheme_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_MEDIA", "s4://bucket/audio")
    with pytest.raises(Misconfigured, match="scheme"):
        require_media_store()


def test_full_media_disk_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EARSHOT_MEDIA", str(tmp_path))
    (tmp_path / ".v.flac.partial").symlink_to("/dev/full")
    with pytest.raises(DiskFull, match="The disk is full"):
        MediaStore().write("v", np.zeros(16_000, dtype=np.int16))
    assert list(tmp_path.iterdir()) == []


def test_full_disk_error_names_home_and_media(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EARSHOT_HOME", str(tmp_path / "home"))
    assert f"EARSHOT_HOME is {tmp_path}/home." in str(disk_full("No space left on device"))
    monkeypatch.setenv("EARSHOT_MEDIA", "/mnt/audio")
    assert f"EARSHOT_HOME is {tmp_path}/home, EARSHOT_MEDIA is /mnt/audio." in str(disk_full("No space left on device"))


# --- ingesting -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    return path


def _refused(database: Database, recording: Path) -> Misconfigured:
    """The error that ends `ingest` of this recording; its video must still be new."""
    with pytest.raises(Misconfigured) as refused:
        list(ingest([source_named(str(recording))], IngestChoice(), database, open_instance()))
    [video] = list_videos(database)
    assert (video.state, video.attempts) == ("new", 0)
    return refused.value


@pytest.mark.parametrize("media", ["/proc/nowhere", "s3://bucket/audio"])
def test_ingest_into_unusable_media_store_leaves_video_new(
    database: Database, recording: Path, monkeypatch: pytest.MonkeyPatch, media: str
) -> None:
    monkeypatch.setenv("EARSHOT_MEDIA", media)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    assert f"'{media}'" in _refused(database, recording).message


def test_ingest_on_full_disk_leaves_video_new(database: Database, recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        MediaSourceResource, "fetch", Mock(side_effect=OSError(errno.ENOSPC, "No space left on device", "/d/a.wav"))
    )
    refused = _refused(database, recording)
    assert isinstance(refused, DiskFull)
    assert "'/d/a.wav'" in str(refused)


def test_full_disk_of_postgres_is_reported() -> None:
    with pytest.raises(DiskFull, match="could not extend file"), explaining_full_disk():
        raise psycopg.errors.DiskFull("could not extend file")


def test_other_errors_are_raised_unchanged() -> None:
    with pytest.raises(PermissionError), explaining_full_disk():
        raise PermissionError(errno.EACCES, "Permission denied")


# --- the call ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["www.youtube.com/@x", "youtube.com/@x", "www.example.com", "feeds.example.com:8000/a.xml"])
def test_address_without_scheme_is_refused(address: str) -> None:
    with pytest.raises(SourceUnusable, match="begins with https://") as refused:
        source_named(address)
    assert f"https://{address}" in refused.value.remedy


@pytest.mark.parametrize("path", ["interview.mp3", "talks/a.mp3", "./www.example.com/a.mp3", "/no/such/file.mp3", "a.b/c d"])
def test_path_is_not_taken_for_an_address(path: str) -> None:
    assert source_named(path).address.endswith(path.removeprefix("./"))


def test_folder_named_like_a_host_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "example.com" / "talks").mkdir(parents=True)
    assert source_named("example.com/talks").address == str(tmp_path / "example.com" / "talks")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("imported", "command"), [("click", "videos"), ("psycopg", "videos"), ("earshot.cli.operation.ingest", "ingest")]
)
def test_ctrl_c_while_commands_are_imported_prints_one_line(imported: str, command: str) -> None:
    program = f"""
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {imported!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
sys.argv = ["earshot", {command!r}]
from earshot.cli import main
main()
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 130
    assert ended.stderr == "Interrupted. Finished work is kept; run the same command again to continue.\n"
