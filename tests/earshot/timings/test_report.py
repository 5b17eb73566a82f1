"""The timing report: figures, comparison of two versions, plots, asset and command."""

import base64
import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from dagster import build_schedule_context, materialize
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from PIL import Image
from psycopg import sql

from earshot.cli.library.timings import timings_command
from earshot.cli.output import describe_speed
from earshot.common.errors import Misconfigured
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from earshot.timings import timing as timings
from earshot.timings.comparison import FASTER, NO_DIFFERENCE, SLOWER, compare
from earshot.timings.history import BASELINE_KEY
from earshot.timings.plots import COLOURS, SLOW, as_png, check_suffix, item_rates, pictures, save, stage_times, usual_rates
from earshot.timings.queries import ROW_KEYS, read_open_failures, read_timings
from earshot.timings.report import (
    cache_rate,
    clock_s,
    gpu_use,
    latest,
    report,
    report_table,
    seconds_per_input,
    summarize,
    trend,
)
from earshot.timings.timing import KEYS, TEXT_KEYS, commit_named, hours_by_the_clock, times_real_time
from ingest_assets.assets.performance import performance
from resources.database import DatabaseResource
from tests.support.timing_rows import about

Row = dict[str, Any]
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
OLD, NEW = "aaaa1111" + 32 * "0", "bbbb2222" + 32 * "0"
NOTHING = dict.fromkeys(KEYS, 0.0) | dict.fromkeys(TEXT_KEYS, "") | {"gpu_util_mean": None}
POSITIVE = st.floats(0.01, 1e4)


def row(video_id: str = "v1", asset: str = "transcript", minute: float = 0.0, **figures: Any) -> Row:
    """A row of asset_timings: a minute of audio in ten seconds, eight of them computing, unless said otherwise."""
    about = {"video_id": video_id, "asset": asset, "run_id": "r", "code_version": "1", "git_commit": OLD, "speed": "ok"}
    cost = {"audio_s": 60.0, "wall_s": 10.0, "compute_s": 8.0, "inputs": 4.0, "items": 16.0, "items_per_s": 2.0}
    identity = {"model": "m", "device": "cpu", "device_asked": "cpu", "model_loads": 1.0, "batch_size": 1.0}
    return NOTHING | about | cost | identity | {"recorded_at": NOON + timedelta(minutes=minute)} | figures


def runs(seconds: Sequence[float], **figures: Any) -> list[Row]:
    """Videos v0, v1, ..., of one unit of work each, that took these seconds."""
    return [row(f"v{i}", minute=i, wall_s=took, inputs=1.0, **figures) for i, took in enumerate(seconds)]


def library(videos: int) -> list[Row]:
    """All stages of so many videos; every seventh transcript of the last third took twice as long and was flagged."""
    random = np.random.default_rng(1)
    rows = []
    for video in range(videos):
        for place, stage in enumerate(STAGES):
            slow = stage == "transcript" and video > videos * 2 / 3 and video % 7 == 0
            took = float(random.normal(8.0, 0.4)) * (place + 1) * (2 if slow else 1)
            rates = {"wall_s": took + 2.0, "compute_s": took, "items_per_s": 16.0 / took}
            rows.append(row(f"v{video}", stage, 5.0 * video + place, speed="warn" if slow else "ok", **rates))
    return rows


def test_report_agrees_with_summary() -> None:
    rows = library(3)
    reported, summary = report(rows, STAGES), summarize(rows, STAGES)
    assert reported[summary.columns.tolist()].equals(summary)
    assert describe_speed(reported) == describe_speed(summary)


def test_only_last_run_of_a_stage_counts() -> None:
    rows = [row("v1", wall_s=99.0), row("v1", "audio"), row("v2"), row("v1", wall_s=7.0)]
    assert [(kept["video_id"], kept["asset"], kept["wall_s"]) for kept in latest(rows)] == [
        ("v1", "transcript", 7.0), ("v1", "audio", 10.0), ("v2", "transcript", 10.0),
    ]  # fmt: skip
    assert report(rows, STAGES).set_index("asset").loc["transcript", "wall_s"] == 17.0


@given(st.lists(st.tuples(POSITIVE, POSITIVE, st.sampled_from(STAGES)), min_size=1, max_size=30))
def test_shares_of_stages_add_up_to_one(costs: list[tuple[float, float, str]]) -> None:
    rows = [row(f"v{i}", stage, wall_s=work + load, load_s=load) for i, (work, load, stage) in enumerate(costs)]
    shares = report(rows, STAGES).set_index("asset").share
    assert shares.drop("total").sum() == pytest.approx(1.0)
    assert shares["total"] == 1.0


def test_trend_compares_last_twenty_with_twenty_before() -> None:
    rows = [*runs([50.0] * 7), *runs([2.0] * 20), *runs([3.0] * 20)]
    assert trend(rows) == pytest.approx(1.5)
    assert trend(list(reversed(rows))[:40]) == pytest.approx(2.0 / 3.0)


@pytest.mark.parametrize(("known", "has_trend"), [(24, False), (25, True)])
def test_trend_needs_five_timings_on_both_sides(known: int, has_trend: bool) -> None:
    assert (trend(runs([1.0] * known)) is not None) is has_trend


def test_trend_ignores_timings_without_inputs() -> None:
    assert trend([*runs([1.0] * 20), *[row(inputs=0.0)] * 40, *runs([4.0] * 20)]) == pytest.approx(4.0)


def test_seconds_per_input_exclude_first_load() -> None:
    assert seconds_per_input(row(wall_s=10.0, load_s=2.0, inputs=4.0, model_loads=1.0)) == 2.0
    assert seconds_per_input(row(wall_s=10.0, load_s=2.0, inputs=4.0, model_loads=2.0)) == 2.5
    assert seconds_per_input(row(inputs=0.0)) is None


def test_gpu_use_is_weighted_by_time() -> None:
    assert gpu_use([row(gpu_util_mean=90.0, wall_s=30.0), row(gpu_util_mean=10.0, wall_s=10.0), row()]) == pytest.approx(70.0)
    assert gpu_use([row()]) is None


def test_cache_rate_is_share_of_hits() -> None:
    assert cache_rate([row(cache_hits=3.0, cache_misses=0.0), row(cache_hits=0.0, cache_misses=9.0)]) == 0.25
    assert cache_rate([row()]) is None


@given(st.lists(st.tuples(POSITIVE, st.floats(0.0, 600.0), POSITIVE), min_size=1, max_size=10))
def test_clock_speed_never_exceeds_x_realtime(stages: list[tuple[float, float, float]]) -> None:
    rows, passed_s = [], 0.0
    for i, (wall_s, idle_s, audio_s) in enumerate(stages):
        passed_s += idle_s + wall_s
        rows.append(row(f"v{i}", minute=passed_s / 60.0, wall_s=wall_s, load_s=wall_s / 4.0, audio_s=audio_s))
    total = report(rows, STAGES).iloc[-1]
    assert hours_by_the_clock(total.audio_s, clock_s(rows)) <= total.x_realtime * 1.0001


def test_clock_speed_counts_idle_time_and_loading() -> None:
    rows = [row("v1", minute=0.5, wall_s=30.0, load_s=10.0), row("v2", minute=2.0, wall_s=30.0)]
    assert clock_s(rows) == 120.0
    assert hours_by_the_clock(120.0, clock_s(rows)) == 1.0
    assert times_real_time(120.0, 60.0, 10.0) == pytest.approx(2.4)
    assert hours_by_the_clock(120.0, 0.0) == 0.0
    assert clock_s([]) == 0.0


def test_table_omits_unmeasured_gpu_and_cache() -> None:
    without = [text for text, _ in report_table(report(library(2), STAGES)).headings]
    assert without[-2:] == ["share", "trend"]
    measured = report([row(gpu_util_mean=50.0, cache_hits=1.0), row("v1", "audio")], STAGES)
    headings, [audio, transcript, total] = report_table(measured).headings, report_table(measured).rows
    assert [text for text, _ in headings][-2:] == ["GPU", "cache"]
    assert (audio[-2:], transcript[-2:], total[-2:]) == (["", ""], ["50%", "100%"], ["", ""])


def test_table_of_large_library_fits_110_columns() -> None:
    large = {"audio_s": 150_000.0, "wall_s": 60_000.0, "load_s": 3_000.0, "compute_s": 50_000.0, "gpu_util_mean": 100.0}
    rows = [row(f"v{i}", stage, cache_hits=1.0, **large) for i in range(50) for stage in STAGES]
    written = report_table(report(rows, STAGES))
    widths = [max(map(len, column)) for column in zip([text for text, _ in written.headings], *written.rows, strict=True)]
    assert sum(widths) + 2 * (len(widths) - 1) <= 110


def test_markdown_has_a_line_per_stage() -> None:
    lines = report_table(report(library(2), STAGES)).markdown.splitlines()
    assert lines[0].startswith("| stage | videos |")
    assert len(lines) == 2 + len(STAGES) + 1
    assert {line.count("|") for line in lines} == {lines[0].count("|")}


def versions(a: Sequence[float], b: Sequence[float]) -> list[Row]:
    return [*runs(a, git_commit=OLD), *runs(b, git_commit=NEW)]


COSTS = st.lists(st.floats(0.01, 1e3), min_size=5, max_size=12)


@settings(deadline=None, max_examples=8)
@given(COSTS)
def test_identical_versions_show_no_difference(costs: list[float]) -> None:
    rows = versions(costs, costs)
    [paired] = compare(rows, "aaaa", "bbbb")
    assert (paired.ratio, paired.low, paired.high, paired.paired) == (1.0, 1.0, 1.0, True)
    others = [row | {"video_id": f"other-{row['video_id']}"} if row["git_commit"] == NEW else row for row in rows]
    [unpaired] = compare(others, "aaaa", "bbbb")
    assert (unpaired.ratio, unpaired.paired) == (1.0, False)
    assert paired.verdict == unpaired.verdict == NO_DIFFERENCE


@settings(deadline=None, max_examples=8)
@given(COSTS, COSTS)
def test_swapping_versions_inverts_the_ratio(a: list[float], b: list[float]) -> None:
    rows = versions(a, b)
    [there], [back] = compare(rows, "aaaa", "bbbb"), compare(rows, "bbbb", "aaaa")
    assert there.ratio is not None
    assert there.low is not None
    assert back.ratio == pytest.approx(1.0 / there.ratio)
    assert back.high == pytest.approx(1.0 / there.low)
    opposite = {SLOWER: FASTER, FASTER: SLOWER, NO_DIFFERENCE: NO_DIFFERENCE}
    assert back.verdict == opposite[there.verdict]


def test_common_videos_are_compared_in_pairs() -> None:
    """Ten videos of very different cost, each 20 % slower: only pairs show it."""
    costs = np.geomspace(1.0, 1000.0, 10)
    [paired] = compare(versions(costs.tolist(), (1.2 * costs).tolist()), "aaaa", "bbbb")
    assert (paired.verdict, paired.a_n, paired.b_n) == (SLOWER, 10, 10)
    assert paired.ratio == pytest.approx(1.2)
    others = [row | {"video_id": f"other-{i}"} for i, row in enumerate(runs((1.2 * costs).tolist(), git_commit=NEW))]
    [unpaired] = compare([*runs(costs.tolist()), *others], "aaaa", "bbbb")
    assert (unpaired.verdict, unpaired.note) == (NO_DIFFERENCE, "not the same videos")


def test_clear_change_has_an_interval() -> None:
    random = np.random.default_rng(3)
    a, b = random.normal(10.0, 0.5, 20), random.normal(5.0, 0.25, 20)
    [compared] = compare(versions(a.tolist(), b.tolist()), "aaaa", "bbbb")
    assert compared.verdict == FASTER
    assert compared.low is not None
    assert compared.high is not None
    assert compared.low < 0.5 < compared.high < 0.6


@pytest.mark.parametrize(("a", "b", "verdict"), [(4, 9, "too few (4 of 5)"), (9, 0, "too few (0 of 5)"), (5, 5, NO_DIFFERENCE)])
def test_fewer_than_five_timings_are_too_few(a: int, b: int, verdict: str) -> None:
    rows = [*versions([1.0] * a, [1.0] * b), row(asset="audio", git_commit=NEW)]
    compared = {comparison.asset: comparison for comparison in compare(rows, "aaaa", "bbbb")}["transcript"]
    assert (compared.verdict, compared.a_n, compared.b_n) == (verdict, a, b)
    assert (compared.low is None) == verdict.startswith("too few")


def test_other_differences_are_noted() -> None:
    rows = [*runs([1.0] * 6), *runs([1.0] * 6, git_commit=NEW, model="n", device="cuda")]
    [compared] = compare(rows, "aaaa", "bbbb")
    assert compared.note == "model was m, is n; device was cpu, is cuda"
    assert set(BASELINE_KEY) >= {"model", "device"}


def test_versions_match_whole_and_commits_by_prefix() -> None:
    rows = [*runs([1.0] * 5, code_version="1"), *runs([2.0] * 5, code_version="12", git_commit=NEW)]
    [by_version] = compare(rows, "1", "12")
    [by_commit] = compare(rows, "aaaa1", NEW)
    assert by_version.ratio == by_commit.ratio == 2.0
    with pytest.raises(Misconfigured, match="'aaa'"):
        compare(rows, "aaa", "12")


def test_unknown_version_error_lists_known_ones() -> None:
    with pytest.raises(Misconfigured) as refused:
        compare([*runs([1.0]), *runs([1.0], code_version="2", git_commit=NEW)], "1", "cafe")
    assert "'cafe'" in str(refused.value)
    assert "commits bbbb222200, aaaa111100; code versions 2, 1." in str(refused.value)
    with pytest.raises(Misconfigured, match="commits none; code versions none"):
        compare([], "1", "2")


def test_git_revisions_are_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    for message in ("before", "after"):
        subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message", message], check=True)
    monkeypatch.setattr(timings, "PROJECT_ROOT", tmp_path)
    before, after = commit_named("HEAD~1"), commit_named("HEAD")
    assert before is not None
    assert after is not None
    rows = [*runs([1.0] * 6, git_commit=before), *runs([2.0] * 6, git_commit=after)]
    [compared] = compare(rows, "HEAD~1", "HEAD", commit_named)
    assert compared.ratio == 2.0
    with pytest.raises(Misconfigured, match=rf"'HEAD' \({after[:10]}\)"):
        compare(rows[:6], "HEAD~1", "HEAD", commit_named)
    assert commit_named("nonsense") is commit_named("--all") is None


def test_ambiguous_commit_prefix_is_refused() -> None:
    with pytest.raises(Misconfigured, match="'aaaa' begins 2 commits: aaaa111100, aaaa3333"):
        compare([*runs([1.0]), *runs([1.0], git_commit="aaaa3333")], "aaaa", "1")


def bars_of(axes: Axes) -> list[Any]:
    return list(axes.patches)


def decoded(png: bytes) -> Image.Image:
    return Image.open(BytesIO(png)).convert("RGB")


@pytest.mark.parametrize("videos", [0, 1, 5, 300])
def test_plots_are_small_and_not_blank(videos: int) -> None:
    for figure in (stage_times(library(videos)), item_rates(library(videos))):
        png = as_png(figure)
        assert len(png) < 200_000
        assert len(decoded(png).getcolors(1_000_000) or ()) > (4 if videos else 1)


def test_flagged_timing_is_red_in_png() -> None:
    pixels = np.asarray(decoded(as_png(item_rates([*library(300), row(speed="error", wall_s=9000.0)])))).astype(int)
    red = (pixels[..., 0] > 160) & (pixels[..., 1] < 80) & (pixels[..., 2] < 80)
    assert red.any()


def test_bars_are_stacked_by_stage() -> None:
    rows = library(4)
    [axes] = stage_times(rows).axes
    bars = {str(bar.get_label()): bar.get_data() for bar in bars_of(axes)}
    assert list(bars) == list(STAGES)
    work_s = sum(timing["wall_s"] for timing in rows if timing["video_id"] == "v2")
    assert bars["text_embeddings"].values[2] == pytest.approx(60.0 * work_s / 60.0)
    assert bars["transcript"].baseline == pytest.approx(bars["audio"].values)


def test_many_videos_share_bars() -> None:
    [axes] = stage_times(library(300)).axes
    assert {len(bar.get_data().values) for bar in bars_of(axes)} == {100}
    assert "videos: 300, 3 to a bar" in axes.get_title()


def marked(axes: Axes) -> int:
    [marks] = [line for line in axes.lines if line.get_label() == SLOW]
    return np.size(marks.get_xdata())


@pytest.mark.parametrize("videos", [5, 60, 300])
def test_only_slow_timings_are_marked(videos: int) -> None:
    rows = library(videos)
    slow = sum(timing["speed"] == "warn" for timing in rows)
    assert (slow > 0) == (videos > 5)
    counts = [marked(axes) for axes in item_rates(rows).axes]
    assert counts == [slow if stage == "transcript" else 0 for stage in STAGES]
    assert [marked(axes) for axes in pictures(rows).axes[1:]] == counts


def test_rates_are_drawn_over_time() -> None:
    rows = [row(f"v{day}", recorded_at=NOON + timedelta(days=day)) for day in (0, 1, 30)]
    [axes] = item_rates(rows).axes
    assert np.asarray(axes.lines[0].get_xdata()).tolist() == [timing["recorded_at"] for timing in rows]
    assert np.asarray(axes.lines[0].get_ydata()).tolist() == [0.4] * 3  # four inputs in ten seconds


def test_dates_of_bars_do_not_repeat() -> None:
    [axes] = stage_times([row(f"v{number}", minute=number / 100.0) for number in range(6)]).axes
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert len(labels) == len(set(labels)) == 1


def test_each_stage_has_its_colour() -> None:
    for stage, axes in zip(STAGES, item_rates(library(8)).axes, strict=True):
        dots = axes.lines[0]
        assert (dots.get_color(), np.size(dots.get_xdata())) == (COLOURS[stage], 8)


def test_band_surrounds_median_of_comparable_timings() -> None:
    rates = [row(wall_s=2.0 * share) for share in (1.0, 1.1, 0.9, 1.0, 1.2, 1.0, 9.0)]
    low, middle, high = usual_rates(rates)
    assert np.isnan(middle[:5]).all()
    assert middle[5] == pytest.approx(2.0)
    assert 0 < low[5] < middle[5] < high[5]
    assert low[5] * high[5] == pytest.approx(middle[5] ** 2)


def test_band_restarts_with_device_and_ignores_slow_timings() -> None:
    on_cpu, on_cuda = [row(wall_s=2.0)] * 6, [row(wall_s=1.0, device="cuda")] * 2
    slow = [row(wall_s=80.0, speed="error")] * 10
    _, middle, _ = usual_rates([*on_cpu, *on_cuda, *slow, row(wall_s=2.0)])
    assert np.isnan(middle[6:8]).all()
    assert middle[-1] == pytest.approx(2.0)


@pytest.mark.parametrize(("name", "begins"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.PDF", b"%PDF")])
def test_plot_format_follows_suffix(tmp_path: Path, name: str, begins: bytes) -> None:
    save(pictures(library(5)), tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(begins)


@pytest.mark.parametrize("name", ["a.gif", "plot", "a.png.gz"])
def test_unknown_suffix_is_refused(name: str) -> None:
    with pytest.raises(Misconfigured, match=re.escape(f"ends in {Path(name).suffix!r}") + r".*\.png, \.svg, \.pdf"):
        check_suffix(Path(name))


def keep(database: Database, rows: Sequence[Row]) -> None:
    names, places = (sql.SQL(", ").join(map(part, rows[0])) for part in (sql.Identifier, sql.Placeholder))
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(sql.SQL("INSERT INTO asset_timings ({}) VALUES ({})").format(names, places), rows)


def fail(
    database: Database, days_ago: float, message: str, check: str = "regression", cause: str = "starved", severity: str = "warn"
) -> None:
    database.query(
        "INSERT INTO check_failures (recorded_at, video_id, asset, check_name, severity, cause, message, run_id) "
        "VALUES (now() - %s * interval '1 day', 'v1', 'transcript', %s, %s, %s, %s, 'r')",
        [days_ago, check, severity, cause, message],
    )


def materialized() -> dict[str, Any]:
    """The metadata of the asset, materialized in a run."""
    ended = materialize([performance], resources={"database": DatabaseResource()})
    [event] = ended.get_asset_materialization_events()
    return {key: value.value for key, value in event.materialization.metadata.items()}


def picture(markdown: str) -> Image.Image:
    encoded = re.fullmatch(r"!\[.+\]\(data:image/png;base64,(\S+)\)", markdown)
    assert encoded is not None
    return decoded(base64.b64decode(encoded[1]))


def test_performance_shows_table_plots_and_totals(database: Database) -> None:
    rows = library(6)
    keep(database, rows)
    fail(database, 1.0, "It was slow.")
    shown = materialized()
    total = report(rows, STAGES).iloc[-1]
    assert shown["stages"] == report_table(report(rows, STAGES)).markdown
    assert picture(shown["time_per_audio_hour"]).width == picture(shown["items_per_second"]).width > 500
    assert (shown["audio_hours"], shown["videos"], shown["open_regressions"]) == (pytest.approx(0.1), 6, 1)
    assert (shown["x_realtime"], shown["rtf"]) == (
        about(total.x_realtime),
        about(total.rtf),
    )
    assert shown["hours_by_the_clock_last_day"] == 0.0
    assert "It was slow." in shown["failing_checks"]


def test_performance_has_clock_speed_of_last_day(database: Database) -> None:
    keep(database, [row(stage, audio_s=2400.0, recorded_at=datetime.now(UTC)) for stage in STAGES])
    assert materialized()["hours_by_the_clock_last_day"] == about(5 * 2400.0 / 86400.0)


def test_performance_counts_stale_videos(database: Database) -> None:
    register(database, [Video(f"v{number}", f"https://x/{number}", "https://x", "A video") for number in range(6)])
    keep(database, library(6))
    assert (materialized()["videos_out_of_date"], materialized()["out_of_date"]) == (0.0, "Nothing.")
    database.query("UPDATE videos SET state = 'ready'")  # their model is an older one
    shown = materialized()
    assert shown["videos_out_of_date"] == 6
    assert "| transcript | 6 |" in shown["out_of_date"]


@pytest.mark.usefixtures("database")
def test_performance_without_timings_says_so() -> None:
    assert materialized() == {"stages": "No timings yet: nothing has been ingested."}


def test_performance_depends_on_all_stages_without_pool() -> None:
    [key] = performance.keys
    assert {dependency.to_user_string() for dependency in performance.asset_deps[key]} == set(STAGES)
    assert performance.partitions_def is None
    assert performance.op.pool is None


def test_daily_schedule_requests_the_report() -> None:
    from sensors.performance_daily import performance_daily

    assert performance_daily.default_status.value == "RUNNING"
    assert performance_daily.cron_schedule == "0 6 * * *"
    assert performance_daily.evaluate_tick(build_schedule_context()).run_requests


def test_open_failures_are_grouped_by_cause(database: Database) -> None:
    for days_ago in (9.0, 3.0, 2.0):
        fail(database, days_ago, f"Slow {days_ago}.")
    fail(database, 1.0, "Elsewhere.", "device", "device")
    device, slow = read_open_failures(database)
    assert (device.cause, device.times, slow.cause, slow.times, slow.message) == ("device", 1, "starved", 2, "Slow 2.0.")
    assert read_open_failures(database, "another") == []


def test_open_failures_have_worst_severity(database: Database) -> None:
    fail(database, 3.0, "Twice as slow.", severity="error")
    fail(database, 2.0, "Slow.")
    [slow] = read_open_failures(database)
    assert (slow.severity, slow.message, slow.times) == ("error", "Twice as slow.", 2)


def test_accepted_speed_closes_slowness_not_device(database: Database) -> None:
    keep(database, [row()])
    fail(database, 1.0, "Slow.")
    fail(database, 1.0, "Elsewhere.", "device", "device")
    assert called("--accept", "transcript").exit_code == 0
    assert [failing.cause for failing in read_open_failures(database)] == ["device"]


def test_followed_baseline_stays_open_and_replaces_slowness(database: Database) -> None:
    fail(database, 30.0, "Slow.")
    fail(database, 20.0, "The baseline followed.", cause="baseline_followed")
    fail(database, 3.0, "Slow again.")
    database.query(
        "INSERT INTO accepted_speeds (asset, timing_id, accepted_at, verdict, followed_until) "
        "SELECT 'transcript', 1, recorded_at, 'speed', 9 FROM check_failures WHERE cause = 'baseline_followed'"
    )
    assert [failing.message for failing in read_open_failures(database)] == ["Slow again.", "The baseline followed."]
    keep(database, [row()])
    assert called("--accept", "transcript").exit_code == 0
    assert read_open_failures(database) == []


def called(*arguments: str) -> Result:
    return CliRunner().invoke(timings_command, list(arguments))


def video_ids(*arguments: str) -> list[str]:
    return [timing["video_id"] for timing in json.loads(called("--json", *arguments).stdout)]


def test_timings_prints_table_speeds_and_failures(database: Database) -> None:
    keep(database, library(6))
    fail(database, 1.0, "It was slow.")
    lines = called().stdout.splitlines()
    assert lines[0].split()[:3] == ["stage", "videos", "audio"]
    assert max(map(len, lines[: len(STAGES) + 2])) <= 110
    assert "x real time" in lines[-3]
    assert lines[-2].startswith("By the clock: 0:06:00 of audio")
    assert lines[-1].endswith("It was slow.")


def test_timings_of_one_video_or_last_days(database: Database) -> None:
    now = datetime.now(UTC)
    keep(database, [row("old", recorded_at=now - timedelta(days=3)), *[row("new", recorded_at=now)] * 2])
    assert video_ids() == ["old", "new", "new"]
    assert video_ids("--since", "2.5") == ["new", "new"]
    assert video_ids("--video", "old") == ["old"]
    assert "the last 2.5 days: " in called("--since", "2.5").stdout
    assert called("--video", "old", "--since", "1").stdout == "No timings of old in the last day.\n"
    assert [timing["recorded_at"] for timing in read_timings(database, days=1.0)] == [now, now]


def test_timings_compares_versions(database: Database) -> None:
    keep(database, versions([1.0] * 6, [2.0] * 6))
    assert re.search(r"transcript .* 2\.00 .* slower", called("--compare", "aaaa", "bbbb").stdout)
    assert json.loads(called("--compare", "aaaa", "bbbb", "--json").stdout) == [
        asdict(comparison) for comparison in compare(read_timings(database), "aaaa", "bbbb")
    ]
    assert isinstance(called("--compare", "aaaa", "cafe").exception, Misconfigured)


def test_timings_plot_leaves_stdout_to_json(database: Database, tmp_path: Path) -> None:
    keep(database, library(3))
    ended = called("--plot", str(tmp_path / "a.png"), "--json")
    assert len(json.loads(ended.stdout)) == 3 * len(STAGES)
    assert ended.stderr == f"Plotted to {tmp_path / 'a.png'}.\n"
    assert decoded((tmp_path / "a.png").read_bytes()).height > 500


def test_unwritable_plot_is_refused(database: Database, tmp_path: Path) -> None:
    keep(database, [row()])
    for name in ("nowhere/a.png", "a.gif"):
        assert isinstance(called("--plot", str(tmp_path / name)).exception, Misconfigured)


def test_timings_accept_counts_omitted_timings(database: Database) -> None:
    keep(database, [row("v1"), row("v2"), row("v1", "audio")])
    assert "2 earlier timings" in called("--accept", "transcript").stdout
    assert json.loads(called("--accept", "audio", "--json").stdout) == {"stage": "audio", "timings_left_out": 1}
    assert isinstance(called("--accept", "nonsense").exception, Misconfigured)


@pytest.mark.parametrize(
    "arguments",
    [["--since", "0"], ["--since", "nan"], ["--since", "1e9"], ["--accept", "audio", "--video", "v1"], ["--compare", "1"]],
)
@pytest.mark.usefixtures("home")
def test_wrong_arguments_are_usage_errors(arguments: list[str]) -> None:
    assert called(*arguments).exit_code == 2


@pytest.mark.usefixtures("database")
def test_timings_without_any_says_how_to_start() -> None:
    assert called().stdout == "No timings yet. Start with: earshot ingest SOURCE\n"
    assert json.loads(called("--json").stdout) == []


def test_read_timings_returns_the_newest_in_order(database: Database) -> None:
    keep(database, [row(wall_s=wall_s) for wall_s in (1.0, 2.0, 3.0)])
    assert [timing["wall_s"] for timing in read_timings(database, most=2)] == [2.0, 3.0]
    assert [timing["wall_s"] for timing in read_timings(database)] == [1.0, 2.0, 3.0]


def test_timings_json_has_every_row_in_order(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(database, [row(video_id=f"v{n}", wall_s=float(n)) for n in range(1, 4)])
    monkeypatch.setattr("earshot.storage.database.ROWS_AT_ONCE", 2)
    rows = json.loads(called("--json").stdout)
    assert [(timing["video_id"], timing["wall_s"]) for timing in rows] == [("v1", 1.0), ("v2", 2.0), ("v3", 3.0)]
    assert list(rows[0]) == list(ROW_KEYS)
