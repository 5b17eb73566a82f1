"""Sensor `new_voices`: whenever there is something new to go by, everybody is identified again.

That is: local speakers of any video, people.yaml, enrolments and corrections, the threshold, or the model. What it all was when
a run was last asked for is the cursor; while it is the same, or such a run waits or works, a tick does nothing. A run that
fails is not asked for again until something changes. What a run does is earshot/speakers/people/identify.py.
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

# Numbers are never given twice, so that a count and the highest tell every change. Moments are not given in the order in which
# they are committed, hence their sum. What is listed in people.yaml is left out: runs themselves write that.
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
    description="Works out anew who speaks in the videos when there are new voices, enrolments or corrections.",
)
def new_voices(context: SensorEvaluationContext) -> SensorResult | SkipReason:
    """Asks for a run of `people` where something has changed."""
    state = state_of(open_database(), read_settings())
    if not state:
        return SkipReason("Nobody speaks in any video yet.")
    if state == context.cursor:
        return SkipReason("Nobody new, and nothing new is known of anybody.")
    if has_active_run(context.instance, identify_people.name):
        return SkipReason(f"A run of {identify_people.name} is under way.")
    request = RunRequest(job_name=identify_people.name, tags={"dagster/priority": str(PEOPLE_PRIORITY)})
    return SensorResult(run_requests=[request], cursor=state)


def state_of(database: Database, settings: Settings) -> str:
    """A digest of everything that decides who is who; "" where nobody has ever spoken."""
    [row] = database.query(_STATE)
    if not row["speakers"][0]:
        return ""
    listed = settings.people.read_bytes() if settings.people.is_file() else b""
    parts = json.dumps([row, voice_space(settings).columns], default=str).encode()
    return hashlib.sha256(parts + hashlib.sha256(listed).digest()).hexdigest()[:32]
