"""The doctor reports errors that are not Earshot's own."""

import json

import pytest
from click.testing import CliRunner

from earshot.cli.operation import doctor
from earshot.models.cache import Models
from earshot.models.device import Device


def test_missing_library_is_reported_without_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_self: Models, _device: Device) -> None:
        raise RuntimeError("Library libcublas.so.12 is not found or cannot be loaded")

    monkeypatch.setattr(Models, "transcriber", load)
    monkeypatch.setattr(doctor, "PROOFS", {"models at work": doctor.PROOFS["models at work"]})
    ended = CliRunner().invoke(doctor.doctor, ["--json"])
    [finding] = json.loads(ended.output)
    assert (ended.exit_code, finding["proved"]) == (1, False)
    assert "libcublas.so.12" in finding["detail"]
