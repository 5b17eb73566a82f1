"""Redaction: removes secrets from logs, metadata, errors and run configurations.

`without_secrets()` applies these rules to a text until nothing changes:

- In a URL, userinfo (`user:password@`) is dropped. In its path, query and fragment, `name=value` keeps its value only if the
  name is in `HARMLESS`; any other value becomes `…`. Parts that are no such pair stay, except evident tokens.
- An *evident token* has at least 24 characters (without a file's suffix), both letters and digits, and changes between small
  letters, capitals and digits at least once per four characters (a word's first capital, a hyphen or a dot is no change).
  Random text changes every two characters, words and dates every six or more. Kept although they look alike: UUIDs, YouTube's
  channel and playlist ids, and files named by a digest, unless the file is a feed.
- A query without its URL, as in urllib3's messages, is treated like one within a URL.
- Outside URLs, the values of `Authorization`, `Cookie` and names that end in one of `SECRET_NAMES` are replaced.

A secret that matches none of these is replaced only if the caller passes it in `also`.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from urllib.parse import quote, quote_plus, unquote

HIDDEN = "…"
HARMLESS = frozenset({
    "v", "list", "id", "playlist_id", "channel_id", "p", "page", "ep", "episode", "format", "index", "t", "start",
})  # fmt: skip
SECRET_NAMES = ("token", "password", "passwd", "secret", "api_key", "api-key", "apikey")

# Shorter secrets occur within ordinary words.
MIN_KNOWN_LENGTH = 4
ADDRESS_LENGTH = 500  # longer texts are not addresses

_USERINFO = r"""
    [^\s/?\#"<>]*@
    # An unescaped password extends to the last @, unless a port follows the colon.
    | [^\s/?\#@:\["<>]*:(?!\d*(?:[/?\#]|$))[^\s"<>]{0,256}@
"""
_HOST = r"""(?:\[[\w:.%]*\] | [^\s/?\#"<>,;:'(){}\[\]|]*)(?::\d*)?"""
# A URL inside another one is matched separately.
_REST = r"""(?:(?!(?:https?|ftps?|socks\w{0,2})://)[^\s"<>])*"""
_NAME_END = r"""[\\'"]*[ \t]*[:=][ \t]*(?:b(?=[\\'"]))?[\\'"]*"""
_QUOTED = r"""(?<=")[^"\n]+ | (?<=')[^'\n]+"""
_VALUE = rf"""{_QUOTED} | [^\s,;&'"<>]+"""
# A scheme (Bearer), then an unquoted value, then further pairs: parameters of Digest, further cookies.
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
    """The text with every possible secret replaced by `…`; idempotent.

    `also`: secrets that the caller knows, replaced as they are and URL-encoded; those under MIN_KNOWN_LENGTH are ignored.
    """
    known = sorted({form for secret in also for form in _forms(secret)}, key=lambda form: (-len(form), form))
    return _cleaned_address(text) if len(text) <= ADDRESS_LENGTH and not known else _cleaned(text, known)


def _cleaned(text: str, known: Sequence[str]) -> str:
    while (cleaned := _once(text, known)) != text:  # terminates: each pass removes something that was not `…`
        text = cleaned
    return text


@lru_cache(maxsize=1000)
def _cleaned_address(text: str) -> str:
    """Cached for texts as short as addresses, since a page shows hundreds of sources, and each takes 0.1 ms."""
    return _cleaned(text, ())


def _once(text: str, known: Sequence[str]) -> str:
    for secret in known:
        text = text.replace(secret, HIDDEN)
    return _PATTERN.sub(_replacement, text)


def _forms(secret: str) -> list[str]:
    forms = (secret, unquote(secret), quote(secret, safe="", errors="replace"), quote_plus(secret, errors="replace"))
    return [form for form in forms if len(form) >= MIN_KNOWN_LENGTH]


def _replacement(match: re.Match[str]) -> str:
    if match["scheme"] is not None:
        return match["scheme"] + match["host"] + _redact_url(match["rest"])
    address = match["path"] or match["query"]
    return _redact_url(address) if address else (match["header"] or match["name"]) + HIDDEN


def _redact_url(rest: str) -> str:
    """A URL's path, query and fragment without secrets; punctuation of the sentence around the URL stays."""
    inner = re.sub(r"(?<=://)[^/?#]*@", "", rest.rstrip(_CLOSING))
    address, hash_sign, fragment = inner.partition("#")
    path, question_mark, query = address.partition("?")
    parts = _redact(path, r"([/;&])"), question_mark, _redact(query, r"(&)"), hash_sign, _redact(fragment, r"(&)")
    return "".join(parts) + rest[len(rest.rstrip(_CLOSING)) :]


def _redact(text: str, separators: str) -> str:
    return "".join(_redact_part(part) for part in re.split(separators, text))


def _redact_part(part: str) -> str:
    name, equals, value = part.partition("=")
    if not equals:
        return HIDDEN if _is_token(part) else part
    if not value or (name.removeprefix("amp;") in HARMLESS and re.fullmatch(r"[\w.:,~-]+", value) and not _is_token(value)):
        return part
    return f"{name}={HIDDEN}"


def _is_token(part: str) -> bool:
    """Whether a part of a URL is an evident token, as the module's docstring defines it."""
    decoded = unquote(part)
    if any(pattern.fullmatch(decoded) for pattern in (_UUID, _YOUTUBE_ID, _DIGEST_FILE)):
        return False
    name = re.sub(r"\.[A-Za-z0-9]{2,5}$", "", decoded)  # without the suffix: the 3 of .mp3 does not count
    runs = re.findall(r"[A-Za-z0-9]+", name)
    letters = "".join(runs)
    changes = len(re.findall(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+", name)) - len(runs)
    both = any(c.isdigit() for c in letters) and any(c.isalpha() for c in letters)
    return len(name) >= 24 and both and changes * 4 >= len(letters)
