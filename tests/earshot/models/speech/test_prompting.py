"""Prompts and hotwords: what fits, what whisper makes of them, and what it does not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.corpora.episodes import TELEPHONE, clip_samples
from earshot.common.audio import SAMPLE_RATE
from earshot.config.hints import Hints, parse_prompt, parse_vocabulary
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.models.speech.prompting import MOST_TOKENS, PROMPT_TOKENS, fit_prompt, follows_speech
from earshot.models.speech.transcriber import Transcription

SPECIAL = 10**6  # the first special token of `encode()`
PLAIN = "This is Diane in New Jersey. And I'm Sheila in Texas, originally from Chicago."


def encode(text: str) -> list[int]:
    """A token for each character, and one for a mark like whisper's."""
    return [SPECIAL if part == "<|x|>" else ord(part) for part in _parts(text)]


def _parts(text: str) -> list[str]:
    before, mark, after = text.partition("<|x|>")
    return [*before, *([mark] if mark else []), *(_parts(after) if after else [])]


def test_first_words_that_fit_are_taken() -> None:
    assert fit_prompt("", ["Nagg", "Nell"], encode, SPECIAL).hotwords == "Nagg, Nell"
    words = [f"word{number}" for number in range(1000)]
    fitted = fit_prompt("", words, encode, SPECIAL)
    assert fitted.words == tuple(words[: len(fitted.words)])
    assert MOST_TOKENS - 10 < len(encode(f" {fitted.hotwords}")) <= MOST_TOKENS


def test_prompt_leaves_room_for_words() -> None:
    fitted = fit_prompt("talk " * 1000, ["Nell"], encode, SPECIAL)
    assert (len(fitted.text) < PROMPT_TOKENS, fitted.words) == (True, ("Nell",))
    assert len(fit_prompt("talk " * 1000, [], encode, SPECIAL).text) > PROMPT_TOKENS


def test_special_tokens_are_left_out() -> None:
    fitted = fit_prompt("one <|x|> two", ["Nagg", "<|x|>", "Nell<|x|>"], encode, SPECIAL)
    assert (fitted.text, fitted.words) == ("one x two", ("Nagg",))


@given(st.text(), st.lists(st.text(min_size=1)))
def test_any_hints_fit(prompt: str, words: list[str]) -> None:
    fitted = fit_prompt(parse_prompt(prompt), parse_vocabulary(words), encode, SPECIAL)
    assert len(encode(f" {fitted.text}")) + len(encode(f" {fitted.hotwords}")) <= MOST_TOKENS + 2
    (fitted.text + fitted.hotwords).encode()


@pytest.mark.parametrize(
    ("hinted", "follows"),
    [
        (PLAIN.replace("Diane", "Dyane").replace("Sheila", "Shila"), True),
        (PLAIN[: len(PLAIN) // 2], False),
        ("", False),
        ("blah " * 100, False),
        ("Once upon a time there was a princess who lived in a tower by the sea, all alone.", False),
    ],
)
def test_reading_that_leaves_the_speech_is_refused(hinted: str, follows: bool) -> None:
    assert follows_speech(hinted, PLAIN) is follows


def test_reading_may_end_a_loop() -> None:
    assert follows_speech(PLAIN, "And I'm Sheila. " * 40)


# --- with the real model -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def samples(home: object) -> np.ndarray:
    """Twelve seconds of the call, in which Diane and Sheila say their names and that they are from Chicago."""
    assert home
    return clip_samples(TELEPHONE)[12 * SAMPLE_RATE : 24 * SAMPLE_RATE]


def read(samples: np.ndarray, hints: Hints, language: str | None = None) -> Transcription:
    return Models().transcriber(require_device("cpu")).transcribe(samples, language=language, hints=hints)


def text(transcript: Transcription) -> str:
    return "".join(transcript.words.text)


@pytest.mark.slow
def test_names_are_spelt_as_the_vocabulary_has_them(home: object) -> None:
    assert home
    call, names = clip_samples(TELEPHONE), ("Dyane", "Shila", "Chikago")
    plain, hinted = read(call, Hints()), read(call, Hints(vocabulary=names))
    assert [name in text(plain) for name in ("Diane", "Sheila", "Chicago", *names)] == [True] * 3 + [False] * 3
    assert sum(name in text(hinted) for name in names) >= 2  # the third one depends on the rounding of the machine
    assert (hinted.prompt.words, hinted.prompt.windows, hinted.prompt.not_followed) == (names, 1, 0)


@pytest.mark.slow
def test_no_words_are_lost_by_a_vocabulary(samples: np.ndarray) -> None:
    hinted = read(samples, Hints(vocabulary=("Chikago",)))  # with which whisper-base may end after the first sentence
    assert hinted.prompt.windows == 1
    assert text(hinted).strip().endswith("much difference.")


@pytest.mark.slow
def test_language_is_one_of_those_allowed(samples: np.ndarray) -> None:
    german = read(samples, Hints(languages=("de", "fr")), language="en")
    assert german.language in ("de", "fr")
    assert 0.5 <= german.language_probability <= 1.0
    assert german.heard_language[0] == "en"


LONG = Hints(vocabulary=parse_vocabulary(f"word{number}" for number in range(10_000)), prompt=parse_prompt("blah " * 3000))
STRANGE = Hints(
    vocabulary=parse_vocabulary("🎙👩‍🎤, a\0b, <|endoftext|>, \ud800x, مریم"), prompt=parse_prompt("<|nospeech|> 王 " * 500)
)


@pytest.mark.slow
@pytest.mark.parametrize("hints", [LONG, STRANGE], ids=["long", "strange"])
def test_absurd_hints_do_no_harm(samples: np.ndarray, hints: Hints) -> None:
    hinted = text(read(samples, hints))
    assert "New Jersey" in hinted
    assert "Chicago" in hinted
    assert "blah" not in hinted
    assert "word" not in hinted
