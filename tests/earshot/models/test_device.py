"""A device works or is refused. torch, ctranslate2 and NVML are substituted: no GPU is needed."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ctranslate2
import pynvml
import pytest
import soundfile
import torch

from bench.corpora.episodes import TELEPHONE, Clip, clip_samples
from earshot.common.errors import GpuUnavailable
from earshot.config.sources_file import source_named
from earshot.models import device as device_module
from earshot.models.device import (
    Device,
    _prove_cuda,
    assert_compute_type,
    assert_placed,
    compute_threads,
    cpu_name,
    execution_of_network,
    require_device,
    require_memory,
)
from earshot.models.registry import CAMPPLUS, SEGMENTATION, SETS
from earshot.sources.listing import list_all
from earshot.sources.listings import video_of
from earshot.storage.catalog.videos import get_video, register
from earshot.storage.database import Database
from ingest_assets.definitions import defs
from ingest_assets.operations.run_failures import QUIET
from ingest_assets.partitions import videos
from resources.instance.home import open_instance


@pytest.fixture(autouse=True)
def _unproved() -> Iterator[None]:
    """Clear the cached proof, which otherwise lasts as long as the process."""
    _prove_cuda.cache_clear()
    yield
    _prove_cuda.cache_clear()


def test_cpu_needs_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: pytest.fail("a GPU was queried"))
    device = require_device("cpu")
    assert device.kind == "cpu"
    assert device.name


def test_without_torch_the_gpu_is_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_module, "has_torch", lambda: False)
    with pytest.raises(GpuUnavailable) as refused:
        require_device("cuda")
    assert "asks for cuda, but torch is not installed" in refused.value.message
    assert "docs/guides/operation/install.md" in refused.value.remedy
    assert "EARSHOT_DEVICE=cpu" in refused.value.remedy
    assert require_device("cpu").kind == "cpu"


def test_missing_gpu_is_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(GpuUnavailable) as refused:
        require_device("cuda")
    assert "torch finds no CUDA device" in refused.value.message
    assert f"torch {torch.__version__.partition('+')[0]}" in refused.value.message
    assert "EARSHOT_DEVICE=cpu" in refused.value.remedy


def test_gpu_that_runs_no_kernel_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_options: object) -> torch.Tensor:
        raise RuntimeError("no kernel image is available")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", broken)
    with pytest.raises(GpuUnavailable, match="no kernel image is available"):
        require_device("cuda")


@pytest.mark.parametrize(
    ("count", "types", "reason"),
    [(0, {"float16"}, "ctranslate2 finds no CUDA device"), (1, {"float32"}, r"\['float32'\] .*not float16")],
)
def test_gpu_unusable_by_ctranslate2_is_refused(
    monkeypatch: pytest.MonkeyPatch, count: int, types: set[str], reason: str
) -> None:
    ones = torch.ones(1024)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch, "ones", lambda *_arguments, **_options: ones)
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: count)
    monkeypatch.setattr(ctranslate2, "get_supported_compute_types", lambda _device: types)
    with pytest.raises(GpuUnavailable, match=reason):
        require_device("cuda")


@dataclass(frozen=True)
class Properties:
    """torch's properties of the first visible device."""

    uuid: str


@pytest.fixture
def working(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CUDA device that torch, ctranslate2 and NVML agree on; NVML lists another one before it."""
    ones = torch.ones(1024)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch, "ones", lambda *_arguments, **_options: ones)
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 1)
    monkeypatch.setattr(ctranslate2, "get_supported_compute_types", lambda _device: {"float16"})
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _index: Properties("bbbb"))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA GeForce RTX 5080")
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 2)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda index: ("GPU-aaaa", "GPU-bbbb")[index])
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", lambda uuid: uuid)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetName", lambda handle: f"the card {handle}")
    monkeypatch.setattr(pynvml, "nvmlDeviceGetUUID", lambda handle: handle)
    monkeypatch.setattr(pynvml, "nvmlSystemGetDriverVersion", lambda: "580.1")


@pytest.mark.usefixtures("working")
def test_gpu_is_identified_by_uuid() -> None:
    assert require_device("cuda") == Device("cuda", "NVIDIA GeForce RTX 5080", "GPU-bbbb")


@pytest.mark.usefixtures("working")
def test_gpu_without_nvml_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", missing)
    with pytest.raises(GpuUnavailable, match=r"NVML .*GPU-bbbb"):
        require_device("cuda")


@pytest.mark.usefixtures("working")
def test_gpus_hidden_by_cuda_visible_devices_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    with pytest.raises(GpuUnavailable) as refused:
        require_device("cuda")
    for part in ("GPU-aaaa", "GPU-bbbb", "CUDA_VISIBLE_DEVICES is '7'", "NVIDIA driver 580.1"):
        assert part in refused.value.message


@pytest.mark.usefixtures("working")
def test_driver_without_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 0)
    with pytest.raises(GpuUnavailable, match=r"no CUDA device \(NVIDIA driver 580\.1"):
        require_device("cuda")


def test_failed_check_is_repeated(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(GpuUnavailable):
        require_device("cuda")
    request.getfixturevalue("working")
    assert require_device("cuda").kind == "cuda"


def test_models_larger_than_free_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    free = (SEGMENTATION.memory_mb + CAMPPLUS.memory_mb - 1) * 1024 * 1024
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free, 16_000 * 1024 * 1024))
    gpu = Device("cuda", "NVIDIA GeForce RTX 5080", "GPU-bbbb")
    with pytest.raises(GpuUnavailable, match=r"299 MB .*campplus.* 300 MB"):
        require_memory(gpu, SEGMENTATION, CAMPPLUS)
    require_memory(gpu, CAMPPLUS)


def test_memory_is_not_checked_on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: pytest.fail("a GPU was queried"))
    require_memory(Device("cpu", "a processor"), SEGMENTATION)


def test_every_model_declares_its_memory() -> None:
    for models in SETS.values():
        for model in (models.speech, models.diarization, models.voice, models.text):
            assert model.memory_mb > 0


def test_execution_is_read_from_current_parameters() -> None:
    network = torch.nn.Linear(2, 2)
    gpu = Device("cuda", "NVIDIA GeForce RTX 5080", "GPU-bbbb")
    execution = execution_of_network(network, CAMPPLUS, gpu, 64)
    read = (execution.device_asked, execution.device, execution.device_name, execution.compute_type)
    assert read == ("cuda", "cpu", cpu_name(), "float32")
    assert execution_of_network(network.to("meta"), CAMPPLUS, gpu, 64).device == "meta"
    assert execution_of_network(network.half(), CAMPPLUS, gpu, 64).compute_type == "float16"


def test_model_on_another_device_is_refused() -> None:
    with pytest.raises(GpuUnavailable, match=r"whisper .*cuda.* cpu"):
        assert_placed("whisper", "cuda", "cpu")


@pytest.mark.parametrize(("wanted", "actual"), [("int8", "int8"), ("int8", "int8_float32"), ("float16", "float16")])
def test_requested_compute_type_is_accepted(wanted: str, actual: str) -> None:
    assert_compute_type("whisper", wanted, actual)


@pytest.mark.parametrize(("wanted", "actual"), [("int8", "float32"), ("float16", "float32"), ("float16", "int8_float16")])
def test_other_compute_type_is_refused(wanted: str, actual: str) -> None:
    with pytest.raises(GpuUnavailable, match=f"whisper .*{wanted}.* {actual}"):
        assert_compute_type("whisper", wanted, actual)


def test_video_stays_new_without_the_gpu(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", clip_samples(Clip(TELEPHONE.package, TELEPHONE.path, 6.5, 9.0)), 16_000)
    source = source_named(str(tmp_path / "a.wav"))
    video = video_of(list_all(source).entries[0], source)
    register(database, [video])
    instance = open_instance()
    instance.add_dynamic_partitions(str(videos.name), [video.video_id])
    monkeypatch.setenv("EARSHOT_DEVICE", "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = defs.resolve_job_def("ingest_video").execute_in_process(
        instance=instance, partition_key=video.video_id, run_config=QUIET, raise_on_error=False
    )
    assert not result.success
    assert [row["asset"] for row in database.query("SELECT asset FROM asset_timings")] == ["audio"]
    for table, order in (("segments", "segment_index"), ("turns", "turn_index"), ("passages", "passage_index")):
        assert database.frame(table, video.video_id, order).empty
    after = get_video(database, video.video_id)
    assert after is not None
    assert after.state == "new"
    assert "cuda" in (after.last_error or "")


@pytest.mark.parametrize(("asked", "threads"), [("3", 3), ("", None), ("0", None), ("many", None)])
def test_models_obey_omp_num_threads(monkeypatch: pytest.MonkeyPatch, asked: str, threads: int | None) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert compute_threads() == (threads or len(os.sched_getaffinity(0)))
