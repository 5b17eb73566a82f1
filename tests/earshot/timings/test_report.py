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
from matplotlib.figure import Figure
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
from earshot.timings.report import cache_rate, clock_s, gpu_use, latest, report, report_table, seconds_per_input, trend
from earshot.timings.timing import KEYS, TEXT_KEYS, commit_named, hours_by_the_clock, summarize, times_real_time
from ingest_assets.assets.performance import performance
from resources.database import DatabaseResource

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


def test_the_report_says_of_each_stage_what_the_summary_says() -> None:
    rows = library(3)
    reported, summary = report(rows, STAGES), summarize(rows, STAGES)
    assert reported[summary.columns.tolist()].equals(summary)
    assert describe_speed(reported) == describe_speed(summary)


def test_only_the_last_run_of_each_stage_of_each_video_counts() -> None:
    rows = [row("v1", wall_s=99.0), row("v1", "audio"), row("v2"), row("v1", wall_s=7.0)]
    assert [(kept["video_id"], kept["asset"], kept["wall_s"]) for kept in latest(rows)] == [
        ("v1", "transcript", 7.0), ("v1", "audio", 10.0), ("v2", "transcript", 10.0),
    ]  # fmt: skip
    assert report(rows, STAGES).set_index("asset").loc["transcript", "wall_s"] == 17.0


@given(st.lists(st.tuples(POSITIVE, POSITIVE, st.sampled_from(STAGES)), min_size=1, max_size=30))
def test_the_shares_of_the_stages_add_up_to_all(costs: list[tuple[float, float, str]]) -> None:
    rows = [row(f"v{i}", stage, wall_s=work + load, load_s=load) for i, (work, load, stage) in enumerate(costs)]
    shares = report(rows, STAGES).set_index("asset").share
    assert shares.drop("total").sum() == pytest.approx(1.0)
    assert shares["total"] == 1.0


def test_the_trend_holds_the_last_twenty_against_the_twenty_before() -> None:
    rows = [*runs([50.0] * 7), *runs([2.0] * 20), *runs([3.0] * 20)]
    assert trend(rows) == pytest.approx(1.5)
    assert trend(list(reversed(rows))[:40]) == pytest.approx(2.0 / 3.0)


@pytest.mark.parametrize(("known", "told"), [(24, False), (25, True)])
def test_a_trend_needs_five_timings_on_both_sides(known: int, told: bool) -> None:
    assert (trend(runs([1.0] * known)) is not None) is told


def test_what_had_no_inputs_is_no_part_of_a_trend() -> None:
    assert trend([*runs([1.0] * 20), *[row(inputs=0.0)] * 40, *runs([4.0] * 20)]) == pytest.approx(4.0)


def test_seconds_per_input_leave_out_the_one_load_that_each_process_needs() -> None:
    assert seconds_per_input(row(wall_s=10.0, load_s=2.0, inputs=4.0, model_loads=1.0)) == 2.0
    assert seconds_per_input(row(wall_s=10.0, load_s=2.0, inputs=4.0, model_loads=2.0)) == 2.5
    assert seconds_per_input(row(inputs=0.0)) is None


def test_the_use_of_the_gpu_is_weighed_by_time_and_absent_where_not_measured() -> None:
    assert gpu_use([row(gpu_util_mean=90.0, wall_s=30.0), row(gpu_util_mean=10.0, wall_s=10.0), row()]) == pytest.approx(70.0)
    assert gpu_use([row()]) is None


def test_the_cache_rate_is_the_share_found_and_absent_where_nothing_was_looked_up() -> None:
    assert cache_rate([row(cache_hits=3.0, cache_misses=0.0), row(cache_hits=0.0, cache_misses=9.0)]) == 0.25
    assert cache_rate([row()]) is None


@given(st.lists(st.tuples(POSITIVE, st.floats(0.0, 600.0), POSITIVE), min_size=1, max_size=10))
def test_by_the_clock_is_never_faster_than_x_real_time_where_one_stage_runs_at_a_time(
    stages: list[tuple[float, float, float]],
) -> None:
    rows, passed_s = [], 0.0
    for i, (wall_s, idle_s, audio_s) in enumerate(stages):
        passed_s += idle_s + wall_s
        rows.append(row(f"v{i}", minute=passed_s / 60.0, wall_s=wall_s, load_s=wall_s / 4.0, audio_s=audio_s))
    total = report(rows, STAGES).iloc[-1]
    assert hours_by_the_clock(total.audio_s, clock_s(rows)) <= total.x_realtime * 1.0001


def test_by_the_clock_counts_idle_time_and_loading_and_x_real_time_does_not() -> None:
    rows = [row("v1", minute=0.5, wall_s=30.0, load_s=10.0), row("v2", minute=2.0, wall_s=30.0)]
    assert clock_s(rows) == 120.0
    assert hours_by_the_clock(120.0, clock_s(rows)) == 1.0
    assert times_real_time(120.0, 60.0, 10.0) == pytest.approx(2.4)
    assert hours_by_the_clock(120.0, 0.0) == 0.0
    assert clock_s([]) == 0.0


def test_the_sheet_leaves_out_gpu_and_cache_where_nothing_was_measured() -> None:
    without = [text for text, _ in report_table(report(library(2), STAGES)).headings]
    assert without[-2:] == ["share", "trend"]
    measured = report([row(gpu_util_mean=50.0, cache_hits=1.0), row("v1", "audio")], STAGES)
    headings, [audio, transcript, total] = report_table(measured).headings, report_table(measured).rows
    assert [text for text, _ in headings][-2:] == ["GPU", "cache"]
    assert (audio[-2:], transcript[-2:], total[-2:]) == (["", ""], ["50%", "100%"], ["", ""])


def test_the_sheet_of_a_large_library_stays_within_110_columns() -> None:
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


@settings(deadline=None, max_examples=20)
@given(COSTS)
def test_identical_data_claim_nothing(costs: list[float]) -> None:
    rows = versions(costs, costs)
    [paired] = compare(rows, "aaaa", "bbbb")
    assert (paired.ratio, paired.low, paired.high, paired.paired) == (1.0, 1.0, 1.0, True)
    others = [other | {"video_id": f"other-{other['video_id']}"} if other["git_commit"] == NEW else other for other in rows]
    [unpaired] = compare(others, "aaaa", "bbbb")
    assert (unpaired.ratio, unpaired.paired) == (1.0, False)
    assert paired.verdict == unpaired.verdict == NO_DIFFERENCE


@settings(deadline=None, max_examples=20)
@given(COSTS, COSTS)
def test_the_ratio_inverts_where_a_and_b_are_swapped(a: list[float], b: list[float]) -> None:
    rows = versions(a, b)
    [there], [back] = compare(rows, "aaaa", "bbbb"), compare(rows, "bbbb", "aaaa")
    assert there.ratio is not None
    assert there.low is not None
    assert back.ratio == pytest.approx(1.0 / there.ratio)
    assert back.high == pytest.approx(1.0 / there.low)
    opposite = {SLOWER: FASTER, FASTER: SLOWER, NO_DIFFERENCE: NO_DIFFERENCE}
    assert back.verdict == opposite[there.verdict]


def test_videos_of_both_are_compared_each_with_itself() -> None:
    """Ten videos of very different cost, each a fifth slower: lost in the spread unless they are paired."""
    costs = np.geomspace(1.0, 1000.0, 10)
    [paired] = compare(versions(costs.tolist(), (1.2 * costs).tolist()), "aaaa", "bbbb")
    assert (paired.verdict, paired.a_n, paired.b_n) == (SLOWER, 10, 10)
    assert paired.ratio == pytest.approx(1.2)
    others = runs((1.2 * costs).tolist(), git_commit=NEW)
    others = [other | {"video_id": f"other-{i}"} for i, other in enumerate(others)]
    [unpaired] = compare([*runs(costs.tolist()), *others], "aaaa", "bbbb")
    assert (unpaired.verdict, unpaired.note) == (NO_DIFFERENCE, "not the same videos")


def test_a_clear_change_is_claimed_with_an_interval_around_it() -> None:
    random = np.random.default_rng(3)
    a, b = random.normal(10.0, 0.5, 20), random.normal(5.0, 0.25, 20)
    [compared] = compare(versions(a.tolist(), b.tolist()), "aaaa", "bbbb")
    assert compared.verdict == FASTER
    assert compared.low is not None
    assert compared.high is not None
    assert compared.low < 0.5 < compared.high < 0.6


@pytest.mark.parametrize(("a", "b", "verdict"), [(4, 9, "too few (4 of 5)"), (9, 0, "too few (0 of 5)"), (5, 5, NO_DIFFERENCE)])
def test_fewer_than_five_on_either_side_are_too_few(a: int, b: int, verdict: str) -> None:
    rows = [*versions([1.0] * a, [1.0] * b), row(asset="audio", git_commit=NEW)]
    compared = {comparison.asset: comparison for comparison in compare(rows, "aaaa", "bbbb")}["transcript"]
    assert (compared.verdict, compared.a_n, compared.b_n) == (verdict, a, b)
    assert (compared.low is None) == verdict.startswith("too few")


def test_what_else_differs_is_noted() -> None:
    rows = [*runs([1.0] * 6), *runs([1.0] * 6, git_commit=NEW, model="n", device="cuda")]
    [compared] = compare(rows, "aaaa", "bbbb")
    assert compared.note == "model was m, is n; device was cpu, is cuda"
    assert set(BASELINE_KEY) >= {"model", "device"}


def test_a_code_version_matches_as_a_whole_and_a_commit_from_four_characters_on() -> None:
    rows = [*runs([1.0] * 5, code_version="1"), *runs([2.0] * 5, code_version="12", git_commit=NEW)]
    [by_version] = compare(rows, "1", "12")
    [by_commit] = compare(rows, "aaaa1", NEW)
    assert by_version.ratio == by_commit.ratio == 2.0
    with pytest.raises(Misconfigured, match="'aaa'"):
        compare(rows, "aaa", "12")


def test_an_unknown_version_is_refused_naming_it_and_what_is_known_newest_first() -> None:
    with pytest.raises(Misconfigured) as refused:
        compare([*runs([1.0]), *runs([1.0], code_version="2", git_commit=NEW)], "1", "cafe")
    assert "'cafe'" in str(refused.value)
    assert "commits bbbb222200, aaaa111100; code versions 2, 1." in str(refused.value)
    with pytest.raises(Misconfigured, match="commits none; code versions none"):
        compare([], "1", "2")


def test_names_that_git_knows_are_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_beginning_that_two_commits_share_is_refused() -> None:
    with pytest.raises(Misconfigured, match="'aaaa' begins 2 commits: aaaa111100, aaaa3333"):
        compare([*runs([1.0]), *runs([1.0], git_commit="aaaa3333")], "aaaa", "1")


def axes_of(figure: Figure) -> list[Axes]:
    return list(figure.axes)


def bars_of(axes: Axes) -> list[Any]:
    return list(axes.patches)


def decoded(png: bytes) -> Image.Image:
    return Image.open(BytesIO(png)).convert("RGB")


@pytest.mark.parametrize("videos", [0, 1, 5, 300])
def test_the_pictures_are_small_and_show_something(videos: int) -> None:
    for figure in (stage_times(library(videos)), item_rates(library(videos))):
        png = as_png(figure)
        assert len(png) < 200_000
        assert len(decoded(png).getcolors(1_000_000) or ()) > (4 if videos else 1)


def test_what_is_marked_red_is_red_in_the_png_too() -> None:
    pixels = np.asarray(decoded(as_png(item_rates([*library(300), row(speed="error", items_per_s=0.01)])))).astype(int)
    red = (pixels[..., 0] > 160) & (pixels[..., 1] < 80) & (pixels[..., 2] < 80)
    assert red.any()


def test_bars_are_stacked_by_stage_to_the_minutes_per_hour_of_all() -> None:
    rows = library(4)
    [axes] = axes_of(stage_times(rows))
    bars = {str(bar.get_label()): bar.get_data() for bar in bars_of(axes)}
    assert list(bars) == list(STAGES)
    work_s = sum(timing["wall_s"] for timing in rows if timing["video_id"] == "v2")
    assert bars["text_embeddings"].values[2] == pytest.approx(60.0 * work_s / 60.0)
    assert bars["transcript"].baseline == pytest.approx(bars["audio"].values)


def test_many_videos_share_bars() -> None:
    [axes] = axes_of(stage_times(library(300)))
    assert {len(bar.get_data().values) for bar in bars_of(axes)} == {100}
    assert "videos: 300, 3 to a bar" in axes.get_title()


def marked(axes: Axes) -> int:
    [marks] = [line for line in axes.lines if line.get_label() == SLOW]
    return np.size(marks.get_xdata())


@pytest.mark.parametrize("videos", [5, 60, 300])
def test_what_was_found_too_slow_is_marked_and_nothing_else(videos: int) -> None:
    rows = library(videos)
    slow = sum(timing["speed"] == "warn" for timing in rows)
    assert (slow > 0) == (videos > 5)
    counts = [marked(axes) for axes in axes_of(item_rates(rows))]
    assert counts == [slow if stage == "transcript" else 0 for stage in STAGES]
    assert [marked(axes) for axes in axes_of(pictures(rows))[1:]] == counts


def test_each_stage_has_its_dots_in_its_colour() -> None:
    for stage, axes in zip(STAGES, axes_of(item_rates(library(8))), strict=True):
        dots = axes.lines[0]
        assert (dots.get_color(), np.size(dots.get_xdata())) == (COLOURS[stage], 8)


def test_the_band_is_around_the_median_of_comparable_timings_before() -> None:
    rates = [row(compute_s=8.0 * share) for share in (1.0, 1.1, 0.9, 1.0, 1.2, 1.0, 9.0)]
    low, middle, high = usual_rates(rates)
    assert np.isnan(middle[:5]).all()
    assert middle[5] == pytest.approx(2.0)
    assert 0 < low[5] < middle[5] < high[5]
    assert low[5] * high[5] == pytest.approx(middle[5] ** 2)


def test_the_band_begins_anew_with_another_device_and_leaves_out_what_was_too_slow() -> None:
    usual = [row(compute_s=8.0)] * 6
    other = [row(compute_s=1.0, device="cuda")] * 2
    slow = [row(compute_s=80.0, speed="error")] * 10
    _, middle, _ = usual_rates([*usual, *other, *slow, row(compute_s=8.0)])
    assert np.isnan(middle[6:8]).all()
    assert middle[-1] == pytest.approx(2.0)


@pytest.mark.parametrize(("name", "begins"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.PDF", b"%PDF")])
def test_a_picture_is_written_in_the_format_of_its_name(tmp_path: Path, name: str, begins: bytes) -> None:
    save(pictures(library(5)), tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(begins)


@pytest.mark.parametrize("name", ["a.gif", "plot", "a.png.gz"])
def test_another_suffix_is_refused_naming_it_and_those_allowed(name: str) -> None:
    with pytest.raises(Misconfigured, match=re.escape(f"ends in {Path(name).suffix!r}") + r".*\.png, \.svg, \.pdf"):
        check_suffix(Path(name))


def keep(database: Database, rows: Sequence[Row]) -> None:
    names, places = (sql.SQL(", ").join(map(part, rows[0])) for part in (sql.Identifier, sql.Placeholder))
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(sql.SQL("INSERT INTO asset_timings ({}) VALUES ({})").format(names, places), rows)


def fail(
    database: Database,
    days_ago: float,
    message: str,
    check: str = "regression",
    cause: str = "starved",
    severity: str = "warn",
) -> None:
    database.query(
        "INSERT INTO check_failures (recorded_at, video_id, asset, check_name, severity, cause, message, run_id) "
        "VALUES (now() - %s * interval '1 day', 'v1', 'transcript', %s, %s, %s, %s, 'r')",
        [days_ago, check, severity, cause, message],
    )


def made(database: Database) -> dict[str, Any]:
    """The asset's metadata after a materialization in a run."""
    assert database
    ended = materialize([performance], resources={"database": DatabaseResource()})
    [event] = ended.get_asset_materialization_events()
    return {key: value.value for key, value in event.materialization.metadata.items()}


def picture(markdown: str) -> Image.Image:
    encoded = re.fullmatch(r"!\[.+\]\(data:image/png;base64,(\S+)\)", markdown)
    assert encoded is not None
    return decoded(base64.b64decode(encoded[1]))


def test_the_asset_shows_the_table_the_pictures_and_the_totals(database: Database) -> None:
    rows = library(6)
    keep(database, rows)
    fail(database, 1.0, "It was slow.")
    told = made(database)
    total = report(rows, STAGES).iloc[-1]
    assert told["stages"] == report_table(report(rows, STAGES)).markdown
    assert picture(told["time_per_audio_hour"]).width == picture(told["items_per_second"]).width > 500
    assert (told["audio_hours"], told["videos"], told["open_regressions"]) == (pytest.approx(0.1), 6.0, 1.0)
    assert (told["x_realtime"], told["rtf"]) == (pytest.approx(total.x_realtime), pytest.approx(total.rtf))
    assert told["hours_by_the_clock_last_day"] == 0.0
    assert "It was slow." in told["failing_checks"]


def test_the_asset_tells_the_audio_of_the_last_day_by_the_clock(database: Database) -> None:
    keep(database, [row(stage, audio_s=2400.0, recorded_at=datetime.now(UTC)) for stage in STAGES])
    assert made(database)["hours_by_the_clock_last_day"] == pytest.approx(5 * 2400.0 / 86400.0)


def test_the_asset_tells_what_is_out_of_date(database: Database) -> None:
    register(database, [Video(f"v{number}", f"https://x/{number}", "https://x", "A video") for number in range(6)])
    keep(database, library(6))
    assert (made(database)["videos_out_of_date"], made(database)["out_of_date"]) == (0.0, "Nothing.")
    database.query("UPDATE videos SET state = 'ready'")  # with a model of long ago
    told = made(database)
    assert told["videos_out_of_date"] == 6.0
    assert "| transcript | 6 |" in told["out_of_date"]


def test_the_asset_without_any_timings_says_so(database: Database) -> None:
    assert made(database) == {"stages": "No timings yet: nothing has been ingested."}


def test_the_asset_hangs_below_the_five_and_takes_no_slot_of_the_gpu() -> None:
    [key] = performance.keys
    assert {dependency.to_user_string() for dependency in performance.asset_deps[key]} == set(STAGES)
    assert performance.partitions_def is None
    assert performance.op.pool is None


def test_the_schedule_is_on_and_makes_the_report() -> None:
    from sensors.performance_daily import performance_daily

    assert performance_daily.default_status.value == "RUNNING"
    assert performance_daily.cron_schedule == "0 6 * * *"
    assert performance_daily.evaluate_tick(build_schedule_context()).run_requests


def test_failing_checks_are_told_once_per_cause_with_the_newest_and_how_many(database: Database) -> None:
    for days_ago in (9.0, 3.0, 2.0):
        fail(database, days_ago, f"Slow {days_ago}.")
    fail(database, 1.0, "Elsewhere.", "device", "device")
    device, slow = read_open_failures(database)
    assert (device.cause, device.times, slow.cause, slow.times, slow.message) == ("device", 1, "starved", 2, "Slow 2.0.")
    assert re.fullmatch(r"WARN transcript \(2 times in 7 days, the worst \S+ \S+, v1\): Slow 2\.0\.", str(slow))
    assert read_open_failures(database, "another") == []


def test_failing_checks_are_as_bad_as_their_worst(database: Database) -> None:
    fail(database, 3.0, "Twice as slow.", severity="error")
    fail(database, 2.0, "Slow.")
    [slow] = read_open_failures(database)
    assert (slow.severity, slow.message, slow.times) == ("error", "Twice as slow.", 2)


def test_an_accepted_slowness_is_no_longer_told_but_a_wrong_device_is(database: Database) -> None:
    keep(database, [row()])
    fail(database, 1.0, "Slow.")
    fail(database, 1.0, "Elsewhere.", "device", "device")
    assert called("--accept", "transcript").exit_code == 0
    assert [failing.cause for failing in read_open_failures(database)] == ["device"]


def called(*arguments: str) -> Result:
    return CliRunner().invoke(timings_command, list(arguments))


def test_the_command_prints_the_table_both_speeds_and_what_failed(database: Database) -> None:
    keep(database, library(6))
    fail(database, 1.0, "It was slow.")
    lines = called().stdout.splitlines()
    assert lines[0].split()[:3] == ["stage", "videos", "audio"]
    assert max(map(len, lines[: len(STAGES) + 2])) <= 110
    assert "x real time" in lines[-3]
    assert lines[-2].startswith("By the clock: 0:06:00 of audio in the 0:29:")
    assert lines[-1].endswith("It was slow.")


def test_the_command_can_be_limited_to_a_video_and_to_the_last_days(database: Database) -> None:
    now = datetime.now(UTC)
    keep(
        database,
        [row("old", recorded_at=now - timedelta(days=3)), row("new", recorded_at=now), row("new", "audio", recorded_at=now)],
    )
    assert len(json.loads(called("--json").stdout)) == 3
    assert {told["video_id"] for told in json.loads(called("--json", "--since", "2.5").stdout)} == {"new"}
    assert [told["asset"] for told in json.loads(called("--json", "--video", "old").stdout)] == ["transcript"]
    assert "of audio in the last 2.5 days: " in called("--since", "2.5").stdout
    assert called("--video", "old", "--since", "1").stdout == "No timings of old in the last day.\n"
    assert [told["recorded_at"] for told in read_timings(database, days=1.0)] == [now, now]


def test_the_command_compares(database: Database) -> None:
    keep(database, versions([1.0] * 6, [2.0] * 6))
    told = called("--compare", "aaaa", "bbbb").stdout
    assert re.search(r"transcript +1 +2 +2\.00 +2\.00 to 2\.00 +6 videos +slower", told)
    assert json.loads(called("--compare", "aaaa", "bbbb", "--json").stdout) == [
        asdict(comparison) for comparison in compare(read_timings(database), "aaaa", "bbbb")
    ]
    assert isinstance(called("--compare", "aaaa", "cafe").exception, Misconfigured)


def test_the_command_plots_and_keeps_stdout_for_json(database: Database, tmp_path: Path) -> None:
    keep(database, library(3))
    ended = called("--plot", str(tmp_path / "a.png"), "--json")
    assert len(json.loads(ended.stdout)) == 3 * len(STAGES)
    assert ended.stderr == f"Plotted to {tmp_path / 'a.png'}.\n"
    assert decoded((tmp_path / "a.png").read_bytes()).height > 500


def test_a_plot_that_cannot_be_written_is_one_clear_error(database: Database, tmp_path: Path) -> None:
    keep(database, [row()])
    refused = called("--plot", str(tmp_path / "nowhere" / "a.png")).exception
    assert isinstance(refused, Misconfigured)
    assert "cannot be written: No such file or directory" in str(refused)
    assert isinstance(called("--plot", str(tmp_path / "a.gif")).exception, Misconfigured)


def test_the_command_accepts_a_speed_and_says_what_that_means(database: Database) -> None:
    keep(database, [row("v1"), row("v2"), row("v1", "audio")])
    told = called("--accept", "transcript").stdout
    assert "its 2 timings so far are not compared with any more" in told
    assert json.loads(called("--accept", "audio", "--json").stdout) == {"stage": "audio", "timings_left_out": 1}
    assert isinstance(called("--accept", "nonsense").exception, Misconfigured)


@pytest.mark.parametrize(
    "arguments",
    [["--since", "0"], ["--since", "nan"], ["--since", "1e9"], ["--accept", "audio", "--video", "v1"], ["--compare", "1"]],
)
def test_a_wrong_call_ends_with_code_2(home: Path, arguments: list[str]) -> None:
    assert home.exists()
    assert called(*arguments).exit_code == 2


def test_without_timings_the_command_says_how_to_start(database: Database) -> None:
    assert database
    assert called().stdout == "No timings yet. Start with: earshot ingest SOURCE\n"
    assert json.loads(called("--json").stdout) == []


def test_a_report_is_of_the_newest_timings_oldest_first(database: Database) -> None:
    keep(database, [row(wall_s=wall_s) for wall_s in (1.0, 2.0, 3.0)])
    assert [told["wall_s"] for told in read_timings(database, most=2)] == [2.0, 3.0]
    assert [told["wall_s"] for told in read_timings(database)] == [1.0, 2.0, 3.0]


def test_as_json_every_timing_is_told_oldest_first_however_many(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(database, [row(video_id=f"v{n}", wall_s=float(n)) for n in range(1, 4)])
    monkeypatch.setattr("earshot.storage.database.ROWS_AT_ONCE", 2)
    told = json.loads(called("--json").stdout)
    assert [(each["video_id"], each["wall_s"]) for each in told] == [("v1", 1.0), ("v2", 2.0), ("v3", 3.0)]
    assert list(told[0]) == list(ROW_KEYS)
    assert [each["video_id"] for each in json.loads(called("--json", "--video", "v2").stdout)] == ["v2"]
