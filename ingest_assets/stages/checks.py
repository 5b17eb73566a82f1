"""Checks as Dagster knows them: what an asset declares, and how an outcome is shown.

What is checked, and how, is earshot/timings/judgement.py. The asset yields the results in its own step, so that no video is
without them and none costs a step more.
"""

import warnings

from dagster import AssetCheckResult, AssetCheckSeverity, AssetCheckSpec, MetadataValue
from dagster_shared.utils.warnings import PreviewWarning

from earshot.timings.baseline import Level
from earshot.timings.judgement import CHECKS, CheckOutcome
from ingest_assets.partitions import videos


def check_specs(asset: str) -> list[AssetCheckSpec]:
    """What an asset declares to yield.

    Dagster warns at every start that partitions of checks are in preview; they are wanted, so that one warning is dropped.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PreviewWarning)
        return [
            AssetCheckSpec(name, asset=asset, description=description, partitions_def=videos)
            for name, description in CHECKS.items()
        ]


def check_result(finding: CheckOutcome) -> AssetCheckResult:
    """An outcome as Dagster shows it."""
    figures = {"ratio": finding.ratio, "expected_s": finding.expected_s, "videos": float(finding.videos)}
    return AssetCheckResult(
        check_name=finding.check,
        passed=not finding.level.flagged,
        severity=AssetCheckSeverity.WARN if finding.level is Level.WARN else AssetCheckSeverity.ERROR,
        description=finding.message,
        metadata={
            "verdict": MetadataValue.text(finding.level.value),
            "cause": MetadataValue.text(finding.cause),
            **{key: MetadataValue.float(value) for key, value in figures.items()},
        },
    )
