"""The device is proved or refused. What torch and ctranslate2 answer is substituted at their boundary: no GPU is needed."""

from collections.abc import Iterator
from pathlib import Path

import ctranslate2
import pytest
import soundfile
import torch

from bench.episodes import TELEPHONE, Clip, clip_samples
from ingest_assets.definitions import defs
from ingest_assets.ingest import QUIET
from ingest_assets.instance import open_instance
from ingest_assets.partitions import videos
from resources.catalogue import find, register
from resources.database import Database
from resources.errors import GpuUnavailable
from resources.gpu import _prove_cuda, assert_placed, require_device
from resources.media_source import list_source


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    """A proof is remembered for the life of a process; not from one test to the next."""
    _prove_cuda.cache_clear()
    yield
    _prove_cuda.cache_clear()


def test_the_cpu_is_what_it_says_and_nothing_is_asked_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: pytest.fail("asked for a GPU"))
    device = require_device("cpu")
    assert device.kind == "cpu"
    assert device.name


def test_no_device_is_refused_with_what_was_asked_found_and_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(GpuUnavailable) as refused:
        require_device("cuda")
    assert "EARSHOT_DEVICE asks for cuda, but torch finds no CUDA device" in refused.value.message
    assert f"torch {torch.__version__.partition('+')[0]}" in refused.value.message
    assert "EARSHOT_DEVICE=cpu" in refused.value.remedy


def test_a_device_on_which_no_kernel_runs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_options: object) -> torch.Tensor:
        raise RuntimeError("no kernel image is available")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", broken)
    with pytest.raises(GpuUnavailable, match="a kernel does not run on it: no kernel image is available"):
        require_device("cuda")


@pytest.mark.parametrize(
    ("count", "types", "said"),
    [(0, {"float16"}, "ctranslate2 finds no CUDA device"), (1, {"float32"}, r"supports \['float32'\] on it, not float16")],
)
def test_a_device_that_only_torch_can_use_is_refused(
    monkeypatch: pytest.MonkeyPatch, count: int, types: set[str], said: str
) -> None:
    ones = torch.ones(1024)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch, "ones", lambda *_arguments, **_options: ones)
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: count)
    monkeypatch.setattr(ctranslate2, "get_supported_compute_types", lambda _device: types)
    with pytest.raises(GpuUnavailable, match=said):
        require_device("cuda")


def test_a_model_that_lies_on_another_device_is_refused() -> None:
    with pytest.raises(GpuUnavailable, match="whisper was loaded for cuda, but its parameters are on cpu"):
        assert_placed("whisper", "cuda", "cpu")


def test_without_the_device_audio_succeeds_no_gpu_stage_leaves_a_row_and_the_video_stays_new(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "a.wav", clip_samples(Clip(TELEPHONE.package, TELEPHONE.path, 6.5, 9.0)), 16_000)
    [video] = list_source(str(tmp_path / "a.wav"))
    register(database, [video])
    instance = open_instance()
    instance.add_dynamic_partitions(str(videos.name), [video.video_id])
    monkeypatch.setenv("EARSHOT_DEVICE", "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    ended = defs.resolve_job_def("ingest_video").execute_in_process(
        instance=instance, partition_key=video.video_id, run_config=QUIET, raise_on_error=False
    )
    assert not ended.success
    assert [row["asset"] for row in database.query("SELECT asset FROM asset_timings")] == ["audio"]
    for table, order in (("segments", "segment_index"), ("turns", "turn_index"), ("passages", "passage_index")):
        assert database.frame(table, video.video_id, order).empty
    found = find(database, video.video_id)
    assert found is not None
    assert found.state == "new"
    assert "asks for cuda" in (found.last_error or "")
