"""Sensor `new_voices`: identifies all speakers again when anything that decides who they are has changed.

This includes local speakers of any video, people.yaml, enrolments, corrections, the threshold and the model. The cursor is a
digest of all this as of the last requested run. While it is unchanged, or such a run is queued or running, a tick does nothing;
a failed run is not requested again until something changes. earshot/speakers/people/identify.py does the work.
"""

import hashlib
import json

from dagster import DefaultSensorStatus, RunRequest, SensorEvaluationContext, SensorResult, SkipReason, sensor

from earshot.config.settings import Settings, read_settings
from earshot.speakers.tables.voice_space import voice_space
from earshot.storage.database import Database, open_database
from ingest_assets.jobs import PEOPLE_PRIORITY, identify_people
from ingest_assets.operations.runs import has_active_run

NEW_VOICES = "new_voices"

# Ids are never reused, so the count and the highest id show every change. Times are not in the order of commits, hence their
# sum. Entries of people.yaml are excluded, because the runs themselves write those rows.
_STATE = """
    SELECT (SELECT array[count(*), sum(extract(epoch FROM made_at))] FROM local_speakers) AS speakers,
        (SELECT array[count(*), max(person_id)] FROM people WHERE NOT listed) AS people,
        (SELECT array[count(*), max(enrolment_id)] FROM enrolments WHERE NOT listed) AS enrolments,
        (SELECT array[count(*), max(correction_id)] FROM corrections) AS corrections,
        (SELECT max(accepted_at)::text FROM voice_thresholds) AS accepted_at
"""


@sensor(
    name=NEW_VOICES,
    job=identify_people,
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.RUNNING,
    description="Identifies the speakers in the videos again when there are new voices, enrolments or corrections.",
)
def new_voices(context: SensorEvaluationContext) -> SensorResult | SkipReason:
    """Requests a run of `people` if anything has changed."""
    state = state_of(open_database(), read_settings())
    if not state:
        return SkipReason("No video has a speaker yet.")
    if state == context.cursor:
        return SkipReason("No new voices, enrolments or corrections.")
    if has_active_run(context.instance, identify_people.name):
        return SkipReason(f"A run of {identify_people.name} is queued or running.")
    request = RunRequest(job_name=identify_people.name, tags={"dagster/priority": str(PEOPLE_PRIORITY)})
    return SensorResult(run_requests=[request], cursor=state)


def state_of(database: Database, settings: Settings) -> str:
    """A digest of everything that decides who the speakers are; "" if there are no speakers."""
    [row] = database.query(_STATE)
    if not row["speakers"][0]:
        return ""
    people_file = settings.people.read_bytes() if settings.people.is_file() else b""
    parts = json.dumps([row, voice_space(settings).columns], default=str).encode()
    return hashlib.sha256(parts + hashlib.sha256(people_file).digest()).hexdigest()[:32]
