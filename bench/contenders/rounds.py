"""Rounds: Earshot and everything it is compared with ("sides") take turns over the same recordings, with warm models.

One process runs Earshot's `ingest`, the bare model calls (bench/contenders/model_only.py) and the plain libraries
(bench/contenders/baselines.py); each peer (bench/contenders/peers.py) has its own process. Every side processes a
recording before the next one begins, in several rounds, so that a busy minute slows all of them alike. The first recording,
which warms the models, is not counted.

If the true turns are known, the diarization error rate of each side is measured, too: without a collar, overlapped speech
included.
"""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pandas as pd
from pyannote.core import Annotation

from bench.contenders.baselines import PlainLibraries
from bench.contenders.model_only import BareCalls
from bench.contenders.peers import INSTALLS, Peer, PeerUnavailable
from bench.contenders.work import Side, Span, StageWork, Work
from bench.harness.figures import NotDone, Row
from bench.pipeline.comparison import AROUND, COLUMNS, EARSHOT
from bench.pipeline.ingesting import Ingested, again
from earshot.cli.output import print_table
from earshot.config.settings import Settings, read_settings
from earshot.models.device import Device, require_device
from earshot.storage.database import Database, open_database
from earshot.transcripts.evaluation.speakers import diarization_errors

SIDES = ("bare", "plain", *INSTALLS)


@dataclass(frozen=True)
class Error:
    """A side's diarization error rate on one recording, the median of the rounds."""

    side: str
    recording: str
    der: float


@dataclass(frozen=True)
class Sides:
    """The results: `done` is the input of bench/pipeline/comparison.py, `rows` are Earshot's of `asset_timings`."""

    done: pd.DataFrame
    rows: list[Row]
    errors: list[Error]
    peers: list[Row]
    not_done: list[NotDone]


def take_turns(
    first: Path, recordings: Sequence[Path], truths: dict[str, Annotation], chosen: Sequence[str], rounds: int
) -> Sides:
    """Process all recordings by Earshot and the chosen SIDES; `truths` are true turns by file name."""
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
                side.work_through(first, *_spans_and_texts(open_database(), again(first)))
            except PeerUnavailable as error:
                not_done.append(NotDone(name, str(error)))
                sides = [side for side in sides if side.name != name]
        done, rows, errors = [], [], []
        for number in range(rounds):
            for recording in recordings:
                ours, works = _work_through(recording, sides, not_done)
                times = ", ".join(f"{side} {sum(stage.seconds for stage in work.stages):.1f} s" for side, work in works.items())
                print(f"Round {number + 1}, {recording.name}: {times}", flush=True)
                rows += ours.rows
                done += [
                    (side, number, recording.name, stage.asset, ours.audio_s, stage.seconds, stage.cpu_s, stage.items)
                    for side, work in works.items()
                    for stage in work.stages
                ]
                if recording.name in truths:
                    truth = truths[recording.name]
                    errors += [
                        (side, recording.name, diarization_errors(truth, work.turns, ours.audio_s).rate or 0.0)
                        for side, work in works.items()
                        if work.turns
                    ]
        peers = [
            {"name": side.name, "versions": side.versions, "load_s": side.load_s, "peak_mb": side.peak_mb}
            for side in sides
            if isinstance(side, Peer)
        ]
    return Sides(pd.DataFrame(done, columns=COLUMNS), rows, _median_errors(errors), peers, not_done)


def _side(name: str, settings: Settings, device: Device) -> Side:
    if name == BareCalls.name:
        return BareCalls(device)
    return PlainLibraries(settings, device) if name == PlainLibraries.name else Peer.start(name, settings, device)


def _work_through(recording: Path, sides: list[Side], not_done: list[NotDone]) -> tuple[Ingested, dict[str, Work]]:
    """Process one recording by every side. A peer that crashes is removed from `sides`."""
    database, ours = open_database(), again(recording)
    spans, texts = _spans_and_texts(database, ours)
    works = {EARSHOT: _earshot(ours, database)}
    for side in tuple(sides):
        try:
            works[side.name] = side.work_through(recording, spans, texts)
        except PeerUnavailable as error:
            not_done.append(NotDone(side.name, f"it died of {recording.name}: {error}"))
            sides.remove(side)
    return ours, works


def _earshot(ours: Ingested, database: Database) -> Work:
    """Earshot's own work: its stages without loading models, and the time around them."""
    stages = [StageWork(row["asset"], row["wall_s"] - row["load_s"], row["cpu_s"], int(row["items"])) for row in ours.rows]
    around = StageWork(AROUND, ours.around_s, ours.cpu_s - sum(row["cpu_s"] for row in ours.rows), 1)
    turns = database.frame("turns", ours.rows[0]["video_id"], "turn_index")
    return Work((*stages, around), tuple(zip(turns.start_s, turns.end_s, turns.local_speaker, strict=True)))


def _spans_and_texts(database: Database, ours: Ingested) -> tuple[list[Span], list[str]]:
    """The video's turns as samples, and the texts of its passages."""
    video_id = ours.rows[0]["video_id"]
    turns = database.frame("voice_embeddings", video_id, "turn_index")
    passages = database.frame("passages", video_id, "passage_index")
    return list(zip(turns.first_sample.tolist(), turns.last_sample.tolist(), strict=True)), passages.text.tolist()


def _median_errors(errors: Sequence[tuple[str, str, float]]) -> list[Error]:
    keys = dict.fromkeys((side, recording) for side, recording, _ in errors)
    return [Error(*key, median(der for side, recording, der in errors if (side, recording) == key)) for key in keys]


def print_errors(errors: Sequence[Error]) -> None:
    """Print a line per side and recording."""
    headings = [("side", "left"), ("recording", "left"), ("DER", "right")]
    print_table(headings, [(error.side, error.recording, f"{error.der:.3f}") for error in errors])
