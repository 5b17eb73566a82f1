"""The sources that are watched: those of sources.yaml, as it stands now. Read on each call, so that an edit counts at once."""

from resources.database import Database
from resources.entries import is_url
from resources.errors import SourceUnusable
from resources.redaction import without_secrets
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


def address_of(database: Database, text: str) -> str:
    """The address by which the catalogue knows a source: given as it is, as it may be typed, or by its name in sources.yaml.

    Raises SourceUnusable where no video is of such a source.
    """
    known = [row["source"] for row in database.query("SELECT DISTINCT source FROM videos ORDER BY source")]
    if text in known:
        return text
    typed = [source.address for source in watched_sources() if source.name == text] or [source_named(text).address]
    if typed[0] not in known:
        shown = ", ".join(without_secrets(address) for address in known[:5]) or "none yet"
        more = f" and {len(known) - 5} more" if known[5:] else ""
        raise SourceUnusable(f"No video is of a source {without_secrets(text)!r}.", f"There are videos of: {shown}{more}.")
    return typed[0]
