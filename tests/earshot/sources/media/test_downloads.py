"""Downloads with the real yt-dlp from real loopback servers that drop, refuse, redirect and truncate."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from dagster import DagsterInstance, materialize

from earshot.common.errors import (
    AddressRefused,
    AgeRestricted,
    Blocked,
    DiskFull,
    InvalidMedia,
    LiveOrUpcoming,
    NoAudio,
    Removed,
    Retryable,
    Truncated,
)
from earshot.config.settings import PROJECT_ROOT
from earshot.config.sources_file import Source, source_named
from earshot.sources.media import downloads
from earshot.sources.media.downloads import (
    ABANDONED_AFTER_S,
    RESERVE_BYTES,
    Fetched,
    download,
    download_folder,
    refuse_truncated,
)
from earshot.storage.catalog.videos import Video, get_video, register
from earshot.storage.database import Database
from ingest_assets.assets.audio import audio
from ingest_assets.partitions import videos
from resources.database import DatabaseResource
from resources.media_source import MediaSourceResource
from resources.media_store import MediaStoreResource
from tests.support.feeds import HTML, player_page, video_page
from tests.support.http_server import Answer, Site, misbehaving, moved, too_many
from tests.support.videos.recordings import write_noise

SECONDS = 20
AUDIO = {"Content-Type": "audio/mpeg"}
STREAM = {"Content-Type": "application/vnd.apple.mpegurl"}
DiskUsage = namedtuple("DiskUsage", "total used free")


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """20 s of noise as MP3: 160 kB."""
    path = tmp_path_factory.mktemp("media") / "noise.mp3"
    write_noise(path, SECONDS)
    return path.read_bytes()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(downloads, "MAX_PAUSE_S", 0.01)
    with misbehaving() as server:
        yield server


@pytest.fixture
def earshot_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EARSHOT_HOME", str(tmp_path))
    return tmp_path


def video_at(url: str) -> Video:
    return Video("generic-talk-0", url, url, "Talk")


def fetch(url: str, folder: Path) -> Fetched:
    return download(video_at(url), folder, source_named(url))


def ranges(site: Site, path: str) -> list[str | None]:
    return [request.headers.get("Range") for request in site.asked_for(path)]


def page_of(media_url: str, **facts: str) -> Answer:
    return Answer(video_page(name="Talk", contentUrl=media_url, **facts), headers=HTML)


def playlist_of(*paths: str, ended: bool = True) -> Answer:
    fragments = "".join(f"#EXTINF:20,\n{path}\n" for path in paths)
    end = "#EXT-X-ENDLIST\n" if ended else ""
    return Answer(f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:20\n{fragments}{end}".encode(), headers=STREAM)


# --- whole files ---------------------------------------------------------------------------------------------------------


def test_recording_is_downloaded_exactly(site: Site, tmp_path: Path, media: bytes) -> None:
    fetched = fetch(site.put("/talk.mp3", Answer(media, headers=AUDIO)), tmp_path)
    assert fetched.path.read_bytes() == media
    assert fetched.path.parent == tmp_path
    assert fetched.path.suffix == ".mp3"
    assert fetched.downloader.startswith("yt-dlp 20")
    assert fetched.duration_s is None


def test_awkward_folder_name_is_accepted(site: Site, tmp_path: Path, media: bytes) -> None:
    folder = tmp_path / "50% of 100% at %(title)s ~ Ünder 🎙"
    folder.mkdir()
    fetched = fetch(site.put("/talk.mp3", Answer(media, headers=AUDIO)), folder)
    assert fetched.path.parent == folder
    assert fetched.path.read_bytes() == media


def test_each_video_has_its_own_folder(site: Site, tmp_path: Path, media: bytes) -> None:
    source = source_named(site.put("/feed.xml", Answer(b"any")))
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        body = media[: -1000 * number]
        url = site.put(f"/{number}.mp3", Answer(body, headers=AUDIO))
        fetched = download(Video(f"generic-{number}-0", url, source.address, "Any"), folder, source)
        assert fetched.path.parent == folder
        assert fetched.path.name.startswith(f"generic-{number}-0.")
        assert fetched.path.read_bytes() == body


def test_audio_format_is_preferred_to_video(site: Site, tmp_path: Path, media: bytes) -> None:
    site.put("/piece.mp3", Answer(media))
    site.put("/sound.m3u8", playlist_of("/piece.mp3"))
    site.put("/both.m3u8", playlist_of("/never.ts"))
    master = (
        '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9000000,CODECS="avc1.4d401f,mp4a.40.2",RESOLUTION=640x360\n/both.m3u8\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS="mp4a.40.2"\n/sound.m3u8\n'
    )
    fetched = fetch(site.put("/master.m3u8", Answer(master.encode(), headers=STREAM)), tmp_path)
    assert fetched.path.read_bytes() == media
    assert not site.asked_for("/never.ts")


def test_redirect_is_followed(site: Site, tmp_path: Path, media: bytes) -> None:
    site.put("/moved.mp3", Answer(media, headers=AUDIO))
    assert fetch(site.put("/talk.mp3", moved("/moved.mp3", 301)), tmp_path).path.read_bytes() == media


def test_slow_download_completes(site: Site, tmp_path: Path, media: bytes) -> None:
    url = site.put("/talk.mp3", Answer(media, headers=AUDIO, piece=20_000, pause_s=0.02))
    assert fetch(url, tmp_path).path.read_bytes() == media


def test_rate_limits_the_download(site: Site, tmp_path: Path, media: bytes) -> None:
    url = site.put("/talk.mp3", Answer(media, headers=AUDIO))
    started = time.monotonic()
    download(video_at(url), tmp_path, source_named(url, rate=len(media)))
    assert time.monotonic() - started > 0.5  # a whole second, but for the first blocks


# --- interruptions -------------------------------------------------------------------------------------------------------


def test_dropped_connection_is_resumed(site: Site, tmp_path: Path, media: bytes) -> None:
    whole, dropped = Answer(media, headers=AUDIO), Answer(media, headers=AUDIO, drop_after=100_000)
    fetched = fetch(site.put("/talk.mp3", whole, dropped, whole), tmp_path)
    assert fetched.path.read_bytes() == media
    *first, resumed = ranges(site, "/talk.mp3")
    assert first == [None, None]
    assert resumed is not None
    assert 0 < int(resumed.removeprefix("bytes=").removesuffix("-")) <= 100_000


def test_download_restarts_if_server_cannot_resume(site: Site, tmp_path: Path, media: bytes) -> None:
    whole, dropped = Answer(media, headers=AUDIO, ranges=False), Answer(media, headers=AUDIO, drop_after=100_000)
    fetched = fetch(site.put("/talk.mp3", whole, dropped, whole), tmp_path)
    assert fetched.path.read_bytes() == media


def test_server_error_is_retried(site: Site, tmp_path: Path, media: bytes) -> None:
    whole = Answer(media, headers=AUDIO)
    assert fetch(site.put("/talk.mp3", whole, Answer(status=500), whole), tmp_path).path.read_bytes() == media


def test_server_that_always_closes_early_is_truncated(site: Site, tmp_path: Path, media: bytes) -> None:
    cut = Answer(media, headers=AUDIO, ranges=False, drop_after=100_000)
    with pytest.raises(Truncated, match=r"talk\.mp3: .*more expected") as raised:
        fetch(site.put("/talk.mp3", cut), tmp_path)
    assert raised.value.__cause__ is None
    assert len(site.asked_for("/talk.mp3")) == 2 + downloads.INTERRUPTIONS


def test_unfinished_download_is_continued_next_time(site: Site, earshot_home: Path, media: bytes) -> None:
    whole, dropped = Answer(media, headers=AUDIO), Answer(media, headers=AUDIO, drop_after=100_000)
    url = site.put("/talk.mp3", whole, dropped, Answer(status=503))
    with pytest.raises(Retryable, match="503"), download_folder(video_at(url)) as folder:
        fetch(url, folder)
    (unfinished,) = folder.iterdir()
    size = unfinished.stat().st_size
    assert 0 < size <= 100_000
    site.put("/talk.mp3", whole)
    with download_folder(video_at(url)) as folder:
        assert fetch(url, folder).path.read_bytes() == media
    assert ranges(site, "/talk.mp3")[-1] == f"bytes={size}-"
    assert list((earshot_home / "downloads").iterdir()) == []


FETCH = """
import sys
from earshot.storage.catalog.videos import Video
from earshot.sources.media.downloads import download, download_folder
from earshot.config.sources_file import source_named
url = sys.argv[1]
video = Video("generic-talk-0", url, url, "Talk")
with download_folder(video) as folder:
    download(video, folder, source_named(url))
"""


def test_download_of_killed_process_is_continued(site: Site, earshot_home: Path, media: bytes) -> None:
    whole = Answer(media, headers=AUDIO)
    url = site.put("/talk.mp3", whole, Answer(media, headers=AUDIO, piece=4096, pause_s=0.05))
    with subprocess.Popen([sys.executable, "-c", FETCH, url], cwd=PROJECT_ROOT) as process:
        while not any(file.stat().st_size > 20_000 for file in earshot_home.rglob("*.part")):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    (unfinished,) = earshot_home.rglob("*.part")
    size = unfinished.stat().st_size
    site.put("/talk.mp3", whole)
    with download_folder(video_at(url)) as folder:
        assert fetch(url, folder).path.read_bytes() == media
    assert ranges(site, "/talk.mp3")[-1] == f"bytes={size}-"


def test_moved_media_restarts_the_download(site: Site, earshot_home: Path, media: bytes) -> None:
    whole, dropped = Answer(media, headers=AUDIO), Answer(media, headers=AUDIO, drop_after=100_000)
    before = site.put("/before.mp3", whole, dropped, Answer(status=503))
    with pytest.raises(Retryable), download_folder(video_at(before)) as old:
        fetch(before, old)
    after = site.put("/after.mp3", Answer(media[::-1], headers=AUDIO))
    with download_folder(video_at(after)) as new:
        assert not old.exists()
        assert fetch(after, new).path.read_bytes() == media[::-1]
    assert ranges(site, "/after.mp3") == [None, None]
    assert earshot_home.exists()


def test_missing_stream_fragment_is_an_error(site: Site, tmp_path: Path, media: bytes) -> None:
    site.put("/1.mp3", Answer(media))
    with pytest.raises(Retryable, match="404"):
        fetch(site.put("/talk.m3u8", playlist_of("/1.mp3", "/missing.mp3")), tmp_path)
    assert any(file.suffix == ".part" for file in tmp_path.iterdir())


# --- the folder ----------------------------------------------------------------------------------------------------------


def leave_after(error: BaseException, *names: str) -> None:
    """Leave files of these names in a video's folder, with an error."""
    with download_folder(video_at("http://x/a")) as folder:
        for name in names:
            (folder / name).write_bytes(b"any")
        raise error


def test_folder_is_removed_after_use(earshot_home: Path) -> None:
    with download_folder(video_at("http://x/a")) as folder:
        (folder / "talk.mp3").write_bytes(b"whole")
    assert list((earshot_home / "downloads").iterdir()) == []


@pytest.mark.parametrize("error", [Removed("gone"), InvalidMedia("broken"), AgeRestricted("no")])
def test_folder_is_removed_after_permanent_error(earshot_home: Path, error: Exception) -> None:
    with pytest.raises(type(error)):
        leave_after(error, "talk.mp3.part")
    assert list((earshot_home / "downloads").iterdir()) == []


def test_truncated_file_is_removed(earshot_home: Path) -> None:
    with pytest.raises(Truncated):
        leave_after(Truncated("short"), "talk.mp3")
    assert list((earshot_home / "downloads").iterdir()) == []


@pytest.mark.parametrize("error", [Retryable("later"), DiskFull("full"), Blocked("no"), KeyboardInterrupt()])
def test_unfinished_files_are_kept_after_passing_error(earshot_home: Path, error: BaseException) -> None:
    names = {"talk.mp3.part", "talk.mp4.ytdl", "talk.mp4.part-Frag3", "talk.mp4.part-Frag4.part"}
    with pytest.raises(type(error)):
        leave_after(error, *names)
    with download_folder(video_at("http://x/a")) as again:
        assert earshot_home in again.parents
        assert {file.name for file in again.iterdir()} == names


def test_abandoned_folders_are_removed(earshot_home: Path) -> None:
    for name, age_s in (("recent", ABANDONED_AFTER_S - 3600), ("old", ABANDONED_AFTER_S + 3600)):
        part = earshot_home / "downloads" / name / "0123" / "talk.mp3.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(b"half")
        used_at = time.time() - age_s
        for path in (part, part.parent, part.parent.parent):
            os.utime(path, (used_at, used_at))
    with download_folder(video_at("http://x/a")):
        assert sorted(path.name for path in (earshot_home / "downloads").iterdir()) == ["generic-talk-0", "recent"]


# --- refused before download ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("free", [RESERVE_BYTES, RESERVE_BYTES - 10**9])
def test_full_disk_is_refused_before_any_request(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: DiskUsage(10**12, 0, free))
    with pytest.raises(DiskFull, match=r"talk\.mp3 needs 1\.1 GB") as raised:
        fetch(site.put("/talk.mp3", Answer(b"any", headers=AUDIO)), tmp_path)
    assert str(tmp_path) in raised.value.message
    assert site.asked == []


def test_file_that_would_fill_the_disk_is_not_started(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, media: bytes
) -> None:
    url = site.put("/talk.mp3", Answer(media, headers=AUDIO))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: DiskUsage(10**12, 0, RESERVE_BYTES + len(media)))
    with pytest.raises(DiskFull, match="needs"):  # its size and a margin
        fetch(url, tmp_path)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: DiskUsage(10**12, 0, RESERVE_BYTES + int(len(media) * 1.3)))
    assert fetch(url, tmp_path).path.read_bytes() == media


def test_partial_file_counts_towards_its_size(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, media: bytes
) -> None:
    whole, dropped = Answer(media, headers=AUDIO), Answer(media, headers=AUDIO, drop_after=100_000)
    url = site.put("/talk.mp3", whole, dropped, Answer(status=503))
    with pytest.raises(Retryable):
        fetch(url, tmp_path)
    (unfinished,) = tmp_path.iterdir()
    left = len(media) - unfinished.stat().st_size
    site.put("/talk.mp3", whole)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: DiskUsage(10**12, 0, RESERVE_BYTES + int(left * 1.3)))
    assert left * 1.3 < len(media)
    assert fetch(url, tmp_path).path.read_bytes() == media


def test_size_given_by_page_is_checked_against_disk(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, media: bytes
) -> None:
    page = page_of(site.put("/talk.mp3", Answer(media, headers=AUDIO)), contentSize=str(3 * 10**9))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: DiskUsage(10**12, 0, RESERVE_BYTES + 10**9))
    with pytest.raises(DiskFull, match=r"2\.1 GB .* 4\.7 GB"):  # 3 GB, a fifth of it, and 1 GiB
        fetch(site.put("/page", page), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_size_that_only_an_empty_disk_could_hold_fails_this_video_alone(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, media: bytes
) -> None:
    page = page_of(site.put("/talk.mp3", Answer(media, headers=AUDIO)), contentSize=str(100 * 10**12))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: DiskUsage(10**12, 0, 10**11))
    with pytest.raises(Retryable, match=r"100\.0 GB free, but .* needs 120001\.1 GB.* Free some space"):
        fetch(site.put("/page", page), tmp_path)


def test_disk_that_fills_up_is_disk_full(site: Site, tmp_path: Path, media: bytes) -> None:
    url = site.put("/talk.mp3", Answer(media, headers=AUDIO))
    (tmp_path / "generic-talk-0.mpeg.mp3.part").symlink_to("/dev/full")
    with pytest.raises(DiskFull, match="No space left"):
        fetch(url, tmp_path)


def test_silent_video_is_not_fetched(site: Site, tmp_path: Path) -> None:
    site.put("/silent.m3u8", playlist_of("/piece.ts"))
    master = '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000000,CODECS="avc1.4d401f",RESOLUTION=640x360\n/silent.m3u8\n'
    with pytest.raises(NoAudio, match="sound"):
        fetch(site.put("/master.m3u8", Answer(master.encode(), headers=STREAM)), tmp_path)
    assert not site.asked_for("/piece.ts")


def test_missing_formats_are_retryable() -> None:
    messages = downloads._Messages()
    info = {"formats": [{"vcodec": "avc1", "acodec": "none"}]}
    messages.warning("[youtube] BaW_jenozKc: n challenge solving failed: Some formats may be missing. Ensure you have ...")
    with pytest.raises(Retryable, match="formats are missing"):
        downloads._refuse_unfit(info, messages, "a video")


@pytest.mark.parametrize(
    "formats", [[{"vcodec": "none", "acodec": "none"}], [{"vcodec": "avc1"}], [{"vcodec": "none", "acodec": "opus"}], []]
)
def test_unknown_sound_is_not_refused(formats: list[dict[str, str]]) -> None:
    downloads._refuse_unfit({"formats": formats}, downloads._Messages(), "a video")


def test_unfinished_stream_is_live(site: Site, tmp_path: Path) -> None:
    with pytest.raises(LiveOrUpcoming, match="is on air"):
        fetch(site.put("/live.m3u8", playlist_of("/piece.mp3", ended=False)), tmp_path)
    assert not site.asked_for("/piece.mp3")


def test_upcoming_video_has_its_start() -> None:
    info = {"live_status": "is_upcoming", "release_timestamp": time.time() + 3600}
    with pytest.raises(LiveOrUpcoming, match="not on air yet") as raised:
        downloads._refuse_unfit(info, downloads._Messages(), "a video")
    assert raised.value.starts_in_s == pytest.approx(3600, abs=60)
    with pytest.raises(LiveOrUpcoming, match="not archived yet") as raised:
        downloads._refuse_unfit({**info, "live_status": "post_live"}, downloads._Messages(), "a video")
    assert raised.value.starts_in_s is None


def test_page_with_several_videos_is_refused(site: Site, tmp_path: Path, media: bytes) -> None:
    for name in ("/a.mp3", "/b.mp3", "/c.mp3"):
        site.put(name, Answer(media, headers=AUDIO))
    page = Answer(player_page("/a.mp3", "/b.mp3", "/c.mp3"), headers=HTML)
    with pytest.raises(InvalidMedia, match="more than one video"):
        fetch(site.put("/page", page), tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- errors of the site --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("status", [404, 410])
def test_missing_media_is_removed(site: Site, tmp_path: Path, media: bytes, status: int, before: int) -> None:
    whole = Answer(media, headers=AUDIO)
    with pytest.raises(Removed, match=rf"gone\.mp3: .*{status}"):
        fetch(site.put("/gone.mp3", *[whole] * before, Answer(status=status)), tmp_path)


@pytest.mark.parametrize("before", [0, 1])
def test_rate_limit_blocks_without_further_requests(site: Site, tmp_path: Path, media: bytes, before: int) -> None:
    url = site.put("/talk.mp3", *[Answer(media, headers=AUDIO)] * before, too_many("120"))
    with pytest.raises(Blocked, match="429") as raised:
        fetch(url, tmp_path)
    assert raised.value.pause_s == 120.0
    assert len(site.asked) == before + 1


def test_unreachable_server_is_retryable(tmp_path: Path) -> None:
    with misbehaving() as stopped:
        url = stopped.url + "/talk.mp3"
    with pytest.raises(Retryable, match=r"Connection refused"):
        fetch(url, tmp_path)


def test_page_without_media_is_invalid(site: Site, tmp_path: Path) -> None:
    page = Answer(b"<!DOCTYPE html><html><body>Nothing to hear.</body></html>", headers=HTML)
    with pytest.raises(InvalidMedia, match="no audio or video"):
        fetch(site.put("/talk.mp3", page), tmp_path)


@pytest.mark.parametrize("before", [0, 1])
def test_redirect_to_private_address_is_refused(site: Site, tmp_path: Path, media: bytes, before: int) -> None:
    port = site.url.rpartition(":")[2]
    url = site.put("/talk.mp3", *[Answer(media, headers=AUDIO)] * before, moved(f"http://127.0.0.2:{port}/other.mp3"))
    with pytest.raises(AddressRefused, match=r"127\.0\.0\.2"):
        fetch(url, tmp_path)
    assert not site.asked_for("/other.mp3")


def test_page_with_private_media_is_refused(site: Site, tmp_path: Path) -> None:
    url = site.put("/page", page_of("http://127.0.0.2:9/talk.mp3", duration="PT1M"))
    with pytest.raises(AddressRefused, match=r"127\.0\.0\.2"):
        fetch(url, tmp_path)


def test_private_entry_is_refused_before_any_request(site: Site, tmp_path: Path) -> None:
    source = source_named("https://podcast.example/feed.xml")
    with pytest.raises(AddressRefused):
        download(video_at(f"{site.url}/talk.mp3"), tmp_path, source)
    assert site.asked == []


def test_private_address_is_refused_behind_proxy(site: Site, tmp_path: Path) -> None:
    source = source_named("http://podcast.example/page", proxy=site.url)
    site.put(source.address, Answer(player_page("http://10.0.0.1/talk.mp4"), headers=HTML))
    for url in (source.address, "http://10.0.0.1/talk.mp4"):
        with pytest.raises(AddressRefused, match=r"10\.0\.0\.1"):
            download(video_at(url), tmp_path, source)
    assert [request.path for request in site.asked] == [source.address]


def test_error_has_no_secret_of_site_or_proxy(site: Site, tmp_path: Path) -> None:
    secrets = ("hunter2", "s3cretpart", "swordfish")
    url = site.put("/talk.mp3", Answer(status=500)).replace("://", "://user:hunter2@") + "?token=s3cretpart"
    with misbehaving() as stopped:
        proxy = stopped.url.replace("://", "://someone:swordfish@")
    for source in (source_named(url), source_named(url, proxy=proxy)):
        with pytest.raises(Retryable) as raised:
            download(video_at(url), tmp_path, source)
        assert "talk.mp3" in str(raised.value)
        assert not [secret for secret in secrets if secret in str(raised.value)]
        assert raised.value.__cause__ is None
        assert raised.value.__suppress_context__


# --- duration given by the site ------------------------------------------------------------------------------------------


def test_duration_comes_from_the_page(site: Site, tmp_path: Path, media: bytes) -> None:
    page = page_of(site.put("/talk.mp3", Answer(media, headers=AUDIO)), duration="PT1M")
    fetched = fetch(site.put("/page", page), tmp_path)
    assert fetched.duration_s == 60.0
    assert fetched.path.read_bytes() == media


@pytest.mark.parametrize(
    ("given_s", "decoded_s", "truncated"),
    [
        (60.0, 40.0, True),
        (60.0, 54.9, True),
        (60.0, 55.1, False),
        (60.0, 90.0, False),
        (3600.0, 3530.0, False),
        (3600.0, 3520.0, True),
        (None, 1.0, False),
    ],
)
def test_file_is_truncated_from_five_seconds_or_a_fiftieth(given_s: float | None, decoded_s: float, truncated: bool) -> None:
    with pytest.raises(Truncated, match="Talk") if truncated else nullcontext():
        refuse_truncated(Fetched(Path("any"), "yt-dlp", given_s), decoded_s, "Talk")


# --- the asset -----------------------------------------------------------------------------------------------------------


def materialize_audio(database: Database, url: str, instance: DagsterInstance, source: Source | None = None) -> bool:
    """Run asset `audio` for the media at this URL. Returns whether it succeeded."""
    video = Video("generic-talk-0", url, source.address if source else url, "Talk")
    register(database, [video])
    instance.add_dynamic_partitions(videos.name or "", [video.video_id])
    given = {"database": DatabaseResource(), "media_source": MediaSourceResource(), "media_store": MediaStoreResource()}
    run = materialize([audio], instance=instance, partition_key=video.video_id, resources=given, raise_on_error=False)
    return run.success


def test_audio_is_stored_and_the_download_removed(site: Site, database: Database, home: Path, media: bytes) -> None:
    with DagsterInstance.ephemeral() as instance:
        assert materialize_audio(database, site.put("/talk.mp3", Answer(media, headers=AUDIO)), instance)
    (row,) = database.query("SELECT video_id, duration_s, downloader FROM audio")
    assert row["duration_s"] == pytest.approx(SECONDS, abs=0.2)
    assert row["downloader"].startswith("yt-dlp ")
    assert not (home / "downloads" / row["video_id"]).exists()  # other tests may leave some there


def test_truncated_audio_is_not_stored(site: Site, database: Database, home: Path, media: bytes) -> None:
    page = page_of(site.put("/talk.mp3", Answer(media, headers=AUDIO)), duration="PT1M")
    with DagsterInstance.ephemeral() as instance:
        assert not materialize_audio(database, site.put("/page", page), instance)
    video = get_video(database, "generic-talk-0")
    assert video is not None
    assert "20 s of the 60 s" in (video.last_error or "")
    assert database.query("SELECT 1 FROM audio") == []
    assert not (home / "downloads" / "generic-talk-0").exists()


def test_event_log_and_catalogue_have_no_secret(site: Site, database: Database) -> None:
    url = site.put("/talk.mp3", Answer(status=500)) + "?token=s3cretpart"
    with DagsterInstance.ephemeral() as instance:
        assert not materialize_audio(database, url, instance)
        (run,) = instance.get_runs()
        log = "\n".join(str(entry) for entry in instance.all_logs(run.run_id))
    video = get_video(database, "generic-talk-0")
    assert "HTTP Error 500" in log
    assert "s3cretpart" not in log
    assert video is not None
    assert "s3cretpart" not in (video.last_error or "")
