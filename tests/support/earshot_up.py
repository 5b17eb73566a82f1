"""A real `earshot up` for tests, with the GraphQL queries of the UI."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from dagster import DagsterEventType

from bench.harness.server import free_port
from earshot.storage.database import open_database
from ingest_assets.stages.stage import FORCE_TAG
from resources.instance.home import open_instance

EARSHOT = str(Path(sys.executable).parent / "earshot")


@dataclass(frozen=True)
class Up:
    """A running `earshot up`: its process, and the addresses of the UI and the page."""

    pid: int
    url: str
    page_url: str


@contextmanager
def running_up(home: Path, environment: Mapping[str, str]) -> Iterator[Up]:
    """`earshot up` on this home with these settings, for the block; the home's Postgres runs again after it."""
    port, page_port, log_file = free_port(), free_port(), home / "up.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [EARSHOT, "up", "--port", str(port), "--page-port", str(page_port)],
            stdout=log,
            stderr=log,
            env={**os.environ, **environment},
        )
        try:
            wait(lambda: f":{port} (" in log_file.read_text() or process.poll(), 600, "earshot up is not up")
            assert process.poll() is None, log_file.read_text()
            yield Up(process.pid, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{page_port}")
        finally:
            process.terminate()  # `down` sends the same again, which must not interrupt the stopping
            down = subprocess.Popen([EARSHOT, "down"], env={**os.environ, "EARSHOT_HOME": str(home)})
            ended = process.wait(timeout=300)  # first, because `down` would wait for a process that is not reaped
            assert down.wait(timeout=300) == 0
            open_database()  # `down` stopped the server of the whole test session
    assert ended == 0, log_file.read_text()


def launch(url: str, partition: str, *stages: str) -> str:
    """Materialize these stages of one partition, by default all, as the UI does, with the tag that forces them."""
    tags = {"dagster/partition": partition, FORCE_TAG: "true"}
    metadata = {"tags": [{"key": key, "value": value} for key, value in tags.items()]}
    selection = {"assetSelection": [{"path": [stage]} for stage in stages]} if stages else {}
    return execute(url, {"jobName": "ingest_video", **selection}, executionMetadata=metadata)


def execute(url: str, selected: dict[str, Any], **parameters: Any) -> str:
    """Launch a run over GraphQL; its id."""
    launched = query(
        url,
        """mutation ($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
             __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }""",
        {
            "params": {
                "selector": {"repositoryLocationName": "earshot", "repositoryName": "__repository__", **selected},
                "mode": "default",
                "runConfigData": {},
                **parameters,
            }
        },
    )["launchPipelineExecution"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    return launched["run"]["runId"]


def launch_backfill(url: str, stages: Iterable[str], partitions: list[str]) -> str:
    """Launch a backfill of these stages of these partitions, as the UI does; its id."""
    launched = query(
        url,
        """mutation ($params: LaunchBackfillParams!) {
             launchPartitionBackfill(backfillParams: $params) {
               __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }""",
        {"params": {"assetSelection": [{"path": [stage]} for stage in stages], "partitionNames": partitions}},
    )["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    return launched["backfillId"]


def cancel(url: str, run_id: str) -> None:
    """Terminate a run, as the UI does."""
    mutation = "mutation ($id: String!) { terminateRun(runId: $id) { __typename ... on TerminateRunFailure { message } } }"
    answer = query(url, mutation, {"id": run_id})["terminateRun"]
    assert answer["__typename"] == "TerminateRunSuccess", answer


def ended(url: str, run_id: str) -> str:
    """The run's status once it has ended, "" before."""
    status = run_status(url, run_id)
    return status if status in ("SUCCESS", "FAILURE", "CANCELED") else ""


def process_of(run_id: str) -> psutil.Process | None:
    """The process that works on a run, as Dagster's events name it once it has started."""
    for entry in open_instance().all_logs(run_id, of_type=DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        pid = event.engine_event_data.metadata.get("pid") if event else None
        if pid is not None:
            return psutil.Process(int(str(pid.value)))
    return None


def run_status(url: str, run_id: str) -> str:
    run = query(url, "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }", {"id": run_id})
    return run["runOrError"]["status"]


def backfill_status(url: str, backfill_id: str) -> str:
    status = "query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"
    return query(url, status, {"id": backfill_id})["partitionBackfillOrError"]["status"]


def query(url: str, query: str, variables: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{url}/graphql",
        data=json.dumps({"query": query, "variables": variables}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            document = json.load(answer)
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{error}: {error.read().decode()}") from error
    assert "errors" not in document, document["errors"]
    return document["data"]


def wait(condition: Any, seconds: float, complaint: str) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(1)
    raise AssertionError(f"{complaint} after {seconds:.0f} s")
