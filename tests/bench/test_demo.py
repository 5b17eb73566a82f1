"""What `make demo` leaves: links that lead to the episodes after their server has ended."""

from pathlib import Path

from bench.demo import know_by_files
from earshot.common.times import link_at
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from tests.support.library import stored_video


def test_links_lead_to_files_once_the_feed_is_gone(database: Database, tmp_path: Path) -> None:
    feed = "http://127.0.0.1:41995"
    videos = [
        Video("demo", f"{feed}/episode-1.mp3", f"{feed}/feed.xml", "One"),
        Video("own", "https://x/a.mp3", "https://x", "A"),
    ]
    register(database, videos)
    know_by_files(database, feed, tmp_path)
    demo = stored_video(database, "demo")
    assert stored_video(database, "own") == videos[1]
    assert (demo.source, link_at(demo.url, 23.4)) == (f"{feed}/feed.xml", f"file://{tmp_path}/episode-1.mp3#t=23")
