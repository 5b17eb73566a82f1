"""faster-whisper's batched pipeline: counts its work, encodes nothing twice, and gives up a prompt that leads off the speech.

faster-whisper detects the language by encoding the first 30 s of speech once more. Here the encoder's output of the first
batch says it: no second pass, and up to eight windows (32 on a GPU) instead of one.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
from ctranslate2 import StorageView
from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper.tokenizer import Tokenizer

from earshot.common.errors import Misconfigured
from earshot.models.measurement import CallCounter
from earshot.models.speech.prompting import Prompt, follows_speech

ENGLISH = "en"

Language = tuple[str | None, float]
SILENCE: Language = (None, 0.0)


class EncodedWhisper(WhisperModel):
    """faster-whisper's model; takes what it has encoded already in place of features."""

    def encode(self, features: Any) -> StorageView:
        return features if isinstance(features, StorageView) else super().encode(features)


class BatchedPipeline(BatchedInferencePipeline):
    """faster-whisper's pipeline, for one recording after another.

    `heard` is the language of the first batch with its probability, and `chosen` the one that is transcribed. With a prompt or
    hotwords, `prompted` windows are also read without them, and `not_followed` of these readings were kept.
    """

    def __init__(self, model: EncodedWhisper) -> None:
        super().__init__(model)
        self._whisper = model
        self._start(CallCounter(), ())

    def _start(self, tally: CallCounter, languages: Collection[str]) -> None:
        self._tally, self._languages = tally, languages
        self.heard = self.chosen = SILENCE
        self.prompted = self.not_followed = 0

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
        self._tally.count(features.shape[0])
        encoded, readings = super().generate_segment_batched(features, tokenizer, options)
        if options.initial_prompt is None and options.hotwords is None:
            return encoded, readings
        self._tally.count(features.shape[0])
        bare = replace(options, initial_prompt=None, hotwords=None)
        _, unprompted = super().generate_segment_batched(encoded, tokenizer, bare)
        return encoded, [self._choose(tokenizer, *both) for both in zip(readings, unprompted, strict=True)]

    def _choose(self, tokenizer: Tokenizer, prompted: Any, plain: Any) -> Any:
        follows = follows_speech(tokenizer.decode(prompted["tokens"]), tokenizer.decode(plain["tokens"]))
        self.prompted += 1
        self.not_followed += not follows
        return prompted if follows else plain
