"""Dagster's sensor daemon, step by step, so that it can die between any two."""

from collections.abc import Callable
from dataclasses import dataclass, field

from dagster import DagsterInstance, RunRequest, SensorDefinition, SensorResult, build_sensor_context

from earshot.storage.database import Database
from ingest_assets.partitions import videos


@dataclass
class Daemon:
    """One sensor's daemon: its cursor, and the partitions that were run, by their run keys.

    `step` is called before each thing it does, and may raise.
    """

    sensor: SensorDefinition
    instance: DagsterInstance
    database: Database
    step: Callable[[], None] = lambda: None
    cursor: str | None = None
    runs: dict[str, str] = field(default_factory=dict)

    def tick(self, dies: bool = False) -> list[str]:
        """The videos whose runs this tick started, in order. A tick that dies has submitted them and kept no cursor."""
        answer = self.sensor(build_sensor_context(self.instance, cursor=self.cursor))
        if not isinstance(answer, SensorResult):
            return []
        for request in answer.dynamic_partitions_requests or ():
            self._add(list(request.partition_keys))
        started = [key for run in answer.run_requests or () if (key := self._launch(run))]
        self.step()
        self.cursor = self.cursor if dies else answer.cursor
        return started

    def _add(self, keys: list[str]) -> None:
        self.step()
        rows = self.database.query("SELECT 1 FROM videos WHERE video_id = ANY(%s)", [keys])
        assert len(rows) == len(set(keys)), "a partition without a row in the catalogue"
        self.instance.add_dynamic_partitions(str(videos.name), keys)

    def _launch(self, run: RunRequest) -> str:
        """The partition of the run, "" where its key was run before."""
        self.step()
        assert run.partition_key is not None
        assert self.instance.has_dynamic_partition(str(videos.name), run.partition_key), "a run without its partition"
        if run.run_key in self.runs:
            return ""
        self.runs[str(run.run_key)] = run.partition_key
        return run.partition_key
