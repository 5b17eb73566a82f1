"""Names of people: what may be one, and which two are the same.

A name is kept in Unicode's form NFC, its spaces single. Any script, quotes and emoji will do. What is refused would break a
line of a table or of subtitles, hide in it, or be taken for the name of a voice that nobody has named. Two names that differ
only in form or in capitals are one name. No error here holds the name: errors end in logs, and names must not.
"""

import re
import unicodedata

MAX_LENGTH = 100
ALLOWED = (
    f"a name of at most {MAX_LENGTH} characters on one line, other than those Earshot gives (Unknown, voice 7, SPEAKER_00)."
)

# Line and paragraph separators, control characters, halves of a character.
_REFUSED_CATEGORIES = ("Cc", "Zl", "Zp", "Cs")
# They turn round what is written after them, also beyond the name.
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_GIVEN_BY_EARSHOT = re.compile(r"unknown|voice[ -]?\d+|speaker_\d+")


def parse_person_name(text: str) -> str:
    """The name as it is kept. Raises ValueError whose text says what is wrong with it, after the words "the name"."""
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
    """The same for two names that are one (Unicode's canonical caseless matching)."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())
