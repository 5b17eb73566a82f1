"""faster-whisper's batched pipeline, which counts its work and encodes nothing twice.

faster-whisper detects the language by encoding the first 30 s of speech once more. Here the encoder's output of the first
batch says it: no second pass, and up to eight windows (32 on a GPU) instead of one.
"""

from typing import Any

import ctranslate2
import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import TranscriptionInfo

from earshot.models.measurement import CallCounter

ENGLISH = "en"


class OneEncodingModel(WhisperModel):
    """A whisper model that gives the encoder's output away once before it is used."""

    _encoded: tuple[np.ndarray, ctranslate2.StorageView] | None = None

    def encode_ahead(self, features: np.ndarray) -> ctranslate2.StorageView:
        """Encode; the next `encode()` of the same array returns this output."""
        output = super().encode(features)
        self._encoded = (features, output)
        return output

    def encode(self, features: np.ndarray) -> ctranslate2.StorageView:
        encoded, self._encoded = self._encoded, None
        return encoded[1] if encoded and encoded[0] is features else super().encode(features)


class BatchedPipeline(BatchedInferencePipeline):
    """faster-whisper's pipeline; counts windows and model calls, and hears the language in the first batch."""

    def __init__(self, model: OneEncodingModel) -> None:
        super().__init__(model)
        self._whisper = model
        self._tally = CallCounter()
        self._language: str | None = None
        self._heard: tuple[str, float] | None = None

    @property
    def heard(self) -> tuple[str | None, float]:
        """Language and probability of the windows of the first batch; (None, 0) before it."""
        return self._heard or (None, 0.0)

    def begin(
        self, samples: np.ndarray, batch_size: int, tally: CallCounter, language: str | None
    ) -> tuple[Any, TranscriptionInfo]:
        """The segments, each when its batch is done, and faster-whisper's information, of which only the language is wrong.

        They are in `language`, or in the one heard.
        """
        self._tally, self._language, self._heard = tally, language, None
        return self.transcribe(
            samples, batch_size=batch_size, word_timestamps=True, vad_filter=True, language=language or ENGLISH
        )

    def forward(self, features: np.ndarray, tokenizer: Tokenizer, chunks_metadata: Any, options: Any) -> Any:
        self._tally.count(len(features))
        if self._heard is None:
            self._heard = self._hear_language(features)
        if self._language is None:
            tokenizer = Tokenizer(self.model.hf_tokenizer, self._whisper.model.is_multilingual, "transcribe", self._heard[0])
        return super().forward(features, tokenizer, chunks_metadata, options)

    def _hear_language(self, features: np.ndarray) -> tuple[str, float]:
        """The most probable language, and its mean probability over the windows."""
        if not self._whisper.model.is_multilingual:
            return ENGLISH, 1.0
        totals: dict[str, float] = {}
        for window in self._whisper.model.detect_language(self._whisper.encode_ahead(features)):
            for token, probability in window:
                totals[token] = totals.get(token, 0.0) + probability / len(features)
        token = max(totals, key=totals.__getitem__)
        return token.removeprefix("<|").removesuffix("|>"), totals[token]
