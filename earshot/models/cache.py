"""The model cache: keeps loaded models for the life of the process.

Dagster creates resources for each run, so they cannot hold models. Models are cached here by settings and device, so they are
warm for a process's second video. `Models` provides them to assets, for a device that GpuResource has checked; the caller
times the load, including warm-up. Loads are counted: loading a model twice in a process is a mistake that timings must show.

On the CPU, models from packages need no torch: ONNX Runtime runs the networks for voices and the multilingual text model,
ctranslate2 the others.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from earshot.config.settings import Settings, read_settings
from earshot.models.device import Device, require_memory, require_torch
from earshot.models.files import locate
from earshot.models.registry import USE_MULTILINGUAL, Model, ModelSet, model_set

if TYPE_CHECKING:  # imported when a model is loaded: some of them import torch
    from earshot.models.networks.interface import SegmentationNetwork, SpeakerNetwork
    from earshot.models.speech.transcriber import Transcriber
    from earshot.models.text.text_encoder import TextEncoder
    from earshot.models.voice.diarizer import Diarizer
    from earshot.models.voice.voice_encoder import VoiceEncoder

_loads = 0


class Models:
    """The models of `EARSHOT_MODELS`, loaded once per process.

    Raises ModelUnavailable, or GpuUnavailable if a model does not fit or ends up on the wrong device.
    """

    def transcriber(self, device: Device) -> "Transcriber":
        return _transcriber(_model_settings(), device)

    def diarizer(self, device: Device) -> "Diarizer":
        return _diarizer(_model_settings(), device)

    def voice_encoder(self, device: Device) -> "VoiceEncoder":
        return _voice_encoder(_model_settings(), device)

    def text_encoder(self, device: Device, model: Model | None = None) -> "TextEncoder":
        """The encoder of this model; by default, the text model of the model set."""
        settings = _model_settings()
        return _text_encoder(model or model_set(settings).text, settings, device)

    def passage_encoder(self, device: Device) -> "TextEncoder":
        """The text encoder, warmed up for batches of passages and not only for a question."""
        encoder = self.text_encoder(device)
        encoder.warm_up_for_passages()
        return encoder

    def model_set(self) -> ModelSet:
        return model_set(read_settings())


def _model_settings() -> Settings:
    """The current settings, reduced to those that choose models: changing any other must not reload a model."""
    settings = read_settings()
    unused = Path()
    return Settings(settings.home, "", unused, unused, models=settings.models, hub_token=settings.hub_token)


def loads() -> int:
    """How many model loads this process has done so far."""
    return _loads


@cache
def _transcriber(settings: Settings, device: Device) -> "Transcriber":
    from earshot.models.speech.transcriber import Transcriber

    model = model_set(settings).speech
    _begin_load(device, model)
    return Transcriber(model, locate(model, settings), device)


@cache
def _diarizer(settings: Settings, device: Device) -> "Diarizer":
    model, voice = model_set(settings).diarization, model_set(settings).voice
    _begin_load(device, model, voice)
    if model.repository:
        require_torch(model)
        from earshot.models.voice.community import CommunityDiarizer

        return CommunityDiarizer(model, voice, locate(model, settings), device)
    from earshot.models.voice.diarizer import Diarizer

    segmentation = _segmentation_network(locate(model, settings), device)
    return Diarizer(model, segmentation, voice, _speaker_network(settings, device), device)


@cache
def _voice_encoder(settings: Settings, device: Device) -> "VoiceEncoder":
    from earshot.models.voice.voice_encoder import VoiceEncoder

    model = model_set(settings).voice
    _begin_load(device, model)
    return VoiceEncoder(model, _speaker_network(settings, device), device)


def _segmentation_network(folder: Path, device: Device) -> "SegmentationNetwork":
    if device.kind == "cpu":
        from earshot.models.networks.onnx_networks import load_segmentation

        return load_segmentation(folder)
    from earshot.models.networks import torch_networks

    return torch_networks.TorchSegmentation(torch_networks.load_segmentation(folder), device.kind)


@cache
def _speaker_network(settings: Settings, device: Device) -> "SpeakerNetwork":
    """Diarizer and voice encoder share it, except for community-1, whose pipeline has its own."""
    model = model_set(settings).voice
    folder = locate(model, settings)
    if device.kind == "cpu" and not model.repository:
        from earshot.models.networks.onnx_networks import load_speaker

        return load_speaker(folder)
    require_torch(model)
    from earshot.models.networks import torch_networks

    return torch_networks.TorchSpeaker(torch_networks.load_speaker(model, folder), device.kind)


@cache
def _text_encoder(model: Model, settings: Settings, device: Device) -> "TextEncoder":
    _begin_load(device, model)
    folder = locate(model, settings)
    if model == USE_MULTILINGUAL:
        from earshot.models.text.universal_encoder import load_universal

        return load_universal(model, folder, device)
    if device.kind == "cpu" and model.int8:
        from earshot.models.text.int8_encoder import Int8Encoder

        return Int8Encoder(model, folder, device)
    require_torch(model)
    from earshot.models.text.sentence_encoder import SentenceEncoder

    return SentenceEncoder(model, folder, device)


def forget_models(*kinds: str) -> None:
    """Drop the loaded models of these KINDS, or all; they are loaded again when they are next used."""
    for kind in kinds or KINDS:
        KINDS[kind].cache_clear()
    _speaker_network.cache_clear()


# By their names in `Models`.
KINDS = {
    "transcriber": _transcriber,
    "diarizer": _diarizer,
    "voice_encoder": _voice_encoder,
    "text_encoder": _text_encoder,
}


def _begin_load(device: Device, *models: Model) -> None:
    global _loads
    require_memory(device, *models)
    _loads += 1
