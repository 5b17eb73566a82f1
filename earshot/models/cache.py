"""Loaded models, kept for the life of the process.

Dagster sets resources up anew for each run, so the models cannot live on one: they are cached here, keyed by what was
loaded and where to, and the second video of a process finds them warm. `Models` hands them to assets, for a
device that GpuResource has proved; the load, warm-up included, is timed by the caller. Loads are counted: a process that
loads one model twice does something wrong, and its timing must show it.

pyannote.audio warns at import, over several lines, when torchcodec finds no FFmpeg on the machine. It is given waveforms
here and never decodes, so that one warning is dropped while it is imported, and nothing else.
"""

import warnings
from functools import cache
from typing import TYPE_CHECKING

from earshot.config.settings import Settings, read_settings
from earshot.models.device import Device, require_memory
from earshot.models.files import locate
from earshot.models.registry import Model, ModelSet, model_set

if TYPE_CHECKING:  # each of these imports torch
    from earshot.models.speech.transcriber import Transcriber
    from earshot.models.text.text_encoder import TextEncoder
    from earshot.models.voice.diarizer import Diarizer
    from earshot.models.voice.voice_encoder import VoiceEncoder

_loads = 0


class Models:
    """The models of `EARSHOT_MODELS`, loaded once per process.

    Raises ModelUnavailable, or GpuUnavailable where a model does not fit or is misplaced.
    """

    def transcriber(self, device: Device) -> "Transcriber":
        return _transcriber(read_settings(), device)

    def diarizer(self, device: Device) -> "Diarizer":
        return _diarizer(read_settings(), device)

    def voice_encoder(self, device: Device) -> "VoiceEncoder":
        return _voice_encoder(read_settings(), device)

    def text_encoder(self, device: Device, model: Model | None = None) -> "TextEncoder":
        """That of the model set, or of the model that a library is searched with."""
        settings = read_settings()
        return _text_encoder(model or model_set(settings).text, settings, device)

    def passage_encoder(self, device: Device) -> "TextEncoder":
        """The text encoder, warmed for many passages and not only for a question."""
        encoder = self.text_encoder(device)
        encoder.warm_up_for_passages()
        return encoder

    def model_set(self) -> ModelSet:
        return model_set(read_settings())


def loads() -> int:
    """How many models this process has loaded so far, each time counted."""
    return _loads


@cache
def _transcriber(settings: Settings, device: Device) -> "Transcriber":
    from earshot.models.speech.transcriber import Transcriber

    model = model_set(settings).speech
    _begin_load(device, model)
    return Transcriber(model, locate(model, settings), device)


@cache
def _diarizer(settings: Settings, device: Device) -> "Diarizer":
    _import_pyannote()
    from earshot.models.voice.diarizer import Diarizer

    models = model_set(settings)
    _begin_load(device, models.diarization, models.voice)
    folder, voice_folder = locate(models.diarization, settings), locate(models.voice, settings)
    return Diarizer(models.diarization, models.voice, folder, voice_folder, device)


@cache
def _voice_encoder(settings: Settings, device: Device) -> "VoiceEncoder":
    _import_pyannote()
    from earshot.models.voice.voice_encoder import VoiceEncoder

    model = model_set(settings).voice
    _begin_load(device, model)
    return VoiceEncoder(model, locate(model, settings), device)


@cache
def _text_encoder(model: Model, settings: Settings, device: Device) -> "TextEncoder":
    _begin_load(device, model)
    folder = locate(model, settings)
    if device.kind == "cpu" and model.int8:
        from earshot.models.text.int8_encoder import Int8Encoder

        return Int8Encoder(model, folder, device)
    from earshot.models.text.sentence_encoder import SentenceEncoder

    return SentenceEncoder(model, folder, device)


def _begin_load(device: Device, *models: Model) -> None:
    global _loads
    require_memory(device, *models)
    _loads += 1


def _import_pyannote() -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\ntorchcodec is not installed correctly")
        import pyannote.audio  # noqa: F401
