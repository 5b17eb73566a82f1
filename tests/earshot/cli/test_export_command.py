"""`earshot export`: what is written where, and what is refused."""

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
from tests.support.videos.spoken_videos import identify

TXT = "A\nhttps://x/a\n\n[0:00:00] SPEAKER_00: Good day.\n"
RTTM = "SPEAKER {} 1 0.000 2.000 <NA> <NA> SPEAKER_00 <NA> <NA>\n"


@pytest.fixture(autouse=True)
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
    return CliRunner().invoke(export_command, list(arguments), catch_exceptions=False)


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


# --- one video -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["a"], ["a", "a"]])
def test_one_video_goes_to_stdout(arguments: list[str]) -> None:
    ended = run(*arguments)
    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, TXT, "")


@pytest.mark.parametrize("name", ["a.txt", "new/folder/x.txt"])
def test_named_file_is_created_or_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text("old")
    assert run("a", "--output", str(tmp_path / name)).exit_code == 0
    assert (tmp_path / name).read_text() == TXT


@pytest.mark.parametrize("name", ["there", "new/"])
def test_file_in_folder_has_title_and_key(tmp_path: Path, name: str) -> None:
    (tmp_path / "there").mkdir()
    assert run("a", "--format", "seglst", "--output", f"{tmp_path}/{name}").exit_code == 0
    assert list(files(tmp_path / name)) == ["A [a].seglst.json"]


def test_json_of_all_or_several_videos_is_json_lines(three: Database) -> None:
    assert json.loads(run("a", "--format", "json").stdout)["video_id"] == "a"
    lines = run("b", "a", "--format", "json").stdout.splitlines()
    assert [json.loads(line)["video_id"] for line in lines] == ["b", "a"]
    three.query("DELETE FROM videos WHERE video_id <> 'a'")
    assert run("--all", "--format", "json").stdout.count("\n") == 1


# --- many ----------------------------------------------------------------------------------------------------------------


def test_rttm_of_all_videos_is_one_file() -> None:
    ended = run("--all", "--format", "rttm")
    assert ended.stdout == "".join(RTTM.format(key) for key in "abc")
    assert (ended.exit_code, ended.stderr) == (0, "Exported 3 videos; left out 1 without a transcript.\n")


@pytest.mark.usefixtures("sources")
@pytest.mark.parametrize(
    ("source", "keys"), [("https://x/feed", "ab"), ("harbour talk", "ab"), ("/Recordings/", "c")], ids=["url", "name", "folder"]
)
def test_source_is_exported(source: str, keys: str) -> None:
    assert run("--source", source, "--format", "rttm").stdout == "".join(RTTM.format(key) for key in keys)


@pytest.mark.parametrize("format_name", ["srt", "rttm"])
def test_folder_has_a_file_per_video(tmp_path: Path, format_name: str) -> None:
    folder = tmp_path / "deep" / "new"
    ended = run("--all", "--format", format_name, "--output", f"{folder}/")
    assert list(files(folder)) == [f"{key.upper()} [{key}].{format_name}" for key in "abc"]
    assert ended.stderr == f"Exported 3 videos to {folder}; left out 1 without a transcript.\n"


def test_subtitles_of_several_videos_make_a_folder(tmp_path: Path) -> None:
    assert run("a", "b", "--format", "vtt", "--output", str(tmp_path / "new")).exit_code == 0
    assert list(files(tmp_path / "new")) == ["A [a].vtt", "B [b].vtt"]


@pytest.mark.parametrize("name", ["there.srt", "new.srt/"])
def test_folder_may_have_the_name_of_a_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "there.srt").mkdir()
    assert run("a", "b", "--format", "srt", "--output", f"{tmp_path}/{name}").exit_code == 0
    assert list(files(tmp_path / name)) == ["A [a].srt", "B [b].srt"]


def test_file_of_earlier_title_is_replaced(three: Database, tmp_path: Path) -> None:
    for name in ("a.txt", "Old title [a].txt", "Old title [a].srt", "Other [gone].txt", "notes a.txt"):
        (tmp_path / name).write_text("old")
    three.query("UPDATE videos SET title = 'A/B: \"C\"?' WHERE video_id = 'a'")
    assert run("a", "--output", str(tmp_path)).exit_code == 0
    assert list(files(tmp_path)) == ["A B C [a].txt", "Old title [a].srt", "Other [gone].txt", "notes a.txt"]


@pytest.mark.parametrize("title", ["ä" * 300, "", "..", "\n/"])
def test_any_title_gives_a_valid_file_name(three: Database, tmp_path: Path, title: str) -> None:
    three.query("UPDATE videos SET title = %s WHERE video_id = 'a'", [title])
    assert run("a", "--output", f"{tmp_path}/").exit_code == 0
    [name] = files(tmp_path)
    assert name.endswith("[a].txt")
    assert not name.startswith((".", " "))


def test_video_is_found_by_title(three: Database) -> None:
    three.query("UPDATE videos SET title = 'Wooden boats' WHERE video_id = 'a'")
    assert run("wooden boats").stdout == run("a").stdout
    assert run("Wooden Boats", "a", "b", "--format", "rttm").stdout == RTTM.format("a") + RTTM.format("b")


def test_ambiguous_title_is_refused_with_keys(three: Database) -> None:
    three.query("UPDATE videos SET title = 'Wooden boats' WHERE video_id IN ('a', 'b')")
    for title in ("Wooden boats", "wooden"):
        with pytest.raises(EarshotError, match=rf"'{title}'\..* a \(Wooden boats\), b \(Wooden boats\)"):
            run(title)


def test_many_videos_in_one_named_file(tmp_path: Path) -> None:
    assert run("--all", "--format", "seglst", "--output", str(tmp_path / "all.seglst.json")).exit_code == 0
    [(name, text)] = files(tmp_path).items()
    assert (name, [segment["session_id"] for segment in json.loads(text)]) == ("all.seglst.json", ["a", "b", "c"])


def test_half_ingested_video_is_left_out_with_exit_1(three: Database) -> None:
    run_stages(three, "b", "text_embeddings", "transcript")
    ended = run("--all", "--format", "rttm")
    assert (ended.exit_code, ended.stdout) == (1, RTTM.format("a") + RTTM.format("c"))
    assert ended.stderr.startswith("✗ b is not ingested to its end")
    assert ended.stderr.endswith("Exported 2 videos; left out 1 without a transcript, 1 half ingested.\n")


def test_texts_are_joined() -> None:
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


@pytest.mark.usefixtures("ana")
def test_speaker_option_exports_only_their_words() -> None:
    lines = [line for line in run("--speaker", "ana").stdout.splitlines() if line.startswith("[")]
    assert lines == ["[0:00:00] Ana: Good day.", "[0:00:01] Ana: day.", "[0:00:00] Ana: Good day."]
    assert "[0:00:00] voice 7: Good\n" in run("b", "--speaker", "voice 7").stdout
    words = json.loads(run("b", "--speaker", "Ana", "--format", "json").stdout)["words"]
    assert [(word["text"], word["speaker"]) for word in words] == [(" day.", "Ana")]
    assert run("--source", "https://x/feed", "--speaker", "Ana", "--format", "rttm").stdout.startswith(
        "SPEAKER a 1 0.000 2.000"
    )


@pytest.mark.usefixtures("ana")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "--speaker", "voice 7"], "earshot people show 'voice 7'"),
        (["--source", "/recordings", "--speaker", "voice 7"], "voice 7 is not known to speak in any"),
        (["--speaker", "Anna"], "Did you mean Ana?"),
    ],
)
def test_speaker_without_words_there_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(EarshotError) as refused:
        run(*arguments)
    assert message in str(refused.value)


# --- what is refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Name VIDEOs, or --source, --all or --speaker"),
        (["a", "--all"], "Name VIDEOs, or --source, --all or --speaker"),
        (["--all", "--source", "x"], "Name VIDEOs, or --source, --all or --speaker"),
        (["--all", "--format", "srt"], "srt writes one file per video. Name a folder with --output"),
        (["a", "b", "--format", "vtt"], "vtt writes one file per video"),
        (["--all", "--format", "vtt", "--output", __file__], "is a file. Name a folder"),
        (["--all", "--format", "srt", "--output", "nowhere/all.srt"], "--output, such as nowhere/all/"),
        (["a", "b", "--format", "vtt", "--output", "Both.TXT"], "--output, such as Both/"),
        (["a", "--format", "doc"], "'doc' is not one of"),
    ],
)
def test_contradictory_options_are_usage_errors(arguments: list[str], message: str) -> None:
    ended = run(*arguments)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert message in ended.stderr


def test_untranscribed_video_stops_export_before_writing(tmp_path: Path) -> None:
    for key, error in (("d", NotTranscribed), ("unknown", EarshotError)):
        with pytest.raises(error, match=key):
            run("a", key, "--output", str(tmp_path / "new"))
    assert files(tmp_path) == {}


def test_half_ingested_video_is_refused_by_name(three: Database) -> None:
    run_stages(three, "b", "text_embeddings", "speaker_turns")
    with pytest.raises(InconsistentVideo, match="earshot ingest 'https://x/b'"):
        run("b")


def test_empty_selection_is_refused(three: Database) -> None:
    with pytest.raises(EarshotError, match="'https://nowhere'"):
        run("--source", "https://nowhere", "--format", "rttm")
    three.query("DELETE FROM videos")
    with pytest.raises(EarshotError, match="no videos yet"):
        run("--all", "--format", "rttm")


def test_unwritable_output_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EarshotError, match="file cannot be written: File exists"):
        run("a", "--output", str(tmp_path / "file" / "a.txt"))
    with pytest.raises(EarshotError, match="folder cannot be written: Not a directory"):
        run("a", "b", "--format", "vtt", "--output", str(tmp_path / "file" / "folder"))
    assert files(tmp_path) == {"file": ""}


# --- a large library -----------------------------------------------------------------------------------------------------

# A process over 500 videos, whose JSON is 40 KB each, against one over 50.
MOST_MB = 10.0


@pytest.fixture
def large(three: Database) -> None:
    """A hundred videos of 800 words, ten of them of source `few`; all are 13 MB of JSON."""
    three.query("DELETE FROM videos")
    words = [f" word{i}" for i in range(800)]
    fill(three, [f"video-{number:05d}" for number in range(10)], words, source="https://x/few")
    fill(three, [f"video-{number:05d}" for number in range(10, 100)], words, source="https://x/many")


# The program reads its own peak: what the system reports of an ended child includes the process that started it.
MEASURED = """
import sys
from pathlib import Path
from earshot.cli.reading.export import export_command
export_command(sys.argv[1:], standalone_mode=False)
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


def largest_mb(*arguments: str) -> float:
    """The peak memory of the command in its own process, in MB."""
    ended = subprocess.run([sys.executable, "-c", MEASURED, *arguments], capture_output=True, text=True, check=True)
    return int(ended.stdout) / 1024


@pytest.mark.slow
@pytest.mark.usefixtures("large")
def test_memory_does_not_grow_with_library(tmp_path: Path) -> None:
    few = largest_mb("--source", "https://x/few", "--format", "json", "--output", str(tmp_path / "few.jsonl"))
    every = largest_mb("--all", "--format", "json", "--output", str(tmp_path / "all.jsonl"))
    assert every - few < MOST_MB
    lines = (tmp_path / "all.jsonl").read_text().splitlines()
    assert [json.loads(line)["video_id"] for line in lines] == [f"video-{number:05d}" for number in range(100)]
