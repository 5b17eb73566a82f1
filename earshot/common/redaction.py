"""Secrets kept out of what is written: logs, metadata, errors, run configurations.

`without_secrets()` goes through a text once for what looks like it holds a secret, and again until nothing changes:

- in a URL, userinfo (`user:password@`) is dropped. In its path, query and fragment, `name=value` keeps its value only where
  the name is one of `HARMLESS`; any other value becomes `…`. What is not such a pair stays, but for evident tokens.
- an *evident token* has 24 characters or more (a file's suffix not counted), both letters and digits, and changes between
  small letters, capitals and digits at every fourth or more often (a capital that begins a word, a hyphen or a dot is no
  change). Random text changes at every second, words and dates at every sixth or less. Kept although they look alike:
  UUIDs, ids of YouTube's channels and playlists, and files named by a digest, unless the file is a feed.
- a query without its URL, as in urllib3's messages, is treated as one.
- outside URLs, the values of `Authorization` and `Cookie`, and of what ends in one of `SECRET_NAMES`.

A secret that looks like nothing of this is only replaced where the caller knows it and gives it.
"""

import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, unquote

HIDDEN = "…"
HARMLESS = frozenset({
    "v", "list", "id", "playlist_id", "channel_id", "p", "page", "ep", "episode", "format", "index", "t", "start",
})  # fmt: skip
SECRET_NAMES = ("token", "password", "passwd", "secret", "api_key", "api-key", "apikey")

# Shorter ones stand in ordinary words.
MIN_KNOWN_LENGTH = 4

_USERINFO = r"""
    [^\s/?\#"<>]*@
    # A password that nobody escaped goes to the last @ there is, unless what follows the colon is a port.
    | [^\s/?\#@:\["<>]*:(?!\d*(?:[/?\#]|$))[^\s"<>]{0,256}@
"""
_HOST = r"""(?:\[[\w:.%]*\] | [^\s/?\#"<>,;:'(){}\[\]|]*)(?::\d*)?"""
# A URL inside another one is looked at for itself.
_REST = r"""(?:(?!(?:https?|ftps?|socks\w{0,2})://)[^\s"<>])*"""
_NAME_END = r"""[\\'"]*[ \t]*[:=][ \t]*(?:b(?=[\\'"]))?[\\'"]*"""
_QUOTED = r"""(?<=")[^"\n]+ | (?<=')[^'\n]+"""
_VALUE = rf"""{_QUOTED} | [^\s,;&'"<>]+"""
# A scheme (Bearer), then what needs no quotes, then further pairs: parameters of Digest, further cookies.
_HEADER_VALUE = rf"""
    {_QUOTED} | (?:[a-z][\w-]*[ \t]+)?(?:[^\s,;'"]|"[^"\n]*")+(?:[,;][ ]*[^\s,;='"]+=(?:[^\s,;'"]|"[^"\n]*")*)*
"""
_PATTERN = re.compile(
    rf"""
      (?P<scheme>[a-z][a-z0-9+.-]{{0,15}}://)(?:{_USERINFO})?(?P<host>{_HOST})(?P<rest>(?:[/?\#]{_REST})?)
    | (?<=url:\ )(?P<path>/{_REST})
    | (?P<query>\?(?=[\w.%\[\]-]{{1,64}}=){_REST})
    | (?P<header>(?:authorization|cookie){_NAME_END})(?:{_HEADER_VALUE})
    | (?P<name>(?:{"|".join(SECRET_NAMES)}){_NAME_END})(?:{_VALUE})
    """,
    re.IGNORECASE | re.VERBOSE,
)
_CLOSING = ".,;:!?)]}'"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_YOUTUBE_ID = re.compile(r"(?:UC|LL|FL|UU[A-Z]{0,2})[\w-]{22}|PL(?:[\w-]{16}|[\w-]{32})|OLAK5uy_[\w-]{33}")
_DIGEST_FILE = re.compile(r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})\.(?!rss|xml|json|atom)\w{2,5}")


def without_secrets(text: str, also: Iterable[str] = ()) -> str:
    """The text with what may be a secret in it replaced by `…`; the same again changes nothing.

    `also`: secrets that the caller knows, of four characters or more, also as URLs write them.
    """
    known = sorted({form for secret in also for form in _forms(secret)}, key=lambda form: (-len(form), form))
    while (cleaned := _once(text, known)) != text:  # ends: each time something is gone that was not `…`
        text = cleaned
    return text


def _once(text: str, known: list[str]) -> str:
    for secret in known:
        text = text.replace(secret, HIDDEN)
    return _PATTERN.sub(_replacement, text)


def _forms(secret: str) -> list[str]:
    forms = (secret, unquote(secret), quote(secret, safe="", errors="replace"), quote_plus(secret, errors="replace"))
    return [form for form in forms if len(form) >= MIN_KNOWN_LENGTH]


def _replacement(found: re.Match[str]) -> str:
    if found["scheme"] is not None:
        return found["scheme"] + found["host"] + _redacted(found["rest"])
    address = found["path"] or found["query"]
    return _redacted(address) if address else (found["header"] or found["name"]) + HIDDEN


def _redacted(rest: str) -> str:
    """Path, query and fragment of a URL without secrets; what ends the sentence around the URL is none of them."""
    inner = re.sub(r"(?<=://)[^/?#]*@", "", rest.rstrip(_CLOSING))
    address, hash_sign, fragment = inner.partition("#")
    path, question_mark, query = address.partition("?")
    parts = _each(path, r"([/;&])"), question_mark, _each(query, r"(&)"), hash_sign, _each(fragment, r"(&)")
    return "".join(parts) + rest[len(rest.rstrip(_CLOSING)) :]


def _each(text: str, separators: str) -> str:
    return "".join(_part(part) for part in re.split(separators, text))


def _part(part: str) -> str:
    name, equals, value = part.partition("=")
    if not equals:
        return HIDDEN if _is_token(part) else part
    if not value or (name.removeprefix("amp;") in HARMLESS and re.fullmatch(r"[\w.:,~-]+", value) and not _is_token(value)):
        return part
    return f"{name}={HIDDEN}"


def _is_token(part: str) -> bool:
    """Whether a part of a URL is evidently a token, by the rule at the head of this module."""
    written = unquote(part)
    if any(pattern.fullmatch(written) for pattern in (_UUID, _YOUTUBE_ID, _DIGEST_FILE)):
        return False
    name = re.sub(r"\.[A-Za-z0-9]{2,5}$", "", written)  # the 3 of .mp3 tells nothing
    runs = re.findall(r"[A-Za-z0-9]+", name)
    letters = "".join(runs)
    changes = len(re.findall(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+", name)) - len(runs)
    both = any(c.isdigit() for c in letters) and any(c.isalpha() for c in letters)
    return len(name) >= 24 and both and changes * 4 >= len(letters)
