"""`python -m bench.people.attribution`: are words given to who said them?

Each recording of bench/corpora/known_speech.py is transcribed and diarized by the models of the pipeline, and its words given
to speakers by earshot/transcripts/word_speakers.py and, to compare, by the rule that was there before: the turn in which the
middle of a word lies, or else the nearest. Told are

- cpWER, the concatenated minimum-permutation word error rate (CHiME-6): the words of each speaker are held against those of
  the speaker that they fit best. It cannot be lower than WER, which is what whisper gets wrong whoever said it;
- DER, without collar and with overlapped speech counted: what the diarization gets wrong. Both rules get the same turns.

Where the diarization takes two people for one, no rule can tell them apart. So a second table gives both rules the true
turns, every border moved at random (normal distribution, DRAWS times, the same for both): how borders a bit off are borne.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import jiwer
import numpy as np
import pandas as pd
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate
from scipy.optimize import linear_sum_assignment

from bench.corpora.known_speech import Known, joined, known_recordings
from bench.demo import choose_device
from bench.harness.figures import measured_on, own_home, write
from earshot.cli.output import print_table
from earshot.common.audio import SAMPLE_RATE
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.transcripts.word_speakers import NEAR_S, attribute_words

BORDERS_S = (0.0, 0.1, 0.2, 0.3)  # standard deviations of what true borders are moved by
DRAWS = 10
SHORTEST_TURN_S = 0.05

Attribution = Callable[[pd.DataFrame, pd.DataFrame, pd.DataFrame], list[str | None]]

# What is said, whatever commas the recognition puts into it: they differ from one machine to another.
PLAIN_WORDS = jiwer.Compose([jiwer.ToLowerCase(), jiwer.RemovePunctuation(), jiwer.RemoveMultipleSpaces(), jiwer.Strip()])


@dataclass(frozen=True)
class Score:
    """One recording; error rates as fractions. `errors_*` are words, of `words`."""

    recording: str
    speakers: int
    words: int
    der: float
    wer: float
    cpwer_before: float
    cpwer_after: float
    errors_before: int
    errors_after: int


@dataclass(frozen=True)
class Moved:
    """All recordings, with true turns whose borders are moved: cpWER by both rules."""

    border_s: float
    cpwer_before: float
    cpwer_after: float


def by_middles(words: pd.DataFrame, exclusive_turns: pd.DataFrame, _turns: pd.DataFrame) -> list[str | None]:
    """The rule that was: the turn in which a word's middle lies, else the nearest at most NEAR_S away."""
    starts, ends = exclusive_turns.start_s.to_numpy(), exclusive_turns.end_s.to_numpy()
    middles = ((words.start_s + words.end_s) / 2).to_numpy()[:, None]
    away = np.clip(np.maximum(starts - middles, middles - ends), 0.0, None)
    speakers = exclusive_turns.local_speaker.to_numpy()[away.argmin(axis=1)].tolist()
    return [name if near else None for name, near in zip(speakers, away.min(axis=1) <= NEAR_S, strict=True)]


RULES: tuple[Attribution, ...] = (by_middles, attribute_words)
TURN_KEYS = ["start_s", "end_s", "local_speaker"]


def cp_errors(reference: Mapping[str, str], hypothesis: Mapping[str, str]) -> int:
    """Words wrong, missing or too many, with the speakers matched so that they are fewest; a speaker may match nobody."""
    size = max(len(reference), len(hypothesis))
    expected, found = ([*texts.values(), *[""] * (size - len(texts))] for texts in (reference, hypothesis))
    errors = np.array([[word_errors(one, other) for other in found] for one in expected])
    return int(errors[linear_sum_assignment(errors)].sum())


def word_errors(reference: str, hypothesis: str) -> int:
    """Words wrong, missing or too many."""
    one, other = normalized(reference), normalized(hypothesis)
    if not one or not other:
        return len(one.split()) + len(other.split())
    aligned = jiwer.process_words(one, other)
    return aligned.substitutions + aligned.deletions + aligned.insertions


def normalized(text: str) -> str:
    """Words in small letters, without punctuation, single spaces between."""
    return str(PLAIN_WORDS(text))


def said_by(words: pd.DataFrame, speakers: Sequence[str | None]) -> dict[str, str]:
    """The words of each local speaker, joined; those of nobody are a speaker of their own."""
    return joined((speaker or "", text) for speaker, text in zip(speakers, words.text.tolist(), strict=True))


def heard(known: Known, models: Models, device: str) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Words, turns and exclusive turns of a recording, by the pipeline's models."""
    placed = require_device(device)
    words = models.transcriber(placed).transcribe(known.samples, language="en").words
    return words, *models.diarizer(placed).diarize(known.samples)


def score(known: Known, words: pd.DataFrame, turns: pd.DataFrame, exclusive: pd.DataFrame) -> Score:
    """What was heard, its words given to speakers by both rules, held against the truth."""
    total = len(normalized(known.text).split())
    before, after = (cp_errors(known.said, said_by(words, rule(words, exclusive, turns))) for rule in RULES)
    annotation = Annotation()
    for index, turn in enumerate(turns.to_dict("records")):
        annotation[Segment(turn["start_s"], turn["end_s"]), index] = turn["local_speaker"]
    metric: Any = DiarizationErrorRate(collar=0.0, skip_overlap=False)
    return Score(
        recording=known.name,
        speakers=len(known.said),
        words=total,
        der=float(metric(known.speech, annotation, uem=Timeline([Segment(0.0, len(known.samples) / SAMPLE_RATE)]))),
        wer=word_errors(known.text, "".join(words.text)) / total,
        cpwer_before=before / total,
        cpwer_after=after / total,
        errors_before=before,
        errors_after=after,
    )


def score_moved(words: Sequence[tuple[Known, pd.DataFrame]], border_s: float) -> Moved:
    """All recordings, their words given to the true turns with borders moved by this much."""
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
    """The turns of a truth, each border moved at random."""
    rows = []
    tracks: Any = speech.itertracks(yield_label=True)
    for segment, _, speaker in tracks:
        start, end = np.array([segment.start, segment.end]) + generator.normal(0.0, border_s, 2)
        rows.append((max(start, 0.0), max(end, start + SHORTEST_TURN_S, SHORTEST_TURN_S), speaker))
    return pd.DataFrame(sorted(rows), columns=TURN_KEYS)


def exclusive_turns(turns: pd.DataFrame) -> pd.DataFrame:
    """One speaker at a time: of those who speak, the one who began last."""
    rows = turns[TURN_KEYS].to_numpy().tolist()
    found: list[list[Any]] = []
    for start, end in pairwise(sorted({*turns.start_s, *turns.end_s})):
        speaking = [row for row in rows if row[0] <= start and row[1] >= end]
        if speaking and found and found[-1][1:] == [start, speaking[-1][2]]:
            found[-1][1] = end
        elif speaking:
            found.append([start, end, speaking[-1][2]])
    return pd.DataFrame(found, columns=TURN_KEYS)


def main() -> None:
    """Measure all, print the table, keep the figures."""
    device, reason = choose_device(os.environ.get("EARSHOT_DEVICE"))
    os.environ["EARSHOT_DEVICE"] = device
    print(f"Device: {device} ({reason}).")
    with own_home():
        found = [(known, heard(known, Models(), device)) for known in known_recordings()]
    scores = [score(known, *spoken) for known, spoken in found]
    moved = [score_moved([(known, words) for known, (words, _, _) in found], border_s) for border_s in BORDERS_S]
    report(scores, moved)
    figures = {"scores": [asdict(one) for one in scores], "borders_moved": [asdict(one) for one in moved]}
    print(f"Written to {write({**measured_on(require_device(device).name), **figures}, 'attribution-')}")


def report(scores: Sequence[Score], moved: Sequence[Moved]) -> None:
    """Print a line a recording and their sum, and a line for each way to move borders."""
    words = sum(one.words for one in scores)
    before, after = sum(one.errors_before for one in scores) / words, sum(one.errors_after for one in scores) / words
    headings = [
        ("recording", "left"), ("speakers", "right"), ("words", "right"), ("DER", "right"), ("WER", "right"),
        ("cpWER before", "right"), ("after", "right"),
    ]  # fmt: skip
    rows = [
        (one.recording, str(one.speakers), str(one.words), *map(_rate, (one.der, one.wer, one.cpwer_before, one.cpwer_after)))
        for one in scores
    ]
    print_table(headings, [*rows, ("all", "", str(words), "", "", _rate(before), _rate(after))], last_apart=True)
    print()
    headings = [("true turns, borders moved by (s)", "left"), ("cpWER before", "right"), ("after", "right")]
    print_table(headings, [(f"{one.border_s:.1f}", _rate(one.cpwer_before), _rate(one.cpwer_after)) for one in moved])


def _rate(rate: float) -> str:
    return f"{rate:.3f}"


if __name__ == "__main__":
    main()
