"""A library moved to another folder is complete there: audio is found, and nothing is stale."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bench.corpora.episodes import TELEPHONE, Clip, clip_samples
from earshot.common.audio import SAMPLE_RATE
from earshot.config.sources_file import source_named
from earshot.storage.database import Database, open_database
from earshot.storage.media_store import MediaStore, location_of
from earshot.storage.server import stop_embedded
from ingest_assets.operations.ingest import IngestChoice, Outcome, ingest
from resources.instance.home import open_instance
from tests.support.earshot_up import EARSHOT

SAMPLES = np.arange(-800, 800, dtype=np.int16)
CLIP = Clip(TELEPHONE.package, TELEPHONE.path, 6.5, 13.5)


def test_audio_is_found_in_moved_media_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store = MediaStore()
    monkeypatch.setenv("EARSHOT_MEDIA", str(tmp_path / "before"))
    name = store.write("v", SAMPLES)
    (tmp_path / "before").rename(tmp_path / "after")
    monkeypatch.setenv("EARSHOT_MEDIA", str(tmp_path / "after"))
    assert np.array_equal(store.read(name), SAMPLES)
    for whole in ("/elsewhere/v.flac", "memory://bucket/v.flac"):  # of a file system whose package is installed
        assert str(location_of(whole)) == whole


def _earshot(home: Path, *arguments: str) -> Any:
    result = subprocess.run(
        [EARSHOT, *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "EARSHOT_HOME": str(home)},
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@contextmanager
def moved(home: Path) -> Iterator[Path]:
    """The session's home in another folder for the block, its Postgres stopped; the path is short, as a socket needs."""
    stop_embedded(home)
    after = home.with_name(f"{home.name}-moved")
    home.rename(after)
    try:
        yield after
    finally:
        _earshot(after, "down")
        after.rename(home)
        open_database()


@pytest.mark.slow
def test_moved_library_is_complete(library: Database, home: Path, tmp_path: Path) -> None:
    recording = tmp_path / "call.wav"
    soundfile.write(recording, clip_samples(CLIP), SAMPLE_RATE)
    steps = ingest([source_named(str(recording))], IngestChoice(), library, open_instance())
    [ingested] = [step.video for step in steps if isinstance(step, Outcome) and step.video]
    with moved(home) as after:
        assert _earshot(after, "stale") == []
        [again] = _earshot(after, "ingest", str(recording))["outcomes"]
        assert again["result"] == "current"
        assert [video["video_id"] for video in _earshot(after, "videos", "--state", "ready")] == [ingested.video_id]
        assert not home.exists()
