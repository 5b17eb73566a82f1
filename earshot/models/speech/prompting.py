"""Prompting: fits a user's prompt and vocabulary into what whisper takes before the speech.

A prompt steers whisper, sometimes off the speech: it repeats the prompt, or ends before the speech does. `follows_speech()`
compares a reading with the one without any prompt.

Whisper has 448 tokens for the prompt and the words that it hears in 30 s. faster-whisper gives up to 223 of them to the prompt
and again to the hotwords, which together would leave none to hear. Here both share 223.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from faster_whisper.transcribe import get_compression_ratio

MOST_TOKENS = 223
PROMPT_TOKENS = 111  # of these, if there is a vocabulary

# A reading with hints is spelt otherwise, but has about as many letters, most of them the same. Readings that lost a window had
# half of the letters or fewer (docs/guides/hints.md).
LEAST_LETTERS, LEAST_ALIKE = 0.8, 0.5
LOOP = 2.4  # whisper's own compression_ratio_threshold

Encode = Callable[[str], Sequence[int]]


@dataclass(frozen=True)
class Prompt:
    """What whisper is given before the speech: some text, and words.

    In `not_followed` of the recording's `windows`, the reading without them was kept.
    """

    text: str = ""
    words: tuple[str, ...] = ()
    windows: int = 0
    not_followed: int = 0

    @property
    def hotwords(self) -> str:
        return ", ".join(self.words)


def fit_prompt(text: str, words: Sequence[str], encode: Encode, first_special: int) -> Prompt:
    """The beginning of the text, and the first words, that fit. Words with tokens from `first_special` on are left out, because
    these steer whisper (`<|endoftext|>`)."""
    text = _fit_text(text, encode, first_special, PROMPT_TOKENS if words else MOST_TOKENS)
    room = MOST_TOKENS - len(encode(f" {text}")) if text else MOST_TOKENS
    chosen: list[str] = []
    for word in words:
        if max(encode(word), default=first_special) >= first_special:
            continue
        if len(encode(f" {', '.join([*chosen, word])}")) > room:
            break
        chosen.append(word)
    return Prompt(text, tuple(chosen))


def _fit_text(text: str, encode: Encode, first_special: int, most: int) -> str:
    if max(encode(text), default=0) >= first_special:
        text = " ".join(word for word in text.replace("<|", " ").replace("|>", " ").split())
    while (tokens := len(encode(f" {text}"))) > most:
        text = text[: len(text) * most // tokens].rstrip()
    return text


def follows_speech(hinted: str, plain: str) -> bool:
    """Whether the reading of a window with hints is one of the same speech as that without."""
    if get_compression_ratio(plain) > LOOP:
        return True
    if get_compression_ratio(hinted) > LOOP or len(hinted) < LEAST_LETTERS * len(plain):
        return False
    return SequenceMatcher(None, hinted.casefold(), plain.casefold(), autojunk=False).ratio() >= LEAST_ALIKE
