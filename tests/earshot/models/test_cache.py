"""The model cache: which change of settings loads a model again, and which model needs torch."""

import subprocess
import sys
from pathlib import Path

import pytest

from earshot.common.errors import ModelUnavailable
from earshot.config.settings import PROJECT_ROOT
from earshot.models import device as device_module
from earshot.models.cache import Models
from earshot.models.device import require_device

WITHOUT_TORCH = """
import os, sys
sys.modules |= dict.fromkeys(["torch", "torchaudio", "transformers", "sentence_transformers", "lightning"])  # not installed
import numpy as np
from earshot.models.cache import Models
from earshot.models.device import require_device
models, cpu, noise = Models(), require_device("cpu"), np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32)
models.diarizer(cpu).diarize(noise)
print(models.voice_encoder(cpu).encode(noise, [(0, 48_000)]).shape, models.text_encoder(cpu).encode(["a question"]).shape)
print(models.transcriber(cpu).execution.device)
os.environ["EARSHOT_MODELS"] = "multilingual"
print(models.text_encoder(cpu).encode(["una pregunta"]).shape)
"""

pytestmark = pytest.mark.slow


def test_setting_of_something_else_loads_no_model_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home.exists()
    first = Models().text_encoder(require_device("cpu"))
    monkeypatch.setenv("EARSHOT_ALERT_URL", "http://127.0.0.1:9/alerts")
    assert Models().text_encoder(require_device("cpu")) is first


def test_other_home_has_models_of_its_own(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert home.exists()
    first = Models().text_encoder(require_device("cpu"))
    monkeypatch.setenv("EARSHOT_HOME", str(tmp_path))
    assert Models().text_encoder(require_device("cpu")) is not first


def test_models_of_packages_need_no_torch_on_the_cpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EARSHOT_HOME", str(tmp_path))
    command = [sys.executable, "-c", WITHOUT_TORCH]
    ended = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "(1, 192) (1, 384)\ncpu\n(1, 512)\n"), ended.stderr


def test_large_models_say_that_they_need_torch(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home.exists()
    monkeypatch.setenv("EARSHOT_MODELS", "large")
    monkeypatch.setattr(device_module, "has_torch", lambda: False)
    with pytest.raises(ModelUnavailable, match="Model pyannote-community-1 needs torch, which is not installed"):
        Models().diarizer(require_device("cpu"))
