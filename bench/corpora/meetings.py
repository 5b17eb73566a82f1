"""Meetings with known turns, composed of people who each speak alone in some recordings.

A person's recordings are cut at their pauses into utterances. A meeting is a sequence of utterances by two to eight people who
answer each other after short pauses, interrupt each other, and say "yes" while another talks, until the wanted share of the
speech is overlapped. Each person sits somewhere else in the room: with an own distance, level and echo. Noise and the telephone
band are added to the whole.

People are recorded by different microphones, which would tell them apart as much as their voices do. So each person's long-term
spectrum is changed to the mean of all people present, band by band, as if one microphone had recorded them.

The same recipe and people give the same samples. What is not like a meeting: sentences do not answer each other, people never
laugh, and a room's echo is noise that fades.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import fftconvolve, firwin2, welch

from bench.corpora.voice_episodes import CAST, Spoiling, loud, spoil, stretches
from earshot.common.audio import SAMPLE_RATE
from earshot.sources.media.decoding import decode

SUFFIXES = (".wav", ".flac", ".mp3", ".ogg")
STEP = SAMPLE_RATE // 100  # samples per level when pauses are looked for
PAUSE_S = 0.25  # a longer one ends an utterance
LEAST_S = 0.3
LONGEST_S = 8.0  # a longer utterance is cut
QUIET = 0.05  # of the loud parts' level: below it is silence
LEAST_SPEECH_S = 5.0  # of a person, to take part
BANDS_HZ = 100.0 * 2 ** (np.arange(19) / 3)  # to 6.4 kHz
MOST_GAIN = 3.0  # 26 dB: what is missing in a recording is not made up

Utterances = Mapping[str, Sequence[np.ndarray]]


@dataclass(frozen=True)
class Meeting:
    """The recipe of a meeting.

    `overlap`: the share of speech during which another one speaks. `echo_s`: the time in which echo fades by 60 dB, 0: none.
    `noise_db`: the ratio of speech to noise.
    """

    people: int
    seconds: float
    overlap: float = 0.1
    echo_s: float = 0.0
    noise_db: float | None = None
    telephone: bool = False
    seed: int = 0

    @property
    def name(self) -> str:
        """For example: 4 people, 30 s, overlap 0.2, echo 0.5 s, noise at 15 dB, seed 3."""
        parts = [f"{self.people} people, {self.seconds:g} s, overlap {self.overlap:g}"]
        parts += [f"echo {self.echo_s:g} s"] * bool(self.echo_s) + ["telephone"] * self.telephone
        parts += [] if self.noise_db is None else [f"noise at {self.noise_db:g} dB"]
        return ", ".join([*parts, f"seed {self.seed}"])


def people_in(folder: Path) -> dict[str, list[np.ndarray]]:
    """The utterances of each person, one folder each, with recordings in which this person speaks alone."""
    people = {}
    for person in sorted(path for path in folder.iterdir() if path.is_dir()):
        recordings = (path for path in sorted(person.iterdir()) if path.suffix.lower() in SUFFIXES)
        people[person.name] = [part for path in recordings for part in utterances(decode(path).astype(np.float32) / 32768.0)]
    return {name: parts for name, parts in people.items() if sum(map(len, parts)) >= LEAST_SPEECH_S * SAMPLE_RATE}


def cast_people() -> dict[str, list[np.ndarray]]:
    """The cast of bench/corpora/voice_episodes.py."""
    return {name: [loud(part) for part in stretches(name)] for name in CAST}


def halves(people: Sequence[str]) -> tuple[list[str], list[str]]:
    """Every second name, and the others: one half to choose on, one to report on."""
    names = sorted(people)
    return names[::2], names[1::2]


def utterances(samples: np.ndarray) -> list[np.ndarray]:
    """The stretches of speech between pauses, at one loudness."""
    count = len(samples) // STEP
    levels = np.sqrt(np.square(samples[: count * STEP].reshape(count, STEP)).mean(axis=1))
    speech = np.flatnonzero(levels > QUIET * np.percentile(levels, 95)) if count else np.zeros(0, int)
    if not len(speech):
        return []
    breaks = np.flatnonzero(np.diff(speech) > PAUSE_S * SAMPLE_RATE / STEP)
    spans = zip(speech[np.r_[0, breaks + 1]], speech[np.r_[breaks, len(speech) - 1]] + 1, strict=True)
    cut = [samples[start * STEP : end * STEP] for start, end in spans if end - start >= LEAST_S * SAMPLE_RATE / STEP]
    return [loud(piece) for part in cut for piece in _pieces(part)]


def _pieces(part: np.ndarray) -> list[np.ndarray]:
    edges = np.linspace(0, len(part), 1 + int(np.ceil(len(part) / (LONGEST_S * SAMPLE_RATE)))).round().astype(int)
    return [part[first:last] for first, last in pairwise(edges)]


def compose(meeting: Meeting, people: Utterances) -> tuple[np.ndarray, pd.DataFrame]:
    """The meeting's samples (float32, mono, 16 kHz) and its truth: start_s, end_s, person; in order of time."""
    random = np.random.default_rng([meeting.seed, meeting.people, round(meeting.seconds)])
    present = random.choice(sorted(people), size=meeting.people, replace=False).tolist()
    places = {person: _Place.drawn(random, meeting.echo_s) for person in present}
    same_microphone = equalized({person: people[person] for person in present})
    length = round(meeting.seconds * SAMPLE_RATE)
    mixed, rows = np.zeros(length + 10 * SAMPLE_RATE, dtype=np.float32), []
    for person, start, utterance in _conversation(meeting, same_microphone, random):
        heard = places[person].heard(utterance)
        mixed[start : start + len(heard)] += heard[: len(mixed) - start]
        rows.append((start / SAMPLE_RATE, min(start + len(utterance), length) / SAMPLE_RATE, person))
    truth = pd.DataFrame(rows, columns=["start_s", "end_s", "person"]).sort_values("start_s", ignore_index=True)
    return spoil(mixed[:length], Spoiling(noise_db=meeting.noise_db, telephone=meeting.telephone)), truth


def equalized(people: Utterances) -> dict[str, list[np.ndarray]]:
    """The utterances with the same long-term spectrum for each person: the mean of all, in bands of a third of an octave."""
    levels = {name: _band_levels(np.concatenate(parts)) for name, parts in people.items()}
    mean = np.mean(list(levels.values()), axis=0)
    filters = {name: _filter(np.clip(mean - own, -MOST_GAIN, MOST_GAIN)) for name, own in levels.items()}
    return {name: [loud(fftconvolve(part, filters[name], mode="same")) for part in parts] for name, parts in people.items()}


def _band_levels(samples: np.ndarray) -> np.ndarray:
    """The natural logarithm of the amplitude in each of BANDS_HZ."""
    frequencies, power = welch(samples, SAMPLE_RATE, nperseg=1024)
    edges = zip(BANDS_HZ / 2 ** (1 / 6), BANDS_HZ * 2 ** (1 / 6), strict=True)
    bands = [power[(frequencies >= low - 8.0) & (frequencies <= high + 8.0)].mean() for low, high in edges]
    return 0.5 * np.log(np.maximum(bands, 1e-14))


def _filter(gains: np.ndarray) -> np.ndarray:
    """A filter of linear phase with these gains (natural logarithms) in BANDS_HZ."""
    frequencies = np.linspace(0.0, SAMPLE_RATE / 2, 257)
    amplitude = np.exp(np.interp(np.log(np.maximum(frequencies, 1.0)), np.log(BANDS_HZ), gains))
    return np.asarray(firwin2(511, frequencies, amplitude, fs=SAMPLE_RATE))


@dataclass(frozen=True)
class _Place:
    """Where a person sits: the level, and the room's response at the microphone."""

    level: float
    response: np.ndarray

    @classmethod
    def drawn(cls, random: np.random.Generator, echo_s: float) -> "_Place":
        level = 10 ** (random.uniform(-4.0, 4.0) / 20)
        count = round(echo_s * SAMPLE_RATE)
        fading = random.normal(size=count) * 10 ** (-3.0 * np.arange(count) / max(1, count))
        strength = 10 ** (random.uniform(-8.0, 2.0) / 20)  # of all echo, to the direct sound
        delay = round(random.uniform(0.002, 0.01) * SAMPLE_RATE)
        echo = fading * strength / max(1e-9, float(np.linalg.norm(fading)))
        return cls(level, np.concatenate([[1.0], np.zeros(delay), echo]) if count else np.ones(1))

    def heard(self, samples: np.ndarray) -> np.ndarray:
        """The samples as the microphone hears them, with the echo after their end."""
        return (self.level * fftconvolve(samples, self.response)).astype(np.float32)


def _conversation(meeting: Meeting, people: Utterances, random: np.random.Generator) -> list[tuple[str, int, np.ndarray]]:
    """(person, first sample, utterance) of each, until the meeting's time is full."""
    names, talkative = list(people), random.dirichlet(np.full(len(people), 2.0))
    waiting = {name: random.permutation(len(parts)).tolist() for name, parts in people.items()}
    said: list[tuple[str, int, np.ndarray]] = []
    ends = dict.fromkeys(names, 0)  # of each person's last utterance
    speech = overlapped = 0
    order = random.permutation(names).tolist()  # everyone speaks once, first
    while max(ends.values()) < meeting.seconds * SAMPLE_RATE:
        last = said[-1][0] if said else ""
        name = order.pop() if order else str(random.choice(names, p=talkative))
        waiting[name] = waiting[name] or random.permutation(len(people[name])).tolist()
        utterance = people[name][waiting[name].pop()]
        end = max(ends.values())
        if name != last and said and overlapped < meeting.overlap * speech:
            start = end - round(random.uniform(0.2, 0.9) * min(len(utterance), len(said[-1][2])))
        else:
            start = end + round(min(2.0, random.lognormal(-1.2, 0.8)) * SAMPLE_RATE)
        start = max(start, ends[name] + round(0.1 * SAMPLE_RATE), 0)
        overlapped += max(0, min(end, start + len(utterance)) - start)
        speech += len(utterance)
        ends[name] = start + len(utterance)
        if start < meeting.seconds * SAMPLE_RATE:
            said.append((name, start, utterance))
    return said
