"""Asset `people`: identifies the local speakers of all videos in the library. Table `identities`.

earshot/speakers/voices/assignment.py has the rules, earshot/speakers/people/identify.py the steps. Unpartitioned, because a
voice spans videos. A run processes what has changed since the last; with the tag `earshot/force` it clusters everything again.
The sensor `new_voices` starts the job `identify_people` (ingest_assets/jobs.py).

Names stay in people.yaml and table `people`, so that a person can be forgotten: metadata, logs and errors of this asset contain
only counts, and `earshot people list` shows the errors that may quote people.yaml. No model runs here: asset `enrolments`
judges recordings.
"""

from dataclasses import asdict

from dagster import AssetExecutionContext, Failure, MaterializeResult, MetadataValue, asset

from earshot.common.errors import EarshotError
from earshot.models.measurement import Measurement
from earshot.speakers.people.identify import Identified, identify
from ingest_assets.assets.enrolments import enrolments
from ingest_assets.assets.voice_embeddings import voice_embeddings
from ingest_assets.stages.nameless import without_names
from ingest_assets.stages.stage import FORCE_TAG
from resources.database import DatabaseResource


@asset(
    group_name="video",
    code_version="1",
    deps=[enrolments, voice_embeddings],
    kinds={"postgres"},
    description="Who each local speaker is: a person, an unnamed voice, or Unknown, with the reason.",
)
def people(context: AssetExecutionContext, database: DatabaseResource) -> MaterializeResult:
    measurement = Measurement()
    try:
        identified = identify(database.open(), full=FORCE_TAG in context.run.tags)
    except EarshotError as error:
        raise Failure(without_names(error), metadata={"error": type(error).__name__}, allow_retries=False) from None
    figures = _figures(identified) | {"wall_s": measurement.wall_s, "cpu_s": measurement.cpu_s}
    return MaterializeResult(metadata={key: MetadataValue.float(float(value)) for key, value in figures.items()})


def _figures(identified: Identified) -> dict[str, float]:
    """The counts, with those of Unknown by reason, such as `unknown_too_short`."""
    figures = asdict(identified)
    unknown = figures.pop("unknown")
    by_kind = {f"unknown_{kind.replace(' ', '_')}": count for kind, count in unknown.items()}
    return figures | {"unknown": sum(unknown.values())} | by_kind
