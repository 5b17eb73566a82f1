"""Currency: which stages of a video are out of date, and so which to run. Pure functions.

A stage is current when its last timing was left by today's code version and model, and nothing it is made from was made
after it. What is below a stage that runs, runs too. Where the library keeps all that is ingest_assets/staleness.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Version:
    """What decides a stage's output besides its inputs. Model and revision are "" where no model is loaded."""

    code_version: str
    model: str = ""
    model_revision: str = ""


@dataclass(frozen=True)
class LastRun:
    """A stage's last successful run; `order` grows with time, `took_s` is without loading models."""

    version: Version
    order: int
    took_s: float = 0.0


def reasons_to_run(
    expected: Mapping[str, Version], upstream: Mapping[str, set[str]], last: Mapping[str, LastRun]
) -> dict[str, str]:
    """Why each stage that is out of date is so, in the order of `expected`, which lists each after all that it is made from."""
    stale: dict[str, str] = {}
    for stage, version in expected.items():
        run = last.get(stage)
        why = "never run" if run is None else _change(run, version) or _input(upstream[stage], stale, run, last)
        if why:
            stale[stage] = why
    return stale


def _change(run: LastRun, version: Version) -> str:
    """code version 1 -> 2; "" where it is today's."""
    left = run.version
    if left.code_version != version.code_version:
        return f"code version {left.code_version} -> {version.code_version}"
    if left.model != version.model:
        return f"model {left.model} -> {version.model}"
    if left.model_revision != version.model_revision:
        return f"{version.model} {left.model_revision} -> {version.model_revision}"
    return ""


def _input(upstream: set[str], stale: Mapping[str, str], run: LastRun, last: Mapping[str, LastRun]) -> str:
    for above in sorted(upstream):
        if above in stale:
            return f"made from {above}, which is out of date"
        if last[above].order > run.order:
            return f"made from an earlier {above}"
    return ""
