"""A library copied to another folder is complete there: audio is found, and nothing is stale."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bench.corpora.episodes import TELEPHONE, Clip, clip_samples
from earshot.common.audio import SAMPLE_RATE
from earshot.storage.media_store import MediaStore, location_of
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


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path, as Postgres' socket needs."""
    path = Path(tempfile.mkdtemp(prefix="earshot-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


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


@pytest.mark.slow
def test_copied_library_is_complete(folder: Path) -> None:
    recording, before, after = folder / "call.wav", folder / "before", folder / "after"
    soundfile.write(recording, clip_samples(CLIP), SAMPLE_RATE)
    [ingested] = _earshot(before, "ingest", str(recording))["outcomes"]
    _earshot(before, "down")
    subprocess.run(["cp", "-a", before, after], check=True)
    shutil.rmtree(before)
    try:
        assert _earshot(after, "stale") == []
        [again] = _earshot(after, "ingest", str(recording))["outcomes"]
        assert again["result"] == "current"
        assert [video["video_id"] for video in _earshot(after, "videos", "--state", "ready")] == [ingested["video_id"]]
    finally:
        _earshot(after, "down")
    assert not before.exists()
