"""The benchmark's figures: ratios, shares, tables and the document, from made-up seconds; nothing is timed here."""

import json
import threading

import pytest
from dagster import DagsterEventType

from bench import pipeline, plain, probes
from bench.overhead import Cost, Sampling, as_record, describe_sampling, shares
from bench.overhead import table_row as share_row
from bench.pipeline import document, steal_share, write
from bench.plain import PlainResult, compare
from bench.probes import check_events_s, execution_of_row, measure_parts, measure_sampling, multiply
from ingest_assets.history import read_history
from ingest_assets.timings import Timing, summarize
from resources import nvml
from resources.catalogue import STAGES, Video, register
from resources.database import Database
from tests.timing_rows import keep, usual


def row(asset: str, video: str = "a", **changed: float | str) -> dict[str, object]:
    figures = {"audio_s": 100.0, "wall_s": 12.0, "load_s": 2.0, "compute_s": 8.0, "cpu_s": 18.0, "items": 4.0}
    return {"asset": asset, "video_id": video, "inputs": 40.0, "batch_mean": 4.0, "device": "cpu", **figures, **changed}


def test_a_comparison_adds_up_recordings_and_leaves_loading_out() -> None:
    rows = [row("transcript"), row("transcript", "b", wall_s=17.0), row("audio"), row("audio", "b")]
    results = [
        PlainResult("audio", 4.0, 9.0, 1),
        PlainResult("transcript", 20.0, 30.0, 3),
        PlainResult("audio", 1.0, 3.0, 1),
        PlainResult("transcript", 5.0, 6.0, 5),
    ]
    audio, transcript, total = compare(rows, results)
    assert (audio.asset, transcript.asset, total.asset) == ("audio", "transcript", "total")
    assert (transcript.earshot_s, transcript.earshot_compute_s, transcript.plain_s) == (25.0, 16.0, 25.0)
    assert transcript.ratio == 1.0
    assert (transcript.earshot_cpu_s, transcript.plain_cpu_s, transcript.cpu_ratio) == (36.0, 36.0, 1.0)
    assert (transcript.earshot_items, transcript.plain_items) == (8.0, 8.0)
    assert (transcript.earshot_x_realtime, transcript.plain_x_realtime) == (8.0, 8.0)
    assert audio.ratio == 4.0
    assert (total.audio_s, total.earshot_s, total.plain_s) == (200.0, 45.0, 30.0)
    assert total.ratio == 1.5
    assert total.earshot_items is None


def test_a_line_of_the_comparison() -> None:
    [transcript, total] = compare([row("transcript")], [PlainResult("transcript", 8.0, 16.0, 4)])
    assert plain.table_row(transcript) == (
        "transcript", "10.00", "8.00", "8.00", "1.25", "1.12", "10.0x", "12.5x", "4", "4",
    )  # fmt: skip
    assert plain.table_row(total)[-2:] == ("", "")


def test_measuring_is_what_is_done_once_and_for_each_call_over_the_seconds_of_work() -> None:
    cost = Cost(
        "transcript", {"stopwatches": 0.02, "timing": 0.01}, {"history": 0.04}, call_s=0.001, check_events_s=0.1, sampling=None
    )
    long, short = row("transcript"), row("transcript", "b", wall_s=2.5, inputs=0.0, batch_mean=0.0)
    assert cost.seconds(long) == pytest.approx(0.03 + 10 * 0.001)
    assert cost.seconds(short) == pytest.approx(0.03)
    [share] = shares("two", [cost], [long, short, row("audio")])
    assert (share.measuring_s, share.stage_s) == (pytest.approx(0.07), 10.5)
    assert share.share == pytest.approx(0.07 / 10.5)
    assert share.worst == pytest.approx(0.03 / 0.5)
    assert share.holds
    assert share.with_judging == pytest.approx(0.15 / 10.5)
    assert share.with_check_events == pytest.approx(0.35 / 10.5)
    assert share_row(share) == (
        "two", "transcript", "0.07000", "10.50", "0.667%", "6.000%", "yes", "1.43%", "3.33%",
    )  # fmt: skip


def test_one_per_cent_is_too_much() -> None:
    cost = Cost("audio", {"timing": 0.1}, {}, call_s=0.0, check_events_s=0.0, sampling=None)
    [share] = shares("one", [cost], [row("audio")])
    assert share.share == pytest.approx(0.01)
    assert not share.holds
    assert share_row(share)[-3] == "NO"


def test_a_sampled_gpu_costs_its_start_and_its_thread_and_an_unsampled_one_is_not_measured() -> None:
    sampled = Cost("transcript", {"timing": 0.02}, {}, 0.0, 0.0, Sampling(once_s=0.01, cpu_share=0.002))
    assert sampled.seconds(row("transcript")) == pytest.approx(0.02 + 0.01 + 10 * 0.002)
    assert describe_sampling([sampled]) == "Sampling the GPU: 10.0 ms in each stage, 0.20% of a core while it runs."
    unsampled = Cost("transcript", {"timing": 0.02}, {}, 0.0, 0.0, None)
    assert describe_sampling([unsampled]) == "Sampling a GPU: not measured, no stage ran on one."
    assert json.loads(json.dumps(as_record([unsampled], [])))["costs"][0]["sampling"] is None


def test_check_events_cost_their_distance_as_often_as_there_are_checks() -> None:
    planned, kept = DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, DagsterEventType.ASSET_CHECK_EVALUATION
    run = [(0.02 * index, planned, stage) for index, stage in enumerate(["audio"] * 3 + ["transcript"] * 3)]
    run += [(5.0 + 0.05 * index, kept, "audio") for index in range(3)]
    run += [(9.0 + 0.1 * index, kept, "transcript") for index in range(3)]
    # Of the second run only audio: 0.33 s, the median with the first one's 0.21 is 0.27.
    again = [(0.01 * index, planned, "audio") for index in range(3)] + [
        (1.0 + 0.1 * index, kept, "audio") for index in range(3)
    ]
    assert check_events_s([run, again]) == {"audio": pytest.approx(0.27), "transcript": pytest.approx(0.36)}


def test_every_part_is_measured_against_many_earlier_timings(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "ONCE", 2)
    register(database, [Video("file-1", "/1.mp3", "/", "One")])
    keep(database, "text_embeddings", usual(), git_commit=None)
    [example] = database.query("SELECT * FROM asset_timings")
    measuring, judging = measure_parts(example, lambda: execution_of_row(example), (), database)
    assert (set(measuring), set(judging)) == ({"stopwatches", "timing"}, {"history", "judging", "keeping", "metadata"})
    assert all(seconds > 0 for seconds in (*measuring.values(), *judging.values()))
    kept = database.query("SELECT * FROM asset_timings ORDER BY timing_id")
    assert len(kept) > probes.ROWS + 1  # the copies, and what the stage's own code kept
    assert {entry["video_id"] for entry in kept} == {"file-1"}
    assert Timing.of_row(kept[-1]) == usual()


def test_copies_of_a_timing_are_a_history(database: Database) -> None:
    keep(database, "transcript", usual())
    [example] = database.query("SELECT * FROM asset_timings")
    multiply(database, example, 9)
    history = read_history(database, "transcript", usual())
    assert len(history.comparable) == 10
    assert {past.timing for past in history.comparable} == {usual()}


def test_a_sampler_is_measured_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "find_gpu", lambda uuid: uuid)
    monkeypatch.setattr(nvml, "_READINGS", {name: lambda _handle: 1.0 for name in ("util", "memory", "power", "clock")})
    monkeypatch.setattr(probes, "SAMPLED_S", 0.01)
    sampling = measure_sampling("GPU-1")
    assert sampling.once_s > 0
    assert sampling.cpu_share >= 0
    assert "gpu-sampler" not in [thread.name for thread in threading.enumerate()]


def test_steal_is_a_share_of_all_time_that_passed() -> None:
    before = "cpu  100 5 50 800 10 0 5 30 0 0\ncpu0 1 2 3"
    after = "cpu  150 5 60 820 10 0 5 50 40 0\ncpu0 1 2 3"
    assert steal_share(before, after) == pytest.approx(20 / 100)  # guest time, 40, is part of user's
    assert steal_share(before, before) is None
    assert steal_share(None, after) is None
    assert steal_share("cpu 1 2 3 4", "cpu 2 3 4 5") is None


def test_the_document_says_what_was_measured_on_what(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    rows = [row(asset) for asset in STAGES]
    cost = Cost("transcript", {"timing": 0.02}, {}, 0.0, 0.0, None)
    figures = document(
        {"demo": summarize(rows, STAGES)},
        compare(rows, [PlainResult(asset, 5.0, 9.0, 4) for asset in STAGES]),
        as_record([cost], shares("demo", [cost], rows)),
        peak_mb=1234.5,
        stolen=0.25,
    )
    monkeypatch.setattr(pipeline, "RESULTS", tmp_path)
    monkeypatch.setattr(pipeline, "PROJECT_ROOT", tmp_path)
    target = write(figures)
    assert target.name == f"{figures['commit']}.json"
    read = json.loads((pipeline.RESULTS / target).read_text())
    assert {"date", "commit", "uncommitted", "device", "cores", "platform", "peak_memory_mb", "steal_share"} <= set(read)
    assert read["steal_share"] == 0.25
    assert [line["asset"] for line in read["results"]["demo"]] == [*STAGES, "total"]
    assert [line["ratio"] for line in read["plain"]] == [2.0] * 6
    assert read["overhead"]["limit"] == 0.01
    assert read["overhead"]["shares"][0]["holds"]
