"""Content checks: the rules on made rows, and the real model on recordings with a known fault."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from bench.corpora.episodes import TELEPHONE, Clip, clip_samples
from earshot.common.audio import SAMPLE_RATE
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.transcripts.content_checks import (
    CONTENT_CHECKS,
    FEWEST_REPEATS,
    FEWEST_WORDS,
    SHORTEST_S,
    ContentOutcome,
    Spoken,
    language_outcome,
    loops_outcome,
    speakers_outcome,
    transcript_outcomes,
    unknown_outcome,
    words_outcome,
)
from tests.earshot.speakers.test_samples import music

TEXT = [
    "it",
    "was",
    "the",
    "best",
    "of",
    "times",
    "it",
    "was",
    "the",
    "worst",
    "of",
    "times",
    "it",
    "was",
    "the",
    "age",
    "of",
    "wisdom",
]
NARRATOR = Clip("moonshine_voice", "assets/two_cities.wav")
BECKETT = Clip("moonshine_voice", "assets/beckett.wav", end_s=2.6)


def spoken(
    words: Sequence[str] = TEXT * 2,
    speech_s: float = 15.0,
    duration_s: float = 20.0,
    language: str | None = "en",
    heard: tuple[str | None, float] = ("en", 0.99),
    probability: float = 0.9,
    no_speech: float = 0.1,
    logprob: float = -0.2,
) -> Spoken:
    """A transcript of one segment."""
    segments = pd.DataFrame([(0.0, 15.0, no_speech, logprob)], columns=["start_s", "end_s", "no_speech_prob", "avg_logprob"])
    frame = pd.DataFrame({"text": [f" {word}" for word in words], "start_s": np.arange(len(words)) * 0.4})
    return Spoken(segments, frame.assign(probability=probability), duration_s, speech_s, language, heard)


def flagged(outcomes: Sequence[ContentOutcome]) -> list[str]:
    return [outcome.check for outcome in outcomes if not outcome.passed]


def test_healthy_transcript_passes_every_check() -> None:
    outcomes = transcript_outcomes(spoken(), ["en"] * 9)
    assert [outcome.check for outcome in outcomes] == list(CONTENT_CHECKS["transcript"])
    assert flagged(outcomes) == []
    assert all(outcome.figure is not None for outcome in outcomes)


def test_short_recording_is_not_judged() -> None:
    outcomes = transcript_outcomes(spoken(TEXT[:2], speech_s=SHORTEST_S / 2, probability=0.1), ["fr"] * 9)
    assert flagged(outcomes) == []
    assert [outcome.check for outcome in outcomes if outcome.figure is None] == ["words", "language", "certainty"]


@pytest.mark.parametrize(
    ("doubtful", "check"),
    [
        (spoken(TEXT[:5]), "words"),
        (spoken([], speech_s=0.0, duration_s=60.0, language=None, heard=(None, 0.0)), "words"),
        (spoken(no_speech=0.8, logprob=-1.5), "words"),
        (spoken(TEXT + ["thank", "you", "very", "much"] * 9), "loops"),
        (spoken(language="fr", heard=("en", 0.97)), "language"),
        (spoken(heard=("en", 0.31)), "language"),
        (spoken(language="cy", heard=("cy", 0.9)), "language"),
        (spoken(probability=0.4), "certainty"),
    ],
)
def test_fault_is_flagged_by_its_check(doubtful: Spoken, check: str) -> None:
    assert flagged(transcript_outcomes(doubtful, ["en"] * 9)) == [check]


def test_pause_in_a_short_clip_is_no_fault() -> None:
    assert words_outcome(spoken([], speech_s=0.0, duration_s=20.0)).passed


def test_loop_ignores_case_and_punctuation() -> None:
    repeated = ["Thank", "you.", "thank", "you,"] * FEWEST_WORDS
    outcome = loops_outcome(spoken(repeated).words)
    assert not outcome.passed
    assert outcome.figure == 2 * FEWEST_WORDS
    assert "“Thank you.”" in outcome.message


def test_refrain_said_three_times_is_no_loop() -> None:
    assert loops_outcome(spoken(TEXT[8:13] * (FEWEST_REPEATS - 1) + TEXT).words).passed


def test_uncertain_other_language_is_no_fault() -> None:
    assert language_outcome(spoken(language="de", heard=("nl", 0.5)), []).passed


def test_mixed_source_has_no_usual_language() -> None:
    assert language_outcome(spoken(language="de", heard=("de", 0.9)), ["en", "fr"] * 5).passed


@pytest.mark.parametrize(
    ("speakers", "usual", "passed"),
    [
        (2, [2, 3, 2, 2, 3], True),
        (9, [2, 3, 2, 2, 3], False),
        (9, [2, 3, 2, 2], True),  # too few videos to say what is usual
        (4, [1, 1, 1, 1, 1], False),
        (3, [1, 1, 1, 1, 1], True),
        (1, [8, 9, 7, 8, 9], False),
        (9, [2, 3, 9, 2, 3], True),  # there was one like it
    ],
)
def test_speakers_against_the_source(speakers: int, usual: list[int], passed: bool) -> None:
    assert speakers_outcome(speakers, usual).passed is passed


@pytest.mark.parametrize(("unknown_s", "passed"), [(10.0, True), (30.0, False), (0.0, True)])
def test_unknown_share(unknown_s: float, passed: bool) -> None:
    assert unknown_outcome(unknown_s, 100.0).passed is passed


# --- the real model; tests/end_to_end/test_pipeline.py has it on the demo's episodes ---------------------------------------


def noisy(samples: np.ndarray, snr_db: float) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0.0, 1.0, len(samples))
    level = np.sqrt(np.mean(samples**2)) * 10 ** (-snr_db / 20)
    return (samples + level * noise).astype(np.float32)


@pytest.mark.slow
@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("samples", "language", "found"),
    [
        (music(40.0), None, {"words"}),
        (np.zeros(40 * SAMPLE_RATE, dtype=np.float32), None, {"words"}),
        (clip_samples(TELEPHONE), "de", {"language", "certainty"}),
        (noisy(clip_samples(NARRATOR), 5.0), None, set()),
        (clip_samples(TELEPHONE), "en", set()),
    ],
    ids=["music", "silence", "wrong language", "noise", "right language"],
)
def test_made_recording_is_flagged_and_a_healthy_one_is_not(samples: np.ndarray, language: str | None, found: set[str]) -> None:
    assert flagged_in(samples, language) == found


@pytest.mark.slow
@pytest.mark.usefixtures("home")
def test_line_said_twelve_times_is_flagged_as_loop_or_for_missing_words() -> None:
    # Whisper writes all twelve, or stops after the second: that depends on how the processor rounds.
    assert flagged_in(np.tile(clip_samples(BECKETT), 12), None) in ({"loops"}, {"words"})


def flagged_in(samples: np.ndarray, language: str | None) -> set[str]:
    """The checks of the content that the transcript of this recording fails."""
    heard = Models().transcriber(require_device("cpu")).transcribe(samples, language=language)
    duration_s = len(samples) / SAMPLE_RATE
    rows = Spoken(heard.segments, heard.words, duration_s, heard.speech_s, heard.language, heard.heard_language)
    return set(flagged(transcript_outcomes(rows, [])))
