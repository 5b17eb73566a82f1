"""`python -m bench.gpu`: order, limits and reports of its steps. The steps themselves need a GPU."""

import json
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.gpu.__main__ import main
from bench.gpu.episodes import other_words
from bench.gpu.findings import stage_line
from bench.gpu.runs import ENDED, NOT_RUN, Runs
from bench.gpu.steps import ROWS, STEPS, Step

ORDER = (
    "machine cublas compiling refusal tests recordings doctor without_shim drill on_cpu episodes growth texts sides several "
    "apart profile batches memory"
)


def step(name: str, limit_s: float = 60.0) -> Step:
    return Step(name, limit_s, "tests.bench.gpu_steps")


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The output folder, with a work folder beside it."""
    monkeypatch.setenv("GPU_WORK", str(tmp_path / "work"))
    monkeypatch.setenv("OUT", str(tmp_path / "out"))
    return tmp_path / "out"


def result(out: Path) -> dict[str, Any]:
    return json.loads((out / "result.json").read_text())


def test_steps_are_in_order_and_limited() -> None:
    assert list(STEPS) == ORDER.split()
    assert sum(len(row) for row in ROWS) == len(STEPS)
    assert all(0 < step.limit_s <= 300 for step in STEPS.values())


@pytest.mark.slow  # imports torch and pyannote.audio
def test_each_step_is_a_function_of_its_module() -> None:
    assert [name for name, step in STEPS.items() if not callable(getattr(import_module(step.module), name))] == []


def test_failed_step_is_reported_and_the_rest_run(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failed = Runs(out).run([(step("fails"), step("dies")), (step("ends"),)], time.monotonic() + 120)
    steps, reason = result(out), "ValueError: not on this machine"
    assert failed == ["fails", "dies"]
    assert (steps["fails"]["how"], steps["fails"]["lines"]) == (f"failed: {reason}", ["so far so good"])
    assert steps["dies"]["how"] == "failed: exit code 7"
    assert (steps["ends"]["how"], steps["ends"]["lines"], steps["ends"]["data"]) == (ENDED, ["four"], {"number": 4})
    printed = capsys.readouterr().out
    assert f"== fails: failed: {reason}" in printed
    assert f"   | {reason}" in printed
    assert reason in (out / "log.txt").read_text()


def test_step_is_cut_off_at_its_limit(out: Path) -> None:
    assert Runs(out).run([(step("hangs", limit_s=1.0),)], time.monotonic() + 120) == ["hangs"]
    assert result(out)["hangs"]["how"] == "cut off at 1 s"


def test_step_cut_off_at_deadline_keeps_its_findings(out: Path) -> None:
    Runs(out).run([(step("hangs"),)], time.monotonic() + 17)
    hanging = result(out)["hangs"]
    assert (hanging["how"], hanging["lines"]) == ("cut off at 12 s", ["waiting"])


def test_remaining_steps_are_reported_as_not_run(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Runs(out).run([(step("ends"),), (step("fails"),)], time.monotonic() + 1) == []
    assert {name: step["how"] for name, step in result(out).items()} == {"ends": NOT_RUN, "fails": NOT_RUN}
    assert f"== fails: {NOT_RUN}" in capsys.readouterr().out


def test_next_call_skips_ended_steps(out: Path) -> None:
    Runs(out).run([(step("ends"), step("fails"))], time.monotonic() + 120)
    later = Runs(out)
    assert later.ended(step("ends"))
    assert not later.ended(step("fails"))
    later.run([(step("ends"),)], time.monotonic() + 1)  # no time to run it again: its findings stay
    assert result(out)["ends"]["data"] == {"number": 4}


def test_unknown_step_is_refused(out: Path) -> None:
    ended = CliRunner().invoke(main, ["60", "machine", "nosuch"])
    assert ended.exit_code == 2
    assert "'nosuch' is not one of 'machine', 'cublas', 'compiling'" in ended.output
    assert not out.exists()


def test_command_without_time_reports_every_step(out: Path) -> None:
    assert CliRunner().invoke(main, ["5"]).exit_code == 0
    assert {name: step["how"] for name, step in result(out).items()} == dict.fromkeys(STEPS, NOT_RUN)


def test_stage_line_adds_up_videos() -> None:
    row = {
        "wall_s": 12.0, "load_s": 2.0, "compute_s": 8.0, "cpu_s": 18.0, "audio_s": 100.0, "batch_mean": 4.0, "device": "cuda",
        "compute_type": "float16", "gpu_util_mean": 20.0, "gpu_util_p95": 50.0, "vram_peak_mb": 512.0, "gpu_power_w": None,
    }  # fmt: skip
    assert stage_line("transcript", [row, {**row, "gpu_util_mean": 30.0}]) == (
        "  transcript          20.00 s      10x, load 4.0, compute 16.00, CPU 36.0 s, batch 4; cuda float16, "
        "GPU 30 % (p95 50), 512 MB, 0 W"
    )
    assert stage_line("transcript", [{**row, "gpu_util_mean": None}]).endswith("cuda float16")


def test_word_difference_is_a_share_in_order() -> None:
    assert other_words(["Ever", "tried."], ["ever", "Tried"]) == 0
    assert other_words(["ever", "tried", "ever", "failed"], ["ever", "fried", "ever", "failed"]) == 0.25
    assert other_words([], []) == 0
