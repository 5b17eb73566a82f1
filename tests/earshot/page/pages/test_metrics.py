"""/metrics, read by the parsers of Prometheus's own client."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pynvml
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from starlette.testclient import TestClient

from earshot.config.settings import PROJECT_ROOT
from earshot.library.upkeep.stage_metrics import StageTotals
from earshot.storage.database import Database
from resources.instance.worker_slots import WorkerSlot
from tests.earshot.page.people_library import hear
from tests.support.timing_rows import keep, usual

DASHBOARD = PROJECT_ROOT / "docs" / "guides" / "operation" / "grafana-dashboard.json"
GUIDE = PROJECT_ROOT / "docs" / "guides" / "operation" / "metrics.md"
OPENMETRICS = "application/openmetrics-text; version=1.0.0,text/plain;version=0.0.4;q=0.5"

Samples = dict[tuple[str, tuple[str, ...]], float]


def scrape(client: TestClient, accept: str = OPENMETRICS) -> Samples:
    """The value of each sample, by its name and the values of its labels, whose names are in alphabetical order."""
    answer = client.get("/metrics", headers={"Accept": accept})
    assert answer.status_code == 200
    parse = parse_openmetrics if "openmetrics" in answer.headers["content-type"] else parse_text
    samples = [sample for family in parse(answer.text) for sample in family.samples]
    return {(sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value for sample in samples}


def fail(database: Database, stage: str, check: str, severity: str, days: int = 0) -> None:
    database.query(
        "INSERT INTO check_failures (recorded_at, video_id, asset, run_id, check_name, severity, cause, message) "
        "VALUES (now() - %s * interval '1 day', 'one', %s, 'run-1', %s, %s, 'unknown', '')",
        [days, stage, check, severity],
    )


@pytest.fixture
def full(database: Database) -> Database:
    """A library with every kind of figure but those of GPUs."""
    hear(database, {"one": ["Ana"]})
    database.query("UPDATE asset_timings SET audio_s = 0")
    keep(database, "transcript", usual(wall_s=5.0, rtf=0.0201, audio_s=60.0, device="cpu"))
    keep(database, "transcript", usual(wall_s=5.1, rtf=9.0, audio_s=0.5, device="cpu"))
    keep(database, "transcript", usual(wall_s=9000.0, audio_s=0.0, device="cpu"))
    database.query("INSERT INTO sources (source, looked_at) VALUES ('https://x', now())")
    database.query("INSERT INTO backups VALUES ('/mnt/a', '2026-01-01Z', 1, 1), ('s3://b/a', '2026-01-02Z', 1, 1)")
    fail(database, "transcript", "regression", "warn")
    fail(database, "transcript", "regression", "warn", days=30)
    return database


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (OPENMETRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        ("text/plain;version=0.0.4", "text/plain; version=0.0.4; charset=utf-8"),
        ("", "text/plain; version=0.0.4; charset=utf-8"),
    ],
)
@pytest.mark.usefixtures("full")
def test_format_is_what_the_client_accepts(client: TestClient, accept: str, content_type: str) -> None:
    answer = client.get("/metrics", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith(content_type)
    assert scrape(client, accept)["earshot_videos", ("ready",)] == 1


@pytest.mark.usefixtures("full")
def test_histograms_count_the_timings(client: TestClient) -> None:
    seen = scrape(client)
    of_seconds = {bound: seen["earshot_stage_duration_seconds_bucket", ("cpu", bound, "transcript")]
                  for bound in ("2.0", "5.0", "10.0", "7200.0", "+Inf")}  # fmt: skip
    assert of_seconds == {"2.0": 0, "5.0": 1, "10.0": 2, "7200.0": 2, "+Inf": 3}
    assert seen["earshot_stage_duration_seconds_sum", ("cpu", "transcript")] == pytest.approx(9010.1)
    assert seen["earshot_stage_real_time_factor_bucket", ("cpu", "0.02", "transcript")] == 0
    assert seen["earshot_stage_real_time_factor_bucket", ("cpu", "0.05", "transcript")] == 1
    assert seen["earshot_stage_real_time_factor_count", ("cpu", "transcript")] == 2
    assert seen["earshot_stage_audio_seconds_total", ("cpu", "transcript")] == 60.5
    assert seen["earshot_stage_duration_seconds_count", ("cuda", "text_embeddings")] == 1
    assert seen["earshot_stage_real_time_factor_count", ("cuda", "text_embeddings")] == 0


def test_many_readings_of_timings_count_each_once(database: Database) -> None:
    totals = StageTotals()
    for days in (2, 1, 0, 0):
        keep(database, "transcript", usual(wall_s=0.1), recorded_at=datetime.now(UTC) - timedelta(days=days))
        keep(database, "audio", usual(wall_s=0.2), recorded_at=datetime.now(UTC) - timedelta(days=days))
        assert totals.read(database) == StageTotals().read(database)
    assert [(each.stage, each.seconds.count, each.seconds.total) for each in totals.read(database)] == [
        ("audio", 4, 0.8), ("transcript", 4, 0.4),
    ]  # fmt: skip


def test_counters_of_timings_survive_a_removal(client: TestClient, full: Database) -> None:
    before = scrape(client)
    assert client.delete("/api/v1/videos/one", params={"confirm": "one"}).status_code == 200
    after = scrape(client)
    assert {key: value for key, value in before.items() if key[0].startswith("earshot_stage")}.items() <= after.items()
    assert after["earshot_videos", ("ready",)] == 0
    assert not full.query("SELECT 1 FROM check_failures")


def test_checks_sources_and_workers_are_counted(
    client: TestClient, full: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sources.yaml").write_text("sources:\n  - feed: https://x\n  - feed: https://y\n    paused: true\n")
    monkeypatch.setenv("EARSHOT_SOURCES", str(tmp_path / "sources.yaml"))
    slot = WorkerSlot(full.url)
    slot.acquire()
    seen = scrape(client)
    slot.release()
    assert seen["earshot_check_failures_total", ("regression", "warn", "transcript")] == 2
    assert seen["earshot_recent_check_failures", ("regression", "warn", "transcript")] == 1
    assert [seen["earshot_sources", (state,)] for state in ("ok", "paused", "failing")] == [1, 1, 0]
    assert (seen["earshot_workers", ()], scrape(client)["earshot_workers", ()]) == (1, 0)
    [row] = full.query("SELECT extract(epoch FROM max(looked_at))::float8 AS polled FROM sources")
    assert seen["earshot_last_poll_timestamp_seconds", ()] == pytest.approx(row["polled"])
    assert seen["earshot_last_backup_timestamp_seconds", ()] == datetime(2026, 1, 2, tzinfo=UTC).timestamp()


@pytest.mark.usefixtures("database")
def test_what_is_not_known_is_absent(client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sources.yaml").write_text("sources: 7\n")
    monkeypatch.setenv("EARSHOT_SOURCES", str(tmp_path / "sources.yaml"))
    names = {name for name, _ in scrape(client)}
    assert "earshot_build_info" in names
    assert "earshot_sources" not in names
    assert [name for name in names if name.startswith("earshot_last_")] == []


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """NVML is substituted: two GPUs, of which the second reports no power."""

    def power(handle: str) -> int:
        if handle == "GPU-b":
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return 250_000

    memory = type("Memory", (), {"used": 3 * 1024**3, "total": 8 * 1024**3})
    answers: dict[str, Callable[..., Any]] = {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: ("GPU-a", "GPU-b")[index],
        "nvmlDeviceGetUUID": lambda handle: handle,
        "nvmlDeviceGetName": lambda _handle: "NVIDIA H200",
        "nvmlDeviceGetUtilizationRates": lambda _handle: type("Rates", (), {"gpu": 50}),
        "nvmlDeviceGetMemoryInfo": lambda _handle: memory,
        "nvmlDeviceGetPowerUsage": power,
        "nvmlDeviceGetClockInfo": lambda _handle, _clock: 1000,
    }
    for name, answer in answers.items():
        monkeypatch.setattr(pynvml, name, answer)


@pytest.mark.usefixtures("database", "two_gpus")
def test_gpus_show_the_figures_that_they_report(client: TestClient) -> None:
    seen = scrape(client)
    assert seen["earshot_gpu_utilization_ratio", ("GPU-b", "NVIDIA H200")] == 0.5
    assert seen["earshot_gpu_memory_used_bytes", ("GPU-a", "NVIDIA H200")] == 3 * 1024**3
    assert seen["earshot_gpu_memory_bytes", ("GPU-a", "NVIDIA H200")] == 8 * 1024**3
    assert {key for key in seen if key[0] == "earshot_gpu_power_watts"} == {
        ("earshot_gpu_power_watts", ("GPU-a", "NVIDIA H200"))
    }


@pytest.mark.usefixtures("full", "two_gpus")
def test_dashboard_and_guide_name_the_metrics_that_there_are(client: TestClient) -> None:
    families = {family.name for family in parse_openmetrics(client.get("/metrics", headers={"Accept": OPENMETRICS}).text)}
    samples = {name for name, _ in scrape(client)}
    dashboard = json.loads(DASHBOARD.read_text())
    asked = {target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])}
    named = {name for expr in asked for name in re.findall(r"earshot_\w+", expr)}
    assert named <= samples
    explained = set(re.findall(r"^\| `(earshot_\w+)`", GUIDE.read_text(), flags=re.MULTILINE))
    assert explained == {name for name in samples if not name.endswith(("_bucket", "_count", "_sum"))} | {
        name for name in families if f"{name}_bucket" in samples
    }


def test_dashboard_is_one_that_grafana_imports() -> None:
    """What Grafana requires of each panel: a number, a place on the grid of 24 columns, a data source."""
    dashboard = json.loads(DASHBOARD.read_text())
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time"} <= set(dashboard)
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    cells = [(x, y) for place in places for x in range(place["x"], place["x"] + place["w"])
             for y in range(place["y"], place["y"] + place["h"])]  # fmt: skip
    assert len(set(cells)) == len(cells)
    for panel in panels:
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert all(target["refId"] and target["expr"] for target in panel["targets"])
