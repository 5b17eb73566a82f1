"""Recordings whose words and speakers are known, on which the attribution of words to speakers is measured.

- The telephone call in pyannote.audio's wheel, with its words and turns: two people who interrupt each other.
- Pieces of that call, of the narrator and of Beckett's line (bench/corpora/episodes.py), joined in three ways: in quick turns,
  with each speaker starting before the previous one has finished, and with short back-channels inside a long sentence. The
  turns are known by construction, the words from the call's transcript and from the books.

Except in the last two recordings speakers say whole sentences, so a rule that relies on sentence ends does better here than on
natural conversation.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pyannote.core import Annotation, Segment

from bench.corpora.episodes import TELEPHONE, Clip, clip_path, clip_samples
from earshot.common.audio import SAMPLE_RATE
from earshot.transcripts.evaluation.speakers import annotation
from earshot.transcripts.evaluation.words import said_by
from earshot.transcripts.references.references import read_references

_MOONSHINE = "moonshine_voice"


@dataclass(frozen=True)
class Piece:
    """An uninterrupted stretch of one person's speech: its clip and its words."""

    speaker: str
    clip: Clip
    text: str


@dataclass(frozen=True)
class Known:
    """A recording (16 kHz mono) with its truth: each speaker's words, all words in order, and the turns."""

    name: str
    samples: np.ndarray
    said: Mapping[str, str]
    text: str
    speech: Annotation


def _narrator(start_s: float, end_s: float, text: str) -> Piece:
    return Piece("narrator", Clip(_MOONSHINE, "assets/two_cities.wav", start_s, end_s), text)


def _beckett(start_s: float, end_s: float, text: str) -> Piece:
    return Piece("Beckett", Clip(_MOONSHINE, "assets/beckett.wav", start_s, end_s), text)


def _caller(speaker: str, start_s: float, end_s: float, text: str) -> Piece:
    return Piece(speaker, Clip(TELEPHONE.package, TELEPHONE.path, start_s, end_s), text)


# Cut in the silences around the words.
BEST = _narrator(0.8, 4.6, "It was the best of times, it was the worst of times")
WISDOM = _narrator(5.0, 8.25, "it was the age of wisdom, it was the age of foolishness")
BELIEF = _narrator(8.7, 12.8, "it was the epoch of belief, it was the epoch of incredulity")
LIGHT = _narrator(13.35, 16.75, "it was the season of Light, it was the season of Darkness")
SPRING = _narrator(17.45, 20.5, "it was the spring of hope, it was the winter of despair")
HEAVEN = _narrator(24.5, 26.05, "we were all going direct to Heaven")
PERIOD = _narrator(29.0, 32.3, "in short, the period was so far like the present period")
AUTHORITIES = _narrator(32.7, 36.6, "that some of its noisiest authorities insisted on its being received")
SUPERLATIVE = _narrator(36.85, 41.7, "for good or for evil, in the superlative degree of comparison only.")
TRIED = _beckett(0.0, 2.6, "Ever tried. Ever failed.")
MATTER = _beckett(3.2, 5.5, "No matter. Try again.")
FAIL = _beckett(6.4, 8.85, "Fail again. Fail better.")
SURPRISED = _caller("Diane", 8.35, 9.8, "Oh, hello. I didn't know you were there.")
DIANE = _caller("Diane", 12.48, 14.25, "This is Diane in New Jersey.")
MOVED = _caller("Diane", 18.5, 21.5, "I'm originally from Chicago also. I'm in New Jersey now though.")
SHEILA = _caller("Sheila", 14.76, 17.85, "Sheila in Texas, originally from Chicago.")
DIFFERENCE = _caller("Sheila", 21.8, 23.95, "Well, there isn't that much difference.")
YANKEE = _caller("Sheila", 24.0, 27.8, "At least you know, they all call me a Yankee down here, so what can I say?")
DIANE_HELLO = _caller("Diane", 6.65, 7.2, "Hello?")
SHEILA_HELLO = _caller("Sheila", 7.5, 8.3, "Hello?")

QUICK = (BEST, DIFFERENCE, WISDOM, SHEILA, BELIEF, YANKEE, LIGHT, DIFFERENCE, HEAVEN, SHEILA, SPRING)
FOUR = (BEST, SURPRISED, SHEILA, TRIED, WISDOM, MOVED, DIFFERENCE, MATTER, BELIEF, DIANE, YANKEE, FAIL, LIGHT)
BACK_CHANNELS = (MOVED, YANKEE, DIANE, SHEILA, SPRING, PERIOD, DIANE_HELLO, AUTHORITIES, SHEILA_HELLO, SUPERLATIVE)


def known_recordings() -> list[Known]:
    """The call and the composed recordings."""
    return [
        telephone(),
        compose("two in quick turns", QUICK, 0.1),
        compose("two, begun 0.3 s early", QUICK, -0.3),
        compose("four in quick turns", FOUR, 0.1),
        compose("four, begun 0.3 s early", FOUR, -0.3),
        compose("back-channels in a sentence", BACK_CHANNELS, 0.1),
        compose("back-channels over a sentence", BACK_CHANNELS, -0.2),
    ]


def telephone() -> Known:
    """The original call, with the words and turns from its wheel."""
    [spoken], [turns] = (read_references(clip_path(TELEPHONE).with_suffix(suffix)) for suffix in (".stm", ".rttm"))
    words = spoken.words or ()
    text = " ".join(word.text for word in words)
    return Known("telephone call", clip_samples(TELEPHONE), said_by(words), text, annotation(turns.turns or ()))


def compose(name: str, pieces: Sequence[Piece], gap_s: float) -> Known:
    """The pieces in order, with a gap between the end of one and the start of the next; they overlap if it is negative."""
    speech, starts, sounds = Annotation(), [], [clip_samples(piece.clip) for piece in pieces]
    end = 0
    for index, (piece, sound) in enumerate(zip(pieces, sounds, strict=True)):
        starts.append(end + round(gap_s * SAMPLE_RATE) if index else 0)
        end = starts[-1] + len(sound)
        speech[Segment(starts[-1] / SAMPLE_RATE, end / SAMPLE_RATE), index] = piece.speaker
    mixed = np.zeros(end, dtype=np.float32)
    for start, sound in zip(starts, sounds, strict=True):
        mixed[start : start + len(sound)] += sound
    said = joined((piece.speaker, piece.text) for piece in pieces)
    return Known(name, mixed, said, " ".join(piece.text for piece in pieces), speech)


def joined(said: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Each speaker's texts in order, joined by spaces."""
    texts: dict[str, str] = {}
    for speaker, text in said:
        texts[speaker] = f"{texts[speaker]} {text}" if speaker in texts else text
    return texts
