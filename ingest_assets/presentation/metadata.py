"""The metadata of a materialization, in the order in which a person reads the page of a partition.

What the video is, what was found in it, how fast in words, what ran, and then the rest. Each key always has the same type, so
that the UI can plot it over partitions; it plots integers beside the floats that earlier versions wrote.
"""

from collections.abc import Mapping
from dataclasses import asdict

from dagster import FloatMetadataValue, MetadataValue

from earshot.common.redaction import without_secrets
from earshot.common.text import one_line
from earshot.config.home import video_page
from earshot.config.settings import read_settings
from earshot.storage.catalog.videos import Video
from earshot.storage.media_store import location_of
from earshot.timings.timing import COUNT_KEYS, KEYS, TEXT_KEYS, Timing

ROWS = "dagster/partition_row_count"
MARKDOWN = ("excerpt", "picture")
LOOKED_AGAIN = ("weak_windows", "replaced_windows", "silent_windows")
COUNTS = frozenset({ROWS, "speakers", "turns", "words", *LOOKED_AGAIN, *COUNT_KEYS})
WHAT_RAN = ("reused", *(key for key in KEYS if key in TEXT_KEYS))
DIGITS = 3  # of seconds and of other figures from 1; smaller ones have four significant digits


def metadata(timing: Timing, details: Mapping[str, str | int]) -> dict[str, MetadataValue]:
    """The timing and further details of a stage, the first keys first."""
    if "uri" in details:
        details = {**details, "dagster/uri": without_secrets(str(location_of(str(details["uri"]))))}
    values = {**details, **asdict(timing)}
    order = dict.fromkeys((*MARKDOWN, "speed", *WHAT_RAN, *details, *KEYS))
    return {key: _value(key, values[key]) for key in order if key in values}


def _value(key: str, value: str | float | None) -> MetadataValue:
    if key in COUNTS and value is not None:
        return MetadataValue.int(int(value))
    if isinstance(value, str):
        return MetadataValue.md(value) if key in MARKDOWN else MetadataValue.text(value)
    return FloatMetadataValue(None if value is None else rounded(key, value))


def rounded(key: str, value: float) -> float:
    """The figure with the digits that a measurement can have."""
    seconds = key.endswith("_s") and not key.endswith("_per_s")
    return round(value, DIGITS) if seconds or abs(value) >= 1 else float(f"{value:.4g}")


def video_metadata(video: Video) -> dict[str, MetadataValue]:
    """The title, and links to the recording and to Earshot's page of it.

    The recording is a path if it is a file, and text if its address holds a secret.
    """
    shown = without_secrets(video.url)
    if video.url.startswith("/"):
        recording = MetadataValue.path(video.url)
    else:
        recording = MetadataValue.url(video.url) if shown == video.url else MetadataValue.text(shown)
    page = MetadataValue.url(video_page(read_settings().home, video.video_id))
    return {"title": MetadataValue.text(one_line(video.title)), "recording": recording, "page": page}
