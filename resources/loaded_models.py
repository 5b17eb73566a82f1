"""Loaded models, kept for the life of the process.

Dagster sets resources up anew for each run, so the models cannot live on one: they are cached here, keyed by what was
loaded and where to, and the second video of a process finds them warm. `ModelsResource` hands them to assets, for a
device that GpuResource has proved; the load is timed by the caller.

pyannote.audio warns at import, over several lines, when torchcodec finds no FFmpeg on the machine. It is given waveforms
here and never decodes, so that one warning is dropped while it is imported, and nothing else.
"""

import warnings
from functools import cache
from typing import TYPE_CHECKING

from dagster import ConfigurableResource

from resources.gpu import Device
from resources.models import ModelSet, locate, model_set
from resources.settings import Settings, read_settings

if TYPE_CHECKING:  # each of these imports torch
    from resources.diarizer import Diarizer
    from resources.text_encoder import TextEncoder
    from resources.voice_encoder import VoiceEncoder
    from resources.whisper import Transcriber


class ModelsResource(ConfigurableResource):
    """The models of `EARSHOT_MODELS`, loaded once per process; raises ModelUnavailable, or GpuUnavailable if misplaced."""

    def transcriber(self, device: Device) -> "Transcriber":
        return _transcriber(read_settings(), device)

    def diarizer(self, device: Device) -> "Diarizer":
        return _diarizer(read_settings(), device)

    def voice_encoder(self, device: Device) -> "VoiceEncoder":
        return _voice_encoder(read_settings(), device)

    def text_encoder(self, device: Device) -> "TextEncoder":
        return _text_encoder(read_settings(), device)

    def model_set(self) -> ModelSet:
        return model_set(read_settings())


@cache
def _transcriber(settings: Settings, device: Device) -> "Transcriber":
    from resources.whisper import Transcriber

    model = model_set(settings).speech
    return Transcriber(model, locate(model, settings), device)


@cache
def _diarizer(settings: Settings, device: Device) -> "Diarizer":
    _import_pyannote()
    from resources.diarizer import Diarizer

    models = model_set(settings)
    folder, voice_folder = locate(models.diarization, settings), locate(models.voice, settings)
    return Diarizer(models.diarization, models.voice, folder, voice_folder, device)


@cache
def _voice_encoder(settings: Settings, device: Device) -> "VoiceEncoder":
    _import_pyannote()
    from resources.voice_encoder import VoiceEncoder

    model = model_set(settings).voice
    return VoiceEncoder(model, locate(model, settings), device)


@cache
def _text_encoder(settings: Settings, device: Device) -> "TextEncoder":
    from resources.text_encoder import TextEncoder

    model = model_set(settings).text
    return TextEncoder(model, locate(model, settings), device)


def _import_pyannote() -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\ntorchcodec is not installed correctly")
        import pyannote.audio  # noqa: F401
