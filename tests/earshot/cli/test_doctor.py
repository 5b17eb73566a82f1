"""The doctor tells what does not work, whatever stands in its way."""

import json

import pytest
from click.testing import CliRunner

from earshot.cli.operation import doctor
from earshot.models.cache import Models
from earshot.models.device import Device


def test_library_that_is_missing_is_not_proved_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_self: Models, _device: Device) -> None:
        raise RuntimeError("Library libcublas.so.12 is not found or cannot be loaded")

    monkeypatch.setattr(Models, "transcriber", load)
    monkeypatch.setattr(doctor, "PROOFS", {"models at work": doctor.PROOFS["models at work"]})
    ended = CliRunner().invoke(doctor.doctor, ["--json"])
    [finding] = json.loads(ended.output)
    assert (ended.exit_code, finding["proved"]) == (1, False)
    assert finding["detail"].startswith(
        "The models do not run on cpu: Library libcublas.so.12 is not found or cannot be loaded."
    )
