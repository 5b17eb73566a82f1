"""`earshot` in the process of the test, as the console script runs it."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from earshot.cli import main
from earshot.storage.database import Database


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def outcomes(self) -> list[dict[str, Any]]:
        return json.loads(self.out)["outcomes"]


Earshot = Callable[..., Ended]


@pytest.fixture
def earshot(database: Database, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Earshot:
    """Runs a command over the emptied database."""
    assert database

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["earshot", *arguments])
        capfd.readouterr()
        code: Any = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        printed = capfd.readouterr()
        return Ended(code, printed.out, printed.err)

    return run
