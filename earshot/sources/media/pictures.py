"""Small pictures within Markdown: PNGs of a few colours, without an imaging library, which takes half a second to import.

Dagster's UI shows Markdown in place only if it is shorter than INLINE_CHARACTERS; a longer one is behind a link.
"""

import struct
import zlib
from base64 import b64encode
from collections.abc import Sequence

import numpy as np

INLINE_CHARACTERS = 1000
Colour = tuple[int, int, int]


def indexed_png(pixels: np.ndarray, colours: Sequence[Colour]) -> bytes:
    """A PNG of `pixels` (rows of indices, uint8): 0 is transparent, 1 the first of up to 15 colours."""
    depth = 1 if len(colours) == 1 else 4
    bits = np.unpackbits(pixels[:, :, None], axis=2)[:, :, -depth:].reshape(len(pixels), -1)
    rows = np.pad(np.packbits(bits, axis=1), ((0, 0), (1, 0)))  # each row begins with its filter, 0: none
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], depth, 3, 0, 0, 0),
        b"PLTE": bytes(channel for colour in ((0, 0, 0), *colours) for channel in colour),
        b"tRNS": b"\0",
        b"IDAT": zlib.compress(rows.tobytes(), 9),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks.items())


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def markdown_image(title: str, png: bytes) -> str:
    """The picture within Markdown; `title` is its alternative text."""
    return f"![{title}](data:image/png;base64,{b64encode(png).decode()})"
