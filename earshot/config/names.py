"""Names of people: which are valid, and which are equal.

Names are stored in Unicode's form NFC, with single spaces. Any script, quotes and emoji are allowed. Rejected are names that
would break a line of a table or of subtitles, hide in it, or look like a label that Earshot gives. Names that differ only in
Unicode form or letter case are equal. Errors never contain the name, because they are logged and names must not be.
"""

import re
import unicodedata

MAX_LENGTH = 100
ALLOWED = (
    f"a name of at most {MAX_LENGTH} characters on one line, other than those Earshot gives (Unknown, voice 7, SPEAKER_00)."
)

# Line and paragraph separators, control characters, halves of a character.
_REFUSED_CATEGORIES = ("Cc", "Zl", "Zp", "Cs")
# They reverse the text that follows, even beyond the name.
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_GIVEN_BY_EARSHOT = re.compile(r"unknown|voice[ -]?\d+|speaker_\d+")


def parse_person_name(text: str) -> str:
    """The name as it is stored. Raises ValueError with a text that completes "the name ..."."""
    words = text.strip(" \t\u00a0")
    if any(unicodedata.category(character) in _REFUSED_CATEGORIES for character in words) or _DIRECTIONS & set(words):
        raise ValueError("has a line break or a control character in it")
    name = unicodedata.normalize("NFC", " ".join(words.split()))
    if not any(unicodedata.category(character)[0] in "LNPS" for character in name):
        raise ValueError("is empty")
    if len(name) > MAX_LENGTH:
        raise ValueError(f"has {len(name)} characters")
    if _GIVEN_BY_EARSHOT.fullmatch(name.casefold()):
        raise ValueError("is one that Earshot gives to voices itself")
    return name


def name_key(name: str) -> str:
    """A key that is the same for equal names (Unicode's canonical caseless matching)."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())
