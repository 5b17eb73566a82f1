"""The tables of people follow people.yaml, keep what came by the command line, and give names back as they were written."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earshot.common.errors import EarshotError, Misconfigured
from earshot.common.excerpt import FILE, VIDEO, Excerpt
from earshot.config.settings import read_settings
from earshot.speakers.tables.corrections import CorrectedSpan, CorrectionKind, add_correction
from earshot.speakers.tables.enrolments import pending_enrolments, profile_samples, save_assessment
from earshot.speakers.tables.people import (
    add_enrolment,
    add_person,
    find_person,
    list_people,
    overlapping,
    sync_people,
)
from earshot.speakers.tables.voice_cache import cached_embeddings
from earshot.speakers.tables.voice_space import VoiceSpace, voice_space
from earshot.speakers.voices.enrolment_quality import Quality, Samples, Verdict
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from tests.earshot.config.test_people_file import NAMES

GOOD = Quality(Verdict.GOOD, "", 12.5, 0.25, 0.8)
SPACE = VoiceSpace("a-model", "1", "whole", 3)
EAST, NORTH, UP = np.eye(3, dtype=np.float32)


@pytest.fixture
def people_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EARSHOT_PEOPLE", str(tmp_path / "people.yaml"))
    return tmp_path / "people.yaml"


def sync(database: Database, people_file: Path, text: str) -> None:
    people_file.write_text(text, encoding="utf-8")
    sync_people(database, read_settings())


def listed(*people: str) -> str:
    """A file of these people: `Ada: a.wav b.wav`."""
    entries = []
    for person in people:
        name, _, files = person.partition(": ")
        samples = "".join(f"  - file: /{file}\n" for file in files.split())
        entries.append(f"- name: {name}\n  samples:\n{samples}")
    return "people:\n" + "".join(entries)


def rows(database: Database) -> list[tuple[Any, ...]]:
    """(name, listed, recording, listed) of every enrolment, and of everybody without one."""
    found = database.query(
        "SELECT name, p.listed, recording, e.listed AS own FROM people p LEFT JOIN enrolments e USING (person_id) "
        "ORDER BY name, recording"
    )
    return [tuple(row.values()) for row in found]


def everything(database: Database) -> list[dict[str, Any]]:
    return [
        *database.query("SELECT xmin::text, * FROM people ORDER BY person_id"),
        *database.query("SELECT * FROM enrolments ORDER BY enrolment_id"),
        *database.query("SELECT * FROM enrolment_judgements ORDER BY enrolment_id"),
    ]


def enrol(database: Database, name: str, excerpt: Excerpt) -> int:
    """An enrolment by the command line."""
    with database.connect() as connection:
        return add_enrolment(connection, add_person(database, name).person_id, excerpt, listed=False)


def samples(*spans: tuple[int, int], vectors: list[np.ndarray] | None = None, sha256: str = "aa") -> Samples:
    chosen = np.array(vectors or [EAST] * len(spans), dtype=np.float32).reshape(len(spans), 3)
    return Samples(sha256, spans, chosen)


# --- people --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_name_comes_back_from_the_database_as_it_was_written(database: Database, people_file: Path, name: str) -> None:
    quoted = "'" + name.replace("'", "''") + "'"
    sync(database, people_file, f"people:\n- name: {quoted}\n  notes: {quoted}\n  samples: [{{file: a.wav}}]\n")
    (person,) = list_people(database)
    assert (person.name, person.notes, person.listed) == (name, name, True)
    assert find_person(database, name) == person


def test_a_person_is_found_in_other_capitals_and_forms_and_not_by_a_part(database: Database) -> None:
    person = add_person(database, "Zoë  Strauß", notes="of the choir")
    assert (person.name, person.notes, person.listed) == ("Zoë Strauß", "of the choir", False)
    assert find_person(database, " zoe\u0308 STRAUSS ") == person
    assert find_person(database, "Zoë") is None


def test_adding_a_name_twice_is_one_person_whose_notes_stay_unless_there_are_others(database: Database) -> None:
    first = add_person(database, "Ada", notes="one")
    assert add_person(database, "ADA") == first
    assert add_person(database, "Ada", notes="two").notes == "two"
    assert len(list_people(database)) == 1


def test_adding_what_is_no_name_is_refused_and_adds_nobody(database: Database) -> None:
    with pytest.raises(EarshotError, match="The name is one that Earshot gives to voices itself") as told:
        add_person(database, "voice 7")
    assert "Allowed: a name of at most 100 characters" in told.value.remedy
    assert list_people(database) == []


def test_two_at_once_add_one_person(database: Database) -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(add_person(database, "Ada").person_id)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1


# --- following the file --------------------------------------------------------------------------------------------------


def test_the_tables_follow_the_file(database: Database, people_file: Path) -> None:
    sync(database, people_file, listed("Ada: a b", "Bob: c"))
    assert rows(database) == [("Ada", True, "/a", True), ("Ada", True, "/b", True), ("Bob", True, "/c", True)]
    sync(database, people_file, listed("Ada: b d"))
    assert rows(database) == [("Ada", True, "/b", True), ("Ada", True, "/d", True)]
    sync(database, people_file, "people:\n")
    assert rows(database) == []


def test_what_stays_in_the_file_keeps_its_rows_and_its_judgements(database: Database, people_file: Path) -> None:
    sync(database, people_file, listed("Ada: a b", "Bob: c"))
    for enrolment in pending_enrolments(database, SPACE):
        save_assessment(database, enrolment.enrolment_id, SPACE, GOOD, samples((0, 10)))
    before = everything(database)
    sync(database, people_file, listed("Bob: c", "Ada: b a"))
    assert everything(database) == before
    sync(database, people_file, listed("Bob: c", "Ada: a"))
    assert [row["recording"] for row in everything(database) if "recording" in row] == ["/a", "/c"]
    assert pending_enrolments(database, SPACE) == []


def test_a_changed_spelling_and_changed_notes_are_the_same_person(database: Database, people_file: Path) -> None:
    sync(database, people_file, listed("ada: a"))
    (before,) = list_people(database)
    sync(database, people_file, listed("Ada: a").replace("samples", "notes: new\n  samples"))
    (after,) = list_people(database)
    assert (after.person_id, after.name, after.notes) == (before.person_id, "Ada", "new")


def test_without_the_file_nothing_changes(database: Database, people_file: Path) -> None:
    sync(database, people_file, listed("Ada: a"))
    before = everything(database)
    people_file.unlink()
    sync_people(database, read_settings())
    assert everything(database) == before


def test_a_file_with_an_error_changes_nothing(database: Database, people_file: Path) -> None:
    sync(database, people_file, listed("Ada: a"))
    before = everything(database)
    with pytest.raises(Misconfigured, match="line 5: the name is that of the person on line 2"):
        sync(database, people_file, listed("Bob: b", "bob: c"))
    assert everything(database) == before


def test_who_has_enrolments_by_the_command_line_outlives_the_file(database: Database, people_file: Path) -> None:
    sync(database, people_file, listed("Ada: a"))
    enrol(database, "Ada", Excerpt(FILE, "/own", 1.0, 9.0))
    sync(database, people_file, listed("Bob: b"))
    assert rows(database) == [("Ada", False, "/own", False), ("Bob", True, "/b", True)]
    sync(database, people_file, listed("ADA: a"))
    assert rows(database) == [("ADA", True, "/a", True), ("ADA", True, "/own", False)]


@pytest.mark.parametrize("kind", [CorrectionKind.IS, CorrectionKind.NEVER])
def test_who_has_corrections_outlives_the_file(database: Database, people_file: Path, kind: CorrectionKind) -> None:
    register(database, [Video("v1", "/v1", "/v1", "One")])
    sync(database, people_file, listed("Ada: a", "Bob: b"))
    ada = find_person(database, "Ada")
    assert ada is not None
    add_correction(database, kind, ada.person_id, [CorrectedSpan("v1", 0.0, 5.0)])
    sync(database, people_file, "")
    assert rows(database) == [("Ada", False, None, None)]


def test_an_enrolment_of_the_command_line_that_the_file_takes_up_belongs_to_the_file(
    database: Database, people_file: Path
) -> None:
    enrolment_id = enrol(database, "Ada", Excerpt(FILE, "/a"))
    save_assessment(database, enrolment_id, SPACE, GOOD, samples((0, 10)))
    sync(database, people_file, listed("Ada: a"))
    assert rows(database) == [("Ada", True, "/a", True)]
    assert pending_enrolments(database, SPACE) == []
    sync(database, people_file, "people: []")
    assert rows(database) == []


def test_an_enrolment_of_the_file_that_is_named_again_by_hand_stays_the_files(database: Database, people_file: Path) -> None:
    sync(database, people_file, listed("Ada: a"))
    enrol(database, "Ada", Excerpt(FILE, "/a"))
    assert rows(database) == [("Ada", True, "/a", True)]


def test_who_was_added_by_hand_and_has_nothing_yet_stays(database: Database, people_file: Path) -> None:
    add_person(database, "Ada")
    sync(database, people_file, listed("Bob: b"))
    assert rows(database) == [("Ada", False, None, None), ("Bob", True, "/b", True)]


def test_whole_recordings_and_parts_are_told_apart(database: Database) -> None:
    excerpts = [Excerpt(FILE, "/a"), Excerpt(FILE, "/a", 0.0, 5.0), Excerpt(VIDEO, "/a")]
    assert len({enrol(database, "Ada", excerpt) for excerpt in [*excerpts, *excerpts]}) == 3


def test_overlapping_enrolments_are_found_with_their_people(database: Database) -> None:
    enrol(database, "Ada", Excerpt(FILE, "/a", 10.0, 20.0))
    enrol(database, "Bob", Excerpt(FILE, "/b"))
    found = overlapping(database, [Excerpt(FILE, "/a", 15.0, 30.0), Excerpt(FILE, "/b", 1.0, 2.0)])
    assert [(person.name, excerpt) for person, excerpt in found] == [
        ("Ada", Excerpt(FILE, "/a", 10.0, 20.0)),
        ("Bob", Excerpt(FILE, "/b")),
    ]
    assert overlapping(database, [Excerpt(FILE, "/a", 20.0, None), Excerpt(VIDEO, "/b")]) == []


# --- judgements and samples ----------------------------------------------------------------------------------------------


def test_an_enrolment_is_pending_until_it_is_judged_and_again_in_another_space(database: Database) -> None:
    enrolment_id = enrol(database, "Ada", Excerpt(FILE, "/a", 2.0))
    (pending,) = pending_enrolments(database, SPACE)
    assert (pending.enrolment_id, pending.excerpt) == (enrolment_id, Excerpt(FILE, "/a", 2.0))
    save_assessment(database, enrolment_id, SPACE, GOOD, samples((0, 10)))
    assert pending_enrolments(database, SPACE) == []
    for other in (
        VoiceSpace("b-model", "1", "whole", 3),
        VoiceSpace("a-model", "2", "whole", 3),
        VoiceSpace("a-model", "1", "cut", 3),
    ):
        assert pending_enrolments(database, other) == [pending]
        assert profile_samples(database, other).empty


def test_a_judgement_is_replaced_with_its_samples(database: Database) -> None:
    enrolment_id = enrol(database, "Ada", Excerpt(FILE, "/a"))
    save_assessment(database, enrolment_id, SPACE, GOOD, samples((0, 10), (10, 20)))
    save_assessment(
        database, enrolment_id, SPACE, Quality(Verdict.FAIR, "short", 4.0, 0.0, None), samples((5, 9), vectors=[UP])
    )
    judged = database.query("SELECT verdict, reasons, clean_s, other_voice_s, spread FROM enrolment_judgements")
    assert judged == [{"verdict": "fair", "reasons": "short", "clean_s": 4.0, "other_voice_s": 0.0, "spread": None}]
    assert profile_samples(database, SPACE).embedding.iloc[0].tolist() == UP.tolist()
    assert len(profile_samples(database, SPACE)) == 1


def test_what_was_removed_meanwhile_is_not_kept(database: Database) -> None:
    enrolment_id = enrol(database, "Ada", Excerpt(FILE, "/a"))
    database.query("DELETE FROM enrolments")
    save_assessment(database, enrolment_id, SPACE, GOOD, samples((0, 10)))
    assert database.query("SELECT * FROM enrolment_judgements") == []


def test_profile_samples_are_those_of_what_was_not_refused(database: Database) -> None:
    ada, bob = add_person(database, "Ada").person_id, add_person(database, "Bob").person_id
    save_assessment(
        database, enrol(database, "Bob", Excerpt(FILE, "/b")), SPACE, GOOD, samples((0, 32_000), vectors=[NORTH], sha256="bb")
    )
    save_assessment(database, enrol(database, "Ada", Excerpt(FILE, "/a")), SPACE, GOOD, samples((0, 16_000), (16_000, 24_000)))
    refused = Quality(Verdict.REFUSED, "another voice", 4.0, 3.0, 0.4)
    save_assessment(
        database, enrol(database, "Ada", Excerpt(FILE, "/c")), SPACE, refused, samples((0, 9), vectors=[UP], sha256="cc")
    )
    found = profile_samples(database, SPACE)
    assert found.person_id.tolist() == [ada, ada, bob]
    assert found.seconds.tolist() == [1.0, 0.5, 2.0]
    assert [vector.tolist() for vector in found.embedding] == [EAST.tolist(), EAST.tolist(), NORTH.tolist()]
    assert all(vector.dtype == np.float32 for vector in found.embedding)


def test_profile_samples_of_nobody_have_their_columns(database: Database) -> None:
    found = profile_samples(database, voice_space(read_settings()))
    assert (list(found.columns), len(found)) == (["person_id", "embedding", "seconds"], 0)


def test_a_vector_is_known_by_its_sound_its_place_and_its_space(database: Database) -> None:
    save_assessment(
        database, enrol(database, "Ada", Excerpt(FILE, "/a")), SPACE, GOOD, samples((0, 10), (10, 20), vectors=[EAST, UP])
    )
    found = cached_embeddings(database, SPACE, "aa")
    assert {span: vector.tolist() for span, vector in found.items()} == {(0, 10): EAST.tolist(), (10, 20): UP.tolist()}
    assert cached_embeddings(database, SPACE, "bb") == {}
    assert cached_embeddings(database, VoiceSpace("a-model", "1", "cut", 3), "aa") == {}


def test_the_vector_of_a_turn_is_known_too(database: Database) -> None:
    register(database, [Video("v1", "/v1", "/v1", "One")])
    database.query(
        "INSERT INTO voice_embeddings (video_id, turn_index, audio_sha256, first_sample, last_sample, model, model_revision, "
        "preparation, embedding) VALUES ('v1', 0, 'aa', 3, 7, 'a-model', '1', 'whole', %s)",
        [NORTH],
    )
    assert cached_embeddings(database, SPACE, "aa")[3, 7].tolist() == NORTH.tolist()
