"""sources.yaml: the watched sources and their options.

`read_sources()` reads the whole file, or rejects it with all its mistakes together, each with its line, key, value and what is
allowed. earshot/config/sources_model.py defines the keys; docs/reference/sources-file.md explains them to users.
`source_named()` makes a source from a command-line argument. This module lists and fetches nothing, and a folder need not exist
yet.
"""

import os
import re
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from earshot.common.errors import SourceUnusable
from earshot.common.redaction import without_secrets
from earshot.common.text import is_unicode, pluralize, without_surrogates
from earshot.config.hints import HINT_KEYS, Hints
from earshot.config.mistakes import is_empty, read_text
from earshot.config.settings_file import project_folder
from earshot.config.source_options import address_shown, local_path, web_address

# www.example.com, or a host with a path: example.com/feed.xml, but not a file name such as interview.mp3.
_WEB_HOST = re.compile(r"www\.[^/\s]+\.|([\w-]+\.)+[a-z]{2,}(:\d+)?/", re.IGNORECASE)

FOLDER_EVERY_S = 60.0  # reading names and sizes sends no requests


class Kind(StrEnum):
    """The kind of a source; in sources.yaml, the key of its address."""

    CHANNEL = "channel"
    PLAYLIST = "playlist"
    FEED = "feed"
    FOLDER = "folder"
    URL = "url"  # a single video, or anything else that yt-dlp can list


@dataclass(frozen=True)
class Source:
    """One source. `address` is an http(s) URL, or the absolute path of a folder or file; it is the source's identity.

    Its repr, which may be logged, omits fields that may contain a password or token.
    """

    kind: Kind
    address: str = field(repr=False)
    name: str  # for logs, tags and messages; never contains a secret
    since: date | None = None  # only uploads of this day (UTC) and later
    newest_first: bool = True
    limit: int | None = None  # the most videos of the first listing; later uploads do not count
    longer_than_s: float | None = None
    shorter_than_s: float | None = None
    skip_shorts: bool = False
    skip_live: bool = False  # broadcasts, including archived ones
    skip_members_only: bool = True
    language: str | None = None  # whisper's code; None: detected
    vocabulary: tuple[str, ...] | None = None  # this and the next four: earshot/config/hints.py
    vocabulary_from: tuple[str, ...] | None = None
    prompt: str | None = None
    languages: tuple[str, ...] | None = None
    speakers: str | None = None
    priority: int = 0  # -10 to 10
    cookies: Path | None = None
    proxy: str | None = field(default=None, repr=False)
    rate: int | None = None  # bytes per second
    at_once: int = 1  # downloads at a time
    pause_s: float = 2.0  # between two downloads
    every_s: float = 900.0  # between two polls; FOLDER_EVERY_S for a folder
    allow_private: bool = False
    captions: bool | None = None  # whether they are searched; None: of a site, only those of later uploads
    keep_days: int | None = None  # since the upload; earshot/storage/catalog/retention.py for this and the next three
    keep_videos: int | None = None  # the newest so many
    keep_audio_days: int | None = None  # since the audio was stored
    keep_corrected: bool = True  # videos that were corrected by hand, whatever their age
    paused: bool = False  # by the user: not polled, and none of its videos started

    @property
    def first_limit(self) -> int | None:
        """The most videos of the first listing: those beyond `keep_videos` would be removed again."""
        return min((most for most in (self.limit, self.keep_videos) if most is not None), default=None)

    @property
    def keeps(self) -> str:
        """What it keeps, in words; "" if everything."""
        parts = (
            f"videos for {pluralize(self.keep_days, 'day')}" if self.keep_days else "",
            f"the newest {pluralize(self.keep_videos, 'video')}" if self.keep_videos else "",
            f"audio for {pluralize(self.keep_audio_days, 'day')}" if self.keep_audio_days else "",
        )
        return ", ".join(filter(None, parts))

    @property
    def hints(self) -> Hints:
        """The hints for all its videos."""
        return Hints(**{key: getattr(self, key) for key in HINT_KEYS})


def source_named(address: str, **chosen: Any) -> Source:
    """The source that a user typed: a folder, a file or an http(s) URL. `chosen` sets further fields.

    A path need not exist. Raises SourceUnusable for other schemes, for text that is neither URL nor path, for a URL without its
    https://, and for a name that is not UTF-8.
    """
    scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*)://", address)
    if scheme and scheme[1].lower() not in ("http", "https"):
        raise SourceUnusable(
            f"{address_shown(address)}: only http and https URLs are fetched.",
            "Name a local file by its path, without file://.",
        )
    try:
        where = web_address(address) if scheme else str(local_path(Path.cwd(), address))
    except ValueError:  # its text may contain the address with secrets, and Dagster's event log stores causes
        raise SourceUnusable(f"{address_shown(address)}: neither a URL nor a path.", "Check how it is written.") from None
    if not scheme and _WEB_HOST.match(address) and not os.path.exists(where):
        raise SourceUnusable(
            f"{address_shown(address)}: no such file or folder.",
            f"An address of the web begins with https://, such as {address_shown(f'https://{address}')}",
        )
    if not is_unicode(where):
        raise SourceUnusable(f"{without_surrogates(where)}: its name is not UTF-8, and cannot be stored.", "Rename it.")
    kind = Kind.FOLDER if not scheme and os.path.isdir(where) else Kind.URL
    return Source(**{"kind": kind, "address": where, "name": without_secrets(where), "newest_first": False, **chosen})


def read_sources(path: Path) -> tuple[Source, ...]:
    """The sources in the file, in its order; none if it is empty, or if it is the project folder's own and missing.

    Raises InvalidConfig with every mistake.
    """
    return sources_in(path, read_sources_text(path))


def read_sources_text(path: Path) -> str:
    """The file's text, "" if it is the project folder's own and missing. Raises InvalidConfig."""
    return read_text(path, "EARSHOT_SOURCES", may_miss=path == project_folder() / "sources.yaml")


def sources_in(path: Path, text: str) -> tuple[Source, ...]:
    """The sources in this text of the file. Raises InvalidConfig with every mistake."""
    if is_empty(text, "sources"):
        return ()
    from earshot.config.sources_model import read_entries  # loading pydantic takes 0.2 s

    return tuple(_source(Kind(kind), address, chosen) for kind, address, chosen in read_entries(path, text))


def _source(kind: Kind, address: str, chosen: dict[str, Any]) -> Source:
    built_in: dict[str, Any] = {"skip_members_only": "cookies" not in chosen}
    if kind is Kind.FOLDER:
        built_in["every_s"] = FOLDER_EVERY_S
    return Source(**{"kind": kind, "address": address, **built_in, **chosen})
