"""The metadata of a materialization: order, types, digits, and no secret."""

import pytest
from dagster import IntMetadataValue, MarkdownMetadataValue, PathMetadataValue, TextMetadataValue, UrlMetadataValue

from earshot.storage.catalog.videos import Video
from earshot.timings.timing import Timing
from ingest_assets.presentation.metadata import ROWS, metadata, video_metadata
from tests.support.timing_rows import usual

DETAILS = {
    "words": "29",  # as earlier versions stored it
    "uri": "v1.flac",
    "samples_sha256": "ab",
    "picture": "![]()",
    "speed": "7.9x real time",
    "reused": "no",
    ROWS: 3,
    "excerpt": "- hello",
}


def test_page_begins_with_the_excerpt_then_the_speed_then_what_ran() -> None:
    keys = list(metadata(usual(), DETAILS))
    assert keys[:4] == ["excerpt", "picture", "speed", "reused"]
    assert set(keys[4:13]) == {
        "device_asked", "device", "device_name", "model", "model_revision", "compute_type", "driver", "libraries", "words",
    }  # fmt: skip


def test_counts_are_integers_and_texts_are_markdown_where_they_are_shown_so() -> None:
    shown = metadata(usual(), DETAILS)
    assert shown["words"] == IntMetadataValue(29)
    assert shown[ROWS] == IntMetadataValue(3)
    assert shown["items"] == IntMetadataValue(300)
    assert shown["excerpt"] == MarkdownMetadataValue("- hello")
    assert shown["samples_sha256"] == TextMetadataValue("ab")


def test_uri_is_the_location_in_the_media_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_MEDIA", "/elsewhere")
    assert metadata(usual(), DETAILS)["dagster/uri"].value == "/elsewhere/v1.flac"


@pytest.mark.parametrize(
    ("figures", "key", "digits"),
    [
        (usual(wall_s=3.21384239), "wall_s", 3.214),
        (usual(load_s=0.00004), "load_s", 0.0),
        (usual(rtf=0.000123456), "rtf", 0.0001235),
        (usual(inputs=12345.67891), "inputs", 12345.679),
        (usual(gpu_util_mean=None), "gpu_util_mean", None),
    ],
)
def test_figures_have_measured_digits(figures: Timing, key: str, digits: float | None) -> None:
    assert metadata(figures, {})[key].value == digits


@pytest.mark.parametrize(
    ("url", "recording"),
    [
        ("https://www.youtube.com/watch?v=abc", UrlMetadataValue("https://www.youtube.com/watch?v=abc")),
        ("https://example.com/a.mp3?token=s3cr3t-t0ken", TextMetadataValue("https://example.com/a.mp3?token=…")),
        ("/videos/a b.mp3", PathMetadataValue("/videos/a b.mp3")),
    ],
)
def test_recording_is_a_link_without_secrets(url: str, recording: object) -> None:
    shown = video_metadata(Video("v1", url, "/", "A talk\n on two lines"))
    assert list(shown) == ["title", "recording", "page"]
    assert (shown["title"].value, shown["recording"]) == ("A talk on two lines", recording)
