"""The model cache: which change of settings loads a model again."""

from pathlib import Path

import pytest

from earshot.models.cache import Models
from earshot.models.device import require_device

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
