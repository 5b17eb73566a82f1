"""The sources that are watched: those of sources.yaml, as it stands now. Read on each call, so that an edit counts at once."""

from resources.entries import is_url
from resources.settings import read_settings
from resources.source_file import Source, read_sources, source_named


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
