"""Asset `enrolments`: judges recordings of people, and makes samples of their voices. Table `enrolment_judgements`.

Judges the enrolments without a judgement in today's voice space: new entries of people.yaml, and all after a change of the
voice model. `earshot people enrol` runs it on a recording before storing it (ingest_assets/operations/enrol.py). Its models
run in pool `gpu`, and a run that used any leaves a row of `asset_timings` with the checks of a stage; the row's `video_id`
names the run, because a recording is no video and its path may contain a name.

Unpartitioned. Metadata, logs and errors contain no names, so that a person can be forgotten.
"""

from dagster import AssetExecutionContext, Failure, MaterializeResult, MetadataValue, ResourceParam, asset

from earshot.common.errors import EarshotError
from earshot.models.measurement import Measurement
from earshot.storage.catalog.stages import ENROLMENTS
from earshot.storage.database import Database
from earshot.timings.baseline import Level
from earshot.timings.history import read_history
from earshot.timings.judgement import CHECKS, CheckOutcome, evaluate
from earshot.timings.timing import speed_in_words, timing
from ingest_assets.assets.speaker_turns import speaker_turns
from ingest_assets.presentation.checks import check_result, check_specs
from ingest_assets.presentation.metadata import metadata
from ingest_assets.presentation.nameless import without_names
from ingest_assets.presentation.tables import table_metadata
from ingest_assets.stages.enrolment_models import EnrolmentModels
from ingest_assets.stages.outputs import FinishedRun, record_timing
from ingest_assets.stages.video_asset import GPU_POOL
from resources.database import DatabaseResource
from resources.enrolment_work import EnrolmentWork
from resources.gpu import GpuResource
from resources.models import ModelsResource

CODE_VERSION = "1"


@asset(
    group_name="library",
    code_version=CODE_VERSION,
    deps=[speaker_turns],
    pool=GPU_POOL,
    check_specs=check_specs(ENROLMENTS),
    kinds={"pyannote", "postgres"},
    description="Which recordings of people are good enough to know a voice by, with samples of it.\n\n"
    "One row of `enrolment_judgements` is one recording, judged for one voice model.",
    tags={"earshot/per": "library", "earshot/needs": "gpu"},
    metadata=table_metadata(ENROLMENTS),
)
def enrolments(
    context: AssetExecutionContext,
    database: DatabaseResource,
    gpu: GpuResource,
    models: ModelsResource,
    enrolment_work: ResourceParam[EnrolmentWork],
) -> MaterializeResult:
    opened, measurement = database.open(), Measurement()
    voices = EnrolmentModels(ENROLMENTS, measurement, gpu, models.open())
    try:
        judged = enrolment_work.judge(opened, voices)
        result = _measured(opened, context.run.run_id, measurement, voices)
    except EarshotError as error:
        raise Failure(without_names(error), metadata={"error": type(error).__name__}, allow_retries=False) from None
    finally:
        measurement.close()
    return result._replace(metadata={"judgements": MetadataValue.int(judged), **(result.metadata or {})})


def _measured(database: Database, run_id: str, measurement: Measurement, voices: EnrolmentModels) -> MaterializeResult:
    """Record the timing and its checks; returns both for Dagster."""
    key, execution = f"{ENROLMENTS}-{run_id[:8]}", voices.execution
    if execution is None:
        nothing = [CheckOutcome(check, Level.NOT_EVALUATED, "No model ran: there was nothing to judge.") for check in CHECKS]
        return MaterializeResult(check_results=[check_result(outcome, key) for outcome in nothing])
    figures = timing(measurement, execution, voices.audio_s, voices.vectors)
    examined = evaluate(ENROLMENTS, figures, read_history(database, ENROLMENTS, figures), floors=())
    with database.connect() as connection:
        record_timing(connection, FinishedRun(key, ENROLMENTS, run_id, CODE_VERSION, figures, examined))
    return MaterializeResult(
        metadata=metadata(figures, {"speed": speed_in_words(figures, examined.expected_s)}),
        check_results=[check_result(outcome, key) for outcome in examined.findings],
    )
