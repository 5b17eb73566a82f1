"""Editing sources.yaml: adds a source, changes its options, takes it out. Only its own lines change, by lines.py.

The new text is checked as a whole, as the file is when it is read, and replaces the old one at once; a mistake changes nothing.
A file that is already invalid, or whose sources are not one below the other, is not edited.
"""

import os
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from earshot.common.atomic_files import atomic_file
from earshot.common.errors import EarshotError, Unknown
from earshot.common.redaction import without_secrets
from earshot.config.mistakes import read_text
from earshot.config.settings import read_settings
from earshot.config.sources_file import Kind, Source, source_named, sources_in
from earshot.library.sources.lines import SourceLines

SHOWN = 5  # sources that a message names

_editing = threading.Lock()

_FEED = re.compile(r"\.(?:rss|xml|atom)$|/(?:feed|rss|podcast)s?(?:/|$)", re.IGNORECASE)
_CHANNEL = re.compile(r"^/(?:@[^/]+|(?:channel|c|user)/[^/]+)(?:/(?:videos|streams|featured)?)?/?$")


def kind_of(address: str) -> Kind:
    """The kind that an address most likely has: a folder, a channel or playlist of YouTube, a feed, or a single video."""
    source = source_named(address)
    if source.kind is Kind.FOLDER or "://" not in address:
        return Kind.FOLDER
    parts = urlsplit(address)
    if (parts.hostname or "").removeprefix("www.").removeprefix("m.") in ("youtube.com", "youtu.be"):
        if _CHANNEL.match(parts.path):
            return Kind.CHANNEL
        return Kind.PLAYLIST if parts.path == "/playlist" and "list" in parse_qs(parts.query) else Kind.URL
    return Kind.FEED if _FEED.search(parts.path) else Kind.URL


def add_source(address: str, kind: str | None, options: Mapping[str, Any]) -> Source:
    """Write a source with these options of sources.yaml into it, as the last one; returns the stored source."""
    if kind not in (None, *Kind):
        raise EarshotError(f"There is no kind {kind!r} of sources.", f"Kinds: {', '.join(Kind)}.")
    chosen = Kind(kind) if kind else kind_of(address)
    given = {key: _plain(value) for key, value in options.items() if value not in (None, "")}
    return _edit(lambda file: file.append({chosen.value: address, **given}), may_miss=True)[-1]


def pause_source(name: str, paused: bool) -> Source:
    """Pause the source with this name or address, or end its pause; returns the stored source."""
    return set_options(name, {"paused": paused})


def set_options(name: str, options: Mapping[str, Any]) -> Source:
    """Give the source with this name or address these options, None taking one out; returns the stored source."""
    index = _index(name)
    return _edit(lambda file: file.set(index, options))[index]


def named_source(name: str) -> Source:
    """The source of this name or address in the file. Raises Unknown if it has none."""
    sources = _sources()
    found = next((source for source in sources if name in (source.name, source.address)), None)
    if found is None:
        names = ", ".join(source.name for source in sources[:SHOWN]) or "none"
        raise Unknown(f"{read_settings().sources.name} has no source {without_secrets(name)!r}.", f"It has: {names}.")
    return found


def given_keys(name: str) -> frozenset[str]:
    """The keys that the file has for the source with this name or address itself, not in `defaults`."""
    path = read_settings().sources
    return SourceLines(read_text(path, "EARSHOT_SOURCES", may_miss=False), path.name).keys(_index(name))


def forget_source(name: str) -> None:
    """Take the source with this name or address out of the file; its videos stay."""
    index = _index(name)
    _edit(lambda file: file.delete(index))


def _plain(value: Any) -> Any:
    """The value as YAML writes it without quotes, if it can."""
    with suppress(ValueError):
        return date.fromisoformat(value) if isinstance(value, str) else value
    return value


def _sources() -> tuple[Source, ...]:
    path = read_settings().sources
    return sources_in(path, read_text(path, "EARSHOT_SOURCES", may_miss=False))


def _index(name: str) -> int:
    return _sources().index(named_source(name))


def _edit(change: Callable[[SourceLines], None], may_miss: bool = False) -> tuple[Source, ...]:
    """Change the file; returns the sources of the new one. Raises InvalidConfig with every mistake."""
    path = read_settings().sources
    may_miss = may_miss and not path.exists()
    with _editing:
        before = read_text(path, "EARSHOT_SOURCES", may_miss)
        sources_in(path, before)
        file = SourceLines(before, path.name)
        change(file)
        sources = sources_in(path, file.text)
        if read_text(path, "EARSHOT_SOURCES", may_miss) != before:
            raise EarshotError(f"{path.name} was changed meanwhile.", "Look at it, and try again.")
        _write(path, file.text)
    return sources


def _write(path: Path, text: str) -> None:
    """Replace the file at once, with its rights: it may have passwords."""
    with atomic_file(path) as file:
        if path.exists():
            os.fchmod(file.fileno(), path.stat().st_mode & 0o777)
        file.write(text)
