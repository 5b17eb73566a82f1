"""The beginning of the lineage: an external asset for each source of sources.yaml, and the catalogue that they fill.

Both are external, because no run makes them. The sources are those of the time when the definitions were loaded; one added
later is observed at once, and joins the lineage when they are reloaded. `audio` is below the catalogue and not below each
source, because each materialization records all assets directly above it, and every video would become outdated with a source.

Keys, logs and metadata have the sources' names, which hold no secrets.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from dagster import AssetKey, AssetObservation, AssetSpec, MetadataValue

from earshot.common.errors import Misconfigured
from earshot.common.redaction import without_secrets
from earshot.config.sources_file import Source
from earshot.sources.looks import Watched, describe_look
from earshot.sources.polling import PollResult
from earshot.storage.catalog.source_states import next_look
from earshot.storage.catalog.watched_sources import watched_sources
from ingest_assets.presentation.tables import table_metadata
from ingest_assets.stages.video_asset import CATALOGUE

GROUP = "sources"


def source_assets() -> list[AssetSpec]:
    """The sources, if sources.yaml is valid now, and the catalogue. `earshot up` reports an invalid file."""
    try:
        sources = watched_sources()
    except Misconfigured:
        sources = ()
    keys = asset_keys(sources)
    catalogue = AssetSpec(
        CATALOGUE,
        deps=list(keys.values()),
        group_name=GROUP,
        kinds={"postgres"},
        tags={"earshot/per": "video"},
        metadata=table_metadata(CATALOGUE),
        description="The catalogue; `earshot ingest` adds to it, too.\n\nOne row of `videos` is one video, a partition.",
    )
    return [*(_spec(source, keys[source.address]) for source in sources), catalogue]


def _spec(source: Source, key: AssetKey) -> AssetSpec:
    return AssetSpec(
        key,
        group_name=GROUP,
        kinds={source.kind.value},
        tags={"earshot/per": "source"},
        metadata={"name": source.name, "address": without_secrets(source.address), "every_s": source.every_s},
        description=f"The {source.kind.value} {source.name}, which new_uploads looks at. One entry is one video.",
    )


def asset_keys(sources: Sequence[Source]) -> Mapping[str, AssetKey]:
    """The key of each source, by address: `source` and its name. A suffix tells names apart that differ in punctuation."""
    keys: dict[str, AssetKey] = {}
    for source in sources:
        name = re.sub(r"\W+", "_", re.sub(r"^https?://", "", source.name)).strip("_") or "unnamed"
        if AssetKey(["source", name]) in keys.values():
            name += f"_{hashlib.sha256(source.name.encode()).hexdigest()[:6]}"
        keys[source.address] = AssetKey(["source", name])
    return keys


def observations(polls: Sequence[PollResult], watched: Sequence[Watched]) -> list[AssetObservation]:
    """What these looks saw. Of looks that saw nothing new, only an hour's first: Dagster keeps observations for ever."""
    keys, states = asset_keys([source for source, _ in watched]), {source.address: state for source, state in watched}
    noted = [poll for poll in polls if poll.looked and _worth_noting(poll)]
    return [observation(poll, keys[poll.source.address], next_look(poll.source, states[poll.source.address])) for poll in noted]


def _worth_noting(poll: PollResult) -> bool:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    news = poll.new or poll.requested or poll.error or poll.listing_key
    return bool(news) or poll.previous_look is None or poll.previous_look < hour


def observation(poll: PollResult, key: AssetKey, later: datetime | None = None) -> AssetObservation:
    """One look: what was seen or stood in the way, in words and numbers, and when the next look is due, if ever."""
    counts = {"new": poll.new, "listed": poll.listed, "runs_requested": poll.requested}
    return AssetObservation(
        key,
        metadata={
            "trouble" if poll.error else "seen": MetadataValue.text(describe_look(poll)),
            **{name: MetadataValue.int(count) for name, count in counts.items() if count is not None},
            **({"next_look": MetadataValue.timestamp(later)} if later else {}),
        },
    )
