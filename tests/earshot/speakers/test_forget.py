"""Forgetting deletes everything that could identify a voice again, and nothing of other speakers."""

from pathlib import Path

import numpy as np
import pandas as pd
import psycopg
import pytest
from click.testing import CliRunner
from dagster import DagsterInstance
from psycopg import sql

from bench.harness.server import free_port
from earshot.cli.commands import cli
from earshot.common.errors import EarshotError
from earshot.config.settings import read_settings
from earshot.integrations.webhooks.delivery import deliver
from earshot.integrations.webhooks.endpoints import EVENTS, Endpoint
from earshot.integrations.webhooks.log import write_endpoints
from earshot.speakers.people.directory import labels, resolve
from earshot.speakers.people.forget import count_traces, forget
from earshot.speakers.people.identify import identify
from earshot.speakers.tables.corrections import CorrectedSpan, CorrectionKind, add_correction, list_corrections
from earshot.speakers.tables.people import add_person, find_person, list_people
from earshot.speakers.tables.voice_space import voice_space
from earshot.storage.database import Database
from earshot.storage.locks import video_lock
from earshot.storage.server import server_urls
from earshot.transcripts.attribution.speaker_refs import SpeakerRef
from tests.earshot.storage.test_locks import held_by_another
from tests.support.videos.voice_videos import enrol, keep, speak, voice

FIRST, SECOND = "SPEAKER_00", "SPEAKER_01"
NAME = "Žofie “Q” Nováková-Xyzzy 🎤"
SPEAKER = "SELECT clear_s, centroid FROM local_speakers WHERE video_id = %s AND local_speaker = %s"
NOTES = "the plughxyzzy of the first season"


@pytest.fixture
def talks(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Three videos: the enrolled person to be forgotten speaks in all of them, a guest in two. Events name the person."""
    (tmp_path / "people.yaml").write_text("")
    monkeypatch.setenv("EARSHOT_PEOPLE", str(tmp_path / "people.yaml"))
    speak(database, "v1", ["host", "guest"])
    speak(database, "v2", ["host", "guest"])
    speak(database, "v3", ["host"])
    enrol(database, NAME, voice("host"), notes=NOTES)
    write_endpoints(database, {"notes": EVENTS})
    identify(database)
    deliver(database, tmp_path, [Endpoint("notes", f"http://127.0.0.1:{free_port()}", None)])
    assert [key for key, label in labels(database).items() if label == NAME] == [("v1", FIRST), ("v2", FIRST), ("v3", FIRST)]
    return database


def run(*arguments: str, answer: str | None = None) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("earshot.cli.confirming._is_interactive", lambda: answer is not None)
        result = CliRunner().invoke(cli, ["people", "forget", *arguments], input=answer)
    if isinstance(result.exception, Exception):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def vectors_of(database: Database, video: str) -> dict[int, str]:
    """The condition of each turn; exactly the `forgotten` turns have no vector."""
    rows = database.query(
        "SELECT turn_index, condition, embedding IS NULL AS empty FROM voice_embeddings WHERE video_id = %s ORDER BY 1", [video]
    )
    assert all(row["empty"] == (row["condition"] == "forgotten") for row in rows)
    return {row["turn_index"]: row["condition"] for row in rows}


# --- no trace ------------------------------------------------------------------------------------------------------------


def secrets_of(database: Database) -> list[bytes]:
    """The person's name, notes, and the start of every vector, as text and as stored on disk."""
    rows = database.query(
        "SELECT embedding AS vector FROM voice_embeddings JOIN turns USING (video_id, turn_index) "
        "WHERE local_speaker = %(label)s UNION ALL SELECT centroid FROM local_speakers WHERE local_speaker = %(label)s "
        "UNION ALL SELECT embedding FROM enrolment_samples",
        {"label": FIRST},
    )
    assert len(rows) >= 10
    vectors = [row["vector"] for row in rows]
    texts = [str(vector.to_numpy()[0]).encode() for vector in vectors]
    stored = [vector.to_numpy().astype("<f4").tobytes()[:40] for vector in vectors]
    return [NAME.encode(), b"Xyzzy", NOTES.encode(), *texts, *stored]


def databases_with(secrets: list[bytes]) -> list[str]:
    """Search every column of every table of both databases, and the planner's statistics."""
    urls = server_urls(read_settings())
    matches = []
    for url in (urls.earshot, urls.dagster):
        with psycopg.connect(url.replace("postgresql+psycopg2://", "postgresql://")) as connection:
            tables = connection.execute(
                "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' "
                "AND table_schema NOT IN ('pg_catalog', 'information_schema') UNION SELECT 'pg_catalog', 'pg_stats'"
            ).fetchall()
            for schema, table in tables:
                rows = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(schema, table))
                text = "\n".join(row[0] for row in connection.execute(rows)).encode()
                matches += [f"{table}: {secret!r}" for secret in secrets if secret in text]
    return matches


def files_with(folder: Path, secrets: list[bytes]) -> list[str]:
    """Search all files of the home, including those of the database's tables, but not the write-ahead log (see the docs)."""
    matches = []
    for path in folder.rglob("*"):
        if path.is_file() and "pg_wal" not in path.parts:
            content = path.read_bytes()
            matches += [f"{path}: {secret!r}" for secret in secrets if secret in content]
    return matches


def flush(database: Database) -> None:
    """Take statistics, and write the tables to their files."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("ANALYZE")
        connection.execute("CHECKPOINT")


def test_forget_leaves_no_trace_in_tables_or_files(talks: Database, instance: DagsterInstance, home: Path) -> None:
    assert instance
    add_correction(talks, CorrectionKind.IS, add_person(talks, NAME).person_id, [CorrectedSpan("v1", 0.0, 10.0)])
    identify(talks)
    secrets = secrets_of(talks)
    enrol(talks, "Ben", voice("other"))  # Postgres takes statistics of two names or more
    flush(talks)
    assert {match.partition(":")[0] for match in databases_with(secrets)} >= {
        "people", "voice_embeddings", "webhook_events", "pg_stats",
    }  # fmt: skip
    assert files_with(home, secrets)
    talks.query("DELETE FROM people WHERE name = 'Ben'")  # Postgres keeps statistics of an empty table
    output = run(NAME, "--yes")
    assert "3 speakers in 3 videos, vectors of 6 turns, 1 enrolment, 1 correction" in output
    flush(talks)
    assert databases_with(secrets) == []
    assert files_with(home, secrets) == []


def test_forget_keeps_other_speakers(talks: Database) -> None:
    guest = labels(talks)["v1", SECOND]
    before = talks.query("SELECT * FROM local_speakers WHERE local_speaker = %s ORDER BY video_id", [SECOND])
    run(NAME, "--yes")
    assert vectors_of(talks, "v1") == {0: "forgotten", 1: "clear", 2: "forgotten", 3: "clear"}
    assert set(vectors_of(talks, "v3").values()) == {"forgotten"}
    assert talks.query("SELECT * FROM local_speakers WHERE local_speaker = %s ORDER BY video_id", [SECOND]) == before
    after = labels(talks)
    assert {after["v1", SECOND], after["v2", SECOND]} == {guest}
    assert {after["v1", FIRST], after["v2", FIRST], after["v3", FIRST]} == {"Unknown"}
    assert list_people(talks) == []


def test_new_diarization_makes_no_vector_again(talks: Database) -> None:
    run(NAME, "--yes")
    rows = [(0.5, 9.5, "X", "host"), (10.0, 20.0, "Y", "guest"), (20.2, 31.0, "X", "host"), (31.0, 40.0, "Y", "guest")]
    keep(talks, "v1", pd.DataFrame(rows, columns=["start_s", "end_s", "local_speaker", "voice"]))
    identify(talks)
    assert vectors_of(talks, "v1") == {0: "forgotten", 1: "clear", 2: "forgotten", 3: "clear"}
    assert labels(talks)["v1", "X"] == "Unknown"


def test_same_audio_in_another_video_is_forgotten(talks: Database) -> None:
    turns = speak(talks, "v1", ["host", "guest"])
    keep(talks, "copy", turns.assign(voice=["stranger", "guest", "stranger", "guest"]), audio="sha256 of v1")
    identify(talks)
    assert labels(talks)["copy", FIRST] != NAME
    run(NAME, "--yes")
    assert vectors_of(talks, "copy") == vectors_of(talks, "v1")
    assert talks.frame("forgotten_spans", "copy", "start_s").start_s.tolist() == [0.0, 20.0]


def test_vectors_of_every_model_are_forgotten(talks: Database) -> None:
    talks.query("UPDATE voice_embeddings SET model = 'older' WHERE video_id = 'v2'")
    run(NAME, "--yes")
    assert vectors_of(talks, "v2") == {0: "forgotten", 1: "clear", 2: "forgotten", 3: "clear"}


def test_forget_identifies_new_videos_first(talks: Database) -> None:
    speak(talks, "v4", ["host"])
    run(NAME, "--yes")
    assert set(vectors_of(talks, "v4").values()) == {"forgotten"}


# --- single turns --------------------------------------------------------------------------------------------------------


def test_single_turn_is_forgotten_without_its_speaker(talks: Database) -> None:
    speak(talks, "w", ["guest", "other"], rounds=4)
    add_correction(talks, CorrectionKind.IS, add_person(talks, NAME).person_id, [CorrectedSpan("w", 20.0, 30.0)])
    [whole] = talks.query(SPEAKER, ["w", FIRST])
    run(NAME, "--yes")
    assert [turn for turn, condition in vectors_of(talks, "w").items() if condition == "forgotten"] == [2]
    [rest] = talks.query(SPEAKER, ["w", FIRST])
    assert (whole["clear_s"], rest["clear_s"]) == (40.0, 30.0)
    left = talks.query("SELECT embedding FROM voice_embeddings WHERE video_id = 'w' AND turn_index IN (0, 4, 6)")
    mean = np.mean([row["embedding"].to_numpy() for row in left], axis=0)
    assert rest["centroid"].to_numpy() == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


def test_enrolled_spans_are_forgotten_unless_refused(talks: Database) -> None:
    speak(talks, "w", ["guest", "other"], rounds=4)
    person_id = add_person(talks, NAME).person_id
    for start, end, verdict in ((20.0, 28.0, "good"), (40.0, None, "refused")):
        [row] = talks.query(
            "INSERT INTO enrolments (person_id, kind, recording, start_s, end_s, listed) "
            "VALUES (%s, 'video', 'w', %s, %s, false) RETURNING enrolment_id",
            [person_id, start, end],
        )
        talks.query(
            "INSERT INTO enrolment_judgements VALUES (%(id)s, %(model)s, %(model_revision)s, %(preparation)s, %(verdict)s, '', "
            "8, 0, NULL)",
            {**voice_space(read_settings()).columns, "id": row["enrolment_id"], "verdict": verdict},
        )
    run(NAME, "--yes")
    assert [turn for turn, condition in vectors_of(talks, "w").items() if condition == "forgotten"] == [2]


# --- corrections ---------------------------------------------------------------------------------------------------------


def test_other_corrections_lose_the_forgotten_spans(talks: Database) -> None:
    ben = add_person(talks, "Ben").person_id
    first, second, third = (CorrectedSpan("v1", start, start + 10.0) for start in (0.0, 10.0, 20.0))
    elsewhere = [CorrectedSpan("v2", 0.5, 9.5), CorrectedSpan("v2", 30.0, 40.0)]
    never = add_correction(talks, CorrectionKind.NEVER, ben, [first, third])
    different = add_correction(talks, CorrectionKind.DIFFERENT, None, [first], [second])
    kept = add_correction(talks, CorrectionKind.IS, ben, [second, *elsewhere])
    run(NAME, "--yes")
    [left] = list_corrections(talks)
    assert never < different < kept == left.correction_id
    assert left.spans == (CorrectedSpan("v1", 10.0, 20.0), CorrectedSpan("v2", 30.0, 40.0))


# --- subjects and refusals -----------------------------------------------------------------------------------------------


def test_anonymous_voice_is_forgotten(talks: Database) -> None:
    guest = labels(talks)["v1", SECOND]
    run(guest, "--yes")
    assert vectors_of(talks, "v2") == {0: "clear", 1: "forgotten", 2: "clear", 3: "forgotten"}
    after = labels(talks)
    assert (after["v1", SECOND], after["v1", FIRST]) == ("Unknown", NAME)


def test_person_in_people_yaml_is_not_forgotten(talks: Database) -> None:
    read_settings().people.write_text(f"people:\n  - name: {NAME}\n    samples:\n      - file: /recordings/none.wav\n")
    with pytest.raises(EarshotError, match=r"people\.yaml, line 2"):
        run(NAME, "--yes")
    assert "forgotten" not in vectors_of(talks, "v1").values()
    identify(talks)  # the profile from the file is used once more after its lines are removed
    talks.query("UPDATE enrolments SET listed = true")
    read_settings().people.write_text("people: []\n")
    run(NAME, "--yes")
    assert vectors_of(talks, "v1") == {0: "forgotten", 1: "clear", 2: "forgotten", 3: "clear"}


def test_forget_asks_first(talks: Database) -> None:
    output = run(NAME, answer="n\n")
    assert "3 speakers in 3 videos, vectors of 6 turns, 1 enrolment, 0 corrections" in output
    assert find_person(talks, NAME) is not None
    assert "forgotten" not in vectors_of(talks, "v1").values()


def test_forget_is_refused_during_a_run(talks: Database) -> None:
    person = resolve(talks, NAME)
    with held_by_another(talks, video_lock("v2")), pytest.raises(EarshotError, match="v2"):
        forget(talks, person)
    assert find_person(talks, NAME) is not None
    assert "forgotten" not in vectors_of(talks, "v1").values()


def test_person_who_speaks_nowhere_is_forgotten(talks: Database) -> None:
    enrol(talks, "Silent", voice("other"), notes=NOTES)
    silent = resolve(talks, "Silent")
    assert (count_traces(talks, silent).speakers, count_traces(talks, silent).enrolments) == (0, 1)
    forget(talks, silent)
    assert find_person(talks, "Silent") is None
    assert count_traces(talks, SpeakerRef("voice 999", voice_id=999)).turns == 0
