"""`python -m bench.search.retrieval`: how well search answers questions, and how long passages should be.

In its own home, the demo's episodes are ingested; the talks of bench/corpora/monologues.py and, as distractors, the
passages of bench/corpora/corpus.py are added. The questions of bench/corpora/questions.py are searched by words alone, by
meaning alone, and by both, as `earshot search` does. By kind of question it reports

- recall@5: the share answered by one of the first five passages;
- MRR, the mean reciprocal rank of the first answer among ten: 1 for the first passage, 1/2 for the second, 0 for none.

Then passages are cut again with other limits, with and without the last sentence of the previous passage. Longer passages are
easier to find, because they contain more, but take longer to listen to. So it also reports the mean seconds from the start of
the first passage with an answer to the answer, over the answered questions.

Prints the tables, and writes bench/results/retrieval-<commit>.json.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from statistics import mean

import numpy as np
import pandas as pd

from bench.corpora.corpus import Corpus, real_corpus
from bench.corpora.episodes import write_episodes
from bench.corpora.monologues import READER, talks
from bench.corpora.questions import KINDS, RECORDINGS, TALKS, Question, plain
from bench.demo import choose_device
from bench.harness.figures import measured_on, own_home, write
from bench.pipeline.ingesting import measure
from earshot.cli.output import print_table
from earshot.config.settings import read_settings
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.models.text.text_encoder import TextEncoder
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database, open_database
from earshot.transcripts.attribution.word_speakers import PAUSE_S, attribute_words, ends_sentence, sentence_speakers
from earshot.transcripts.passages import PASSAGE_COLUMNS, PASSAGE_S, Limits, cut_passages
from earshot.transcripts.search.hits import Hit
from earshot.transcripts.search.query import search

LIMITS_S = (15.0, 20.0, 30.0, 45.0, 60.0)
SHOWN, RANKED = 5, 10
DISTRACTORS = "https://x/distractors"
PER_VIDEO = 250
MATERIAL = {"recordings": RECORDINGS, "talks": TALKS}

Way = Callable[[str], list[Hit]]


@dataclass(frozen=True)
class Spoken:
    """A video's words in order, each with the speaker under which it is shown."""

    video_id: str
    words: pd.DataFrame
    speakers: Sequence[str | None]


@dataclass(frozen=True)
class Answered:
    """One question, searched in one way: rank of the first passage with the answer, and seconds to it; None if none has it."""

    question: Question
    place: int | None
    until_answer_s: float | None


@dataclass(frozen=True)
class Quality:
    """The results of several questions, as shares of 1. `until_answer_s` is None if none was answered."""

    questions: int
    recall_at_5: float
    mrr: float
    until_answer_s: float | None


def main() -> None:
    """Measure everything, print the tables and write the figures."""
    device, reason = choose_device(os.environ.get("EARSHOT_DEVICE"))
    os.environ["EARSHOT_DEVICE"] = device
    print(f"Device: {device} ({reason}).")
    distractors = real_corpus()  # cached in the user's home, not in this one
    with own_home() as home:
        database, encoder = open_database(), Models().text_encoder(require_device(device))
        library = [*recordings(database, home), *read_aloud(database)]
        add_distractors(database, encoder, distractors)
        cuts = list(product(LIMITS_S, (False, True)))
        found = {cut: asked_all(database, encoder, library, *cut) for cut in cuts}
    by_kind = qualities_by_kind(found[PASSAGE_S, False])
    by_cut = {cut: {way: quality(each) for way, each in answered.items()} for cut, answered in found.items()}
    report(by_kind, by_cut)
    figures = {
        **measured_on(require_device(read_settings().device).name),
        "distractors": len(distractors),
        "by_kind": [{"of": of, "kind": kind, "way": way, **asdict(each)} for (of, kind, way), each in by_kind.items()],
        "by_cut": [
            {"limit_s": limit_s, "overlap": overlap, "way": way, **asdict(each)}
            for (limit_s, overlap), ways in by_cut.items()
            for way, each in ways.items()
        ],
        "missed": [answered.question.text for answered in found[PASSAGE_S, False]["both"] if answered.place is None],
    }
    print(f"Written to {write(figures, 'retrieval-')}")


# --- the library ---------------------------------------------------------------------------------------------------------


def recordings(database: Database, home: Path) -> list[Spoken]:
    """Ingest the demo's episodes."""
    spoken = []
    for path in write_episodes(home / "episodes"):
        video_id = measure(path).rows[0]["video_id"]
        words, exclusive, turns = (
            database.frame(table, video_id, order)
            for table, order in (("words", "word_index"), ("exclusive_turns", "turn_index"), ("turns", "turn_index"))
        )
        spoken.append(Spoken(video_id, words, sentence_speakers(words, attribute_words(words, exclusive, turns))))
    return spoken


def read_aloud(database: Database) -> list[Spoken]:
    """Add the talks as videos, without passages yet."""
    read = [Spoken(f"talk-{talk.title}", talk.words, [READER] * len(talk.words)) for talk in talks()]
    add_videos(database, [spoken.video_id for spoken in read])
    return read


def add_distractors(database: Database, encoder: TextEncoder, corpus: Corpus) -> None:
    """Add passages that answer nothing, PER_VIDEO per video."""
    starts = range(0, len(corpus), PER_VIDEO)
    add_videos(database, [f"distractor-{start}" for start in starts], DISTRACTORS)
    for start in starts:
        texts = corpus.texts[start : start + PER_VIDEO]
        rows = [(index, 20.0 * index, 20.0 * index + 19, None, 0, 0, text) for index, text in enumerate(texts)]
        passages = pd.DataFrame(rows, columns=PASSAGE_COLUMNS).assign(local_speaker=READER)
        keep(database, f"distractor-{start}", passages, corpus.vectors[start : start + PER_VIDEO], encoder)


def add_videos(database: Database, video_ids: Iterable[str], source: str = "https://x/talks") -> None:
    """Add English videos without any other facts."""
    transcript = pd.DataFrame([{"language": "en", "language_probability": 1.0, "model": "", "model_revision": ""}])
    for video_id in video_ids:
        register(database, [Video(video_id, f"https://x/{video_id}", source, video_id)])
        database.replace(video_id, {"transcripts": transcript})


def keep(database: Database, video_id: str, passages: pd.DataFrame, vectors: np.ndarray, encoder: TextEncoder) -> None:
    """Replace the video's passages by these."""
    of_model = {"model": encoder.execution.model, "model_revision": encoder.execution.model_revision}
    rows = passages.assign(language="en", embedding=list(vectors), **of_model)
    database.replace(video_id, {"passages": rows}, of_model)


# --- cutting -------------------------------------------------------------------------------------------------------------


def cut_library(database: Database, encoder: TextEncoder, library: Sequence[Spoken], limit_s: float, overlap: bool) -> None:
    """Cut and embed all passages again, except the distractors, and update Postgres's statistics."""
    for spoken in library:
        limits = Limits(seconds=limit_s, weight=encoder.window)
        passages = cut_passages(spoken.words, spoken.speakers, encoder.token_counts(spoken.words.text.tolist()), limits)
        if overlap:
            passages = overlapped(passages, spoken.words)
        keep(database, spoken.video_id, passages, encoder.encode(passages.text.tolist()), encoder)
    with database.connect() as connection:
        connection.execute("ANALYZE")


def overlapped(passages: pd.DataFrame, words: pd.DataFrame) -> pd.DataFrame:
    """Start each passage that continues its speaker's previous one with the last sentence of that passage."""
    texts, rows = words.text.tolist(), passages.to_dict("records")
    longer = [dict(row) for row in rows]
    for before, row in zip(rows, longer[1:], strict=False):
        if row["local_speaker"] == before["local_speaker"] and row["start_s"] - before["end_s"] <= PAUSE_S:
            first = _sentence_start(texts, before["first_word"], before["last_word"])
            text = "".join(texts[first : row["last_word"] + 1]).strip()
            row.update(first_word=first, start_s=float(words.start_s[first]), text=text)
    return pd.DataFrame(longer, columns=passages.columns)


def _sentence_start(texts: Sequence[str], first: int, last: int) -> int:
    """The first word of the sentence that contains word `last`, not before `first`."""
    return next((index for index in range(last, first, -1) if ends_sentence(texts[index - 1])), first)


# --- asking --------------------------------------------------------------------------------------------------------------


def asked_all(
    database: Database, encoder: TextEncoder, library: Sequence[Spoken], limit_s: float, overlap: bool
) -> dict[str, list[Answered]]:
    """Search for all questions in each way, with passages cut like this."""
    cut_library(database, encoder, library, limit_s, overlap)
    ways: dict[str, Way] = {
        "words": lambda text: search(database, None, text, RANKED),
        "meaning": lambda text: by_meaning(database, encoder, text),
        "both": lambda text: search(database, encoder, text, RANKED),
    }
    questions = [question for each in MATERIAL.values() for question in each]
    return {name: [answered(question, way(question.text), library) for question in questions] for name, way in ways.items()}


def by_meaning(database: Database, encoder: TextEncoder, text: str) -> list[Hit]:
    """The passages nearest in meaning; ignores quotation marks."""
    [vector] = encoder.encode([text.replace('"', "")])
    rows = database.query("SELECT * FROM search_passages('', %s, %s)", [vector, RANKED])
    return [Hit(**{key: row[key] for key in row if key in _SHARED}, text=row["text"], link=row["url"]) for row in rows]


_SHARED = set(Hit.__dataclass_fields__) - {"copies", "text", "link"}


def answered(question: Question, hits: Sequence[Hit], library: Sequence[Spoken]) -> Answered:
    """The first answer to the question among these hits."""
    words = {spoken.video_id: spoken.words for spoken in library}
    for hit in hits:
        if hit.video_id in words and question.is_answered_by(hit.text):
            said_s = said_at(question.answer, words[hit.video_id], hit.start_s, hit.end_s)
            return Answered(question, hit.place, said_s - hit.start_s)
    return Answered(question, None, None)


def said_at(answer: str, words: pd.DataFrame, start_s: float, end_s: float) -> float:
    """When the answer begins, among the words from `start_s` to `end_s`, which contain it."""
    inside = words[(words.start_s >= start_s) & (words.start_s < end_s)]
    wanted, spoken, times = plain(answer), "", []
    for start, text in zip(inside.start_s.tolist(), inside.text.tolist(), strict=True):
        for part in plain(text).split():
            spoken, times = f"{spoken} {part}", [*times, start]
    before = f"{spoken} ".partition(f" {wanted} ")[0]
    return times[len(before.split())]


def quality(asked: Sequence[Answered]) -> Quality:
    """The quality over these questions."""
    places = [result.place for result in asked]
    waits = [result.until_answer_s for result in asked if result.until_answer_s is not None]
    return Quality(
        questions=len(asked),
        recall_at_5=mean(place is not None and place <= SHOWN for place in places),
        mrr=mean(1 / place if place else 0.0 for place in places),
        until_answer_s=mean(waits) if waits else None,
    )


def qualities_by_kind(found: Mapping[str, Sequence[Answered]]) -> dict[tuple[str, str, str], Quality]:
    """By material, kind of question and way; kind "all" is all of a material, and material "all" is everything."""
    rows = {}
    for way, asked in found.items():
        for of, questions in MATERIAL.items():
            results = [result for result in asked if result.question in questions]
            for kind in KINDS:
                rows[of, kind, way] = quality([result for result in results if result.question.kind == kind])
            rows[of, "all", way] = quality(results)
        rows["all", "all", way] = quality(asked)
    return rows


# --- the report ----------------------------------------------------------------------------------------------------------


def report(by_kind: Mapping[tuple[str, str, str], Quality], by_cut: Mapping[tuple[float, bool], Mapping[str, Quality]]) -> None:
    """Print both tables."""
    print(f"\nPassages of at most {PASSAGE_S:.0f} s, as the pipeline cuts them: recall@5 / MRR")
    rows = {}
    for (of, kind, way), each in by_kind.items():
        rows.setdefault((of, kind), {"questions": str(each.questions)})[way] = _rates(each)
    ways = ("words", "meaning", "both")
    headings = [("questions about", "left"), ("kind", "left"), ("questions", "right"), *[(way, "right") for way in ways]]
    cells = [(of, kind, row["questions"], *[row[way] for way in ways]) for (of, kind), row in rows.items()]
    print_table(headings, cells, last_apart=True)
    print("\nAll questions, passages cut otherwise: recall@5 / MRR, and by both: seconds to the answer")
    headings = [("at most", "right"), ("overlap", "left"), *[(way, "right") for way in ways], ("to the answer", "right")]
    cells = []
    for (limit_s, overlap), qualities in by_cut.items():
        until_answer_s = qualities["both"].until_answer_s
        listening = "" if until_answer_s is None else f"{until_answer_s:.1f} s"
        overlapping = "one sentence" if overlap else "none"
        cells.append((f"{limit_s:.0f} s", overlapping, *[_rates(qualities[way]) for way in ways], listening))
    print_table(headings, cells)


def _rates(quality: Quality) -> str:
    return f"{quality.recall_at_5:.3f} / {quality.mrr:.3f}"


if __name__ == "__main__":
    main()
