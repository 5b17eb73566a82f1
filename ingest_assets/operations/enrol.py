"""Enrolling from a program or the command line: runs asset `enrolments` in this process, on a recording or on people.yaml.

So its models are measured and wait for a slot of pool `gpu` like those of a video. What cannot be read is refused before
anything runs.
"""

from collections.abc import Sequence

from dagster import DagsterInstance, materialize

from earshot.common.excerpt import Excerpt
from earshot.config.settings import read_settings
from earshot.speakers.people.enrol import AssessedExcerpt, assess, assess_listed, open_unenrolled
from earshot.speakers.people.samples import Assessment, VoiceModels
from earshot.speakers.tables.people import sync_people
from earshot.storage.database import Database
from ingest_assets.assets.enrolments import enrolments
from ingest_assets.graph import RESOURCES
from ingest_assets.operations.run_failures import QUIET, raise_failure
from resources.enrolment_work import EnrolmentWork
from resources.instance.pool_polling import patch_pool_polling


def assess_excerpts(
    database: Database, instance: DagsterInstance, name: str, excerpts: Sequence[Excerpt]
) -> list[AssessedExcerpt]:
    """Judge excerpts of one recording for the person of this name. Stores nothing but the timing.

    Raises RecordingUnusable or a VideoError if the recording cannot be read or is too short, EarshotError if it overlaps an
    enrolment or if no model can run.
    """
    recording = open_unenrolled(database, name, excerpts)
    assessed: list[AssessedExcerpt] = []

    def judge(opened: Database, models: VoiceModels) -> int:
        assessed.extend(assess(opened, name, recording, excerpts, models))
        return len(assessed)

    _run(instance, EnrolmentWork(judge))
    return assessed


def assess_people_file(database: Database, instance: DagsterInstance) -> list[Assessment]:
    """Read people.yaml and judge all pending enrolments. Raises Misconfigured if the file is wrong."""
    sync_people(database, read_settings())  # raises its errors, with names, which those of the run must not have
    assessments: list[Assessment] = []

    def judge(opened: Database, models: VoiceModels) -> int:
        assessments.extend(assess_listed(opened, models))
        return len(assessments)

    _run(instance, EnrolmentWork(judge))
    return assessments


def _run(instance: DagsterInstance, work: EnrolmentWork) -> None:
    patch_pool_polling()
    resources = {**RESOURCES, "enrolment_work": work}
    result = materialize([enrolments], instance=instance, resources=resources, run_config=QUIET, raise_on_error=False)
    if not result.success:
        raise_failure(result)
