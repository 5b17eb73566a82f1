"""Sides: Earshot and all it is compared with, taking turns over the same recordings, models warm.

In one process: Earshot's `ingest`, the same model calls bare (bench/contenders/model_only.py) and the plain libraries
(bench/contenders/baselines.py); each of the peers (bench/contenders/peers.py) beside it in its own. Each side does a recording
before the next recording is begun, and all recordings are done several rounds, so that a machine that is busy for a minute
slows all alike. The first recording, which warms the models, is not counted.

Where it is known who speaks when, the diarization error rate of each side is told too: without collar, overlapped speech
counted.
"""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
from pyannote.core import Annotation, Segment, Timeline

from bench.contenders.baselines import PlainLibraries
from bench.contenders.model_only import BareCalls
from bench.contenders.peers import INSTALLS, Peer, PeerUnavailable
from bench.contenders.work import Side, Span, StageWork, Turn, Work
from bench.harness.figures import NotDone, Row
from bench.pipeline.comparison import AROUND, COLUMNS, EARSHOT
from bench.pipeline.ingesting import Ingested, again
from earshot.cli.output import print_table
from earshot.config.settings import Settings, read_settings
from earshot.models.device import Device, require_device
from earshot.storage.database import Database, open_database

SIDES = ("bare", "plain", *INSTALLS)


@dataclass(frozen=True)
class Error:
    """A side's diarization error rate on one recording, the median of the rounds."""

    side: str
    recording: str
    der: float


@dataclass(frozen=True)
class Sides:
    """What came of it: `done` as bench/pipeline/comparison.py takes it, Earshot's rows of `asset_timings`, the peers as they
    were."""

    done: pd.DataFrame
    rows: list[Row]
    errors: list[Error]
    peers: list[Row]
    not_done: list[NotDone]


def take_turns(
    first: Path, recordings: Sequence[Path], truths: dict[str, Annotation], chosen: Sequence[str], rounds: int
) -> Sides:
    """All recordings by Earshot and the chosen of SIDES; `truths` by the name of the file."""
    settings = read_settings()
    device, not_done = require_device(settings.device), []
    again(first)
    with ExitStack() as running:
        sides: list[Side] = []
        for name in chosen:
            try:
                side = _side(name, settings, device)
                if isinstance(side, Peer):
                    running.enter_context(closing(side))
                    not_done += side.not_done
                sides.append(side)
                side.work_through(first, *_left(open_database(), again(first)))
            except PeerUnavailable as error:
                not_done.append(NotDone(name, str(error)))
                sides = [each for each in sides if each.name != name]
        found, rows, heard = [], [], []
        for number in range(rounds):
            for recording in recordings:
                ours, works = _one(recording, sides, not_done)
                told = ", ".join(f"{side} {sum(stage.seconds for stage in work.stages):.1f} s" for side, work in works.items())
                print(f"Round {number + 1}, {recording.name}: {told}", flush=True)
                rows += ours.rows
                found += [
                    (side, number, recording.name, stage.asset, ours.audio_s, stage.seconds, stage.cpu_s, stage.items)
                    for side, work in works.items()
                    for stage in work.stages
                ]
                if recording.name in truths:
                    truth = truths[recording.name]
                    heard += [
                        (side, recording.name, error_rate(truth, work.turns, ours.audio_s))
                        for side, work in works.items()
                        if work.turns
                    ]
        peers = [
            {"name": side.name, "versions": side.versions, "load_s": side.load_s, "peak_mb": side.peak_mb}
            for side in sides
            if isinstance(side, Peer)
        ]
    return Sides(pd.DataFrame(found, columns=COLUMNS), rows, _medians(heard), peers, not_done)


def _side(name: str, settings: Settings, device: Device) -> Side:
    if name == BareCalls.name:
        return BareCalls(device)
    return PlainLibraries(settings, device) if name == PlainLibraries.name else Peer.start(name, settings, device)


def _one(recording: Path, sides: list[Side], not_done: list[NotDone]) -> tuple[Ingested, dict[str, Work]]:
    """One recording by everybody. A peer that dies of it is out, here and in what follows."""
    database, ours = open_database(), again(recording)
    left = _left(database, ours)
    works = {EARSHOT: _earshot(ours, database)}
    for side in tuple(sides):
        try:
            works[side.name] = side.work_through(recording, *left)
        except PeerUnavailable as error:
            not_done.append(NotDone(side.name, f"it died of {recording.name}: {error}"))
            sides.remove(side)
    return ours, works


def _earshot(ours: Ingested, database: Database) -> Work:
    """Earshot's own work: its stages, models loaded, and what is around them."""
    stages = [StageWork(row["asset"], row["wall_s"] - row["load_s"], row["cpu_s"], int(row["items"])) for row in ours.rows]
    around = StageWork(AROUND, ours.around_s, ours.cpu_s - sum(row["cpu_s"] for row in ours.rows), 1)
    turns = database.frame("turns", ours.rows[0]["video_id"], "turn_index")
    return Work((*stages, around), tuple(zip(turns.start_s, turns.end_s, turns.local_speaker, strict=True)))


def _left(database: Database, ours: Ingested) -> tuple[list[Span], list[str]]:
    """The video's turns as samples, and the texts of its passages."""
    video_id = ours.rows[0]["video_id"]
    turns = database.frame("voice_embeddings", video_id, "turn_index")
    passages = database.frame("passages", video_id, "passage_index")
    return list(zip(turns.first_sample.tolist(), turns.last_sample.tolist(), strict=True)), passages.text.tolist()


def error_rate(truth: Annotation, turns: Sequence[Turn], seconds: float) -> float:
    """The diarization error rate of these turns."""
    from pyannote.metrics.diarization import DiarizationErrorRate

    found = Annotation()
    for index, (start, end, speaker) in enumerate(turns):
        found[Segment(start, end), index] = speaker
    metric: Any = DiarizationErrorRate(collar=0.0, skip_overlap=False)
    return float(metric(truth, found, uem=Timeline([Segment(0.0, seconds)])))


def _medians(heard: Sequence[tuple[str, str, float]]) -> list[Error]:
    named = dict.fromkeys((side, recording) for side, recording, _ in heard)
    return [Error(*one, median(der for *who, der in heard if tuple(who) == one)) for one in named]


def print_errors(errors: Sequence[Error]) -> None:
    """A line a side and recording."""
    headings = [("side", "left"), ("recording", "left"), ("DER", "right")]
    print_table(headings, [(error.side, error.recording, f"{error.der:.3f}") for error in errors])
