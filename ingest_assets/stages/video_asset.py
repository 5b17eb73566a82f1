"""`@video_asset`: declares a stage of a video as an asset, with everything that the five have in common.

The function's name determines the code version, the upstream assets and the three checks, so declare a new stage in
earshot/storage/catalog/stages.py and ingest_assets/stages/versions.py.
"""

from collections.abc import Callable, Set
from typing import Any

from dagster import AssetKey, AssetsDefinition, asset

from earshot.storage.catalog.stages import UPSTREAM
from ingest_assets.partitions import videos
from ingest_assets.presentation.checks import check_specs
from ingest_assets.presentation.tables import table_metadata
from ingest_assets.stages.stage import retry_after_outage
from ingest_assets.stages.versions import CODE_VERSIONS

CATALOGUE = "videos"  # the external asset of ingest_assets/assets/sources.py
GPU_POOL = "gpu"  # limits how many steps compute at once (dagster.yaml)


def video_asset(
    *, kinds: Set[str], description: str, pool: str | None = GPU_POOL, needs: str = "gpu"
) -> Callable[..., AssetsDefinition]:
    """The decorator of a stage; the function must have the stage's name."""

    def decorate(function: Callable[..., Any]) -> AssetsDefinition:
        stage = function.__name__
        return asset(
            partitions_def=videos,
            group_name="video",
            code_version=CODE_VERSIONS[stage],
            check_specs=check_specs(stage),
            hooks={retry_after_outage},
            deps=[AssetKey(name) for name in sorted(UPSTREAM[stage]) or [CATALOGUE]],
            pool=pool,
            kinds=set(kinds),
            description=description,
            tags={"earshot/per": "video", "earshot/needs": needs},
            metadata=table_metadata(stage),
        )(function)

    return decorate
