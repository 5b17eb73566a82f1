"""Captions of the videos that an ingest names: searched until their transcripts are made, a moment later or hours.

As in a listing (ingest_assets/assets/captions.py), files that a feed names or that lie beside a recording are read. A site is
asked only about a video that is named itself, or with `captions: true`: each costs a request. What is wrong with captions stops
no ingest.
"""

import logging
from collections.abc import Sequence

from earshot.common.redaction import without_secrets
from earshot.config.sources_file import Source
from earshot.storage.catalog.entries import Entry, is_url
from earshot.storage.database import Database
from earshot.transcripts.captions.table import uncaptioned_among
from earshot.transcripts.captions.upkeep import look_for_captions
from ingest_assets.assets.captions import captioning
from resources.models import ModelsResource

log = logging.getLogger(__name__)


def search_captions(source: Source, entries: Sequence[Entry], alone: bool, database: Database) -> None:
    """Make the captions of these videos searchable, which are in the catalogue. `alone`: the user named just this one."""
    ask = source.captions is True or (alone and source.captions is None)
    files = {entry.video_id: entry.captions for entry in entries if entry.captions or (ask and _is_of_site(entry))}
    waiting = uncaptioned_among(database, files) if files and source.captions is not False else []
    if waiting:
        for look in look_for_captions(captioning(database, ModelsResource()), [(source, video) for video in waiting]):
            log.info("%s: %s", look.video.video_id, without_secrets(look.reason) or f"{look.passages} passages of captions")


def _is_of_site(entry: Entry) -> bool:
    """Whether a site has a page of the video: keys of media and of files begin with their kind."""
    return is_url(entry.url) and not entry.video_id.startswith(("generic-", "file-"))
