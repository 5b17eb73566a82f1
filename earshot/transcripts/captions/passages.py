"""Cuts captions into passages for search, as words that were heard are cut. Pure functions over DataFrames.

Captions say who speaks by a name in the text, if at all: it stays text, and no passage has a speaker.
"""

from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from earshot.common.errors import EarshotError
from earshot.transcripts.captions.cues import CaptionCue
from earshot.transcripts.passages import Limits, cut_passages

# 55 hours of passages of 20 s; embedding them takes some minutes.
MAX_PASSAGES = 10_000

_WORD_COLUMNS = ["start_s", "end_s", "text", "voice"]


def caption_passages(
    cues: Sequence[CaptionCue], seconds: float, window: int, token_counts: Callable[[Sequence[str]], list[int]]
) -> pd.DataFrame:
    """The passages of cues in order (PASSAGE_COLUMNS), within `seconds` and within `window` tokens as `token_counts` has them.

    Raises EarshotError if there are more than MAX_PASSAGES.
    """
    words = pd.DataFrame([word for cue in cues for word in _words(cue)], columns=_WORD_COLUMNS)
    voices = words.voice.tolist()
    names = max(token_counts([f"{voice}:" for voice in set(voices)]), default=0) if any(voices) else 0
    limits = Limits(seconds, max(window - names, window // 2))
    passages = cut_passages(words, voices, token_counts(words.text.tolist()), limits)
    if len(passages) > MAX_PASSAGES:
        raise EarshotError(f"The captions make {len(passages)} passages.", f"At most {MAX_PASSAGES} are searched.")
    texts = [f"{voice}: {text}" if voice else text for voice, text in zip(passages.local_speaker, passages.text, strict=True)]
    return passages.assign(text=texts, local_speaker=pd.Series([None] * len(passages), dtype=object))


def _words(cue: CaptionCue) -> Iterator[tuple[float, float, str, str]]:
    """The words of a cue, each with the space before it; the cue's time is spread evenly by letters."""
    texts = cue.text.split()
    letters, before, length_s = sum(map(len, texts)), 0, cue.end_s - cue.start_s
    for text in texts:
        after = before + len(text)
        yield (cue.start_s + length_s * before / letters, cue.start_s + length_s * after / letters, f" {text}", cue.voice)
        before = after
