"""The sources that are watched: those of sources.yaml, as it stands now. Read on each call, so that an edit counts at once."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from earshot.common.errors import SourceUnusable
from earshot.common.redaction import without_secrets
from earshot.config.settings import read_settings
from earshot.config.sources_file import Source, read_sources, source_named
from earshot.storage.catalog.entries import is_url
from earshot.storage.database import Database

SHOWN = 5  # sources that a message lists


def watched_sources() -> tuple[Source, ...]:
    """Every source of sources.yaml. Raises Misconfigured, with every error in it."""
    return read_sources(read_settings().sources)


def source_of(address: str) -> Source:
    """The watched source of this address, with its cookies, proxy and manners; any other with those that are usual.

    A local one has none of these: it is read without sources.yaml, which may be broken.
    """
    named = source_named(address)
    watched = watched_sources() if is_url(address) else ()
    return next((source for source in watched if source.address == named.address), named)


def address_of(database: Database, text: str) -> str:
    """The address by which the catalogue knows a source, named by it or as sources.yaml calls it, in any capitals.

    Raises SourceUnusable where no video is of such a source, and where several differ only in capitals.
    """
    known = [row["source"] for row in database.query("SELECT DISTINCT source FROM videos ORDER BY source")]
    if text in known:
        return text
    names = {source.name: source.address for source in watched_sources()}
    found = _called(names, text) or _written(known, text)
    if len(found) > 1:
        told = f"{without_secrets(text)!r} may be any of {len(found)} sources, whose names differ in capitals."
        raise SourceUnusable(told, f"Write one exactly: {_listed(found, names)}.")
    if not found or found[0] not in known:
        told = f"No video is of a source {without_secrets(text)!r}."
        raise SourceUnusable(told, f"{_nearest([*names, *known], text)}There are videos of: {_listed(known, names)}.")
    return found[0]


def _called(names: Mapping[str, str], text: str) -> list[str]:
    """The addresses of the sources of this name; of several in other capitals, the one that is written so."""
    if text in names:
        return [names[text]]
    return [address for name, address in names.items() if name.casefold() == text.casefold()]


def _written(known: Sequence[str], text: str) -> list[str]:
    """The known addresses that are meant by one as it may be typed."""
    typed = source_named(text).address
    same = [address for address in known if address.casefold() in (text.casefold(), typed.casefold())]
    return [typed] if typed in same else same


def _listed(addresses: Sequence[str], names: Mapping[str, str]) -> str:
    """Of many the first, each with its name where it has one of its own."""
    called = {address: name for name, address in names.items()}
    shown = [(called.get(address), without_secrets(address)) for address in addresses[:SHOWN]]
    told = [address if name in (None, address) else f"{name} ({address})" for name, address in shown]
    more = f" and {len(addresses) - SHOWN} more" if addresses[SHOWN:] else ""
    return (", ".join(told) or "none yet") + more


def _nearest(names: Sequence[str], text: str) -> str:
    """ "Did you mean 'Harbour Talk'?" with a space after it, or nothing."""
    folded = {name.casefold(): name for name in names}
    near = get_close_matches(text.casefold(), folded, n=1)
    return f"Did you mean {without_secrets(folded[near[0]])!r}? " if near else ""
