"""The local speakers of the whole library, as the functions here compare them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

Key = tuple[str, str]  # video_id, local_speaker


@dataclass(frozen=True)
class Speakers:
    """All local speakers in order of their keys.

    `vectors` is (n, dimension), float32. A speaker without a comparable vector has zeros, and the reason in `obstacles` (else
    ""). `clear_s` has seconds of clear speech, `rank` the position by (published_at, video_id, local_speaker), undated videos
    last.
    """

    keys: Sequence[Key]
    vectors: np.ndarray
    obstacles: Sequence[str]
    clear_s: np.ndarray
    rank: np.ndarray
    made_at: Sequence[datetime]
