"""`earshot play`: which file is played from which time by which player, and what is refused."""

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from earshot.cli.reading.play import play_command
from earshot.cli.reading.search import search_command
from earshot.common.errors import EarshotError
from earshot.config.settings import read_settings
from earshot.sources.media.playing import PLAYERS, stored_audio
from earshot.storage.catalog.videos import set_duration
from earshot.storage.database import Database
from tests.support.library import stored_video
from tests.support.videos.spoken_videos import add_video

FFPLAY = "-nodisp -autoexit -loglevel error -ss"


@pytest.fixture
def talk(database: Database, tmp_path: Path) -> Path:
    """Video `v`, called V, of 30 s with two passages; returns the file of its audio."""
    add_video(database, "v", ("A", "The harbour master"), ("A", "The lamp of the lighthouse"))
    add_video(database, "silent", ("A", "nothing"))
    set_duration(database, "v", 30.0)
    audio = tmp_path / "media {1}" / "v.flac"
    audio.parent.mkdir()
    audio.write_bytes(b"")
    keep_audio(database, str(audio))
    return audio


def keep_audio(database: Database, uri: str) -> None:
    database.query("DELETE FROM audio")
    database.query(
        "INSERT INTO audio (video_id, uri, samples_sha256, samples, sample_rate, duration_s, downloader) "
        "VALUES ('v', %s, '', 480000, 16000, 30, 'file')",
        [uri],
    )


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, without any program."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def install(programs: Path, name: str, exit_code: int = 0) -> Path:
    """Install a player that writes its arguments to a file; returns that file."""
    arguments_file = programs.parent / f"{name}.arguments"
    program = programs / name
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {shlex.quote(str(arguments_file))}\nexit {exit_code}\n')
    program.chmod(0o755)
    return arguments_file


def play(*arguments: str) -> Result:
    return CliRunner().invoke(play_command, list(arguments), catch_exceptions=False)


def search(*arguments: str) -> None:
    assert CliRunner().invoke(search_command, ["--words", *arguments]).exit_code == 0


@pytest.mark.parametrize(("what", "at"), [("v@0:00:12", "12.000"), ("v@7.5", "7.500"), ("v", "0.000"), ("V@0:12", "12.000")])
def test_video_is_played_from_given_time(talk: Path, programs: Path, what: str, at: str) -> None:
    arguments_file = install(programs, "ffplay")
    assert play(what).exit_code == 0
    assert arguments_file.read_text().splitlines() == [*FFPLAY.split(), at, str(talk)]


def test_search_result_is_played_by_number(talk: Path, programs: Path) -> None:
    arguments_file = install(programs, "ffplay")
    search("harbour")
    search("lighthouse")
    assert play("1").stderr == "Playing V from 0:00:10 with ffplay. Press Ctrl-C to stop.\n"
    assert arguments_file.read_text().splitlines() == [*FFPLAY.split(), "10.000", str(talk)]


@pytest.mark.parametrize(
    ("installed", "arguments"),
    [
        ("ffplay", "-nodisp -autoexit -loglevel error -ss 12.000 FILE"),
        ("mpv", "--no-video --start=12.000 FILE"),
        ("cvlc", "--play-and-exit --start-time=12.000 FILE"),
        ("vlc", "--play-and-exit --start-time=12.000 FILE"),
        ("play", "-q FILE trim 12.000"),
    ],
)
def test_first_installed_player_is_used(talk: Path, programs: Path, installed: str, arguments: str) -> None:
    for name in list(PLAYERS)[list(PLAYERS).index(installed) :]:
        install(programs, name)
    expected = [str(programs / installed), *(str(talk) if each == "FILE" else each for each in arguments.split())]
    assert shlex.split(play("v@12", "--print").stdout) == expected
    assert not (programs.parent / f"{installed}.arguments").exists()


@pytest.mark.usefixtures("programs")
def test_missing_player_error_names_file_and_time(talk: Path) -> None:
    with pytest.raises(EarshotError, match="none of ffplay, mpv, cvlc, vlc, play") as refused:
        play("v@12")
    assert f"open {talk} at 0:00:12" in refused.value.remedy


@pytest.mark.usefixtures("talk")
def test_player_failure_is_an_error(programs: Path) -> None:
    install(programs, "ffplay", exit_code=3)
    with pytest.raises(EarshotError, match="exit code 3"):
        play("v")


@pytest.mark.usefixtures("talk")
@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("7", "no result 7"),
        ("unknown@12", "no video 'unknown'"),
        ("v@soon", "'soon'"),
        ("v@30", "ends at 0:00:30"),
        ("silent@1", "silent has no audio"),
    ],
)
def test_unplayable_subject_is_refused(what: str, message: str) -> None:
    search("harbour")
    with pytest.raises(EarshotError, match=message):
        play(what)


@pytest.mark.usefixtures("talk")
def test_number_without_results_is_refused() -> None:
    search("zeppelin")
    with pytest.raises(EarshotError, match="it found nothing"):
        play("1")
    (read_settings().home / "last_search.json").unlink()
    with pytest.raises(EarshotError, match="Nothing was searched"):
        play("1")


@pytest.mark.usefixtures("talk")
@pytest.mark.parametrize(
    ("uri", "message"),
    [("/nowhere/v.flac", "earshot backfill audio --video v,"), ("memory://media/v.flac", "memory://media/v.flac")],
)
def test_absent_audio_is_refused(database: Database, uri: str, message: str) -> None:
    keep_audio(database, uri)
    with pytest.raises(EarshotError, match=message):
        play("v")


def test_stored_audio_is_found_in_media_folder(talk: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_MEDIA", str(talk.parent))
    keep_audio(database, talk.name)
    assert stored_audio(database, stored_video(database, "v")) == talk
