"""Measuring one size after another: each in a process of its own, so that its memory is its own, and printed as JSON.

What a benchmark measures of a size, and which sizes, is its own; homes and databases too.
"""

import json
import multiprocessing
import os
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from bench.harness.figures import measured_on
from earshot.models.device import cpu_name

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Result = TypeVar("Result")


def apart(work: Callable[..., Result], *arguments: Any) -> Result:
    """What it gives, done in a fresh process. `work` stands at the top of its module.

    The process that asks must be a small one: what a process has at most is counted from before its program was put in place.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(work, *arguments).result()


def print_sizes(measure: "Callable[[int], DataclassInstance]", sizes: tuple[int, ...]) -> None:
    """Print the figures of each size, with what they were measured on. `measure` stands at the top of its module."""
    os.environ.setdefault("EARSHOT_DEVICE", "cpu")
    found = [asdict(apart(measure, size)) for size in sizes]
    print(json.dumps({**measured_on(cpu_name()), "figures": found}, indent=2))


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """What it gives, and the seconds it took."""
    started = monotonic()
    return work(), monotonic() - started


def peak_mb() -> float:
    """The most memory this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
