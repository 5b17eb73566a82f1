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
from tests.support.spoken_videos import add_video

pytestmark = pytest.mark.slow  # each starts a process
EARSHOT = str(Path(sys.executable).parent / "earshot")


def _earshot(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([EARSHOT, *arguments], capture_output=True, text=True, check=False, env={**os.environ, **environment})


def test_cuda_where_there_is_none_is_one_clear_message_and_never_the_cpu(database: Database) -> None:
    # No device is visible, whether or not this machine has one.
    ended = _earshot("ingest", str(clip_path(TELEPHONE)), EARSHOT_DEVICE="cuda", CUDA_VISIBLE_DEVICES="")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.count("Error:") == 1
    assert "EARSHOT_DEVICE asks for cuda, but torch finds no CUDA device" in ended.stderr
    assert "set EARSHOT_DEVICE=cpu" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert database.query("SELECT asset FROM asset_timings WHERE asset <> 'audio'") == []


def test_the_default_device_is_cuda(database: Database) -> None:
    ended = _earshot("search", "anything", EARSHOT_DEVICE="", CUDA_VISIBLE_DEVICES="")
    assert ended.returncode == 2
    assert "asks for cuda" in ended.stderr
    assert list_videos(database) == []


def test_a_wrong_device_is_refused_naming_what_is_allowed(home: Path) -> None:
    ended = _earshot("videos", EARSHOT_DEVICE="gpu", EARSHOT_HOME=str(home))
    assert ended.returncode == 2
    assert ended.stderr == "Error: EARSHOT_DEVICE is 'gpu'. Set it to one of: cuda, cpu.\n"


def test_the_large_models_without_network_say_what_is_missing_and_how_to_get_it(database: Database, tmp_path: Path) -> None:
    add_video(database, "made-with-large", ("SPEAKER_00", "alpha"), model=SETS["large"].text)
    ended = _earshot("search", "anything", EARSHOT_MODELS="large", HF_HOME=str(tmp_path))
    assert ended.returncode == 2
    assert "bge-m3 (BAAI/bge-m3 at 5617a9f61b028005a4858fdac845db406aefb181) is not on this machine" in ended.stderr
    assert "hf download BAAI/bge-m3 --revision 5617a9f61b028005a4858fdac845db406aefb181" in ended.stderr


def test_no_source_is_a_usage_error(home: Path) -> None:
    ended = _earshot("ingest", EARSHOT_HOME=str(home))
    assert ended.returncode == 2
    assert "Name a SOURCE" in ended.stderr


def test_a_source_that_is_not_there_ends_with_code_1(database: Database) -> None:
    ended = _earshot("ingest", "/no/such/file.mp3", "--json")
    assert ended.returncode == 1
    [outcome] = json.loads(ended.stdout)["outcomes"]
    assert (outcome["result"], outcome["video_id"]) == ("failed", None)
    assert outcome["error"] == "/no/such/file.mp3: no such file or folder. Check the path."
    assert list_videos(database) == []


def test_videos_lists_what_is_registered_as_json_and_as_a_table(database: Database) -> None:
    register(database, [Video("file-1", "/a/b.mp3", "/a", "Café “Ω” 🎙️", duration_s=3725.0)])
    [listed] = json.loads(_earshot("videos", "--json").stdout)
    assert listed.items() >= {
        "video_id": "file-1", "title": "Café “Ω” 🎙️", "source": "/a", "state": "new", "duration_s": 3725.0,
    }.items()  # fmt: skip
    assert "1:02:05" in _earshot("videos").stdout


def test_an_empty_library_says_how_to_start(database: Database) -> None:
    assert _earshot("videos").stdout == "No videos yet. Start with: earshot ingest SOURCE\n"
    assert json.loads(_earshot("videos", "--json").stdout) == []
    assert json.loads(_earshot("timings", "--json").stdout) == []
    assert list_videos(database) == []


def test_exporting_what_does_not_exist_or_has_no_transcript_says_so(database: Database) -> None:
    unknown = _earshot("export", "nobody")
    assert (unknown.returncode, unknown.stderr) == (
        1,
        "Error: There is no video 'nobody'. `earshot videos` lists the videos.\n",
    )
    register(database, [Video("file-1", "/a/b.mp3", "/a", "B")])
    untranscribed = _earshot("export", "file-1", "--format", "srt")
    assert untranscribed.returncode == 1
    assert "file-1 has no transcript (state new)" in untranscribed.stderr


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_an_empty_search_is_refused(home: Path, text: str) -> None:
    ended = _earshot("search", text, EARSHOT_HOME=str(home))
    assert ended.returncode == 1
    assert "The search text is empty" in ended.stderr


def test_importing_the_definitions_loads_no_torch() -> None:
    code = "import sys, ingest_assets.definitions; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_dagster_accepts_the_workspace(home: Path) -> None:
    dagster = str(Path(sys.executable).parent / "dagster")
    command = [dagster, "definitions", "validate", "-w", "workspace.yaml"]
    environment = {**os.environ, "EARSHOT_HOME": str(home)}
    ended = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False, env=environment)
    assert ended.returncode == 0, ended.stderr
    assert "All code locations passed validation" in ended.stdout + ended.stderr


def test_the_doctor_proves_every_claim(database: Database) -> None:
    ended = _earshot("doctor", "--json")
    findings = json.loads(ended.stdout)
    assert [finding["claim"] for finding in findings if not finding["proved"]] == []
    assert {"device", "model files", "models at work", "media store", "database"} <= {finding["claim"] for finding in findings}
    assert all(finding["detail"] and finding["seconds"] >= 0.0 for finding in findings)
    assert ended.returncode == 0
    assert list_videos(database) == []


def test_the_doctor_names_what_is_wrong_with_its_remedy_and_proves_the_rest(database: Database, tmp_path: Path) -> None:
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
def test_summaries_of_commands_are_the_first_sentences_of_their_help(
    group: LazyGroup, commands: dict[str, LazyCommand]
) -> None:
    loaded = {name: command.load() for name, command in commands.items()}
    assert {name: command.name for name, command in loaded.items()} == {name: name for name in commands}
    assert {name: command.get_short_help_str(1000) for name, command in loaded.items()} == {
        name: command.summary for name, command in commands.items()
    }
    assert group.list_commands(click.Context(group)) == sorted(commands)


@pytest.mark.parametrize("arguments", [["--help"], ["people", "--help"], ["videos", "--help"], ["search", "--help"]])
def test_help_loads_neither_dagster_nor_torch_nor_pandas(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom earshot.cli.commands import cli\n"
        f"cli.main({arguments!r}, standalone_mode=False)\n"
        "sys.exit(', '.join({'dagster', 'torch', 'pandas', 'sqlalchemy'} & sys.modules.keys()) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=PROJECT_ROOT)
    assert (ended.returncode, ended.stderr) == (0, "")
