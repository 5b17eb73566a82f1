"""Corrections: the constraints_of and samples that follow from them, also after a new diarization, and their contradictions."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earshot.common.errors import EarshotError
from earshot.common.timeline import build_timeline
from earshot.config.settings import read_settings
from earshot.speakers.corrections.claims import CorrectionSet
from earshot.speakers.corrections.constraints import (
    attributed_turns,
    derive_constraints,
    find_conflicts,
    read_corrections,
    read_segment_overrides,
    samples_from_corrections,
    segment_overrides,
)
from earshot.speakers.tables.corrections import (
    CorrectedSpan,
    Correction,
    CorrectionKind,
    add_correction,
    list_corrections,
    remove_correction,
)
from earshot.speakers.tables.people import add_person
from earshot.speakers.tables.voice_space import VoiceSpace, voice_space
from earshot.speakers.voices.identity_constraints import IdentityConstraints
from earshot.speakers.voices.speakers import Key
from earshot.storage.database import Database
from tests.support.videos.voice_videos import keep

ANA, BEN = 1, 2
IS, NEVER, SAME, DIFFERENT = CorrectionKind
A, B, C, D = (("v", name) for name in "ABCD")


def make_turns(*rows: tuple[str, float, float], video: str = "v") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["local_speaker", "start_s", "end_s"])
    return frame.assign(video_id=video, turn_index=range(len(rows)))


def spans(*times: tuple[float, float], video: str = "v") -> tuple[CorrectedSpan, ...]:
    return tuple(CorrectedSpan(video, start, end) for start, end in times)


# Each speaks for ten seconds, one after another: A 0-10, B 10-20, C 20-30, D 30-40.
FOUR = make_turns(("A", 0, 10), ("B", 10, 20), ("C", 20, 30), ("D", 30, 40))
TIMES = {A: (0.0, 10.0), B: (10.0, 20.0), C: (20.0, 30.0), D: (30.0, 40.0)}


def correct(number: int, kind: CorrectionKind, person: int | None, *speakers: Key, others: tuple[Key, ...] = ()) -> Correction:
    return Correction(number, kind, person, spans(*(TIMES[key] for key in speakers)), spans(*(TIMES[key] for key in others)))


def constraints_of(corrections: Sequence[Correction], turns: pd.DataFrame = FOUR) -> IdentityConstraints:
    return derive_constraints(CorrectionSet(corrections, turns))


def conflicts(corrections: Sequence[Correction]) -> list[int]:
    """The corrections that the last one contradicts."""
    return find_conflicts(CorrectionSet(corrections, FOUR), corrections[-1].correction_id)


# --- corrections by time -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("until", "named"), [(10.0, {A: ANA}), (5.0, {A: ANA}), (4.9, {})])
def test_correction_names_speaker_with_half_its_time(until: float, named: dict) -> None:
    assert constraints_of([Correction(1, IS, ANA, spans((0.0, until)))]).named == named


def test_turns_of_one_person_add_up() -> None:
    parts = make_turns(("A", 0, 4), ("B", 4, 10), ("A", 10, 14), ("A", 20, 24))
    first, second = (Correction(number, IS, ANA, spans(time)) for number, time in ((1, (0, 4)), (2, (10, 14))))
    assert constraints_of([first], parts).named == {}
    assert constraints_of([first, second], parts).named == {A: ANA}


def test_overlapping_speaker_is_corrected_separately() -> None:
    overlapping = make_turns(("A", 0, 30), ("B", 10, 12), ("B", 20, 21))
    assert constraints_of([Correction(1, IS, ANA, spans((0, 10), (12, 20), (21, 30)))], overlapping).named == {A: ANA}
    assert constraints_of([Correction(1, IS, BEN, spans((10, 12), (20, 21)))], overlapping).named == {B: BEN}


def test_correction_survives_new_diarization() -> None:
    correction = Correction(1, IS, ANA, spans((0.0, 9.8), (20.3, 31.0)))
    diarized_again = make_turns(("X", 0.4, 6.1), ("X", 6.9, 10.3), ("Y", 10.6, 20.1), ("X", 20.0, 29.0), ("Z", 31.0, 40.0))
    assert constraints_of([correction], diarized_again).named == {("v", "X"): ANA}


def test_no_turns_or_no_corrections_give_no_names() -> None:
    no_turns = make_turns()
    assert constraints_of([correct(1, IS, ANA, A)], no_turns).named == {}
    assert constraints_of([]) == constraints_of([], no_turns)
    assert constraints_of([Correction(1, IS, ANA, spans((0, 10), video="other"))]).named == {}


# --- several corrections of one speaker ----------------------------------------------------------------------------------


def test_newest_correction_wins_in_any_order() -> None:
    old, new = correct(3, IS, ANA, A, B), correct(7, IS, BEN, B)
    assert constraints_of([new, old]).named == {A: ANA, B: BEN}
    assert constraints_of([old]).named == {A: ANA, B: ANA}


def test_speaker_named_after_two_people_is_ambiguous() -> None:
    ana, ben = Correction(3, IS, ANA, spans((0, 6))), Correction(7, IS, BEN, spans((6, 10)))
    constraints = constraints_of([ana, ben])
    assert constraints.named == {}
    assert list(constraints.contradictions) == [A]
    assert constraints.contradictions[A].startswith("corrections 3 and 7 name two people")
    assert constraints_of([ana, Correction(7, IS, BEN, spans((6, 9)))]).named == {A: ANA}
    assert constraints_of([Correction(3, IS, ANA, spans((0, 5))), Correction(7, IS, BEN, spans((5, 10)))]).named == {}


SPAN = st.tuples(st.integers(0, 39), st.integers(1, 20)).map(lambda pair: (pair[0], pair[0] + pair[1]))
NAMINGS = st.lists(st.tuples(st.sampled_from([ANA, BEN]), st.lists(SPAN, min_size=1, max_size=4)), max_size=6)
TURNS = st.lists(st.tuples(st.sampled_from("ABC"), SPAN), min_size=1, max_size=12)


def corrections_of(namings: list) -> list[Correction]:
    return [Correction(index + 1, IS, person, spans(*times)) for index, (person, times) in enumerate(namings)]


def turns_of(rows: list) -> pd.DataFrame:
    return make_turns(*((speaker, start, end) for speaker, (start, end) in rows))


@settings(deadline=None)
@given(NAMINGS, TURNS)
def test_name_needs_half_the_time_and_twice_the_next(namings: list, rows: list) -> None:
    turns = turns_of(rows)
    constraints = constraints_of(corrections_of(namings), turns)
    for speaker in set(turns.local_speaker):
        # All edges are whole seconds, so seconds can be counted.
        spoken = {second for name, (start, end) in rows if name == speaker for second in range(start, end)}
        others = {second for name, (start, end) in rows if name != speaker for second in range(start, end)}
        own = spoken - others or spoken
        held = dict.fromkeys((ANA, BEN), 0)
        for second in own:
            people = [person for person, times in namings if any(start <= second < end for start, end in times)]
            if people:
                held[people[-1]] += 1
        first, second = sorted(held, key=lambda person: -held[person])
        expected = first if held[first] * 2 >= len(own) and held[first] >= 2 * held[second] and held[first] else None
        assert constraints.named.get(("v", speaker)) == expected
        assert (("v", speaker) in constraints.contradictions) == (expected is None and held[first] * 2 >= len(own))


# --- constraints ---------------------------------------------------------------------------------------------------------


def test_name_extends_over_same_voices() -> None:
    corrections = [correct(1, IS, ANA, A), correct(2, SAME, None, A, others=(B,)), correct(3, SAME, None, B, C, others=(D,))]
    constraints = constraints_of(corrections)
    assert constraints.named == {A: ANA, B: ANA, C: ANA, D: ANA}
    assert constraints.contradictions == {}


def test_same_and_different_give_pairs() -> None:
    constraints = constraints_of([correct(1, SAME, None, A, B, others=(C,)), correct(2, DIFFERENT, None, D, others=(C, A))])
    assert constraints.same == {(A, B), (B, C)}
    assert constraints.different == {(C, D), (A, D)}


def test_different_from_a_person_is_never_that_person() -> None:
    corrections = [correct(1, IS, ANA, A), correct(2, DIFFERENT, None, A, others=(B,)), correct(3, SAME, None, B, others=(C,))]
    assert constraints_of(corrections).never == {B: {ANA}, C: {ANA}}
    assert constraints_of([correct(1, NEVER, ANA, A), correct(2, NEVER, BEN, A)]).never == {A: {ANA, BEN}}


def test_correction_without_its_other_side_is_ignored() -> None:
    gone = Correction(1, SAME, None, spans(TIMES[A], TIMES[B]))
    assert constraints_of([gone]).same == frozenset()
    assert constraints_of([Correction(1, DIFFERENT, None, spans(TIMES[A]))]).different == frozenset()


# --- contradictions ------------------------------------------------------------------------------------------------------

CONTRADICTIONS = {
    "is and never": ([correct(1, NEVER, ANA, A), correct(2, IS, ANA, A)], {A}, "1 and 2"),
    "two people in one voice": (
        [correct(1, IS, ANA, A), correct(2, SAME, None, A, others=(B,)), correct(4, IS, BEN, B)], {A, B}, "1, 2 and 4",
    ),
    "same, same, different": (
        [
            correct(1, SAME, None, A, others=(B,)), correct(2, SAME, None, B, others=(C,)),
            correct(3, DIFFERENT, None, A, others=(C,)),
        ],
        {A, B, C}, "1, 2 and 3",
    ),
    "never that person, by another": (
        [correct(1, IS, ANA, A), correct(2, SAME, None, A, others=(B,)), correct(3, NEVER, ANA, B)], {A, B}, "1, 2 and 3",
    ),
    "two that differ are one person": (
        [correct(1, DIFFERENT, None, A, others=(B,)), correct(2, IS, ANA, A), correct(5, IS, ANA, B)], {A, B}, "1, 2 and 5",
    ),
    "two that differ are one person by others": (
        [
            correct(1, DIFFERENT, None, A, others=(B,)), correct(2, SAME, None, A, others=(C,)), correct(3, IS, ANA, C),
            correct(4, IS, ANA, B),
        ],
        {A, B, C}, "1, 2, 3 and 4",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("corrections", "unknown", "numbers"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_contradicted_speakers_have_no_constraints(corrections: list[Correction], unknown: set, numbers: str) -> None:
    constraints = constraints_of([*corrections, correct(9, IS, BEN, D)])
    assert constraints.contradictions == dict.fromkeys(unknown, f"corrections {numbers} contradict each other")
    assert constraints.named == {D: BEN}
    assert not {key for pair in (*constraints.same, *constraints.different) for key in pair} & unknown
    assert not constraints.never.keys() & unknown


@pytest.mark.parametrize("corrections", [corrections for corrections, *_ in CONTRADICTIONS.values()], ids=CONTRADICTIONS.keys())
def test_last_correction_conflicts_with_all_earlier_ones(corrections: list[Correction]) -> None:
    *earlier, last = corrections
    assert conflicts([*earlier, last]) == [correction.correction_id for correction in earlier]
    assert all(conflicts(earlier[:count]) == [] for count in range(1, len(corrections)))


def test_conflict_is_the_shortest_chain() -> None:
    corrections = [
        correct(1, SAME, None, A, others=(B,)), correct(2, SAME, None, B, others=(C,)), correct(3, SAME, None, A, others=(C,)),
        correct(4, IS, ANA, A),
    ]  # fmt: skip
    assert conflicts([*corrections, correct(5, IS, BEN, C)]) == [3, 4]


def test_naming_a_whole_voice_again_is_no_conflict() -> None:
    corrections = [correct(1, IS, ANA, A, B), correct(2, SAME, None, A, others=(B,))]
    assert conflicts([*corrections, correct(3, IS, BEN, A, B)]) == []
    assert conflicts([*corrections, correct(3, IS, BEN, A)]) == [1, 2]
    assert conflicts([correct(1, IS, ANA, A), Correction(2, IS, BEN, spans((0, 4)))]) == []  # part of a speaker


def test_sides_merged_by_new_diarization_contradict_themselves() -> None:
    different = Correction(4, DIFFERENT, None, spans((0, 5)), spans((5, 10)))
    assert constraints_of([different]).contradictions == {A: "correction 4 contradicts itself"}


KIND = st.sampled_from(CorrectionKind)
SIDE = st.sets(st.sampled_from([A, B, C, D]), min_size=1, max_size=3)


@st.composite
def any_corrections(draw: st.DrawFn) -> list[Correction]:
    corrections = []
    for number in range(1, draw(st.integers(0, 7)) + 1):
        kind = draw(KIND)
        person = draw(st.sampled_from([ANA, BEN])) if kind in (IS, NEVER) else None
        speakers = draw(SIDE)
        others = draw(SIDE) - (speakers if kind == DIFFERENT else set()) if person is None else set()
        corrections.append(correct(number, kind, person, *sorted(speakers), others=tuple(sorted(others))))
    return corrections


@settings(deadline=None, max_examples=80)
@given(any_corrections(), st.randoms())
def test_constraints_are_consistent_in_any_order(corrections: list, random: Random) -> None:
    constraints = constraints_of(corrections)
    shuffled = list(corrections)
    random.shuffle(shuffled)
    assert constraints_of(shuffled) == constraints
    claims = CorrectionSet(corrections, FOUR).claims
    for first, second in (pair for keys in claims.same.values() for pair in ((x, y) for x in keys for y in keys)):
        assert constraints.named.get(first) == constraints.named.get(second)
        assert (first in constraints.contradictions) == (second in constraints.contradictions)
        assert constraints.never.get(first) == constraints.never.get(second)
    for first, second in constraints.different:
        assert first != second
        assert constraints.named.get(first) is None or constraints.named[first] != constraints.named.get(second)
    for key, person in constraints.named.items():
        assert person not in constraints.never.get(key, ())
    for key, claim in claims.named.items():
        assert constraints.named.get(key, claim.person_id) == claim.person_id
        assert (key in constraints.named) != (key in constraints.contradictions)


@settings(deadline=None, max_examples=80)
@given(any_corrections())
def test_corrections_without_conflicts_have_no_contradictions(corrections: list) -> None:
    accepted: list[Correction] = []
    for correction in corrections:
        if not conflicts([*accepted, correction]):
            accepted.append(correction)
    assert constraints_of(accepted).contradictions == {}


# --- segment overrides ---------------------------------------------------------------------------------------------------


ANA_IS_A = correct(1, IS, ANA, A)
SIX = [Correction(1, IS, ANA, spans((0, 6))), Correction(2, IS, BEN, spans((6, 10)))]


@pytest.mark.parametrize(
    ("corrections", "turns", "overrides"),
    [
        pytest.param(
            [ANA_IS_A, Correction(2, IS, BEN, spans((2, 4))), Correction(3, IS, BEN, spans((10, 13)))],
            FOUR, [(2.0, 4.0, BEN), (10.0, 13.0, BEN)], id="another person's segments",
        ),
        pytest.param([correct(1, IS, ANA, A, C)], FOUR, [], id="a speaker named as a whole"),
        pytest.param(
            [ANA_IS_A], make_turns(("X", 0, 6), ("Y", 6, 30)), [(6.0, 10.0, ANA)], id="the rest after a new diarization",
        ),
        pytest.param(SIX, FOUR, [(0.0, 6.0, ANA), (6.0, 10.0, BEN)], id="all of an ambiguous speaker"),
    ],
)  # fmt: skip
def test_segment_overrides(corrections: list[Correction], turns: pd.DataFrame, overrides: list) -> None:
    assert segment_overrides(CorrectionSet(corrections, turns)).get("v", []) == overrides


@settings(deadline=None)
@given(NAMINGS, TURNS)
def test_segment_overrides_are_ordered_and_disjoint(namings: list, rows: list) -> None:
    overrides = segment_overrides(CorrectionSet(corrections_of(namings), turns_of(rows))).get("v", [])
    assert overrides == sorted(overrides)
    assert all(start < end for start, end, _ in overrides)
    assert all(before[1] <= after[0] for before, after in pairwise(overrides))


# --- solo spans ----------------------------------------------------------------------------------------------------------


def test_spans_join_over_short_silence_only() -> None:
    turns = make_turns(("A", 0, 3), ("A", 4, 6), ("B", 6.2, 6.4), ("A", 7, 8), ("A", 20, 21))
    timeline = build_timeline(turns)
    assert timeline.merged(timeline.solo[0]) == [(0.0, 6.0), (7.0, 8.0), (20.0, 21.0)]
    assert timeline.merged(np.zeros(len(timeline.lengths), dtype=bool)) == []


@settings(deadline=None)
@given(TURNS)
def test_solo_spans_name_only_their_speaker(rows: list) -> None:
    turns = turns_of(rows)
    timeline = build_timeline(turns)
    for index, speaker in enumerate(timeline.speakers):
        solo_spans = timeline.merged(timeline.solo[index])
        named = constraints_of([Correction(1, IS, ANA, spans(*solo_spans))], turns).named
        assert ("v", speaker) in named
        solo = timeline.speaking[index] & (timeline.speaking.sum(axis=0) == 1)
        if timeline.seconds(solo) >= 1.0:
            # No other speaker is heard alone in these spans, so no other is named.
            assert set(named) == {("v", speaker)}


# --- in the database -----------------------------------------------------------------------------------------------------


@pytest.fixture
def space() -> VoiceSpace:
    return voice_space(read_settings())


def keep_video(database: Database, video: str, turns: pd.DataFrame) -> None:
    keep(database, video, turns.assign(voice=turns.local_speaker))


def test_corrections_are_stored_and_removed(database: Database) -> None:
    keep_video(database, "v", FOUR)
    ana = add_person(database, "Ana").person_id
    first = add_correction(database, IS, ana, spans((0, 10), (0, 10), (20.5, 30)))
    second = add_correction(database, DIFFERENT, None, spans((0, 10)), spans((10, 20)))
    assert list_corrections(database) == [
        Correction(first, IS, ana, spans((0.0, 10.0), (20.5, 30.0))),
        Correction(second, DIFFERENT, None, spans((0.0, 10.0)), spans((10.0, 20.0))),
    ]
    remove_correction(database, first)
    assert [correction.correction_id for correction in list_corrections(database)] == [second]
    with pytest.raises(EarshotError, match=f"no correction {first}"):
        remove_correction(database, first)


def test_constraints_follow_the_current_turns(database: Database) -> None:
    keep_video(database, "v", FOUR)
    keep_video(database, "w", make_turns(("A", 0, 10), video="w"))
    ana, ben = (add_person(database, name).person_id for name in ("Ana", "Ben"))
    add_correction(database, IS, ana, (*spans((0, 10)), *spans((0, 10), video="w")))
    add_correction(database, IS, ben, spans((12, 14)))
    assert derive_constraints(read_corrections(database)).named == {A: ana, ("w", "A"): ana}
    assert read_segment_overrides(database, read_corrections(database)) == [("v", 12.0, 14.0, ben)]
    keep_video(database, "v", make_turns(("X", 0.5, 11), ("Y", 11, 40)))  # diarized again
    assert derive_constraints(read_corrections(database)).named == {("v", "X"): ana, ("w", "A"): ana}


def test_deleted_video_deletes_its_spans(database: Database) -> None:
    keep_video(database, "v", FOUR)
    number = add_correction(database, IS, add_person(database, "Ana").person_id, spans((0, 10)))
    database.query("DELETE FROM videos")
    assert [(correction.correction_id, correction.spans) for correction in list_corrections(database)] == [(number, ())]
    assert derive_constraints(read_corrections(database)) == constraints_of([])


def test_clear_turns_are_samples_of_their_latest_name(database: Database, space: VoiceSpace) -> None:
    keep_video(database, "v", FOUR)
    ana, ben = (add_person(database, name).person_id for name in ("Ana", "Ben"))
    add_correction(database, IS, ana, spans((0, 15), (20, 24)))
    add_correction(database, IS, ben, spans((0, 10)))
    add_correction(database, NEVER, ana, spans((30, 40)))
    samples = samples_from_corrections(database, space, read_corrections(database))
    assert list(zip(samples.person_id, samples.seconds, strict=True)) == [(ben, 10.0), (ana, 10.0)]
    stored = database.frame("voice_embeddings", "v", "turn_index").embedding[:2]
    np.testing.assert_array_equal(samples.embedding.tolist(), [vector.to_numpy() for vector in stored])
    assert samples.embedding[0].dtype == np.float32


@pytest.mark.parametrize(("column", "value"), [("condition", "overlapped"), ("condition", "too_short"), ("model", "another")])
def test_unclear_or_foreign_turns_are_no_samples(database: Database, space: VoiceSpace, column: str, value: str) -> None:
    keep_video(database, "v", FOUR)
    database.query(f"UPDATE voice_embeddings SET {column} = %s", [value])  # noqa: S608
    add_correction(database, IS, add_person(database, "Ana").person_id, spans((0, 10)))
    samples = samples_from_corrections(database, space, read_corrections(database))
    assert samples.empty
    assert list(samples.columns) == ["person_id", "embedding", "seconds"]


def test_turn_of_two_names_is_no_sample() -> None:
    corrections = [Correction(1, IS, ANA, spans((0, 26))), Correction(2, IS, BEN, spans((10, 15)))]
    assert attributed_turns(CorrectionSet(corrections, FOUR)) == {("v", 0): (ANA, 10.0), ("v", 2): (ANA, 10.0)}
