"""Fetches captions: one file through the session of its source, or from the disk, within limits of size and time.

Sites are asked for the description of the video first. Errors name the source and no address, which may hold a secret.
"""

import time
from pathlib import Path

from yt_dlp.utils import DownloadError

from earshot.common.errors import EarshotError, SourceUnusable
from earshot.config.sources_file import Source
from earshot.sources.captions.choice import site_captions
from earshot.sources.net.bounded_bodies import reading_pages
from earshot.sources.net.conditional_get import get
from earshot.sources.net.session import session
from earshot.sources.net.ssrf_guard import refuse_private
from earshot.sources.net.ytdlp_errors import translate
from earshot.storage.catalog.entries import CaptionFile, Validators, is_url

MAX_BYTES = 10 * 2**20
DEADLINE_S = 30.0


def read_file(file: CaptionFile, source: Source) -> bytes:
    """The content of a file of captions. Raises SourceBlocked if the site asks for a pause, else EarshotError."""
    if not is_url(file.address):
        return _local(Path(file.address))
    refuse_private(file.address, source)
    response = get(file.address, source, Validators(), time.monotonic() + DEADLINE_S, lambda _head: None, MAX_BYTES)
    assert response is not None  # no validators were given
    return response.body


def ask_site(url: str, source: Source, spoken: str) -> tuple[CaptionFile, bool] | None:
    """The captions that the site has of its video, and whether a machine made them; None if it has none of its speech.

    `spoken` is whisper's code of the language, "" if the user did not name it. Raises a VideoError.
    """
    try:
        with session(source, writesubtitles=True, writeautomaticsub=True) as downloader, reading_pages():
            info = downloader.extract_info(url, download=False, process=False)
    except DownloadError as error:
        raise translate(error, url, source) from None
    return site_captions(info or {}, spoken)


def _local(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise EarshotError(f"{path} cannot be read: {error.strerror}.", "Correct its permissions, or move it away.") from None
    if len(content) > MAX_BYTES:
        raise SourceUnusable(f"{path} is over {MAX_BYTES >> 20} MB.", "No captions are that large: move the file away.")
    return content
