"""Bare: the model calls of Earshot's stages, by the very objects that the stages use, nothing around them.

No Dagster, no database, no media store, no checks, no counting of anything: `decode`, `Transcriber.transcribe`,
`Diarizer.diarize`, `VoiceEncoder.encode` and `TextEncoder.encode`, with Earshot's own speed-ups. So Earshot's seconds over
these are the price of everything around the models, where its seconds over the plain libraries' (bench/contenders/baselines.py)
are that price less what the speed-ups gain.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.contenders.work import Span, Work, timed
from earshot.media.decoding import decode
from earshot.models.cache import Models
from earshot.models.device import Device


class BareCalls:
    """The models that this process has loaded for the pipeline, or will."""

    name = "bare"

    def __init__(self, device: Device) -> None:
        models = Models()
        self._transcriber, self._diarizer = models.transcriber(device), models.diarizer(device)
        self._voice, self._text = models.voice_encoder(device), models.text_encoder(device)

    def work_through(self, recording: Path, spans: Sequence[Span], texts: Sequence[str]) -> Work:
        """Every stage of one recording."""
        decoded, audio = timed("audio", lambda: decode(recording), lambda _: 1)
        samples = decoded.astype(np.float32) / 32768.0
        _, transcript = timed("transcript", lambda: self._transcriber.transcribe(samples), lambda found: len(found.segments))
        (spoken, _), turns = timed("speaker_turns", lambda: self._diarizer.diarize(samples), lambda found: len(found[0]))
        _, voices = timed("voice_embeddings", lambda: self._voice.encode(samples, list(dict.fromkeys(spans))))
        _, passages = timed("text_embeddings", lambda: self._text.encode(texts))
        return Work(
            (audio, transcript, turns, voices, passages),
            tuple(zip(spoken.start_s, spoken.end_s, spoken.local_speaker, strict=True)),
        )
