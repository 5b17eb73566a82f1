"""Bad input: each gets its state and a message that names it; the others are still ingested.

Real files and a real server on loopback, through the same `ingest()` that the command line calls.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.corpora.episodes import TELEPHONE, Clip, clip_samples, write_mp3
from bench.harness.server import serving
from earshot.common.audio import SAMPLE_RATE
from earshot.config.settings import read_settings
from earshot.config.sources_file import source_named
from earshot.storage.catalog.videos import Video, list_videos
from earshot.storage.database import Database
from ingest_assets.operations.ingest import IngestChoice, Outcome, ingest
from resources.instance.home import open_instance
from tests.support.library import stored_video
from tests.support.videos.recordings import cut_in_the_middle, write_silent_picture

pytestmark = pytest.mark.slow

STRANGE_NAME = "Señor “O'Brien” & 日本語 🎙️ 100%.wav"
SPEECH = Clip(TELEPHONE.package, TELEPHONE.path, start_s=6.5, end_s=14.5)


@pytest.fixture(scope="module")
def outcomes(library: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Outcome]]:
    """The outcome of each source of one call, good ones among the bad, by a short name."""
    folder = tmp_path_factory.mktemp("bad")
    speech = clip_samples(SPEECH)
    soundfile.write(folder / STRANGE_NAME, speech, SAMPLE_RATE)
    (folder / "same content.wav").write_bytes((folder / STRANGE_NAME).read_bytes())
    soundfile.write(folder / "moment.wav", speech[8000 : 8000 + SAMPLE_RATE // 5], SAMPLE_RATE)
    soundfile.write(folder / "silence.wav", np.zeros(20 * SAMPLE_RATE), SAMPLE_RATE)
    (folder / "empty.mp3").write_bytes(b"")
    (folder / "text.mp3").write_text("This is not sound.\n" * 200)
    write_silent_picture(folder / "picture.mp4")
    write_mp3(folder / "whole.mp3", speech)
    cut_in_the_middle(folder / "whole.mp3", folder / "cut.mp3")
    (folder / "feed.xml").write_text("<rss><channel><title>never closed")
    with serving(folder) as url:
        port = url.rpartition(":")[2]
        (folder / "moved.xml").write_text(_feed(f"http://127.0.0.1:{port}/gone.mp3"))
        files = {"absent": "absent.wav", "strange": STRANGE_NAME, "empty": "empty.mp3", "text": "text.mp3", "cut": "cut.mp3"}
        files |= {"picture": "picture.mp4", "moment": "moment.wav", "silence": "silence.wav"}
        served = {"missing": "missing.mp3", "not a feed": "feed.xml", "moved": "moved.xml"}
        sources = {name: str(folder / file) for name, file in files.items()}
        sources |= {name: f"{url}/{file}" for name, file in served.items()}
        steps = ingest([source_named(source) for source in sources.values()], IngestChoice(), library, open_instance())
        yield dict(zip(sources, [step for step in steps if isinstance(step, Outcome)], strict=True))


def _feed(media: str) -> str:
    return (
        '<?xml version="1.0"?><rss version="2.0"><channel><title>One</title><item><title>Moved</title>'
        f'<guid>moved-1</guid><enclosure url="{media}" type="audio/mpeg" length="1"/></item></channel></rss>'
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent", "absent.wav: no such file or folder"),
        ("missing", "missing.mp3: the site answers 404"),
        ("not a feed", "feed.xml: its feed is cut short"),
    ],
)
def test_unusable_source_registers_nothing(outcomes: dict[str, Outcome], library: Database, name: str, message: str) -> None:
    outcome = outcomes[name]
    assert (outcome.result, outcome.video) == ("failed", None)
    assert message in outcome.error
    assert not [video for video in list_videos(library) if video.source == outcome.source]


@pytest.mark.parametrize(
    ("name", "state", "message"),
    [
        ("empty", "failed", "empty.mp3 is empty (0 bytes)"),
        ("text", "failed", "text.mp3 cannot be read as audio or video"),
        ("picture", "no_audio", "picture.mp4 has no audio track, only video"),
        ("cut", "failed", "but declares 8.0 s: it was cut off"),
        ("moved", "removed", "gone.mp3: Unable to download webpage: HTTP Error 404"),
    ],
)
def test_unreadable_video_has_state_and_no_rows(
    outcomes: dict[str, Outcome], library: Database, name: str, state: str, message: str
) -> None:
    outcome = outcomes[name]
    assert outcome.result == "failed"
    assert message in outcome.error
    video = _video(outcome)
    assert (video.state, video.attempts) == (state, 1)
    assert video.last_error == outcome.error
    for table, order in (("audio", "uri"), ("segments", "segment_index"), ("turns", "turn_index"), ("asset_timings", "asset")):
        assert library.frame(table, video.video_id, order).empty, table
    settings = read_settings()
    assert not (Path(settings.media) / f"{video.video_id}.flac").exists()
    assert not (settings.home / "downloads" / video.video_id).exists()


def test_silence_is_ready_without_words_and_turns(outcomes: dict[str, Outcome], library: Database) -> None:
    assert outcomes["silence"].result == "done"
    video = _video(outcomes["silence"])
    assert video.state == "ready"
    assert library.frame("transcripts", video.video_id, "language").language.tolist() == [None]
    for table, order in (("words", "word_index"), ("turns", "turn_index"), ("passages", "passage_index")):
        assert library.frame(table, video.video_id, order).empty, table


def test_fifth_of_a_second_is_ready(outcomes: dict[str, Outcome], library: Database) -> None:
    assert outcomes["moment"].result == "done"
    video = _video(outcomes["moment"])
    assert (video.state, video.duration_s) == ("ready", 0.2)
    assert len(library.frame("asset_timings", video.video_id, "asset")) == 5


def test_good_file_with_strange_name_is_ingested(outcomes: dict[str, Outcome], library: Database) -> None:
    assert outcomes["strange"].result == "done"
    video = _video(outcomes["strange"])
    assert video.title == STRANGE_NAME.removesuffix(".wav")
    assert "know you were there" in " ".join(library.frame("passages", video.video_id, "passage_index").text)


def test_same_file_under_two_names_is_one_video(outcomes: dict[str, Outcome], library: Database) -> None:
    video = _video(outcomes["strange"])
    copy = str(Path(video.url).with_name("same content.wav"))
    sources = [source_named(copy), source_named(video.url)]
    outcome, again = [s for s in ingest(sources, IngestChoice(), library, open_instance()) if isinstance(s, Outcome)]
    assert (outcome.result, again.result) == ("current", "current")
    assert _video(outcome).video_id == video.video_id
    assert stored_video(library, video.video_id).title == video.title, "the name it was last found under"


def _video(outcome: Outcome) -> Video:
    assert outcome.video is not None
    return outcome.video
