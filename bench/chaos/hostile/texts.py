"""Texts: sources.yaml, people.yaml and earshot.toml as no one writes them, and captions beside a recording."""

from collections.abc import Iterator
from functools import partial
from random import Random

import soundfile

from bench.chaos.hostile.case import NO_SOURCE, READ, Case, Made, Place
from earshot.common.audio import SAMPLE_RATE

EITHER = (NO_SOURCE, READ)
GOOD = {
    "sources": "sources:\n  - channel: https://www.youtube.com/@Some\n    since: 2024-01-01\n    limit: 5\n"
    "  - folder: talks\n    language: en\n    vocabulary: [Ada, Bo]\n    every: 10m\ndefaults:\n  pause: 2s\n  keep_days: 30\n",
    "people": "people:\n  - name: Ada\n    notes: a note\n    samples:\n      - file: ada.wav\n        spans: [0:10-0:40]\n"
    "  - name: Bo\n    samples:\n      - video: abc\n        spans: [0:10-0:40, 1:00-1:30]\n",
    "settings": 'device = "cpu"\nhome = "/data/earshot"\nworkers = 2\nmonologue = true\nowners = "team:audio"\n',
}
TOKENS = [
    "*a",
    "&a ",
    "<<: ",
    "!!python/object:os.system ",
    "[",
    "]",
    "{",
    "}",
    "- ",
    "\n",
    "\t",
    "\0",
    "\x85",
    "'",
    '"',
    "~",
    ".inf",
]
TOKENS += [
    "9" * 40,
    "-1",
    "1e400",
    "null",
    "\ud7ff",
    "\u2028",
    "\ufeff",
    "%YAML 9.9\n",
    "---\n",
    "...\n",
    "? ",
    ": ",
    "|\n",
    "#",
    "= ",
]


def text_cases(seed: int) -> Iterator[Case]:
    for door in ("sources", "people"):
        for name, content in _yaml(door).items():
            yield Case(
                "configuration", f"{door}.yaml: {name}", partial(_file, f"{door}.yaml", content), (NO_SOURCE,), door=door
            )
    for name, content in _toml().items():
        make = partial(_file, "earshot.toml", content)
        yield Case("configuration", f"earshot.toml: {name}", make, (NO_SOURCE,), door="settings")
    for door, good in GOOD.items():
        for number in range(12):
            content = _fuzzed(good, Random(f"{seed} {door} {number}"))
            yield Case("configuration", f"{door}, fuzzed {number + 1}", partial(_file, door, content), EITHER, door=door)
    for name, (suffix, captions) in _captions().items():
        yield Case("captions", name, partial(_beside, name, suffix, captions), ("ready",), words=None)


def _file(name: str, content: bytes, place: Place) -> Made:
    path = place.folder / name
    path.write_bytes(content)
    return Made(str(path))


def _yaml(key: str) -> dict[str, bytes]:
    aliases = ["a0: &a0 [x, x, x, x, x, x, x, x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))]
    texts = {
        "a bomb of aliases": "\n".join([*aliases, f"{key}: *a11"]),
        "an alias of itself": f"{key}: &a\n  - *a\n",
        "an alias of itself in each value": f"{key}: &a\n  - &b {{name: *b, channel: *b, url: *a, samples: *a, notes: *b}}\n",
        "100,000 brackets": f"{key}: " + "[" * 100_000,
        "100,000 dashes": f"{key}:\n" + "- " * 100_000,
        "3,000 levels of mappings": "\n".join(" " * level + "a:" for level in range(3000)),
        "a value of 1.5 MB": f"{key}:\n  - url: {'k' * 1_500_000}\n",
        "a file of 20 MB": f"{key}:\n" + "  - url: https://example.com/1\n" * 700_000,
        "an object of Python": f"{key}: !!python/object/apply:os.system ['touch owned']\n",
        "20,000 keys": "".join(f"k{number}: 1\n" for number in range(20_000)),
        "5,000 documents": "---\n" * 5000,
        "keys that are lists": "? [a, b]\n: c\n? {a: b}\n: d\n",
        "numbers without end": f"{key}:\n  - url: x\n    limit: {'9' * 5000}\n    since: 9999999-99-99\n    rate: 1e999\n",
        "a control character": f"{key}:\n  - url: 'a\0b'\n",
        "addresses that are none": f"{key}:\n  - url: https://[::1\n  - url: http://exa\u2100mple.com/\n  - url: http://a:999999/\n",
        "a list instead of a mapping": "- a\n- b\n",
        "wrong types": f"{key}: 5\ndefaults: [1]\n",
    }
    return {name: text.encode() for name, text in texts.items()} | {
        "not UTF-8": f"{key}: ".encode() + b"\xff\xfe",
        "binary": bytes(range(256)) * 50,
    }


def _toml() -> dict[str, bytes]:
    texts = {
        "5,000 brackets": "home = " + "[" * 5000,
        "50,000 dots": "a." * 50_000 + "a = 1",
        "5,000 digits": "workers = " + "9" * 5000,
        "5,000 digits of 16": "workers = 0x" + "f" * 5000,
        "infinity and nan": "workers = inf\nworker_memory_gb = nan\n",
        "a control character": 'home = "a\\u0000b"',
        "wrong types": "home = 1979-05-27\nworkers = [1]\ndevice = {a = 1}\n",
        "a user who does not exist": 'sources = "~nouser/x"',
    }
    return {name: text.encode() for name, text in texts.items()} | {"not UTF-8": b'home = "\xff"'}


def _fuzzed(good: str, random: Random) -> bytes:
    """The good text with a few tokens put in, parts left out or repeated, and bytes changed."""
    text = good
    for _ in range(random.randint(1, 8)):
        at, end = sorted(random.randrange(len(text) + 1) for _ in range(2))
        token = random.choice(TOKENS) * random.choice((1, 1, 3, 50))
        text = random.choice((text[:at] + token + text[at:], text[:at] + text[end:], text[:end] + text[at:end] + text[end:]))
    return text.encode(errors="surrogatepass")


def _captions() -> dict[str, tuple[str, bytes]]:
    cue = "{}\n00:00:0{}.000 --> 00:00:0{}.500\n{}\n\n"
    return {
        "300,000 cues": ("vtt", b"WEBVTT\n\n" + b"00:00.000 --> 00:01.000\nx\n\n" * 300_000),
        "a cue of 9 MB": ("vtt", b"WEBVTT\n\n00:00.000 --> 00:01.000\n" + b"word " * 1_800_000),
        "tags within tags": ("vtt", b"WEBVTT\n\n00:00.000 --> 00:01.000\n" + b"<v a><b><i>" * 100_000),
        "entities": ("vtt", b"WEBVTT\n\n00:00.000 --> 00:01.000\n" + b"&amp;lt;&#0;&#xd800;&#99999999999;" * 10_000),
        "a file of 50 MB": ("srt", b"1\n00:00:00,000 --> 00:00:01,000\nx\n\n" * 1_400_000),
        "times that go back and overlap": (
            "srt",
            "".join(cue.format(n, 9 - n, n, "x") for n in range(1, 9)).replace(".", ",").encode(),
        ),
        "times without end": (
            "srt",
            b"1\n999999999999:99:99,999 --> 00:00:00,000\nx\n\n1\n-1:00:00,000 --> 99:99:99,9999999\ny\n",
        ),
        "not UTF-8": ("vtt", b"WEBVTT\n\n00:00.000 --> 00:01.000\n\xff\xfe\xed\xa0\x80\n"),
        "a program": ("srt", b"\x7fELF" + bytes(range(256)) * 1000),
    }


def _beside(name: str, suffix: str, captions: bytes, place: Place) -> Made:
    path = place.folder / "talk.wav"
    loudness = 0.5 + sum(name.encode()) % 97 / 200
    soundfile.write(path, place.speech[:SAMPLE_RATE] * loudness, SAMPLE_RATE)
    path.with_suffix(f".{suffix}").write_bytes(captions)
    return Made(str(path))
