"""Dagster's asset checks: the specs that an asset declares, and outcomes as check results.

earshot/timings/judgement.py checks the speed, earshot/transcripts/content_checks.py the content. The asset yields the results
in its own step, so that every video has them without further steps.
"""

from collections.abc import Mapping

from dagster import AssetCheckResult, AssetCheckSeverity, AssetCheckSpec, FloatMetadataValue, MetadataValue

from earshot.timings.baseline import Level
from earshot.timings.judgement import CHECKS, CheckOutcome
from earshot.transcripts.content_checks import CONTENT_CHECKS
from ingest_assets.presentation.metadata import rounded


def checks_of(asset: str) -> Mapping[str, str]:
    """The checks of a stage, with their descriptions: three of its speed, and those of its content."""
    return {**CHECKS, **CONTENT_CHECKS.get(asset, {})}


def check_specs(asset: str) -> list[AssetCheckSpec]:
    """The checks that an asset declares.

    Unpartitioned, because partitioned checks are a preview in Dagster, which cannot show them for many videos; each result
    names its video and the materialization that it judged.
    """
    return [AssetCheckSpec(name, asset=asset, description=description) for name, description in checks_of(asset).items()]


def check_result(finding: CheckOutcome, video_id: str) -> AssetCheckResult:
    """The outcome of a check, for Dagster."""
    figures = {"ratio": finding.ratio, "expected_s": finding.expected_s}
    return AssetCheckResult(
        check_name=finding.check,
        passed=not finding.level.flagged,
        severity=AssetCheckSeverity.WARN if finding.level is Level.WARN else AssetCheckSeverity.ERROR,
        description=finding.message,
        metadata={
            "video_id": MetadataValue.text(video_id),
            "verdict": MetadataValue.text(finding.level.value),
            "cause": MetadataValue.text(finding.cause),
            **{key: FloatMetadataValue(None if value is None else rounded(key, value)) for key, value in figures.items()},
            "videos": MetadataValue.int(finding.videos),
        },
    )
