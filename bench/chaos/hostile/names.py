"""Names of files: of 255 bytes in several scripts, with what a shell, a terminal, HTML or SQL would obey, or not in Unicode."""

import os
from collections.abc import Iterator
from functools import partial

import soundfile

from bench.chaos.hostile.case import NO_SOURCE, NOT_MEDIA, Case, Made, Place
from earshot.common.audio import SAMPLE_RATE

SUFFIX = ".wav"
ROOM = 255 - len(SUFFIX)
NAMES: dict[str, str | bytes] = {
    "255 bytes of Latin": "a" * ROOM,
    "255 bytes of Japanese": "録" * (ROOM // 3),
    "255 bytes of emoji": "🎙" * (ROOM // 4),
    "255 bytes of Devanagari with marks": "क्षि" * (ROOM // len("क्षि".encode())),
    "255 bytes of one letter with marks": "e" + "\u0301" * ((ROOM - 1) // 2),
    "text that runs to the left": "\u202egnp.exe",
    "isolates that are not closed": "\u2066\u2067\u2068" * 20,
    "no visible character": "\u200b\u2060\ufeff",
    "a line break": "one\ntwo\r\nthree",
    "line and paragraph separators": "one\u2028two\u2029three",
    "a tab and a bell": "one\ttwo\a",
    "a terminal's escapes": "\x1b[2J\x1b]0;owned\x07",
    "an option": "--force",
    "an option of FFmpeg": "-i",
    "a dot": ".hidden",
    "two dots and a space": "..  ",
    "a protocol of FFmpeg": "concat:a|b",
    "an address": "http:example.com",
    "a pattern": "[a-z]*?{1,2}",
    "formats of printf and yt-dlp": "%s%n%(title)s{0}{x!r}",
    "orders of a shell": "$(touch owned)`touch owned`;&|<>",
    "HTML": "<img src=x onerror=alert(1)>",
    "SQL": "'; DROP TABLE videos; --",
    "a formula": '=HYPERLINK("x")',
    "a backslash": "a\\..\\b",
    "bytes that are not UTF-8": b"M\xfcller \xff\xfe",
    "half a character": b"\xed\xa0\x80",
    "an overlong slash": b"\xc0\xaf",
}


WHOLE = ("255 bytes of Japanese", "a line break", "formats of printf and yt-dlp")


def name_cases(seed: int) -> Iterator[Case]:
    """All of them; the seed changes none."""
    del seed
    for number, (what, name) in enumerate(NAMES.items()):
        states, message = (("ready",), "") if isinstance(name, str) else ((NO_SOURCE,), "not UTF-8")
        yield Case("file name", what, partial(_spoken, number, name), states, message, words=None, whole=what in WHOLE)
    for what, name in (
        ("255 bytes", "b" * ROOM),
        ("a line break", "one\ntwo"),
        ("Latin-1", b"M\xfcller"),
        ("escapes", "\x1b[2J"),
    ):
        states, message = (("failed",), NOT_MEDIA) if isinstance(name, str) else ((NO_SOURCE,), "not UTF-8")
        yield Case("file name", f"no media, called by {what}", partial(_text, name), states, message)


def _named(place: Place, name: str | bytes) -> str:
    return os.path.join(place.folder, os.fsdecode(name) + SUFFIX)


def _spoken(number: int, name: str | bytes, place: Place) -> Made:
    """A second of speech, of another loudness for each, so that each is another video."""
    path = _named(place, name)
    with open(path, "wb") as file:
        soundfile.write(file, place.speech[:SAMPLE_RATE] * (1 - number / 100), SAMPLE_RATE, format="WAV")
    return Made(path)


def _text(name: str | bytes, place: Place) -> Made:
    path = _named(place, name)
    with open(path, "wb") as file:
        file.write(b"no sound " + repr(name).encode())
    return Made(path)
