"""Bodies without end, or hardly any speed, are given up; the body of a redirect is not read."""

import gzip
from pathlib import Path

import pytest

from earshot.common.errors import EarshotError, InvalidMedia, OverLimit, Retryable, SourceUnusable
from earshot.config.sources_file import source_named
from earshot.sources.listing import list_all
from earshot.sources.media.downloads import download
from earshot.sources.net import bounded_bodies
from earshot.storage.catalog.videos import Video
from tests.support.http_server import Answer, Site

MEDIA = b"\xff\xf3\x18\xc4" + bytes(200_000)
AUDIO = {"Content-Type": "audio/mpeg"}
PAGE = {"Content-Type": "text/html"}


def fetch(url: str, folder: Path) -> Path:
    return download(Video("generic-talk-0", url, url, "Talk"), folder, source_named(url)).path


@pytest.mark.parametrize("packed", [False, True])
def test_page_without_an_end_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    monkeypatch.setattr(bounded_bodies, "MOST_PAGE_BYTES", 1 << 20)
    body = b"<!doctype html><html>" + b"<p>word</p>" * 200_000
    headers = {**PAGE, "Content-Encoding": "gzip"} if packed else PAGE
    url = site.put("/endless", Answer(gzip.compress(body) if packed else body, headers=headers, announced=False))
    with pytest.raises(SourceUnusable, match=r"endless: A page is over 1 MB\. Open its address in a browser"):
        list_all(source_named(url))


def test_page_that_hardly_arrives_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_bodies, "PAGE_S", 0.3)
    body = b"<!doctype html><html>" + b" " * 2000
    url = site.put("/slow", Answer(body, headers=PAGE, piece=100, pause_s=0.05))
    with pytest.raises(SourceUnusable, match=r"slow: A page did not arrive within .* too slow"):
        list_all(source_named(url))


@pytest.mark.parametrize(
    ("limit", "value", "answer", "error"),
    [
        ("MOST_UNANNOUNCED_BYTES", 100_000, Answer(MEDIA, headers=AUDIO, announced=False), OverLimit),
        ("MOST_PAGE_BYTES", 100_000, Answer(b"<!doctype html>" + MEDIA, headers=PAGE, announced=False), InvalidMedia),
        ("SLOW_S", 0.2, Answer(MEDIA, headers=AUDIO, piece=5, pause_s=0.05), Retryable),
    ],
)
def test_media_without_an_end_or_speed_is_given_up(
    site: Site,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: float,
    answer: Answer,
    error: type[EarshotError],
) -> None:
    monkeypatch.setattr(bounded_bodies, limit, value)
    with pytest.raises(error) as raised:
        fetch(site.put("/talk.mp3", answer), tmp_path)
    assert raised.value.remedy


def test_media_that_is_announced_may_be_of_any_length(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_bodies, "MOST_UNANNOUNCED_BYTES", 1000)
    assert fetch(site.put("/talk.mp3", Answer(MEDIA, headers=AUDIO)), tmp_path).read_bytes() == MEDIA


def test_body_of_a_redirect_is_not_read(site: Site, tmp_path: Path) -> None:
    site.put("/talk.mp3", Answer(MEDIA, headers=AUDIO))
    endless = Answer(bytes(1 << 20), status=302, headers={"Location": "/talk.mp3"}, piece=1, pause_s=60.0)
    assert fetch(site.put("/moved.mp3", endless), tmp_path).read_bytes() == MEDIA
