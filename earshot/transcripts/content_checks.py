"""Content checks: whether a transcript, its turns or its names look wrong, from rows that exist. Pure functions.

| check | of | flagged if |
|---|---|---|
| words | transcript | there is speech, but hardly a word, or words where whisper itself heard no speech |
| loops | transcript | the same words follow each other again and again |
| language | transcript | the language is uncertain, or not the one that the source's other videos have |
| certainty | transcript | whisper doubted the words |
| speakers | speaker_turns | there are far more or fewer speakers than the source's videos have |
| unknown | people | much of the speech has neither a person nor a voice |

Each is a warning at most: a song or a foreign guest is no fault. Short recordings are not judged. Does not correct anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import pandas as pd

from earshot.models.speech.loops import bare_words, longest_loop

CONTENT_CHECKS: Mapping[str, Mapping[str, str]] = {
    "transcript": {
        "words": "There are words where there is speech, and only there.",
        "loops": "No words are repeated again and again.",
        "language": "The language is certain, and the one of the source's other videos.",
        "certainty": "The model was certain of the words.",
    },
    "speaker_turns": {"speakers": "There are about as many speakers as in the source's other videos."},
}
UNKNOWN_CHECK = "unknown"
UNKNOWN_DESCRIPTION = "Most of the speech has a person or a voice."

SHORTEST_S = 10.0  # of speech; less is too little to judge
LONGEST_SILENT_S, LEAST_SPEECH = 30.0, 0.03
# Conversation has 2 to 3 words a second; silences within the voice activity detector's spans and slow speakers halve that.
FEWEST_WORDS_PER_S = 0.5
# Whisper's own limits for a window without speech (no_speech_threshold and logprob_threshold of openai/whisper).
NO_SPEECH, DOUBTED_LOGPROB = 0.6, -1.0
MOST_WITHOUT_SPEECH = 0.2
# People say a word three times, and songs a line; whisper's loops run to the end of a window.
FEWEST_REPEATS, FEWEST_WORDS = 4, 12
FEWEST_CERTAIN_LANGUAGE, CERTAIN_OTHER_LANGUAGE = 0.5, 0.8
USUAL_VIDEOS = 5  # of a source, before anything is usual for it
USUAL_SHARE = 0.8
LOWEST_PROBABILITY = 0.6
SPEAKERS_RATIO, SPEAKERS_MORE = 2.0, 3
MOST_UNKNOWN = 0.25


@dataclass(frozen=True)
class ContentOutcome:
    """The result of one check; `figure` is what it measured, None if it was not evaluated."""

    check: str
    passed: bool
    message: str
    figure: float | None = None


@dataclass(frozen=True)
class Spoken:
    """A transcript as its checks see it: `duration_s` of the recording, `speech_s` in which the voice activity detector heard
    speech, the transcript's language (None without words), and what the model takes it for, with the probability."""

    segments: pd.DataFrame
    words: pd.DataFrame
    duration_s: float
    speech_s: float
    language: str | None
    heard: tuple[str | None, float]


def transcript_outcomes(spoken: Spoken, usual: Sequence[str]) -> list[ContentOutcome]:
    """The checks of a transcript; `usual` has the languages of the source's other videos."""
    return [
        words_outcome(spoken),
        loops_outcome(spoken.words),
        language_outcome(spoken, usual),
        certainty_outcome(spoken.words, spoken.speech_s),
    ]


def words_outcome(spoken: Spoken) -> ContentOutcome:
    """Words where there is speech: words per second of speech, and the share of segments in which whisper heard none."""
    segments, words, speech_s = spoken.segments, spoken.words, spoken.speech_s
    if spoken.duration_s >= LONGEST_SILENT_S and speech_s < LEAST_SPEECH * spoken.duration_s:
        message = (
            f"There is {speech_s:.0f} s of speech in {spoken.duration_s:.0f} s of sound: music, or a microphone that was off?"
        )
        return ContentOutcome("words", False, message, 0.0)
    if speech_s < SHORTEST_S:
        return ContentOutcome("words", True, f"Not judged: {speech_s:.0f} s of speech is too little.")
    rate = len(words) / speech_s
    if rate < FEWEST_WORDS_PER_S:
        message = f"{len(words)} words in {speech_s:.0f} s of what sounds like speech: music, noise, or another language?"
        return ContentOutcome("words", False, message, rate)
    lengths = segments.end_s - segments.start_s
    doubted = (segments.no_speech_prob > NO_SPEECH) & (segments.avg_logprob < DOUBTED_LOGPROB)
    share = float(lengths[doubted].sum() / lengths.sum()) if lengths.sum() else 0.0
    if share > MOST_WITHOUT_SPEECH:
        return ContentOutcome("words", False, f"{share:.0%} of the words stand where the model itself heard no speech.", rate)
    return ContentOutcome("words", True, f"{rate:.1f} words per second of speech.", rate)


def loops_outcome(words: pd.DataFrame) -> ContentOutcome:
    """Loops: the longest run of one phrase that follows itself."""
    first, length, repeats = longest_loop(bare_words(words.text))
    if repeats < FEWEST_REPEATS or length * repeats < FEWEST_WORDS:
        return ContentOutcome("loops", True, "No phrase is repeated again and again.", float(repeats))
    phrase = " ".join(str(word).strip() for word in words.text.iloc[first : first + length])
    at_s = float(words.start_s.iloc[first])
    message = f"“{phrase}” is repeated {repeats} times from {at_s:.0f} s on: has the model lost the speech?"
    return ContentOutcome("loops", False, message, float(repeats))


def language_outcome(spoken: Spoken, usual: Sequence[str]) -> ContentOutcome:
    """The language: certain, the one that was asked for, and that of the source's other videos where most have one."""
    language, (heard, probability) = spoken.language, spoken.heard
    if language is None or heard is None or spoken.speech_s < SHORTEST_S:
        return ContentOutcome("language", True, "Not judged: too little was said.")
    if heard != language and probability >= CERTAIN_OTHER_LANGUAGE:
        message = f"The source's language is {language}, but this sounds like {heard} (probability {probability:.2f})."
        return ContentOutcome("language", False, message, probability)
    if heard == language and probability < FEWEST_CERTAIN_LANGUAGE:
        message = f"The language was taken for {language} with a probability of {probability:.2f} only."
        return ContentOutcome("language", False, message, probability)
    most = max(set(usual), key=usual.count, default=language)
    if len(usual) >= USUAL_VIDEOS and usual.count(most) >= USUAL_SHARE * len(usual) and most != language:
        message = f"The language is {language}; {usual.count(most)} of the source's last {len(usual)} videos are {most}."
        return ContentOutcome("language", False, message, probability)
    message = f"The language is {language}, with a probability of {probability:.2f}."
    return ContentOutcome("language", True, message, probability)


def certainty_outcome(words: pd.DataFrame, speech_s: float) -> ContentOutcome:
    """Certainty: the mean probability of the words."""
    if words.empty or speech_s < SHORTEST_S:
        return ContentOutcome("certainty", True, "Not judged: too little was said.")
    mean = float(words.probability.mean())
    told = f"The words have a mean probability of {mean:.2f}"
    return ContentOutcome("certainty", mean >= LOWEST_PROBABILITY, f"{told}.", mean)


def speakers_outcome(speakers: int, usual: Sequence[int], hint: str = "") -> ContentOutcome:
    """The number of speakers, against those of the source's other videos; with a hint, the user knows it."""
    if hint:
        return ContentOutcome("speakers", True, f"{speakers} speakers; the hint is {hint}.", float(speakers))
    if len(usual) < USUAL_VIDEOS:
        message = f"{speakers} speakers; {len(usual)} of the {USUAL_VIDEOS} videos needed to compare with."
        return ContentOutcome("speakers", True, message, float(speakers))
    middle = median(usual)
    low, high = min(usual), max(usual)
    outside = speakers > max(high, middle * SPEAKERS_RATIO) or speakers < min(low, middle / SPEAKERS_RATIO)
    odd = outside and abs(speakers - middle) >= SPEAKERS_MORE
    message = f"{speakers} speakers; the source's last {len(usual)} videos have {low} to {high}, {middle:g} in the middle."
    return ContentOutcome("speakers", not odd, message, float(speakers))


def unknown_outcome(unknown_s: float, speech_s: float) -> ContentOutcome:
    """The share of the library's speech that is neither a person's nor a voice's."""
    if speech_s < SHORTEST_S:
        return ContentOutcome(UNKNOWN_CHECK, True, "Not judged: there is too little speech.")
    share = unknown_s / speech_s
    return ContentOutcome(
        "unknown", share <= MOST_UNKNOWN, f"{share:.0%} of the speech has neither a person nor a voice.", share
    )
