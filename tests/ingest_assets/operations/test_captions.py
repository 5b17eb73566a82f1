"""An ingest makes captions searchable before it transcribes: those beside a file, of a feed, and of a site's video.

The text model is tests/support/videos/spoken_videos.py's; nothing is transcribed.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from dagster import DagsterInstance

from earshot.common.audio import SAMPLE_RATE
from earshot.config.sources_file import Kind, Source, source_named
from earshot.sources.kinds.youtube import watch_url
from earshot.storage.catalog.videos import Video
from earshot.storage.database import Database
from earshot.transcripts.captions.upkeep import Captioning
from earshot.transcripts.search.query import search
from earshot.transcripts.search.text_models import register_text_model, searched_model
from ingest_assets.operations import captions
from ingest_assets.operations.ingest import IngestChoice, ingest
from tests.earshot.sources.kinds.youtube import play_youtube
from tests.earshot.transcripts.captions.test_captions import JSON, SRT, VTT, CaptionEncoder
from tests.support.captions import HEARD_GERMAN, captioned_feed, transcript
from tests.support.http_server import Answer, Site
from tests.support.videos.spoken_videos import MODEL


@pytest.fixture(autouse=True)
def model(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    register_text_model(database, MODEL)
    searched, encoder = searched_model(database), CaptionEncoder()
    assert searched is not None
    given: Any = Captioning(database, searched, lambda: encoder)  # pyright: ignore[reportArgumentType]
    monkeypatch.setattr(captions, "captioning", lambda *_: given)


def begin(database: Database, instance: DagsterInstance, source: Source) -> None:
    """The ingest until the first video's run would start."""
    steps = ingest([source], IngestChoice(), database, instance)
    assert isinstance(next(steps), Video)
    steps.close()  # pyright: ignore[reportAttributeAccessIssue]


def labels(database: Database, question: str) -> list[str]:
    return [hit.captions.label if hit.captions else "" for hit in search(database, None, question)]


def record(path: Path) -> None:
    soundfile.write(path, np.zeros(SAMPLE_RATE * 10), SAMPLE_RATE)


@pytest.mark.parametrize("named", ["talk.wav", "."])
def test_file_is_searched_by_what_lies_beside_it(
    database: Database, instance: DagsterInstance, tmp_path: Path, named: str
) -> None:
    record(tmp_path / "talk.wav")
    (tmp_path / "talk.srt").write_bytes(SRT)
    begin(database, instance, source_named(str(tmp_path / named)))
    assert labels(database, "lighthouses") == ["captions in a file"]
    (tmp_path / "talk.srt").write_bytes(SRT.replace(b"lighthouses", b"harbours"))
    begin(database, instance, source_named(str(tmp_path / named)))
    assert (labels(database, "lighthouses"), labels(database, "harbours")) == ([], ["captions in a file"])


def test_all_of_a_feed_are_searched_before_the_first_transcript(
    site: Site, database: Database, instance: DagsterInstance
) -> None:
    site.put("/e1.json", Answer(JSON))
    feed = site.put("/feed.xml", Answer(captioned_feed(transcript("e1.json", "application/json"))))
    begin(database, instance, Source(Kind.FEED, feed, "a podcast", captions=False))
    assert labels(database, "trains") == []
    begin(database, instance, Source(Kind.FEED, feed, "a podcast"))
    assert labels(database, "trains") == ["captions of the feed"]
    begin(database, instance, Source(Kind.FEED, feed, "a podcast"))
    assert len(site.asked_for("/e1.json")) == 1


def test_site_is_asked_about_the_video_that_is_named(
    site: Site, database: Database, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    youtube = play_youtube(site, monkeypatch)
    url = site.put("/api/timedtext", Answer(VTT))
    youtube.pages["video-00001"] = {
        "automatic_captions": {
            tag: [{**file, "url": file["url"].replace("https://www.youtube.com/api/timedtext", url)} for file in files]
            for tag, files in HEARD_GERMAN.items()
        }
    }
    named = Source(Kind.URL, watch_url("video-00001"), "a video", pause_s=0.0, allow_private=True)
    begin(database, instance, named)
    assert labels(database, "bridges") == ["automatic captions of the site"]


def test_broken_captions_stop_no_ingest(database: Database, instance: DagsterInstance, tmp_path: Path) -> None:
    record(tmp_path / "talk.wav")
    (tmp_path / "talk.vtt").write_bytes(b"\xff\xfe\x00")
    begin(database, instance, source_named(str(tmp_path / "talk.wav")))
    [row] = database.query("SELECT model, reason FROM captions")
    assert row["model"] is None
    assert row["reason"]
