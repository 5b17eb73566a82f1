"""Identification of all speakers in a real database, from made-up vectors."""

import re
from collections.abc import Mapping
from dataclasses import asdict, replace
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
from earshot.speakers.tables.voice_space import VoiceSpace, voice_space
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from ingest_assets.definitions import defs
from ingest_assets.stages.stage import FORCE_TAG
from tests.support.videos.voice_videos import enrol

NAME = "Żaneta O'Brien 🎙"


@pytest.fixture(autouse=True)
def people_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a people.yaml that does not exist yet."""
    monkeypatch.setenv("EARSHOT_PEOPLE", str(tmp_path / "people.yaml"))
    return tmp_path / "people.yaml"


def space() -> VoiceSpace:
    return voice_space(read_settings())


def voice(person: int, take: int = 0, likeness: float = 0.8) -> np.ndarray:
    """A vector of this person: about `likeness` is the cosine of two takes, about 0 that of two people."""
    own, noise = (np.random.default_rng(seed).standard_normal(space().dimension) for seed in (person, [person, take]))
    vector = own * likeness**0.5 + noise * (1 - likeness) ** 0.5
    return vector.astype(np.float32)


def speak(
    database: Database,
    video: str,
    speakers: Mapping[str, np.ndarray | None],
    vector_space: VoiceSpace | None = None,
    clear_s: float = 30.0,
) -> None:
    """A video whose local speakers have these centroids and speak for a minute each, one after another."""
    register(database, [Video(video, f"/{video}.wav", "/", video)])
    centroids = pd.Series(list(speakers.values()), dtype=object)
    rows = pd.DataFrame(
        {"local_speaker": list(speakers), "speech_s": 60.0, "turns": 1, "clear_s": clear_s, "centroid": centroids}
    ).assign(**(vector_space or space()).columns)
    turns = pd.DataFrame({"turn_index": range(len(speakers)), "local_speaker": list(speakers), "overlap": False}).assign(
        start_s=[60.0 * index for index in range(len(speakers))]
    )
    database.replace(video, {"local_speakers": rows, "turns": turns.assign(end_s=turns.start_s + 60.0)})


rows = read_identities


def voices(database: Database) -> dict[str, int | None]:
    """The number of each speaker's voice, by "video speaker"."""
    return {" ".join(key): row.voice_id for key, row in sorted(rows(database).items())}


# --- a library -----------------------------------------------------------------------------------------------------------


def test_empty_library_has_no_speakers(database: Database) -> None:
    enrol(database, NAME, voice(1))
    assert identify(database) == Identified(0, 1, 0, 0, 0, 0, {}, 0, 0, 0)
    assert rows(database) == {}


def test_voice_has_one_number_in_all_videos(database: Database) -> None:
    speak(database, "a", {"S0": voice(1), "S1": voice(2)})
    speak(database, "b", {"S0": voice(3), "S1": voice(1, 5)})
    summary = identify(database)
    numbers = voices(database)
    assert numbers["a S0"] == numbers["b S1"]
    assert len(set(numbers.values())) == 3
    assert sorted(filter(None, set(numbers.values()))) == [numbers["a S0"], numbers["a S1"], numbers["b S0"]]  # undated: by key
    assert (summary.speakers, summary.voices, summary.recurring_voices, summary.by_profile, summary.unknown) == (4, 3, 1, 0, {})
    assert rows(database)["a", "S0"].score == pytest.approx(0.8, abs=0.1)
    assert rows(database)["a", "S1"].score is None


def test_voice_numbers_follow_publication(database: Database) -> None:
    speak(database, "a", {"S0": voice(1)})
    speak(database, "b", {"S0": voice(2)})
    speak(database, "c", {"S0": voice(3)})
    database.query("UPDATE videos SET published_at = '2026-01-02' WHERE video_id = 'b'")
    database.query("UPDATE videos SET published_at = '2026-01-01' WHERE video_id = 'c'")
    identify(database)
    assert sorted(voices(database), key=lambda name: voices(database)[name] or 0) == ["c S0", "b S0", "a S0"]


def test_enrolled_person_is_named_in_all_videos(database: Database) -> None:
    speak(database, "a", {"S0": voice(1), "S1": voice(2)})
    speak(database, "b", {"S0": voice(1, 5)})
    identify(database)
    anonymous = voices(database)
    person = enrol(database, NAME, voice(1, 9))
    summary = identify(database)
    named = [rows(database)[key] for key in (("a", "S0"), ("b", "S0"))]
    assert [(row.person_id, row.voice_id, row.decided_by) for row in named] == [(person, None, "profile")] * 2
    assert all(row.score is not None and row.score > 0.5 and row.margin is None for row in named)
    assert voices(database)["a S1"] == anonymous["a S1"]
    assert (summary.people, summary.by_profile, summary.voices) == (1, 2, 1)


def test_refused_or_foreign_enrolment_names_no_one(database: Database) -> None:
    speak(database, "a", {"S0": voice(1)})
    enrol(database, NAME, voice(1))
    database.query("UPDATE enrolment_judgements SET verdict = 'refused'")
    assert identify(database).by_profile == 0
    database.query("UPDATE enrolment_judgements SET verdict = 'good'")
    assert identify(database).by_profile == 1
    database.query("UPDATE enrolment_judgements SET model = 'another'; UPDATE enrolment_samples SET model = 'another'")
    summary = identify(database)
    assert (summary.by_profile, summary.voices) == (0, 1)


def test_correction_names_a_speaker_until_removed(database: Database) -> None:
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


def test_same_and_different_change_voices(database: Database) -> None:
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


def test_short_speaker_keeps_its_corrected_voice(database: Database) -> None:
    speak(database, "a", {"S0": voice(1)})
    speak(database, "b", {"S0": voice(2)}, clear_s=1.0)
    add_correction(database, CorrectionKind.SAME, None, [CorrectedSpan("a", 0, 60)], [CorrectedSpan("b", 0, 60)])
    summary, again = identify(database), identify(database)
    assert (summary.voices, summary.recurring_voices, summary.by_correction, summary.unknown) == (1, 1, 0, {})
    assert (again.clustered, again.written) == (0, 0)
    assert [row.decided_by for _, row in sorted(rows(database).items())] == ["voice", "correction"]


# --- changes -------------------------------------------------------------------------------------------------------------


def test_second_run_writes_nothing(database: Database) -> None:
    speak(database, "a", {"S0": voice(1), "S1": voice(2)})
    speak(database, "b", {"S0": voice(1, 5)})
    first, again, full = identify(database), identify(database), identify(database, full=True)
    assert [(summary.clustered, summary.written) for summary in (first, again, full)] == [(3, 3), (0, 0), (3, 0)]


def test_new_video_clusters_only_its_voices(database: Database) -> None:
    for video in range(20):
        speak(database, f"v{video:02d}", {"S0": voice(video % 4, video), "S1": voice(100 + video)})
    identify(database)
    before = rows(database)
    speak(database, "w", {"S0": voice(0, 99), "S1": voice(200)})
    summary = identify(database)
    # Clustered are the two new speakers and the five of a known voice.
    assert (summary.speakers, summary.clustered, summary.voices) == (42, 7, 25)
    assert {key for key, row in rows(database).items() if row != before.get(key)} >= {("w", "S0"), ("w", "S1")}
    assert all(rows(database)[key] == before[key] for key in before if key[1] == "S1")
    assert identify(database, full=True).written == 0


def test_only_a_changed_centroid_is_clustered_again(database: Database) -> None:
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


def test_voice_numbers_are_never_reused(database: Database) -> None:
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


def test_speakers_missing_from_new_diarization_are_deleted(database: Database) -> None:
    speak(database, "a", {"S0": voice(1), "S1": voice(2)})
    identify(database)
    speak(database, "a", {"S0": voice(1)})
    assert identify(database).speakers == 1
    assert list(rows(database)) == [("a", "S0")]


TAKES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30)), min_size=1, max_size=3, unique=True)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from("abcdefgh"), TAKES, min_size=2), st.randoms(use_true_random=False))
def test_order_of_videos_does_not_matter(library: Database, videos: dict, random) -> None:
    vectors = {name: {f"S{i}": voice(who, take, 0.6) for i, (who, take) in enumerate(takes)} for name, takes in videos.items()}
    results = []
    for at_once in (True, False):
        with library.connect() as connection:
            connection.execute("TRUNCATE videos, people, corrections CASCADE")
        enrol(library, NAME, voice(0, 50, 0.6))
        for name in sorted(vectors) if at_once else random.sample(list(vectors), len(vectors)):
            speak(library, name, vectors[name])
            if not at_once:
                identify(library)
        identify(library)
        results.append(rows(library))
    numbers = {(results[0][key].voice_id, results[1][key].voice_id) for key in results[0]}
    assert len(numbers) == len({first for first, _ in numbers}) == len({second for _, second in numbers})
    free = ("person_id", "voice_id", "made_at")
    for key in results[0]:
        first, second = ({name: value for name, value in asdict(rows_[key]).items() if name not in free} for rows_ in results)
        assert first == second
        assert (results[0][key].person_id is None) == (results[1][key].person_id is None)


# --- unknown speakers ----------------------------------------------------------------------------------------------------


def test_vector_of_another_model_is_unknown(database: Database) -> None:
    other_model = VoiceSpace("old-model", "rev-9", "whole", space().dimension)
    speak(database, "a", {"S0": voice(1)}, vector_space=other_model)
    speak(database, "b", {"S0": voice(1)}, vector_space=replace(space(), preparation=""))
    speak(database, "c", {"S0": voice(1)})
    person = enrol(database, NAME, voice(1))
    summary = identify(database)
    foreign = [rows(database)["a", "S0"], rows(database)["b", "S0"]]
    assert {(row.person_id, row.voice_id, row.score, row.decided_by) for row in foreign} == {(None, None, None, "nothing")}
    assert "old-model rev-9 (whole)" in foreign[0].reason
    assert "(an older preparation)" in foreign[1].reason
    assert all("earshot ingest" in row.reason and "voice_embeddings" in row.reason for row in foreign)
    assert rows(database)["c", "S0"].person_id == person
    assert (summary.of_another_model, summary.unknown) == (2, {"other model": 2})


def test_unusable_vectors_are_unknown(database: Database) -> None:
    speak(database, "a", {"S0": None, "S1": np.zeros(space().dimension, np.float32), "S2": np.ones(3, np.float32)})
    speak(database, "b", {"S0": voice(1)}, clear_s=1.9)
    speak(database, "c", {"S0": voice(1)})
    enrol(database, NAME, voice(1))
    summary = identify(database)
    assert (summary.by_profile, summary.voices, summary.unknown) == (1, 0, {"no vector": 3, "too short": 1})
    assert "3 values instead of 192" in rows(database)["a", "S2"].reason


def test_speaker_of_two_voices_is_unknown_until_corrected(database: Database) -> None:
    for video in "abc":
        speak(database, video, {"S0": voice(1), "S1": voice(2)})
    person = enrol(database, NAME, voice(1))
    database.query("UPDATE local_speakers SET two_voices = true WHERE video_id = 'a'")
    summary = identify(database)
    assert (summary.by_profile, summary.voices, summary.recurring_voices, summary.unknown) == (2, 1, 1, {"ambiguous": 2})
    assert rows(database)["a", "S0"].reason == "ambiguous: two voices are heard in it"
    add_correction(database, CorrectionKind.IS, person, [CorrectedSpan("a", 0.0, 60.0)])
    identify(database)
    assert rows(database)["a", "S0"].person_id == person


def test_vectors_are_read_as_written(database: Database) -> None:
    speak(database, "b", {"S1": voice(2), "S0": voice(1)})
    speak(database, "a", {"S0": None})
    speakers = read_speakers(database, space())
    assert speakers.keys == [("a", "S0"), ("b", "S0"), ("b", "S1")]
    assert speakers.vectors.dtype == np.float32
    np.testing.assert_array_equal(speakers.vectors, np.stack([np.zeros_like(voice(1)), voice(1), voice(2)]))


# --- failures ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["assign", "write_segment_overrides", "write_identities"])
def test_failure_changes_no_row(database: Database, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    speak(database, "a", {"S0": voice(1)})
    identify(database)
    before, numbers = rows(database), database.query("SELECT * FROM voices")
    speak(database, "b", {"S0": voice(1, 5), "S1": voice(2)})
    step_function = getattr(identification, step)
    monkeypatch.setattr(identification, step, lambda *arguments: (step_function(*arguments), 1 / 0))
    with pytest.raises(ZeroDivisionError):
        identify(database)
    assert rows(database) == before
    assert database.query("SELECT * FROM voices") == numbers


def test_video_deleted_meanwhile_is_left_out(database: Database) -> None:
    speak(database, "a", {"S0": voice(1)})
    speak(database, "b", {"S0": voice(2)})
    identify(database)
    after = rows(database)
    database.query("DELETE FROM videos WHERE video_id = 'b'")
    database.query("DELETE FROM identities")
    with database.connect() as connection:
        write_identities(connection, {}, after)
    assert rows(database) == {("a", "S0"): after["a", "S0"]}


def test_overrides_of_deleted_video_or_person_are_left_out(database: Database) -> None:
    speak(database, "a", {"S0": voice(1)})
    person = add_person(database, NAME).person_id
    with database.connect() as connection:
        write_segment_overrides(connection, [("a", 0.0, 1.0, person), ("a", 2.0, 3.0, person + 1), ("gone", 0.0, 1.0, person)])
    assert database.query("SELECT video_id, start_s FROM segment_overrides") == [{"video_id": "a", "start_s": 0.0}]


# --- reads ---------------------------------------------------------------------------------------------------------------

TABLES = (
    "corrections", "corrected_spans", "turns", "exclusive_turns", "words", "voice_embeddings", "enrolment_samples",
    "local_speakers", "identities", "former_voices", "voice_thresholds",
)  # fmt: skip


def test_each_table_is_read_once_in_one_snapshot(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[tuple[str, int, bool]] = []

    def record(kind: Any) -> None:
        execute = kind.execute

        def recorded(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
            text = query.as_string() if isinstance(query, sql.Composable) else str(query)
            if text.lstrip().startswith("SELECT"):
                reads.append((text, id(self.connection), bool(self.connection.read_only)))
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
    for table in TABLES:
        [(_, connection, read_only)] = [statement for statement in reads if re.search(rf"FROM {table}\b", statement[0])]
        assert read_only
        assert connection == next(statement[1] for statement in reads if statement[2])
    assert sum(read_only for *_, read_only in reads) == len(TABLES)


# --- the asset -----------------------------------------------------------------------------------------------------------


def _run(instance: DagsterInstance, **tags: str) -> ExecuteInProcessResult:
    job = defs.resolve_job_def("identify_people")
    return job.execute_in_process(instance=instance, raise_on_error=False, tags={FORCE_TAG: "true"} if tags else {})


def test_asset_reports_counts_without_names(database: Database, instance: DagsterInstance) -> None:
    speak(database, "a", {"S0": voice(1), "S1": voice(2)}, clear_s=30.0)
    speak(database, "b", {"S0": voice(3)}, clear_s=1.0)
    enrol(database, NAME, voice(1))
    first, forced = _run(instance), _run(instance, forced="yes")
    [event] = first.asset_materializations_for_node("people")
    figures: dict[str, Any] = {key: value.value for key, value in event.metadata.items()}
    assert str(figures.pop("excerpt")).startswith("- **1** of 3 speakers recognised (1 by voice, 0 by correction)")
    assert {key for key, value in figures.items() if isinstance(value, float)} == {"wall_s", "cpu_s"}
    assert figures["dagster/row_count"] == 3
    counts = {key: figures[key] for key in ("speakers", "by_profile", "voices", "unknown", "unknown_too_short", "clustered")}
    assert counts == {"speakers": 3, "by_profile": 1, "voices": 1, "unknown": 1, "unknown_too_short": 1, "clustered": 1}
    assert figures["wall_s"] > 0
    [again] = forced.asset_materializations_for_node("people")
    assert (again.metadata["clustered"].value, again.metadata["written"].value) == (1, 0)
    assert NAME not in "".join(str(entry) for run in (first, forced) for entry in instance.all_logs(run.run_id))


def test_failing_asset_logs_no_name(database: Database, instance: DagsterInstance, people_file: Path) -> None:
    people_file.write_text(f'people:\n  - name: Anna\n    samples: "{NAME}"\n')
    with pytest.raises(Misconfigured, match="Żaneta"):
        identify(database)
    run = _run(instance)
    logged = "".join(entry.to_json() if hasattr(entry, "to_json") else str(entry) for entry in instance.all_logs(run.run_id))
    assert not run.success
    assert "earshot people list" in logged
    assert "Brien" not in logged
