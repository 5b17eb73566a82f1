"""The examples of docs/reference/python.md, run in order over a small library: each prints what the page says."""

import contextlib
import io
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance

from bench.corpora.episodes import TELEPHONE, clip_path
from earshot.config.settings import PROJECT_ROOT
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.models.registry import SETS
from earshot.speakers.people.identify import identify
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.videos import mark_ready_if_complete
from earshot.storage.database import Database
from ingest_assets.stages.versions import expected_versions
from tests.support.library import run_stage
from tests.support.videos.spoken_videos import add_video
from tests.support.videos.voice_videos import speak

pytestmark = pytest.mark.slow  # loads the text model

PAGE = PROJECT_ROOT / "docs" / "reference" / "python.md"
EXAMPLE = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
TALKS = {
    "bridge": (
        "The harbour bridge",
        "Today we talk about the harbour and its old bridge",
        "The town paid for the bridge with a loan from its own bank",
        "And was it ever paid back",
        "In twenty years",
    ),
    "boats": ("Boats and tides", "Boats lie dry here twice a day", "Then nobody can leave before the water is back"),
}
VOICES = {"bridge": ["host", "guest"], "boats": ["host"]}


@pytest.fixture
def folder(instance: DagsterInstance, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the examples run in: a recording and a sources.yaml lie there, and the library has two talks."""
    assert instance
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "call.flac").write_bytes(clip_path(TELEPHONE).read_bytes())
    (tmp_path / "sources.yaml").write_text("sources:\n  - feed: https://x/feed\n    name: Harbour Talk\n")
    (tmp_path / "people.yaml").write_text("")
    monkeypatch.setenv("EARSHOT_SOURCES", str(tmp_path / "sources.yaml"))
    monkeypatch.setenv("EARSHOT_PEOPLE", str(tmp_path / "people.yaml"))
    monkeypatch.chdir(tmp_path)
    database.query("TRUNCATE corrections, voices RESTART IDENTITY CASCADE")
    for day, (video_id, (title, *texts)) in enumerate(reversed(TALKS.items()), start=1):
        _talk(database, video_id, title, texts, datetime(2026, 1, day, tzinfo=UTC))
    identify(database)
    return tmp_path


def _talk(database: Database, video_id: str, title: str, texts: list[str], published: datetime) -> None:
    """A current video in which its voices say these texts in turn, ten seconds each."""
    voices, model = VOICES[video_id], SETS["bundled"].text
    spoken = [(f"SPEAKER_{turn % len(voices):02d}", text) for turn, text in enumerate(texts)]
    add_video(database, video_id, *spoken, published=published, model=model)
    speak(database, video_id, voices, rounds=len(texts) // len(voices))
    vectors = Models().text_encoder(require_device("cpu"), model).encode(texts)
    for index, vector in enumerate(vectors):
        database.query(
            "UPDATE passages SET embedding = %s WHERE (video_id, passage_index) = (%s, %s)", [vector, video_id, index]
        )
    database.query("UPDATE videos SET title = %s WHERE video_id = %s", [title, video_id])
    for stage in STAGES:
        run_stage(database, video_id, stage, expected_versions()[stage], f"{stage} of {video_id}")
    mark_ready_if_complete(database, video_id)


def test_each_example_prints_what_the_page_says(folder: Path) -> None:
    names: dict[str, Any] = {}
    examples = EXAMPLE.findall(PAGE.read_text())
    assert examples
    assert [_printed(code, names) for code, _ in examples] == [printed for _, printed in examples]
    assert sorted(path.name for path in (folder / "subtitles").iterdir()) == [
        "Boats and tides [boats].vtt",
        "The harbour bridge [bridge].vtt",
    ]
    assert len((folder / "everything.jsonl").read_text().splitlines()) == 2


def _printed(code: str, names: dict[str, Any]) -> str:
    """What the example prints, run with the names that those before it left."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, str(PAGE), "exec"), names)
    return out.getvalue()
