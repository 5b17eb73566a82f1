"""The soak without a running `earshot up`: growing curves are told from flat ones, and what is kept of them."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import psutil
import pytest

from bench.chaos.soak import disk
from bench.chaos.soak.processes import proportional_set
from bench.chaos.soak.recordings import recording
from bench.chaos.soak.report import document, kept_curves
from bench.chaos.soak.soak import Plan, Record
from bench.chaos.soak.trends import growing, second_half, thinned, trend_of, trends

HOUR = [20.0 * number for number in range(180)]


def curve(value: Callable[[float], float], noise: float = 0.0) -> list[tuple[float, float]]:
    """An hour of points, each off by at most the noise."""
    random = Random(1)
    return [(at_s, value(at_s / 3600) + random.uniform(-noise, noise)) for at_s in HOUR]


def test_warming_up_is_no_growth() -> None:
    found = trend_of("memory worker 1", curve(lambda hours: min(1000.0, 5000.0 * hours), noise=20.0))
    assert found is not None
    assert not found.grows
    assert found.level == pytest.approx(1000.0, abs=20.0)


def test_leak_under_noise_grows_by_so_much_a_day() -> None:
    curves = {"memory daemon": curve(lambda hours: 100.0 + 30.0 * hours, noise=5.0), "memory page": curve(lambda _: 100.0, 5.0)}
    assert list(growing(trends(curves))) == ["memory daemon"]
    found = trends(curves)["memory daemon"]
    assert found.per_day == pytest.approx(24 * 30.0, rel=0.1)
    assert found.low < 30.0 < found.high


def test_growth_within_tolerance_is_flat() -> None:
    assert growing(trends({"memory up": curve(lambda hours: 100.0 + 6.0 * hours)})) == {}
    assert growing(trends({"tick dead_runs": curve(lambda hours: 0.2 + 0.02 * hours)})) == {}
    assert list(growing(trends({"tick dead_runs": curve(lambda hours: 0.2 + 0.2 * hours)}))) == ["tick dead_runs"]


def test_time_that_follows_the_load_is_flat() -> None:
    load = curve(lambda hours: 2.0 + 2.0 * hours)
    ticks = {"tick alerts": curve(lambda hours: 1.0 + hours), "load": load}
    assert growing(trends(ticks)) == {}
    assert list(growing(trends({**ticks, "load": curve(lambda _: 2.0)}))) == ["tick alerts"]


def test_rows_may_grow() -> None:
    found = trends({"rows earshot.words": curve(lambda hours: 3000.0 * hours)})
    assert found["rows earshot.words"].grows
    assert growing(found) == {}


def test_few_points_have_no_trend() -> None:
    assert trends({"memory up": curve(lambda _: 1.0)[:10], "memory page": []}) == {}
    assert len(second_half(curve(lambda _: 1.0))) == 90


def test_thinned_curve_is_the_median_of_each_span() -> None:
    points = [(1.0, 1.0), (2.0, 9.0), (3.0, 2.0), (25.0, 7.0)]
    assert thinned(points, [10.0, 20.0, 30.0]) == [2.0, None, 7.0]


def test_document_keeps_the_largest_tables_and_names_what_grows() -> None:
    curves = {f"rows earshot.table_{number}": curve(lambda _, rows=number: float(rows)) for number in range(20)}
    curves |= {"memory up": curve(lambda hours: 100.0 + 50.0 * hours), "load": curve(lambda _: 2.0)}
    kept = kept_curves(curves)
    assert "rows earshot.table_19" in kept
    assert "rows earshot.table_0" not in kept
    kept_document = document(Record(Plan(), curves, 60, [], 0, 700, []))
    assert kept_document["growing"] == ["memory up"]
    assert {len(values) for values in kept_document["curves"].values()} == {len(kept_document["at_s"])}


def test_polls_a_day_stay_the_same_in_compressed_time() -> None:
    assert "every: 30s" in Plan().sources
    assert "every: 15m" in Plan(speed=40, keep_videos=9).sources
    assert "keep_videos: 9" in Plan(speed=40, keep_videos=9).sources


def test_recordings_differ() -> None:
    first, second = recording(0, 2.0), recording(1, 2.0)
    assert first != second
    assert len(first) == pytest.approx(len(second), rel=0.1)


def test_usage_is_that_of_the_process_and_of_its_folders(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "one").write_bytes(bytes(3 << 20))
    (tmp_path / "models").symlink_to(tmp_path)
    assert disk.measure(tmp_path) == {"disk home": 3, "file count home": 1, "disk media": 3, "file count media": 1}
    process = psutil.Process()
    assert 0 < proportional_set(process.pid) <= process.memory_info().rss * 1.1
