"""`earshot play`: which file is played from when, by which player, and what is said where that cannot be."""

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from earshot.cli.reading.play import play_command
from earshot.cli.reading.search import search_command
from earshot.common.errors import EarshotError
from earshot.config.settings import read_settings
from earshot.media.playing import PLAYERS, stored_audio
from earshot.storage.catalog.videos import get_video, set_duration
from earshot.storage.database import Database
from tests.support.spoken_videos import add_video

FFPLAY = "-nodisp -autoexit -loglevel error -ss"


@pytest.fixture
def talk(database: Database, tmp_path: Path) -> Path:
    """Video `v`, called V, of 30 s with two passages; gives the file of its audio."""
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
    """A player that only writes down its arguments; gives the file they are in."""
    told = programs.parent / f"{name}.arguments"
    program = programs / name
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {shlex.quote(str(told))}\nexit {exit_code}\n')
    program.chmod(0o755)
    return told


def play(*arguments: str) -> Result:
    """The command; errors of Earshot come as they are raised."""
    ended = CliRunner().invoke(play_command, list(arguments))
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return ended


def search(*arguments: str) -> None:
    assert CliRunner().invoke(search_command, ["--words", *arguments]).exit_code == 0


@pytest.mark.parametrize(
    ("what", "at"),
    [("v@0:00:12", "12.000"), ("v@7.5", "7.500"), ("v", "0.000"), ("V@0:12", "12.000")],
)
def test_video_is_played_from_the_time_on(talk: Path, programs: Path, what: str, at: str) -> None:
    told = install(programs, "ffplay")
    assert play(what).exit_code == 0
    assert told.read_text().splitlines() == [*FFPLAY.split(), at, str(talk)]


def test_result_of_the_last_search_is_played_by_its_number(talk: Path, programs: Path) -> None:
    told = install(programs, "ffplay")
    search("harbour")
    search("lighthouse")
    assert play("1").stderr == "Playing V from 0:00:10 with ffplay. Press Ctrl-C to stop.\n"
    assert told.read_text().splitlines() == [*FFPLAY.split(), "10.000", str(talk)]


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
def test_first_player_that_is_installed_is_used(talk: Path, programs: Path, installed: str, arguments: str) -> None:
    for name in list(PLAYERS)[list(PLAYERS).index(installed) :]:
        install(programs, name)
    expected = [str(programs / installed), *(str(talk) if each == "FILE" else each for each in arguments.split())]
    assert shlex.split(play("v@12", "--print").stdout) == expected
    assert not (programs.parent / f"{installed}.arguments").exists()


@pytest.mark.usefixtures("programs")
def test_without_player_file_and_time_are_named(talk: Path) -> None:
    with pytest.raises(EarshotError, match=r"none of ffplay, mpv, cvlc, vlc, play is on PATH\. Install one") as refused:
        play("v@12")
    assert f"open {talk} at 0:00:12" in str(refused.value)


@pytest.mark.usefixtures("talk")
def test_failure_of_the_player_is_an_error(programs: Path) -> None:
    install(programs, "ffplay", exit_code=3)
    with pytest.raises(EarshotError, match="ffplay failed with exit code 3"):
        play("v")


@pytest.mark.usefixtures("talk")
@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("7", r"printed no result 7: they are 1 to 1\. Search again"),
        ("nobody@12", "There is no video 'nobody'"),
        ("v@soon", "'soon' in 'v@soon' is not a time"),
        ("v@30", "v ends at 0:00:30, before 30"),
        ("silent@1", "silent has no audio yet"),
    ],
)
def test_what_cannot_be_played_is_refused(what: str, told: str) -> None:
    search("harbour")
    with pytest.raises(EarshotError, match=told):
        play(what)


@pytest.mark.usefixtures("talk")
def test_number_is_refused_where_the_last_search_found_nothing() -> None:
    search("zeppelin")
    with pytest.raises(EarshotError, match="printed no result 1: it found nothing"):
        play("1")
    (read_settings().home / "last_search.json").unlink()
    with pytest.raises(EarshotError, match="Nothing was searched here yet"):
        play("1")


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("/nowhere/v.flac", "no longer in the media store.*earshot backfill audio --video v,"),
        ("memory://media/v.flac", "not on this machine: memory://media/v.flac"),
    ],
)
def test_audio_that_is_not_here_is_refused(talk: Path, database: Database, uri: str, told: str) -> None:
    assert talk
    keep_audio(database, uri)
    with pytest.raises(EarshotError, match=told):
        play("v")


def test_audio_is_found_under_the_media_folder(talk: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_MEDIA", str(talk.parent))
    keep_audio(database, talk.name)
    video = get_video(database, "v")
    assert video is not None
    assert stored_audio(database, video) == talk
