"""Removal: takes videos out of Dagster. Their past runs and events stay, as Dagster keeps all."""

from collections.abc import Sequence

from dagster import DagsterRunStatus, RunsFilter

from earshot.storage.locks import PARTITION_TAG
from ingest_assets.partitions import videos
from resources.instance.home import open_instance

AT_ONCE = 500  # videos in one query


def remove_partitions(video_ids: Sequence[str]) -> None:
    """Delete the partitions of these videos, and cancel their queued runs."""
    instance = open_instance()
    for start in range(0, len(video_ids), AT_ONCE):
        some = list(video_ids[start : start + AT_ONCE])
        queued = RunsFilter(tags={PARTITION_TAG: some}, statuses=[DagsterRunStatus.QUEUED, DagsterRunStatus.NOT_STARTED])
        for run in instance.get_runs(queued):
            instance.report_run_canceled(run, message="Its video was removed.")
        for video_id in some:
            instance.delete_dynamic_partition(str(videos.name), video_id)
