"""The watched sources: those of sources.yaml, read on each call so that an edit takes effect at once."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

from earshot.common.errors import Misconfigured, SourceUnusable
from earshot.common.redaction import without_secrets
from earshot.common.text import join_first
from earshot.config.settings import read_settings
from earshot.config.sources_file import Source, read_sources, read_sources_text, source_named, sources_in
from earshot.storage.catalog.entries import is_url
from earshot.storage.database import Database

SHOWN = 5  # sources that a message lists


def watched_sources() -> tuple[Source, ...]:
    """Every source of sources.yaml. Raises Misconfigured with every error in the file."""
    return read_sources(read_settings().sources)


def source_names() -> dict[str, str]:
    """The names of the watched sources by address; none while sources.yaml is invalid, which `earshot up` reports."""
    with suppress(Misconfigured):
        path = read_settings().sources
        return _names_in(path, read_sources_text(path))
    return {}


def name_of(address: str) -> str:
    """The source's name in sources.yaml, else its address without secrets."""
    return source_names().get(address) or without_secrets(address)


@lru_cache(maxsize=1)
def _names_in(path: Path, text: str) -> dict[str, str]:
    """Cached, since the page asks with each search, and 200 sources take 60 ms to read."""
    return {source.address: source.name for source in sources_in(path, text)}


def paused_sources() -> list[str]:
    """The addresses of the sources that the user paused; none while sources.yaml is invalid."""
    with suppress(Misconfigured):
        return [source.address for source in watched_sources() if source.paused]
    return []


def source_of(address: str) -> Source:
    """The watched source with this address, with its cookies, proxy and limits; an unwatched one with the defaults.

    A local source has none of these, so that it works even while sources.yaml is invalid.
    """
    named = source_named(address)
    watched = watched_sources() if is_url(address) else ()
    return next((source for source in watched if source.address == named.address), named)


def address_of(database: Database, text: str) -> str:
    """The catalogue's address of a source, given by its address or its name in sources.yaml; letter case is ignored.

    Raises SourceUnusable if no video has such a source, or if several match that differ only in letter case.
    """
    known = [row["source"] for row in database.query("SELECT DISTINCT source FROM videos ORDER BY source")]
    if text in known:
        return text
    names = {source.name: source.address for source in watched_sources()}
    matches = _by_name(names, text) or _by_address(known, text)
    if len(matches) > 1:
        message = f"{without_secrets(text)!r} matches {len(matches)} sources that differ only in upper and lower case."
        raise SourceUnusable(message, f"Write one exactly: {_listed(matches, names)}.")
    if not matches or matches[0] not in known:
        message = f"No video has a source {without_secrets(text)!r}."
        raise SourceUnusable(message, f"{_nearest([*names, *known], text)}There are videos of: {_listed(known, names)}.")
    return matches[0]


def _by_name(names: Mapping[str, str], text: str) -> list[str]:
    """The addresses of the sources with this name: the exact match, else all that differ only in letter case."""
    if text in names:
        return [names[text]]
    return [address for name, address in names.items() if name.casefold() == text.casefold()]


def _by_address(known: Sequence[str], text: str) -> list[str]:
    """The known addresses that a typed one may mean: the exact match, else all that differ only in letter case."""
    typed = source_named(text).address
    same = [address for address in known if address.casefold() in (text.casefold(), typed.casefold())]
    return [typed] if typed in same else same


def _listed(addresses: Sequence[str], names: Mapping[str, str]) -> str:
    """The first SHOWN addresses, each with its name if it has one, and the number of the others."""
    name_of = {address: name for name, address in names.items()}
    shown = [(name_of.get(address), without_secrets(address)) for address in addresses]
    labels = [address if name in (None, address) else f"{name} ({address})" for name, address in shown]
    return join_first(labels, SHOWN) or "none yet"


def _nearest(names: Sequence[str], text: str) -> str:
    """ "Did you mean 'Harbour Talk'? ", or "" if no name is similar."""
    folded = {name.casefold(): name for name in names}
    near = get_close_matches(text.casefold(), folded, n=1)
    return f"Did you mean {without_secrets(folded[near[0]])!r}? " if near else ""
