"""The benchmark of watching, at sizes that take seconds: every figure is measured, and means what its name says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.harness.figures import write
from bench.harness.server import serving
from bench.scale import watching
from bench.scale.watched_library import WatchedLibrary
from bench.scale.watching import Sizes, fill, measure, measure_ticks
from earshot.config.sources_file import Kind
from earshot.sources.listing import poll as real_poll
from earshot.storage.catalog.entries import Listing
from earshot.storage.database import Database
from ingest_assets.partitions import videos
from resources.instance.home import open_instance

TINY = Sizes(libraries=(10, 25), of_a_source=5, times=2, entries=60, files=20, downloads=4, pauses_s=(0.2, 0.0))


@pytest.fixture
def watched(tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[WatchedLibrary]:
    monkeypatch.setenv("EARSHOT_SOURCES", str(tmp_path / "sources.yaml"))
    instance = open_instance()
    served = tmp_path / "served"
    served.mkdir()
    with serving(served) as url:
        yield WatchedLibrary(served, url, database, instance)
    for key in instance.get_dynamic_partitions(str(videos.name)):
        instance.delete_dynamic_partition(str(videos.name), key)


def test_every_figure_is_measured(watched: WatchedLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    listings: list[Listing | None] = []

    def poll(*arguments: Any) -> Listing | None:
        listings.append(real_poll(*arguments))
        return listings[-1]

    monkeypatch.setattr("earshot.sources.polling.poll", poll)
    figures = measure(watched, TINY)
    ticks, filled = figures["ticks"], figures["first_fill"]
    # The second library begins with 13 videos: the served feed's 10, and those of 3 ticks.
    assert [(tick["videos"], tick["sources"]) for tick in ticks[:2] + ticks[5:7]] == [(10, 1), (10, 1), (25, 4), (25, 4)]
    assert [(tick["what"], tick["sources"]) for tick in ticks[10:]] == [
        ("a feed of 60 due: one new", 1),
        ("a folder of 20 due: nothing new", 1),
    ]
    assert {tick["times"] for tick in ticks} == {2}
    # The sensors polled nothing, an unchanged feed, a changed one, nothing; and so on.
    sizes = [None if listing is None else len(listing.entries) for listing in listings]
    assert sizes == [None, None, None, 11, 12, 13, None, None, None, 14, 15, 16, 61, 62, 63, 20, 20, 20]
    assert all(0 < tick["median_s"] <= tick["max_s"] for tick in ticks)
    assert (filled["entries"], filled["ticks"]) == (60, 2)
    assert all(value > 0 for value in filled.values())
    polite, hasty = figures["downloads"]
    assert 0 < polite["an_hour"] < 3600 / 0.2
    assert hasty["an_hour"] > 0


def test_figures_are_printed_and_written_under_their_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tick = {"what": "nothing due", "videos": 12_345, "sources": 3, "times": 5, "median_s": 0.0123, "max_s": 0.0456}
    filled = {"entries": 20_000, "list_s": 1.23, "keep_s": 4.5, "decide_s": 6.7, "ticks": 400}
    figures = {
        "ticks": [tick],
        "first_fill": {**filled, "tick_median_s": 0.089, "tick_max_s": 0.9},
        "downloads": [{"pause_s": 2.0, "downloads": 20, "bytes_each": 65_536, "an_hour": 1234.5}],
    }
    watching.report(figures)
    printed = " ".join(capsys.readouterr().out.split())
    assert "nothing due 12,345 3 12 46" in printed
    assert "First fill of 20,000 entries: 1.2 s to list, 4.5 s to keep, 6.7 s to decide" in printed
    assert "pause 2 s: 1234 an hour" in printed
    monkeypatch.setattr("bench.harness.figures.RESULTS", tmp_path)
    monkeypatch.setattr("bench.harness.figures.PROJECT_ROOT", tmp_path)
    kept = watching.document(figures, load_before=0.5, stolen=None)
    target = write(kept, watching.PREFIX)
    assert target.name == f"watching-{kept['commit']}.json"
    assert {"date", "uncommitted", "device", "cores", "platform", "load_before", "steal_share", *figures} <= set(kept)
    assert '"an_hour": 1234.5' in (tmp_path / target).read_text()


def test_tick_with_wrong_number_of_runs_ends_benchmark(watched: WatchedLibrary) -> None:
    feed = f"{watched.url}/small.xml"
    watched.watch(Kind.FEED, feed)
    watched.publish(feed, 2)
    with pytest.raises(RuntimeError, match="asked for 2 runs instead of 1"):
        measure_ticks(watched, "two new", 1, runs=1)


def test_unreadable_feed_ends_benchmark(watched: WatchedLibrary) -> None:
    watched.watch(Kind.FEED, f"{watched.url}/nothing.xml")
    with pytest.raises(RuntimeError, match=r"one feed due: 304: .*404"):
        measure_ticks(watched, "one feed due: 304", 1)


def test_fill_that_omits_an_entry_ends_benchmark(watched: WatchedLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = watching.in_order
    monkeypatch.setattr(watching, "in_order", lambda entries, newest_first: whole(entries, newest_first)[1:])
    with pytest.raises(RuntimeError, match="of 3 entries 2 were new, 2 were asked for, and 2 run"):
        fill(watched, 3)


def test_grown_library_has_listed_and_decided_all(watched: WatchedLibrary) -> None:
    assert [url.rpartition("/")[2] for url in watched.grow(12, of_a_source=5)] == ["feed-0.xml", "feed-1.xml", "feed-2.xml"]
    decided = watched.database.query(
        "SELECT decision, backlog, count(*) AS videos FROM source_videos GROUP BY decision, backlog"
    )
    assert decided == [{"decision": "wanted", "backlog": True, "videos": 12}]
    assert watched.count() == 12
