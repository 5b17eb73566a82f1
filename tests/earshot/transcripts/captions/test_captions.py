"""Captions until there is a transcript: found, searched with their mark, replaced; real feeds, folders and Postgres.

The text model is tests/support/videos/spoken_videos.py's.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from earshot.common.errors import NotTranscribed, Removed
from earshot.config.sources_file import Kind, Source
from earshot.models.registry import Model
from earshot.sources.polling import list_fully, poll_sources
from earshot.storage.catalog.removals import count_traces, remove_rows
from earshot.storage.catalog.videos import get_video, list_videos, record_failure
from earshot.storage.database import Database
from earshot.transcripts.captions.upkeep import Captioning, Look, look_for_captions, pending
from earshot.transcripts.recordings import read_recording
from earshot.transcripts.search.hits import Captions, Hit
from earshot.transcripts.search.query import asked_words, search
from earshot.transcripts.search.text_models import (
    count_missing,
    count_unsearched,
    list_text_models,
    register_text_model,
    searched_model,
)
from ingest_assets.assets.search_index import maintain, plan
from ingest_assets.stages.staleness import find_stale
from tests.earshot.sources.kinds.youtube import CHANNEL, play_youtube, upload
from tests.support.captions import HEARD_GERMAN, captioned_feed, transcript
from tests.support.http_server import Answer, Site, too_many
from tests.support.videos.spoken_videos import MODEL, Encoder, add_video

NEWER = Model("newer", "1", "MIT", 0, dimension=8)
VTT = b"WEBVTT\n\n00:00.000 --> 00:04.000\n<v Ana>Who paid for the bridges?\n\n00:04.000 --> 00:08.000\n<v Bo>The town did.\n"
SRT = b"1\n00:00:01,000 --> 00:00:04,000\nThe lighthouses were built later.\n"
JSON = b'{"version": "1.0.0", "segments": [{"startTime": 2.5, "endTime": 5, "body": "Trains stopped running."}]}'
ITEM = '<item><guid>{0}</guid><title>{0}</title><enclosure url="https://media.example/{0}.mp3" type="audio/mpeg"/>{1}</item>'


class CaptionEncoder(Encoder):
    """Takes any words, up to a hundred in a passage."""

    window = 100

    def token_counts(self, words: Sequence[str]) -> list[int]:
        return [1] * len(words)


def podcast(site: Site, **options: Any) -> Source:
    return Source(Kind.FEED, f"{site.url}/feed.xml", "a podcast", every_s=0.0, **options)


def look(database: Database, *sources: Source) -> list[Look]:
    """What the asset does, with a model that is known."""
    register_text_model(database, MODEL)
    model = searched_model(database)
    assert model is not None
    encoder: Any = CaptionEncoder()
    return list(look_for_captions(Captioning(database, model, lambda: encoder), pending(database, list(sources))))


def poll(database: Database, *sources: Source) -> list[Look]:
    assert not [result.error for result in poll_sources(list(sources), database) if result.error]
    return look(database, *sources)


def find(database: Database, question: str) -> list[Hit]:
    return search(database, None, question)


def rows(database: Database, video_id: str) -> tuple[int, int]:
    """How many passages the video has, and how many rows in table `captions`."""
    [row] = database.query(
        "SELECT (SELECT count(*) FROM passages WHERE video_id = %(key)s) AS passages, "
        "(SELECT count(*) FROM captions WHERE video_id = %(key)s AND model IS NOT NULL) AS captions",
        {"key": video_id},
    )
    return row["passages"], row["captions"]


def transcribe(database: Database, video_id: str, said: str = "we crossed the bridge", model: Model = MODEL) -> None:
    """The video's own transcript and passages, as asset `text_embeddings` writes them."""
    of_model = {"model": model.name, "model_revision": model.revision}
    known = get_video(database, video_id)
    assert known is not None
    before = database.frame("passages", video_id, "passage_index")
    captions = database.query("SELECT * FROM captions WHERE video_id = %s", [video_id])
    add_video(database, "own", ("SPEAKER_00", said), model=model)
    own = database.frame("passages", "own", "passage_index").drop(columns=["video_id", "search_text"])
    heard = database.frame("transcripts", "own", "video_id").drop(columns="video_id")
    database.query("DELETE FROM videos WHERE video_id = 'own'")
    database.replace(video_id, {"transcripts": heard})
    assert database.query("SELECT * FROM captions WHERE video_id = %s", [video_id]) == captions
    assert len(database.frame("passages", video_id, "passage_index")) == len(before)
    database.replace(video_id, {"captions": pd.DataFrame(), "passages": own}, of_model)


@pytest.fixture
def captioned(site: Site, database: Database) -> str:
    """The key of a feed's only video, searched by its captions."""
    site.put("/e1.vtt", Answer(VTT))
    site.put("/feed.xml", Answer(captioned_feed(transcript("e1.vtt", "text/vtt"))))
    [found] = poll(database, podcast(site))
    assert (found.passages, found.reason) == (2, "")
    return found.video.video_id


def test_feed_is_searched_in_three_formats(site: Site, database: Database) -> None:
    files = {"e1.vtt": (VTT, "text/vtt"), "e2.srt": (SRT, "application/x-subrip"), "e3.json": (JSON, "application/json")}
    for name, (content, _) in files.items():
        site.put(f"/{name}", Answer(content))
    first, *others = [transcript(name, type) for name, (_, type) in files.items()]
    items = [ITEM.format(f"e{number}", tag) for number, tag in enumerate(others, start=2)]
    site.put("/feed.xml", Answer(captioned_feed(first, more="".join(items))))
    assert [found.reason for found in poll(database, podcast(site))] == ["", "", ""]
    for question, text, start_s in (
        ("bridge", "Ana: Who paid for the bridges?", 0.0),
        ("lighthouse", "The lighthouses were built later.", 1.0),
        ("train", "Trains stopped running.", 2.5),
    ):
        [hit] = find(database, question)
        assert (hit.text, hit.start_s, hit.language, hit.speakers) == (text, start_s, "en", ())
        assert hit.captions is not None
        assert hit.captions == Captions("feed", automatic=False)
        assert hit.captions.label == "captions of the feed"
    assert {video.state for video in list_videos(database)} == {"new"}
    assert look(database, podcast(site)) == []  # nothing is looked for twice
    assert len(site.asked_for("/e1.vtt")) == 1


def test_captions_are_found_by_meaning(database: Database, captioned: str) -> None:
    encoder: Any = CaptionEncoder()
    hits = search(database, encoder, "Bo: The town did.")
    assert (hits[0].video_id, hits[0].meaning) == (captioned, pytest.approx(1.0, abs=1e-6))


def test_words_of_captions_are_known(database: Database, captioned: str) -> None:
    assert captioned
    assert [(word.word, word.said) for word in asked_words(database, "bridge quay")] == [("bridge", True), ("quay", False)]


def test_own_transcript_replaces_captions_at_once(database: Database, captioned: str) -> None:
    with database.snapshot() as before:
        assert [hit.text for hit in find(before, "bridge")] == ["Ana: Who paid for the bridges?"]
        transcribe(database, captioned)
        assert [hit.captions is not None for hit in find(before, "bridge")] == [True]
    [hit] = find(database, "bridge")
    assert (hit.text, hit.captions, hit.speakers) == ("we crossed the bridge", None, ("SPEAKER_00",))
    assert rows(database, captioned) == (1, 0)


def test_silence_replaces_captions_too(database: Database, captioned: str) -> None:
    transcribe(database, captioned)
    of_model = {"model": MODEL.name, "model_revision": MODEL.revision}
    database.replace(captioned, {"captions": pd.DataFrame(), "passages": pd.DataFrame()}, of_model)
    assert rows(database, captioned) == (0, 0)


def test_captions_stay_when_the_transcript_fails(site: Site, database: Database, captioned: str) -> None:
    record_failure(database, captioned, Removed("It is gone.", ""))
    assert [hit.captions is not None for hit in find(database, "bridge")] == [True]
    with pytest.raises(NotTranscribed, match="has only captions, and no transcript"):
        read_recording(database, captioned)
    assert look(database, podcast(site)) == []


def test_captions_come_too_late(site: Site, database: Database, captioned: str) -> None:
    source = podcast(site)
    database.query("DELETE FROM captions")
    [(_, video)] = pending(database, [source])
    transcribe(database, captioned)
    model, encoder = searched_model(database), CaptionEncoder()
    assert model is not None
    [found] = look_for_captions(Captioning(database, model, lambda: encoder), [(source, video)])  # pyright: ignore[reportArgumentType]
    assert found.reason == "Its transcript came first."
    assert [hit.captions for hit in find(database, "bridge")] == [None]
    assert pending(database, [source]) == []


def test_no_stage_and_no_staleness_comes_of_captions(database: Database, captioned: str) -> None:
    [counted] = database.query("SELECT (SELECT count(*) FROM asset_timings) + (SELECT count(*) FROM stage_outputs) AS rows")
    assert counted["rows"] == 0
    assert find_stale(database) == []
    assert count_traces(database, [captioned]).passages == 2


def test_removal_takes_captions_along(site: Site, database: Database, captioned: str) -> None:
    remove_rows(database, [captioned], exclude=True)
    assert rows(database, captioned) == (0, 0)
    assert poll(database, podcast(site)) == []


def test_captions_wait_for_no_new_text_model(database: Database, captioned: str) -> None:
    """Search keeps to them until the new model takes over; then they go, to be made again."""
    add_video(database, "other", ("SPEAKER_00", "we crossed the bridge"))
    register_text_model(database, NEWER)
    [newer] = [model for model in list_text_models(database) if not model.searched]
    assert count_missing(database, newer) == 1
    add_video(database, "other", ("SPEAKER_00", "we crossed the bridge"), model=NEWER)
    transcribe(database, captioned, model=NEWER)
    assert rows(database, captioned) == (3, 1)
    assert {hit.video_id: hit.captions is not None for hit in find(database, "bridge")} == {captioned: True, "other": False}
    assert count_unsearched(database) == 0
    assert plan(database, NEWER).switch == newer
    maintain(database, NEWER)
    assert {hit.video_id: hit.captions for hit in find(database, "bridge")} == {captioned: None, "other": None}
    assert rows(database, captioned) == (1, 0)


def test_captions_are_made_again_with_a_new_text_model(site: Site, database: Database, captioned: str) -> None:
    add_video(database, "other", ("SPEAKER_00", "alpha"))
    add_video(database, "other", ("SPEAKER_00", "alpha"), model=NEWER)
    maintain(database, NEWER)
    assert find(database, "bridge") == []
    assert [found.passages for found in look(database, podcast(site))] == [2]
    assert [hit.video_id for hit in find(database, "bridge")] == [captioned]


def test_run_that_dies_leaves_nothing_half(site: Site, database: Database) -> None:
    class Killed(BaseException):
        pass

    site.put("/e1.vtt", Answer(VTT))
    site.put("/feed.xml", Answer(captioned_feed(transcript("e1.vtt", "text/vtt"))))
    poll_sources([podcast(site)], database)
    copied = Database.replace_within

    def die(self: Database, *arguments: Any) -> None:
        copied(self, *arguments)
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "replace_within", die)
        with pytest.raises(Killed):
            look(database, podcast(site))
    [video] = list_videos(database)
    assert rows(database, video.video_id) == (0, 0)
    assert [found.passages for found in look(database, podcast(site))] == [2]


# --- what goes wrong -----------------------------------------------------------------------------------------------------


def test_wrong_file_stops_no_other_and_is_said(site: Site, database: Database) -> None:
    site.put("/e1.vtt", Answer(b"<!doctype html>Gone"))
    site.put("/e2.srt", Answer(SRT))
    items = ITEM.format("e2", transcript("e2.srt", "application/srt")) + ITEM.format("e3", transcript("e3.vtt", "text/vtt"))
    site.put("/feed.xml", Answer(captioned_feed(transcript("e1.vtt?token=s3cr3t-t0ken", "text/vtt"), more=items)))
    looks = {found.video.title: found for found in poll(database, podcast(site))}
    assert looks["e2"].passages == 1
    assert "a podcast, captions of 'e1', line 1: expected WEBVTT" in looks["e1"].reason
    assert "answers 404" in looks["e3"].reason
    kept = {row["title"]: row for row in database.query("SELECT title, c.* FROM captions c JOIN videos USING (video_id)")}
    assert (kept["e1"]["retry_at"], kept["e3"]["retry_at"] is not None) == (None, True)
    assert not [row for row in kept.values() if "s3cr3t" in str(row["reason"])]

    database.query("UPDATE captions SET retry_at = now() WHERE retry_at IS NOT NULL")
    site.put("/e3.vtt", Answer(VTT))
    assert [found.passages for found in look(database, podcast(site))] == [2]


def test_another_file_is_read_again_and_another_token_is_not(site: Site, database: Database) -> None:
    site.put("/e1.vtt", Answer(VTT))
    for query, number in (("?token=1", 1), ("?token=2", 0)):
        site.put("/feed.xml", Answer(captioned_feed(transcript(f"e1.vtt{query}", "text/vtt"))))
        assert len(poll(database, podcast(site))) == number
    site.put("/v2.srt", Answer(SRT))
    site.put("/feed.xml", Answer(captioned_feed(transcript("v2.srt", "application/srt"))))
    assert [found.passages for found in poll(database, podcast(site))] == [1]
    assert ([len(find(database, question)) for question in ("bridge", "lighthouse")]) == [0, 1]


def test_site_that_asks_for_a_pause_gets_one(site: Site, database: Database) -> None:
    site.put("/e1.vtt", too_many("600"))
    items = ITEM.format("e2", transcript("e1.vtt", "text/vtt"))
    site.put("/feed.xml", Answer(captioned_feed(transcript("e1.vtt", "text/vtt"), more=items)))
    [found] = poll(database, podcast(site))
    assert "429" in found.reason
    assert pending(database, [podcast(site)]) == []
    database.query("UPDATE sources SET paused_until = NULL")
    assert len(pending(database, [podcast(site)])) == 2


# --- other sources -------------------------------------------------------------------------------------------------------


def test_option_leaves_captions_out(site: Site, database: Database) -> None:
    site.put("/feed.xml", Answer(captioned_feed(transcript("e1.vtt", "text/vtt"))))
    assert poll(database, podcast(site, captions=False)) == []
    assert site.asked_for("/e1.vtt") == []


def test_file_beside_a_recording_is_searched(database: Database, tmp_path: Path) -> None:
    (tmp_path / "talk.mp3").write_bytes(b"sound")
    folder = Source(Kind.FOLDER, str(tmp_path), "recordings", every_s=0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("earshot.sources.listing.STABLE_S", 0.0)
        assert poll(database, folder) == []
        (tmp_path / "talk.vtt").write_bytes(VTT)
        assert [found.passages for found in poll(database, folder)] == [2]
        [hit] = find(database, "bridges")
        assert (hit.captions, hit.language) == (Captions("file", automatic=False), "")
        assert hit.captions is not None
        assert hit.captions.label == "captions in a file"
        (tmp_path / "talk.vtt").write_bytes(SRT)
        [found] = poll(database, folder)
        assert "expected WEBVTT" in found.reason
    assert [hit.text for hit in find(database, "bridges")] == ["Ana: Who paid for the bridges?"]  # the last that were right


def test_site_is_asked_for_later_uploads_or_if_the_user_says(
    site: Site, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    youtube = play_youtube(site, monkeypatch)
    url = site.put("/api/timedtext", Answer(VTT))
    local = {
        tag: [{**file, "url": file["url"].replace("https://www.youtube.com/api/timedtext", url)} for file in files]
        for tag, files in HEARD_GERMAN.items()
    }
    for day in (1, 2):
        youtube.pages[f"video-{day:05d}"] = {"automatic_captions": local}
    youtube.publish(upload(1))
    poll_sources([CHANNEL], database)
    list_fully(CHANNEL, database)
    assert look(database, CHANNEL) == []
    youtube.publish(upload(2), upload(1))
    [found] = poll(database, CHANNEL)
    assert (found.video.video_id, found.passages) == ("video-00002", 2)
    [hit] = find(database, "bridges")
    assert (hit.language, hit.captions) == ("de", Captions("site", automatic=True))
    assert hit.captions is not None
    assert hit.captions.label == "automatic captions of the site"
    assert [request.path.count("tlang") for request in site.asked_for("/api/timedtext")] == [0]

    youtube.pages["video-00001"] = {"automatic_captions": {"en": local["en"]}}
    [found] = look(database, replace(CHANNEL, captions=True))
    assert (found.video.video_id, found.passages) == ("video-00001", 0)
    assert "which language is spoken" in found.reason
    assert look(database, replace(CHANNEL, captions=True)) == []  # until it is time
