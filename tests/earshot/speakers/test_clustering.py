"""Clustering: exact over components, whatever the order, and incrementally the same as all at once."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage

from earshot.speakers.voices.clustering import Clustering, Nodes, cluster, empty_clustering
from earshot.speakers.voices.cosine import SCALE, as_cosine, as_product, is_usable, quantize, quantized_dot

THRESHOLD = 0.5
DIMENSION = 12


def voices(people: list[int], seed: int = 0, likeness: float = 0.7, dimension: int = DIMENSION) -> np.ndarray:
    """A vector for each: those of one person have about this cosine, those of two about none."""
    generator = np.random.default_rng(seed)
    own = generator.standard_normal((max(people, default=0) + 1, dimension)) / np.sqrt(dimension)
    noise = generator.standard_normal((len(people), dimension)) / np.sqrt(dimension)
    return own[people] * likeness**0.5 + noise * (1 - likeness) ** 0.5


def keys(count: int, speakers: int = 1) -> list[tuple[str, str]]:
    return [(f"video {index // speakers:05d}", str(index % speakers)) for index in range(count)]


def nodes(vectors: np.ndarray, speakers: int = 1, **constraints: set[tuple[int, int]]) -> Nodes:
    pairs = {kind: frozenset(given) for kind, given in constraints.items()}
    return Nodes(keys(len(vectors), speakers), quantize(vectors), **pairs)


def parts(found: Clustering) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(found.cluster == label).tolist()) for label in set(found.cluster.tolist())}


def at_angles(*degrees: float) -> np.ndarray:
    """Vectors in a plane."""
    return np.array([[np.cos(np.radians(angle)), np.sin(np.radians(angle))] for angle in degrees])


# --- cosine --------------------------------------------------------------------------------------------------------------


def test_a_product_is_the_same_in_whatever_company_it_is_computed() -> None:
    grid = quantize(voices([*range(40)] * 5, dimension=192))
    whole = quantized_dot(grid, grid)
    for a, b in [(0, 1), (7, 190)]:
        assert np.array_equal(quantized_dot(grid[a : a + 1], grid[b : b + 3]), whole[a : a + 1, b : b + 3])
    assert np.array_equal(quantized_dot(grid[::-1, ::-1], grid[:, ::-1]), whole[::-1])
    assert np.array_equal(whole, np.rint(whole))


@pytest.mark.parametrize("dimension", [2, 192, 512])
def test_the_grid_costs_less_than_a_thousandth_of_a_cosine(dimension: int) -> None:
    vectors = voices([0] * 50 + [1] * 50, dimension=dimension)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    grid = quantize(vectors)
    assert np.abs(as_cosine(quantized_dot(grid, grid)) - unit @ unit.T).max() < 1e-3
    assert as_cosine(np.diag(quantized_dot(grid, grid))).max() <= 1.0


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_vector_without_direction_is_refused(value: float) -> None:
    vectors = np.stack([np.ones(3), np.full(3, value)])
    assert is_usable(vectors).tolist() == [True, False]
    with pytest.raises(ValueError, match="no direction"):
        quantize(vectors)


# --- what a voice is -----------------------------------------------------------------------------------------------------


def test_those_of_one_voice_are_one_cluster_and_others_are_not() -> None:
    people = [0, 1, 0, 2, 1, 0]
    assert parts(cluster(nodes(voices(people, dimension=192)), THRESHOLD)) == {
        frozenset({0, 2, 5}), frozenset({1, 4}), frozenset({3}),
    }  # fmt: skip


def test_a_chain_of_likenesses_does_not_join_its_ends() -> None:
    found = cluster(nodes(at_angles(0, 38, 80, 118)), THRESHOLD)
    assert len(set(found.component)) == 1
    assert parts(found) == {frozenset({0, 1}), frozenset({2, 3})}


def test_the_score_is_the_mean_to_the_others_and_the_margin_the_distance_to_the_next_voice() -> None:
    found = cluster(nodes(at_angles(0, 10, 55, 65)), 0.7)
    near = (np.cos(np.radians(55)) + np.cos(np.radians(65))) / 2
    assert parts(found) == {frozenset({0, 1}), frozenset({2, 3})}
    assert found.score[0] == pytest.approx(np.cos(np.radians(10)), abs=1e-3)
    assert found.margin[0] == pytest.approx(np.cos(np.radians(10)) - near, abs=1e-3)


def test_who_is_alone_has_neither_score_nor_margin() -> None:
    found = cluster(nodes(at_angles(0, 90)), THRESHOLD)
    assert np.isnan(found.score).all()
    assert np.isnan(found.margin).all()


def test_the_only_voice_of_its_component_has_no_margin() -> None:
    found = cluster(nodes(at_angles(0, 10)), THRESHOLD)
    assert found.score[0] == pytest.approx(0.985, abs=1e-3)
    assert np.isnan(found.margin).all()


def test_a_pair_exactly_at_the_threshold_is_one_voice() -> None:
    vectors = quantize(at_angles(0, 60))
    exact = float(quantized_dot(vectors, vectors)[0, 1])
    assert as_product(0.5) == SCALE / 2
    assert len(parts(cluster(Nodes(keys(2), vectors), exact / SCALE))) == 1
    assert len(parts(cluster(Nodes(keys(2), vectors), (exact + 1) / SCALE))) == 2


def test_nobody_is_no_voice() -> None:
    found = cluster(Nodes([], np.zeros((0, 4), np.float32)), THRESHOLD)
    assert (len(found.cluster), found.clustered) == (0, 0)


@pytest.mark.parametrize("seed", range(8))
def test_by_components_it_is_what_clustering_everything_at_once_is(seed: int) -> None:
    people = np.random.default_rng(seed).integers(0, 25, 120).tolist()
    vectors = quantize(voices(people, seed, likeness=0.55, dimension=32))
    found = cluster(Nodes(keys(120), vectors), THRESHOLD)
    at_once = np.maximum(SCALE - quantized_dot(vectors, vectors).astype(np.float64), 0)[np.triu_indices(120, 1)]
    labels = fcluster(linkage(at_once, "average"), SCALE - as_product(THRESHOLD), "distance")
    assert parts(found) == {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels)}
    assert 1 < len(set(found.component)) < len(parts(found)) < 120  # so that components do hold several voices


def test_tiles_smaller_than_the_library_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    given = nodes(voices([*range(20)] * 5, likeness=0.6), speakers=3)
    whole = cluster(given, THRESHOLD)
    monkeypatch.setattr("earshot.speakers.voices.clustering.TILE", 7)
    assert_same(cluster(given, THRESHOLD), whole)


# --- constraints ---------------------------------------------------------------------------------------------------------


def test_two_speakers_of_one_video_are_not_brought_together_by_a_third() -> None:
    third = at_angles(0, 80, 40)
    assert parts(cluster(nodes(third, speakers=2), 0.3)) != parts(cluster(nodes(third), 0.3))
    assert not any({0, 1} <= part for part in parts(cluster(nodes(third, speakers=2), 0.3)))
    assert parts(cluster(nodes(third), 0.3)) == {frozenset({0, 1, 2})}


def test_two_speakers_of_one_video_who_are_alike_enough_may_be_one() -> None:
    assert parts(cluster(nodes(at_angles(0, 20), speakers=2), THRESHOLD)) == {frozenset({0, 1})}


def test_those_said_to_be_the_same_are_one_voice_however_unlike() -> None:
    found = cluster(nodes(at_angles(0, 170, 90), same={(0, 1)}), THRESHOLD)
    assert parts(found) == {frozenset({0, 1}), frozenset({2})}
    assert found.component[0] == found.component[1]


def test_a_correction_joins_even_two_speakers_of_one_video() -> None:
    assert parts(cluster(nodes(at_angles(0, 170), speakers=2, same={(0, 1)}), THRESHOLD)) == {frozenset({0, 1})}


def test_those_said_to_be_different_are_not_one_voice_however_alike() -> None:
    assert parts(cluster(nodes(at_angles(0, 0), different={(0, 1)}), THRESHOLD)) == {frozenset({0}), frozenset({1})}


def test_different_holds_for_all_that_are_the_same() -> None:
    """0 and 1 are the same, 1 and 2 differ: 0 is not 2 either, though they are alike."""
    found = cluster(nodes(at_angles(0, 30, 1), same={(0, 1)}, different={(1, 2)}), THRESHOLD)
    assert parts(found) == {frozenset({0, 1}), frozenset({2})}


def test_who_is_the_same_counts_with_all_its_members() -> None:
    """Alone, 0 would take 2 with it; with 1, which is far from 2, the two are too unlike on average."""
    assert parts(cluster(nodes(at_angles(0, 100, 50)), THRESHOLD)) != {frozenset({0, 1}), frozenset({2})}
    assert parts(cluster(nodes(at_angles(0, 150, 50), same={(0, 1)}), THRESHOLD)) == {frozenset({0, 1}), frozenset({2})}


@pytest.mark.parametrize("same", [{(0, 1)}, {(0, 2), (1, 2)}])
def test_the_same_and_different_is_refused(same: set[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="same and different"):
        cluster(nodes(at_angles(0, 0, 0), same=same, different={(0, 1)}), THRESHOLD)


def test_unsorted_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="sorted"):
        cluster(Nodes(keys(2)[::-1], quantize(at_angles(0, 0))), THRESHOLD)


# --- large components ----------------------------------------------------------------------------------------------------


def test_a_component_above_the_limit_is_split_and_nothing_is_joined_that_was_not() -> None:
    given = nodes(voices([0] * 40 + [1] * 30, likeness=0.8), speakers=2)
    whole, split = cluster(given, THRESHOLD), cluster(given, THRESHOLD, largest=12)
    assert len(parts(split)) > len(parts(whole))
    assert all(any(part <= voice for voice in parts(whole)) for part in parts(split))
    assert 1 < max(map(len, parts(split))) <= 12
    assert np.array_equal(split.component, whole.component)


def test_even_ten_thousand_equal_vectors_end_and_what_is_the_same_is_not_parted() -> None:
    given = nodes(np.ones((60, 4)), same={(3, 9), (9, 50)})
    assert frozenset({3, 9, 50}) in parts(cluster(given, THRESHOLD, largest=10))


# --- order, and what has changed -----------------------------------------------------------------------------------------


def assert_same(one: Clustering, other: Clustering) -> None:
    for name in ("component", "cluster", "score", "margin"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


class Library:
    """Local speakers that come, go and change, in a number of people's voices; constraints by key."""

    def __init__(self) -> None:
        self.vectors: dict[tuple[str, str], np.ndarray] = {}
        self.pairs: dict[str, set[frozenset[tuple[str, str]]]] = {"same": set(), "different": set()}

    def apply(self, step: tuple[str, int, int, int]) -> None:
        kind, video, speaker, seed = step
        key = (f"v{video}", str(speaker))
        if kind == "put":
            self.vectors[key] = voices([seed % 7], seed, likeness=0.6) + voices([seed % 7], 99, likeness=1.0)
        elif kind == "remove":
            self.vectors.pop(key, None)
        else:
            pair = frozenset({key, (f"v{seed % 6}", str(seed % 2))})
            self.pairs[kind] ^= {pair} if len(pair) == 2 else set()

    def nodes(self) -> Nodes:
        ordered = sorted(self.vectors)
        place = {key: index for index, key in enumerate(ordered)}
        found = {
            kind: {(place[one], place[other]) for one, other in map(sorted, pairs) if {one, other} <= place.keys()}
            for kind, pairs in self.pairs.items()
        }
        vectors = np.concatenate([np.zeros((0, DIMENSION)), *(self.vectors[key] for key in ordered)])
        given = Nodes(ordered, quantize(vectors), frozenset(found["same"]))
        together = said_to_be_one(given)
        apart = {pair for pair in found["different"] if not any(set(pair) <= part for part in together)}
        return replace(given, different=frozenset(apart))


def said_to_be_one(given: Nodes) -> set[frozenset[int]]:
    return parts(cluster(Nodes(given.keys, given.vectors, given.same), 2.0))  # which nothing else reaches


def carried(keys_now: list, keys_before: list, found: Clustering) -> Clustering:
    """What is remembered of the last time, under arbitrary numbers of voices."""
    before, place = empty_clustering(len(keys_now)), {key: index for index, key in enumerate(keys_before)}
    for index, key in enumerate(keys_now):
        if key in place:
            before.component[index] = found.component[place[key]]
            before.cluster[index] = 1000 - found.cluster[place[key]]
            before.score[index] = found.score[place[key]]
            before.margin[index] = found.margin[place[key]]
    return before


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "put", "remove", "same", "different"]),
        st.integers(0, 5), st.integers(0, 1), st.integers(0, 60),
    ),
    min_size=1, max_size=14,
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(st.lists(STEPS, min_size=1, max_size=5))
def test_whatever_came_went_or_changed_it_is_what_clustering_everything_gives(batches: list) -> None:
    library, keys_before, found = Library(), [], cluster(Nodes([], np.zeros((0, DIMENSION), np.float32)), THRESHOLD)
    for batch in batches:
        for step in batch:
            library.apply(step)
        given = library.nodes()
        found = cluster(given, THRESHOLD, carried(list(given.keys), keys_before, found))
        keys_before = list(given.keys)
        assert_same(found, cluster(given, THRESHOLD))
        for part in parts(found):
            assert not any(pair <= part for pair in map(frozenset, given.different))
        for one, other in combinations(range(len(given.keys)), 2):
            if given.keys[one][0] == given.keys[other][0] and found.cluster[one] == found.cluster[other]:
                alike = quantized_dot(given.vectors[one : one + 1], given.vectors[other : other + 1])[0, 0] >= as_product(
                    THRESHOLD
                )
                assert alike or any({one, other} <= group for group in said_to_be_one(given))


def test_what_did_not_change_is_not_done_again() -> None:
    vectors = voices([0, 0, 0, 1, 1, 2, 3, 3], dimension=192)
    given = nodes(vectors)
    found = cluster(given, THRESHOLD)
    again = cluster(given, THRESHOLD, found)
    assert (found.clustered, again.clustered) == (8, 0)
    assert_same(again, found)
    more = nodes(np.concatenate([vectors, voices([0, 0, 0, 1, 1, 2, 3, 3, 1], dimension=192)[-1:]]))
    grown = cluster(more, THRESHOLD, carried(list(more.keys), list(given.keys), found))
    assert grown.clustered == 3  # the new one, and the two whose voice it is
    assert_same(grown, cluster(more, THRESHOLD))


@pytest.mark.parametrize(
    "changed",
    [
        lambda given: (given, 0.6),
        lambda given: (replace(given, same=frozenset({(0, 3)})), THRESHOLD),
        lambda given: (replace(given, different=frozenset({(0, 1)})), THRESHOLD),
    ],
)
def test_another_threshold_or_constraint_is_noticed(changed) -> None:
    given = nodes(voices([0, 0, 0, 1, 1, 2], dimension=192))
    found = cluster(given, THRESHOLD)
    other, threshold = changed(given)
    after = cluster(other, threshold, found)
    assert after.clustered > 0
    assert_same(after, cluster(other, threshold))
    assert_same(cluster(given, THRESHOLD, after), found)  # and so is taking it back


def test_a_component_that_lost_what_held_it_together_falls_apart() -> None:
    given = nodes(at_angles(0, 45, 90))
    found = cluster(given, 0.6)
    assert len(set(found.component)) == 1
    left = Nodes([given.keys[0], given.keys[2]], given.vectors[[0, 2]])
    after = cluster(left, 0.6, carried(list(left.keys), list(given.keys), found))
    assert len(set(after.component)) == 2
    assert_same(after, cluster(left, 0.6))
