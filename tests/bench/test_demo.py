"""What `make demo` leaves: links that still lead to the episodes when nothing serves them any more."""

from pathlib import Path

from bench.demo import know_by_files
from earshot.common.times import link_at
from earshot.storage.catalog.videos import Video, get_video, register
from earshot.storage.database import Database


def test_episodes_are_known_by_their_files_once_the_feed_is_gone(database: Database, tmp_path: Path) -> None:
    feed = "http://127.0.0.1:41995"
    videos = [
        Video("demo", f"{feed}/episode-1.mp3", f"{feed}/feed.xml", "One"),
        Video("own", "https://x/a.mp3", "https://x", "A"),
    ]
    register(database, videos)
    know_by_files(database, feed, tmp_path)
    demo, own = get_video(database, "demo"), get_video(database, "own")
    assert demo is not None
    assert own == videos[1]
    assert (demo.source, link_at(demo.url, 23.4)) == (f"{feed}/feed.xml", f"file://{tmp_path}/episode-1.mp3#t=23")
