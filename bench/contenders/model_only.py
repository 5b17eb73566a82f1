"""Bare model calls: those of Earshot's stages, by the same objects, without anything around them.

No Dagster, database, media store, checks or counting: only `decode`, `Transcriber.transcribe`, `Diarizer.diarize`,
`VoiceEncoder.encode` and `TextEncoder.encode`, with Earshot's speed-ups. So Earshot's ratio to these is the cost of everything
around the models; its ratio to the plain libraries (bench/contenders/baselines.py) is that cost less the gain of the speed-ups.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.contenders.work import Span, Work, timed
from earshot.models.cache import Models
from earshot.models.device import Device
from earshot.sources.media.decoding import decode


class BareCalls:
    """Earshot's models, shared with the pipeline in this process."""

    name = "bare"

    def __init__(self, device: Device) -> None:
        models = Models()
        self._transcriber, self._diarizer = models.transcriber(device), models.diarizer(device)
        self._voice, self._text = models.voice_encoder(device), models.text_encoder(device)

    def work_through(self, recording: Path, spans: Sequence[Span], texts: Sequence[str]) -> Work:
        """Every stage of one recording."""
        decoded, audio = timed("audio", lambda: decode(recording), lambda _: 1)
        samples = decoded.astype(np.float32) / 32768.0
        _, transcript = timed("transcript", lambda: self._transcriber.transcribe(samples), lambda result: len(result.segments))
        (spoken, _), turns = timed("speaker_turns", lambda: self._diarizer.diarize(samples), lambda result: len(result[0]))
        _, voices = timed("voice_embeddings", lambda: self._voice.encode(samples, list(dict.fromkeys(spans))))
        _, passages = timed("text_embeddings", lambda: self._text.encode(texts))
        return Work(
            (audio, transcript, turns, voices, passages),
            tuple(zip(spoken.start_s, spoken.end_s, spoken.local_speaker, strict=True)),
        )
