"""What the second look at weak windows changes: word errors with and without it, `python -m bench.pipeline.weak_spans`.

Recordings of known words (bench/corpora), clean and degraded: noise, many voices at once, music, the telephone, English as
espeak-ng's voices of other languages speak it (if it is installed), fast speech, a wrong language, phrases that are really said
again and again; and sounds without speech. Each is at most one window, so that a line of the table is a window's.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
from faster_whisper import decode_audio
from scipy.signal import butter, resample_poly, sosfiltfilt

from bench.corpora.episodes import Clip, clip_samples
from bench.corpora.known_speech import BACK_CHANNELS, FOUR, HEAVEN, QUICK, TRIED, compose, telephone
from bench.corpora.voice_episodes import TELEPHONE_BAND_HZ, music, pink_noise
from earshot.common.audio import SAMPLE_RATE
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.models.speech.batched_pipeline import BatchedPipeline
from earshot.models.speech.second_look import WindowReading
from earshot.models.speech.transcriber import Transcriber
from earshot.transcripts.evaluation.words import word_errors

WINDOW = int(29.9 * SAMPLE_RATE)
ACCENTS = ("de", "fr", "es", "it", "ru", "hi", "en-gb-scotland", "en-029")
TALE = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, it was the "
    "epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of Darkness, it was the "
    "spring of hope, it was the winter of despair, we had everything before us, we had nothing before us, we were all going "
    "direct to Heaven, we were all going direct the other way",
    "in short, the period was so far like the present period that some of its noisiest authorities insisted on its being "
    "received, for good or for evil, in the superlative degree of comparison only.",
)

Speech = tuple[np.ndarray, str]
Change = Callable[[np.ndarray], np.ndarray]


class Remembering(BatchedPipeline):
    """Remembers the first readings of weak windows, which were the only ones before."""

    first: Mapping[int, WindowReading]

    def _look_again(self, first: Mapping[int, WindowReading], tokenizer: Any, options: Any) -> dict[int, WindowReading]:
        self.first = first
        return super()._look_again(first, tokenizer, options)


@cache
def recordings() -> dict[str, Speech]:
    """Real speech, at most a window each."""
    narrator = Clip("moonshine_voice", "assets/two_cities.wav")
    known = {name: compose(name, pieces, 0.1) for name, pieces in (("quick", QUICK[:6]), ("four", FOUR[:7]))}
    known |= {"back": compose("back", BACK_CHANNELS[6:], 0.1), "early": compose("early", QUICK[:6], -0.3), "call": telephone()}
    tale = {
        "tale, 1": (clip_samples(replace(narrator, end_s=28.6)), TALE[0]),
        "tale, 2": (clip_samples(replace(narrator, start_s=28.7)), TALE[1]),
    }
    return tale | {name: (each.samples, each.text) for name, each in known.items()}


def accented(voice: str, speed: int) -> dict[str, Speech]:
    """The tale as espeak-ng speaks it; nothing without espeak-ng."""
    if which("espeak-ng") is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spoken.wav"
        spoken = {}
        for part, text in enumerate(TALE, 1):
            subprocess.run(["espeak-ng", "-v", voice, "-s", str(speed), "-w", path, text], check=True)
            spoken[f"{voice} at {speed}, {part}"] = (np.asarray(decode_audio(str(path), sampling_rate=SAMPLE_RATE)), text)
        return spoken


def repeated() -> dict[str, Speech]:
    """Phrases that are really said again and again."""
    pause = np.zeros(SAMPLE_RATE // 4, dtype=np.float32)
    phrases = {"heaven": (HEAVEN, 12), "tried": (TRIED, 8)}
    return {
        name: (np.concatenate([clip_samples(piece.clip), pause] * times), " ".join([piece.text] * times))
        for name, (piece, times) in phrases.items()
    }


def telephoned(samples: np.ndarray) -> np.ndarray:
    """The band of a telephone, and its eight bits (mu-law)."""
    band = sosfiltfilt(butter(6, TELEPHONE_BAND_HZ, "bandpass", fs=SAMPLE_RATE, output="sos"), samples)
    level = band * 0.7 / max(np.abs(band).max(), 1e-9)
    coded = np.round(np.sign(level) * np.log1p(255 * np.abs(level)) / np.log(256) * 127) / 127
    return np.sign(coded) * (256 ** np.abs(coded) - 1) / 255


def over(disturbance: Callable[[int], np.ndarray], ratio_db: float) -> Change:
    """Speech over this, at this ratio."""

    def change(samples: np.ndarray) -> np.ndarray:
        other = disturbance(len(samples))
        return samples + other * samples.std() / other.std() / 10 ** (ratio_db / 20)

    return change


def white(samples: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal(samples)


def pink(samples: int) -> np.ndarray:
    return pink_noise(samples, seed=3)


def babble(samples: int) -> np.ndarray:
    """Eight voices, every second one backwards."""
    voices = [sound[::-1] if index % 2 else sound for index, (sound, _) in enumerate(recordings().values())]
    return np.sum([np.resize(voice / voice.std(), samples) for voice in voices], axis=0)


def chords(samples: int) -> np.ndarray:
    return music(samples / SAMPLE_RATE + 1)[:samples]


def sounds() -> dict[str, np.ndarray]:
    """Sounds without speech."""
    length = 25 * SAMPLE_RATE
    hum = np.sin(2 * np.pi * 50 * np.arange(length) / SAMPLE_RATE)
    made = {
        "white noise": white(length),
        "pink noise": pink(length),
        "music": chords(length),
        "hum": hum,
        "babble": babble(length),
    }
    return {"silence": np.zeros(length)} | {name: 0.05 * sound / sound.std() for name, sound in made.items()}


def jobs() -> Iterator[tuple[str, str, np.ndarray, str, str]]:
    """Kind, name, samples, words and language of each window."""
    changes: dict[str, Change] = {"clean": lambda samples: samples, "telephone": telephoned}
    changes |= {f"noise, {ratio} dB": over(pink, ratio) for ratio in (20, 10, 5, 0, -5)}
    changes |= {f"voices, {ratio} dB": over(babble, ratio) for ratio in (5, 0, -5)}
    changes |= {f"music, {ratio} dB": over(chords, ratio) for ratio in (10, 5, 0, -5)}
    changes |= {
        f"telephone, noise, {ratio} dB": lambda samples, ratio=ratio: telephoned(over(pink, ratio)(samples)) for ratio in (5, 0)
    }
    for kind, change in changes.items():
        for name, (sound, text) in recordings().items():
            yield kind, name, change(sound), text, "en"
    for voice in ACCENTS:
        for name, (sound, text) in accented(voice, 160).items():
            yield "accent", name, sound, text, "en"
            yield "accent, noise, 5 dB", name, over(pink, 5)(sound), text, "en"
    for name, (sound, text) in [*accented("en-us", 300).items(), *accented("en-us", 400).items()]:
        yield "fast", name, sound, text, "en"
    for name, (sound, text) in recordings().items():
        yield "fast", f"{name}, 1.8x", resample_poly(sound, 5, 9), text, "en"
        yield "wrong language", name, sound, text, "de"
    for name, (sound, text) in repeated().items():
        yield "repeated", name, sound, text, "en"
    for name, sound in sounds().items():
        yield "no speech", name, sound, "", "en"


def measure(
    transcriber: Transcriber, pipeline: Remembering, samples: np.ndarray, text: str, language: str
) -> tuple[int, int, int]:
    """Weak windows, and word errors before the second look and after it."""
    pipeline.first = {}
    heard = transcriber.transcribe(samples[:WINDOW].astype(np.float32), language=language)
    after = word_errors(text, "".join(heard.words.text))
    first = "".join(reading.text for reading in pipeline.first.values())
    return len(pipeline.first), word_errors(text, first) if first else after, after


def main() -> None:
    parser = argparse.ArgumentParser(description="Word errors with and without the second look.")
    parser.add_argument("--kinds", default="", help="only kinds that begin so")
    kinds = parser.parse_args().kinds
    transcriber = Models().transcriber(require_device("cpu"))
    transcriber._pipeline = pipeline = Remembering(transcriber._whisper)
    for kind, name, samples, text, language in jobs():
        if kind.startswith(kinds):
            loudest = max(1.0, float(np.abs(samples).max()))
            weak, before, after = measure(transcriber, pipeline, samples / loudest, text, language)
            print(kind, name, len(text.split()), weak, before, after, sep="\t", flush=True)


if __name__ == "__main__":
    main()
