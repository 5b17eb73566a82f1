"""`python -m bench.gpu`: order, limits and reports of its steps. What the steps measure needs a GPU."""

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


def test_steps_are_in_order_of_worth_each_with_a_limit() -> None:
    assert list(STEPS) == ORDER.split()
    assert sum(len(row) for row in ROWS) == len(STEPS)
    assert all(0 < each.limit_s <= 300 for each in STEPS.values())


@pytest.mark.slow  # imports torch and pyannote.audio
def test_step_is_a_function_of_its_module() -> None:
    assert [name for name, each in STEPS.items() if not callable(getattr(import_module(each.module), name))] == []


def test_failed_step_is_reported_and_the_rest_run(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failed = Runs(out).run([(step("fails"), step("dies")), (step("ends"),)], time.monotonic() + 120)
    found = result(out)
    assert failed == ["fails", "dies"]
    assert found["fails"]["how"] == "failed: ValueError: not on this machine"
    assert found["fails"]["lines"] == ["so far so good"]
    assert found["dies"]["how"] == "failed: exit code 7"
    assert (found["ends"]["how"], found["ends"]["lines"], found["ends"]["data"]) == (ENDED, ["four"], {"number": 4})
    printed = capsys.readouterr().out
    assert "== fails: failed: ValueError: not on this machine" in printed
    assert "   | ValueError: not on this machine" in printed
    assert "ValueError: not on this machine" in (out / "log.txt").read_text()


def test_step_is_cut_off_at_its_limit(out: Path) -> None:
    assert Runs(out).run([(step("hangs", limit_s=1.0),)], time.monotonic() + 120) == ["hangs"]
    assert result(out)["hangs"]["how"] == "cut off at 1 s"


def test_step_is_cut_off_before_the_deadline_and_keeps_what_it_found(out: Path) -> None:
    Runs(out).run([(step("hangs"),)], time.monotonic() + 17)
    found = result(out)["hangs"]
    assert (found["how"], found["lines"]) == ("cut off at 12 s", ["waiting"])


def test_what_is_left_when_time_is_up_is_named_as_not_run(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Runs(out).run([(step("ends"),), (step("fails"),)], time.monotonic() + 1) == []
    assert {name: each["how"] for name, each in result(out).items()} == {"ends": NOT_RUN, "fails": NOT_RUN}
    assert f"== fails: {NOT_RUN}" in capsys.readouterr().out


def test_next_call_knows_what_has_ended(out: Path) -> None:
    Runs(out).run([(step("ends"), step("fails"))], time.monotonic() + 120)
    later = Runs(out)
    assert later.ended(step("ends"))
    assert not later.ended(step("fails"))
    later.run([(step("ends"),)], time.monotonic() + 1)  # no time for it again: what it found stays
    assert result(out)["ends"]["data"] == {"number": 4}


def test_unknown_step_is_refused_with_the_list(out: Path) -> None:
    ended = CliRunner().invoke(main, ["60", "machine", "nosuch"])
    assert ended.exit_code == 2
    assert "'nosuch' is not one of 'machine', 'cublas', 'compiling'" in ended.output
    assert not out.exists()


def test_command_without_time_runs_nothing_and_names_every_step(out: Path) -> None:
    ended = CliRunner().invoke(main, ["5"])
    assert ended.exit_code == 0
    assert {name: each["how"] for name, each in result(out).items()} == dict.fromkeys(STEPS, NOT_RUN)


def test_line_of_a_stage_adds_videos_up_and_names_the_most_of_the_gpu() -> None:
    row = {
        "wall_s": 12.0, "load_s": 2.0, "compute_s": 8.0, "cpu_s": 18.0, "audio_s": 100.0, "batch_mean": 4.0, "device": "cuda",
        "compute_type": "float16", "gpu_util_mean": 20.0, "gpu_util_p95": 50.0, "vram_peak_mb": 512.0, "gpu_power_w": None,
    }  # fmt: skip
    assert stage_line("transcript", [row, {**row, "gpu_util_mean": 30.0}]) == (
        "  transcript          20.00 s      10x, load 4.0, compute 16.00, CPU 36.0 s, batch 4; cuda float16, "
        "GPU 30 % (p95 50), 512 MB, 0 W"
    )
    assert stage_line("transcript", [{**row, "gpu_util_mean": None}]).endswith("cuda float16")


def test_words_differ_by_what_is_not_the_same_in_order() -> None:
    assert other_words(["Ever", "tried."], ["ever", "Tried"]) == 0
    assert other_words(["ever", "tried", "ever", "failed"], ["ever", "fried", "ever", "failed"]) == 0.25
    assert other_words([], []) == 0
