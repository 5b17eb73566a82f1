"""Files and folders appear complete, or stay as they were."""

import os
import threading
from pathlib import Path

import pytest

from earshot.common.atomic_files import atomic_file, atomic_folder, make_folder
from earshot.common.errors import EarshotError


def test_file_appears_only_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    with atomic_file(path) as file:
        file.write("Naïve…\r\n")
        file.flush()
        assert path.read_text() == "before"
    assert path.read_bytes() == "Naïve…\r\n".encode()
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("before", [None, "before"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_error_leaves_no_trace(tmp_path: Path, before: str | None, error: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    if before is not None:
        path.write_text(before)

    def write_and_fail() -> None:
        with atomic_file(path) as file:
            file.write("half")
            raise error

    with pytest.raises(error):
        write_and_fail()
    assert {entry.name: entry.read_text() for entry in tmp_path.iterdir()} == ({} if before is None else {"a.txt": before})


def test_leftover_of_killed_process_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".a.txt.partial").write_text("much more than there will be")
    with atomic_file(tmp_path / "a.txt") as file:
        file.write("whole")
    assert {entry.name: entry.read_text() for entry in tmp_path.iterdir()} == {"a.txt": "whole"}


def test_symlink_is_kept_and_permissions_are_default(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "a.txt").symlink_to(tmp_path / "there" / "b.txt")
    with atomic_file(tmp_path / "a.txt") as file:
        file.write("whole")
    (tmp_path / "other").touch()
    assert (tmp_path / "a.txt").is_symlink()
    assert (tmp_path / "there" / "b.txt").read_text() == "whole"
    assert (tmp_path / "there" / "b.txt").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_pipe_is_written_to_directly(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    reader.start()
    with atomic_file(tmp_path / "pipe") as file:
        file.write("whole")
    reader.join(10)
    assert (read, os.listdir(tmp_path)) == (["whole"], ["pipe"])


def test_unwritable_path_gets_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, why in ((tmp_path / "no" / "a", "No such file or directory"), (tmp_path / "file" / "a", "Not a directory")):
        with pytest.raises(EarshotError, match=f"{path} cannot be written: {why}"), atomic_file(path):
            pass
    with pytest.raises(EarshotError, match="cannot be written"):
        make_folder(tmp_path / "file" / "folder")


def test_folder_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder"
    with pytest.raises(FileNotFoundError), atomic_folder(path) as beside:
        (beside / "a.txt").rename(beside / "there is none")
    assert os.listdir(path.parent) == []
    with atomic_folder(path) as beside:
        (beside / "a.txt").write_text("whole")
        assert not path.exists()
    assert os.listdir(path.parent) == ["folder"]
    assert (path / "a.txt").read_text() == "whole"


def test_first_of_two_concurrent_folders_stays(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    with atomic_folder(path) as slow:
        (slow / "a.txt").write_text("second")
        with atomic_folder(path) as quick:
            (quick / "a.txt").write_text("first")
    assert (path / "a.txt").read_text() == "first"
    assert os.listdir(tmp_path) == ["folder"]
