"""The local speakers of the whole library, as the functions here compare them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

Key = tuple[str, str]  # video_id, local_speaker


@dataclass(frozen=True)
class Speakers:
    """All local speakers in order of their keys.

    `vectors` is (n, dimension), float32, zeros where `obstacles` says why there is nothing to compare ("" where there is).
    `clear_s` are seconds, `rank` is the place in order of (published_at, video_id, local_speaker), undated videos last.
    """

    keys: Sequence[Key]
    vectors: np.ndarray
    obstacles: Sequence[str]
    clear_s: np.ndarray
    rank: np.ndarray
    made_at: Sequence[datetime]
