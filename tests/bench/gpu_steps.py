"""Steps for tests/bench/test_gpu.py: one that ends, one that fails, one that never ends, one that dies."""

import os
import time

from bench.gpu.findings import Findings


def ends(found: Findings) -> None:
    found.tell("four", number=4)


def fails(found: Findings) -> None:
    found.tell("so far so good")
    raise ValueError("not on this machine")


def hangs(found: Findings) -> None:
    found.tell("waiting")
    time.sleep(600)


def dies(_found: Findings) -> None:
    os._exit(7)
