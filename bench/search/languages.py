"""`python -m bench.search.languages`: the text models of packages, compared in several languages and in English.

For each of the model sets `bundled` and `multilingual`, in one process after the other's work:

- the share of the questions of bench/corpora/languages.py whose passage is the nearest in meaning, among the twelve of its
  language, asked in that language and in English;
- recall@5 and MRR of the English questions about documentation, as bench/search/retrieval.py reports them, among its passages
  only, in its own home;
- how many of its passages are embedded per second of CPU.

Prints a table, and writes bench/results/languages-<commit>.json.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice

import numpy as np

from bench.corpora.languages import ENGLISH_QUESTIONS, LANGUAGES
from bench.corpora.questions import TALKS
from bench.demo import choose_device
from bench.harness.figures import measured_on, own_home, write
from bench.search.retrieval import Quality, asked_all, quality, read_aloud
from earshot.cli.output import print_table
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.models.text.text_encoder import TextEncoder
from earshot.storage.database import open_database
from earshot.transcripts.passages import PASSAGE_S
from earshot.transcripts.search.text_models import register_text_model

COMPARED = ("bundled", "multilingual")
TIMED = 400  # passages


@dataclass(frozen=True)
class First:
    """Of a language's questions, the share that is answered by the first passage: asked in that language, and in English."""

    own: float
    english: float


@dataclass(frozen=True)
class Measured:
    """The figures of one text model. `english` is by way of searching."""

    model: str
    languages: Mapping[str, First]
    english: Mapping[str, Quality]
    texts_per_cpu_s: float


def main() -> None:
    """Measure both sets, print the table and write the figures."""
    os.environ["EARSHOT_DEVICE"], _ = choose_device(os.environ.get("EARSHOT_DEVICE"))
    measured = {name: measure(name) for name in COMPARED}
    report(measured)
    device = require_device(os.environ["EARSHOT_DEVICE"])
    figures = {**measured_on(device.name), "sets": {name: asdict(each) for name, each in measured.items()}}
    print(f"Written to {write(figures, 'languages-')}")


def measure(model_set: str) -> Measured:
    """All figures of this set's text model, in its own home."""
    os.environ["EARSHOT_MODELS"] = model_set
    with own_home():
        database, models = open_database(), Models()
        encoder = models.text_encoder(require_device(os.environ["EARSHOT_DEVICE"]))
        register_text_model(database, models.model_set().text)
        answered = asked_all(database, encoder, read_aloud(database), PASSAGE_S, overlap=False)
        texts = [row["text"] for row in database.query("SELECT text FROM passages ORDER BY video_id, passage_index")]
    english = {way: quality([one for one in each if one.question in TALKS]) for way, each in answered.items()}
    languages = {language: first_places(encoder, language) for language in LANGUAGES}
    return Measured(encoder.execution.model, languages, english, speed(encoder, list(islice(texts, TIMED))))


def first_places(encoder: TextEncoder, language: str) -> First:
    passages = encoder.encode([asked.passage for asked in LANGUAGES[language]])
    own = [asked.question for asked in LANGUAGES[language]]
    return First(*(share_first(encoder, questions, passages) for questions in (own, ENGLISH_QUESTIONS)))


def share_first(encoder: TextEncoder, questions: Sequence[str], passages: np.ndarray) -> float:
    """How many of the questions are nearest to the passage of the same number."""
    nearest = (encoder.encode(questions) @ passages.T).argmax(axis=1)
    return float(np.mean(nearest == np.arange(len(questions))))


def speed(encoder: TextEncoder, texts: Sequence[str]) -> float:
    """Texts per second of CPU, of all threads together."""
    encoder.encode(texts)
    began = time.process_time()
    encoder.encode(texts)
    return len(texts) / (time.process_time() - began)


def report(measured: Mapping[str, Measured]) -> None:
    headings = [("", "left"), *[(name, "right") for name in measured]]
    rows = [
        (f"{language}, asked in {'English' if asked == 'english' else 'it'}", *[
            f"{getattr(each.languages[language], asked):.0%}" for each in measured.values()
        ])
        for language in LANGUAGES
        for asked in ("own", "english")
    ]  # fmt: skip
    for way in ("words", "meaning", "both"):
        qualities = [each.english[way] for each in measured.values()]
        rows.append((f"English documentation, {way}", *[f"{each.recall_at_5:.2f} / {each.mrr:.2f}" for each in qualities]))
    rows.append(("texts per second of CPU", *[f"{each.texts_per_cpu_s:.0f}" for each in measured.values()]))
    print_table(headings, rows)


if __name__ == "__main__":
    main()
