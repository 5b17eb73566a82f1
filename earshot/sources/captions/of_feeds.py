"""Reads `podcast:transcript` of a feed's items (https://podcasting2.org/docs/podcast-namespace/tags/transcript).

feedparser keeps only the last of several, and most hosts offer several formats, so expat reads a body that has any once more. A
body that is not well-formed, or declares its own entities, gives none.
"""

import io
from collections.abc import Iterator
from xml.etree import ElementTree

_ITEMS = {"item", "entry"}
_TRANSCRIPT = "transcript"

# The attributes of one `podcast:transcript`: url, type, language, rel.
Attributes = dict[str, str]


def transcripts_of(body: bytes, items: int) -> list[list[Attributes]]:
    """The transcripts of each of the feed's items, in their order; all empty if the body cannot be read."""
    none: list[list[Attributes]] = [[] for _ in range(items)]
    if b"transcript" not in body or b"<!ENTITY" in body:
        return none
    try:
        read = list(_read(body))
    except (ElementTree.ParseError, LookupError, ValueError):  # LookupError: an encoding that Python does not know
        return none
    return read if len(read) == items else none


def _read(body: bytes) -> Iterator[list[Attributes]]:
    found: list[Attributes] = []
    for event, element in ElementTree.iterparse(io.BytesIO(body), events=("start", "end")):
        name = element.tag.rpartition("}")[2]
        if event == "start":
            found = [] if name in _ITEMS else found
        elif name == _TRANSCRIPT and element.tag != _TRANSCRIPT:
            found.append(dict(element.attrib))
        elif name in _ITEMS:
            yield found
            element.clear()
