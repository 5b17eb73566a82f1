"""The raw body of a feed: checks whether it is a feed and complete, and repairs the commonest faults.

Works on the markup with regular expressions, because parsers reject truncated feeds and everything that is not a feed.
earshot/sources/kinds/feeds.py reads the content.
"""

import re

_ROOTS = {b"rss", b"feed", b"rdf"}

# What may precede the root element, and the root's own tag. Searched for in the first 64 KiB.
_PROLOGUE = re.compile(rb"\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE\s[^\[>]*(\[.*?\]\s*)?>", re.DOTALL | re.IGNORECASE)
_ROOT = re.compile(rb"<((?:[\w.-]+:)?([\w.-]+))[\s/>]")
_PROLOGUE_BYTES = 1 << 16

# CDATA, kept (up to the end of the body if it is not closed, so that the search runs once); an ampersand that does not begin a
# reference every parser knows; a reference to a character that XML forbids, or such a byte. The escape byte is allowed: some
# Japanese encodings use it to switch character sets.
_FAULT = re.compile(
    rb"(<!\[CDATA\[.*?(?:\]\]>|\Z))|(&)(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-f]+);)|&#(\d+|x[0-9a-f]+);|[\x00-\x08\x0b\x0c\x0e-\x1a]",
    re.DOTALL | re.IGNORECASE,
)


def may_be_feed(head: bytes) -> bool:
    """Whether a body with this beginning may be a feed; it may also be any other markup."""
    return _plain(head).lstrip()[:1] in (b"", b"<")


def is_feed(body: bytes) -> bool:
    """Whether the root element is RSS, Atom or RDF."""
    root = _root(body)
    return root is not None and root[2].lower() in _ROOTS


def is_whole(body: bytes) -> bool:
    """Whether the root element is closed. A closing tag quoted inside an entry does not count."""
    root, plain = _root(body), _plain(body)
    if root is None:
        return False
    end = plain.rfind(b"</" + root[1])
    closing, bracket, rest = plain[max(end, 0) :].partition(b">")
    return bool(bracket) and closing.rstrip() == b"</" + root[1] and not re.search(rb"\]\]>|</?(item|entry)\b", rest)


def description(body: bytes) -> str:
    """What a body is that is not a feed, in a few words."""
    start, root = _plain(body[:_PROLOGUE_BYTES]).lstrip(), _root(body)
    if not start:
        return "nothing"
    if start.lower().startswith((b"<!doctype html", b"<html")) or (root and root[2].lower() == b"html"):
        return "a web page"
    if root:
        return f"XML of another kind (<{root[1].decode('ascii', 'replace')[:40]}>)"
    if b"\0" in body[:_PROLOGUE_BYTES] or re.search(rb"[\x80-\xff]{4}", start[:400]):
        return "binary data"
    return "JSON" if start.startswith((b"{", b"[")) else "text"


def repaired(body: bytes) -> bytes:
    """The body without the faults that stop a strict parser: stray ampersands and characters that XML forbids.

    Entities that the document itself declares stay as written, so that none is ever expanded.
    """
    if b"\0" in body[:4]:  # UTF-16 or UTF-32
        return body
    return _FAULT.sub(_repair, body)


def _repair(fault: re.Match[bytes]) -> bytes:
    kept, ampersand, number = fault.groups()
    if kept is not None:
        return kept
    if ampersand:
        return b"&amp;"
    return fault[0] if number and _is_character(number.decode().lower()) else b""


def _is_character(number: str) -> bool:
    """Whether XML allows the character with this number (XML 1.0, section 2.2)."""
    code = int(number[1:20], 16) if number.startswith("x") else int(number[:20])
    return code in (9, 10, 13) or 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code < 0x110000


def _root(body: bytes) -> re.Match[bytes] | None:
    """The root element's opening tag, if there is one. Groups: the name as written, and the name without its prefix."""
    start, position = _plain(body[:_PROLOGUE_BYTES]), 0
    while skipped := _PROLOGUE.match(start, position):
        position = skipped.end()
    return _ROOT.match(start, position)


def _plain(body: bytes) -> bytes:
    """The body with its markup readable as ASCII: no byte order mark, no zero bytes of UTF-16 and UTF-32."""
    return body.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe")
