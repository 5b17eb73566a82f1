"""Parsers for the options of a source in sources.yaml: durations, rates, dates, addresses, proxies.

Each function takes the text in the file and raises ValueError if it is invalid. earshot/config/sources_model.py defines the
options.
"""

import difflib
import os
import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from earshot.common.redaction import without_secrets
from earshot.config.mistakes import quoted

# The languages of whisper's tokenizer (faster-whisper 1.2.1, tokenizer._LANGUAGE_CODES): codes and whisper's names. Importing
# the tokenizer takes seconds, too long for a sensor's tick.
LANGUAGES: Mapping[str, str] = {
    "af": "afrikaans", "am": "amharic", "ar": "arabic", "as": "assamese", "az": "azerbaijani", "ba": "bashkir",
    "be": "belarusian", "bg": "bulgarian", "bn": "bengali", "bo": "tibetan", "br": "breton", "bs": "bosnian", "ca": "catalan",
    "cs": "czech", "cy": "welsh", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish",
    "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish", "fo": "faroese", "fr": "french", "gl": "galician",
    "gu": "gujarati", "ha": "hausa", "haw": "hawaiian", "he": "hebrew", "hi": "hindi", "hr": "croatian",
    "ht": "haitian creole", "hu": "hungarian", "hy": "armenian", "id": "indonesian", "is": "icelandic", "it": "italian",
    "ja": "japanese", "jw": "javanese", "ka": "georgian", "kk": "kazakh", "km": "khmer", "kn": "kannada", "ko": "korean",
    "la": "latin", "lb": "luxembourgish", "ln": "lingala", "lo": "lao", "lt": "lithuanian", "lv": "latvian", "mg": "malagasy",
    "mi": "maori", "mk": "macedonian", "ml": "malayalam", "mn": "mongolian", "mr": "marathi", "ms": "malay", "mt": "maltese",
    "my": "myanmar", "ne": "nepali", "nl": "dutch", "nn": "nynorsk", "no": "norwegian", "oc": "occitan", "pa": "punjabi",
    "pl": "polish", "ps": "pashto", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sa": "sanskrit", "sd": "sindhi",
    "si": "sinhala", "sk": "slovak", "sl": "slovenian", "sn": "shona", "so": "somali", "sq": "albanian", "sr": "serbian",
    "su": "sundanese", "sv": "swedish", "sw": "swahili", "ta": "tamil", "te": "telugu", "tg": "tajik", "th": "thai",
    "tk": "turkmen", "tl": "tagalog", "tr": "turkish", "tt": "tatar", "uk": "ukrainian", "ur": "urdu", "uz": "uzbek",
    "vi": "vietnamese", "yi": "yiddish", "yo": "yoruba", "yue": "cantonese", "zh": "chinese",
}  # fmt: skip
PROXY_SCHEMES = ("http", "https", "socks4", "socks5", "socks5h")
DAY_S = 86_400.0
HIDDEN = "hidden here, as it may be a secret"

_NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
_CLOCK = re.compile(r"(?:(\d{1,4}):(?=\d\d:))?(\d{1,4}):([0-5]\d)", re.ASCII)
_PARTS = re.compile(rf"(?=\d)(?:({_NUMBER})d)?\s?(?:({_NUMBER})h)?\s?(?:({_NUMBER})m)?\s?(?:({_NUMBER})s)?", re.ASCII)
_RATE = re.compile(rf"({_NUMBER})\s?([KMG]?)", re.ASCII | re.IGNORECASE)


def suggest_language(text: str) -> str:
    """The code that the user probably meant: en for english, englisch or en-US; "" if there is none."""
    without_region = re.split("[-_]", text)[0].lower()
    if without_region in LANGUAGES:
        return without_region
    codes = {name: code for code, name in LANGUAGES.items()}
    near = difflib.get_close_matches(text.lower(), codes, n=1, cutoff=0.85)  # deutsch and dutch have 0.83
    return codes[near[0]] if near else ""


def parse_date(text: str) -> date:
    # fromisoformat() also accepts 20240131 and 2024-W05-3; YAML's dates have hyphens.
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        raise ValueError(text)
    return date.fromisoformat(text)


def parse_duration(text: str) -> float:
    """Seconds of 90, 1.5, 90s, 10m, 1h30m, 2d, 1:30 (minutes and seconds, as in YAML 1.1) or 1:30:00."""
    if clock := _CLOCK.fullmatch(text):
        parts, units = clock.groups(), (3600.0, 60.0, 1.0)
        if parts[0] and int(parts[1]) > 59:
            raise ValueError(text)
    elif re.fullmatch(_NUMBER, text, re.ASCII):
        parts, units = (text,), (1.0,)
    elif match := _PARTS.fullmatch(text):
        parts, units = match.groups(), (DAY_S, 3600.0, 60.0, 1.0)
    else:
        raise ValueError(text)
    return sum(float(part or 0) * unit for part, unit in zip(parts, units, strict=True))


def parse_rate(text: str) -> int:
    """Bytes per second. K, M and G are powers of 1024, as in yt-dlp's --limit-rate."""
    match = _RATE.fullmatch(text)
    if not match:
        raise ValueError(text)
    return int(float(match[1]) * 1024 ** " KMG".index(match[2].upper() or " "))


def web_address(text: str) -> str:
    """The text, unchanged, if it is an http or https URL with a host."""
    _split(text, ("http", "https"))
    return text


def local_path(folder: Path, text: str) -> Path:
    """The absolute path; a relative one is resolved against `folder`."""
    if not text:
        raise ValueError(text)
    try:
        return (folder / Path(text).expanduser()).resolve()
    except RuntimeError as error:  # the home of an unknown user, or circular links
        raise ValueError(text) from error


def file_path(folder: Path, text: str) -> str:
    """The absolute path that a file names; rejects URLs and control characters."""
    if "://" in text or any(unicodedata.category(character) == "Cc" for character in text):
        raise ValueError(text)
    return str(local_path(folder, text))


def address_shown(text: str) -> str:
    """An invalid address as an error shows it; hidden if its syntax is too broken to find its secrets."""
    if "://" in text or text.startswith("@"):
        url, added = text, ""
    else:
        url, added = f"http://{text}", "http://"
    if re.search(r"://[^/?#@]*:[^@]*[/?#].*@", url):  # user:pass/word@host, in which user:pass looks like the host
        return HIDDEN
    return quoted(without_secrets(url).removeprefix(added))


def cookies_path(folder: Path, text: str) -> Path:
    path = Path(file_path(folder, text))
    if not os.path.isfile(path):  # unlike Path.is_file(), it does not raise for a name that is too long
        raise ValueError(text)
    return path


def cookies_shown(text: str) -> str:
    return HIDDEN if re.search(r"[=;]", text) else quoted(text)  # someone may write cookies instead of their file


def parse_proxy(text: str) -> str:
    parts = _split(text, PROXY_SCHEMES)
    if parts.path not in ("", "/") or parts.query or parts.fragment:  # an unescaped / ? # in a password ends the host
        raise ValueError(text)
    return text


def proxy_shown(text: str) -> str:
    """Scheme and host: a password precedes the last @ or, if there is none, follows a colon."""
    match = re.match(r"([a-z][a-z0-9]*)://(?:.*@)?([\w.-]*)", text, re.IGNORECASE)
    return repr(f"{match[1]}://{match[2]}") if match else HIDDEN


def _split(text: str, schemes: tuple[str, ...]) -> SplitResult:
    parts = urlsplit(text)  # itself raises ValueError for brackets without an IPv6 address
    # Reading the port checks it.
    if parts.scheme not in schemes or not parts.hostname or parts.port == 0 or re.search(r"[\s\x00-\x1f\x7f]", text):
        raise ValueError(text)
    return parts
