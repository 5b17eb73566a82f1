"""Sound by ranges of bytes."""

import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from starlette.testclient import TestClient

from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from earshot.storage.media_store import MediaStore, location_of, samples_sha256

URL = "/api/v1/videos/call/audio"


@pytest.fixture(params=["", "memory://page/audio"], ids=["folder", "store"])
def stored(database: Database, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The audio of video `call`, two seconds of noise, as it is stored: in a folder, or where only fsspec reads it."""
    if request.param:
        monkeypatch.setenv("EARSHOT_MEDIA", request.param)
    samples = np.random.default_rng(1).integers(-2000, 2000, 32_000).astype(np.int16)
    register(database, [Video("call", "https://x/call", "https://x", "A call")])
    uri = MediaStore().write("call", samples)
    database.query(
        "INSERT INTO audio (video_id, uri, samples_sha256, samples, sample_rate, duration_s, downloader) "
        "VALUES ('call', %s, %s, 32000, 16000, 2.0, 'file')",
        [uri, samples_sha256(samples)],
    )
    return location_of(uri).read_bytes()


def test_whole_file_and_its_head(client: TestClient, stored: bytes) -> None:
    whole = client.get(URL)
    assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, stored, "audio/flac")
    head = client.head(URL)
    assert (head.headers["content-length"], head.content) == (str(len(stored)), b"")


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=100-299", slice(100, 300)),
        ("bytes=500-", slice(500, None)),
        ("bytes=-64", slice(-64, None)),
        ("bytes=10-99999999999", slice(10, None)),
        ("bytes=-99999999999", slice(0, None)),
    ],
)
def test_range_is_answered_with_its_bytes(client: TestClient, stored: bytes, asked: str, part: slice) -> None:
    answer = client.get(URL, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, stored[part])
    first, last = answer.headers["content-range"].removeprefix("bytes ").split("/")[0].split("-")
    assert stored[int(first) : int(last) + 1] == answer.content


@pytest.mark.parametrize("stored", ["memory://page/audio"], indirect=True)
def test_no_other_bytes_are_read_from_a_store(client: TestClient, stored: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    read, spans = MemoryFileSystem.cat_file, list[tuple[int, int]]()

    def counted(store: MemoryFileSystem, path: str, start: int, end: int) -> bytes:
        spans.append((start, end))
        return read(store, path, start, end)

    monkeypatch.setattr(MemoryFileSystem, "cat_file", counted)
    assert client.get(URL, headers={"Range": "bytes=100-299"}).content == stored[100:300]
    assert spans == [(100, 300)]


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0", "bytes=9-3"])
def test_range_outside_the_file_is_refused(client: TestClient, stored: bytes, asked: str) -> None:
    answer = client.get(URL, headers={"Range": asked})
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(stored)}")


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=1-2", "bytes=-", "bytes=a-b", "bytes"])
def test_anything_else_gets_the_whole_file(client: TestClient, stored: bytes, asked: str) -> None:
    assert client.get(URL, headers={"Range": asked}).content == stored


def test_changed_sound_is_not_continued(client: TestClient, stored: bytes) -> None:
    etag = client.get(URL).headers["etag"]
    assert client.get(URL, headers={"Range": "bytes=0-3", "If-Range": etag}).status_code == 206
    assert client.get(URL, headers={"Range": "bytes=0-3", "If-Range": '"other"'}).content == stored
    assert client.get(URL, headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.usefixtures("stored")
def test_sound_is_not_compressed(client: TestClient) -> None:
    assert "content-encoding" not in client.get(URL, headers={"Accept-Encoding": "gzip"}).headers


@pytest.mark.parametrize("key", ["absent", "..%2F..%2Fetc%2Fpasswd", "%2Fetc%2Fpasswd", "call%2F.."])
@pytest.mark.usefixtures("stored")
def test_only_videos_have_sound(client: TestClient, key: str) -> None:
    assert client.get(f"/api/v1/videos/{key}/audio").status_code == 404


@pytest.mark.usefixtures("stored")
def test_lost_file_names_the_remedy(client: TestClient, database: Database) -> None:
    [audio] = database.query("SELECT uri FROM audio")
    location_of(audio["uri"]).unlink()
    answer = client.get(URL)
    assert answer.status_code == 422
    assert "earshot backfill audio --video call" in answer.json()["detail"]
