"""The sensor `new_uploads`: a tick that dies at any step loses nothing and repeats nothing."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRunStatus, SensorResult, build_sensor_context
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earshot.config.sources_file import Source
from earshot.sources.polling import PollResult
from earshot.storage.catalog import run_requests
from earshot.storage.catalog.run_requests import next_requests
from earshot.storage.catalog.videos import get_video
from earshot.storage.database import Database
from ingest_assets import graph
from ingest_assets.partitions import videos
from sensors.new_uploads import new_uploads
from tests.support.captions import captioned_feed, transcript
from tests.support.feeds import feed
from tests.support.http_server import Answer, Site
from tests.support.sensor_daemon import Daemon


class Killed(BaseException):
    """The process dies at this point."""


@dataclass
class Death:
    """Dies at the n-th step from now, and stays dead until it is revived."""

    at: int | None = None
    steps: int = 0

    def step(self) -> None:
        self.steps += 1
        if self.at is not None and self.steps >= self.at:
            raise Killed

    def revive(self, at: int | None = None) -> None:
        self.at, self.steps = at, 0


@contextmanager
def mortal(death: Death) -> Iterator[None]:
    """Every transaction may die before it begins, before it commits, and just after."""
    real = Database.connect

    @contextmanager
    def connect(self: Database) -> Iterator[object]:
        death.step()
        with real(self) as connection:
            yield connection
            death.step()
        death.step()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "connect", connect)
        patch.setattr(run_requests, "MAX_PER_TICK", 3)
        patch.setattr(next_requests, "__defaults__", (None, 3))
        yield


def _watch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, site: Site, paths: Sequence[str]) -> None:
    lines = "".join(f"  - feed: {site.url}{path}\n    name: '{path}'\n    every: 10s\n" for path in paths)
    (tmp_path / "sources.yaml").write_text("sources:\n" + lines)
    monkeypatch.setenv("EARSHOT_SOURCES", str(tmp_path / "sources.yaml"))


def _due_again(database: Database) -> None:
    database.query("UPDATE sources SET looked_at = NULL")


def _all_episodes_ran_once(daemon: Daemon, database: Database, expected: set[str]) -> None:
    ran = [get_video(database, key) for key in daemon.runs.values()]
    assert sorted(video.title for video in ran if video) == sorted(expected)
    assert len(ran) == len(expected)


def test_tick_killed_at_any_step_loses_and_repeats_no_run(
    site: Site, database: Database, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _watch(monkeypatch, tmp_path, site, ["/a.xml", "/b.xml"])
    site.put("/a.xml", Answer(feed("e4", "e3", "e2", "e1"), etag='"4"'))
    site.put("/b.xml", Answer(feed("e9", "e1"), etag='"9"'))
    steps = 0
    for at in range(1, 200):
        with database.connect() as connection:
            connection.execute("TRUNCATE videos, sources CASCADE")
        death = Death()
        daemon = Daemon(new_uploads, instance, database, death.step)
        with mortal(death):
            death.revive(at)
            died = False
            try:
                for _ in range(2):
                    daemon.tick()
            except Killed:
                died = True
            death.revive()
            _due_again(database)
            for _ in range(3):
                daemon.tick()
        _all_episodes_ran_once(daemon, database, {"e1", "e2", "e3", "e4", "e9"})
        if not died:
            steps = at
            break
    assert steps > 20  # it died at each of them


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 4), st.one_of(st.none(), st.integers(1, 60))), min_size=1, max_size=6))
def test_each_upload_runs_once_despite_deaths(
    site: Site,
    database: Database,
    instance: DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    history: list[tuple[int, int | None]],
) -> None:
    """A feed of the newest six episodes; each step adds some, and the tick may die."""
    with database.connect() as connection:
        connection.execute("TRUNCATE videos, sources CASCADE")
    _watch(monkeypatch, tmp_path, site, ["/feed.xml"])
    death, published, seen = Death(), 0, set()
    daemon = Daemon(new_uploads, instance, database, death.step)
    with mortal(death):
        for added, dies_at in history:
            published += added
            shown = [f"e{number}" for number in range(published, max(0, published - 6), -1)]
            site.put("/feed.xml", Answer(feed(*shown), etag=f'"{published}"'))
            seen |= set(shown)
            death.revive(dies_at)
            try:
                daemon.tick()
            except Killed:
                death.revive()
                _due_again(database)
                daemon.tick()
            death.revive()
            _due_again(database)
        for _ in range(12):
            daemon.tick()
    _all_episodes_ran_once(daemon, database, seen)


def test_ticks_without_news_make_no_run(
    site: Site, database: Database, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _watch(monkeypatch, tmp_path, site, ["/feed.xml"])
    site.put("/feed.xml", Answer(feed("e1"), etag='"1"'))
    daemon = Daemon(new_uploads, instance, database)
    daemon.tick()
    partitions = instance.get_dynamic_partitions(str(videos.name))
    for _ in range(3):
        _due_again(database)
        daemon.tick()
    assert list(daemon.runs.values()) == partitions
    assert instance.get_dynamic_partitions(str(videos.name)) == partitions
    assert [request.headers.get("If-None-Match") for request in site.asked_for("/feed.xml")] == [None, '"1"', '"1"', '"1"']


@pytest.mark.usefixtures("database")
def test_runs_have_source_and_priority(
    site: Site, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = "s3cr3t-t0ken-0123456789"
    (tmp_path / "sources.yaml").write_text(f"sources:\n  - feed: {site.url}/feed.xml?token={secret}\n    priority: 3\n")
    monkeypatch.setenv("EARSHOT_SOURCES", str(tmp_path / "sources.yaml"))
    site.put("/feed.xml", Answer(feed("e1")))
    answer = new_uploads(build_sensor_context(instance))
    assert isinstance(answer, SensorResult)
    [run] = answer.run_requests or []
    assert run.tags["dagster/priority"] == "13"
    assert run.tags["earshot/source"].startswith(f"{site.url}/feed.xml")
    assert secret not in json.dumps([run.tags, run.run_key, answer.cursor])


@pytest.mark.usefixtures("database")
def test_captions_are_looked_for_in_the_tick_that_finds_the_video(
    site: Site, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _watch(monkeypatch, tmp_path, site, ["/feed.xml"])
    site.put("/feed.xml", Answer(captioned_feed(transcript("e1.vtt", "text/vtt"))))
    answers = [new_uploads(build_sensor_context(instance)) for _ in range(2)]
    runs = [answer.run_requests or [] for answer in answers if isinstance(answer, SensorResult)]
    assert [[run.job_name for run in of_tick] for of_tick in runs] == [["find_captions", "ingest_video"]] * 2
    assert runs[0][0].run_key == runs[1][0].run_key  # Dagster starts it once
    instance.create_run_for_job(graph.definitions.resolve_job_def("find_captions"), status=DagsterRunStatus.STARTED)
    answer = new_uploads(build_sensor_context(instance))
    assert isinstance(answer, SensorResult)
    assert [run.job_name for run in answer.run_requests or []] == ["ingest_video"]


def test_tick_says_what_was_seen_and_observes_it_once_an_hour(
    site: Site, database: Database, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _watch(monkeypatch, tmp_path, site, ["/feed.xml", "/none.xml"])
    site.put("/feed.xml", Answer(feed("e2", "e1"), etag='"1"'))
    seen, trouble = _observed(new_uploads(build_sensor_context(instance)))
    assert (seen["new"], seen["listed"], seen["runs_requested"]) == (2, 2, 2)
    assert seen["seen"] == "2 new of 2, 2 runs requested"
    assert "404" in str(trouble["trouble"])

    daemon = Daemon(new_uploads, instance, database)
    daemon.tick()
    daemon.tick()
    monkeypatch.setattr("sensors.new_uploads.poll_sources", lambda sources, _: [_quiet(sources[0], timedelta(0))])
    answer = new_uploads(build_sensor_context(instance, cursor=daemon.cursor))
    assert _observed(answer) == []
    assert isinstance(answer, SensorResult)
    assert str(answer.skip_reason and answer.skip_reason.skip_message).startswith("/feed.xml: unchanged; next look ")
    monkeypatch.setattr("sensors.new_uploads.poll_sources", lambda sources, _: [_quiet(sources[0], timedelta(hours=1))])
    [seen] = _observed(new_uploads(build_sensor_context(instance, cursor=daemon.cursor)))
    assert (seen["seen"], seen["new"]) == ("unchanged", 0)


def _quiet(source: Source, ago: timedelta) -> PollResult:
    return PollResult(source, polled=True, previous_look=datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - ago)


def _observed(answer: object) -> list[dict[str, object]]:
    assert isinstance(answer, SensorResult)
    return [{key: value.value for key, value in event.metadata.items()} for event in answer.asset_events]
