"""sources.yaml: the sources that are watched, and what is wanted of each.

`read_sources()` reads the whole file or refuses it with every mistake at once, each with its line, key, value and what is
allowed. Which keys there are is in earshot/config/sources_model.py, and for users in docs/reference/sources-file.md.
`source_named()` makes a source of what is typed on a command line. Nothing is listed or fetched here, and a folder need not be
there yet.
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
from earshot.config.mistakes import read_text
from earshot.config.settings import PROJECT_ROOT
from earshot.config.source_options import address_shown, local_path, web_address

# www.example.com, or a host with something below it: example.com/feed.xml, but not the name of a file, interview.mp3.
_WEB_HOST = re.compile(r"www\.[^/\s]+\.|([\w-]+\.)+[a-z]{2,}(:\d+)?/", re.IGNORECASE)

FOLDER_EVERY_S = 60.0  # looking at names and sizes asks nobody else for anything


class Kind(StrEnum):
    """What a source is; in sources.yaml, the key that names it."""

    CHANNEL = "channel"
    PLAYLIST = "playlist"
    FEED = "feed"
    FOLDER = "folder"
    URL = "url"  # a single video, or whatever yt-dlp makes of it


@dataclass(frozen=True)
class Source:
    """One source. `address` is an http(s) URL, or the absolute path of a folder or file; it is the source's identity.

    Its repr, which may end in a log, leaves out what may hold a password or token.
    """

    kind: Kind
    address: str = field(repr=False)
    name: str  # what logs, tags and messages call it: never holds a secret
    since: date | None = None  # uploads of this day (UTC) and later
    newest_first: bool = True
    limit: int | None = None  # of what is there when it is first listed; later uploads always come
    longer_than_s: float | None = None
    shorter_than_s: float | None = None
    skip_shorts: bool = False
    skip_live: bool = False  # broadcasts, also archived ones
    skip_members_only: bool = True
    language: str | None = None  # as whisper's codes; None: detected
    priority: int = 0  # -10 to 10
    cookies: Path | None = None
    proxy: str | None = field(default=None, repr=False)
    rate: int | None = None  # bytes per second
    at_once: int = 1  # downloads of it at a time
    pause_s: float = 2.0  # between two of its downloads
    every_s: float = 900.0  # between two looks for new uploads; a folder's are FOLDER_EVERY_S apart
    allow_private: bool = False


def source_named(address: str, **chosen: Any) -> Source:
    """The source that a user typed: a folder, a file or an http(s) URL; `chosen`: further fields of it.

    A path need not exist. Raises SourceUnusable for other schemes, for what is neither URL nor path, and for an address whose
    https:// was left out.
    """
    scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*)://", address)
    if scheme and scheme[1].lower() not in ("http", "https"):
        raise SourceUnusable(
            f"{address_shown(address)}: only http and https URLs are fetched.",
            "Name a local file by its path, without file://.",
        )
    try:
        where = web_address(address) if scheme else str(local_path(Path.cwd(), address))
    except ValueError:  # whose text may hold the address with its secrets, and Dagster keeps causes in its event log
        raise SourceUnusable(f"{address_shown(address)}: neither a URL nor a path.", "Check how it is written.") from None
    if not scheme and _WEB_HOST.match(address) and not os.path.exists(where):
        raise SourceUnusable(
            f"{address_shown(address)}: no such file or folder.",
            f"An address of the web begins with https://, such as {address_shown(f'https://{address}')}",
        )
    kind = Kind.FOLDER if not scheme and os.path.isdir(where) else Kind.URL
    return Source(**{"kind": kind, "address": where, "name": without_secrets(where), "newest_first": False, **chosen})


def read_sources(path: Path) -> tuple[Source, ...]:
    """The sources in the file, in its order; none where it is empty, or is the clone's own and missing.

    Raises InvalidConfig with every mistake in it.
    """
    from earshot.config.sources_model import read_entries  # here: pydantic takes 0.2 s, which only this can spare

    text = read_text(path, "EARSHOT_SOURCES", may_miss=path == PROJECT_ROOT / "sources.yaml")
    return tuple(_source(Kind(kind), address, chosen) for kind, address, chosen in read_entries(path, text))


def _source(kind: Kind, address: str, chosen: dict[str, Any]) -> Source:
    built_in = {"skip_members_only": "cookies" not in chosen, "name": without_secrets(address)}
    if kind is Kind.FOLDER:
        built_in["every_s"] = FOLDER_EVERY_S
    return Source(**{"kind": kind, "address": address, **built_in, **chosen})
