"""The command line as a user meets it: exit codes, one clear message, JSON that parses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from bench.corpora.episodes import TELEPHONE, clip_path
from earshot.cli.commands import COMMANDS, cli
from earshot.cli.lazy_group import LazyCommand, LazyGroup
from earshot.cli.people.group import COMMANDS as PEOPLE_COMMANDS
from earshot.cli.people.group import people_group
from earshot.config.settings import PROJECT_ROOT
from earshot.models.registry import SETS
from earshot.storage.catalog.videos import Video, list_videos, register
from earshot.storage.database import Database
from tests.support.earshot_up import EARSHOT
from tests.support.videos.spoken_videos import add_video

pytestmark = pytest.mark.slow  # each starts a process


def _earshot(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([EARSHOT, *arguments], capture_output=True, text=True, check=False, env={**os.environ, **environment})


def test_missing_cuda_is_refused_without_fallback(database: Database) -> None:
    # CUDA_VISIBLE_DEVICES hides the device of a machine that has one.
    ended = _earshot("ingest", str(clip_path(TELEPHONE)), EARSHOT_DEVICE="cuda", CUDA_VISIBLE_DEVICES="")
    assert ended.returncode == 2
    assert (ended.stdout, ended.stderr.count("Error:")) == ("", 1)
    assert "EARSHOT_DEVICE=cpu" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert database.query("SELECT asset FROM asset_timings WHERE asset <> 'audio'") == []


def test_default_device_is_cuda(database: Database) -> None:
    ended = _earshot("search", "anything", EARSHOT_DEVICE="", CUDA_VISIBLE_DEVICES="")
    assert ended.returncode == 2
    assert "asks for cuda" in ended.stderr
    assert list_videos(database) == []


def test_missing_large_model_error_has_download_command(database: Database, tmp_path: Path) -> None:
    add_video(database, "made-with-large", ("SPEAKER_00", "alpha"), model=SETS["large"].text)
    ended = _earshot("search", "anything", EARSHOT_MODELS="large", HF_HOME=str(tmp_path))
    assert ended.returncode == 2
    assert "hf download BAAI/bge-m3 --revision 5617a9f61b028005a4858fdac845db406aefb181" in ended.stderr


def test_missing_source_exits_with_1(database: Database) -> None:
    ended = _earshot("ingest", "/no/such/file.mp3", "--json")
    assert ended.returncode == 1
    [outcome] = json.loads(ended.stdout)["outcomes"]
    assert (outcome["result"], outcome["video_id"]) == ("failed", None)
    assert "/no/such/file.mp3" in outcome["error"]
    assert list_videos(database) == []


def test_videos_as_json_and_as_table(database: Database) -> None:
    register(database, [Video("file-1", "/a/b.mp3", "/a", "Café “Ω” 🎙️", duration_s=3725.0)])
    [listed] = json.loads(_earshot("videos", "--json").stdout)
    assert listed.items() >= {
        "video_id": "file-1", "title": "Café “Ω” 🎙️", "source": "/a", "state": "new", "duration_s": 3725.0,
    }.items()  # fmt: skip
    assert "1:02:05" in _earshot("videos").stdout


def test_empty_library_says_how_to_start(database: Database) -> None:
    assert _earshot("videos").stdout == "No videos yet. Start with: earshot ingest SOURCE\n"
    assert json.loads(_earshot("videos", "--json").stdout) == []
    assert json.loads(_earshot("timings", "--json").stdout) == []
    assert list_videos(database) == []


def test_definitions_load_no_torch() -> None:
    code = "import sys, ingest_assets.definitions; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_dagster_accepts_the_workspace(home: Path) -> None:
    dagster = str(Path(sys.executable).parent / "dagster")
    command = [dagster, "definitions", "validate", "-w", "workspace.yaml"]
    environment = {**os.environ, "EARSHOT_HOME": str(home)}
    ended = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False, env=environment)
    assert ended.returncode == 0, ended.stderr
    assert "All code locations passed validation" in ended.stdout + ended.stderr


def test_doctor_proves_every_claim(database: Database) -> None:
    ended = _earshot("doctor", "--json")
    findings = json.loads(ended.stdout)
    assert [finding["claim"] for finding in findings if not finding["proved"]] == []
    assert {"device", "model files", "models at work", "media store", "database"} <= {finding["claim"] for finding in findings}
    assert all(finding["detail"] and finding["seconds"] >= 0.0 for finding in findings)
    assert ended.returncode == 0
    assert list_videos(database) == []


def test_doctor_reports_failures_and_proves_the_rest(database: Database, tmp_path: Path) -> None:
    assert list_videos(database) == []
    blocked = tmp_path / "a file"
    blocked.write_text("not a folder")
    ended = _earshot("doctor", "--json", EARSHOT_DEVICE="cuda", EARSHOT_MEDIA=str(blocked))
    assert ended.returncode == 1
    findings = {finding["claim"]: finding for finding in json.loads(ended.stdout)}
    failed = {claim for claim, finding in findings.items() if not finding["proved"]}
    assert failed == {"device", "models at work", "media store"}
    assert "EARSHOT_DEVICE=cpu" in findings["device"]["detail"]
    assert "cannot be made" in findings["media store"]["detail"]


@pytest.mark.parametrize(("group", "commands"), [(cli, COMMANDS), (people_group, PEOPLE_COMMANDS)])
def test_command_summaries_match_help(group: LazyGroup, commands: dict[str, LazyCommand]) -> None:
    loaded = {name: command.load() for name, command in commands.items()}
    assert {name: command.name for name, command in loaded.items()} == {name: name for name in commands}
    assert {name: command.get_short_help_str(1000) for name, command in loaded.items()} == {
        name: command.summary for name, command in commands.items()
    }
    assert group.list_commands(click.Context(group)) == sorted(commands)


@pytest.mark.parametrize("arguments", [["--help"], ["people", "--help"], ["videos", "--help"], ["search", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom earshot.cli.commands import cli\n"
        f"cli.main({arguments!r}, standalone_mode=False)\n"
        "heavy = {'dagster', 'torch', 'pandas', 'sqlalchemy', 'mcp', 'prometheus_client'}\n"
        "sys.exit(', '.join(heavy & sys.modules.keys()) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=PROJECT_ROOT)
    assert (ended.returncode, ended.stderr) == (0, "")
