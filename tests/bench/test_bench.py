"""The benchmark's figures: ratios, shares, tables and what was not done, from made-up seconds. Nothing is timed."""

import json
import sys
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from dagster import DagsterEventType

from bench.contenders import peers
from bench.contenders.peers import PeerUnavailable, last_words
from bench.contenders.work import StageWork, Work
from bench.corpora.composed import offsets, repeated, write_short
from bench.harness import figures
from bench.harness.figures import NotDone, measured_on, steal_share, write
from bench.harness.median_range import Spread
from bench.pipeline import growth, microbench, pipeline, short_videos, starts
from bench.pipeline.comparison import AROUND, ratios, table_row
from bench.pipeline.ingesting import Ingested
from bench.pipeline.microbench import check_events_s, execution_of_row, measure_parts, measure_sampling, multiply
from bench.pipeline.overhead import Cost, Sampling, as_record, describe_sampling, shares
from bench.pipeline.overhead import table_row as share_row
from earshot.common.audio import SAMPLE_RATE
from earshot.common.errors import GpuUnavailable, ModelUnavailable
from earshot.config.settings import read_settings
from earshot.models import nvml
from earshot.models.device import Device
from earshot.sources.media.decoding import decode
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from earshot.storage.media_store import samples_sha256
from earshot.timings.history import read_history
from earshot.timings.timing import Timing
from tests.support.timing_rows import keep, usual


def row(asset: str, video: str = "a", **changed: float | str | None) -> dict[str, object]:
    figures = {"audio_s": 100.0, "wall_s": 12.0, "load_s": 2.0, "compute_s": 8.0, "cpu_s": 18.0, "items": 4.0}
    return {"asset": asset, "video_id": video, "inputs": 40.0, "batch_mean": 4.0, "device": "cpu", **figures, **changed}


def done(side: str, number: int, asset: str, seconds: float, items: int = 1, recording: str = "a") -> dict[str, object]:
    figures = {"audio_s": 100.0, "seconds": seconds, "cpu_s": 2 * seconds, "items": items}
    return {"side": side, "round": number, "recording": recording, "asset": asset, **figures}


def test_ratio_adds_up_the_recordings_of_a_round() -> None:
    taken = [
        done(side, number, "transcript", seconds, items=3, recording=recording)
        for side, of_rounds in (("earshot", ([10, 20], [11, 19], [30, 15])), ("whisperx", ([5, 10], [10, 20], [10, 20])))
        for number, of_round in enumerate(of_rounds)
        for recording, seconds in zip("ab", of_round, strict=True)
    ]
    [ratio] = ratios(pd.DataFrame(taken))  # one stage has no total
    assert (ratio.side, ratio.asset, ratio.audio_s) == ("whisperx", "transcript", 200.0)
    assert ratio.earshot_s == Spread(30.0, 30.0, 45.0, 3)
    assert ratio.other_s == Spread(30.0, 15.0, 30.0, 3)
    assert ratio.ratio == ratio.cpu_ratio == Spread(1.5, 1.0, 2.0, 3)
    assert (ratio.earshot_items, ratio.other_items) == (6.0, 6.0)


def test_only_complete_sides_are_compared_with_overhead() -> None:
    taken = [done("earshot", 0, asset, 10.0) for asset in (*STAGES, AROUND)]
    taken += [done("bare", 0, asset, 10.0) for asset in STAGES]
    taken += [done("some", 0, asset, 5.0) for asset in ("transcript", "speaker_turns")]
    found = {(ratio.side, ratio.asset): ratio for ratio in ratios(pd.DataFrame(taken))}
    assert [asset for side, asset in found if side == "bare"] == [*STAGES, "total"]
    assert found["bare", "total"].ratio.median == 60 / 50
    assert found["some", "total"].ratio.median == 20 / 10
    assert found["bare", "total"].earshot_items is None
    assert table_row(found["bare", "total"]) == (
        "bare", "total", "60.00", "50.00", "1.20", "1.20", "1.7x", "2.0x", "", ""
    )  # fmt: skip


def test_spread_shows_its_range() -> None:
    assert Spread.over([3.0, 1.0, 2.5]).text() == "2.50 (1.00-3.00)"
    assert Spread.over([3.14]).text(1) == "3.1"
    with pytest.raises(ValueError, match="nothing was measured"):
        Spread.over([])


def test_composed_recordings_have_given_length_and_differ() -> None:
    parts = [np.arange(5), np.arange(10, 13)]
    assert repeated(parts, 10).tolist() == [0, 1, 2, 3, 4, 10, 11, 12, 0, 1]
    assert repeated(parts, 5).tolist() == [0, 1, 2, 3, 4]
    assert len(set(offsets(113 * 16_000, 200))) == 200
    assert offsets(9, 3) == [0, 3, 6]
    with pytest.raises(ValueError, match="no 10 different offsets"):
        offsets(9, 10)


def test_short_recordings_have_one_length_and_differ(tmp_path: Path) -> None:
    files = sorted(write_short(tmp_path, 3, 1.5).iterdir())
    sounds = [decode(file) for file in files]
    assert [round(len(sound) / SAMPLE_RATE, 1) for sound in sounds] == [1.5, 1.5, 1.5]
    assert len({samples_sha256(sound) for sound in sounds}) == 3


def ingested(video: str, wall_s: float) -> Ingested:
    return Ingested([row("audio", video, wall_s=1.0, load_s=0.0), row("transcript", video, wall_s=2.0)], wall_s, 5.0)


def test_time_around_stages_is_the_rest_of_the_clock() -> None:
    videos = [ingested(str(index), 3.5 + index / 100) for index in range(20)]
    assert videos[0].around_s == pytest.approx(0.5)
    found = short_videos.summarize(videos, after_s=2.0, warm_mb=900.0, most_mb=950.0)
    assert (found.videos, found.audio_s) == (20, 2000.0)
    assert (found.around_first_s, found.around_last_s) == (pytest.approx(0.505), pytest.approx(0.685))
    assert found.around_s.highest == pytest.approx(0.69)


def test_growth_excludes_loading() -> None:
    rows = [row("audio", load_s=0.0, x_realtime=9.0, vram_peak_mb=None), row("transcript", x_realtime=8.0, vram_peak_mb=512.0)]
    found = growth.growth(Ingested(rows, 27.0, 5.0), 3.0, "bundled", 700.0, 800.0)
    assert [(stage.asset, stage.seconds, stage.vram_peak_mb) for stage in found.stages] == [
        ("audio", 12.0, None), ("transcript", 10.0, 512.0),
    ]  # fmt: skip
    assert (found.around_s, found.x_realtime) == (pytest.approx(3.0), pytest.approx(100 / 25))
    assert growth.table_row(found)[2:5] == ("12.0 9x", "10.0 8x", "3.00")


def test_process_starts_have_a_spread() -> None:
    found = starts.summarize(8.0, [starts.Start(3.0, 5.0, 12.0, 2.0), starts.Start(4.0, 6.0, 14.0, 1.0)])
    assert found.cold_s == Spread(13.0, 12.0, 14.0, 2)
    assert found.warm_s == Spread(1.5, 1.0, 2.0, 2)


def test_last_words_explain_why_a_peer_ended() -> None:
    assert last_words(-4, "much\nmore\n") == "it was ended by SIGILL: Illegal instruction"
    assert last_words(1, "Traceback\n  File x\nOSError: no such model\n\n") == "OSError: no such model"
    assert last_words(3, "") == "it ended with exit code 3"


def test_script_of_peers_exists() -> None:
    assert peers.SCRIPT.is_file()


def peer_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str) -> None:
    """A peer whose script is this, in an environment that needs no installing."""
    script = tmp_path / "script.py"
    script.write_text(f"import json, sys\n{does}\n")
    monkeypatch.setattr(peers, "SCRIPT", script)
    monkeypatch.setattr(peers, "environment", lambda _name: sys.executable)
    monkeypatch.setattr(peers, "locate", lambda _model, _settings: tmp_path)


LOADED = 'print(json.dumps({"versions": {"p": "1"}, "load_s": 1.5, "not_done": [["diarization", "no hub"]]}), flush=True)'


def test_peer_returns_stages_turns_and_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = {"asset": "transcript", "seconds": 2.0, "cpu_s": 3.0, "items": 4}
    answer = {"stages": [stage], "turns": [[0.5, 1.5, "A"]], "peak_mb": 80.0}
    peer_that(tmp_path, monkeypatch, f"{LOADED}\nfor line in sys.stdin: print({json.dumps(answer)!r}, flush=True)")
    with closing(peers.Peer.start("whisperx", read_settings(), Device("cpu", "a processor"))) as peer:
        assert peer.not_done == [NotDone("whisperx: diarization", "no hub")]
        recording = write_short(tmp_path, 1, 0.5) / "0000.mp3"
        assert peer.work_through(recording, [], []) == Work((StageWork(**stage),), ((0.5, 1.5, "A"),))
    assert (peer.versions, peer.load_s, peer.peak_mb) == ({"p": "1"}, 1.5, 80.0)
    assert peer.process.poll() is not None


def test_failing_peer_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peer_that(tmp_path, monkeypatch, 'raise SystemExit("its model is not there")')
    with pytest.raises(PeerUnavailable, match="its model is not there"):
        peers.Peer.start("senko", read_settings(), Device("cpu", "a processor"))


def test_failing_installation_names_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\necho 'no network' >&2\nexit 2\n")
    uv.chmod(0o755)
    monkeypatch.setattr(peers, "UV", str(uv))
    monkeypatch.setattr(peers, "ENVIRONMENTS", tmp_path / "peers")
    with pytest.raises(PeerUnavailable, match="it does not install: no network"):
        peers.environment("senko")


def test_missing_device_ends_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_work: object, _kind: str) -> str:
        raise GpuUnavailable("EARSHOT_DEVICE asks for cuda, but torch finds no CUDA device.")

    monkeypatch.setattr(pipeline, "apart", refuse)
    monkeypatch.setenv("EARSHOT_DEVICE", "cuda")
    ended = CliRunner().invoke(pipeline.main, [])
    assert ended.exit_code == 1
    assert "asks for cuda" in ended.output


def test_impossible_measurements_are_listed_as_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(asked: object, *arguments: object) -> object:
        if asked is pipeline.require_models and arguments == ("large",):
            raise ModelUnavailable("Model whisper-large is not on this machine.")
        if asked is pipeline.measure_length:
            if arguments[2] == 120.0:
                raise RuntimeError("A process in the process pool was terminated abruptly")
            return growth.growth(Ingested([row("audio", x_realtime=9.0, vram_peak_mb=None)], 12.0, 5.0), 3.0, "bundled", 1, 2)
        return Path("a recording")

    monkeypatch.setattr(pipeline, "apart", work)
    found, not_done = pipeline.measure_growth(Path("first"), Path("folder"), (3.0, 120.0), "cuda")
    assert [row["minutes"] for row in found] == [3.0]
    assert not_done == [
        NotDone("120 minutes with model set bundled", "A process in the process pool was terminated abruptly"),
        NotDone("model set large", "Model whisper-large is not on this machine."),
    ]


def test_unknown_part_is_a_usage_error() -> None:
    ended = CliRunner().invoke(pipeline.main, ["--parts", "sides,nothing"])
    assert ended.exit_code == 2
    assert "'nothing' is not one of 'sides', 'growth', 'starts', 'short'" in ended.output


def test_share_is_cost_per_stage_and_call_over_work() -> None:
    once = {"stopwatches": 0.02, "timing": 0.01}
    cost = Cost("transcript", once, {"history": 0.04}, call_s=0.001, check_events_s=0.1, sampling=None)
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
    assert share_row(share)[4:7] == ("0.667%", "6.000%", "yes")


def test_share_of_one_percent_fails() -> None:
    cost = Cost("audio", {"timing": 0.1}, {}, call_s=0.0, check_events_s=0.0, sampling=None)
    [share] = shares("one", [cost], [row("audio")])
    assert share.share == pytest.approx(0.01)
    assert not share.holds
    assert share_row(share)[-3] == "NO"


def test_sampling_costs_its_start_and_its_thread() -> None:
    sampled = Cost("transcript", {"timing": 0.02}, {}, 0.0, 0.0, Sampling(once_s=0.01, cpu_share=0.002))
    assert sampled.seconds(row("transcript")) == pytest.approx(0.02 + 0.01 + 10 * 0.002)
    assert "10.0 ms in each stage, 0.20% of a core" in describe_sampling([sampled])
    unsampled = Cost("transcript", {"timing": 0.02}, {}, 0.0, 0.0, None)
    assert "not measured" in describe_sampling([unsampled])
    assert json.loads(json.dumps(as_record([unsampled], [])))["costs"][0]["sampling"] is None


def test_check_events_cost_their_distance_times_checks() -> None:
    planned, kept = DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, DagsterEventType.ASSET_CHECK_EVALUATION
    run = [(0.02 * index, planned, stage) for index, stage in enumerate(["audio"] * 3 + ["transcript"] * 3)]
    run += [(5.0 + 0.05 * index, kept, "audio") for index in range(3)]
    run += [(9.0 + 0.1 * index, kept, "transcript") for index in range(3)]
    # Of the second run only audio: 0.33 s, the median with the first one's 0.21 is 0.27.
    again = [(0.01 * index, planned, "audio") for index in range(3)]
    again += [(1.0 + 0.1 * index, kept, "audio") for index in range(3)]
    assert check_events_s([run, again]) == {"audio": pytest.approx(0.27), "transcript": pytest.approx(0.36)}


def test_every_part_is_measured_over_many_timings(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(microbench, "ONCE", 2)
    register(database, [Video("file-1", "/1.mp3", "/", "One")])
    keep(database, "text_embeddings", usual(), git_commit=None)
    [example] = database.query("SELECT * FROM asset_timings")
    measuring, judging = measure_parts(example, lambda: execution_of_row(example), (), database)
    assert (set(measuring), set(judging)) == ({"stopwatches", "timing"}, {"history", "judging", "keeping", "metadata"})
    assert all(seconds > 0 for seconds in (*measuring.values(), *judging.values()))
    kept = database.query("SELECT * FROM asset_timings ORDER BY timing_id")
    assert len(kept) > microbench.ROWS + 1  # the copies, and what the stage's own code kept
    assert {entry["video_id"] for entry in kept} == {"file-1"}
    assert Timing.of_row(kept[-1]) == usual()


def test_copies_of_a_timing_are_a_history(database: Database) -> None:
    keep(database, "transcript", usual())
    [example] = database.query("SELECT * FROM asset_timings")
    multiply(database, example, 9)
    history = read_history(database, "transcript", usual())
    assert len(history.comparable) == 10
    assert {past.timing for past in history.comparable} == {usual()}


def test_sampler_is_measured_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "find_gpu", lambda uuid: uuid)
    monkeypatch.setattr(nvml, "_READINGS", {name: lambda _handle: 1.0 for name in ("util", "memory", "power", "clock")})
    monkeypatch.setattr(microbench, "SAMPLED_S", 0.01)
    sampling = measure_sampling("GPU-1")
    assert sampling.once_s > 0
    assert sampling.cpu_share >= 0
    assert "gpu-sampler" not in [thread.name for thread in threading.enumerate()]


def test_steal_is_a_share_of_elapsed_time() -> None:
    before = "cpu  100 5 50 800 10 0 5 30 0 0\ncpu0 1 2 3"
    after = "cpu  150 5 60 820 10 0 5 50 40 0\ncpu0 1 2 3"
    assert steal_share(before, after) == pytest.approx(20 / 100)  # guest time, 40, is part of user's
    assert steal_share(before, before) is None
    assert steal_share(None, after) is None
    assert steal_share("cpu 1 2 3 4", "cpu 2 3 4 5") is None


def test_figures_are_written_under_their_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    monkeypatch.setattr(figures, "PROJECT_ROOT", tmp_path)
    target = write({**measured_on("a processor"), "steal_share": 0.25}, "some-")
    read = json.loads((tmp_path / target).read_text())
    assert target.name == f"some-{read['commit']}.json"
    assert {"date", "commit", "uncommitted", "device", "cores", "platform", "steal_share"} == set(read)
