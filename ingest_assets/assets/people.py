"""Asset `people`: identifies the local speakers of all videos in the library. Table `identities`.

earshot/speakers/voices/assignment.py has the rules, earshot/speakers/people/identify.py the steps. Unpartitioned, because a
voice spans videos. A run processes what has changed since the last; with the tag `earshot/force` it clusters everything again.
The sensor `new_voices` starts the job `identify_people` (ingest_assets/jobs.py).

Names stay in people.yaml and table `people`, so that a person can be forgotten: metadata, logs and errors of this asset contain
only counts, and `earshot people list` shows the errors that may quote people.yaml. No model runs here: asset `enrolments`
judges recordings.
"""

from dataclasses import asdict

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    Failure,
    MaterializeResult,
    MetadataValue,
    asset,
)

from earshot.common.errors import EarshotError
from earshot.common.text import pluralize
from earshot.models.measurement import Measurement
from earshot.speakers.people.identify import Identified, identify
from earshot.transcripts.content_checks import UNKNOWN_CHECK, UNKNOWN_DESCRIPTION, unknown_outcome
from ingest_assets.assets.enrolments import enrolments
from ingest_assets.assets.voice_embeddings import voice_embeddings
from ingest_assets.presentation.metadata import rounded
from ingest_assets.presentation.nameless import without_names
from ingest_assets.presentation.tables import table_metadata
from ingest_assets.stages.stage import FORCE_TAG
from resources.database import DatabaseResource


@asset(
    group_name="library",
    code_version="1",
    deps=[enrolments, voice_embeddings],
    kinds={"postgres"},
    description="Who speaks, over all videos: a person, an unnamed voice, or Unknown, with the reason.\n\n"
    "One row of `identities` is one speaker of one video.",
    tags={"earshot/per": "library", "earshot/needs": "cpu"},
    metadata=table_metadata("people"),
    check_specs=[AssetCheckSpec(UNKNOWN_CHECK, asset="people", description=UNKNOWN_DESCRIPTION)],
)
def people(context: AssetExecutionContext, database: DatabaseResource) -> MaterializeResult:
    measurement = Measurement()
    try:
        identified = identify(database.open(), full=FORCE_TAG in context.run.tags)
    except EarshotError as error:
        raise Failure(without_names(error), metadata={"error": type(error).__name__}, allow_retries=False) from None
    [speech] = database.open().query(
        "SELECT coalesce(sum(speech_s) FILTER (WHERE decided_by = 'nothing'), 0) AS unknown_s, "
        "coalesce(sum(speech_s), 0) AS speech_s FROM identities JOIN local_speakers USING (video_id, local_speaker)"
    )
    known = unknown_outcome(**speech)
    costs = {"wall_s": measurement.wall_s, "cpu_s": measurement.cpu_s}
    return MaterializeResult(
        metadata={
            "excerpt": MetadataValue.md(_in_words(identified)),
            "dagster/row_count": MetadataValue.int(identified.speakers),
            **{key: MetadataValue.int(count) for key, count in _figures(identified).items()},
            **{key: MetadataValue.float(rounded(key, value)) for key, value in costs.items()},
        },
        check_results=[
            AssetCheckResult(
                check_name=known.check, passed=known.passed, severity=AssetCheckSeverity.WARN, description=known.message
            )
        ],
    )


def _in_words(identified: Identified) -> str:
    """How many speakers were recognised, as Markdown without a name."""
    named, unknown = identified.by_correction + identified.by_profile, sum(identified.unknown.values())
    reasons = ", ".join(f"{count} {kind}" for kind, count in identified.unknown.items() if count)
    return "\n".join(
        (
            f"- **{named}** of {pluralize(identified.speakers, 'speaker')} recognised ({identified.by_profile} by voice, "
            f"{identified.by_correction} by correction) as one of {identified.people} known people",
            f"- **{identified.speakers - named - unknown}** heard as {pluralize(identified.voices, 'unnamed voice')}, "
            f"{identified.recurring_voices} of them in several videos",
            f"- **{unknown}** Unknown{reasons and f' ({reasons})'}",
        )
    )


def _figures(identified: Identified) -> dict[str, int]:
    """The counts, with those of Unknown by reason, such as `unknown_too_short`."""
    figures = asdict(identified)
    unknown = figures.pop("unknown")
    by_kind = {f"unknown_{kind.replace(' ', '_')}": count for kind, count in unknown.items()}
    return figures | {"unknown": sum(unknown.values())} | by_kind
