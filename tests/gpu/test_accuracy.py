"""Error rates on recordings whose words and turns are known, on the real device beside the CPU."""

from dataclasses import dataclass
from functools import reduce
from operator import add

import pytest

from bench.corpora.known_speech import known_recordings
from earshot.common.audio import SAMPLE_RATE
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.transcripts.evaluation.speakers import diarization_errors, turns_of
from earshot.transcripts.evaluation.words import normalized, word_errors


@dataclass(frozen=True)
class Errors:
    """Over all recordings: the share of wrong words, and of speech with the wrong speaker."""

    words: float
    turns: float


@pytest.fixture(scope="module")
def errors() -> dict[str, Errors]:
    return {kind: _errors(kind) for kind in ("cuda", "cpu")}


def _errors(kind: str) -> Errors:
    models, device, known = Models(), require_device(kind), known_recordings()
    transcriber, diarizer = models.transcriber(device), models.diarizer(device)
    heard = ["".join(transcriber.transcribe(each.samples).words.text) for each in known]
    turns = reduce(
        add,
        (
            diarization_errors(each.speech, turns_of(diarizer.diarize(each.samples)[0]), len(each.samples) / SAMPLE_RATE)
            for each in known
        ),
    )
    words = sum(len(normalized(each.text).split()) for each in known)
    wrong = sum(word_errors(each.text, text) for each, text in zip(known, heard, strict=True))
    return Errors(wrong / words, turns.rate or 0.0)


def test_error_rates_match_the_cpu(errors: dict[str, Errors]) -> None:
    print(errors)  # for `pytest -s`
    assert errors["cuda"].words == pytest.approx(errors["cpu"].words, abs=0.01)
    assert errors["cuda"].turns == pytest.approx(errors["cpu"].turns, abs=0.003)
