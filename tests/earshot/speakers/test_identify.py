"""Identification: the whole order of it over a real database. Vectors are made up; how they come about is tested elsewhere."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest
from dagster import DagsterInstance, ExecuteInProcessResult
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from earshot.common.errors import Misconfigured
from earshot.config.settings import read_settings
from earshot.speakers.people import identify as identification
from earshot.speakers.people.identify import Identified, identify
from earshot.speakers.tables.corrections import CorrectedSpan, CorrectionKind, add_correction, remove_correction
from earshot.speakers.tables.identities import (
    read_identities,
    read_speakers,
    write_identities,
    write_segment_overrides,
)
from earshot.speakers.tables.people import add_person
from earshot.speakers.tables.voice_space import VoiceSpace, accept_threshold, voice_space
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from ingest_assets.definitions import defs
from ingest_assets.stages.stage import FORCE_TAG
from tests.support.voice_videos import enrol

NAME = "Żaneta O'Brien 🎙"


@pytest.fixture(autouse=True)
def people_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a people.yaml that is not there yet."""
    path = tmp_path / "people.yaml"
    monkeypatch.setenv("EARSHOT_PEOPLE", str(path))
    return path


def space() -> VoiceSpace:
    return voice_space(read_settings())


def voice(person: int, take: int = 0, likeness: float = 0.8) -> np.ndarray:
    """A vector of this person: two takes have about this cosine, two people about none."""
    own, noise = (np.random.default_rng(seed).standard_normal(space().dimension) for seed in (person, [person, take]))
    vector = own * likeness**0.5 + noise * (1 - likeness) ** 0.5
    return vector.astype(np.float32)


def speak(
    database: Database,
    video: str,
    speakers: Mapping[str, np.ndarray | None],
    of: VoiceSpace | None = None,
    clear_s: float = 30.0,
) -> None:
    """The video's local speakers and their centroids; each speaks a minute, one after another."""
    register(database, [Video(video, f"/{video}.wav", "/", video)])
    centroids = pd.Series(list(speakers.values()), dtype=object)
    rows = pd.DataFrame(
        {"local_speaker": list(speakers), "speech_s": 60.0, "turns": 1, "clear_s": clear_s, "centroid": centroids}
    ).assign(**(of or space()).columns)
    turns = pd.DataFrame({"turn_index": range(len(speakers)), "local_speaker": list(speakers), "overlap": False}).assign(
        start_s=[60.0 * index for index in range(len(speakers))]
    )
    database.replace(video, {"local_speakers": rows, "turns": turns.assign(end_s=turns.start_s + 60.0)})


rows = read_identities


def voices(database: Database) -> dict[str, int | None]:
    """The number of each speaker's voice, by "video speaker"."""
    return {" ".join(key): row.voice_id for key, row in sorted(rows(database).items())}


# --- a library -----------------------------------------------------------------------------------------------------------


def test_an_empty_library_has_nobody_in_it(database: Database) -> None:
    enrol(database, NAME, voice(1))
    assert identify(database) == Identified(0, 1, 0, 0, 0, 0, {}, 0, 0, 0, 0)
    assert rows(database) == {}


def test_a_voice_has_one_number_in_every_video_and_new_ones_are_counted_on(database: Database) -> None:
    speak(database, "a", {"S0": voice(1), "S1": voice(2)})
    speak(database, "b", {"S0": voice(3), "S1": voice(1, 5)})
    found = identify(database)
    numbers = voices(database)
    assert numbers["a S0"] == numbers["b S1"]
    assert len(set(numbers.values())) == 3
    assert sorted(filter(None, set(numbers.values()))) == [numbers["a S0"], numbers["a S1"], numbers["b S0"]]  # undated: by key
    assert (found.speakers, found.voices, found.recurring_voices, found.by_profile, found.unknown) == (4, 3, 1, 0, {})
    assert rows(database)["a", "S0"].score == pytest.approx(0.8, abs=0.1)
    assert rows(database)["a", "S1"].score is None


def test_numbers_follow_publication(database: Database) -> None:
    speak(database, "a", {"S0": voice(1)})
    speak(database, "b", {"S0": voice(2)})
    speak(database, "c", {"S0": voice(3)})
    database.query("UPDATE videos SET published_at = '2026-01-02' WHERE video_id = 'b'")
    database.query("UPDATE videos SET published_at = '2026-01-01' WHERE video_id = 'c'")
    identify(database)
    assert sorted(voices(database), key=lambda name: voices(database)[name] or 0) == ["c S0", "b S0", "a S0"]


def test_who_is_enrolled_is_named_in_every_video(database: Database) -> None:
    speak(database, "a", {"S0": voice(1), "S1": voice(2)})
    speak(database, "b", {"S0": voice(1, 5)})
    identify(database)
    anonymous = voices(database)
    person = enrol(database, NAME, voice(1, 9))
    found = identify(database)
    named = [rows(database)[key] for key in (("a", "S0"), ("b", "S0"))]
    assert [(row.person_id, row.voice_id, row.decided_by) for row in named] == [(person, None, "profile")] * 2
    assert all(row.score is not None and row.score > 0.5 and row.margin is None for row in named)
    assert voices(database)["a S1"] == anonymous["a S1"]
    assert (found.people, found.by_profile, found.voices) == (1, 2, 1)


def test_a_refused_enrolment_and_one_of_another_model_name_nobody(database: Database) -> None:
    speak(database, "a", {"S0": voice(1)})
    enrol(database, NAME, voice(1))
    database.query("UPDATE enrolment_judgements SET verdict = 'refused'")
    assert identify(database).by_profile == 0
    database.query("UPDATE enrolment_judgements SET verdict = 'good'")
    assert identify(database).by_profile == 1
    database.query("UPDATE enrolment_judgements SET model = 'another'; UPDATE enrolment_samples SET model = 'another'")
    found = identify(database)
    assert (found.by_profile, found.voices, found.judgements) == (0, 1, 1)  # its recording is not there to be judged anew


def test_a_correction_names_a_speaker_teaches_the_profile_and_is_taken_back(database: Database) -> None:
    speak(database, "a", {"S0": voice(1), "S1": voice(2)})
    identify(database)
    before = rows(database)
    person = add_person(database, NAME).person_id
    number = add_correction(database, CorrectionKind.IS, person, [CorrectedSpan("a", 60.0, 120.0)])
    assert identify(database).by_correction == 1
    assert (rows(database)["a", "S1"].person_id, rows(database)["a", "S1"].decided_by) == (person, "correction")
    assert rows(database)["a", "S0"] == before["a", "S0"]
    remove_correction(database, number)
    assert identify(database).by_correction == 0
    assert rows(database)["a", "S1"].person_id is None


def test_same_and_different_bind_the_voices(database: Database) -> None:
    for video, person in (("a", 1), ("b", 1), ("c", 2)):
        speak(database, video, {"S0": voice(person, ord(video))})
    identify(database)
    first = voices(database)
    add_correction(database, CorrectionKind.DIFFERENT, None, [CorrectedSpan("a", 0, 60)], [CorrectedSpan("b", 0, 60)])
    add_correction(database, CorrectionKind.SAME, None, [CorrectedSpan("a", 0, 60)], [CorrectedSpan("c", 0, 60)])
    assert identify(database).written == 3
    numbers = voices(database)
    assert numbers["a S0"] == numbers["c S0"] != numbers["b S0"]
    assert numbers["a S0"] == first["a S0"]
    assert identify(database, full=True).written == 0


def test_who_is_too_short_has_the_voice_that_a_correction_gives_it_also_the_next_time(database: Database) -> None:
    speak(database, "a", {"S0": voice(1)})
    speak(database, "b", {"S0": voice(2)}, clear_s=1.0)
    add_correction(database, CorrectionKind.SAME, None, [CorrectedSpan("a", 0, 60)], [CorrectedSpan("b", 0, 60)])
    found, again = identify(database), identify(database)
    assert (found.voices, found.recurring_voices, found.by_correction, found.unknown) == (1, 1, 0, {})
    assert (again.clustered, again.written) == (0, 0)
    assert [row.decided_by for _, row in sorted(rows(database).items())] == ["voice", "correction"]


# --- what changes --------------------------------------------------------------------------------------------------------


def test_a_second_run_clusters_nobody_and_writes_nothing(database: Database) -> None:
    speak(database, "a", {"S0": voice(1), "S1": voice(2)})
    speak(database, "b", {"S0": voice(1, 5)})
    first, again, full = identify(database), identify(database), identify(database, full=True)
    assert [(one.clustered, one.written) for one in (first, again, full)] == [(3, 3), (0, 0), (3, 0)]


def test_one_more_video_is_one_videos_work(database: Database) -> None:
    for video in range(20):
        speak(database, f"v{video:02d}", {"S0": voice(video % 4, video), "S1": voice(100 + video)})
    identify(database)
    before = rows(database)
    speak(database, "w", {"S0": voice(0, 99), "S1": voice(200)})
    found = identify(database)
    assert (found.speakers, found.clustered, found.voices) == (42, 7, 25)  # the two new ones, and five whose voice one is
    assert {key for key, row in rows(database).items() if row != before.get(key)} >= {("w", "S0"), ("w", "S1")}
    assert all(rows(database)[key] == before[key] for key in before if key[1] == "S1")
    assert identify(database, full=True).written == 0


def test_a_new_centroid_is_decided_anew_and_an_equal_one_only_noted(database: Database) -> None:
    speak(database, "a", {"S0": voice(1)})
    speak(database, "b", {"S0": voice(1, 5)})
    identify(database)
    before = rows(database)
    speak(database, "b", {"S0": voice(1, 5)})
    again = identify(database)
    assert (again.clustered, again.written) == (0, 1)
    assert rows(database)["b", "S0"].made_at > before["b", "S0"].made_at
    speak(database, "b", {"S0": voice(2)})
    assert identify(database).clustered == 2
    assert rows(database)["a", "S0"].score is None


def test_a_number_is_never_given_again(database: Database) -> None:
    speak(database, "a", {"S0": voice(1)})
    speak(database, "b", {"S0": voice(2)})
    identify(database)
    gone = voices(database)["b S0"]
    database.query("DELETE FROM videos WHERE video_id = 'b'")
    identify(database)
    speak(database, "c", {"S0": voice(3)})
    identify(database)
    assert gone is not None
    assert (voices(database)["c S0"] or 0) > gone


def test_speakers_that_a_new_diarization_did_not_find_again_are_gone(database: Database) -> None:
    speak(database, "a", {"S0": voice(1), "S1": voice(2)})
    identify(database)
    speak(database, "a", {"S0": voice(1)})
    assert identify(database).speakers == 1
    assert list(rows(database)) == [("a", "S0")]


def test_an_accepted_threshold_counts_from_the_next_run_on(database: Database) -> None:
    speak(database, "a", {"S0": voice(1)})
    speak(database, "b", {"S0": voice(1, 5)})
    assert identify(database).voices == 1
    accept_threshold(database, space(), 0.95, "this test")
    found = identify(database)
    assert (found.voices, found.clustered) == (2, 2)


TAKES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30)), min_size=1, max_size=3, unique=True)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from("abcdefgh"), TAKES, min_size=2), st.randoms(use_true_random=False))
def test_the_order_in_which_videos_came_does_not_matter(library: Database, videos: dict, random) -> None:
    given = {name: {f"S{i}": voice(who, take, 0.6) for i, (who, take) in enumerate(takes)} for name, takes in videos.items()}
    found = []
    for whole in (True, False):
        with library.connect() as connection:
            connection.execute("TRUNCATE videos, people, corrections CASCADE")
        enrol(library, NAME, voice(0, 50, 0.6))
        for name in sorted(given) if whole else random.sample(list(given), len(given)):
            speak(library, name, given[name])
            if not whole:
                identify(library)
        identify(library)
        found.append(rows(library))
    numbers = {(found[0][key].voice_id, found[1][key].voice_id) for key in found[0]}
    assert len(numbers) == len({one for one, _ in numbers}) == len({other for _, other in numbers})
    free = ("person_id", "voice_id", "made_at")
    for key in found[0]:
        one, other = ({name: value for name, value in asdict(rows_[key]).items() if name not in free} for rows_ in found)
        assert one == other
        assert (found[0][key].person_id is None) == (found[1][key].person_id is None)


# --- what cannot be told -------------------------------------------------------------------------------------------------


def test_a_voice_of_another_model_is_unknown_names_it_and_is_never_compared(database: Database) -> None:
    other = VoiceSpace("old-model", "rev-9", "whole", space().dimension)
    speak(database, "a", {"S0": voice(1)}, of=other)
    speak(database, "b", {"S0": voice(1)}, of=VoiceSpace(space().model, space().model_revision, "", space().dimension))
    speak(database, "c", {"S0": voice(1)})
    person = enrol(database, NAME, voice(1))
    found = identify(database)
    of_others = [rows(database)["a", "S0"], rows(database)["b", "S0"]]
    assert {(row.person_id, row.voice_id, row.score, row.decided_by) for row in of_others} == {(None, None, None, "nothing")}
    assert "old-model rev-9 (whole)" in of_others[0].reason
    assert "(an older preparation)" in of_others[1].reason
    assert all("earshot ingest" in row.reason and "voice_embeddings" in row.reason for row in of_others)
    assert rows(database)["c", "S0"].person_id == person
    assert (found.of_another_model, found.unknown) == (2, {"other model": 2})


def test_no_vector_one_of_zeros_one_too_long_and_one_of_a_moment_are_unknown(database: Database) -> None:
    speak(database, "a", {"S0": None, "S1": np.zeros(space().dimension, np.float32), "S2": np.ones(3, np.float32)})
    speak(database, "b", {"S0": voice(1)}, clear_s=1.9)
    speak(database, "c", {"S0": voice(1)})
    enrol(database, NAME, voice(1))
    found = identify(database)
    assert (found.by_profile, found.voices, found.unknown) == (1, 0, {"no vector": 3, "too short": 1})
    assert "3 values instead of 192" in rows(database)["a", "S2"].reason


def test_vectors_are_read_as_they_were_written(database: Database) -> None:
    speak(database, "b", {"S1": voice(2), "S0": voice(1)})
    speak(database, "a", {"S0": None})
    found = read_speakers(database, space())
    assert found.keys == [("a", "S0"), ("b", "S0"), ("b", "S1")]
    assert found.vectors.dtype == np.float32
    np.testing.assert_array_equal(found.vectors, np.stack([np.zeros_like(voice(1)), voice(1), voice(2)]))


# --- failures ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["assign", "write_segment_overrides", "write_identities"])
def test_a_failure_after_any_step_leaves_every_row_as_it_was(
    database: Database, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    speak(database, "a", {"S0": voice(1)})
    identify(database)
    before, numbers = rows(database), database.query("SELECT * FROM voices")
    speak(database, "b", {"S0": voice(1, 5), "S1": voice(2)})
    taken = getattr(identification, step)
    monkeypatch.setattr(identification, step, lambda *arguments: (taken(*arguments), 1 / 0))
    with pytest.raises(ZeroDivisionError):
        identify(database)
    assert rows(database) == before
    assert database.query("SELECT * FROM voices") == numbers


def test_a_people_file_that_is_wrong_changes_nobody(database: Database, people_file: Path) -> None:
    speak(database, "a", {"S0": voice(1)})
    identify(database)
    before = rows(database)
    people_file.write_text(f'people:\n  - name: "{NAME}"\n    nmae: x\n')
    with pytest.raises(Misconfigured):
        identify(database)
    assert rows(database) == before


def test_a_video_that_goes_while_it_is_decided_is_left_out(database: Database) -> None:
    speak(database, "a", {"S0": voice(1)})
    speak(database, "b", {"S0": voice(2)})
    identify(database)
    after = rows(database)
    database.query("DELETE FROM videos WHERE video_id = 'b'")
    database.query("DELETE FROM identities")
    with database.connect() as connection:
        write_identities(connection, {}, after)
    assert rows(database) == {("a", "S0"): after["a", "S0"]}


def test_segments_of_a_video_or_a_person_deleted_meanwhile_are_left_out(database: Database) -> None:
    speak(database, "a", {"S0": voice(1)})
    person = add_person(database, NAME).person_id
    with database.connect() as connection:
        write_segment_overrides(connection, [("a", 0.0, 1.0, person), ("a", 2.0, 3.0, person + 1), ("gone", 0.0, 1.0, person)])
    assert database.query("SELECT video_id, start_s FROM segment_overrides") == [{"video_id": "a", "start_s": 0.0}]


# --- what is read --------------------------------------------------------------------------------------------------------

READ = (
    "corrections", "corrected_spans", "turns", "exclusive_turns", "words", "voice_embeddings", "enrolment_samples",
    "local_speakers", "identities", "former_voices", "voice_thresholds",
)  # fmt: skip


def test_each_table_is_read_by_one_statement_of_one_snapshot(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[str, int, bool]] = []

    def record(kind: Any) -> None:
        execute = kind.execute

        def recorded(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
            text = query.as_string() if isinstance(query, sql.Composable) else str(query)
            if text.lstrip().startswith("SELECT"):
                read.append((text, id(self.connection), bool(self.connection.read_only)))
            return execute(self, query, *arguments, **options)

        monkeypatch.setattr(kind, "execute", recorded)

    for video in ("a", "b"):
        speak(database, video, {"S0": voice(1), "S1": voice(2)})
    person = enrol(database, NAME, voice(1))
    add_correction(database, CorrectionKind.IS, person, [CorrectedSpan("a", 60.0, 120.0), CorrectedSpan("b", 60.0, 70.0)])
    record(psycopg.Cursor)
    record(psycopg.ServerCursor)
    assert identify(database).by_correction == 1
    assert database.query("SELECT video_id FROM segment_overrides") == [{"video_id": "b"}]
    for table in READ:
        [(_, connection, read_only)] = [each for each in read if re.search(rf"FROM {table}\b", each[0])]
        assert read_only
        assert connection == next(each[1] for each in read if each[2])
    assert sum(read_only for *_, read_only in read) == len(READ)


# --- the asset -----------------------------------------------------------------------------------------------------------


def _run(instance: DagsterInstance, **tags: str) -> ExecuteInProcessResult:
    job = defs.resolve_job_def("identify_people")
    return job.execute_in_process(instance=instance, raise_on_error=False, tags={FORCE_TAG: "true"} if tags else {})


def test_the_asset_tells_counts_as_floats_and_no_name(database: Database, instance: DagsterInstance) -> None:
    speak(database, "a", {"S0": voice(1), "S1": voice(2)}, clear_s=30.0)
    speak(database, "b", {"S0": voice(3)}, clear_s=1.0)
    enrol(database, NAME, voice(1))
    first, forced = _run(instance), _run(instance, forced="yes")
    [event] = first.asset_materializations_for_node("people")
    figures: dict[str, Any] = {key: value.value for key, value in event.metadata.items()}
    assert all(isinstance(value, float) for value in figures.values())
    told = {key: figures[key] for key in ("speakers", "by_profile", "voices", "unknown", "unknown_too_short", "clustered")}
    assert told == {"speakers": 3, "by_profile": 1, "voices": 1, "unknown": 1, "unknown_too_short": 1, "clustered": 1}
    assert figures["wall_s"] > 0
    [again] = forced.asset_materializations_for_node("people")
    assert (again.metadata["clustered"].value, again.metadata["written"].value) == (1.0, 0.0)
    assert NAME not in "".join(str(entry) for run in (first, forced) for entry in instance.all_logs(run.run_id))


def test_a_failing_asset_writes_no_name_into_the_log(database: Database, instance: DagsterInstance, people_file: Path) -> None:
    people_file.write_text(f'people:\n  - name: Anna\n    samples: "{NAME}"\n')
    with pytest.raises(Misconfigured, match="Żaneta"):
        identify(database)
    run = _run(instance)
    logged = "".join(entry.to_json() if hasattr(entry, "to_json") else str(entry) for entry in instance.all_logs(run.run_id))
    assert not run.success
    assert "earshot people list" in logged
    assert "Brien" not in logged
