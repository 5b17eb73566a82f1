"""Pictures within Markdown, as pixels."""

from base64 import b64decode
from io import BytesIO

import numpy as np
from PIL import Image


def pixels_of(markdown: str) -> np.ndarray:
    """Red, green, blue and opacity of a picture within Markdown."""
    encoded = markdown.split("base64,")[1].removesuffix(")")
    return np.asarray(Image.open(BytesIO(b64decode(encoded))).convert("RGBA"))
