"""`python -m bench.people.attribution`: are words attributed to the people who said them?

Each recording of bench/corpora/known_speech.py is transcribed and diarized by the pipeline's models, and its words are
attributed to speakers by earshot/transcripts/attribution/word_speakers.py and, for comparison, by the previous rule: the turn
that contains the middle of a word, or else the nearest one. It reports

- cpWER, the concatenated minimum-permutation word error rate (CHiME-6): the words of each speaker are compared with those of
  the best-matching speaker. It cannot be lower than WER, whisper's own errors regardless of the speaker;
- DER, without a collar and including overlapped speech: the errors of the diarization. Both rules get the same turns;
- cpWER and DER with the turns of the clustering alone, without regrouping (earshot/models/voice/regrouping.py).

No rule can separate two people whom the diarization merged. So a second table gives both rules the true turns with every border
moved at random (normal distribution, DRAWS times, the same for both): it shows how they tolerate inexact borders.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from pyannote.core import Annotation

from bench.corpora.known_speech import Known, joined, known_recordings
from bench.demo import choose_device
from bench.harness.figures import measured_on, own_home, write
from bench.people.meetings import clustered
from earshot.cli.output import print_table
from earshot.common.audio import SAMPLE_RATE
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.transcripts.attribution.word_speakers import NEAR_S, attribute_words
from earshot.transcripts.evaluation.speakers import diarization_errors, turns_of
from earshot.transcripts.evaluation.words import cp_errors, normalized, word_errors

BORDERS_S = (0.0, 0.1, 0.2, 0.3)  # standard deviations of the shifts of true borders
DRAWS = 10
SHORTEST_TURN_S = 0.05

Attribution = Callable[[pd.DataFrame, pd.DataFrame, pd.DataFrame], list[str | None]]


@dataclass(frozen=True)
class Score:
    """One recording; error rates as fractions. `errors_*` are words, of `words`; `*_clustered` are without regrouping."""

    recording: str
    speakers: int
    words: int
    der: float
    wer: float
    cpwer_before: float
    cpwer_after: float
    errors_before: int
    errors_after: int
    der_clustered: float
    errors_clustered: int


@dataclass(frozen=True)
class Moved:
    """All recordings, with true turns whose borders are moved: cpWER by both rules."""

    border_s: float
    cpwer_before: float
    cpwer_after: float


def by_middles(words: pd.DataFrame, exclusive_turns: pd.DataFrame, _turns: pd.DataFrame) -> list[str | None]:
    """The previous rule: the turn that contains a word's middle, else the nearest one within NEAR_S."""
    starts, ends = exclusive_turns.start_s.to_numpy(), exclusive_turns.end_s.to_numpy()
    middles = ((words.start_s + words.end_s) / 2).to_numpy()[:, None]
    away = np.clip(np.maximum(starts - middles, middles - ends), 0.0, None)
    speakers = exclusive_turns.local_speaker.to_numpy()[away.argmin(axis=1)].tolist()
    return [name if near else None for name, near in zip(speakers, away.min(axis=1) <= NEAR_S, strict=True)]


RULES: tuple[Attribution, ...] = (by_middles, attribute_words)
TURN_KEYS = ["start_s", "end_s", "local_speaker"]


def said_by(words: pd.DataFrame, speakers: Sequence[str | None]) -> dict[str, str]:
    """The words of each local speaker, joined; those without a speaker are under ""."""
    return joined((speaker or "", text) for speaker, text in zip(speakers, words.text.tolist(), strict=True))


@dataclass(frozen=True)
class Heard:
    """The words that the pipeline's models find in a recording, and (turns, exclusive turns) with and without regrouping."""

    words: pd.DataFrame
    whole: tuple[pd.DataFrame, pd.DataFrame]
    clustered: tuple[pd.DataFrame, pd.DataFrame]


def heard(known: Known, models: Models, device: str) -> Heard:
    """What the pipeline's models find in a recording."""
    placed = require_device(device)
    words = models.transcriber(placed).transcribe(known.samples, language="en").words
    diarizer = models.diarizer(placed)
    segmentation = diarizer.segment(known.samples)
    whole = diarizer.diarize(known.samples, segmentation=segmentation)
    return Heard(words, whole, clustered(diarizer, known.samples, segmentation))


def score(known: Known, found: Heard) -> Score:
    """Compares the words, attributed by both rules, and the turns with the truth."""
    words, total = found.words, len(normalized(known.text).split())
    (turns, exclusive), (alone, exclusive_alone) = found.whole, found.clustered
    before, after = (cp_errors(known.said, said_by(words, rule(words, exclusive, turns))) for rule in RULES)
    without = cp_errors(known.said, said_by(words, attribute_words(words, exclusive_alone, alone)))
    errors, errors_alone = (
        diarization_errors(known.speech, turns_of(each), len(known.samples) / SAMPLE_RATE) for each in (turns, alone)
    )
    return Score(
        recording=known.name,
        speakers=len(known.said),
        words=total,
        der=errors.rate or 0.0,
        wer=word_errors(known.text, "".join(words.text)) / total,
        cpwer_before=before / total,
        cpwer_after=after / total,
        errors_before=before,
        errors_after=after,
        der_clustered=errors_alone.rate or 0.0,
        errors_clustered=without,
    )


def score_moved(words: Sequence[tuple[Known, pd.DataFrame]], border_s: float) -> Moved:
    """All recordings, their words attributed to the true turns with borders moved by this much."""
    generator, errors, total = np.random.default_rng(0), [0, 0], 0
    for known, spoken in words:
        for _ in range(DRAWS):
            turns = moved_turns(known.speech, border_s, generator)
            exclusive = exclusive_turns(turns)
            total += len(normalized(known.text).split())
            for index, rule in enumerate(RULES):
                errors[index] += cp_errors(known.said, said_by(spoken, rule(spoken, exclusive, turns)))
    return Moved(border_s, errors[0] / total, errors[1] / total)


def moved_turns(speech: Annotation, border_s: float, generator: np.random.Generator) -> pd.DataFrame:
    """The true turns, with each border moved at random."""
    rows = []
    tracks: Any = speech.itertracks(yield_label=True)
    for segment, _, speaker in tracks:
        start, end = np.array([segment.start, segment.end]) + generator.normal(0.0, border_s, 2)
        rows.append((max(start, 0.0), max(end, start + SHORTEST_TURN_S, SHORTEST_TURN_S), speaker))
    return pd.DataFrame(sorted(rows), columns=TURN_KEYS)


def exclusive_turns(turns: pd.DataFrame) -> pd.DataFrame:
    """One speaker at a time: where several speak, the one who started last."""
    rows = turns[TURN_KEYS].to_numpy().tolist()
    exclusive: list[list[Any]] = []
    for start, end in pairwise(sorted({*turns.start_s, *turns.end_s})):
        speaking = [row for row in rows if row[0] <= start and row[1] >= end]
        if speaking and exclusive and exclusive[-1][1:] == [start, speaking[-1][2]]:
            exclusive[-1][1] = end
        elif speaking:
            exclusive.append([start, end, speaking[-1][2]])
    return pd.DataFrame(exclusive, columns=TURN_KEYS)


def main() -> None:
    """Measure both rules, print the tables and write the figures."""
    device, reason = choose_device(os.environ.get("EARSHOT_DEVICE"))
    os.environ["EARSHOT_DEVICE"] = device
    print(f"Device: {device} ({reason}).")
    with own_home():
        recordings = [(known, heard(known, Models(), device)) for known in known_recordings()]
    scores = [score(known, found) for known, found in recordings]
    moved = [score_moved([(known, found.words) for known, found in recordings], border_s) for border_s in BORDERS_S]
    report(scores, moved)
    figures = {"scores": [asdict(score) for score in scores], "borders_moved": [asdict(score) for score in moved]}
    print(f"Written to {write({**measured_on(require_device(device).name), **figures}, 'people/attribution-')}")


def report(scores: Sequence[Score], moved: Sequence[Moved]) -> None:
    """Print a line per recording and their sum, and a line per shift of borders."""
    words = sum(score.words for score in scores)
    before, after = sum(score.errors_before for score in scores) / words, sum(score.errors_after for score in scores) / words
    alone = sum(score.errors_clustered for score in scores) / words
    headings = [
        ("recording", "left"), ("speakers", "right"), ("words", "right"), ("DER", "right"), ("WER", "right"),
        ("cpWER before", "right"), ("after", "right"), ("without regrouping", "right"),
    ]  # fmt: skip
    rows = [
        (
            s.recording,
            str(s.speakers),
            str(s.words),
            *map(_rate, (s.der, s.wer, s.cpwer_before, s.cpwer_after, s.errors_clustered / s.words)),
        )
        for s in scores
    ]
    print_table(headings, [*rows, ("all", "", str(words), "", "", *map(_rate, (before, after, alone)))], last_apart=True)
    print()
    headings = [("true turns, borders moved by (s)", "left"), ("cpWER before", "right"), ("after", "right")]
    print_table(headings, [(f"{s.border_s:.1f}", _rate(s.cpwer_before), _rate(s.cpwer_after)) for s in moved])


def _rate(rate: float) -> str:
    return f"{rate:.3f}"


if __name__ == "__main__":
    main()
