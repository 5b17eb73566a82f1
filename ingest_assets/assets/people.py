"""Asset `people`: who each local speaker of each video is, over the whole library. Table `identities`.

What decides that is earshot/speakers/voices/assignment.py, the order of it earshot/speakers/people/identify.py. Unpartitioned:
whether two speakers are one voice is no fact of one video. A run does what changed since the last; the tag `earshot/force` has
all of it clustered anew. The sensor `new_voices` starts the job `identify_people` (ingest_assets/jobs.py).

Names stay in people.yaml and table `people`, so that a person can be forgotten: metadata, logs and errors of this asset hold
counts only, and an error that may quote people.yaml is told by `earshot people list` instead. It takes its turn in pool `gpu`,
since an enrolment that was not judged yet needs models.
"""

from dataclasses import asdict

from dagster import AssetExecutionContext, Failure, MaterializeResult, MetadataValue, asset

from earshot.common.errors import DatabaseUnusable, EarshotError, GpuUnavailable, ModelUnavailable
from earshot.models.measurement import Measurement
from earshot.speakers.people.identify import Identified, identify
from ingest_assets.assets.voice_embeddings import voice_embeddings
from ingest_assets.stages.stage import FORCE_TAG
from resources.database import DatabaseResource

# Errors whose words never quote people.yaml.
NAMELESS = (DatabaseUnusable, GpuUnavailable, ModelUnavailable)


@asset(
    group_name="video",
    code_version="1",
    deps=[voice_embeddings],
    pool="gpu",
    kinds={"postgres"},
    description="Who each local speaker is: a person, a voice that nobody has named yet, or Unknown, with the reason.",
)
def people(context: AssetExecutionContext, database: DatabaseResource) -> MaterializeResult:
    measurement = Measurement()
    try:
        found = identify(database.open(), full=FORCE_TAG in context.run.tags)
    except EarshotError as error:
        raise Failure(_told(error), metadata={"error": type(error).__name__}, allow_retries=False) from None
    figures = _figures(found) | {"wall_s": measurement.wall_s, "cpu_s": measurement.cpu_s}
    return MaterializeResult(metadata={key: MetadataValue.float(float(value)) for key, value in figures.items()})


def _told(error: EarshotError) -> str:
    """Not the error's own words where they may hold a name: Dagster keeps them for ever."""
    if isinstance(error, NAMELESS):
        return str(error)
    return (
        f"Nobody was identified ({type(error).__name__}), and nothing was changed. `earshot people list` says what is wrong; "
        "here it is left out, since it may hold names."
    )


def _figures(found: Identified) -> dict[str, float]:
    """The counts, those of Unknown as `unknown_too_short` and the like."""
    figures = asdict(found)
    unknown = figures.pop("unknown")
    by_kind = {f"unknown_{kind.replace(' ', '_')}": count for kind, count in unknown.items()}
    return figures | {"unknown": sum(unknown.values())} | by_kind
