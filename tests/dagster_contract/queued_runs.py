"""Runs that wait in Dagster's queue, as its webserver and daemon leave them there."""

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, JobDefinition
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

REPOSITORY = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("earshot"), "__repository__")


def queue_run(instance: DagsterInstance, job: JobDefinition, tags: dict[str, str] | None = None) -> DagsterRun:
    """A run of the job that has not started. Dagster requires the origin of its code."""
    return instance.create_run_for_job(
        job, status=DagsterRunStatus.QUEUED, tags=tags, remote_job_origin=RemoteJobOrigin(REPOSITORY, job.name)
    )
