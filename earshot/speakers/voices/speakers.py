"""The local speakers of the whole library, as the functions here compare them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from earshot.common.text import pluralize

if TYPE_CHECKING:
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
    vectors: "np.ndarray"
    obstacles: Sequence[str]
    clear_s: "np.ndarray"
    rank: "np.ndarray"
    made_at: Sequence[datetime]


def describe_speakers(speakers: Sequence[Key]) -> str:
    """For example: 4 speakers in 3 videos."""
    videos = len({video_id for video_id, _ in speakers})
    return f"{pluralize(len(speakers), 'speaker')} in {pluralize(videos, 'video')}"


def kind_of(reason: str) -> str:
    """The kind of a reason: the text before the colon."""
    return reason.partition(":")[0]
