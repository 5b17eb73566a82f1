"""Matroska by hand: files that no muxer would write. An element is its id, its size and its content."""

import struct
import zlib
from collections.abc import Iterable

Element = bytes


def element(identity: int, content: bytes, size: int | None = None) -> Element:
    """An element; `size` is what it says its content has."""
    length = len(content) if size is None else size
    name = identity.to_bytes((identity.bit_length() + 7) // 8, "big")
    return name + (length | 1 << 56).to_bytes(8, "big") + content


def number(identity: int, value: int) -> Element:
    return element(identity, value.to_bytes(max((value.bit_length() + 7) // 8, 1), "big"))


def text(identity: int, value: str) -> Element:
    return element(identity, value.encode())


def head() -> Element:
    return element(0x1A45DFA3, text(0x4282, "matroska") + number(0x4287, 4) + number(0x4285, 2))


def segment(*parts: Element, size: int | None = None) -> Element:
    return element(0x18538067, b"".join(parts), size)


def info(duration_ms: float) -> Element:
    return element(0x1549A966, number(0x2AD7B1, 1_000_000) + element(0x4489, struct.pack(">d", duration_ms)))


def audio_track(number_of: int = 1, rate: float = 16_000.0, compressed: bool = False) -> Element:
    """A track of 16-bit PCM, mono."""
    audio = element(0xE1, element(0xB5, struct.pack(">d", rate)) + number(0x9F, 1) + number(0x6264, 16))
    parts = number(0xD7, number_of) + number(0x73C5, number_of) + number(0x83, 2) + text(0x86, "A_PCM/INT/LIT") + audio
    if compressed:
        parts += element(0x6D80, element(0x6240, number(0x5033, 0) + element(0x5034, number(0x4254, 0))))
    return element(0xAE, parts)


def subtitle_track(number_of: int) -> Element:
    return element(0xAE, number(0xD7, number_of) + number(0x73C5, number_of) + number(0x83, 17) + text(0x86, "S_TEXT/UTF8"))


def tracks(of: Iterable[Element]) -> Element:
    return element(0x1654AE6B, b"".join(of))


def cluster(at_ms: int, *blocks: bytes) -> Element:
    """Each block is the content of a packet of track 1, ten seconds at the most apart."""
    simple = (
        element(0xA3, b"\x81" + struct.pack(">h", min(index, 30_000)) + b"\x80" + block) for index, block in enumerate(blocks)
    )
    return element(0x1F43B675, number(0xE7, at_ms) + b"".join(simple))


def recording(pcm: bytes, piece: int = 3200) -> list[Element]:
    """Clusters of a tenth of a second of 16-bit samples each."""
    return [cluster(at // 32, pcm[at : at + piece]) for at in range(0, len(pcm), piece)]


def bomb(megabytes: int) -> bytes:
    """A packet that unpacks to so many megabytes of silence."""
    return zlib.compress(bytes(megabytes << 20), 9)
