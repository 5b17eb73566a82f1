"""A hostile input, and what must become of it. Generators give cases; the campaign makes, ingests and judges them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.chaos.hostile.site import HostileSite
from bench.corpora.episodes import TELEPHONE, Clip

CLIP = Clip(TELEPHONE.package, TELEPHONE.path, 6.5, 14.5)
# Words that are heard in the good recording that most media are made of.
SPEECH = "know you were there"
REFUSED = ("failed",)
NOT_MEDIA = "cannot be read as audio or video|cannot be decoded"
NO_SOURCE = "unusable"  # the source cannot be listed: there is no video
EMPTY = "nothing"  # the source is listed, and has no video
READ = "read"  # a file of the user's was read


@dataclass(frozen=True)
class Made:
    """What a generator made: an address to ingest, or a file to read. `options`: of the source, or of the reader."""

    address: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where a generator works: its own folder, the samples of a good recording (float32, 16 kHz), and the server."""

    folder: Path
    speech: Any
    site: HostileSite
    seed: int


@dataclass(frozen=True)
class Case:
    """An input. `states`: any of them may be its end; `message` is a pattern that its error must match.

    `door`: `ingest`, or `sources`, `people`, `settings` for the reader of that file. `words`: heard if it is `ready`; "" for
    silence, None for anything. `whole`: through all stages, with the models; else through `audio`, and the speech is looked for
    in what it stored. `most_s` seconds may pass, and the processes may take `most_mb` more memory. `resumed`: what has arrived
    may stay, because the next attempt continues there.
    """

    kind: str
    name: str
    make: Callable[[Place], Made]
    states: Sequence[str] = REFUSED
    message: str = ""
    words: str | None = None
    door: str = "ingest"
    whole: bool = False
    most_s: float = 150.0
    most_mb: float = 1500.0
    resumed: bool = False
