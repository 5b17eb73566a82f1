"""Hints by the API: given, read and cleared for a video and for a source, and what they make stale run again."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from dagster import DagsterInstance
from starlette.testclient import TestClient

from earshot.cli.commands import cli
from earshot.config.hints import Hints
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.video_hints import own_hints
from earshot.storage.catalog.videos import mark_ready_if_complete
from earshot.storage.database import Database
from ingest_assets.stages.versions import expected_versions
from tests.earshot.page.pages.test_search_page import HOSTILE
from tests.support.library import fill, run_stage

API = "/api/v1"
VIDEO, SOURCE = f"{API}/videos/talk/hints", f"{API}/sources/hints"
FILE = "# mine\ndefaults:\n  languages: [en, de]\nsources:\n  # the best\n  - feed: https://x   # weekly\n    speakers: 2-4\n"
AT_SOURCE = {"source": "https://x"}
MARKUP = HOSTILE[:60].replace(",", "")


@pytest.fixture(autouse=True)
def sources(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source with a hint, and its current video `talk`."""
    file = tmp_path / "sources.yaml"
    file.write_text(FILE)
    monkeypatch.setenv("EARSHOT_SOURCES", str(file))
    fill(database, ["talk"], [" so"])
    for stage in STAGES:
        hints = Hints(speakers="2-4", languages=("de", "en"))
        run_stage(database, "talk", stage, expected_versions()[stage], stage, hints=hints)
    mark_ready_if_complete(database, "talk")
    return file


def test_hints_of_a_video_are_replaced_and_cleared(client: TestClient) -> None:
    given = {"speakers": "2", "vocabulary": ["Nagg", "Nell"]}
    answer = client.put(VIDEO, json={**given, "speakers": 2}).json()
    assert answer == {
        "video_id": "talk",
        "hints": {"languages": ["de", "en"], **given},
        "own": given,
        "of_source": {"languages": ["de", "en"], "speakers": "2-4"},
        "stale": ["transcript", "speaker_turns", "voice_embeddings", "text_embeddings"],
    }
    assert client.get(VIDEO).json() == answer
    assert CliRunner().invoke(cli, ["hints", "talk", "--json"]).output.replace("\n", "").replace(" ", "") == (
        client.get(VIDEO).text.replace(" ", "")
    )  # fmt: skip
    assert client.put(VIDEO, json={"prompt": "Hello."}).json()["own"] == {"prompt": "Hello."}
    cleared = client.delete(VIDEO).json()
    assert (cleared["own"], cleared["hints"], cleared["stale"]) == ({}, answer["of_source"], [])


def test_what_is_read_can_be_given(client: TestClient, database: Database) -> None:
    none = {"vocabulary": [], "vocabulary_from": [], "prompt": "", "languages": [], "speakers": ""}
    assert client.put(VIDEO, json=none).json()["own"] == none
    assert own_hints(database, "talk") == Hints.of(none)
    assert client.put(SOURCE, params=AT_SOURCE, json=none).json()["own"] == none


def test_hints_of_a_source_are_written_into_the_file(client: TestClient, sources: Path) -> None:
    assert client.get(SOURCE, params=AT_SOURCE).json() == {
        "source": "https://x",
        "hints": {"languages": ["de", "en"], "speakers": "2-4"},
        "own": {"speakers": "2-4"},
        "stale_videos": 0,
    }
    given = {"vocabulary": ["Nagg", "no", MARKUP], "speakers": "3"}
    answer = client.put(SOURCE, params=AT_SOURCE, json=given).json()
    assert (answer["own"]["speakers"], answer["own"]["vocabulary"][:2], answer["stale_videos"]) == ("3", ["Nagg", "no"], 1)
    assert sources.read_text().startswith(f"{FILE.replace('2-4', '3')}    vocabulary: [Nagg, 'no', ")
    assert client.delete(SOURCE, params=AT_SOURCE).json()["own"] == {}
    assert sources.read_text() == FILE.replace("    speakers: 2-4\n", "")


def put_escaped(client: TestClient, address: str, hints: Any) -> Any:
    """As JSON in ASCII, which can have lone surrogates."""
    return client.put(address, content=json.dumps(hints), headers={"Content-Type": "application/json"})


TOO_MANY = [f"word{number}" for number in range(10_000)]


@pytest.mark.parametrize(
    ("hints", "title"),
    [
        ({"vocabulary": TOO_MANY}, "vocabulary has 78,890 characters."),
        ({"prompt": "مريم 🎙 " * 1000}, "prompt has 7,000 characters."),
        ({"speakers": "4-2"}, "speakers is '4-2'."),
        ({"speakers": 0}, "speakers is '0'."),
        ({"languages": ["<b>"]}, "languages has '<b>'."),
        ({"languages": ["\ud800"]}, "languages has '\\ud800'."),
        ({"vocabulary_from": ["peple"]}, "vocabulary_from is 'peple'."),
        ({"speaker": "2"}, "body speaker: Extra inputs are not permitted."),
        ({"\ud800": "2"}, "body: Input should be a valid string"),
        ({"vocabulary": "Nagg"}, "body vocabulary: Input should be a valid"),
        ([], "body: Input should be"),
    ],
)
@pytest.mark.parametrize("address", [VIDEO, f"{SOURCE}?source=https://x"])
def test_wrong_hint_is_a_problem_and_changes_nothing(
    client: TestClient, database: Database, sources: Path, address: str, hints: Any, title: str
) -> None:
    answer = put_escaped(client, address, hints)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["title"].startswith(title)
    assert own_hints(database, "talk") == Hints()
    assert sources.read_text() == FILE


def test_any_script_and_markup_is_kept_as_text(client: TestClient) -> None:
    words = ["🎙 \0 Nagg", "مریم", "東京", MARKUP, "\ud800", "\ufffe"]
    kept = put_escaped(client, VIDEO, {"vocabulary": words, "prompt": MARKUP}).json()["own"]
    assert kept["vocabulary"][:3] == ["🎙 Nagg", "مریم", "東京"]
    assert client.put(SOURCE, params=AT_SOURCE, json={"vocabulary": kept["vocabulary"]}).json()["own"] == {
        "vocabulary": kept["vocabulary"]
    }


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_unknown_video_or_source_is_a_problem(client: TestClient, method: str) -> None:
    body: Any = {"json": {}} if method == "PUT" else {}
    assert client.request(method, f"{API}/videos/absent/hints", **body).status_code == 404
    assert client.request(method, SOURCE, params={"source": "absent"}, **body).status_code == 404


def test_both_of_language_and_languages_are_refused_by_the_file(client: TestClient, sources: Path) -> None:
    sources.write_text(f"{FILE}    language: en\n")
    answer = client.put(SOURCE, params=AT_SOURCE, json={"languages": ["de"]})
    assert (answer.status_code, "languages has no effect beside language" in answer.json()["title"]) == (422, True)


@pytest.mark.parametrize("of", [{"video": "talk"}, {"source": "https://x"}])
def test_what_is_out_of_date_runs_again(client: TestClient, database: Database, instance: DagsterInstance, of: Any) -> None:
    client.put(VIDEO, json={"speakers": "3"})
    started = client.post(f"{API}/backfills", json=of)
    assert started.status_code == 202
    backfill = started.json()
    assert backfill == {
        "backfill_id": backfill["backfill_id"],
        "videos": 1,
        "stages": ["speaker_turns", "voice_embeddings", "text_embeddings"],
        "up": False,
    }
    assert database.query("SELECT backfill_id FROM backfills") == [{"backfill_id": backfill["backfill_id"]}]
    client.delete(VIDEO)
    assert client.post(f"{API}/backfills", json=of).json()["backfill_id"] is None
    assert instance


@pytest.mark.parametrize(("body", "status"), [({}, 422), ({"video": "a", "source": "b"}, 422), ({"video": "absent"}, 404)])
def test_wrong_backfill_is_a_problem(client: TestClient, body: dict[str, str], status: int) -> None:
    assert client.post(f"{API}/backfills", json=body).status_code == status


def test_document_describes_hints_with_an_example(client: TestClient) -> None:
    schemas = client.get(f"{API}/openapi.json").json()["components"]["schemas"]
    assert schemas["GivenHints"]["example"]["speakers"] == "2-4"
    assert {"vocabulary", "prompt"} <= schemas["GivenHints"]["properties"].keys()
