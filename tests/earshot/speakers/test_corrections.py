"""What corrections say of local speakers: by time, through new diarizations, against each other, and as samples."""

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
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database

ANA, BEN = 1, 2
IS, NEVER, SAME, DIFFERENT = CorrectionKind
A, B, C, D = (("v", name) for name in "ABCD")


def turns(*rows: tuple[str, float, float], video: str = "v") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["local_speaker", "start_s", "end_s"])
    return frame.assign(video_id=video, turn_index=range(len(rows)))


def spans(*times: tuple[float, float], video: str = "v") -> tuple[CorrectedSpan, ...]:
    return tuple(CorrectedSpan(video, start, end) for start, end in times)


# Each speaks for ten seconds, one after another: A 0-10, B 10-20, C 20-30, D 30-40.
FOUR = turns(("A", 0, 10), ("B", 10, 20), ("C", 20, 30), ("D", 30, 40))
TIMES = {A: (0.0, 10.0), B: (10.0, 20.0), C: (20.0, 30.0), D: (30.0, 40.0)}


def says(number: int, kind: CorrectionKind, person: int | None, *speakers: tuple[str, str], others: tuple = ()) -> Correction:
    return Correction(
        number, kind, person, spans(*(TIMES[each] for each in speakers)), spans(*(TIMES[each] for each in others))
    )


def constraints(said: Sequence[Correction], made: pd.DataFrame = FOUR) -> IdentityConstraints:
    return derive_constraints(CorrectionSet(said, made))


def conflicts(said: Sequence[Correction]) -> list[int]:
    """Those that the last of these contradicts."""
    return find_conflicts(CorrectionSet(said, FOUR), said[-1].correction_id)


# --- whom a correction speaks of -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("until", "named"), [(10.0, {A: ANA}), (5.0, {A: ANA}), (4.9, {})])
def test_a_correction_speaks_of_who_has_at_least_half_of_his_time_in_it(until: float, named: dict) -> None:
    assert constraints([Correction(1, IS, ANA, spans((0.0, until)))]).named == named


def test_single_turns_of_one_person_count_together() -> None:
    parts = turns(("A", 0, 4), ("B", 4, 10), ("A", 10, 14), ("A", 20, 24))
    one, two = (Correction(number, IS, ANA, spans(time)) for number, time in ((1, (0, 4)), (2, (10, 14))))
    assert constraints([one], parts).named == {}
    assert constraints([one, two], parts).named == {A: ANA}


def test_who_only_speaks_while_another_does_is_not_meant_by_what_is_said_of_the_other() -> None:
    talk = turns(("A", 0, 30), ("B", 10, 12), ("B", 20, 21))
    assert constraints([Correction(1, IS, ANA, spans((0, 10), (12, 20), (21, 30)))], talk).named == {A: ANA}
    assert constraints([Correction(1, IS, BEN, spans((10, 12), (20, 21)))], talk).named == {B: BEN}


def test_a_correction_survives_that_speakers_are_called_otherwise_and_turns_lie_elsewhere() -> None:
    correction = Correction(1, IS, ANA, spans((0.0, 9.8), (20.3, 31.0)))
    again = turns(("X", 0.4, 6.1), ("X", 6.9, 10.3), ("Y", 10.6, 20.1), ("X", 20.0, 29.0), ("Z", 31.0, 40.0))
    assert constraints([correction], again).named == {("v", "X"): ANA}


def test_corrections_of_a_video_without_turns_or_without_corrections_rule_nobody() -> None:
    nothing = turns()
    assert constraints([says(1, IS, ANA, A)], nothing).named == {}
    assert constraints([]) == constraints([], nothing)
    assert constraints([Correction(1, IS, ANA, spans((0, 10), video="other"))]).named == {}


# --- the last word -------------------------------------------------------------------------------------------------------


def test_the_newest_word_on_a_moment_counts_whatever_the_order_they_are_given_in() -> None:
    old, new = says(3, IS, ANA, A, B), says(7, IS, BEN, B)
    assert constraints([new, old]).named == {A: ANA, B: BEN}
    assert constraints([old]).named == {A: ANA, B: ANA}


def test_two_people_named_in_one_speaker_leave_him_unknown_unless_one_clearly_has_more() -> None:
    ana, ben = Correction(3, IS, ANA, spans((0, 6))), Correction(7, IS, BEN, spans((6, 10)))
    rulings = constraints([ana, ben])
    assert rulings.named == {}
    assert list(rulings.contradictions) == [A]
    assert rulings.contradictions[A].startswith("corrections 3 and 7 name two people")
    clearly = Correction(7, IS, BEN, spans((6, 9)))
    assert constraints([ana, clearly]).named == {A: ANA}
    even = [Correction(3, IS, ANA, spans((0, 5))), Correction(7, IS, BEN, spans((5, 10)))]
    assert constraints(even).named == {}


SPAN = st.tuples(st.integers(0, 39), st.integers(1, 20)).map(lambda pair: (pair[0], pair[0] + pair[1]))
SAID = st.lists(st.tuples(st.sampled_from([ANA, BEN]), st.lists(SPAN, min_size=1, max_size=4)), max_size=6)
TURNS = st.lists(st.tuples(st.sampled_from("ABC"), SPAN), min_size=1, max_size=12)


def corrections_of(said: list) -> list[Correction]:
    return [Correction(index + 1, IS, person, spans(*times)) for index, (person, times) in enumerate(said)]


@settings(deadline=None)
@given(SAID, TURNS)
def test_a_named_speaker_has_half_of_his_time_and_twice_the_other_persons_from_the_newest_words(said: list, made: list) -> None:
    frame = turns(*((speaker, start, end) for speaker, (start, end) in made))
    rulings = constraints(corrections_of(said), frame)
    for speaker in set(frame.local_speaker):
        # The same, second by second: edges are whole seconds.
        spoken = {second for name, (start, end) in made if name == speaker for second in range(start, end)}
        others = {second for name, (start, end) in made if name != speaker for second in range(start, end)}
        own = spoken - others or spoken
        held = dict.fromkeys((ANA, BEN), 0)
        for second in own:
            last = [person for person, times in said if any(start <= second < end for start, end in times)]
            if last:
                held[last[-1]] += 1
        first, second = sorted(held, key=lambda person: -held[person])
        expected = first if held[first] * 2 >= len(own) and held[first] >= 2 * held[second] and held[first] else None
        assert rulings.named.get(("v", speaker)) == expected
        assert (("v", speaker) in rulings.contradictions) == (expected is None and held[first] * 2 >= len(own))


# --- what follows --------------------------------------------------------------------------------------------------------


def test_who_is_one_voice_with_a_named_speaker_has_the_name_through_any_number_of_others() -> None:
    said = [says(1, IS, ANA, A), says(2, SAME, None, A, others=(B,)), says(3, SAME, None, B, C, others=(D,))]
    rulings = constraints(said)
    assert rulings.named == {A: ANA, B: ANA, C: ANA, D: ANA}
    assert rulings.contradictions == {}


def test_pairs_join_all_that_are_one_voice_and_part_each_that_is_different() -> None:
    rulings = constraints([says(1, SAME, None, A, B, others=(C,)), says(2, DIFFERENT, None, D, others=(C, A))])
    assert rulings.same == {(A, B), (B, C)}
    assert rulings.different == {(C, D), (A, D)}


def test_who_differs_from_a_named_voice_is_never_that_person_and_nor_is_who_is_one_with_him() -> None:
    said = [says(1, IS, ANA, A), says(2, DIFFERENT, None, A, others=(B,)), says(3, SAME, None, B, others=(C,))]
    assert constraints(said).never == {B: {ANA}, C: {ANA}}
    assert constraints([says(1, NEVER, ANA, A), says(2, NEVER, BEN, A)]).never == {A: {ANA, BEN}}


def test_a_correction_of_which_one_side_is_gone_says_nothing() -> None:
    gone = Correction(1, SAME, None, spans(TIMES[A], TIMES[B]))
    assert constraints([gone]).same == frozenset()
    assert constraints([Correction(1, DIFFERENT, None, spans(TIMES[A]))]).different == frozenset()


# --- contradictions ------------------------------------------------------------------------------------------------------

CIRCLES = {
    "is and never": ([says(1, NEVER, ANA, A), says(2, IS, ANA, A)], {A}, "1 and 2"),
    "two people in one voice": (
        [says(1, IS, ANA, A), says(2, SAME, None, A, others=(B,)), says(4, IS, BEN, B)], {A, B}, "1, 2 and 4",
    ),
    "same, same, different": (
        [
            says(1, SAME, None, A, others=(B,)), says(2, SAME, None, B, others=(C,)),
            says(3, DIFFERENT, None, A, others=(C,)),
        ],
        {A, B, C}, "1, 2 and 3",
    ),
    "never that person, by another": (
        [says(1, IS, ANA, A), says(2, SAME, None, A, others=(B,)), says(3, NEVER, ANA, B)], {A, B}, "1, 2 and 3",
    ),
    "two that differ are one person": (
        [says(1, DIFFERENT, None, A, others=(B,)), says(2, IS, ANA, A), says(5, IS, ANA, B)], {A, B}, "1, 2 and 5",
    ),
    "two that differ are one person by others": (
        [
            says(1, DIFFERENT, None, A, others=(B,)), says(2, SAME, None, A, others=(C,)), says(3, IS, ANA, C),
            says(4, IS, ANA, B),
        ],
        {A, B, C}, "1, 2, 3 and 4",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("said", "unknown", "numbers"), CIRCLES.values(), ids=CIRCLES.keys())
def test_whoever_is_in_a_contradiction_is_named_by_nothing_and_the_corrections_are_numbered(
    said: list[Correction], unknown: set, numbers: str
) -> None:
    rulings = constraints([*said, says(9, IS, BEN, D)])
    assert rulings.contradictions == dict.fromkeys(unknown, f"corrections {numbers} contradict each other")
    assert rulings.named == {D: BEN}
    assert not {key for pair in (*rulings.same, *rulings.different) for key in pair} & unknown
    assert not rulings.never.keys() & unknown


@pytest.mark.parametrize("said", [said for said, *_ in CIRCLES.values()], ids=CIRCLES.keys())
def test_the_correction_that_closes_a_circle_is_told_whom_it_contradicts(said: list[Correction]) -> None:
    *earlier, last = said
    assert conflicts([*earlier, last]) == [each.correction_id for each in earlier]
    assert all(conflicts(earlier[:count]) == [] for count in range(1, len(said)))


def test_a_contradiction_names_the_shortest_way_and_leaves_out_who_has_no_part_in_it() -> None:
    said = [
        says(1, SAME, None, A, others=(B,)), says(2, SAME, None, B, others=(C,)), says(3, SAME, None, A, others=(C,)),
        says(4, IS, ANA, A),
    ]  # fmt: skip
    assert conflicts([*said, says(5, IS, BEN, C)]) == [3, 4]


def test_a_person_who_is_named_anew_contradicts_nothing() -> None:
    said = [says(1, IS, ANA, A, B), says(2, SAME, None, A, others=(B,))]
    assert conflicts([*said, says(3, IS, BEN, A, B)]) == []
    assert conflicts([*said, says(3, IS, BEN, A)]) == [1, 2]
    assert conflicts([says(1, IS, ANA, A), Correction(2, IS, BEN, spans((0, 4)))]) == []  # single turns of a named speaker


def test_two_sides_that_a_new_diarization_took_for_one_speaker_contradict_themselves() -> None:
    apart = Correction(4, DIFFERENT, None, spans((0, 5)), spans((5, 10)))
    assert constraints([apart]).contradictions == {A: "correction 4 contradicts itself"}


KIND = st.sampled_from(CorrectionKind)
SIDE = st.sets(st.sampled_from([A, B, C, D]), min_size=1, max_size=3)


@st.composite
def anything_said(draw: st.DrawFn) -> list[Correction]:
    found = []
    for number in range(1, draw(st.integers(0, 7)) + 1):
        kind = draw(KIND)
        person = draw(st.sampled_from([ANA, BEN])) if kind in (IS, NEVER) else None
        speakers = draw(SIDE)
        others = draw(SIDE) - (speakers if kind == DIFFERENT else set()) if person is None else set()
        found.append(says(number, kind, person, *sorted(speakers), others=tuple(sorted(others))))
    return found


@settings(deadline=None, max_examples=80)
@given(anything_said(), st.randoms())
def test_what_is_not_told_to_be_contradictory_can_all_be_true_and_the_order_does_not_matter(said: list, random: Random) -> None:
    rulings = constraints(said)
    shuffled = list(said)
    random.shuffle(shuffled)
    assert constraints(shuffled) == rulings
    statements = CorrectionSet(said, FOUR).claims
    for one, other in (pair for keys in statements.same.values() for pair in ((x, y) for x in keys for y in keys)):
        assert rulings.named.get(one) == rulings.named.get(other)
        assert (one in rulings.contradictions) == (other in rulings.contradictions)
        assert rulings.never.get(one) == rulings.never.get(other)
    for one, other in rulings.different:
        assert one != other
        assert rulings.named.get(one) is None or rulings.named[one] != rulings.named.get(other)
    for key, person in rulings.named.items():
        assert person not in rulings.never.get(key, ())
    for key, said_of_it in statements.named.items():
        assert rulings.named.get(key, said_of_it.person_id) == said_of_it.person_id
        assert (key in rulings.named) != (key in rulings.contradictions)


@settings(deadline=None, max_examples=80)
@given(anything_said())
def test_corrections_that_were_each_accepted_leave_nobody_contradicted(said: list) -> None:
    kept: list[Correction] = []
    for each in said:
        if not conflicts([*kept, each]):
            kept.append(each)
    assert constraints(kept).contradictions == {}


# --- moments -------------------------------------------------------------------------------------------------------------


ANA_IS_A = says(1, IS, ANA, A)
SIX = [Correction(1, IS, ANA, spans((0, 6))), Correction(2, IS, BEN, spans((6, 10)))]


@pytest.mark.parametrize(
    ("said", "made", "overrides"),
    [
        pytest.param(
            [ANA_IS_A, Correction(2, IS, BEN, spans((2, 4))), Correction(3, IS, BEN, spans((10, 13)))],
            FOUR, [(2.0, 4.0, BEN), (10.0, 13.0, BEN)], id="another person's segments",
        ),
        pytest.param([says(1, IS, ANA, A, C)], FOUR, [], id="a speaker named as a whole"),
        pytest.param(
            [ANA_IS_A], turns(("X", 0, 6), ("Y", 6, 30)), [(6.0, 10.0, ANA)], id="another speaker's after a new diarization",
        ),
        pytest.param(SIX, FOUR, [(0.0, 6.0, ANA), (6.0, 10.0, BEN)], id="all of an ambiguous speaker"),
    ],
)  # fmt: skip
def test_segment_overrides(said: list[Correction], made: pd.DataFrame, overrides: list) -> None:
    assert segment_overrides(CorrectionSet(said, made)).get("v", []) == overrides


@settings(deadline=None)
@given(SAID, TURNS)
def test_moments_never_overlap_and_are_in_order(said: list, made: list) -> None:
    frame = turns(*((speaker, start, end) for speaker, (start, end) in made))
    found = segment_overrides(CorrectionSet(corrections_of(said), frame)).get("v", [])
    assert found == sorted(found)
    assert all(start < end for start, end, _ in found)
    assert all(before[1] <= after[0] for before, after in pairwise(found))


# --- time ----------------------------------------------------------------------------------------------------------------


def test_spans_are_joined_over_short_silence_and_never_over_anybody_else() -> None:
    talk = turns(("A", 0, 3), ("A", 4, 6), ("B", 6.2, 6.4), ("A", 7, 8), ("A", 20, 21))
    stretches = build_timeline(talk)
    assert stretches.merged(stretches.solo[0]) == [(0.0, 6.0), (7.0, 8.0), (20.0, 21.0)]
    assert stretches.merged(np.zeros(len(stretches.lengths), dtype=bool)) == []


@settings(deadline=None)
@given(TURNS)
def test_the_spans_of_a_speakers_own_time_mean_that_speaker_and_no_other(made: list) -> None:
    frame = turns(*((speaker, start, end) for speaker, (start, end) in made))
    stretches = build_timeline(frame)
    for index, speaker in enumerate(stretches.speakers):
        times = stretches.merged(stretches.solo[index])
        named = constraints([Correction(1, IS, ANA, spans(*times))], frame).named
        assert ("v", speaker) in named
        alone = stretches.speaking[index] & (stretches.speaking.sum(axis=0) == 1)
        if stretches.seconds(alone) >= 1.0:
            # Whoever else is meant never speaks alone for a second, and speaks while nobody but this speaker is heard: nobody.
            assert set(named) == {("v", speaker)}


# --- kept in the database ------------------------------------------------------------------------------------------------


@pytest.fixture
def space() -> VoiceSpace:
    return voice_space(read_settings())


def keep_video(database: Database, video: str, frame: pd.DataFrame, space: VoiceSpace, **columns: object) -> None:
    """The video with these turns and a made-up vector for each: the number of the turn, times the first axis."""
    register(database, [Video(video, f"https://x/{video}", "https://x", video)])
    rows = frame.drop(columns="video_id")
    vectors = [np.eye(1, space.dimension, dtype=np.float32)[0] * (index + 1) for index in rows.turn_index]
    embeddings = pd.DataFrame(
        {
            "turn_index": rows.turn_index,
            "audio_sha256": f"sha-{video}",
            "first_sample": (rows.start_s * 16000).astype(int),
            "last_sample": (rows.end_s * 16000).astype(int),
            "embedding": pd.Series(vectors, dtype=object),
        }
    ).assign(**{**space.columns, "condition": "clear", **columns})
    database.replace(video, {"turns": rows.assign(overlap=False), "voice_embeddings": embeddings})


def test_corrections_are_kept_with_both_sides_and_taken_back_by_number(database: Database, space: VoiceSpace) -> None:
    keep_video(database, "v", FOUR, space)
    ana = add_person(database, "Ana").person_id
    first = add_correction(database, IS, ana, spans((0, 10), (0, 10), (20.5, 30)))
    second = add_correction(database, DIFFERENT, None, spans((0, 10)), spans((10, 20)))
    assert list_corrections(database) == [
        Correction(first, IS, ana, spans((0.0, 10.0), (20.5, 30.0))),
        Correction(second, DIFFERENT, None, spans((0.0, 10.0)), spans((10.0, 20.0))),
    ]
    remove_correction(database, first)
    assert [each.correction_id for each in list_corrections(database)] == [second]
    with pytest.raises(EarshotError, match=f"There is no correction {first}; there are {second}"):
        remove_correction(database, first)


def test_rulings_and_moments_are_read_over_the_turns_of_today(database: Database, space: VoiceSpace) -> None:
    keep_video(database, "v", FOUR, space)
    keep_video(database, "w", turns(("A", 0, 10), video="w"), space)
    ana, ben = (add_person(database, name).person_id for name in ("Ana", "Ben"))
    add_correction(database, IS, ana, (*spans((0, 10)), *spans((0, 10), video="w")))
    add_correction(database, IS, ben, spans((12, 14)))
    assert derive_constraints(read_corrections(database)).named == {A: ana, ("w", "A"): ana}
    assert read_segment_overrides(database, read_corrections(database)) == [("v", 12.0, 14.0, ben)]
    keep_video(database, "v", turns(("X", 0.5, 11), ("Y", 11, 40)), space)  # run again, diarized otherwise
    assert derive_constraints(read_corrections(database)).named == {("v", "X"): ana, ("w", "A"): ana}


def test_a_video_that_goes_takes_along_what_was_said_of_it(database: Database, space: VoiceSpace) -> None:
    keep_video(database, "v", FOUR, space)
    number = add_correction(database, IS, add_person(database, "Ana").person_id, spans((0, 10)))
    database.query("DELETE FROM videos")
    assert [(each.correction_id, each.spans) for each in list_corrections(database)] == [(number, ())]
    assert derive_constraints(read_corrections(database)) == constraints([])


def test_clear_turns_that_are_half_covered_teach_the_person_last_named(database: Database, space: VoiceSpace) -> None:
    keep_video(database, "v", FOUR, space)
    ana, ben = (add_person(database, name).person_id for name in ("Ana", "Ben"))
    add_correction(database, IS, ana, spans((0, 15), (20, 24)))
    add_correction(database, IS, ben, spans((0, 10)))
    add_correction(database, NEVER, ana, spans((30, 40)))
    samples = samples_from_corrections(database, space, read_corrections(database))
    found = [(person, vector[0], seconds) for person, vector, seconds in samples.itertuples(index=False)]
    assert found == [(ben, 1.0, 10.0), (ana, 2.0, 10.0)]
    assert samples.embedding[0].dtype == np.float32


@pytest.mark.parametrize("columns", [{"condition": "overlapped"}, {"condition": "too_short"}, {"model": "another"}])
def test_what_is_not_clear_or_of_another_model_teaches_nothing(database: Database, space: VoiceSpace, columns: dict) -> None:
    keep_video(database, "v", FOUR, space, **columns)
    add_correction(database, IS, add_person(database, "Ana").person_id, spans((0, 10)))
    samples = samples_from_corrections(database, space, read_corrections(database))
    assert samples.empty
    assert list(samples.columns) == ["person_id", "embedding", "seconds"]


def test_a_turn_that_is_told_half_and_half_teaches_nobody() -> None:
    said = [Correction(1, IS, ANA, spans((0, 26))), Correction(2, IS, BEN, spans((10, 15)))]
    assert attributed_turns(CorrectionSet(said, FOUR)) == {("v", 0): (ANA, 10.0), ("v", 2): (ANA, 10.0)}
