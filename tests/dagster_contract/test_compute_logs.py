"""Compute logs: what a run prints is kept and copied, without processes that could outlive a killed run."""

import os
import subprocess
import sys

import psutil
import pytest
from dagster import DagsterInstance, asset, materialize
from dagster._core.storage.compute_log_manager import ComputeIOType

from resources.instance.compute_logs import EarshotComputeLogs

KEY = ["a-run", "compute_logs", "step"]


def kept(instance: DagsterInstance, key: list[str]) -> tuple[bytes | None, bytes | None]:
    data = instance.compute_log_manager.get_log_data(key)
    return data.stdout, data.stderr


def test_output_is_kept_and_copied(instance: DagsterInstance, capfd: pytest.CaptureFixture[str]) -> None:
    manager = instance.compute_log_manager
    assert isinstance(manager, EarshotComputeLogs)
    with manager.capture_logs(KEY):
        print("to stdout", flush=True)
        print("to stderr", file=sys.stderr, flush=True)
        subprocess.run(["echo", "from a child"], check=True)
        assert not manager.is_capture_complete(KEY)
    print("afterwards", flush=True)
    assert kept(instance, KEY) == (b"to stdout\nfrom a child\n", b"to stderr\n")
    assert manager.is_capture_complete(KEY)
    assert capfd.readouterr() == ("to stdout\nfrom a child\nafterwards\n", "to stderr\n")


def test_logs_are_where_dagster_has_them_by_default(instance: DagsterInstance) -> None:
    path = instance.compute_log_manager.get_log_metadata(KEY).stdout_location
    assert path == os.path.join(os.environ["DAGSTER_HOME"], "storage", *KEY) + ".out"


def test_run_starts_no_process(instance: DagsterInstance) -> None:
    children: list[psutil.Process] = []

    @asset
    def printing() -> None:
        children.extend(psutil.Process().children(recursive=True))
        print("printed", flush=True)

    before = psutil.Process().children(recursive=True)
    run = materialize([printing], instance=instance)
    assert [child for child in children if child not in before] == []
    [key] = instance.compute_log_manager.get_log_keys_for_log_key_prefix([run.run_id, "compute_logs"], ComputeIOType.STDOUT)
    assert b"printed\n" in (kept(instance, list(key))[0] or b"")
