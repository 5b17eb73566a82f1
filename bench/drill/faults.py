"""The faults of the drill: what each does, the stages that it slows, and the cause that the checks must find."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import numpy as np

from bench.drill.clock import CORES, DrillClock
from earshot.models import cache
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.models.measurement import CallCounter
from earshot.storage.catalog.stages import ENROLMENTS, STAGES
from earshot.storage.database import Database
from earshot.storage.media_store import MediaStore

THROTTLE = 8.0
STORE_S, QUERY_S = 6.0, 4.0  # the delay of a slow store and of a slow database
DRILLED_GPU = "a GPU that the drill pretends"


@dataclass(frozen=True)
class Fault:
    """A fault: its description, the stages it slows, the cause that the checks must find, and how to inject it.

    More work than usual is a warning; every other fault is an error.
    """

    name: str
    description: str
    stages: tuple[str, ...]
    cause: str
    committed: Callable[[DrillClock, Database], AbstractContextManager[None]]

    @property
    def severity(self) -> str:
        return "warn" if self.cause == "more_items" else "error"


@contextmanager
def _throttled(clock: DrillClock, _database: Database) -> Iterator[None]:
    from earshot.models.text.text_encoder import TextEncoder

    encode = TextEncoder.encode

    def throttled(encoder: TextEncoder, texts: Sequence[str], tally: CallCounter | None = None) -> np.ndarray:
        clock.slowness = THROTTLE
        try:
            return encode(encoder, texts, tally)
        finally:
            clock.slowness = 1.0

    with patch.object(TextEncoder, "encode", throttled):
        yield


@contextmanager
def _one_by_one(_clock: DrillClock, _database: Database) -> Iterator[None]:
    from earshot.models.voice.voice_encoder import VoiceEncoder

    encode = VoiceEncoder.encode

    def one_by_one(
        encoder: VoiceEncoder, samples: np.ndarray, spans: Sequence[tuple[int, int]], tally: CallCounter | None = None
    ) -> np.ndarray:
        return np.concatenate([encode(encoder, samples, [span], tally) for span in spans])

    with patch.object(VoiceEncoder, "encode", one_by_one):
        yield


@contextmanager
def _reloaded(_clock: DrillClock, _database: Database) -> Iterator[None]:
    cache.forget_models("diarizer")
    yield


@contextmanager
def _store_slow(clock: DrillClock, _database: Database) -> Iterator[None]:
    with patch.object(MediaStore, "read", _delayed(MediaStore.read, clock, STORE_S)):
        yield


@contextmanager
def _database_slow(clock: DrillClock, _database: Database) -> Iterator[None]:
    with patch.object(Database, "replace_within", _delayed(Database.replace_within, clock, QUERY_S)):
        yield


def _delayed(method: Callable[..., Any], clock: DrillClock, seconds: float) -> Callable[..., Any]:
    """The method, answering so much later."""

    def delayed(*arguments: Any, **named: Any) -> Any:
        clock.wait(seconds)
        return method(*arguments, **named)

    return delayed


@contextmanager
def _step_halved(_clock: DrillClock, _database: Database) -> Iterator[None]:
    diarizer = Models().diarizer(require_device("cpu"))
    with patch.object(diarizer, "step_s", diarizer.step_s / 2):
        yield


@contextmanager
def _single_thread(clock: DrillClock, _database: Database) -> Iterator[None]:
    from earshot.models.voice.diarizer import Diarizer

    diarize = Diarizer.diarize

    def single(*arguments: Any, **named: Any) -> Any:
        clock.cores = 1.0
        try:
            return diarize(*arguments, **named)
        finally:
            clock.cores = CORES

    with patch.object(Diarizer, "diarize", single):
        yield


@contextmanager
def moved_to_the_cpu() -> Iterator[None]:
    """Really move the text encoder's network to the CPU while cuda is requested, on a machine with a GPU."""
    from earshot.models.text.sentence_encoder import SentenceEncoder

    encoder = Models().text_encoder(require_device("cuda"))
    assert isinstance(encoder, SentenceEncoder)
    encoder._model.to("cpu").float()
    yield
    encoder._model.to("cuda").half()


@contextmanager
def _on_the_other_device(_clock: DrillClock, database: Database) -> Iterator[None]:
    """Pretend that every stage ran on a GPU so far, and still does, except for the text encoder."""
    from earshot.models.speech.transcriber import Transcriber
    from earshot.models.text.text_encoder import TextEncoder
    from earshot.models.voice.diarizer import Diarizer
    from earshot.models.voice.voice_encoder import VoiceEncoder

    on_gpu = {"device_asked": "cuda", "device": "cuda", "device_name": DRILLED_GPU}
    database.query(
        "UPDATE asset_timings SET device_asked = 'cuda', device = 'cuda', device_name = %s WHERE asset <> 'audio'",
        [DRILLED_GPU],
    )
    with (
        patch.object(Transcriber, "execution", _changed_execution(Transcriber, on_gpu)),
        patch.object(Diarizer, "execution", _changed_execution(Diarizer, on_gpu)),
        patch.object(VoiceEncoder, "execution", _changed_execution(VoiceEncoder, on_gpu)),
        patch.object(TextEncoder, "execution", _changed_execution(TextEncoder, {"device_asked": "cuda"})),
    ):
        yield


def _changed_execution(model_class: Any, changes: dict[str, str]) -> property:
    """The class's property `execution` with some fields changed."""
    original = model_class.execution.fget
    return property(lambda model: replace(original(model), **changes))


FAULTS = (
    Fault("throttled", "the text encoder takes eight times as long", ("text_embeddings",), "starved", _throttled),
    Fault(
        "one by one",
        "voice embeddings are taken one by one instead of batched",
        ("voice_embeddings",),
        "batch_size",
        _one_by_one,
    ),
    Fault(
        "loaded again", "the diarization's models are loaded again for the video", ("speaker_turns",), "cold_load", _reloaded
    ),
    Fault("slow store", "the media store answers six seconds late", STAGES[1:4], "store_wait", _store_slow),
    Fault("slow database", "the database takes four seconds to store a stage's rows", STAGES, "database_wait", _database_slow),
    Fault("halved step", "the diarization's window moves by half its step", ("speaker_turns",), "more_items", _step_halved),
    Fault(
        "one thread", "the diarization computes with one thread of four", ("speaker_turns",), "fewer_threads", _single_thread
    ),
    Fault(
        "other device",
        "the text encoder's parameters lie on the CPU, behind the GPU resource's back",
        ("text_embeddings",),
        "device",
        _on_the_other_device,
    ),
)


# Of asset `enrolments`, which judges recordings of people.
ENROLMENT_FAULTS = (
    Fault(
        "enrolments one by one",
        "an enrolment's voice vectors are computed one by one",
        (ENROLMENTS,),
        "batch_size",
        _one_by_one,
    ),
    Fault("enrolments loaded again", "an enrolment's diarizer is loaded again", (ENROLMENTS,), "cold_load", _reloaded),
)
