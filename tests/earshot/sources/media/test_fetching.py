"""Fetching local files and media of feeds, listed by the real code, under awkward names."""

from pathlib import Path
from urllib.parse import quote

import pytest

from earshot.common.errors import Removed
from earshot.config.sources_file import source_named
from earshot.sources.listing import list_all
from earshot.sources.listings import video_of
from earshot.sources.media.downloads import Fetched
from earshot.sources.media.fetching import fetch
from earshot.storage.catalog.videos import Video
from tests.support.feeds import feed
from tests.support.http_server import Answer, Site
from tests.support.videos.recordings import write_noise

AWKWARD = "Ünder \"the\" 'sea' & 100% 🎙 日本"


def listed(address: str) -> Video:
    """The one video at this address."""
    source = source_named(address)
    [entry] = list_all(source).entries
    return video_of(entry, source)


def test_local_file_of_awkward_name_is_fetched_in_place(tmp_path: Path) -> None:
    path = tmp_path / AWKWARD / f"{AWKWARD}.mp3"
    path.parent.mkdir()
    path.write_bytes(b"anything")
    for address in (str(path), str(path.parent)):
        video = listed(address)
        assert (video.title, video.url, video.source) == (AWKWARD, str(path), address)
        assert video.video_id.removeprefix("file-").isalnum()
        assert video.video_id.isascii()
        assert fetch(video, tmp_path / "downloads", source_named(address)) == Fetched(path, "file")


def test_missing_local_file_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "talk.mp3"
    path.write_bytes(b"anything")
    video = listed(str(path))
    path.unlink()
    with pytest.raises(Removed, match=r"talk\.mp3"):
        fetch(video, tmp_path, source_named(str(path)))


def test_media_of_feed_is_fetched_from_awkward_url(site: Site, tmp_path: Path) -> None:
    write_noise(tmp_path / "noise.mp3", 1.0)
    recording, folder = (tmp_path / "noise.mp3").read_bytes(), f"/{quote(AWKWARD)}"
    site.put(f"{folder}/e1.mp3", Answer(recording, headers={"Content-Type": "audio/mpeg"}))
    address = site.put("/feed.xml", Answer(feed("e1", media=site.url + folder)))
    assert fetch(listed(address), tmp_path, source_named(address)).path.read_bytes() == recording
