"""`python -m bench.people.meetings [FOLDER]`: where the diarization takes two people for one, and one for two.

FOLDER has a folder for each person, with recordings of that person alone. Without it, the cast of
bench/corpora/voice_episodes.py speaks, which is too few people to be worth much. The people are split in halves, and each half
holds the same kinds of meetings (bench/corpora/meetings.py): constants are chosen on the first half, and the second is only for
reporting, in two compositions. Per recording and in total, with the turns of stock pyannote, those of the clustering alone and
those of the whole diarization:

- DER by kind of error, without a collar, overlap counted;
- people and speakers found, pairs of people merged and people split, the purity of speakers;

and over all recordings of a half, whether people who come back get one voice at several thresholds, and how many pairs of
speakers of two people do.

Prints the figures as JSON, and writes them to bench/results/people/meetings-<commit>.json. The published ones are of 50 people:
25 of tortoise-tts 3.0.0's source archive (see bench/people/voice_scores.py), and 25 who read prompts, words and letters in 20
languages for Debian's packages asterisk-core-sounds-*, asterisk-prompt-*, ktuberling-data and klettres-data (free licences).
Each person's recordings were joined to one, of up to three minutes. Folders in which several people speak were left out, as was
a second one of the same person. Figures before 2026-11-28 are of 53 people with other names, and so of other halves.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from bench.contenders.baselines import STOCK_THRESHOLD
from bench.corpora.meetings import Meeting, Utterances, cast_people, compose, halves, people_in
from bench.corpora.voice_episodes import people_of
from bench.demo import choose_device
from bench.harness.figures import measured_on, write
from bench.people.recurring import Speaker, curve, speakers_of
from earshot.config.settings import read_settings
from earshot.models.device import require_device
from earshot.transcripts.evaluation.speakers import SpeakerScore, diarization_errors, shared_seconds, turns_of

if TYPE_CHECKING:  # imports torch on a GPU
    from earshot.models.cache import Models
    from earshot.models.voice.diarizer import Diarizer
    from earshot.models.voice.segmentation import Segmentation

COMPOSITIONS = {"development": (0, 0), "held_out": (1, 2000), "held_out_again": (1, 3000)}  # half, first seed
COMPARED = ("stock", "clustering_alone", "diarization")
HEARD_S = 0.5  # of a person, to be merged with another
OWN_S = 1.0  # of a speaker, to split a person
CONDITIONS: tuple[Mapping[str, Any], ...] = (
    {"overlap": 0.1, "noise_db": 25.0},
    {"overlap": 0.3, "noise_db": 25.0},
    {"overlap": 0.2, "echo_s": 0.4, "noise_db": 20.0},
    {"overlap": 0.3, "echo_s": 0.7, "noise_db": 15.0},
    {"overlap": 0.15, "noise_db": 10.0},
    {"overlap": 0.2, "telephone": True, "noise_db": 20.0},
)
# Seconds, people, conditions.
KINDS = (
    (30.0, 2, slice(None)), (30.0, 3, slice(None)), (30.0, 4, slice(None)), (30.0, 5, slice(None)),
    (60.0, 2, slice(0, None, 2)), (60.0, 4, slice(1, None, 2)), (60.0, 6, slice(0, None, 2)),
    (15.0, 2, slice(0, 2)), (15.0, 3, slice(2, 4)), (180.0, 4, slice(0, 1)), (180.0, 6, slice(2, 3)),
)  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """One recording's turns against its truth; errors are shares of the speech."""

    der: float
    missed: float
    false_alarm: float
    confusion: float
    found: int
    merged: int
    split: int
    purity: float


def main() -> None:
    """Measure, print and write the figures."""
    from earshot.models.cache import Models

    os.environ["EARSHOT_DEVICE"], _ = choose_device(os.environ.get("EARSHOT_DEVICE"))
    people = people_in(Path(sys.argv[1])) if len(sys.argv) > 1 else cast_people()
    device, models = require_device(read_settings().device), Models()
    document = measured_on(device.name) | {"people": len(people)}
    of_halves = halves(list(people))
    for name, (half, first_seed) in COMPOSITIONS.items():
        present = {person: people[person] for person in of_halves[half]}
        document[name] = of_half(present, meetings(first_seed, len(present)), models)
    print(json.dumps(document, indent=1))
    print(f"Written to {write(document, 'people/meetings-')}")


def meetings(first_seed: int, most: int) -> list[Meeting]:
    """The meetings of one half with at most this many people, each with its own seed."""
    kinds = [(seconds, count, kind) for seconds, count, chosen in KINDS for kind in CONDITIONS[chosen]]
    numbered = enumerate(kinds, first_seed + 1)
    return [Meeting(count, seconds, seed=seed, **kind) for seed, (seconds, count, kind) in numbered if count <= most]


def of_half(people: Utterances, recipes: Sequence[Meeting], models: "Models") -> dict[str, Any]:
    """The figures of one half."""
    device = require_device(read_settings().device)
    diarizer, encoder = models.diarizer(device), models.voice_encoder(device)
    rows, speakers = [], list[Speaker]()
    for recipe in recipes:
        samples, truth = compose(recipe, people)
        segmentation = diarizer.segment(samples)
        turns, _ = diarizer.diarize(samples, segmentation=segmentation)
        found = (stock(diarizer, samples), clustered(diarizer, samples, segmentation)[0], turns)
        rows.append((recipe, [judge(each, truth, recipe.seconds) for each in found], speech_s(truth)))
        speakers += speakers_of(recipe.name, turns, people_of(turns, truth), samples, encoder) if len(turns) else []
    return {
        **{name: total([(judged[place], weight) for _, judged, weight in rows]) for place, name in enumerate(COMPARED)},
        "voices_across_recordings": curve(speakers),
        "recordings": [
            {"name": recipe.name, "people": recipe.people} | dict(zip(COMPARED, map(asdict, judged), strict=True))
            for recipe, judged, _ in rows
        ],
    }


def clustered(diarizer: "Diarizer", samples: np.ndarray, segmentation: "Segmentation") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turns and exclusive turns without regrouping: those of stock pyannote, but for its step and its pass per window."""
    with patch("earshot.models.voice.diarizer.regrouped", return_value=None):
        return diarizer.diarize(samples, segmentation=segmentation)


def stock(diarizer: "Diarizer", samples: np.ndarray) -> pd.DataFrame:
    """Turns by pyannote's step and least windows, and the best threshold for them, but with one pass for all windows."""
    clustering = "earshot.models.voice.clustering"
    with (
        patch.object(diarizer, "step_s", 1.0),
        patch(f"{clustering}.LARGE", 12),
        patch(f"{clustering}.THRESHOLD", STOCK_THRESHOLD),
    ):
        return clustered(diarizer, samples, diarizer.segment(samples))[0]


def speech_s(truth: pd.DataFrame) -> float:
    """Seconds of speech, of each person by itself."""
    return float((truth.end_s - truth.start_s).sum())


def judge(turns: pd.DataFrame, truth: pd.DataFrame, seconds: float) -> Judged:
    """The turns against the truth."""
    reference, ours = turns_of(truth, "person"), turns_of(turns)
    score: SpeakerScore = diarization_errors(reference, ours, seconds)
    shared = pd.Series(shared_seconds(reference, ours), dtype=float)
    table = shared.unstack(fill_value=0) if len(shared) else pd.DataFrame()
    heard = table[table.max(axis=1) >= HEARD_S] if len(table) else table
    best = heard.idxmax(axis=1) if len(heard) else pd.Series(dtype=object)
    own = table.idxmax(axis=0)[table.max(axis=0) >= OWN_S] if len(table) else pd.Series(dtype=object)
    errors = (score.missed_s, score.false_alarm_s, score.confusion_s)
    return Judged(
        *(round(value / score.speech_s, 4) for value in (sum(errors), *errors)),
        found=int(turns.local_speaker.nunique()),
        merged=sum(best[first] == best[second] for first, second in combinations(best.index, 2)),
        split=int((own.value_counts() - 1).sum()),
        purity=round(float(table.max(axis=0).sum() / table.to_numpy().sum()), 3) if len(table) else 1.0,
    )


def total(rows: Sequence[tuple[Judged, float]]) -> dict[str, float]:
    """Errors weighted by seconds of speech; pairs merged and people split in all recordings."""
    judged, weights = [row for row, _ in rows], [weight for _, weight in rows]
    rates = ("der", "missed", "false_alarm", "confusion", "purity")
    means = {name: round(float(np.average([getattr(row, name) for row in judged], weights=weights)), 4) for name in rates}
    return {
        "recordings": len(rows),
        **means,
        "merged": sum(row.merged for row in judged),
        "split": sum(row.split for row in judged),
    }


if __name__ == "__main__":
    main()
