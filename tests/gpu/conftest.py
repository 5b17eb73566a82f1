"""Tests on a real NVIDIA GPU: `make test-gpu`. Nothing is substituted. Without a GPU they fail; `make test` leaves them out."""

from pathlib import Path

import pytest

from earshot.models.cache import Models
from earshot.models.device import Device, require_device

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.gpu)
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def cuda(home: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    """The proved device, asked for as a user asks for it."""
    assert home.exists()
    monkeypatch.setenv("EARSHOT_DEVICE", "cuda")
    return require_device("cuda")


@pytest.fixture
def models() -> Models:
    return Models()
