"""`earshot evaluate`: its tables, its JSON and its page."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from earshot.cli.reading.evaluate import MAX_ERRORS, evaluate_command
from earshot.common.errors import EarshotError
from earshot.storage.database import Database
from tests.support.library import fill

SAID = "one two three four five six seven eight nine ten"


@pytest.fixture(autouse=True)
def talk(database: Database) -> Database:
    """A video in which SPEAKER_00 says ten words, a second each."""
    fill(database, ["talk"], [f" {word}" for word in SAID.split()])
    return database


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(evaluate_command, list(map(str, arguments)), catch_exceptions=False)


def write(folder: Path, text: str) -> Path:
    path = folder / "talk.stm"
    path.write_text(f"talk 1 Ana 0 10 {text}\n")
    return path


def test_tables_have_a_row_for_each_video_and_all(tmp_path: Path) -> None:
    ended = run(write(tmp_path, SAID.replace("three", "tree").replace("seven", "")))
    lines = [line.split() for line in ended.stdout.splitlines()]
    assert ["Talk", "9", "1", "0", "1", "22.2", "22.2", "0.0"] in lines
    assert ["all", "9", "1", "0", "1", "22.2", "22.2", "0.0"] in lines
    assert ["Talk", "10.0", "0.0", "0.0", "0.0", "0.0"] in lines
    assert ["0:00:02.000", "substitution", "tree", "->", "three"] in lines
    assert ["0:00:06.000", "insertion", "seven"] in lines
    assert "Not identified: 0 of 0" not in ended.stdout
    assert (ended.exit_code, ended.stderr) == (0, "")


def test_long_list_of_errors_is_cut(tmp_path: Path) -> None:
    ended = run(write(tmp_path, f"{SAID} {'more ' * 30}"))
    assert "Talk: 30 word errors" in ended.stdout
    assert ended.stdout.count("deletion") == MAX_ERRORS
    assert f"{30 - MAX_ERRORS} more; --json and --html list them all." in ended.stdout


def test_json_has_everything(tmp_path: Path) -> None:
    document = json.loads(run(write(tmp_path, SAID), "--json").stdout)
    [video] = document["videos"]
    assert (video["video_id"], video["title"], video["errors"]) == ("talk", "Talk", [])
    assert document["total"]["words"] == {
        "words": 10, "substitutions": 0, "deletions": 0, "insertions": 0, "error_rate": 0.0,
    }  # fmt: skip
    assert document["total"]["speakers"]["error_rate"] == 0.0
    assert document["total"]["speaker_words"]["wrong_person_share"] == 0.0
    assert document["identities"]["unidentified"] == 1


def test_page_is_written_beside_the_output(tmp_path: Path) -> None:
    page = tmp_path / "errors.html"
    ended = run(write(tmp_path, SAID), "--html", page, "--json")
    assert json.loads(ended.stdout)
    assert ended.stderr == f"Written to {page}.\n"
    assert page.read_text().startswith("<!doctype html>")


def test_missing_file_is_a_wrong_call(tmp_path: Path) -> None:
    assert run(tmp_path / "nothing.stm").exit_code == 2


def test_bad_file_names_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, SAID)
    path.write_text("talk 1 Ana")
    with pytest.raises(EarshotError, match=r"talk\.stm, line 1: expected RECORDING"):
        run(path)
