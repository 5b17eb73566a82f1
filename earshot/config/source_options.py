"""The options of a source: how each is written in sources.yaml, what is allowed, and which field of `Source` it sets.

`options()` and `addresses()` give the tables. Each reader takes the text as it stands in the file, since YAML would make
False of the language `no`, and 8 of `010`. It raises ValueError where the text is not allowed; earshot/config/sources_file.py
then tells the user in the option's own words. Reading the file, and what holds between several options, is done there.
"""

import os
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from earshot.common.redaction import without_secrets
from earshot.config.yaml_errors import quoted

# The codes of whisper's tokenizer, as in faster-whisper 1.2.1 (faster_whisper/tokenizer.py, _LANGUAGE_CODES); importing that
# takes seconds, which a sensor's tick has not.
LANGUAGES = frozenset({
    "af", "am", "ar", "as", "az", "ba", "be", "bg", "bn", "bo", "br", "bs", "ca", "cs", "cy", "da", "de", "el", "en", "es",
    "et", "eu", "fa", "fi", "fo", "fr", "gl", "gu", "ha", "haw", "he", "hi", "hr", "ht", "hu", "hy", "id", "is", "it", "ja",
    "jw", "ka", "kk", "km", "kn", "ko", "la", "lb", "ln", "lo", "lt", "lv", "mg", "mi", "mk", "ml", "mn", "mr", "ms", "mt",
    "my", "ne", "nl", "nn", "no", "oc", "pa", "pl", "ps", "pt", "ro", "ru", "sa", "sd", "si", "sk", "sl", "sn", "so", "sq",
    "sr", "su", "sv", "sw", "ta", "te", "tg", "th", "tk", "tl", "tr", "tt", "uk", "ur", "uz", "vi", "yi", "yo", "yue", "zh",
})  # fmt: skip
PROXY_SCHEMES = ("http", "https", "socks4", "socks5", "socks5h")
BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}  # of YAML 1.1
DAY_S = 86_400.0
MAX_DURATION_S = 365 * DAY_S
HIDDEN = "hidden here, as it may be a secret"

_NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
_CLOCK = re.compile(r"(?:(\d{1,4}):(?=\d\d:))?(\d{1,4}):([0-5]\d)", re.ASCII)
_PARTS = re.compile(rf"(?=\d)(?:({_NUMBER})d)?\s?(?:({_NUMBER})h)?\s?(?:({_NUMBER})m)?\s?(?:({_NUMBER})s)?", re.ASCII)
_RATE = re.compile(rf"({_NUMBER})\s?([KMG]?)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Option:
    """One option. `read` makes the value of `field`, or raises ValueError; `allowed` says in words what it takes."""

    field: str
    read: Callable[[str], Any]
    allowed: str
    of_folders: bool = False  # it means something for a folder as well
    shown: Callable[[str], str] = quoted  # how an error shows a text that was not allowed


def options(folder: Path) -> dict[str, Option]:
    """The options by their keys in sources.yaml. Relative paths in them start in `folder`."""
    truth = "true or false."
    length = "a duration such as 90, 90s, 10m, 1h30m or 1:30:00, from {} to 365d."
    return {
        "name": Option("name", name, "some words, at most 100 characters.", of_folders=True),
        "since": Option("since", parse_date, "a date such as 2024-01-31."),
        "newest_first": Option("newest_first", _truth, truth, of_folders=True),
        "limit": Option("limit", partial(parse_int, 1, 1_000_000), "a whole number from 1 to 1000000.", of_folders=True),
        "longer_than": Option("longer_than_s", partial(parse_duration, 1.0), length.format("1s"), of_folders=True),
        "shorter_than": Option("shorter_than_s", partial(parse_duration, 1.0), length.format("1s"), of_folders=True),
        "skip_shorts": Option("skip_shorts", _truth, truth),
        "skip_live": Option("skip_live", _truth, truth),
        "skip_members_only": Option("skip_members_only", _truth, truth),
        "language": Option("language", _language, f"a code of whisper's: {' '.join(sorted(LANGUAGES))}.", of_folders=True),
        "priority": Option("priority", partial(parse_int, -10, 10), "a whole number from -10 to 10.", of_folders=True),
        "cookies": Option(
            "cookies",
            partial(_cookies, folder),
            "the path of a file that exists, in Netscape's format; a relative one starts in the folder of this file.",
            shown=_cookies_shown,
        ),
        "proxy": Option(
            "proxy",
            _proxy,
            f"scheme://user:password@host:port, the scheme one of {', '.join(PROXY_SCHEMES)}; @ / ? # % in a password are "
            "written %40 %2F %3F %23 %25.",
            shown=_proxy_shown,
        ),
        "rate": Option("rate", parse_rate, "bytes per second, from 1: a number, or one such as 500K or 2M."),
        "at_once": Option("at_once", partial(parse_int, 1, 8), "a whole number from 1 to 8."),
        "pause": Option("pause_s", partial(parse_duration, 0.0), length.format("0s")),
        "every": Option("every_s", partial(parse_duration, 10.0), length.format("10s"), of_folders=True),
        "allow_private": Option("allow_private", _truth, truth),
    }


def addresses(folder: Path) -> dict[str, Option]:
    """The keys that say what a source is and where, read as the options are."""
    of_web = Option("address", web_address, "an http or https URL. A folder is named by `folder`.", shown=address_shown)
    local = partial(_folder, folder)
    of_folder = Option("address", local, "the path of a folder; a relative one starts in the folder of this file.")
    return {"channel": of_web, "playlist": of_web, "feed": of_web, "folder": of_folder, "url": of_web}


def is_plain(text: str) -> bool:
    """Whether it is one line of characters that every log and database takes: no control characters."""
    return not any(unicodedata.category(character) == "Cc" for character in text)


def name(text: str) -> str:
    """What a source is called: without secrets, in case its address was taken for it."""
    words = without_secrets(text.strip())
    if not 1 <= len(words) <= 100:
        raise ValueError(text)
    return words


def parse_date(text: str) -> date:
    # fromisoformat() takes 20240131 and 2024-W05-3 as well; YAML's own dates are written with hyphens.
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        raise ValueError(text)
    return date.fromisoformat(text)


def parse_int(lowest: int, highest: int, text: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,9}", text, re.ASCII) or not lowest <= int(text) <= highest:
        raise ValueError(text)
    return int(text)


def parse_duration(shortest_s: float, text: str) -> float:
    """Seconds of 90, 1.5, 90s, 10m, 1h30m, 2d, 1:30 (minutes, as YAML 1.1 has it too) or 1:30:00."""
    if clock := _CLOCK.fullmatch(text):
        parts, units = clock.groups(), (3600.0, 60.0, 1.0)
        if parts[0] and int(parts[1]) > 59:
            raise ValueError(text)
    elif re.fullmatch(_NUMBER, text, re.ASCII):
        parts, units = (text,), (1.0,)
    elif written := _PARTS.fullmatch(text):
        parts, units = written.groups(), (DAY_S, 3600.0, 60.0, 1.0)
    else:
        raise ValueError(text)
    seconds = sum(float(part or 0) * unit for part, unit in zip(parts, units, strict=True))
    if not shortest_s <= seconds <= MAX_DURATION_S:
        raise ValueError(text)
    return seconds


def parse_rate(text: str) -> int:
    """Bytes per second. K, M and G are powers of 1024, as in yt-dlp's own --limit-rate."""
    written = _RATE.fullmatch(text)
    if not written:
        raise ValueError(text)
    number, unit = written.groups()
    per_second = int(float(number) * 1024 ** " KMG".index(unit.upper() or " "))
    if per_second < 1:
        raise ValueError(text)
    return per_second


def web_address(text: str) -> str:
    """An http or https URL with a host, as it was written."""
    _split(text, ("http", "https"))
    return text


def local_path(folder: Path, text: str) -> Path:
    """The absolute path; a relative one starts in `folder`."""
    if not text:
        raise ValueError(text)
    try:
        return (folder / Path(text).expanduser()).resolve()
    except RuntimeError as error:  # the home of a user who does not exist, or links in a circle
        raise ValueError(text) from error


def address_shown(text: str) -> str:
    """An address that was not allowed: what is wrong with it may be what would have told its secrets apart."""
    if "://" in text or text.startswith("@"):
        url, added = text, ""
    else:
        url, added = f"http://{text}", "http://"
    if re.search(r"://[^/?#@]*:[^@]*[/?#].*@", url):  # user:pass/word@host, where only user:pass seems to be the host
        return HIDDEN
    return quoted(without_secrets(url).removeprefix(added))


def _truth(text: str) -> bool:
    if text.lower() not in BOOLEANS:
        raise ValueError(text)
    return BOOLEANS[text.lower()]


def _language(text: str) -> str:
    if text.lower() not in LANGUAGES:
        raise ValueError(text)
    return text.lower()


def _folder(folder: Path, text: str) -> str:
    if "://" in text:
        raise ValueError(text)
    return str(local_path(folder, text))


def _cookies(folder: Path, text: str) -> Path:
    path = local_path(folder, text)
    if not os.path.isfile(path):  # unlike Path.is_file(), it takes a name that is too long
        raise ValueError(text)
    return path


def _cookies_shown(text: str) -> str:
    return HIDDEN if re.search(r"[=;]", text) else quoted(text)  # the cookies themselves instead of their file


def _proxy(text: str) -> str:
    parts = _split(text, PROXY_SCHEMES)
    if parts.path not in ("", "/") or parts.query or parts.fragment:  # a password with / ? # in it was cut there
        raise ValueError(text)
    return text


def _proxy_shown(text: str) -> str:
    """Scheme and host: a password stands before the last @, or, where that is missing, after a colon."""
    found = re.match(r"([a-z][a-z0-9]*)://(?:.*@)?([\w.-]*)", text, re.IGNORECASE)
    return repr(f"{found[1]}://{found[2]}") if found else HIDDEN


def _split(text: str, schemes: tuple[str, ...]) -> SplitResult:
    parts = urlsplit(text)  # a ValueError of its own where brackets do not hold an IPv6 address
    # Reading the port is what checks it.
    if parts.scheme not in schemes or not parts.hostname or parts.port == 0 or re.search(r"[\s\x00-\x1f\x7f]", text):
        raise ValueError(text)
    return parts
