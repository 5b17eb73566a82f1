"""Measures one size after another, each in its own process so that its peak memory is its own, and prints JSON.

Each benchmark decides what it measures, for which sizes, and sets up its own home and database.
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
    """Call `work`, a module-level function, in a fresh process and return its result.

    The calling process must be small: a child's peak memory includes its parent's size before the child's program replaced it.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(work, *arguments).result()


def print_sizes(measure: "Callable[[int], DataclassInstance]", sizes: tuple[int, ...]) -> None:
    """Print the figures of each size, with the machine's description. `measure` is a module-level function."""
    os.environ.setdefault("EARSHOT_DEVICE", "cpu")
    figures = [asdict(apart(measure, size)) for size in sizes]
    print(json.dumps({**measured_on(cpu_name()), "figures": figures}, indent=2))


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """The result of `work`, and the seconds it took."""
    started = monotonic()
    return work(), monotonic() - started


def peak_mb() -> float:
    """This process's peak memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
