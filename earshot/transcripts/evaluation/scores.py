"""Scores: everything that references say of a video compared with what the library has of it, and of several videos together.

A score is None where no reference has what it needs: DER needs turns, WER words, cpWER words with speakers.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add
from typing import Any

from earshot.common.timeline import Interval
from earshot.transcripts.evaluation.identities import Identities, PersonInVideo, compare_identities
from earshot.transcripts.evaluation.speakers import SpeakerScore, Turn, diarization_errors, shared_seconds
from earshot.transcripts.evaluation.words import (
    Pair,
    SpeakerWordScore,
    Word,
    WordError,
    WordScore,
    align,
    comparable,
    list_errors,
    score_speakers,
    score_words,
    shared_words,
)
from earshot.transcripts.references.references import Truth

# Who says less in a video is not looked for in others: too little to know a voice by.
LEAST_WORDS = 10
LEAST_S = 3.0


@dataclass(frozen=True)
class Transcribed:
    """A video as the library has it. `identified`: the speakers that are people or voices, the same in all videos."""

    video_id: str
    title: str
    url: str
    seconds: float
    words: tuple[Word, ...]
    turns: tuple[Turn, ...]
    identified: frozenset[str]


@dataclass(frozen=True)
class Scores:
    """The scores of a video, or of several together."""

    words: WordScore | None
    speaker_words: SpeakerWordScore | None
    speakers: SpeakerScore | None

    def document(self) -> dict[str, Any]:
        """For JSON, with the rates."""
        return {
            "words": self.words and {**asdict(self.words), "error_rate": self.words.rate},
            "speaker_words": self.speaker_words
            and {
                **asdict(self.speaker_words),
                "error_rate": self.speaker_words.rate,
                "wrong_person_share": self.speaker_words.wrong_share,
            },
            "speakers": self.speakers and {**asdict(self.speakers), "error_rate": self.speakers.rate},
        }


@dataclass(frozen=True)
class VideoScore:
    """A video's scores, its word errors in the order of the words, and under which identity its people are."""

    video_id: str
    title: str
    url: str
    references: tuple[str, ...]
    scores: Scores
    errors: tuple[WordError, ...]
    people: tuple[PersonInVideo, ...]

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "video_id": self.video_id,
            "title": self.title,
            "url": self.url,
            "references": list(self.references),
            **self.scores.document(),
            "errors": [error._asdict() for error in self.errors],
            "people": [{"person": each.person, "identity": each.identity} for each in self.people],
        }


@dataclass(frozen=True)
class Evaluation:
    """The scores of each video and of all; `identities` is None if no reference says who speaks."""

    videos: tuple[VideoScore, ...]
    total: Scores
    identities: Identities | None

    def document(self) -> dict[str, Any]:
        """What `earshot evaluate --json` prints."""
        return {
            "videos": [video.document() for video in self.videos],
            "total": self.total.document(),
            "identities": self.identities and asdict(self.identities),
        }

    def html(self) -> str:
        """A page with all of it: one document that needs nothing else."""
        from earshot.transcripts.evaluation.page import render

        return render(self)


def evaluate_videos(videos: Iterable[tuple[Truth, Transcribed]], collar_s: float = 0.0) -> Evaluation:
    """Compare each video with what is known of it; DER does not count `collar_s` seconds on each side of a turn's border."""
    scored = tuple(score_video(truth, ours, collar_s) for truth, ours in videos)
    appearances = [each for video in scored for each in video.people]
    return Evaluation(
        scored, add_up(video.scores for video in scored), compare_identities(appearances) if appearances else None
    )


def add_up(scores: Iterable[Scores]) -> Scores:
    """The scores of several videos together: the sums of their errors over the sums of their words and seconds."""
    every = list(scores)
    return Scores(
        _sum(each.words for each in every),
        _sum(each.speaker_words for each in every),
        _sum(each.speakers for each in every),
    )


def _sum(scores: Iterable[Any]) -> Any:
    known = [score for score in scores if score is not None]
    return reduce(add, known) if known else None


def score_video(truth: Truth, ours: Transcribed, collar_s: float = 0.0) -> VideoScore:
    """Compare a video with what is known of it."""
    reference, written = (_scored_words(words, truth.unscored) for words in (truth.words or (), ours.words))
    pairs = [] if truth.words is None else align(reference, written)
    names_speakers = any(word.speaker is not None for word in reference)
    return VideoScore(
        ours.video_id,
        ours.title,
        ours.url,
        tuple(str(file) for file in truth.files),
        Scores(
            None if truth.words is None else score_words(pairs),
            score_speakers(reference, written, pairs) if names_speakers else None,
            None if truth.turns is None else _score_turns(truth, ours, collar_s),
        ),
        tuple(list_errors(pairs)),
        tuple(_people(ours, truth.turns or (), pairs if names_speakers else None)),
    )


def _scored_words(words: Iterable[Word], unscored: Sequence[Interval]) -> list[Word]:
    """The comparable words that do not start within unscored time."""
    return [
        word for word in comparable(words) if word.at_s is None or not any(start <= word.at_s < end for start, end in unscored)
    ]


def _score_turns(truth: Truth, ours: Transcribed, collar_s: float) -> SpeakerScore:
    turns = truth.turns or ()
    seconds = max([ours.seconds, *(turn.end_s for turn in (*turns, *ours.turns))])
    return diarization_errors(turns, ours.turns, seconds, collar_s, truth.unscored)


def _people(ours: Transcribed, turns: Sequence[Turn], pairs: Sequence[Pair] | None) -> Iterable[PersonInVideo]:
    """The identity that has most of each person's words, or else time; of people who say enough."""
    least = LEAST_S if pairs is None else LEAST_WORDS
    shared: Mapping[tuple[str, str], float] = shared_seconds(turns, ours.turns) if pairs is None else shared_words(pairs)
    by_person: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for (person, speaker), amount in shared.items():
        by_person[person][speaker] = amount
    for person, amounts in by_person.items():
        if sum(amounts.values()) >= least:
            most = max(amounts, key=lambda who: amounts[who])
            yield PersonInVideo(ours.video_id, person, most if most in ours.identified else None)
