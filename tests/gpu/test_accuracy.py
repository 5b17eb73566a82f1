"""Error rates on recordings whose words and turns are known, on the real device beside the CPU."""

from dataclasses import dataclass

import jiwer
import pytest

from bench.contenders.rounds import error_rate
from bench.corpora.known_speech import known_recordings
from bench.people.attribution import normalized
from earshot.common.audio import SAMPLE_RATE
from earshot.models.cache import Models
from earshot.models.device import require_device


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
    rates = []
    for each in known:
        turns, _ = diarizer.diarize(each.samples)
        spoken = list(zip(turns.start_s, turns.end_s, turns.local_speaker, strict=True))
        rates.append((error_rate(each.speech, spoken, len(each.samples) / SAMPLE_RATE), each.speech.get_timeline().duration()))
    speech_s = sum(seconds for _, seconds in rates)
    return Errors(
        jiwer.wer([normalized(each.text) for each in known], [normalized(text) for text in heard]),
        sum(rate * seconds for rate, seconds in rates) / speech_s,
    )


def test_error_rates_match_the_cpu(errors: dict[str, Errors]) -> None:
    print(errors)  # for `pytest -s`
    assert errors["cuda"].words == pytest.approx(errors["cpu"].words, abs=0.01)
    assert errors["cuda"].turns == pytest.approx(errors["cpu"].turns, abs=0.003)
