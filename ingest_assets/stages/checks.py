"""Checks as Dagster knows them: what an asset declares, and how an outcome is shown.

What is checked, and how, is earshot/timings/judgement.py. The asset yields the results in its own step, so that no video is
without them and none costs a step more.
"""

from dagster import AssetCheckResult, AssetCheckSeverity, AssetCheckSpec, MetadataValue

from earshot.timings.baseline import Level
from earshot.timings.judgement import CHECKS, CheckOutcome


def check_specs(asset: str) -> list[AssetCheckSpec]:
    """What an asset declares to yield.

    Without partitions of their own, which Dagster has in preview and cannot show for many videos: each result names its
    video and the materialization that it judged.
    """
    return [AssetCheckSpec(name, asset=asset, description=description) for name, description in CHECKS.items()]


def check_result(finding: CheckOutcome, video_id: str) -> AssetCheckResult:
    """A finding as Dagster shows it."""
    figures = {"ratio": finding.ratio, "expected_s": finding.expected_s, "videos": float(finding.videos)}
    return AssetCheckResult(
        check_name=finding.check,
        passed=not finding.level.flagged,
        severity=AssetCheckSeverity.WARN if finding.level is Level.WARN else AssetCheckSeverity.ERROR,
        description=finding.message,
        metadata={
            "video_id": MetadataValue.text(video_id),
            "verdict": MetadataValue.text(finding.level.value),
            "cause": MetadataValue.text(finding.cause),
            **{key: MetadataValue.float(value) for key, value in figures.items()},
        },
    )
