"""A feed's episode from its captions to its own transcript: real feed, real models, real Dagster, real Postgres."""

from pathlib import Path

import pytest
from dagster import DagsterInstance

from bench.corpora.episodes import EPISODES, clip_samples, write_mp3
from earshot import Hit, open_library
from earshot.config.sources_file import Kind, Source
from earshot.sources.polling import poll_sources
from earshot.storage.database import Database
from ingest_assets import graph
from ingest_assets.operations.ingest import IngestChoice, Outcome, ingest
from tests.support.captions import captioned_feed, transcript
from tests.support.http_server import Answer, Site

pytestmark = pytest.mark.slow

SAID = "Ever tried. Ever failed. No matter."
VTT = f"WEBVTT\n\n00:00.000 --> 00:04.000\n<v Ana>{SAID}\n"
QUESTION = "do not give up when things go wrong"


def found() -> list[Hit]:
    return list(open_library().search(QUESTION, limit=5).hits)


def test_captions_are_searched_until_the_transcript_is_there(
    site: Site, database: Database, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clip = EPISODES[3].clips[0]
    write_mp3(tmp_path / "e1.mp3", clip_samples(clip))
    site.put("/e1.mp3", Answer((tmp_path / "e1.mp3").read_bytes()))
    site.put("/e1.vtt", Answer(VTT.encode()))
    body = captioned_feed(transcript("e1.vtt", "text/vtt")).replace(b"https://media.example", site.url.encode())
    feed = Source(Kind.FEED, site.put("/feed.xml", Answer(body)), "a podcast")
    (tmp_path / "sources.yaml").write_text(f"sources:\n  - feed: {feed.address}\n    name: a podcast\n")
    monkeypatch.setenv("EARSHOT_SOURCES", str(tmp_path / "sources.yaml"))

    [polled] = poll_sources([feed], database)
    assert (polled.new, polled.requested) == (1, 1)
    assert graph.definitions.resolve_job_def("find_captions").execute_in_process(instance=instance).success
    [hit] = found()
    assert (hit.text, hit.captions and hit.captions.label, hit.speakers) == (f"Ana: {SAID}", "captions of the feed", ())
    assert site.asked_for("/e1.mp3") == []

    outcomes = [step for step in ingest([feed], IngestChoice(), database, instance) if isinstance(step, Outcome)]
    assert [outcome.result for outcome in outcomes] == ["done"], outcomes
    hits = found()
    assert hits
    assert [(hit.captions, "Ana:" in hit.text) for hit in hits] == [(None, False)] * len(hits)
    assert database.query("SELECT 1 FROM captions") == []
