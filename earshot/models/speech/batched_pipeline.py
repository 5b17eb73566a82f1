"""faster-whisper's batched pipeline: counts its work, encodes nothing twice, gives up a prompt that leads off the speech, and
reads weak windows again.

faster-whisper detects the language by encoding the first 30 s of speech once more. Here the encoder's output of the first
batch says it: no second pass, and up to eight windows (32 on a GPU) instead of one.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ctranslate2 import StorageView
from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper.tokenizer import Tokenizer

from earshot.common.errors import Misconfigured
from earshot.models.measurement import CallCounter
from earshot.models.speech.prompting import Prompt, follows_speech
from earshot.models.speech.second_look import UNREPEATED, WindowReading, better, cut, invented, join

ENGLISH = "en"

Language = tuple[str | None, float]
SILENCE: Language = (None, 0.0)


@dataclass
class SecondLook:
    """Windows whose first reading was weak, those of them in which another one was kept, and those in which no one spoke."""

    weak: int = 0
    replaced: int = 0
    silent: int = 0

    def count(self, first: Mapping[int, WindowReading], kept: Mapping[int, WindowReading]) -> None:
        self.weak += len(first)
        self.silent += sum(not reading.tokens for reading in kept.values())
        self.replaced += sum(bool(reading.tokens) and reading is not first[window] for window, reading in kept.items())


class EncodedWhisper(WhisperModel):
    """faster-whisper's model; takes what it has encoded already in place of features."""

    def encode(self, features: Any) -> StorageView:
        return features if isinstance(features, StorageView) else super().encode(features)


class BatchedPipeline(BatchedInferencePipeline):
    """faster-whisper's pipeline, for one recording after another.

    `heard` is the language of the first batch with its probability, and `chosen` the one that is transcribed. With a prompt or
    hotwords, `prompted` windows are also read without them, and `not_followed` of these readings were kept.
    `second_look` counts the weak windows.
    """

    def __init__(self, model: EncodedWhisper) -> None:
        super().__init__(model)
        self._whisper = model
        self._start(CallCounter(), ())

    def _start(self, tally: CallCounter, languages: Collection[str]) -> None:
        self._tally, self._languages = tally, languages
        self.heard = self.chosen = SILENCE
        self.prompted = self.not_followed = 0
        self.second_look = SecondLook()

    def begin(
        self, samples: np.ndarray, batch_size: int, tally: CallCounter, languages: Collection[str], prompt: Prompt
    ) -> tuple[Any, float]:
        """The segments, each when its batch is done, and the seconds of speech.

        Transcribes in the likeliest of these languages; of all if there are none.
        """
        self._start(tally, languages)
        segments, information = self.transcribe(
            samples,
            batch_size=batch_size,
            word_timestamps=True,
            vad_filter=True,
            language=ENGLISH,  # until the first batch is heard
            initial_prompt=f" {prompt.text}" if prompt.text else None,
            hotwords=prompt.hotwords or None,
        )
        return segments, information.duration_after_vad

    def forward(self, features: np.ndarray, tokenizer: Tokenizer, chunks_metadata: Any, options: Any) -> Any:
        self._features = features
        encoded: Any = self._whisper.encode(features)
        if self.chosen == SILENCE:
            self._choose_language(self._language_shares(encoded))
        if self.chosen[0] != tokenizer.language_code:
            tokenizer = Tokenizer(self._whisper.hf_tokenizer, True, "transcribe", self.chosen[0])
        return super().forward(encoded, tokenizer, chunks_metadata, options)

    def _language_shares(self, encoded: StorageView) -> dict[str, float]:
        """The mean probability of each language that the model knows, over the windows."""
        if not self._whisper.model.is_multilingual:
            return {ENGLISH: 1.0}
        windows = self._whisper.model.detect_language(encoded)
        shares: dict[str, float] = {}
        for window in windows:
            for token, probability in window:
                name = token.removeprefix("<|").removesuffix("|>")
                shares[name] = shares.get(name, 0.0) + probability / len(windows)
        return shares

    def _choose_language(self, shares: dict[str, float]) -> None:
        allowed = {name: share for name, share in shares.items() if not self._languages or name in self._languages}
        if not allowed:
            raise Misconfigured(
                f"The speech model does not know the language {' or '.join(sorted(self._languages))}.",
                f"Ask for one that it knows ({', '.join(sorted(shares))}), or choose a larger set of models.",
            )
        heard, chosen = max(shares, key=shares.__getitem__), max(allowed, key=allowed.__getitem__)
        self.heard = heard, shares[heard]
        self.chosen = (chosen, allowed[chosen] / (sum(allowed.values()) or 1.0)) if self._languages else self.heard

    def generate_segment_batched(self, features: Any, tokenizer: Tokenizer, options: Any) -> Any:
        encoded, readings = self._read(features, tokenizer, options)
        bare = replace(options, initial_prompt=None, hotwords=None)
        if options.initial_prompt is not None or options.hotwords is not None:
            _, plain = self._read(encoded, tokenizer, bare)
            readings = [self._choose(*both) for both in zip(readings, plain, strict=True)]
        weak = {window: reading for window, reading in enumerate(readings) if reading.weak}
        kept = self._look_again(weak, tokenizer, bare) if weak else {}
        readings = [kept.get(window, reading) for window, reading in enumerate(readings)]
        return encoded, [_output(reading) for reading in readings]

    def _read(self, features: Any, tokenizer: Tokenizer, options: Any) -> tuple[Any, list[WindowReading]]:
        self._tally.count(features.shape[0])
        encoded, outputs = super().generate_segment_batched(features, tokenizer, options)
        return encoded, [_reading(output, tokenizer) for output in outputs]

    def _choose(self, prompted: WindowReading, plain: WindowReading) -> WindowReading:
        follows = follows_speech(prompted.text, plain.text)
        self.prompted += 1
        self.not_followed += not follows
        return prompted if follows else plain

    def _look_again(self, first: Mapping[int, WindowReading], tokenizer: Tokenizer, options: Any) -> dict[int, WindowReading]:
        """The better reading of each of these windows of the batch, whose first ones were weak."""
        second = self._read_halves(first, tokenizer, options)
        lost = [window for window in first if invented(first[window], second[window])]
        if lost:
            third = self._read_halves(lost, tokenizer, replace(options, no_repeat_ngram_size=UNREPEATED))
            second |= {window: better(second[window], reading) for window, reading in third.items()}
        kept = {window: better(reading, second[window]) for window, reading in first.items()}
        self.second_look.count(first, kept)
        return kept

    def _read_halves(self, windows: Iterable[int], tokenizer: Tokenizer, options: Any) -> dict[int, WindowReading]:
        """All first halves in one call, and all second ones in another: no more at once than in the batch."""
        numbers = list(windows)
        halves = zip(*(cut(self._features[window]) for window in numbers), strict=True)
        left, right = (self._read(np.stack(half), tokenizer, options)[1] for half in halves)
        return dict(zip(numbers, map(join, left, right), strict=True))


def _reading(output: Any, tokenizer: Tokenizer) -> WindowReading:
    tokens: list[int] = output["tokens"]
    return WindowReading(tuple(tokens), tokenizer.decode(tokens), output["avg_logprob"], output["no_speech_prob"])


def _output(reading: WindowReading) -> dict[str, Any]:
    """As faster-whisper has it."""
    return {"tokens": list(reading.tokens), "avg_logprob": reading.logprob, "no_speech_prob": reading.no_speech}
