"""Calibration: which pairs tell something, what threshold follows from them, and the command that shows and accepts it."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earshot.cli import main
from earshot.config.settings import read_settings
from earshot.models.registry import model_set
from earshot.speakers.corrections.constraints import IdentityConstraints
from earshot.speakers.people.calibration_data import known_identities, read_calibration_data
from earshot.speakers.people.identify import identify
from earshot.speakers.tables.corrections import CorrectedSpan, CorrectionKind, add_correction
from earshot.speakers.tables.people import add_person
from earshot.speakers.tables.voice_space import VoiceSpace, accept_threshold, thresholds, voice_space
from earshot.speakers.voices.calibration import (
    ACROSS,
    COLUMNS,
    HALVES,
    NAMED,
    ONE_VIDEO,
    STEP,
    CalibrationSpeaker,
    TooFewPairs,
    calibrate,
    equal_error_rate,
    false_accepts,
    nearest,
    pairs_of,
    threshold_for,
)
from earshot.speakers.voices.enrolment_quality import Verdict
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from tests.support.voice_videos import enrol

DIMENSION = 192
DEFAULT = model_set(read_settings()).voice.thresholds


def vectors(person: int, turns: int, seed: int, likeness: float = 0.8) -> np.ndarray:
    """Turns of one person: their cosine to each other is about `likeness`, that of two people about 0."""
    own = np.random.default_rng(person).standard_normal(DIMENSION) / np.sqrt(DIMENSION)
    noise = np.random.default_rng([person, seed]).standard_normal((turns, DIMENSION)) / np.sqrt(DIMENSION)
    mixed = own * likeness**0.5 + noise * (1 - likeness) ** 0.5
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)


def speaker(
    recording: str, name: str, person: int | None = None, voice: int = 1, seconds: float = 8.0, **more: Any
) -> CalibrationSpeaker:
    turns = vectors(voice, 4, seed=abs(hash((recording, name))) % 1000)
    return CalibrationSpeaker(recording, name, person, turns, np.full(4, seconds / 4), **more)


def kinds(speakers: list[CalibrationSpeaker]) -> list[tuple[str, int, int]]:
    return list(pairs_of(speakers)[["kind", "first", "second"]].itertuples(index=False, name=None))


def as_pairs(one_person: list[float], two_people: list[float]) -> pd.DataFrame:
    rows = [(HALVES, score, 0, 0) for score in one_person] + [(ONE_VIDEO, score, 0, 1) for score in two_people]
    return pd.DataFrame(rows, columns=COLUMNS)


# --- pairs ---------------------------------------------------------------------------------------------------------------


def test_every_pair_of_whom_it_is_known_is_made_once_and_no_other() -> None:
    speakers = [
        speaker("a", "S0", person=1),
        speaker("a", "S1", person=2, voice=2),
        speaker("a", "S2", voice=3),
        speaker("b", "S0", person=1),
        speaker("b", "S1", voice=3),
    ]
    assert sorted(kinds(speakers)) == sorted(
        [
            *[(HALVES, place, place) for place in range(5)],
            *[(ONE_VIDEO, 0, 1), (ONE_VIDEO, 0, 2), (ONE_VIDEO, 1, 2), (ONE_VIDEO, 3, 4)],
            (ACROSS, 0, 3),
            (NAMED, 1, 3),
        ]
    )


def test_halves_are_disjoint_and_each_is_long_enough_to_tell() -> None:
    turns = np.eye(4, DIMENSION, dtype=np.float32)
    uneven = CalibrationSpeaker("a", "S0", None, turns, np.array([5.0, 1.0, 1.0, 1.0]))
    [row] = pairs_of([uneven]).itertuples()
    assert row.kind == HALVES
    assert row.score == pytest.approx(0.0)  # what is shared by both halves would show
    assert kinds([CalibrationSpeaker("a", "S0", None, turns, np.array([6.5, 0.5, 0.5, 0.5]))]) == []
    assert kinds([CalibrationSpeaker("a", "S0", None, turns[:1], np.array([60.0]))]) == []


def test_a_half_weighs_its_turns_by_their_seconds() -> None:
    turns = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], dtype=np.float32)
    [row] = pairs_of([CalibrationSpeaker("a", "S0", None, turns, np.array([4.0, 1.0, 5.0]))]).itertuples()
    assert row.score == pytest.approx(4.0 / np.sqrt(17.0))


def test_who_speaks_less_than_two_seconds_makes_no_pair() -> None:
    assert kinds([speaker("a", "S0", person=1, seconds=1.9), speaker("a", "S1"), speaker("b", "S0", person=1)]) == [
        (HALVES, 1, 1), (HALVES, 2, 2),
    ]  # fmt: skip


def test_two_speakers_of_one_video_that_a_correction_says_are_one_are_no_pair_of_two_people() -> None:
    for person in (5, -1):
        found = kinds([speaker("a", "S0", person=person), speaker("a", "S1", person=person)])
        assert {kind for kind, _, _ in found} == {HALVES}


def test_who_is_one_with_others_but_not_named_is_never_held_to_be_somebody_else_of_another_video() -> None:
    speakers = [speaker("a", "S0", person=-1), speaker("b", "S0", person=-1), speaker("c", "S0", person=3)]
    assert [pair for pair in kinds(speakers) if pair[0] != HALVES] == [(ACROSS, 0, 1)]


def test_an_enrolment_is_compared_with_other_recordings_only() -> None:
    speakers = [
        speaker("a", "S0", person=1),
        speaker("a", "enrolment 1", person=1, enrolled=True),
        speaker("/file", "enrolment 2", person=2, voice=2, enrolled=True),
        speaker("/file", "enrolment 3", person=2, voice=2, enrolled=True),
    ]
    assert kinds(speakers) == [(HALVES, 0, 0), (NAMED, 0, 2), (NAMED, 0, 3), (NAMED, 1, 2), (NAMED, 1, 3)]


def test_people_are_those_that_corrections_name_and_a_number_of_their_own_for_who_is_only_said_to_be_one() -> None:
    a, b, c, d, e = [(video, "S0") for video in "abcde"]
    rulings = IdentityConstraints({d: 9, e: 9}, {}, frozenset({(a, b), (b, c), (d, e)}), frozenset(), {})
    said = known_identities(rulings)
    assert (said[d], said[e]) == (9, 9)
    assert said[a] == said[b] == said[c] < 0


# --- thresholds ----------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.floats(-1.0, 1.0), min_size=10, max_size=300),
    st.sampled_from([0.5, 0.2, 0.1]),
)
def test_the_threshold_is_the_lowest_step_that_keeps_the_rate(scores: list[float], rate: float) -> None:
    two_people = np.sort(np.array(scores))
    threshold = threshold_for(two_people, rate)
    assert false_accepts(two_people, threshold) <= rate + 1e-9
    assert false_accepts(two_people, threshold - STEP - 1e-9) > rate
    assert threshold == pytest.approx(round(threshold / STEP) * STEP, abs=1e-12)


def test_the_equal_error_rate_is_where_the_errors_cross() -> None:
    one_person, two_people = np.linspace(0.5, 0.9, 401), np.linspace(0.2, 0.6, 401)  # overlap: a quarter of each
    rate, threshold = equal_error_rate(one_person, two_people)
    assert rate == pytest.approx(0.125, abs=0.01)
    assert threshold == pytest.approx(0.55, abs=0.01)


def test_without_overlap_the_equal_error_rate_is_nothing() -> None:
    found = calibrate(as_pairs([0.8, 0.9], [0.1] * 100), 0.01)
    assert (found.eer, found.false_rejects, found.one_person, found.two_people) == (0.0, 0.0, 2, 100)


def test_without_a_pair_of_one_person_there_is_a_threshold_and_no_equal_error_rate() -> None:
    found = calibrate(as_pairs([], [0.1] * 99 + [0.4]), 0.01)
    assert (found.threshold, found.eer, found.false_rejects) == (0.1001, None, None)


def test_a_rate_that_the_pairs_cannot_tell_is_refused_and_the_one_named_is_possible() -> None:
    pairs = as_pairs([0.9], np.linspace(0.0, 0.4, 37).tolist())
    with pytest.raises(TooFewPairs, match=r"0\.01 takes 100 pairs of two people, and this library has 37") as refused:
        calibrate(pairs, 0.01)
    lowest = float(str(refused.value).split("--false-accepts ")[1].split(". ")[0])
    assert lowest == pytest.approx(1 / 37, abs=0.001)
    assert calibrate(pairs, lowest).false_accepts <= lowest


def test_few_false_accepts_are_called_rough() -> None:
    scores = np.linspace(0.0, 0.5, 1000).tolist()
    assert calibrate(as_pairs([0.9], scores), 0.01).low_confidence
    assert not calibrate(as_pairs([0.9], scores), 0.05).low_confidence


def test_the_pairs_to_be_looked_at_are_those_of_two_people_that_pass_the_highest_first() -> None:
    found = nearest(as_pairs([0.9], [0.2, 0.7, 0.5, 0.8]), 0.5)
    assert found.score.tolist() == [0.8, 0.7, 0.5]


# --- from the library ----------------------------------------------------------------------------------------------------


def add_video(
    database: Database, space: VoiceSpace, video_id: str, voices: list[int], seed: int, likeness: float = 0.8
) -> None:
    """A video whose local speakers S0, S1, ... are these voices, four turns of two seconds each."""
    register(database, [Video(video_id, f"/{video_id}", "test", video_id)])
    rows = [(f"S{place}", turn) for turn in range(4) for place in range(len(voices))]
    made = {f"S{place}": vectors(voice, 4, seed, likeness) for place, voice in enumerate(voices)}
    turns = pd.DataFrame(
        {
            "turn_index": range(len(rows)),
            "start_s": [2.5 * place for place in range(len(rows))],
            "end_s": [2.5 * place + 2.0 for place in range(len(rows))],
            "local_speaker": [name for name, _ in rows],
            "overlap": False,
        }
    )
    embedded = np.stack([made[name][turn] for name, turn in rows])
    per_turn = pd.DataFrame(
        {
            "turn_index": turns.turn_index,
            "audio_sha256": video_id,
            "first_sample": (turns.start_s * 16000).astype(int),
            "last_sample": (turns.end_s * 16000).astype(int),
            "embedding": list(embedded),
            "condition": "clear",
        }
    ).assign(**space.columns)
    speakers = pd.DataFrame(
        {
            "local_speaker": list(made),
            "speech_s": 8.0,
            "clear_s": 8.0,
            "turns": 4,
            "centroid": [own.mean(axis=0) / np.linalg.norm(own.mean(axis=0)) for own in made.values()],
        }
    ).assign(**space.columns)
    database.replace(video_id, {"turns": turns, "voice_embeddings": per_turn, "local_speakers": speakers})


def spans_of(database: Database, video_id: str, name: str) -> list[CorrectedSpan]:
    rows = database.query(
        "SELECT start_s, end_s FROM turns WHERE video_id = %s AND local_speaker = %s ORDER BY turn_index", [video_id, name]
    )
    return [CorrectedSpan(video_id, row["start_s"], row["end_s"]) for row in rows]


@pytest.fixture
def space() -> VoiceSpace:
    return voice_space(read_settings())


@pytest.fixture
def filled(database: Database, space: VoiceSpace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Database:
    """Ten videos of five speakers: 100 pairs of two people. Voice 1 speaks in all of them."""
    monkeypatch.setenv("EARSHOT_PEOPLE", str(tmp_path / "people.yaml"))
    for video in range(10):
        add_video(database, space, f"v{video}", [1, *range(10 * video + 2, 10 * video + 6)], seed=video)
    return database


def test_speakers_are_read_with_their_clear_turns_in_order_of_time(filled: Database, space: VoiceSpace) -> None:
    filled.query("UPDATE voice_embeddings SET condition = 'overlapped' WHERE video_id = 'v3' AND turn_index = 0")
    material = read_calibration_data(filled, space)
    assert (len(material.speakers), material.videos, material.videos_read, material.other_spaces) == (50, 10, 10, 0)
    first = next(found for found in material.speakers if (found.recording, found.name) == ("v3", "S0"))
    assert first.vectors == pytest.approx(vectors(1, 4, seed=3)[1:], abs=1e-6)
    assert first.seconds.tolist() == [2.0] * 3


def test_vectors_of_another_voice_space_are_left_out_and_told(filled: Database, space: VoiceSpace) -> None:
    for column, video in (("model", "v1"), ("model_revision", "v2"), ("preparation", "v3")):
        for table in ("voice_embeddings", "local_speakers"):
            filled.query(f"UPDATE {table} SET {column} = 'older' WHERE video_id = %s", [video])  # noqa: S608
    material = read_calibration_data(filled, space)
    assert material.other_spaces == 3
    assert {found.recording for found in material.speakers}.isdisjoint({"v1", "v2", "v3"})


def test_corrections_make_pairs_of_one_person_and_what_profiles_decided_makes_none(filled: Database, space: VoiceSpace) -> None:
    person = add_person(filled, "Ada").person_id
    with filled.connect() as connection:
        connection.execute(
            "INSERT INTO identities "
            "(video_id, local_speaker, person_id, decided_by, reason, model, model_revision, preparation, made_at) SELECT "
            "video_id, local_speaker, %s, 'profile', '', model, model_revision, preparation, now() "
            "FROM local_speakers WHERE local_speaker = 'S0'",
            [person],
        )
    assert ACROSS not in set(pairs_of(read_calibration_data(filled, space).speakers).kind)
    for video in ("v0", "v4", "v7"):
        add_correction(filled, CorrectionKind.IS, person, spans_of(filled, video, "S0"))
    add_correction(filled, CorrectionKind.SAME, None, spans_of(filled, "v1", "S0"), spans_of(filled, "v2", "S0"))
    pairs = pairs_of(read_calibration_data(filled, space).speakers)
    across = pairs[pairs.kind == ACROSS]
    assert len(across) == 3 + 1
    assert across.score.min() > 0.7


def test_enrolments_in_use_make_pairs_and_refused_ones_do_not(filled: Database, space: VoiceSpace) -> None:
    for place, (name, verdict) in enumerate([("Ada", Verdict.GOOD), ("Ada", Verdict.FAIR), ("Berta", Verdict.REFUSED)]):
        takes = vectors(1 if name == "Ada" else 2, 3, seed=40 + place)
        enrol(filled, name, *takes, recording=f"/{place}.wav", verdict=verdict, seconds=3.0)
    pairs = pairs_of(read_calibration_data(filled, space).speakers)
    assert (pairs.kind == ACROSS).sum() == 1
    assert NAMED not in set(pairs.kind)
    enrol(filled, "Berta", *vectors(2, 3, seed=43), recording="/3.wav", seconds=3.0)
    assert (pairs_of(read_calibration_data(filled, space).speakers).kind == NAMED).sum() == 2


# --- the command ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


Earshot = Callable[..., Ended]


@pytest.fixture
def earshot(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Earshot:
    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["earshot", *arguments])
        capfd.readouterr()
        code: Any = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        printed = capfd.readouterr()
        return Ended(int(code or 0), printed.out, printed.err)

    return run


def test_a_calibration_is_shown_and_changes_nothing(filled: Database, earshot: Earshot) -> None:
    ended = earshot("people", "calibrate")
    assert (ended.code, ended.err) == (0, "")
    assert "from 100 pairs of two people and 50 of one person. A rough estimate" in ended.out
    assert "cosine similarity" in ended.out
    assert "one person: halves" in ended.out
    assert thresholds(filled, read_settings()) == DEFAULT
    assert filled.query("SELECT 1 FROM identities") == []


def test_accepted_the_threshold_counts_and_everybody_is_decided_by_it(
    filled: Database, space: VoiceSpace, earshot: Earshot
) -> None:
    accept_threshold(filled, space, 0.999, "so high that nobody is anybody")
    assert identify(filled).recurring_voices == 0
    ended = earshot("people", "calibrate", "--accept", "--json")
    assert ended.code == 0, ended.err
    document = json.loads(ended.out)
    now = thresholds(filled, read_settings())
    assert now.threshold == document["threshold"] < 0.5
    assert "100 pairs of two people, 50 of one, false accepts 0.01 requested and" in now.source
    recurring = filled.query("SELECT voice_id FROM identities WHERE local_speaker = 'S0'")
    assert len(recurring) == 10
    assert len({row["voice_id"] for row in recurring}) == 1


@pytest.mark.usefixtures("filled")
def test_a_stricter_rate_gives_a_higher_threshold(earshot: Earshot) -> None:
    found = [
        json.loads(earshot("people", "calibrate", "--json", "--false-accepts", rate).out) for rate in ("0.2", "0.05", "0.01")
    ]
    assert all(one["threshold"] < other["threshold"] for one, other in pairwise(found))
    assert {kind["kind"]: kind["pairs"] for kind in found[0]["pairs"]} == {HALVES: 50, ACROSS: 0, ONE_VIDEO: 100, NAMED: 0}


def test_too_few_pairs_are_an_error_with_a_remedy_and_nothing_is_accepted(filled: Database, earshot: Earshot) -> None:
    ended = earshot("people", "calibrate", "--false-accepts", "0.001", "--accept")
    assert ended.code == 1
    assert (
        "takes 1000 pairs of two people, and this library has 100. The lowest possible rate is --false-accepts 0.01."
        in ended.err
    )
    assert filled.query("SELECT 1 FROM voice_thresholds") == []


@pytest.mark.usefixtures("database")
def test_an_empty_library_says_what_makes_pairs(earshot: Earshot) -> None:
    ended = earshot("people", "calibrate")
    assert ended.code == 1
    assert "this library has 0." in ended.err


@pytest.mark.parametrize("rate", ["0", "0.5", "-1", "nan", "2"])
def test_what_is_no_rate_is_refused(rate: str, earshot: Earshot) -> None:
    ended = earshot("people", "calibrate", "--false-accepts", rate)
    assert ended.code == 2
    assert "is not between 0 and 0.5" in ended.err


def test_videos_of_another_model_are_told_on_stderr(filled: Database, earshot: Earshot) -> None:
    filled.query("UPDATE local_speakers SET model_revision = 'older' WHERE video_id = 'v1'")
    ended = earshot("people", "calibrate", "--false-accepts", "0.05", "--json")
    assert "1 video with vectors of another model" in ended.err
    assert "earshot backfill --stale voice_embeddings" in ended.err
    assert json.loads(ended.out)["videos_of_another_model"] == 1


def test_two_speakers_of_one_video_that_are_alike_are_named_for_a_look(
    filled: Database, space: VoiceSpace, earshot: Earshot
) -> None:
    add_video(filled, space, "split", [77, 77], seed=3)
    ended = earshot("people", "calibrate", "--false-accepts", "0.01")
    assert "really two people (cosine 1.00): split S0, split S1" in ended.out


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_plot_is_a_picture_of_the_scores(earshot: Earshot, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"scores{suffix}"
    ended = earshot("people", "calibrate", "--plot", str(target))
    assert ended.code == 0
    assert f"Plotted to {target}." in ended.err
    start = target.read_bytes()[:1000]
    assert start.startswith(b"\x89PNG") if suffix == ".png" else b"<svg" in start


def test_a_plot_of_an_unknown_format_is_refused_before_anything_is_done(
    filled: Database, earshot: Earshot, tmp_path: Path
) -> None:
    ended = earshot("people", "calibrate", "--accept", "--plot", str(tmp_path / "scores.bmp"))
    assert ended.code == 2
    assert ".png, .svg, .pdf" in ended.err
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "earshot.speakers.people.calibration_data.read_calibration_data", lambda *_: pytest.fail("the library was read")
        )
        assert earshot("people", "calibrate", "--plot", str(tmp_path / "scores.bmp")).code == 2
    assert filled.query("SELECT 1 FROM voice_thresholds") == []
