"""Episodes with known speakers, composed by fixed rules, on which everything about voices is measured.

A cast of voices is cut, at its pauses, from recordings in two dependencies' wheels. An episode is a sequence of lines by the
cast, half a second apart, so its true turns are known. It is then degraded as recordings are: pink noise or music at a stated
ratio, a different level, the telephone band, MP3.

The cast and its limits:

- Five are people as recorded: the two women of pyannote.audio's telephone call, whose turns come from its reference
  (sample.rttm, without overlap), and from moonshine-voice a narrator and a dialogue of two, whose turns follow the play. One
  actor may speak both parts of that dialogue; the speaker model scores them 0.49. The package's `beckett.wav` is not used: at a
  cosine of 0.76 to 0.79 its speaker is probably the narrator.
- Three are derived from those by speed perturbation: a recording played at 3/4 or 4/3 of its speed, which shifts pitch and
  formants. Speaker recognition counts such a voice as another speaker (Zhou et al., "A Comprehensive Investigation on Speaker
  Augmentation for Speaker Recognition", Interspeech 2024, arXiv 2406.07421; WeSpeaker's recipe trains on 17,982 speakers, three
  for each of VoxCeleb2's 5,994). Different people played at the same speed resemble each other (0.6 to 0.8), so there are few.
- Each voice has a single recording. Speakers who return say something else and are degraded differently, but in the same
  session. A person's scores across years and microphones are lower; bench/people/voice_scores.py measures them, given
  recordings.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from scipy.signal import butter, resample_poly, sosfiltfilt

from bench.corpora.episodes import TELEPHONE, Clip, clip_samples, write_mp3
from earshot.common.audio import SAMPLE_RATE
from earshot.transcripts.evaluation.speakers import diarization_errors, shared_seconds, turns_of

PAUSE_S = 0.5
# The G.712 telephone channel.
TELEPHONE_BAND_HZ = (300.0, 3400.0)

Span = tuple[float, float]


@dataclass(frozen=True)
class Voice:
    """A member of the cast: spans of a recording (in seconds) in which only this voice is heard, and its speed."""

    name: str
    recording: Clip
    spans: tuple[Span, ...]
    speed: Fraction = Fraction(1)

    @property
    def made(self) -> bool:
        """Whether the voice is derived from another one."""
        return self.speed != 1


@dataclass(frozen=True)
class Line:
    """An uninterrupted line: the voice's stretches from `first` up to, but not including, `last`."""

    voice: str
    first: int
    last: int


@dataclass(frozen=True)
class Spoiling:
    """How an episode is degraded: ratios of speech to noise and to music in dB, level in dB, telephone band, MP3."""

    noise_db: float | None = None
    music_db: float | None = None
    level_db: float = 0.0
    telephone: bool = False
    mp3: bool = False


@dataclass(frozen=True)
class Composed:
    """The recipe of an episode. With `music_s` it is that many seconds of music and has no lines."""

    name: str
    lines: tuple[Line, ...]
    spoiling: Spoiling = Spoiling()
    music_s: float = 0.0


_NARRATOR = Clip("moonshine_voice", "assets/two_cities.wav")
_NARRATOR_SPANS = (
    (1.2, 4.6), (5.0, 6.2), (6.65, 8.2), (8.8, 10.2), (10.75, 12.75), (13.45, 14.8), (15.1, 16.7), (17.55, 18.7),
    (18.95, 20.45), (21.2, 24.05), (24.6, 26.0), (26.55, 28.3), (29.1, 29.6), (29.9, 32.2), (32.75, 36.5), (36.9, 38.35),
    (38.65, 41.6),
)  # fmt: skip
_DIALOGUE = Clip("moonshine_voice", "assets/endgame_nagg_nell.wav")
_NAGG_SPANS = (
    (0.0, 1.0), (2.4, 3.4), (4.8, 8.1), (11.95, 14.1), (17.55, 18.95), (19.4, 19.95), (20.35, 22.05), (22.45, 23.25),
    (23.6, 27.4),
)  # fmt: skip
_ANNA_SPANS = ((8.35, 9.92), (11.03, 14.49), (18.59, 21.49), (28.5, 30.0))

CAST = {
    voice.name: voice
    for voice in (
        Voice("anna", TELEPHONE, _ANNA_SPANS),
        Voice("berta", TELEPHONE, ((7.55, 8.32), (14.7, 17.92), (21.78, 27.85))),
        Voice("narrator", _NARRATOR, _NARRATOR_SPANS),
        Voice("nagg", _DIALOGUE, _NAGG_SPANS),
        Voice("nell", _DIALOGUE, ((1.55, 1.9), (3.9, 4.3), (8.65, 11.4), (14.6, 17.0))),
        Voice("deep narrator", _NARRATOR, _NARRATOR_SPANS, Fraction(3, 4)),
        Voice("high narrator", _NARRATOR, _NARRATOR_SPANS, Fraction(4, 3)),
        Voice("high anna", TELEPHONE, _ANNA_SPANS, Fraction(4, 3)),
    )
}


@cache
def stretches(name: str) -> tuple[np.ndarray, ...]:
    """The voice's stretches as float32 samples, mono, 16 kHz, at the voice's own speed."""
    voice = CAST[name]
    samples = clip_samples(voice.recording)
    cut = (samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)] for start, end in voice.spans)
    return tuple(_at_speed(part, voice.speed) for part in cut)


def _at_speed(samples: np.ndarray, speed: Fraction) -> np.ndarray:
    if speed == 1:
        return samples
    return resample_poly(samples, speed.denominator, speed.numerator).astype(np.float32)


def compose(episode: Composed) -> tuple[np.ndarray, pd.DataFrame]:
    """The episode's samples (float32, mono, 16 kHz) and its truth: start_s, end_s, person; in order of time.

    Stretches are normalised to one loudness, since the recordings differ by 20 dB; then the whole is degraded.
    """
    pause = np.zeros(round(PAUSE_S * SAMPLE_RATE), dtype=np.float32)
    parts, rows, position = [pause], [], len(pause)
    for line in episode.lines:
        for stretch in stretches(line.voice)[line.first : line.last]:
            rows.append((position / SAMPLE_RATE, (position + len(stretch)) / SAMPLE_RATE, line.voice))
            parts += [loud(stretch), pause]
            position += len(stretch) + len(pause)
    samples = np.concatenate(parts) if rows else loud(music(episode.music_s))
    return spoil(samples, episode.spoiling), pd.DataFrame(rows, columns=["start_s", "end_s", "person"])


def spoil(samples: np.ndarray, spoiling: Spoiling) -> np.ndarray:
    """The samples degraded, except for MP3, which `write()` applies. The noise is the same in every run."""
    spoiled = samples.astype(np.float64)
    if spoiling.music_db is not None:
        spoiled = spoiled + _beneath(music(len(samples) / SAMPLE_RATE)[: len(samples)], samples, spoiling.music_db)
    if spoiling.noise_db is not None:
        spoiled = spoiled + _beneath(pink_noise(len(samples)), samples, spoiling.noise_db)
    if spoiling.telephone:
        spoiled = sosfiltfilt(butter(4, TELEPHONE_BAND_HZ, "bandpass", fs=SAMPLE_RATE, output="sos"), spoiled)
    return np.clip(spoiled * 10 ** (spoiling.level_db / 20), -1.0, 1.0).astype(np.float32)


def loud(samples: np.ndarray, rms: float = 0.06) -> np.ndarray:
    return samples * (rms / max(_rms(samples), 1e-9))


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def _beneath(disturbance: np.ndarray, speech: np.ndarray, ratio_db: float) -> np.ndarray:
    """The disturbance, scaled to this ratio to the speech; pauses (digital silence) do not count."""
    spoken = speech[speech != 0.0]
    return disturbance * (_rms(spoken) / max(_rms(disturbance), 1e-9) / 10 ** (ratio_db / 20))


def pink_noise(samples: int, seed: int = 5) -> np.ndarray:
    """Noise whose power falls by 3 dB per octave, roughly like that of rooms and streets."""
    white = np.fft.rfft(np.random.default_rng(seed).standard_normal(samples))
    return np.fft.irfft(white / np.sqrt(np.maximum(np.arange(len(white)), 1)), samples)


def music(seconds: float) -> np.ndarray:
    """Two chords a second, of decaying tones with overtones; no singing."""
    beat = SAMPLE_RATE // 2
    chords = [_chord(root, beat) for root in (220.0, 174.6, 261.6, 196.0)]
    count = round(seconds * SAMPLE_RATE)
    return np.resize(np.concatenate([chord for chord in chords for _ in range(2)]), count).astype(np.float32)


def _chord(root: float, samples: int) -> np.ndarray:
    times = np.arange(samples) / SAMPLE_RATE
    tones = [root * interval * overtone for interval in (1.0, 1.2599, 1.4983) for overtone in (1, 2, 3)]
    waves = [np.sin(2 * np.pi * tone * times) / (tone / root) for tone in tones]
    return np.sum(waves, axis=0) * np.exp(-3.0 * times)


def write(episode: Composed, folder: Path) -> tuple[Path, pd.DataFrame]:
    """Write the episode (MP3 of 64 kbit/s if its spoiling says so, else FLAC); returns the path and its truth."""
    folder.mkdir(parents=True, exist_ok=True)
    samples, truth = compose(episode)
    path = folder / f"{episode.name.replace(' ', '-')}.{'mp3' if episode.spoiling.mp3 else 'flac'}"
    if episode.spoiling.mp3:
        write_mp3(path, samples)
    else:
        soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")
    return path, truth


def people_of(turns: pd.DataFrame, truth: pd.DataFrame) -> dict[str, str]:
    """The true person of each local speaker of `turns` (start_s, end_s, local_speaker): the one who speaks most of their time.

    "" for a speaker whose turns contain no speech.
    """
    shared = shared_seconds(turns_of(truth, "person"), turns_of(turns))
    people = dict.fromkeys(sorted(set(turns.local_speaker)), "")
    for (person, speaker), _ in sorted(shared.items(), key=lambda each: each[1]):
        people[speaker] = person
    return people


def error_rate(turns: pd.DataFrame, truth: pd.DataFrame, collar_s: float = 0.25) -> float:
    """DER of turns against the truth, with the usual collar of a quarter of a second; overlap counts."""
    seconds = max(truth.end_s.max(), turns.end_s.max() if len(turns) else 0.0)
    return diarization_errors(turns_of(truth, "person"), turns_of(turns), seconds, collar_s).rate or 0.0


def _lines(text: str) -> tuple[Line, ...]:
    """Parses lines such as "narrator 0-5, anna 0-2": each a voice, its first stretch and one past its last."""
    lines = []
    for part in text.split(", "):
        name, _, numbers = part.rpartition(" ")
        first, last = numbers.split("-")
        lines.append(Line(name, int(first), int(last)))
    return tuple(lines)


# Short: 10 to 30 s each. Nothing is said twice, except by the narrator, whose text occurs at three speeds. ENROLLED are known
# in advance: the narrator by another recording, the deep narrator by the lines in "studio". Anna, nagg and the high
# narrator are not enrolled and come back; berta, who resembles anna as much as people do (0.6), does not come back.
ENROLLED = ("narrator", "deep narrator")
OWN_RECORDING = Composed("enrolment of the narrator", _lines("narrator 0-6"))
EPISODES = (
    Composed("studio", _lines("narrator 6-8, deep narrator 0-3, narrator 8-9, deep narrator 3-5")),
    Composed("noisy", _lines("narrator 9-11, nagg 0-3"), Spoiling(noise_db=20.0, level_db=-12.0)),
    Composed("compressed", _lines("nagg 3-6, high narrator 0-4, nagg 6-9, high narrator 4-8"), Spoiling(mp3=True)),
    Composed("by telephone", _lines("anna 0-2, deep narrator 5-9, high narrator 8-12"), Spoiling(telephone=True)),
    Composed("alone", _lines("narrator 11-14"), Spoiling(level_db=6.0)),
    Composed("similar", _lines("anna 2-3, berta 0-2, anna 3-4, berta 2-3")),
    Composed("over music", _lines("narrator 14-17, deep narrator 9-12"), Spoiling(music_db=15.0)),
    Composed("music", (), music_s=15.0),
)


def long_episode(seconds: float) -> Composed:
    """All eight of the cast in turn for at least this long, repeating their stretches, in some noise."""
    lines: list[Line] = []
    position, length = dict.fromkeys(CAST, 0), 0.0
    while length < seconds:
        for name in CAST:
            parts = stretches(name)
            first = position[name] % len(parts)
            last = min(first + 3, len(parts))
            position[name] = last % len(parts)
            lines.append(Line(name, first, last))
            length += sum(len(part) / SAMPLE_RATE + PAUSE_S for part in parts[first:last])
    return Composed("eight speakers", tuple(lines), Spoiling(noise_db=25.0))
