"""Identity: what decides who a local speaker is, and that nothing else ever does."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earshot.models.registry import Thresholds
from earshot.speakers.tables.identities import NO_VECTOR
from earshot.speakers.voices.assignment import Assignment, assign, kind_of
from earshot.speakers.voices.identity_constraints import IdentityConstraints
from earshot.speakers.voices.profiles import profiles_of
from earshot.speakers.voices.speakers import Key, Speakers
from earshot.speakers.voices.voice_ids import clusters_without_id, kept_voice_ids

LIMITS = Thresholds(threshold=0.5, margin=0.1, source="this test")
NOTHING = IdentityConstraints({}, {}, frozenset(), frozenset(), {})
ANNA, BERT, CLEO = 3, 7, 12
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def at(degrees: float, lift: float = 0.0) -> list[float]:
    """A vector in a plane, lifted out of it."""
    return [np.cos(np.radians(degrees)), np.sin(np.radians(degrees)), lift]


def speakers(*given: tuple[str, Sequence[float]], clear_s: float | dict[str, float] = 10.0, obstacle: str = "") -> Speakers:
    """Local speakers, called as "video speaker", with their vectors; those of whom the name ends in "!" have the obstacle."""
    ordered = sorted(given)
    seconds = clear_s if isinstance(clear_s, dict) else {}
    return Speakers(
        keys=[key(name) for name, _ in ordered],
        vectors=np.array([vector for _, vector in ordered], np.float32).reshape(len(ordered), 3),
        obstacles=[obstacle if name.endswith("!") else "" for name, _ in ordered],
        clear_s=np.array([seconds.get(name, 10.0) if seconds else clear_s for name, _ in ordered], np.float64),
        rank=np.arange(len(ordered)),
        made_at=[MOMENT] * len(ordered),
    )


def key(name: str) -> Key:
    video, speaker = name.split()
    return video, speaker


def enrolled(**people: Sequence[float]) -> pd.DataFrame:
    numbers = {"anna": ANNA, "bert": BERT, "cleo": CLEO}
    rows = [(numbers[name], np.array(vector, np.float32), 20.0) for name, vector in people.items()]
    return pd.DataFrame(rows, columns=["person_id", "embedding", "seconds"])


def rulings(
    named: dict[str, int] | None = None,
    never: dict[str, set[int]] | None = None,
    same: Sequence[tuple[str, str]] = (),
    different: Sequence[tuple[str, str]] = (),
    contradictions: dict[str, str] | None = None,
) -> IdentityConstraints:
    return IdentityConstraints(
        {key(name): person for name, person in (named or {}).items()},
        {key(name): frozenset(people) for name, people in (never or {}).items()},
        frozenset((key(one), key(other)) for one, other in same),
        frozenset((key(one), key(other)) for one, other in different),
        {key(name): text for name, text in (contradictions or {}).items()},
    )


def who(given: Speakers, known: pd.DataFrame | None = None, ruled: IdentityConstraints = NOTHING) -> dict[str, Assignment]:
    profiles = profiles_of(enrolled() if known is None else known, 3)
    decided = assign(given, profiles, ruled, LIMITS)
    return {" ".join(name): decision for name, decision in zip(given.keys, decided.decisions, strict=True)}


def told(decision: Assignment) -> int | str:
    """The person, else what the decision is in a word."""
    if decision.person_id is not None:
        return decision.person_id
    return "voice" if decision.cluster is not None else kind_of(decision.reason)


# --- profiles ------------------------------------------------------------------------------------------------------------


def test_a_profile_is_the_mean_direction_of_its_samples_by_their_seconds() -> None:
    samples = enrolled(anna=at(0), bert=at(90))
    samples["person_id"], samples["seconds"] = ANNA, [30.0, 10.0]
    samples["embedding"] = [samples.embedding[0] * 5.0, samples.embedding[1]]  # its length does not count
    profiles = profiles_of(samples, 3)
    assert profiles.people.tolist() == [ANNA]
    assert profiles.vectors[0] / 4000 == pytest.approx([3 / 10**0.5, 1 / 10**0.5, 0], abs=1e-3)


def test_samples_that_say_nothing_give_no_profile() -> None:
    nowhere = pd.concat([enrolled(anna=[0, 0, 0]), enrolled(anna=[np.nan, 1, 0]), enrolled(bert=at(0)), enrolled(bert=at(180))])
    assert profiles_of(nowhere, 3).people.tolist() == []
    assert profiles_of(enrolled(), 3).vectors.shape == (0, 3)


def test_the_nearest_person_is_told_with_score_and_margin() -> None:
    decision = who(speakers(("v a", at(10))), enrolled(anna=at(0), bert=at(90)))["v a"]
    assert (decision.person_id, decision.decided_by, decision.reason, decision.cluster) == (ANNA, "profile", "", None)
    assert decision.score == pytest.approx(np.cos(np.radians(10)), abs=1e-3)
    assert decision.margin == pytest.approx(np.cos(np.radians(10)) - np.cos(np.radians(80)), abs=1e-3)


def test_the_only_person_has_no_margin_to_keep() -> None:
    decision = who(speakers(("v a", at(40))), enrolled(anna=at(0)))["v a"]
    assert (decision.person_id, decision.margin) == (ANNA, None)


def test_below_the_threshold_it_is_a_voice_nobody_named() -> None:
    assert told(who(speakers(("v a", at(61))), enrolled(anna=at(0)))["v a"]) == "voice"


def test_near_to_two_people_it_is_nobody() -> None:
    decision = who(speakers(("v a", at(21))), enrolled(anna=at(0), bert=at(44)))["v a"]
    assert (told(decision), decision.decided_by) == ("ambiguous", "nothing")
    assert decision.score == pytest.approx(np.cos(np.radians(21)), abs=1e-3)
    assert decision.margin == pytest.approx(0.0137, abs=1e-3)


def test_two_people_of_one_recording_name_nobody() -> None:
    assert told(who(speakers(("v a", at(0))), enrolled(anna=at(0), bert=at(0)))["v a"]) == "ambiguous"


# --- what cannot be told -------------------------------------------------------------------------------------------------


def test_too_short_is_unknown_however_alike() -> None:
    found = who(speakers(("v a", at(0)), ("w b", at(0)), clear_s={"v a": 1.99, "w b": 2.0}), enrolled(anna=at(0)))
    assert [told(decision) for decision in found.values()] == ["too short", ANNA]
    assert (found["v a"].score, found["v a"].margin) == (None, None)


@pytest.mark.parametrize("vector", [[0, 0, 0], [np.nan, 1, 0], [np.inf, 0, 0]])
def test_a_vector_that_says_nothing_is_unknown_and_spoils_nobody_else(vector: list[float]) -> None:
    found = who(speakers(("v a", vector), ("v b", at(0)), ("w c", at(90)), ("x d", at(91))), enrolled(anna=at(0)))
    assert [told(decision) for decision in found.values()] == ["no vector", ANNA, "voice", "voice"]
    assert found["w c"].cluster == found["x d"].cluster


def test_what_stands_in_the_way_is_the_reason() -> None:
    found = who(speakers(("v a!", [0, 0, 0]), ("w b!", at(0)), obstacle=NO_VECTOR), enrolled(anna=at(0)))
    assert {decision.reason for decision in found.values()} == {NO_VECTOR}


def test_without_profiles_nobody_is_named_and_without_speakers_nobody_is_decided() -> None:
    assert told(who(speakers(("v a", at(0))))["v a"]) == "voice"
    assert who(speakers(), enrolled(anna=at(0))) == {}


# --- corrections ---------------------------------------------------------------------------------------------------------


def test_a_correction_wins_over_the_profile_and_is_told_with_its_own_score() -> None:
    decision = who(speakers(("v a", at(10))), enrolled(anna=at(0), bert=at(90)), rulings({"v a": BERT}))["v a"]
    assert (decision.person_id, decision.decided_by) == (BERT, "correction")
    assert decision.score == pytest.approx(np.cos(np.radians(80)), abs=1e-3)
    assert decision.margin == pytest.approx(np.cos(np.radians(80)) - np.cos(np.radians(10)), abs=1e-3)


@pytest.mark.parametrize("given", [speakers(("v a", at(0)), clear_s=0.1), speakers(("v a", [0, 0, 0]))])
def test_a_correction_needs_neither_length_nor_vector_nor_profile(given: Speakers) -> None:
    decision = who(given, None, rulings({"v a": CLEO}))["v a"]
    assert (decision.person_id, decision.decided_by, decision.score, decision.margin) == (CLEO, "correction", None, None)


def test_a_person_without_profile_has_no_score_beside_people_who_have() -> None:
    decision = who(speakers(("v a", at(0))), enrolled(anna=at(0)), rulings({"v a": CLEO}))["v a"]
    assert (decision.person_id, decision.score, decision.margin) == (CLEO, None, None)


def test_a_contradiction_names_nobody_and_says_why() -> None:
    ruled = rulings(contradictions={"v a": "corrections 3 and 7 contradict each other"})
    decision = who(speakers(("v a", at(0)), ("w b", at(0))), enrolled(anna=at(0)), ruled)
    assert decision["v a"].reason == "contradiction: corrections 3 and 7 contradict each other"
    assert (told(decision["v a"]), told(decision["w b"])) == ("contradiction", ANNA)


def test_never_takes_the_person_out_and_holds_the_next_to_the_same_rules() -> None:
    known = enrolled(anna=at(0), bert=at(30), cleo=at(55))
    assert told(who(speakers(("v a", at(5))), enrolled(anna=at(0), bert=at(30)), rulings(never={"v a": {ANNA}}))["v a"]) == BERT
    assert told(who(speakers(("v a", at(42))), known, rulings(never={"v a": {ANNA}}))["v a"]) == "ambiguous"
    assert told(who(speakers(("v a", at(-80))), known, rulings(never={"v a": {ANNA}}))["v a"]) == "voice"
    assert told(who(speakers(("v a", at(0))), known, rulings(never={"v a": {ANNA, BERT, CLEO}}))["v a"]) == "voice"


def test_never_of_the_second_leaves_no_doubt_about_the_first() -> None:
    known = enrolled(anna=at(0), bert=at(40))
    assert told(who(speakers(("v a", at(19))), known)["v a"]) == "ambiguous"
    assert told(who(speakers(("v a", at(19))), known, rulings(never={"v a": {BERT}}))["v a"]) == ANNA


def test_the_same_as_a_person_is_that_person_by_correction() -> None:
    given = speakers(("v a", at(0)), ("w b", at(90)), ("x c", at(0)), clear_s={"x c": 0.5})
    found = who(given, enrolled(anna=at(0)), rulings(same=[("v a", "w b"), ("w b", "x c")]))
    assert [(told(one), one.decided_by) for one in found.values()] == [
        (ANNA, "profile"), (ANNA, "correction"), (ANNA, "correction"),
    ]  # fmt: skip


def test_one_voice_near_to_two_people_is_nobody() -> None:
    given = speakers(("v a", at(0)), ("w b", at(90)), ("x c", at(180)))
    ruled = rulings(same=[("v a", "w b"), ("w b", "x c")])
    assert {told(one) for one in who(given, enrolled(anna=at(0), bert=at(90)), ruled).values()} == {"contradiction"}


def test_those_said_to_be_one_voice_are_one_even_where_they_are_too_short() -> None:
    given = speakers(("v a", at(0)), ("w b", at(90)), ("x c", at(180)), ("y d!", [0, 0, 0]), clear_s={"x c": 1.0})
    found = who(given, None, rulings(same=[("v a", "w b"), ("w b", "x c"), ("x c", "y d!")]))
    assert len({one.cluster for one in found.values()}) == 1
    assert [one.decided_by for one in found.values()] == ["voice", "voice", "correction", "correction"]


def test_two_too_short_to_tell_are_a_voice_of_their_own_by_correction() -> None:
    given = speakers(("v a", at(0)), ("w b", at(0)), ("x c", at(0)), clear_s=1.0)
    found = who(given, None, rulings(same=[("v a", "w b")]))
    assert found["v a"].cluster == found["w b"].cluster is not None
    assert told(found["x c"]) == "too short"


def test_those_said_to_be_different_are_two_voices() -> None:
    given = speakers(("v a", at(0)), ("w b", at(0)), ("x c", at(0)))
    found = who(given, None, rulings(different=[("v a", "w b")]))
    assert found["v a"].cluster != found["w b"].cluster


def test_of_two_said_to_be_different_the_nearer_keeps_the_person() -> None:
    given = speakers(("v a", at(20)), ("w b", at(10)), ("x c", at(5)))
    found = who(given, enrolled(anna=at(0)), rulings(different=[("v a", "w b")]))
    assert [told(one) for one in found.values()] == ["contested", ANNA, ANNA]


def test_different_from_the_same_is_different() -> None:
    """The first two are one voice, the third differs from the second: it is not the first's person either."""
    given = speakers(("v a", at(0)), ("w b", at(90)), ("x c", at(5)))
    ruled = rulings(same=[("v a", "w b")], different=[("w b", "x c")])
    assert [told(one) for one in who(given, enrolled(anna=at(0)), ruled).values()] == [ANNA, ANNA, "contested"]


def test_rulings_about_speakers_that_are_gone_bind_nobody() -> None:
    gone = rulings({"z z": ANNA}, {"z z": {ANNA}}, [("v a", "z z")], [("z z", "v a")], {"z y": "corrections 1 and 2"})
    assert told(who(speakers(("v a", at(0))), enrolled(anna=at(0)), gone)["v a"]) == ANNA


# --- one video -----------------------------------------------------------------------------------------------------------


def test_one_person_is_not_two_speakers_of_a_video_and_the_nearer_keeps_him() -> None:
    found = who(speakers(("v a", at(50)), ("v b", at(-30)), ("w c", at(50))), enrolled(anna=at(0)))
    assert [told(one) for one in found.values()] == ["contested", ANNA, ANNA]
    assert found["v a"].score == pytest.approx(np.cos(np.radians(50)), abs=1e-3)


def test_a_person_whom_the_diarization_split_is_both() -> None:
    assert {told(one) for one in who(speakers(("v a", at(29)), ("v b", at(-30))), enrolled(anna=at(0))).values()} == {ANNA}


def test_a_third_must_be_like_both() -> None:
    found = who(speakers(("v a", at(0)), ("v b", at(35)), ("v c", at(-36))), enrolled(anna=at(0)))
    assert [told(one) for one in found.values()] == [ANNA, ANNA, "contested"]


def test_who_a_correction_named_is_never_contested_but_contests() -> None:
    found = who(speakers(("v a", at(90)), ("v b", at(0))), enrolled(anna=at(0)), rulings({"v a": ANNA}))
    assert [told(one) for one in found.values()] == [ANNA, "contested"]


def test_two_whom_corrections_named_are_both_that_person_however_unlike() -> None:
    given = speakers(("v a", at(0)), ("v b", at(90)))
    found = who(given, enrolled(anna=at(0)), rulings({"v a": ANNA, "v b": ANNA}))
    assert [(told(one), one.decided_by) for one in found.values()] == [(ANNA, "correction")] * 2


def test_who_is_too_short_to_tell_contests_nobody() -> None:
    given = speakers(("v a", at(90)), ("v b", at(0)), clear_s={"v a": 1.0})
    assert [told(one) for one in who(given, enrolled(anna=at(0)), rulings({"v a": ANNA})).values()] == [ANNA, ANNA]


def test_two_whom_a_correction_makes_one_do_not_contest_each_other() -> None:
    found = who(speakers(("v a", at(50)), ("v b", at(-30))), enrolled(anna=at(0)), rulings(same=[("v a", "v b")]))
    assert [told(one) for one in found.values()] == [ANNA, ANNA]


def test_a_group_that_loses_its_person_loses_it_as_a_whole() -> None:
    given = speakers(("v a", at(50)), ("v b", at(-30)), ("w c", at(170)))
    found = who(given, enrolled(anna=at(0)), rulings(same=[("v a", "w c")]))
    assert [told(one) for one in found.values()] == ["contested", ANNA, "contested"]


def test_who_is_known_is_not_part_of_any_anonymous_voice() -> None:
    found = who(speakers(("v a", at(59)), ("w b", at(61)), ("x c", at(65))), enrolled(anna=at(0)))
    assert [told(one) for one in found.values()] == [ANNA, "voice", "voice"]
    assert found["w b"].score == pytest.approx(np.cos(np.radians(4)), abs=1e-3)


# --- whatever comes ------------------------------------------------------------------------------------------------------

VECTORS = st.one_of(
    st.integers(0, 359).map(at), st.tuples(st.integers(0, 359), st.integers(0, 3)).map(lambda pair: at(*pair)),
    st.just([0.0, 0.0, 0.0]), st.just([np.nan, 0.0, 1.0]),
)  # fmt: skip
NAMES = st.tuples(st.sampled_from("vwxyz"), st.sampled_from("abc")).map(" ".join)
SPEAKERS = st.dictionaries(NAMES, st.tuples(VECTORS, st.sampled_from([0.0, 1.9, 2.0, 60.0])), max_size=10)
PEOPLE = st.dictionaries(st.sampled_from(["anna", "bert", "cleo"]), st.integers(0, 359).map(at))
RULED = st.builds(
    rulings,
    never=st.dictionaries(NAMES, st.sets(st.sampled_from([ANNA, BERT, CLEO])), max_size=3),
    same=st.lists(st.tuples(NAMES, NAMES).filter(lambda pair: pair[0] < pair[1]), max_size=2),
)


@settings(deadline=None, max_examples=150)
@given(SPEAKERS, PEOPLE, RULED, st.randoms(use_true_random=False))
def test_every_name_has_its_ground_and_the_order_does_not_matter(
    found: dict, people: dict, ruled: IdentityConstraints, random
) -> None:
    names = list(found)
    random.shuffle(names)
    seconds = {name: found[name][1] for name in names}
    given = speakers(*((name, found[name][0]) for name in names), clear_s=seconds or 10.0)
    known = enrolled(**people)
    decided = who(given, known.sample(frac=1, random_state=random.randrange(99)), ruled)
    assert decided == who(speakers(*((name, found[name][0]) for name in found), clear_s=seconds or 10.0), known, ruled)
    in_groups = {name for pair in ruled.same for name in pair}
    for name, decision in decided.items():
        if decision.person_id is not None and decision.decided_by == "profile":
            assert decision.score is not None and decision.score >= LIMITS.threshold  # noqa: PT018
            assert decision.margin is None or decision.margin >= LIMITS.margin
            assert seconds[name] >= 2.0
            assert decision.person_id not in ruled.never.get(key(name), ())
        assert (decision.decided_by == "nothing") == bool(decision.reason)
        assert decision.person_id is None or decision.cluster is None
        assert decision.decided_by != "correction" or key(name) in in_groups


# --- numbers -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clusters", "before", "kept"),
    [
        ([0, 0, 0], [7, 7, 3], {0: 7}),
        ([0, 0], [7, 3], {0: 3}),
        ([0, 0, 1], [7, 7, 7], {0: 7}),
        ([0, 1, 1], [7, 7, 7], {1: 7}),
        ([0, 1], [7, 7], {0: 7}),
        ([0, 0, 0, 1, 1], [7, 7, 3, 7, 3], {0: 7, 1: 3}),
        ([0, None, 1], [None, 7, None], {}),
    ],
)
def test_a_cluster_keeps_the_number_of_most_of_its_members(clusters: list, before: list, kept: dict) -> None:
    assert kept_voice_ids(clusters, before) == kept


def test_new_numbers_are_given_in_the_order_of_publication() -> None:
    assert clusters_without_id([0, 1, None, 0, 3], {3: 5}, [9, 4, 0, 2, 1]) == [0, 1]
    assert clusters_without_id([0, 1, None, 0, 3], {}, [9, 4, 0, 5, 1]) == [3, 1, 0]
