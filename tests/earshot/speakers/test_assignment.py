"""Assignment: which person or anonymous voice a local speaker is, and why."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earshot.models.registry import Thresholds
from earshot.speakers.tables.identities import NO_VECTOR
from earshot.speakers.voices.assignment import Assignment, assign
from earshot.speakers.voices.identity_constraints import IdentityConstraints
from earshot.speakers.voices.profiles import profiles_of
from earshot.speakers.voices.speakers import Key, Speakers, kind_of
from earshot.speakers.voices.voice_ids import clusters_without_id, kept_voice_ids

LIMITS = Thresholds(threshold=0.5, margin=0.1, source="this test")
NO_CONSTRAINTS = IdentityConstraints({}, {}, frozenset(), frozenset(), {})
ANNA, BERT, CLEO = 3, 7, 12
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def at(degrees: float, lift: float = 0.0) -> list[float]:
    """A vector in a plane, lifted out of it."""
    return [np.cos(np.radians(degrees)), np.sin(np.radians(degrees)), lift]


def make_speakers(
    *named: tuple[str, Sequence[float]], clear_s: float | dict[str, float] = 10.0, obstacle: str = ""
) -> Speakers:
    """Local speakers named "video speaker" with their vectors; those whose name ends in "!" have the obstacle."""
    ordered = sorted(named)
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


def make_constraints(
    named: dict[str, int] | None = None,
    never: dict[str, set[int]] | None = None,
    same: Sequence[tuple[str, str]] = (),
    different: Sequence[tuple[str, str]] = (),
    contradictions: dict[str, str] | None = None,
) -> IdentityConstraints:
    return IdentityConstraints(
        {key(name): person for name, person in (named or {}).items()},
        {key(name): frozenset(people) for name, people in (never or {}).items()},
        frozenset((key(first), key(second)) for first, second in same),
        frozenset((key(first), key(second)) for first, second in different),
        {key(name): text for name, text in (contradictions or {}).items()},
    )


def decide(
    speakers: Speakers, known: pd.DataFrame | None = None, constraints: IdentityConstraints = NO_CONSTRAINTS
) -> dict[str, Assignment]:
    profiles = profiles_of(enrolled() if known is None else known, 3)
    assigned = assign(speakers, profiles, constraints, LIMITS)
    return {" ".join(name): decision for name, decision in zip(speakers.keys, assigned.decisions, strict=True)}


def outcome(decision: Assignment) -> int | str:
    """The person, else "voice", else the kind of reason."""
    if decision.person_id is not None:
        return decision.person_id
    return "voice" if decision.cluster is not None else kind_of(decision.reason)


def outcomes(decisions: dict[str, Assignment]) -> list[int | str]:
    return [outcome(decision) for decision in decisions.values()]


# --- profiles ------------------------------------------------------------------------------------------------------------


def test_profile_weighs_samples_by_seconds() -> None:
    samples = enrolled(anna=at(0), bert=at(90))
    samples["person_id"], samples["seconds"] = ANNA, [30.0, 10.0]
    samples["embedding"] = [samples.embedding[0] * 5.0, samples.embedding[1]]  # length does not count
    profiles = profiles_of(samples, 3)
    assert profiles.people.tolist() == [ANNA]
    assert profiles.vectors[0] / 4000 == pytest.approx([3 / 10**0.5, 1 / 10**0.5, 0], abs=1e-3)


def test_unusable_samples_give_no_profile() -> None:
    unusable = pd.concat(
        [enrolled(anna=[0, 0, 0]), enrolled(anna=[np.nan, 1, 0]), enrolled(bert=at(0)), enrolled(bert=at(180))]
    )
    assert profiles_of(unusable, 3).people.tolist() == []
    assert profiles_of(enrolled(), 3).vectors.shape == (0, 3)


def test_match_has_score_and_margin() -> None:
    decision = decide(make_speakers(("v a", at(10))), enrolled(anna=at(0), bert=at(90)))["v a"]
    assert (decision.person_id, decision.decided_by, decision.reason, decision.cluster) == (ANNA, "profile", "", None)
    assert decision.score == pytest.approx(np.cos(np.radians(10)), abs=1e-3)
    assert decision.margin == pytest.approx(np.cos(np.radians(10)) - np.cos(np.radians(80)), abs=1e-3)


def test_only_person_has_no_margin() -> None:
    decision = decide(make_speakers(("v a", at(40))), enrolled(anna=at(0)))["v a"]
    assert (decision.person_id, decision.margin) == (ANNA, None)


def test_match_without_margin_is_ambiguous() -> None:
    decision = decide(make_speakers(("v a", at(21))), enrolled(anna=at(0), bert=at(44)))["v a"]
    assert (outcome(decision), decision.decided_by) == ("ambiguous", "nothing")
    assert decision.score == pytest.approx(np.cos(np.radians(21)), abs=1e-3)
    assert decision.margin == pytest.approx(0.0137, abs=1e-3)
    assert outcome(decide(make_speakers(("v a", at(0))), enrolled(anna=at(0), bert=at(0)))["v a"]) == "ambiguous"


# --- unusable evidence ---------------------------------------------------------------------------------------------------


def test_short_speaker_is_unknown() -> None:
    decisions = decide(make_speakers(("v a", at(0)), ("w b", at(0)), clear_s={"v a": 1.99, "w b": 2.0}), enrolled(anna=at(0)))
    assert outcomes(decisions) == ["too short", ANNA]
    assert (decisions["v a"].score, decisions["v a"].margin) == (None, None)


@pytest.mark.parametrize("vector", [[0, 0, 0], [np.nan, 1, 0], [np.inf, 0, 0]])
def test_unusable_vector_leaves_others_alone(vector: list[float]) -> None:
    decisions = decide(make_speakers(("v a", vector), ("v b", at(0)), ("w c", at(90)), ("x d", at(91))), enrolled(anna=at(0)))
    assert outcomes(decisions) == ["no vector", ANNA, "voice", "voice"]
    assert decisions["w c"].cluster == decisions["x d"].cluster


def test_obstacle_is_the_reason() -> None:
    decisions = decide(make_speakers(("v a!", [0, 0, 0]), ("w b!", at(0)), obstacle=NO_VECTOR), enrolled(anna=at(0)))
    assert {decision.reason for decision in decisions.values()} == {NO_VECTOR}


def test_no_profiles_and_no_speakers() -> None:
    assert outcome(decide(make_speakers(("v a", at(0))))["v a"]) == "voice"
    assert decide(make_speakers(), enrolled(anna=at(0))) == {}


# --- corrections ---------------------------------------------------------------------------------------------------------


def test_correction_overrides_profile() -> None:
    decision = decide(make_speakers(("v a", at(10))), enrolled(anna=at(0), bert=at(90)), make_constraints({"v a": BERT}))["v a"]
    assert (decision.person_id, decision.decided_by) == (BERT, "correction")
    assert decision.score == pytest.approx(np.cos(np.radians(80)), abs=1e-3)
    assert decision.margin == pytest.approx(np.cos(np.radians(80)) - np.cos(np.radians(10)), abs=1e-3)


@pytest.mark.parametrize("speakers", [make_speakers(("v a", at(0)), clear_s=0.1), make_speakers(("v a", [0, 0, 0]))])
def test_correction_needs_no_evidence(speakers: Speakers) -> None:
    decision = decide(speakers, None, make_constraints({"v a": CLEO}))["v a"]
    assert (decision.person_id, decision.decided_by, decision.score, decision.margin) == (CLEO, "correction", None, None)


def test_person_without_profile_has_no_score() -> None:
    decision = decide(make_speakers(("v a", at(0))), enrolled(anna=at(0)), make_constraints({"v a": CLEO}))["v a"]
    assert (decision.person_id, decision.score, decision.margin) == (CLEO, None, None)


def test_contradiction_leaves_speaker_unnamed() -> None:
    constraints = make_constraints(contradictions={"v a": "corrections 3 and 7 contradict each other"})
    decisions = decide(make_speakers(("v a", at(0)), ("w b", at(0))), enrolled(anna=at(0)), constraints)
    assert decisions["v a"].reason == "contradiction: corrections 3 and 7 contradict each other"
    assert (outcome(decisions["v a"]), outcome(decisions["w b"])) == ("contradiction", ANNA)


@pytest.mark.parametrize(
    ("degrees", "people", "never", "expected"),
    [
        (5, {"anna": 0, "bert": 30}, {ANNA}, BERT),
        (42, {"anna": 0, "bert": 30, "cleo": 55}, {ANNA}, "ambiguous"),
        (-80, {"anna": 0, "bert": 30, "cleo": 55}, {ANNA}, "voice"),
        (0, {"anna": 0, "bert": 30, "cleo": 55}, {ANNA, BERT, CLEO}, "voice"),
        (19, {"anna": 0, "bert": 40}, set(), "ambiguous"),
        (19, {"anna": 0, "bert": 40}, {BERT}, ANNA),
    ],
)
def test_never_excludes_a_person(degrees: float, people: dict[str, int], never: set[int], expected: int | str) -> None:
    known = enrolled(**{name: at(angle) for name, angle in people.items()})
    decisions = decide(make_speakers(("v a", at(degrees))), known, make_constraints(never={"v a": never}))
    assert outcomes(decisions) == [expected]


def test_same_voice_has_the_name() -> None:
    speakers = make_speakers(("v a", at(0)), ("w b", at(90)), ("x c", at(0)), clear_s={"x c": 0.5})
    decisions = decide(speakers, enrolled(anna=at(0)), make_constraints(same=[("v a", "w b"), ("w b", "x c")]))
    assert [(outcome(decision), decision.decided_by) for decision in decisions.values()] == [
        (ANNA, "profile"), (ANNA, "correction"), (ANNA, "correction"),
    ]  # fmt: skip


def test_same_voice_of_two_people_is_a_contradiction() -> None:
    speakers = make_speakers(("v a", at(0)), ("w b", at(90)), ("x c", at(180)))
    constraints = make_constraints(same=[("v a", "w b"), ("w b", "x c")])
    assert set(outcomes(decide(speakers, enrolled(anna=at(0), bert=at(90)), constraints))) == {"contradiction"}


def test_same_voice_includes_short_speakers() -> None:
    speakers = make_speakers(("v a", at(0)), ("w b", at(90)), ("x c", at(180)), ("y d!", [0, 0, 0]), clear_s={"x c": 1.0})
    decisions = decide(speakers, None, make_constraints(same=[("v a", "w b"), ("w b", "x c"), ("x c", "y d!")]))
    assert len({decision.cluster for decision in decisions.values()}) == 1
    assert [decision.decided_by for decision in decisions.values()] == ["voice", "voice", "correction", "correction"]


def test_two_short_speakers_are_one_voice_by_correction() -> None:
    speakers = make_speakers(("v a", at(0)), ("w b", at(0)), ("x c", at(0)), clear_s=1.0)
    decisions = decide(speakers, None, make_constraints(same=[("v a", "w b")]))
    assert decisions["v a"].cluster == decisions["w b"].cluster is not None
    assert outcome(decisions["x c"]) == "too short"


def test_different_speakers_are_two_voices() -> None:
    speakers = make_speakers(("v a", at(0)), ("w b", at(0)), ("x c", at(0)))
    decisions = decide(speakers, None, make_constraints(different=[("v a", "w b")]))
    assert decisions["v a"].cluster != decisions["w b"].cluster


def test_constraints_on_missing_speakers_are_ignored() -> None:
    gone = make_constraints({"z z": ANNA}, {"z z": {ANNA}}, [("v a", "z z")], [("z z", "v a")], {"z y": "corrections 1 and 2"})
    assert outcome(decide(make_speakers(("v a", at(0))), enrolled(anna=at(0)), gone)["v a"]) == ANNA


# --- contested people ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("degrees", "constraints", "expected"),
    [
        pytest.param({"v a": 29, "v b": -30}, {}, [ANNA, ANNA], id="split by the diarization"),
        pytest.param({"v a": 0, "v b": 35, "v c": -36}, {}, [ANNA, ANNA, "contested"], id="a third unlike one of two"),
        pytest.param({"v a": 90, "v b": 0}, {"named": {"v a": ANNA}}, [ANNA, "contested"], id="unlike a named speaker"),
        pytest.param({"v short": 90, "v z": 0}, {"named": {"v short": ANNA}}, [ANNA, ANNA], id="unlike a short speaker"),
        pytest.param({"v a": 50, "v b": -30}, {"same": [("v a", "v b")]}, [ANNA, ANNA], id="same voice"),
        pytest.param(
            {"v a": 50, "v b": -30, "w c": 170}, {"same": [("v a", "w c")]}, ["contested", ANNA, "contested"], id="whole group"
        ),
        pytest.param(
            {"v a": 20, "w b": 10, "x c": 5}, {"different": [("v a", "w b")]}, ["contested", ANNA, ANNA], id="different"
        ),
        pytest.param(
            {"v a": 0, "w b": 90, "x c": 5}, {"same": [("v a", "w b")], "different": [("w b", "x c")]},
            [ANNA, ANNA, "contested"], id="different from a group",
        ),
    ],
)  # fmt: skip
def test_speakers_contest_a_person(degrees: dict[str, int], constraints: dict[str, Any], expected: list[int | str]) -> None:
    seconds = {name: 1.0 if name == "v short" else 10.0 for name in degrees}
    speakers = make_speakers(*((name, at(angle)) for name, angle in degrees.items()), clear_s=seconds)
    assert outcomes(decide(speakers, enrolled(anna=at(0)), make_constraints(**constraints))) == expected


def test_named_speakers_do_not_contest_each_other() -> None:
    decisions = decide(
        make_speakers(("v a", at(0)), ("v b", at(90))), enrolled(anna=at(0)), make_constraints({"v a": ANNA, "v b": ANNA})
    )
    assert [(decision.person_id, decision.decided_by) for decision in decisions.values()] == [(ANNA, "correction")] * 2


def test_contested_speaker_keeps_its_score() -> None:
    decisions = decide(make_speakers(("v a", at(50)), ("v b", at(-30)), ("w c", at(50))), enrolled(anna=at(0)))
    assert outcomes(decisions) == ["contested", ANNA, ANNA]
    assert decisions["v a"].score == pytest.approx(np.cos(np.radians(50)), abs=1e-3)


def test_named_speaker_is_in_no_anonymous_voice() -> None:
    decisions = decide(make_speakers(("v a", at(59)), ("w b", at(61)), ("x c", at(65))), enrolled(anna=at(0)))
    assert outcomes(decisions) == [ANNA, "voice", "voice"]
    assert decisions["w b"].score == pytest.approx(np.cos(np.radians(4)), abs=1e-3)


# --- any speakers --------------------------------------------------------------------------------------------------------

VECTORS = st.one_of(
    st.integers(0, 359).map(at), st.tuples(st.integers(0, 359), st.integers(0, 3)).map(lambda pair: at(*pair)),
    st.just([0.0, 0.0, 0.0]), st.just([np.nan, 0.0, 1.0]),
)  # fmt: skip
NAMES = st.tuples(st.sampled_from("vwxyz"), st.sampled_from("abc")).map(" ".join)
SPEAKERS = st.dictionaries(NAMES, st.tuples(VECTORS, st.sampled_from([0.0, 1.9, 2.0, 60.0])), max_size=10)
PEOPLE = st.dictionaries(st.sampled_from(["anna", "bert", "cleo"]), st.integers(0, 359).map(at))
CONSTRAINTS = st.builds(
    make_constraints,
    never=st.dictionaries(NAMES, st.sets(st.sampled_from([ANNA, BERT, CLEO])), max_size=3),
    same=st.lists(st.tuples(NAMES, NAMES).filter(lambda pair: pair[0] < pair[1]), max_size=2),
)


@settings(deadline=None, max_examples=150)
@given(SPEAKERS, PEOPLE, CONSTRAINTS, st.randoms(use_true_random=False))
def test_every_decision_is_justified_in_any_order(drawn: dict, people: dict, constraints: IdentityConstraints, random) -> None:
    names = list(drawn)
    random.shuffle(names)
    seconds = {name: drawn[name][1] for name in names}
    ordered, shuffled = (
        make_speakers(*((name, drawn[name][0]) for name in order), clear_s=seconds or 10.0) for order in (drawn, names)
    )
    known = enrolled(**people)
    decisions = decide(shuffled, known.sample(frac=1, random_state=random.randrange(99)), constraints)
    assert decisions == decide(ordered, known, constraints)
    in_groups = {name for pair in constraints.same for name in pair}
    for name, decision in decisions.items():
        if decision.person_id is not None and decision.decided_by == "profile":
            assert decision.score is not None and decision.score >= LIMITS.threshold  # noqa: PT018
            assert decision.margin is None or decision.margin >= LIMITS.margin
            assert seconds[name] >= 2.0
            assert decision.person_id not in constraints.never.get(key(name), ())
        assert (decision.decided_by == "nothing") == bool(decision.reason)
        assert decision.person_id is None or decision.cluster is None
        assert decision.decided_by != "correction" or key(name) in in_groups


# --- voice ids -----------------------------------------------------------------------------------------------------------


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
def test_cluster_keeps_its_most_common_voice_id(clusters: list, before: list, kept: dict) -> None:
    assert kept_voice_ids(clusters, before) == kept


def test_new_voice_ids_follow_publication() -> None:
    assert clusters_without_id([0, 1, None, 0, 3], {3: 5}, [9, 4, 0, 2, 1]) == [0, 1]
    assert clusters_without_id([0, 1, None, 0, 3], {}, [9, 4, 0, 5, 1]) == [3, 1, 0]
