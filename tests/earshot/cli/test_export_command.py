"""`earshot export` as a user meets it: what goes where, what is refused, what is left when it goes wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from earshot.cli.reading.export import export_command
from earshot.common.errors import EarshotError, InconsistentVideo, NotTranscribed
from earshot.speakers.tables.people import add_person
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from tests.support.library import fill, run_stages
from tests.support.spoken_videos import identify

TXT = "A\nhttps://x/a\n\n[0:00:00] SPEAKER_00: Good day.\n"
RTTM = "SPEAKER {} 1 0.000 2.000 <NA> <NA> SPEAKER_00 <NA> <NA>\n"


@pytest.fixture
def three(database: Database) -> Database:
    """Videos `a` and `b` of one source, `c` of another, and `d`, of the first, without a transcript."""
    fill(database, ["a", "b"], [" Good", " day."], source="https://x/feed")
    fill(database, ["c"], [" Good", " day."], source="/recordings")
    register(database, [Video("d", "https://x/d", "https://x/feed", "D")])
    return database


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sources.yaml that calls the first source Harbour Talk."""
    path = tmp_path / "sources.yaml"
    path.write_text("sources:\n  - feed: https://x/feed\n    name: Harbour Talk\n")
    monkeypatch.setenv("EARSHOT_SOURCES", str(path))
    return path


def run(*arguments: str) -> Result:
    """The command; errors of Earshot come as they are raised."""
    ended = CliRunner().invoke(export_command, list(arguments))
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return ended


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


# --- one video -----------------------------------------------------------------------------------------------------------


def test_one_video_is_text_on_stdout(three: Database) -> None:
    assert three
    ended = run("a")
    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, TXT, "")


def test_one_video_is_a_file_where_one_is_named_and_replaces_it(three: Database, tmp_path: Path) -> None:
    assert three
    (tmp_path / "a.txt").write_text("of yesterday")
    assert run("a", "--output", str(tmp_path / "a.txt")).exit_code == 0
    assert files(tmp_path) == {"a.txt": TXT}


@pytest.mark.parametrize("name", ["there", "new/"])
def test_one_video_is_a_file_called_by_title_and_key_where_a_folder_is_named(
    three: Database, tmp_path: Path, name: str
) -> None:
    assert three
    (tmp_path / "there").mkdir()
    assert run("a", "--format", "seglst", "--output", f"{tmp_path}/{name}").exit_code == 0
    assert list(files(tmp_path / name)) == ["A [a].seglst.json"]


def test_one_video_named_twice_is_one(three: Database) -> None:
    assert three
    assert run("a", "a").stdout == TXT


def test_json_of_one_video_is_a_document_and_of_many_lines(three: Database) -> None:
    assert three
    assert json.loads(run("a", "--format", "json").stdout)["video_id"] == "a"
    lines = run("b", "a", "--format", "json").stdout.splitlines()
    assert [json.loads(line)["video_id"] for line in lines] == ["b", "a"]


# --- many ----------------------------------------------------------------------------------------------------------------


def test_all_are_one_file_where_the_format_has_such_and_who_was_left_out_is_told(three: Database) -> None:
    assert three
    ended = run("--all", "--format", "rttm")
    assert ended.stdout == "".join(RTTM.format(key) for key in "abc")
    assert (ended.exit_code, ended.stderr) == (0, "Exported 3 videos; left out 1 without a transcript.\n")


def test_the_videos_of_a_source_are_those_that_came_with_it(three: Database) -> None:
    assert three
    assert run("--source", "https://x/feed", "--format", "rttm").stdout == RTTM.format("a") + RTTM.format("b")
    assert run("--source", "/Recordings/", "--format", "rttm").stdout == RTTM.format("c")


def test_a_source_is_known_by_its_name(three: Database, sources: Path) -> None:
    assert three
    assert sources
    assert run("--source", "harbour talk", "--format", "rttm").stdout == RTTM.format("a") + RTTM.format("b")


def test_a_library_of_one_video_is_still_a_library(database: Database) -> None:
    fill(database, ["a"], [" Good", " day."])
    assert run("--all", "--format", "json").stdout.count("\n") == 1


@pytest.mark.parametrize("format_name", ["srt", "rttm"])
def test_many_in_a_folder_are_a_file_each(three: Database, tmp_path: Path, format_name: str) -> None:
    assert three
    folder = tmp_path / "deep" / "new"
    ended = run("--all", "--format", format_name, "--output", f"{folder}/")
    assert list(files(folder)) == [f"{key.upper()} [{key}].{format_name}" for key in "abc"]
    assert ended.stderr == f"Exported 3 videos to {folder}; left out 1 without a transcript.\n"


def test_many_subtitles_are_a_folder_without_being_told(three: Database, tmp_path: Path) -> None:
    assert three
    assert run("a", "b", "--format", "vtt", "--output", str(tmp_path / "new")).exit_code == 0
    assert list(files(tmp_path / "new")) == ["A [a].vtt", "B [b].vtt"]


@pytest.mark.parametrize("name", ["there.srt", "new.srt/"])
def test_folder_may_be_called_like_a_file_where_it_is_there_or_ends_in_a_slash(
    three: Database, tmp_path: Path, name: str
) -> None:
    assert three
    (tmp_path / "there.srt").mkdir()
    assert run("a", "b", "--format", "srt", "--output", f"{tmp_path}/{name}").exit_code == 0
    assert list(files(tmp_path / name)) == ["A [a].srt", "B [b].srt"]


def test_file_of_an_earlier_title_or_version_is_replaced(three: Database, tmp_path: Path) -> None:
    for name in ("a.txt", "Old title [a].txt", "Old title [a].srt", "Other [gone].txt", "notes a.txt"):
        (tmp_path / name).write_text("old")
    three.query("UPDATE videos SET title = 'A/B: \"C\"?' WHERE video_id = 'a'")
    assert run("a", "--output", str(tmp_path)).exit_code == 0
    assert list(files(tmp_path)) == ["A B C [a].txt", "Old title [a].srt", "Other [gone].txt", "notes a.txt"]


@pytest.mark.parametrize("title", ["ä" * 300, "", "..", "\n/"])
def test_any_title_gives_a_name_that_a_file_can_have(three: Database, tmp_path: Path, title: str) -> None:
    three.query("UPDATE videos SET title = %s WHERE video_id = 'a'", [title])
    assert run("a", "--output", f"{tmp_path}/").exit_code == 0
    [name] = files(tmp_path)
    assert name.endswith("[a].txt")
    assert not name.startswith((".", " "))


def test_folder_of_a_named_file_is_made(three: Database, tmp_path: Path) -> None:
    assert three
    assert run("a", "--output", str(tmp_path / "new" / "dir" / "x.txt")).exit_code == 0
    assert files(tmp_path / "new" / "dir") == {"x.txt": TXT}


def test_video_may_be_named_by_its_title(three: Database) -> None:
    three.query("UPDATE videos SET title = 'Wooden boats' WHERE video_id = 'a'")
    assert run("wooden boats").stdout == run("a").stdout
    assert run("Wooden Boats", "a", "b", "--format", "rttm").stdout == RTTM.format("a") + RTTM.format("b")


def test_title_of_several_videos_is_refused_with_their_keys(three: Database) -> None:
    three.query("UPDATE videos SET title = 'Wooden boats' WHERE video_id IN ('a', 'b')")
    with pytest.raises(
        EarshotError, match=r"Several videos are called 'Wooden boats'\..* a \(Wooden boats\), b \(Wooden boats\)"
    ):
        run("Wooden boats")
    with pytest.raises(EarshotError, match=r"no video 'wooden'\. These titles contain it: a \(Wooden boats\), b"):
        run("wooden")


def test_many_are_one_file_where_one_is_named(three: Database, tmp_path: Path) -> None:
    assert three
    assert run("--all", "--format", "seglst", "--output", str(tmp_path / "all.seglst.json")).exit_code == 0
    [(name, text)] = files(tmp_path).items()
    assert (name, [segment["session_id"] for segment in json.loads(text)]) == ("all.seglst.json", ["a", "b", "c"])


def test_a_half_ingested_video_is_told_the_others_are_exported_and_the_exit_code_says_so(three: Database) -> None:
    run_stages(three, "b", "text_embeddings", "transcript")
    ended = run("--all", "--format", "rttm")
    assert ended.stdout == RTTM.format("a") + RTTM.format("c")
    assert ended.exit_code == 1
    assert ended.stderr.startswith("✗ b is not ingested to its end")
    assert ended.stderr.endswith("Exported 2 videos; left out 1 without a transcript, 1 half ingested.\n")


def test_texts_of_many_are_one_text(three: Database) -> None:
    assert three
    assert run("a", "b").stdout == TXT + "\n" + TXT.replace("A\nhttps://x/a", "B\nhttps://x/b")


# --- one person's words --------------------------------------------------------------------------------------------------


@pytest.fixture
def ana(three: Database) -> Database:
    """Ana is the speaker of `a` and `c`, voice 7 that of `b`, where Ana says the second word."""
    person = add_person(three, "Ana").person_id
    for key in ("a", "c"):
        identify(three, key, "SPEAKER_00", person_id=person, decided_by="profile", reason="")
    three.query("INSERT INTO voices (voice_id) OVERRIDING SYSTEM VALUE VALUES (7)")
    identify(three, "b", "SPEAKER_00", voice_id=7, decided_by="voice", reason="")
    three.query("INSERT INTO segment_overrides (video_id, start_s, end_s, person_id) VALUES ('b', 1, 2, %s)", [person])
    return three


def test_what_one_person_says_is_exported_alone(ana: Database) -> None:
    assert ana
    said = [line for line in run("--speaker", "ana").stdout.splitlines() if line.startswith("[")]
    assert said == ["[0:00:00] Ana: Good day.", "[0:00:01] Ana: day.", "[0:00:00] Ana: Good day."]
    assert "[0:00:00] voice 7: Good\n" in run("b", "--speaker", "voice 7").stdout
    words = json.loads(run("b", "--speaker", "Ana", "--format", "json").stdout)["words"]
    assert [(word["text"], word["speaker"]) for word in words] == [(" day.", "Ana")]
    assert run("--source", "https://x/feed", "--speaker", "Ana", "--format", "rttm").stdout.startswith(
        "SPEAKER a 1 0.000 2.000"
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["a", "--speaker", "voice 7"], "voice 7 is not known to speak in a. `earshot people show 'voice 7'`"),
        (["--source", "/recordings", "--speaker", "voice 7"], "voice 7 is not known to speak in any of these videos"),
        (["--speaker", "Anna"], "There is no person named 'Anna'. Did you mean Ana?"),
    ],
)
def test_speaker_who_does_not_speak_there_is_refused(ana: Database, arguments: list[str], told: str) -> None:
    assert ana
    with pytest.raises(EarshotError) as refused:
        run(*arguments)
    assert told in str(refused.value)


# --- what is refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Name VIDEOs, or --source, --all or --speaker"),
        (["a", "--all"], "Name VIDEOs, or --source, --all or --speaker"),
        (["--all", "--source", "x"], "Name VIDEOs, or --source, --all or --speaker"),
        (["--all", "--format", "srt"], "srt writes one file per video. Name a folder with --output"),
        (["a", "b", "--format", "vtt"], "vtt writes one file per video"),
        (["--all", "--format", "vtt", "--output", __file__], "is a file. Name a folder"),
        (
            ["--all", "--format", "srt", "--output", "nowhere/all.srt"],
            "looks like a file. Name a folder with --output, such as nowhere/all/",
        ),
        (
            ["a", "b", "--format", "vtt", "--output", "Both.TXT"],
            "looks like a file. Name a folder with --output, such as Both/",
        ),
        (["a", "--format", "doc"], "'doc' is not one of"),
    ],
)
def test_a_choice_that_makes_no_sense_is_a_usage_error(home: Path, arguments: list[str], told: str) -> None:
    assert home
    ended = run(*arguments)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert told in ended.stderr


def test_of_named_videos_each_must_have_a_transcript_before_anything_is_written(three: Database, tmp_path: Path) -> None:
    assert three
    for key, error in (("d", NotTranscribed), ("nobody", EarshotError)):
        with pytest.raises(error, match=key):
            run("a", key, "--output", str(tmp_path / "new"))
    assert files(tmp_path) == {}


def test_one_half_ingested_video_is_refused(three: Database) -> None:
    run_stages(three, "b", "text_embeddings", "speaker_turns")
    with pytest.raises(InconsistentVideo, match="earshot ingest 'https://x/b'"):
        run("b")


def test_a_source_without_videos_and_an_empty_library_are_told(database: Database) -> None:
    with pytest.raises(EarshotError, match="The library has no videos yet"):
        run("--all", "--format", "rttm")
    fill(database, ["a"], [])
    with pytest.raises(EarshotError, match="No video has a source 'https://nowhere'"):
        run("--source", "https://nowhere", "--format", "rttm")


def test_a_place_that_cannot_be_written_to_is_told(three: Database, tmp_path: Path) -> None:
    assert three
    (tmp_path / "file").write_text("")
    with pytest.raises(EarshotError, match="file cannot be written: File exists"):
        run("a", "--output", str(tmp_path / "file" / "a.txt"))
    with pytest.raises(EarshotError, match="folder cannot be written: Not a directory"):
        run("a", "b", "--format", "vtt", "--output", str(tmp_path / "file" / "folder"))
    assert files(tmp_path) == {"file": ""}


# --- a large library -----------------------------------------------------------------------------------------------------

# A process over 1,000 videos, whose JSON is 40 KB each, against one over 50.
MOST_MB = 20.0


@pytest.fixture
def large(database: Database) -> Database:
    """A thousand videos of 200 words, fifty of them of source `few`."""
    said = [f" word{i}" for i in range(200)]
    fill(database, [f"video-{number:05d}" for number in range(50)], said, source="https://x/few")
    fill(database, [f"video-{number:05d}" for number in range(50, 1000)], said, source="https://x/many")
    return database


# Of this very program: what the system tells of an ended child counts the one that started it, too.
MEASURED = """
import sys
from pathlib import Path
from earshot.cli.reading.export import export_command
export_command(sys.argv[1:], standalone_mode=False)
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


def largest_mb(*arguments: str) -> float:
    """What memory the command took at most, in MB, as a process of its own."""
    ended = subprocess.run([sys.executable, "-c", MEASURED, *arguments], capture_output=True, text=True, check=True)
    return int(ended.stdout) / 1024


@pytest.mark.slow
def test_memory_does_not_grow_with_the_library(large: Database, tmp_path: Path) -> None:
    assert large
    few = largest_mb("--source", "https://x/few", "--format", "json", "--output", str(tmp_path / "few.jsonl"))
    every = largest_mb("--all", "--format", "json", "--output", str(tmp_path / "all.jsonl"))
    assert every - few < MOST_MB
    lines = (tmp_path / "all.jsonl").read_text().splitlines()
    assert [json.loads(line)["video_id"] for line in lines] == [f"video-{number:05d}" for number in range(1000)]
