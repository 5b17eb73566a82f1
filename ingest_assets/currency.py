"""Currency: which stages of a video are out of date, and so which to run. Pure functions.

A stage is current when its last timing was left by today's code version and model, and nothing it is made from was made
after it. What is below a stage that runs, runs too.
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
    """A stage's last successful run; `order` grows with time."""

    version: Version
    order: int


def stages_to_run(expected: Mapping[str, Version], upstream: Mapping[str, set[str]], last: Mapping[str, LastRun]) -> list[str]:
    """The stages to run, in the order of `expected`, which lists each stage after everything it is made from."""
    stale: list[str] = []
    for stage, version in expected.items():
        run = last.get(stage)
        if (
            run is None
            or run.version != version
            or any(above in stale or last[above].order > run.order for above in upstream[stage])
        ):
            stale.append(stage)
    return stale
