"""Forgetting: nothing by which a voice could be known again is left, anywhere; what is another's stays."""

from pathlib import Path

import numpy as np
import pandas as pd
import psycopg
import pytest
from click.testing import CliRunner
from dagster import DagsterInstance
from psycopg import sql

from earshot.cli.commands import cli
from earshot.common.errors import EarshotError
from earshot.config.settings import read_settings
from earshot.speakers.people.directory import labels, resolve
from earshot.speakers.people.forget import count_traces, forget
from earshot.speakers.people.identify import identify
from earshot.speakers.tables.corrections import CorrectedSpan, CorrectionKind, add_correction, list_corrections
from earshot.speakers.tables.people import add_person, find_person, list_people
from earshot.speakers.tables.voice_space import voice_space
from earshot.storage.database import Database
from earshot.storage.locks import video_lock
from earshot.storage.server import server_urls
from earshot.transcripts.speaker_refs import SpeakerRef
from tests.earshot.storage.test_locks import held_by_another
from tests.support.voice_videos import enrol, keep, speak, voice

FIRST, SECOND = "SPEAKER_00", "SPEAKER_01"
NAME = "Žofie “Q” Nováková-Xyzzy 🎤"
NOTES = "the plughxyzzy of the first season"


@pytest.fixture
def talks(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Two people in two videos each and the person to be forgotten in all three, by a profile that an enrolment gives."""
    (tmp_path / "people.yaml").write_text("")
    monkeypatch.setenv("EARSHOT_PEOPLE", str(tmp_path / "people.yaml"))
    speak(database, "v1", ["host", "guest"])
    speak(database, "v2", ["host", "guest"])
    speak(database, "v3", ["host"])
    enrol(database, NAME, voice("host"), notes=NOTES)
    identify(database)
    known = [key for key, label in labels(database).items() if label == NAME]
    assert known == [("v1", FIRST), ("v2", FIRST), ("v3", FIRST)]
    return database


def run(*arguments: str, answer: str | None = None) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("earshot.cli.people.people._is_interactive", lambda: answer is not None)
        result = CliRunner().invoke(cli, ["people", "forget", *arguments], input=answer)
    if isinstance(result.exception, Exception):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def vectors_of(database: Database, video: str) -> dict[int, str]:
    """The condition of each turn; a vector is there exactly where it is not `forgotten`."""
    rows = database.query(
        "SELECT turn_index, condition, embedding IS NULL AS empty FROM voice_embeddings WHERE video_id = %s ORDER BY 1", [video]
    )
    assert all(row["empty"] == (row["condition"] == "forgotten") for row in rows)
    return {row["turn_index"]: row["condition"] for row in rows}


# --- nothing is left -----------------------------------------------------------------------------------------------------


def secrets_of(database: Database) -> list[bytes]:
    """What must be nowhere: name and notes, and the start of every vector of the person, as text and as it lies on disk."""
    rows = database.query(
        "SELECT embedding AS vector FROM voice_embeddings JOIN turns USING (video_id, turn_index) "
        "WHERE local_speaker = %(who)s UNION ALL SELECT centroid FROM local_speakers WHERE local_speaker = %(who)s "
        "UNION ALL SELECT embedding FROM enrolment_samples",
        {"who": FIRST},
    )
    assert len(rows) >= 10
    vectors = [row["vector"] for row in rows]
    texts = [str(vector.to_numpy()[0]).encode() for vector in vectors]
    stored = [vector.to_numpy().astype("<f4").tobytes()[:40] for vector in vectors]
    return [NAME.encode(), b"Xyzzy", NOTES.encode(), *texts, *stored]


def found_in_databases(secrets: list[bytes]) -> list[str]:
    """Every column of every table of both databases, and the planner's statistics on them."""
    urls = server_urls(read_settings())
    found = []
    for url in (urls.earshot, urls.dagster):
        with psycopg.connect(url.replace("postgresql+psycopg2://", "postgresql://")) as connection:
            tables = connection.execute(
                "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' "
                "AND table_schema NOT IN ('pg_catalog', 'information_schema') UNION SELECT 'pg_catalog', 'pg_stats'"
            ).fetchall()
            for schema, table in tables:
                rows = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(schema, table))
                text = "\n".join(row[0] for row in connection.execute(rows)).encode()
                found += [f"{table}: {secret!r}" for secret in secrets if secret in text]
    return found


def found_in_files(folder: Path, secrets: list[bytes]) -> list[str]:
    """All files of the home, those of the database's tables as well; but the write-ahead log, of which the docs speak."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and "pg_wal" not in path.parts:
            content = path.read_bytes()
            found += [f"{path}: {secret!r}" for secret in secrets if secret in content]
    return found


def settle(database: Database) -> None:
    """Everything that is in memory is written to the tables' files, and statistics are taken of it."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("ANALYZE")
        connection.execute("CHECKPOINT")


def test_nothing_is_left_of_a_forgotten_person_in_any_table_or_file(
    talks: Database, instance: DagsterInstance, home: Path
) -> None:
    assert instance
    add_correction(talks, CorrectionKind.IS, add_person(talks, NAME).person_id, [CorrectedSpan("v1", 0.0, 10.0)])
    identify(talks)
    secrets = secrets_of(talks)
    enrol(talks, "Ben", voice("somebody else"))  # statistics are taken of two names and more
    settle(talks)
    assert {found.partition(":")[0] for found in found_in_databases(secrets)} >= {"people", "voice_embeddings", "pg_stats"}
    assert found_in_files(home, secrets)
    talks.query("DELETE FROM people WHERE name = 'Ben'")  # of a table that becomes empty, Postgres would keep the statistics
    told = run(NAME, "--yes")
    assert "Forgotten: 3 speakers in 3 videos, vectors of 6 turns, 1 enrolment, 1 correction." in told
    settle(talks)
    assert found_in_databases(secrets) == []
    assert found_in_files(home, secrets) == []


def test_what_others_said_is_as_it_was_and_the_person_is_unknown_from_then_on(talks: Database) -> None:
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


def test_no_later_run_makes_a_vector_of_it_again_not_even_diarized_otherwise(talks: Database) -> None:
    run(NAME, "--yes")
    rows = [(0.5, 9.5, "X", "host"), (10.0, 20.0, "Y", "guest"), (20.2, 31.0, "X", "host"), (31.0, 40.0, "Y", "guest")]
    keep(talks, "v1", pd.DataFrame(rows, columns=["start_s", "end_s", "local_speaker", "voice"]))
    identify(talks)
    assert vectors_of(talks, "v1") == {0: "forgotten", 1: "clear", 2: "forgotten", 3: "clear"}
    assert labels(talks)["v1", "X"] == "Unknown"


def test_the_same_sound_in_another_video_is_forgotten_with_it(talks: Database) -> None:
    turns = speak(talks, "v1", ["host", "guest"])
    keep(talks, "copy", turns.assign(voice=["nobody", "guest", "nobody", "guest"]), audio="sha256 of v1")
    identify(talks)
    assert labels(talks)["copy", FIRST] != NAME  # not even known to be the person
    run(NAME, "--yes")
    assert vectors_of(talks, "copy") == vectors_of(talks, "v1")
    assert talks.query("SELECT start_s FROM forgotten_spans WHERE video_id = 'copy' ORDER BY 1") == [
        {"start_s": 0.0},
        {"start_s": 20.0},
    ]


def test_vectors_of_every_model_are_forgotten(talks: Database) -> None:
    talks.query("UPDATE voice_embeddings SET model = 'older' WHERE video_id = 'v2'")
    run(NAME, "--yes")
    assert vectors_of(talks, "v2") == {0: "forgotten", 1: "clear", 2: "forgotten", 3: "clear"}


def test_who_came_since_it_was_last_decided_is_found_first(talks: Database) -> None:
    speak(talks, "v4", ["host"])
    run(NAME, "--yes")
    assert set(vectors_of(talks, "v4").values()) == {"forgotten"}


# --- single turns --------------------------------------------------------------------------------------------------------


def test_a_single_turn_of_the_person_is_forgotten_and_its_speaker_keeps_the_rest(talks: Database) -> None:
    speak(talks, "w", ["guest", "other"], rounds=4)
    person = find_person(talks, NAME)
    assert person is not None
    add_correction(talks, CorrectionKind.IS, person.person_id, [CorrectedSpan("w", 20.0, 30.0)])
    [whole] = talks.query("SELECT clear_s, centroid FROM local_speakers WHERE video_id = 'w' AND local_speaker = %s", [FIRST])
    run(NAME, "--yes")
    assert [turn for turn, condition in vectors_of(talks, "w").items() if condition == "forgotten"] == [2]
    [rest] = talks.query("SELECT clear_s, centroid FROM local_speakers WHERE video_id = 'w' AND local_speaker = %s", [FIRST])
    assert (whole["clear_s"], rest["clear_s"]) == (40.0, 30.0)
    left = talks.query("SELECT embedding FROM voice_embeddings WHERE video_id = 'w' AND turn_index IN (0, 4, 6)")
    mean = np.mean([row["embedding"].to_numpy() for row in left], axis=0)
    assert rest["centroid"].to_numpy() == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


def test_the_spans_of_an_enrolment_are_forgotten_unless_it_was_refused(talks: Database) -> None:
    speak(talks, "w", ["guest", "other"], rounds=4)
    person = find_person(talks, NAME)
    assert person is not None
    for start, end, verdict in ((20.0, 28.0, "good"), (40.0, None, "refused")):
        [row] = talks.query(
            "INSERT INTO enrolments (person_id, kind, recording, start_s, end_s, listed) "
            "VALUES (%s, 'video', 'w', %s, %s, false) RETURNING enrolment_id",
            [person.person_id, start, end],
        )
        talks.query(
            "INSERT INTO enrolment_judgements VALUES (%(id)s, %(model)s, %(model_revision)s, %(preparation)s, %(verdict)s, '', "
            "8, 0, NULL)",
            {**voice_space(read_settings()).columns, "id": row["enrolment_id"], "verdict": verdict},
        )
    run(NAME, "--yes")
    assert [turn for turn, condition in vectors_of(talks, "w").items() if condition == "forgotten"] == [2]


# --- corrections ---------------------------------------------------------------------------------------------------------


def test_corrections_of_others_lose_what_they_say_of_that_time_and_go_when_nothing_is_left(talks: Database) -> None:
    other = add_person(talks, "Ben").person_id
    first, second, third = (CorrectedSpan("v1", start, start + 10.0) for start in (0.0, 10.0, 20.0))
    elsewhere = [CorrectedSpan("v2", 0.5, 9.5), CorrectedSpan("v2", 30.0, 40.0)]
    never = add_correction(talks, CorrectionKind.NEVER, other, [first, third])
    apart = add_correction(talks, CorrectionKind.DIFFERENT, None, [first], [second])
    kept = add_correction(talks, CorrectionKind.IS, other, [second, *elsewhere])
    run(NAME, "--yes")
    [left] = list_corrections(talks)
    assert never < apart < kept == left.correction_id
    assert left.spans == (CorrectedSpan("v1", 10.0, 20.0), CorrectedSpan("v2", 30.0, 40.0))


# --- an anonymous voice, and what is refused -----------------------------------------------------------------------------


def test_an_anonymous_voice_is_forgotten_without_being_named(talks: Database) -> None:
    guest = labels(talks)["v1", SECOND]
    run(guest, "--yes")
    assert vectors_of(talks, "v2") == {0: "clear", 1: "forgotten", 2: "clear", 3: "forgotten"}
    after = labels(talks)
    assert (after["v1", SECOND], after["v1", FIRST]) == ("Unknown", NAME)


def test_a_person_whom_people_yaml_names_is_not_forgotten_and_the_line_is_told(talks: Database) -> None:
    read_settings().people.write_text(f"people:\n  - name: {NAME}\n    samples:\n      - file: /recordings/none.wav\n")
    with pytest.raises(EarshotError, match=r"people\.yaml, line 2, names .* Remove that person's lines from the file"):
        run(NAME, "--yes")
    assert "forgotten" not in vectors_of(talks, "v1").values()
    identify(talks)  # and then its lines are removed, but the profile that came from them must do for one more time
    talks.query("UPDATE enrolments SET listed = true")
    read_settings().people.write_text("people: []\n")
    run(NAME, "--yes")
    assert vectors_of(talks, "v1") == {0: "forgotten", 1: "clear", 2: "forgotten", 3: "clear"}


def test_it_asks_first_and_tells_what_would_go(talks: Database) -> None:
    told = run(NAME, answer="n\n")
    assert "3 speakers in 3 videos, vectors of 6 turns, 1 enrolment, 0 corrections" in told
    assert told.endswith("Nothing was forgotten.\n")
    assert find_person(talks, NAME) is not None
    assert "forgotten" not in vectors_of(talks, "v1").values()


def test_who_is_not_known_is_an_error_and_nothing_else(talks: Database) -> None:
    with pytest.raises(EarshotError, match="no person named 'Nobody'"):
        run("Nobody", "--yes")
    assert find_person(talks, NAME) is not None


def test_while_a_run_is_at_work_on_one_of_the_videos_nothing_is_forgotten(talks: Database) -> None:
    who = resolve(talks, NAME)
    with held_by_another(talks, video_lock("v2")), pytest.raises(EarshotError, match="a run is processing v2"):
        forget(talks, who)
    assert find_person(talks, NAME) is not None
    assert "forgotten" not in vectors_of(talks, "v1").values()


def test_a_person_who_speaks_nowhere_is_forgotten_too(talks: Database) -> None:
    enrol(talks, "Silent", voice("somebody else"), notes=NOTES)
    silent = resolve(talks, "Silent")
    assert (count_traces(talks, silent).speakers, count_traces(talks, silent).enrolments) == (0, 1)
    forget(talks, silent)
    assert find_person(talks, "Silent") is None
    assert count_traces(talks, SpeakerRef("voice 999", voice_id=999)).turns == 0
