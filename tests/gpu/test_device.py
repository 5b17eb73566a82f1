"""The real device is proved; a hidden one and a broken one, each in its own process, are refused."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import torch

from bench.corpora.episodes import TELEPHONE, clip_path
from earshot.models.device import Device
from earshot.storage.server import stop_embedded


def test_device_is_the_one_nvidia_smi_lists(cuda: Device) -> None:
    listed = subprocess.run(
        ["nvidia-smi", "--query-gpu=name,uuid", "--format=csv,noheader"], capture_output=True, text=True, check=True
    ).stdout
    assert f"{cuda.name}, {cuda.uuid}" in listed.splitlines()
    assert cuda.name == torch.cuda.get_device_name()


def test_hidden_device_is_refused_and_named() -> None:
    ended = _python(
        """
        from earshot.common.errors import GpuUnavailable
        from earshot.models.device import require_device
        try:
            require_device("cuda")
        except GpuUnavailable as error:
            print(error.message)
        """,
        CUDA_VISIBLE_DEVICES="",
    )
    assert "EARSHOT_DEVICE asks for cuda, but torch finds no CUDA device" in ended
    assert "NVML lists NVIDIA" in ended
    assert "CUDA_VISIBLE_DEVICES is ''" in ended


def test_ingest_with_hidden_device_runs_no_model(tmp_path: Path) -> None:
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "EARSHOT_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", "from earshot.cli import main; main()"]
    ended = subprocess.run([*command, "ingest", clip_path(TELEPHONE)], env=hidden, capture_output=True, text=True)
    timed = subprocess.run([*command, "timings", "--json"], env=hidden, capture_output=True, text=True)
    stop_embedded(tmp_path / "home")
    assert ended.returncode != 0
    assert "asks for cuda" in ended.stdout + ended.stderr
    assert {row["asset"] for row in json.loads(timed.stdout)} <= {"audio"}


def test_device_lost_during_a_stage_ends_it() -> None:
    ended = _python(
        """
        import torch
        from earshot.common.errors import GpuUnavailable
        from earshot.models.device import require_device
        from earshot.models.cache import Models
        encoder = Models().text_encoder(require_device("cuda"))
        try:  # reading beyond the end stops every kernel of this process from here on
            torch.ones(1, device="cuda")[torch.tensor([2], device="cuda")].item()
        except RuntimeError:
            pass
        try:
            encoder.encode(["a passage"])
        except GpuUnavailable as error:
            print(error.message)
        """
    )
    assert "CUDA error" in ended


def _python(program: str, **environment: str) -> str:
    """The output of a program in its own process."""
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
