"""The tables of people and enrolments: follow people.yaml, keep manual entries, and store judgements with their samples."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
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
from earshot.speakers.voices.enrolment_quality import EnrolmentVerdict, Quality, Samples
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from tests.earshot.config.test_people_file import NAMES

GOOD = Quality(EnrolmentVerdict.GOOD, "", 12.5, 0.25, 0.8)
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
    """The text of a people.yaml with these people, each as `Ada: a b`."""
    entries = []
    for person in people:
        name, _, files = person.partition(": ")
        samples = "".join(f"  - file: /{file}\n" for file in files.split())
        entries.append(f"- name: {name}\n  samples:\n{samples}")
    return "people:\n" + "".join(entries)


def rows(database: Database) -> list[tuple[Any, ...]]:
    """(name, listed, recording, listed) of every enrolment, and of people without one."""
    people = database.query(
        "SELECT name, p.listed, recording, e.listed AS enrolment_listed FROM people p LEFT JOIN enrolments e USING (person_id) "
        "ORDER BY name, recording"
    )
    return [tuple(row.values()) for row in people]


def all_rows(database: Database) -> list[dict[str, Any]]:
    return [
        *database.query("SELECT xmin::text, * FROM people ORDER BY person_id"),
        *database.query("SELECT * FROM enrolments ORDER BY enrolment_id"),
        *database.query("SELECT * FROM enrolment_judgements ORDER BY enrolment_id"),
    ]


def enrol(database: Database, name: str, excerpt: Excerpt) -> int:
    """A manual enrolment."""
    with database.connect() as connection:
        return add_enrolment(connection, add_person(database, name).person_id, excerpt, listed=False)


def samples(*spans: tuple[int, int], vectors: list[np.ndarray] | None = None, sha256: str = "aa") -> Samples:
    chosen = np.array(vectors or [EAST] * len(spans), dtype=np.float32).reshape(len(spans), 3)
    return Samples(sha256, spans, chosen)


# --- people --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_name_is_stored_as_written(database: Database, people_file: Path, name: str) -> None:
    quoted = "'" + name.replace("'", "''") + "'"
    sync(database, people_file, f"people:\n- name: {quoted}\n  notes: {quoted}\n  samples: [{{file: a.wav}}]\n")
    (person,) = list_people(database)
    assert (person.name, person.notes, person.listed) == (name, name, True)
    assert find_person(database, name) == person


def test_person_is_found_by_whole_name_in_any_case(database: Database) -> None:
    person = add_person(database, "Zoë  Strauß", notes="of the choir")
    assert (person.name, person.notes, person.listed) == ("Zoë Strauß", "of the choir", False)
    assert find_person(database, " zoe\u0308 STRAUSS ") == person
    assert find_person(database, "Zoë") is None


def test_adding_a_name_twice_changes_only_notes(database: Database) -> None:
    first = add_person(database, "Ada", notes="one")
    assert add_person(database, "ADA") == first
    assert add_person(database, "Ada", notes="two").notes == "two"
    assert len(list_people(database)) == 1


def test_invalid_name_is_refused(database: Database) -> None:
    with pytest.raises(EarshotError) as refused:
        add_person(database, "voice 7")
    assert "100 characters" in refused.value.remedy
    assert list_people(database) == []


def test_concurrent_adds_make_one_person(database: Database) -> None:
    with ThreadPoolExecutor(6) as pool:
        people = list(pool.map(lambda _: add_person(database, "Ada").person_id, range(6)))
    assert len(people) == 6
    assert len(set(people)) == 1


# --- following the file --------------------------------------------------------------------------------------------------


def test_tables_follow_the_file(database: Database, people_file: Path) -> None:
    sync(database, people_file, listed("Ada: a b", "Bob: c"))
    assert rows(database) == [("Ada", True, "/a", True), ("Ada", True, "/b", True), ("Bob", True, "/c", True)]
    sync(database, people_file, listed("Ada: b d"))
    assert rows(database) == [("Ada", True, "/b", True), ("Ada", True, "/d", True)]
    sync(database, people_file, "people:\n")
    assert rows(database) == []


def test_unchanged_entries_keep_rows_and_judgements(database: Database, people_file: Path) -> None:
    sync(database, people_file, listed("Ada: a b", "Bob: c"))
    for enrolment in pending_enrolments(database, SPACE):
        save_assessment(database, enrolment.enrolment_id, SPACE, GOOD, samples((0, 10)))
    before = all_rows(database)
    sync(database, people_file, listed("Bob: c", "Ada: b a"))
    assert all_rows(database) == before
    sync(database, people_file, listed("Bob: c", "Ada: a"))
    assert [row["recording"] for row in all_rows(database) if "recording" in row] == ["/a", "/c"]
    assert pending_enrolments(database, SPACE) == []


def test_changed_spelling_and_notes_keep_the_person(database: Database, people_file: Path) -> None:
    sync(database, people_file, listed("ada: a"))
    (before,) = list_people(database)
    sync(database, people_file, listed("Ada: a").replace("samples", "notes: new\n  samples"))
    (after,) = list_people(database)
    assert (after.person_id, after.name, after.notes) == (before.person_id, "Ada", "new")


def test_missing_file_changes_nothing(database: Database, people_file: Path) -> None:
    sync(database, people_file, listed("Ada: a"))
    before = all_rows(database)
    people_file.unlink()
    sync_people(database, read_settings())
    assert all_rows(database) == before


def test_invalid_file_changes_nothing(database: Database, people_file: Path) -> None:
    sync(database, people_file, listed("Ada: a"))
    before = all_rows(database)
    with pytest.raises(Misconfigured, match=r"line 5: .*line 2"):
        sync(database, people_file, listed("Bob: b", "bob: c"))
    assert all_rows(database) == before


def test_person_with_manual_enrolment_outlives_the_file(database: Database, people_file: Path) -> None:
    sync(database, people_file, listed("Ada: a"))
    enrol(database, "Ada", Excerpt(FILE, "/own", 1.0, 9.0))
    sync(database, people_file, listed("Bob: b"))
    assert rows(database) == [("Ada", False, "/own", False), ("Bob", True, "/b", True)]
    sync(database, people_file, listed("ADA: a"))
    assert rows(database) == [("ADA", True, "/a", True), ("ADA", True, "/own", False)]


@pytest.mark.parametrize("kind", [CorrectionKind.IS, CorrectionKind.NEVER])
def test_person_with_corrections_outlives_the_file(database: Database, people_file: Path, kind: CorrectionKind) -> None:
    register(database, [Video("v1", "/v1", "/v1", "One")])
    sync(database, people_file, listed("Ada: a", "Bob: b"))
    add_correction(database, kind, add_person(database, "Ada").person_id, [CorrectedSpan("v1", 0.0, 5.0)])
    sync(database, people_file, "")
    assert rows(database) == [("Ada", False, None, None)]


def test_manual_enrolment_in_the_file_becomes_listed(database: Database, people_file: Path) -> None:
    enrolment_id = enrol(database, "Ada", Excerpt(FILE, "/a"))
    save_assessment(database, enrolment_id, SPACE, GOOD, samples((0, 10)))
    sync(database, people_file, listed("Ada: a"))
    assert rows(database) == [("Ada", True, "/a", True)]
    assert pending_enrolments(database, SPACE) == []
    sync(database, people_file, "people: []")
    assert rows(database) == []


def test_listed_enrolment_added_again_stays_listed(database: Database, people_file: Path) -> None:
    sync(database, people_file, listed("Ada: a"))
    enrol(database, "Ada", Excerpt(FILE, "/a"))
    assert rows(database) == [("Ada", True, "/a", True)]


def test_person_added_manually_stays(database: Database, people_file: Path) -> None:
    add_person(database, "Ada")
    sync(database, people_file, listed("Bob: b"))
    assert rows(database) == [("Ada", False, None, None), ("Bob", True, "/b", True)]


def test_parts_of_a_recording_are_separate_enrolments(database: Database) -> None:
    excerpts = [Excerpt(FILE, "/a"), Excerpt(FILE, "/a", 0.0, 5.0), Excerpt(VIDEO, "/a")]
    assert len({enrol(database, "Ada", excerpt) for excerpt in [*excerpts, *excerpts]}) == 3


def test_overlapping_enrolments_are_found(database: Database) -> None:
    enrol(database, "Ada", Excerpt(FILE, "/a", 10.0, 20.0))
    enrol(database, "Bob", Excerpt(FILE, "/b"))
    overlaps = overlapping(database, [Excerpt(FILE, "/a", 15.0, 30.0), Excerpt(FILE, "/b", 1.0, 2.0)])
    assert [(person.name, excerpt) for person, excerpt in overlaps] == [
        ("Ada", Excerpt(FILE, "/a", 10.0, 20.0)),
        ("Bob", Excerpt(FILE, "/b")),
    ]
    assert overlapping(database, [Excerpt(FILE, "/a", 20.0, None), Excerpt(VIDEO, "/b")]) == []


# --- judgements and samples ----------------------------------------------------------------------------------------------


def test_enrolment_is_pending_until_judged_in_its_space(database: Database) -> None:
    enrolment_id = enrol(database, "Ada", Excerpt(FILE, "/a", 2.0))
    (pending,) = pending_enrolments(database, SPACE)
    assert (pending.enrolment_id, pending.excerpt) == (enrolment_id, Excerpt(FILE, "/a", 2.0))
    save_assessment(database, enrolment_id, SPACE, GOOD, samples((0, 10)))
    assert pending_enrolments(database, SPACE) == []
    for change in ({"model": "b-model"}, {"model_revision": "2"}, {"preparation": "cut"}):
        assert pending_enrolments(database, replace(SPACE, **change)) == [pending]
        assert profile_samples(database, replace(SPACE, **change)).empty


def test_judgement_is_replaced_with_its_samples(database: Database) -> None:
    enrolment_id, fair = enrol(database, "Ada", Excerpt(FILE, "/a")), Quality(EnrolmentVerdict.FAIR, "short", 4.0, 0.0, None)
    save_assessment(database, enrolment_id, SPACE, GOOD, samples((0, 10), (10, 20)))
    save_assessment(database, enrolment_id, SPACE, fair, samples((5, 9), vectors=[UP]))
    judged = database.query("SELECT verdict, reasons, clean_s, other_voice_s, spread FROM enrolment_judgements")
    assert judged == [{"verdict": "fair", "reasons": "short", "clean_s": 4.0, "other_voice_s": 0.0, "spread": None}]
    assert profile_samples(database, SPACE).embedding.iloc[0].tolist() == UP.tolist()
    assert len(profile_samples(database, SPACE)) == 1


def test_judgement_of_removed_enrolment_is_not_stored(database: Database) -> None:
    enrolment_id = enrol(database, "Ada", Excerpt(FILE, "/a"))
    database.query("DELETE FROM enrolments")
    save_assessment(database, enrolment_id, SPACE, GOOD, samples((0, 10)))
    assert database.query("SELECT * FROM enrolment_judgements") == []


def test_profile_samples_leave_out_refused_enrolments(database: Database) -> None:
    ada, bob = add_person(database, "Ada").person_id, add_person(database, "Bob").person_id
    refused = Quality(EnrolmentVerdict.REFUSED, "another voice", 4.0, 3.0, 0.4)
    for name, recording, quality, taken in (
        ("Bob", "/b", GOOD, samples((0, 32_000), vectors=[NORTH], sha256="bb")),
        ("Ada", "/a", GOOD, samples((0, 16_000), (16_000, 24_000))),
        ("Ada", "/c", refused, samples((0, 9), vectors=[UP], sha256="cc")),
    ):
        save_assessment(database, enrol(database, name, Excerpt(FILE, recording)), SPACE, quality, taken)
    profiles = profile_samples(database, SPACE)
    assert profiles.person_id.tolist() == [ada, ada, bob]
    assert profiles.seconds.tolist() == [1.0, 0.5, 2.0]
    assert [vector.tolist() for vector in profiles.embedding] == [EAST.tolist(), EAST.tolist(), NORTH.tolist()]
    assert all(vector.dtype == np.float32 for vector in profiles.embedding)


def test_empty_profile_samples_have_their_columns(database: Database) -> None:
    profiles = profile_samples(database, voice_space(read_settings()))
    assert (list(profiles.columns), len(profiles)) == (["person_id", "embedding", "seconds"], 0)


def test_enrolment_samples_are_cached_embeddings(database: Database) -> None:
    enrolment_id = enrol(database, "Ada", Excerpt(FILE, "/a"))
    save_assessment(database, enrolment_id, SPACE, GOOD, samples((0, 10), (10, 20), vectors=[EAST, UP]))
    cached = cached_embeddings(database, SPACE, "aa")
    assert {span: vector.tolist() for span, vector in cached.items()} == {(0, 10): EAST.tolist(), (10, 20): UP.tolist()}
    assert cached_embeddings(database, SPACE, "bb") == {}
    assert cached_embeddings(database, replace(SPACE, preparation="cut"), "aa") == {}
