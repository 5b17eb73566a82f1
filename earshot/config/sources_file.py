"""sources.yaml: the sources that are watched, and what is wanted of each.

`read_sources()` reads the whole file or refuses it: every error in it is told at once, each with its line, key, value and what
is allowed. The file is read as YAML's tree of nodes, which knows the lines; what each option takes is in
earshot/config/source_options.py, for users docs/reference/sources-file.md. `source_named()` makes a source of what is typed on
a command line. Nothing is listed or fetched here, and a folder need not be there yet.
"""

import os
import re
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from earshot.common.errors import Misconfigured, SourceUnusable
from earshot.common.redaction import without_secrets
from earshot.config.settings import PROJECT_ROOT
from earshot.config.source_options import Option, address_shown, addresses, is_plain, local_path, options, web_address
from earshot.config.yaml_errors import Problems, YamlValue, is_null, line_of, mapping, quoted, read_text, shape_of, tree

# www.example.com, or a host with something below it: example.com/feed.xml, but not the name of a file, interview.mp3.
_WEB_HOST = re.compile(r"www\.[^/\s]+\.|([\w-]+\.)+[a-z]{2,}(:\d+)?/", re.IGNORECASE)
SHAPE = "A source is an entry of the list `sources:`, such as `- channel: https://...`; see docs/reference/sources-file.md."


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

    Raises Misconfigured with every error in it, one per line.
    """
    problems = Problems(path)
    root = tree(_text(path), problems)
    listed = _sources(root, _Table(options(path.parent), addresses(path.parent)), problems) if root else []
    _refuse_twice(listed, problems)
    problems.raise_if_any()
    return tuple(source for source, _ in listed)


# --- the file ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Table:
    """What a source may be given: options, and the addresses of the kinds, both by their keys."""

    options: dict[str, Option]
    addresses: dict[str, Option]


def _text(path: Path) -> str:
    try:
        return read_text(path, "EARSHOT_SOURCES")
    except FileNotFoundError as error:
        if path == PROJECT_ROOT / "sources.yaml":
            return ""
        raise Misconfigured(f"There is no file {path}.", "Write it, or correct EARSHOT_SOURCES.") from error


# --- what it holds -------------------------------------------------------------------------------------------------------


def _sources(root: yaml.Node, table: _Table, problems: Problems) -> list[tuple[Source, YamlValue]]:
    """The sources without errors, each with where its address stands."""
    top = mapping(root, ("sources", "defaults"), problems)
    if top is None:
        problems.add(line_of(root), f"the file is {shape_of(root)}.", f"Begin it with `sources:`. {SHAPE}")
        return []
    shared = _defaults(top["defaults"], table, problems) if "defaults" in top else {}
    if "sources" not in top or is_null(top["sources"].node):
        return []
    listed = top["sources"].node
    if not isinstance(listed, yaml.SequenceNode):
        problems.add(top["sources"].line, f"sources is {top['sources'].shown()}.", SHAPE)
        return []
    return [found for item in listed.value if (found := _source(item, shared, table, problems))]


def _defaults(given: YamlValue, table: _Table, problems: Problems) -> dict[str, Any]:
    found = mapping(given.node, [key for key in table.options if key != "name"], problems)
    if found is None:
        problems.add(given.line, f"defaults is {given.shown()}.", "Write one `option: value` per line below it.")
    return _values(found or {}, table.options, problems)


def _values(given: dict[str, YamlValue], known: dict[str, Option], problems: Problems) -> dict[str, Any]:
    """The values of those of `given` that are known; None where what is built in is asked for."""
    values: dict[str, Any] = {}
    for key in (key for key in given if key in known):
        entry, option = given[key], known[key]
        try:
            # Nothing at all after a key is a slip; `null` or `~`, written out, is meant.
            if not entry.text or not is_plain(entry.text):
                raise ValueError(entry.text)
            values[key] = None if is_null(entry.node) and option.field != "address" else option.read(entry.text)
        except ValueError:
            problems.add(entry.line, f"{key} is {entry.shown(option.shown)}.", f"Allowed: {option.allowed}")
    return values


def _source(item: yaml.Node, shared: dict[str, Any], table: _Table, problems: Problems) -> tuple[Source, YamlValue] | None:
    line = line_of(item)
    given = mapping(item, (*table.addresses, *table.options), problems)
    if given is None:
        problems.add(line, f"a source is {shape_of(item)}.", SHAPE)
        return None
    own = _values(given, table.options, problems)
    address = _values(given, table.addresses, problems)
    kinds = [Kind(key) for key in given if key in table.addresses]
    if len(kinds) != 1:
        told = f"a source is {' and '.join(kinds)} at once." if kinds else "a source has no kind."
        problems.add(line, told, f"Allowed: one of {', '.join(Kind)}.")
        return None
    if kinds[0] is Kind.FOLDER:
        _refuse_for_folder(given, table, problems)
        shared = {key: value for key, value in shared.items() if table.options[key].of_folders}
    chosen = {key: value for key, value in {**shared, **own}.items() if value is not None}
    _refuse_empty_range(chosen, given, line, problems)
    if not address:
        return None
    fields = {table.options[key].field: value for key, value in chosen.items()}
    found = {"skip_members_only": "cookies" not in fields, "name": without_secrets(address[kinds[0]]), **fields}
    if kinds[0] is Kind.FOLDER:
        found.setdefault("every_s", FOLDER_EVERY_S)
    return Source(kind=kinds[0], address=address[kinds[0]], **found), given[kinds[0]]


def _refuse_for_folder(given: dict[str, YamlValue], table: _Table, problems: Problems) -> None:
    for key in given:
        if key in table.options and not table.options[key].of_folders:
            problems.add(given[key].line, f"{key} makes no sense for a folder.", "Leave it out here.")


def _refuse_empty_range(chosen: dict[str, Any], given: dict[str, YamlValue], line: int, problems: Problems) -> None:
    longer, shorter = chosen.get("longer_than"), chosen.get("shorter_than")
    if longer is not None and shorter is not None and longer >= shorter:
        at = min((given[key].line for key in ("longer_than", "shorter_than") if key in given), default=line)
        told = f"longer_than is {longer:g} s and shorter_than {shorter:g} s, which leaves nothing."
        problems.add(at, told, "Allowed: a longer_than below shorter_than.")


def _refuse_twice(listed: list[tuple[Source, YamlValue]], problems: Problems) -> None:
    addresses: dict[str, int] = {}
    names: dict[str, int] = {}
    for source, given in listed:
        if source.address in addresses:
            told = f"{source.kind} {quoted(source.address)} is on line {addresses[source.address]} already."
            problems.add(given.line, told, "Name each source once.")
        elif source.name in names:
            told = f"the source on line {names[source.name]} is called {quoted(source.name)} already."
            problems.add(given.line, told, "Give one of them another `name`.")
        addresses.setdefault(source.address, given.line)
        names.setdefault(source.name, given.line)
