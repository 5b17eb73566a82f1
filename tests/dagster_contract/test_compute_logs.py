"""Compute logs: what a run prints is kept and copied, without processes that could outlive a killed run."""

import os
import subprocess
import sys

import psutil
from dagster import DagsterInstance, asset, materialize

from resources.instance.compute_logs import EarshotComputeLogs

KEY = ["a-run", "compute_logs", "step"]
PRINTING = f"""
import os, subprocess, sys
from dagster import DagsterInstance
manager = DagsterInstance.get().compute_log_manager
with manager.capture_logs({KEY}):
    print("to stdout")
    print("to stderr", file=sys.stderr)
    sys.stdout.flush()
    subprocess.run(["echo", "from a child"])
    assert not manager.is_capture_complete({KEY})
print("afterwards")
"""


def test_output_is_kept_and_copied(instance: DagsterInstance) -> None:
    printed = subprocess.run([sys.executable, "-c", PRINTING], capture_output=True, check=True, text=True)
    assert (printed.stdout, printed.stderr) == ("to stdout\nfrom a child\nafterwards\n", "to stderr\n")
    kept = instance.compute_log_manager.get_log_data(KEY)
    assert (kept.stdout, kept.stderr) == (b"to stdout\nfrom a child\n", b"to stderr\n")
    assert instance.compute_log_manager.is_capture_complete(KEY)


def test_logs_are_where_dagster_has_them_by_default(instance: DagsterInstance) -> None:
    assert isinstance(instance.compute_log_manager, EarshotComputeLogs)
    path = instance.compute_log_manager.get_log_metadata(KEY).stdout_location
    assert path == os.path.join(os.environ["DAGSTER_HOME"], "storage", *KEY) + ".out"


def test_run_starts_no_process(instance: DagsterInstance) -> None:
    children: list[psutil.Process] = []

    @asset
    def printing() -> None:
        children.extend(psutil.Process().children(recursive=True))

    before = psutil.Process().children(recursive=True)
    materialize([printing], instance=instance)
    assert [child for child in children if child not in before] == []
