"""Hints for videos: given, shown and cleared by `library.hints` and `earshot hints`, and kept by an ingest."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from earshot import EarshotError, Library
from earshot.cli.commands import cli
from earshot.config.hints import Hints
from earshot.library.upkeep.hints import read_hints
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.video_hints import own_hints
from earshot.storage.catalog.videos import Video, mark_ready_if_complete, register
from earshot.storage.database import Database
from ingest_assets.operations import ingest as operations
from ingest_assets.stages.versions import expected_versions
from tests.support.library import run_stage


@pytest.fixture
def talk(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """A library with a current video, whose source has hints."""
    (tmp_path / "sources.yaml").write_text("sources: [{feed: 'https://x', speakers: 2-4, vocabulary: 'Nagg, Nell'}]")
    monkeypatch.setenv("EARSHOT_SOURCES", str(tmp_path / "sources.yaml"))
    register(database, [Video("talk", "https://x/talk", "https://x", "A talk")])
    hints = Hints(speakers="2-4", vocabulary=("Nagg", "Nell"))
    for stage in STAGES:
        run_stage(database, "talk", stage, expected_versions()[stage], stage, hints=hints)
    mark_ready_if_complete(database, "talk")
    return Library()


def test_hints_of_video_override_source_key_by_key(talk: Library) -> None:
    assert talk.hints.of("A talk").apply == Hints(speakers="2-4", vocabulary=("Nagg", "Nell"))
    given = talk.hints.give("A talk", speakers=3, prompt="Hello.")
    assert (given.own, given.apply.vocabulary) == (Hints(speakers="3", prompt="Hello."), ("Nagg", "Nell"))
    assert given.stale == ("transcript", "speaker_turns", "voice_embeddings", "text_embeddings")
    assert talk.hints.give("talk", speakers="any").apply.speakers == ""
    assert talk.hints.clear("talk", "prompt").own == Hints(speakers="")
    assert talk.hints.clear("talk").own == Hints()
    assert talk.hints.of("talk").stale == ()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"speakers": 0}, "speakers is '0'. Allowed: a number such as 2"),
        ({"speakers": "4-2"}, "speakers is '4-2'."),
        ({"languages": ["en", "englisch"]}, "languages has 'englisch'. Did you mean en?"),
        ({"vocabulary_from": "peple"}, "vocabulary_from is 'peple'. Allowed: some of corrections, people, title"),
    ],
)
def test_wrong_hint_is_refused_and_changes_nothing(talk: Library, given: dict[str, object], message: str) -> None:
    with pytest.raises(EarshotError) as caught:
        talk.hints.give("talk", **given)  # pyright: ignore[reportArgumentType]
    assert str(caught.value).startswith(message)
    with pytest.raises(EarshotError, match="no hint 'speaker'"):
        talk.hints.clear("talk", "speaker")
    assert talk.hints.of("talk").own == Hints()


def test_any_text_can_be_kept(talk: Library) -> None:
    words = [f"word{number}" for number in range(10_000)]
    kept = talk.hints.give("talk", vocabulary=["🎙 \0 Nagg", "\ud800", "مریم", *words], prompt="\x1b[31mred\n" * 1000).own
    assert kept.vocabulary is not None
    assert kept.vocabulary[:3] == ("🎙 Nagg", "مریم", "word0")
    assert len("".join(kept.vocabulary)) <= 1000
    assert len(str(kept.prompt)) <= 1000


def test_command_gives_shows_and_clears(talk: Library) -> None:
    def run(*arguments: str) -> str:
        return CliRunner().invoke(cli, ["hints", "talk", *arguments], catch_exceptions=False).output

    assert talk.database
    printed = run("--speakers", "2", "--languages", "en,de").splitlines()
    assert [line.split() for line in printed[:4]] == [
        ["hint", "value", "given", "for"],
        ["vocabulary", "Nagg,", "Nell", "its", "source"],
        ["languages", "de,", "en", "this", "video"],
        ["speakers", "2", "this", "video"],
    ]
    assert "earshot backfill --stale --video talk" in "".join(printed[4:])
    assert json.loads(run("--json"))["own"] == {"languages": ["de", "en"], "speakers": "2"}
    assert json.loads(run("--clear", "--json"))["hints"] == {"vocabulary": ["Nagg", "Nell"], "speakers": "2-4"}
    assert CliRunner().invoke(cli, ["hints", "talk", "--clear", "--speakers", "2"]).exit_code == 2


def test_ingest_keeps_hints_of_new_videos(talk: Library) -> None:
    new = Video("new", "https://x/new", "https://x", "New")
    register(talk.database, [new])
    both = [talk.video("talk"), new]
    operations._keep_hints(talk.database, both, read_hints(speakers=2), named=False)
    assert (own_hints(talk.database, "talk"), own_hints(talk.database, "new")) == (Hints(), Hints(speakers="2"))
    operations._keep_hints(talk.database, [talk.video("talk")], read_hints(prompt="Hi."), named=True)
    assert own_hints(talk.database, "talk") == Hints(prompt="Hi.")
