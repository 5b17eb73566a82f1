"""Search, measured as libraries grow: how long an answer takes, what the index misses, and what building it costs.

In a home of its own, with passages of bench/corpora/corpus.py: at each size they are loaded as the pipeline writes them, video
by video, without an index; then the index is built as asset `search_index` builds it, videos are written into it, and questions
of each kind are asked one after another over one connection, embedding them included; what a connection of its own adds is told
apart. Recall is the share of the ten nearest, found by comparing all vectors, that is among the candidates which search takes
from the index, and compares by their whole vectors. The questions are of real passages that are not in the library.

Prints a table, and writes bench/results/search-<commit>.json.
"""

import argparse
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from bench.corpora.corpus import Corpus, grown, real_corpus
from bench.demo import choose_device
from bench.harness.figures import measured_on, own_home, write
from earshot.cli.output import print_table
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.models.registry import MINILM
from earshot.models.text.text_encoder import TextEncoder
from earshot.speakers.tables.people import add_person
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database, open_database
from earshot.storage.server import stop_embedded
from earshot.transcripts.attribution.speaker_refs import SpeakerRef
from earshot.transcripts.search.query import EVERYTHING, Filters, search
from earshot.transcripts.search.text_models import register_text_model, searched_model
from earshot.transcripts.search.vector_index import build_index, drop_index, index_bytes

SIZES = (10_000, 100_000, 1_000_000)
PER_VIDEO = 250  # passages, about an hour
HELD_OUT = 200  # real passages from which questions are made
ASKED, WARM_UP = 60, 10  # timed questions of each kind, and those before them
COMPARED = 40  # questions for which recall is measured
OF_MODEL = {"model": MINILM.name, "model_revision": MINILM.revision}
WORDS_PER_S = 2.5
LAST_DAY = date(2026, 1, 1)


@dataclass(frozen=True)
class Kind:
    """A kind of question: the questions, the part of the library, and whether to search by words alone."""

    name: str
    questions: Sequence[str]
    filters: Filters = EVERYTHING
    words_alone: bool = False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="passages; default: %(default)s")
    sizes = sorted(parser.parse_args().sizes)
    device, _ = choose_device(os.environ.get("EARSHOT_DEVICE"))
    os.environ["EARSHOT_DEVICE"] = device
    real = real_corpus()
    base = Corpus(real.texts[HELD_OUT:], real.vectors[HELD_OUT:])
    with own_home() as home:
        open_database()
        stop_embedded(home)  # its memory setting takes effect at the next start
        database, encoder = open_database(), Models().text_encoder(require_device(device))
        register_text_model(database, MINILM)
        ana = SpeakerRef("Ana", person_id=add_person(database, "Ana").person_id)
        rows = [at_size(database, encoder, base, real.texts[:HELD_OUT], size, ana) for size in sizes]
    figures = {**measured_on(device), "real_passages": len(real), "held_out": HELD_OUT, "sizes": rows}
    print_figures(rows)
    print(f"Kept in {write(figures, 'search-')}.")


def at_size(
    database: Database, encoder: TextEncoder, base: Corpus, held_out: Sequence[str], size: int, ana: SpeakerRef
) -> dict[str, Any]:
    """Grow the library to this size; returns all its figures."""
    model = searched_model(database)
    assert model is not None
    with database.connect() as connection:
        drop_index(connection, model)
    before = count(database)
    load_s = seconds(lambda: load(database, base, before, size, ana))
    build_s = seconds(lambda: build_index(database, model))
    insert_s = seconds(lambda: load(database, base, size, size + 4 * PER_VIDEO, ana))
    passages = count(database)
    kinds = kinds_of(held_out, base, ana)
    return {
        "passages": passages,
        "load_per_s": (size - before) / load_s,
        "build_s": build_s,
        "build_per_s": size / build_s,
        "insert_per_s": 4 * PER_VIDEO / insert_s,
        "index_mb": index_bytes(database, model) / 1e6,
        "table_mb": database.query("SELECT pg_table_size('passages') AS bytes")[0]["bytes"] / 1e6,
        "words_index_mb": database.query("SELECT pg_relation_size('passages_search_text') AS bytes")[0]["bytes"] / 1e6,
        "recall_at_10": recall(database, encoder, held_out[:COMPARED]),
        "ms": {kind.name: latency(database, encoder, kind) for kind in kinds},
        "encode_ms": encode_ms(encoder, held_out[:ASKED]),
        "connect_ms": connect_ms(database, kinds[0]),
    }


def count(database: Database) -> int:
    return database.query("SELECT count(*) AS passages FROM passages")[0]["passages"]


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


# --- the library ---------------------------------------------------------------------------------------------------------


def load(database: Database, base: Corpus, first: int, last: int, ana: SpeakerRef) -> None:
    """Add passages number `first` to `last`, in videos of PER_VIDEO."""
    parts = by_video(grown(base, last - first, seed=first))
    for number, part in enumerate(parts, start=first // PER_VIDEO):
        add_video(database, number, part, ana)


def by_video(parts: Iterator[Corpus], each: int = PER_VIDEO) -> Iterator[Corpus]:
    """The passages in videos of so many."""
    for part in parts:
        for first in range(0, len(part), each):
            yield Corpus(part.texts[first : first + each], part.vectors[first : first + each])


def add_video(database: Database, number: int, corpus: Corpus, ana: SpeakerRef) -> None:
    """Add a video. One source has every second video, others every 100th and 1000th; Ana speaks in every 50th."""
    video_id = f"video-{number:06d}-{int(corpus.vectors[0, 0] * 1e6):x}"
    source = next((f"https://x/{share}" for share in (1000, 100, 2) if number % share == 1), "https://x/rest")
    day = datetime.combine(LAST_DAY, datetime.min.time(), UTC) - timedelta(days=number % 1000)
    register(database, [Video(video_id, f"https://x/{video_id}", source, f"Video {number}", published_at=day)])
    transcript = pd.DataFrame([{"language": "en", "language_probability": 1.0, "model": "", "model_revision": ""}])
    database.replace(video_id, {"transcripts": transcript, "passages": passage_rows(corpus)})
    if number % 50 == 0:
        database.query(_SPEAKS, [video_id, video_id, ana.person_id])


def passage_rows(corpus: Corpus) -> pd.DataFrame:
    """A video's rows of table `passages`: these texts one after the other, by three speakers in turn."""
    size = len(corpus)
    passages = pd.DataFrame({"passage_index": range(size), "text": corpus.texts, "embedding": list(corpus.vectors)})
    lengths = passages.text.str.count(" ") / WORDS_PER_S
    labels = [f"SPEAKER_0{index % 3}" for index in range(size)]
    return passages.assign(
        start_s=lengths.cumsum() - lengths,
        end_s=lengths.cumsum(),
        local_speaker=labels,
        first_word=0,
        last_word=30,
        language="en",
        **OF_MODEL,
    )


_SPEAKS = """
    WITH heard AS (
        INSERT INTO local_speakers (video_id, local_speaker, speech_s, turns, model, model_revision)
        VALUES (%s, 'SPEAKER_00', 60, 1, '', '') RETURNING made_at
    )
    INSERT INTO identities (video_id, local_speaker, person_id, decided_by, reason, model, model_revision, preparation, made_at)
    SELECT %s, 'SPEAKER_00', %s, 'profile', '', '', '', '', made_at FROM heard
"""


# --- questions -----------------------------------------------------------------------------------------------------------


def kinds_of(held_out: Sequence[str], base: Corpus, ana: SpeakerRef) -> list[Kind]:
    """The kinds of questions, each with more than ASKED and WARM_UP need."""
    sentences = [re.split(r"(?<=[.!?]) ", text)[0] for text in held_out]
    words = [re.findall(r"[a-z]{5,}", text) for text in held_out]
    several = [" ".join(sorted(text_words, key=len)[-3:]) for text_words in words]
    rare = [max(text_words, key=len) for text_words in words]
    phrases = [f'"{" ".join(re.findall(r"[A-Za-z]+", text)[3:7])}"' for text in base.texts[: len(held_out)]]
    common = ["value", "data", "function", "time", "number", "class", "array", "default"] * 40
    return [
        Kind("a sentence", sentences),
        Kind("three words", several),
        Kind("a rare word", rare),
        Kind("a common word", common),
        Kind("a phrase", phrases),
        Kind("three words, by words alone", several, words_alone=True),
        Kind("a common word, by words alone", common, words_alone=True),
        Kind("a sentence, half of all videos", sentences, Filters(sources=("https://x/2",))),
        Kind("a sentence, a hundredth", sentences, Filters(sources=("https://x/100",))),
        Kind("a sentence, a thousandth", sentences, Filters(sources=("https://x/1000",))),
        Kind("a sentence, the last thirty days", sentences, Filters(since=LAST_DAY - timedelta(days=30))),
        Kind("a common word, a hundredth", common, Filters(sources=("https://x/100",))),
        Kind("a sentence, by one person", sentences, Filters(speaker=ana)),
    ]


def latency(database: Database, encoder: TextEncoder, kind: Kind) -> dict[str, float]:
    """p50 and p95 in ms over one connection, and the mean number of hits per question."""
    times, hits = [], 0
    with database.snapshot() as connected:
        for question in kind.questions[: ASKED + WARM_UP]:
            began = time.perf_counter()
            hits += len(search(connected, None if kind.words_alone else encoder, question, 10, 1, kind.filters))
            times.append((time.perf_counter() - began) * 1000)
    kept = times[WARM_UP:]
    return {"p50": float(np.quantile(kept, 0.5)), "p95": float(np.quantile(kept, 0.95)), "hits": hits / len(times)}


def connect_ms(database: Database, kind: Kind) -> float:
    """The median milliseconds that a fresh connection adds to a search: its server process starts with cold caches."""
    alone = [seconds(lambda text=text: search(database, None, text)) for text in kind.questions[:ASKED]]
    with database.snapshot() as connected:
        together = [seconds(lambda text=text: search(connected, None, text)) for text in kind.questions[:ASKED]]
    return float(np.median(alone) - np.median(together)) * 1000


def encode_ms(encoder: TextEncoder, texts: Sequence[str]) -> float:
    """The median milliseconds to embed a question."""
    return float(np.median([seconds(lambda text=text: encoder.encode([text])) for text in texts])) * 1000


def recall(database: Database, encoder: TextEncoder, texts: Sequence[str]) -> float:
    """The share of the ten passages nearest to each text that is among the candidates that search takes from the index."""
    shares = []
    with database.snapshot() as connected:
        connected.query(_AS_SEARCH)
        for vector in encoder.encode(texts):
            candidates, nearest = ({tuple(row.values()) for row in connected.query(sql, [vector])} for sql in _NEAREST)
            shares.append(len(candidates & nearest) / len(nearest))
    return float(np.mean(shares))


# With the index, as in search_passages(), whose settings apply; and with an expression that no index covers.
_NEAREST = (
    f"""
    SELECT video_id, passage_index FROM passages WHERE model = '{MINILM.name}' AND model_revision = '{MINILM.revision}'
    ORDER BY embedding::halfvec({MINILM.dimension}) <=> %s::halfvec({MINILM.dimension}) LIMIT 100
    """,  # noqa: S608 - our own constants
    "SELECT video_id, passage_index FROM passages ORDER BY embedding <=> %s LIMIT 10",
)
_AS_SEARCH = """
    SELECT set_config(split_part(setting, '=', 1), split_part(setting, '=', 2), true)
    FROM pg_proc, unnest(proconfig) AS setting WHERE proname = 'search_passages'
"""


def print_figures(rows: Sequence[dict[str, Any]]) -> None:
    headings = [("", "left"), *[(f"{row['passages']:,}", "right") for row in rows]]
    plain = [
        "load_per_s",
        "build_s",
        "build_per_s",
        "insert_per_s",
        "index_mb",
        "table_mb",
        "words_index_mb",
        "encode_ms",
        "connect_ms",
    ]
    cells = [(name, *[f"{row[name]:,.0f}" for row in rows]) for name in plain]
    cells.append(("recall@10", *[f"{row['recall_at_10']:.3f}" for row in rows]))
    for kind in rows[0]["ms"]:
        cells.append(
            (f"{kind}: p50 / p95 ms", *[f"{row['ms'][kind]['p50']:.0f} / {row['ms'][kind]['p95']:.0f}" for row in rows])
        )
    print_table(headings, cells)
