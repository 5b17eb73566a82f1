"""The waveform of a recording as a picture: how loud it is over its length. A pure function of its samples."""

import itertools

import numpy as np

from earshot.sources.media.pictures import Colour, indexed_png, markdown_image

BARS, BAR, GAP, HEIGHT = 120, 3, 1, 40  # all but BARS in pixels
SAMPLES_PER_BAR = 2000  # enough for a mean: a long recording takes no longer than a short one
COLOUR: Colour = (0x00, 0x72, 0xB2)


def waveform_picture(samples: np.ndarray) -> str:
    """The picture as Markdown. The loudest of the bars, which are root mean squares, fills the height."""
    edges = np.linspace(0, len(samples), BARS + 1).astype(int)
    loudness = np.array([_rms(samples[first:last]) for first, last in itertools.pairwise(edges)])
    heights = np.ceil(loudness / max(loudness.max(), 1e-9) * HEIGHT)
    bars = np.arange(HEIGHT)[::-1, None] < np.repeat(heights, BAR + GAP)
    bars &= np.tile([True] * BAR + [False] * GAP, BARS)
    return markdown_image("Loudness over the recording", indexed_png(bars.astype(np.uint8), [COLOUR]))


def _rms(samples: np.ndarray) -> float:
    """The root mean square of evenly spaced samples; 0 of none."""
    some = samples[:: len(samples) // SAMPLES_PER_BAR + 1].astype(np.float64)
    return float(np.sqrt(np.mean(np.square(some)))) if len(some) else 0.0
