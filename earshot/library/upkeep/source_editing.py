"""Editing sources.yaml: adds a source, pauses one, takes one out. Only its own lines change: comments, order, quotes stay.

The new text is checked as a whole, as the file is when it is read, and replaces the old one at once; a mistake changes nothing.
A file that is already invalid, or whose sources are not one below the other, is not edited.
"""

import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from earshot.common.atomic_files import atomic_file
from earshot.common.errors import EarshotError, Unknown
from earshot.common.redaction import without_secrets
from earshot.config.mistakes import read_text
from earshot.config.settings import read_settings
from earshot.config.sources_file import Kind, Source, source_named, sources_in

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
    index = _index(name)
    return _edit(lambda file: file.set(index, "paused", "true" if paused else "false"))[index]


def forget_source(name: str) -> None:
    """Take the source with this name or address out of the file; its videos stay."""
    index = _index(name)
    _edit(lambda file: file.delete(index))


class _Lines:
    """The lines of the file, and where its sources are. Line numbers begin with 0."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines(keepends=True)
        if self.lines and not self.lines[-1].endswith("\n"):
            self.lines[-1] += "\n"
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
        pairs = root.value if isinstance(root, yaml.MappingNode) else []
        self._key, self._list = next(((key, value) for key, value in pairs if key.value == "sources"), (None, None))
        self._entries = self._list.value if isinstance(self._list, yaml.SequenceNode) else []
        entries = [self._list, *self._entries] if self._entries else []
        if any(entry.flow_style for entry in entries):
            raise EarshotError(f"{read_settings().sources.name} lists its sources in brackets.", "Edit it by hand.")

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add a source after the last one."""
        indent = self._list.start_mark.column if self._list and self._entries else 2
        dumped = yaml.safe_dump(dict(entry), sort_keys=False, allow_unicode=True, width=10**6).splitlines()
        lines = [f"{' ' * indent}{'  ' if number else '- '}{line}\n" for number, line in enumerate(dumped)]
        if self._entries:
            place = _last_line(self._entries[-1]) + 1
        elif self._key:
            place = self._key.start_mark.line + 1
            self.lines[place - 1] = re.sub(r"sources:\s*(?:\[\s*\]|null|~)", "sources:", self.lines[place - 1])
        else:
            lines, place = [*(["\n"] * bool(self.lines)), "sources:\n", *lines], len(self.lines)
        self.lines[place:place] = lines

    def set(self, index: int, key: str, value: str) -> None:
        """Give a source's option this value."""
        entry = self._entries[index]
        for key_node, value_node in entry.value:
            if key_node.value == key:
                line, mark = value_node.start_mark.line, value_node
                text = self.lines[line]
                self.lines[line] = text[: mark.start_mark.column] + value + text[mark.end_mark.column :]
                return
        self.lines.insert(_last_line(entry) + 1, f"{' ' * entry.start_mark.column}{key}: {value}\n")

    def delete(self, index: int) -> None:
        """Take out the lines of a source; comments around it stay."""
        entry = self._entries[index]
        del self.lines[entry.start_mark.line : _last_line(entry) + 1]


def _last_line(node: yaml.Node) -> int:
    """The line on which the last value within the node ends."""
    return max(end for end in _ends(node))


def _ends(node: yaml.Node) -> Iterator[int]:
    if isinstance(node, yaml.ScalarNode):
        yield node.end_mark.line - (node.end_mark.column == 0 and node.end_mark.line > node.start_mark.line)
    elif isinstance(node, yaml.MappingNode):
        yield from (end for pair in node.value for part in pair for end in _ends(part))
    else:
        yield from (end for part in node.value for end in _ends(part))


def _plain(value: Any) -> Any:
    """The value as YAML writes it without quotes, if it can."""
    with suppress(ValueError):
        return date.fromisoformat(value) if isinstance(value, str) else value
    return value


def _sources() -> tuple[Source, ...]:
    path = read_settings().sources
    return sources_in(path, read_text(path, "EARSHOT_SOURCES", may_miss=False))


def _index(name: str) -> int:
    return _sources().index(_named(name))


def _named(name: str) -> Source:
    """The source of this name or address in the file. Raises Unknown if it has none."""
    sources = _sources()
    found = next((source for source in sources if name in (source.name, source.address)), None)
    if found is None:
        names = ", ".join(source.name for source in sources[:SHOWN]) or "none"
        raise Unknown(f"{read_settings().sources.name} has no source {without_secrets(name)!r}.", f"It has: {names}.")
    return found


def _edit(change: Callable[[_Lines], None], may_miss: bool = False) -> tuple[Source, ...]:
    """Change the file; returns the sources of the new one. Raises InvalidConfig with every mistake."""
    path = read_settings().sources
    may_miss = may_miss and not path.exists()
    with _editing:
        before = read_text(path, "EARSHOT_SOURCES", may_miss)
        sources_in(path, before)
        file = _Lines(before)
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
