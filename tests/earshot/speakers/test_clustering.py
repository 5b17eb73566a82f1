"""Clustering: by components and incrementally, the clusters are those of clustering everything at once."""

from dataclasses import replace
from itertools import combinations
from typing import Any

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
    """One vector per entry: about `likeness` is the cosine within a person, about 0 that between people."""
    generator = np.random.default_rng(seed)
    own = generator.standard_normal((max(people, default=0) + 1, dimension)) / np.sqrt(dimension)
    noise = generator.standard_normal((len(people), dimension)) / np.sqrt(dimension)
    return own[people] * likeness**0.5 + noise * (1 - likeness) ** 0.5


def keys(count: int, speakers: int = 1) -> list[tuple[str, str]]:
    return [(f"video {index // speakers:05d}", str(index % speakers)) for index in range(count)]


def nodes(vectors: np.ndarray, speakers: int = 1, **constraints: set[tuple[int, int]]) -> Nodes:
    pairs = {kind: frozenset(indices) for kind, indices in constraints.items()}
    return Nodes(keys(len(vectors), speakers), quantize(vectors), **pairs)


def parts(clustering: Clustering) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(clustering.cluster == label).tolist()) for label in set(clustering.cluster.tolist())}


def at_angles(*degrees: float) -> np.ndarray:
    """Vectors in a plane."""
    return np.array([[np.cos(np.radians(angle)), np.sin(np.radians(angle))] for angle in degrees])


# --- cosine --------------------------------------------------------------------------------------------------------------


def test_product_does_not_depend_on_its_batch() -> None:
    grid = quantize(voices([*range(40)] * 5, dimension=192))
    whole = quantized_dot(grid, grid)
    for a, b in [(0, 1), (7, 190)]:
        assert np.array_equal(quantized_dot(grid[a : a + 1], grid[b : b + 3]), whole[a : a + 1, b : b + 3])
    assert np.array_equal(quantized_dot(grid[::-1, ::-1], grid[:, ::-1]), whole[::-1])
    assert np.array_equal(whole, np.rint(whole))


@pytest.mark.parametrize("dimension", [2, 192, 512])
def test_quantized_cosine_is_off_by_less_than_a_thousandth(dimension: int) -> None:
    vectors = voices([0] * 50 + [1] * 50, dimension=dimension)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    grid = quantize(vectors)
    assert np.abs(as_cosine(quantized_dot(grid, grid)) - unit @ unit.T).max() < 1e-3
    assert as_cosine(np.diag(quantized_dot(grid, grid))).max() <= 1.0


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_vector_without_direction_is_refused(value: float) -> None:
    vectors = np.stack([np.ones(3), np.full(3, value)])
    assert is_usable(vectors).tolist() == [True, False]
    with pytest.raises(ValueError, match="no direction"):
        quantize(vectors)


# --- voices --------------------------------------------------------------------------------------------------------------


def test_each_voice_is_one_cluster() -> None:
    people = [0, 1, 0, 2, 1, 0]
    assert parts(cluster(nodes(voices(people, dimension=192)), THRESHOLD)) == {
        frozenset({0, 2, 5}), frozenset({1, 4}), frozenset({3}),
    }  # fmt: skip


def test_chain_does_not_join_its_ends() -> None:
    clustering = cluster(nodes(at_angles(0, 38, 80, 118)), THRESHOLD)
    assert len(set(clustering.component)) == 1
    assert parts(clustering) == {frozenset({0, 1}), frozenset({2, 3})}


def test_score_and_margin() -> None:
    clustering = cluster(nodes(at_angles(0, 10, 55, 65)), 0.7)
    near = (np.cos(np.radians(55)) + np.cos(np.radians(65))) / 2
    assert parts(clustering) == {frozenset({0, 1}), frozenset({2, 3})}
    assert clustering.score[0] == pytest.approx(np.cos(np.radians(10)), abs=1e-3)
    assert clustering.margin[0] == pytest.approx(np.cos(np.radians(10)) - near, abs=1e-3)


@pytest.mark.parametrize(("degrees", "score"), [(90, np.nan), (10, np.cos(np.radians(10)))])
def test_only_voice_of_its_component_has_no_margin(degrees: float, score: float) -> None:
    clustering = cluster(nodes(at_angles(0, degrees)), THRESHOLD)
    assert clustering.score == pytest.approx([score] * 2, abs=1e-3, nan_ok=True)
    assert np.isnan(clustering.margin).all()


def test_pair_at_the_threshold_is_one_voice() -> None:
    vectors = quantize(at_angles(0, 60))
    exact = float(quantized_dot(vectors, vectors)[0, 1])
    assert as_product(0.5) == SCALE / 2
    assert len(parts(cluster(Nodes(keys(2), vectors), exact / SCALE))) == 1
    assert len(parts(cluster(Nodes(keys(2), vectors), (exact + 1) / SCALE))) == 2


def test_no_speakers_give_no_clusters() -> None:
    clustering = cluster(Nodes([], np.zeros((0, 4), np.float32)), THRESHOLD)
    assert (len(clustering.cluster), clustering.clustered) == (0, 0)


@pytest.mark.parametrize("seed", range(8))
def test_clusters_are_those_of_scipy(seed: int) -> None:
    people = np.random.default_rng(seed).integers(0, 25, 120).tolist()
    vectors = quantize(voices(people, seed, likeness=0.55, dimension=32))
    clustering = cluster(Nodes(keys(120), vectors), THRESHOLD)
    at_once = np.maximum(SCALE - quantized_dot(vectors, vectors).astype(np.float64), 0)[np.triu_indices(120, 1)]
    labels = fcluster(linkage(at_once, "average"), SCALE - as_product(THRESHOLD), "distance")
    assert parts(clustering) == {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels)}
    assert 1 < len(set(clustering.component)) < len(parts(clustering)) < 120  # so that components do hold several voices


def test_small_tiles_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    speakers = nodes(voices([*range(20)] * 5, likeness=0.6), speakers=3)
    whole = cluster(speakers, THRESHOLD)
    monkeypatch.setattr("earshot.speakers.voices.clustering.TILE", 7)
    assert_same(cluster(speakers, THRESHOLD), whole)


# --- constraints ---------------------------------------------------------------------------------------------------------


def test_third_speaker_does_not_join_two_of_one_video() -> None:
    third = at_angles(0, 80, 40)
    assert parts(cluster(nodes(third, speakers=2), 0.3)) != parts(cluster(nodes(third), 0.3))
    assert not any({0, 1} <= part for part in parts(cluster(nodes(third, speakers=2), 0.3)))
    assert parts(cluster(nodes(third), 0.3)) == {frozenset({0, 1, 2})}


def test_same_joins_unlike_speakers() -> None:
    clustering = cluster(nodes(at_angles(0, 170, 90), same={(0, 1)}), THRESHOLD)
    assert parts(clustering) == {frozenset({0, 1}), frozenset({2})}
    assert clustering.component[0] == clustering.component[1]


@pytest.mark.parametrize(
    ("degrees", "speakers", "constraints", "joined"),
    [
        pytest.param(20, 2, {}, True, id="similar speakers of one video"),
        pytest.param(170, 2, {"same": {(0, 1)}}, True, id="same in one video"),
        pytest.param(0, 1, {"different": {(0, 1)}}, False, id="different though alike"),
    ],
)
def test_pair_of_speakers(degrees: float, speakers: int, constraints: dict[str, set], joined: bool) -> None:
    clustering = cluster(nodes(at_angles(0, degrees), speakers, **constraints), THRESHOLD)
    assert (clustering.cluster[0] == clustering.cluster[1]) == joined


def test_different_extends_over_same() -> None:
    """0 and 1 are the same, 1 and 2 differ: 0 is not 2 either, though they are alike."""
    clustering = cluster(nodes(at_angles(0, 30, 1), same={(0, 1)}, different={(1, 2)}), THRESHOLD)
    assert parts(clustering) == {frozenset({0, 1}), frozenset({2})}


def test_merged_speakers_count_with_all_members() -> None:
    """Alone, 0 would take 2 with it; with 1, which is far from 2, the two are too unlike on average."""
    assert parts(cluster(nodes(at_angles(0, 100, 50)), THRESHOLD)) != {frozenset({0, 1}), frozenset({2})}
    assert parts(cluster(nodes(at_angles(0, 150, 50), same={(0, 1)}), THRESHOLD)) == {frozenset({0, 1}), frozenset({2})}


@pytest.mark.parametrize("same", [{(0, 1)}, {(0, 2), (1, 2)}])
def test_same_and_different_is_refused(same: set[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="same and different"):
        cluster(nodes(at_angles(0, 0, 0), same=same, different={(0, 1)}), THRESHOLD)


def test_unsorted_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="sorted"):
        cluster(Nodes(keys(2)[::-1], quantize(at_angles(0, 0))), THRESHOLD)


# --- large components ----------------------------------------------------------------------------------------------------


def test_large_component_is_split_and_joins_nothing_new() -> None:
    speakers = nodes(voices([0] * 40 + [1] * 30, likeness=0.8), speakers=2)
    whole, split = cluster(speakers, THRESHOLD), cluster(speakers, THRESHOLD, largest=12)
    assert len(parts(split)) > len(parts(whole))
    assert all(any(part <= voice for voice in parts(whole)) for part in parts(split))
    assert 1 < max(map(len, parts(split))) <= 12
    assert np.array_equal(split.component, whole.component)


def test_large_component_of_equal_vectors_keeps_merged_together() -> None:
    speakers = nodes(np.ones((60, 4)), same={(3, 9), (9, 50)})
    assert frozenset({3, 9, 50}) in parts(cluster(speakers, THRESHOLD, largest=10))


# --- incremental clustering ----------------------------------------------------------------------------------------------


def assert_same(actual: Clustering, expected: Clustering) -> None:
    for name in ("component", "cluster", "score", "margin"):
        np.testing.assert_array_equal(getattr(actual, name), getattr(expected, name), err_msg=name)


class Library:
    """Local speakers that come, go and change, and constraints on their keys."""

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
        index = {key: number for number, key in enumerate(ordered)}
        indexed = {
            kind: {(index[first], index[second]) for first, second in map(sorted, pairs) if {first, second} <= index.keys()}
            for kind, pairs in self.pairs.items()
        }
        vectors = np.concatenate([np.zeros((0, DIMENSION)), *(self.vectors[key] for key in ordered)])
        merged = Nodes(ordered, quantize(vectors), frozenset(indexed["same"]))
        together = merged_parts(merged)
        different = {pair for pair in indexed["different"] if not any(set(pair) <= part for part in together)}
        return replace(merged, different=frozenset(different))


def merged_parts(speakers: Nodes) -> set[frozenset[int]]:
    return parts(cluster(Nodes(speakers.keys, speakers.vectors, speakers.same), 2.0))  # no cosine reaches 2


def previous(keys_now: list, keys_before: list, clustering: Clustering) -> Clustering:
    """The clustering of the earlier keys, with arbitrary voice numbers, in the order of today's keys."""
    before, index_before = empty_clustering(len(keys_now)), {key: index for index, key in enumerate(keys_before)}
    for index, key in enumerate(keys_now):
        if key in index_before:
            before.component[index] = clustering.component[index_before[key]]
            before.cluster[index] = 1000 - clustering.cluster[index_before[key]]
            before.score[index] = clustering.score[index_before[key]]
            before.margin[index] = clustering.margin[index_before[key]]
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
def test_incremental_clustering_is_clustering_at_once(batches: list) -> None:
    library, keys_before, clustering = Library(), [], cluster(Nodes([], np.zeros((0, DIMENSION), np.float32)), THRESHOLD)
    for batch in batches:
        for step in batch:
            library.apply(step)
        speakers = library.nodes()
        clustering = cluster(speakers, THRESHOLD, previous(list(speakers.keys), keys_before, clustering))
        keys_before = list(speakers.keys)
        assert_same(clustering, cluster(speakers, THRESHOLD))
        for part in parts(clustering):
            assert not any(pair <= part for pair in map(frozenset, speakers.different))
        for first, second in combinations(range(len(speakers.keys)), 2):
            if speakers.keys[first][0] == speakers.keys[second][0] and clustering.cluster[first] == clustering.cluster[second]:
                product = quantized_dot(speakers.vectors[[first]], speakers.vectors[[second]])[0, 0]
                assert product >= as_product(THRESHOLD) or any({first, second} <= group for group in merged_parts(speakers))


def test_unchanged_components_are_not_clustered_again() -> None:
    vectors = voices([0, 0, 0, 1, 1, 2, 3, 3], dimension=192)
    speakers = nodes(vectors)
    clustering = cluster(speakers, THRESHOLD)
    again = cluster(speakers, THRESHOLD, clustering)
    assert (clustering.clustered, again.clustered) == (8, 0)
    assert_same(again, clustering)
    more = nodes(np.concatenate([vectors, voices([0, 0, 0, 1, 1, 2, 3, 3, 1], dimension=192)[-1:]]))
    grown = cluster(more, THRESHOLD, previous(list(more.keys), list(speakers.keys), clustering))
    assert grown.clustered == 3  # the new one, and the two whose voice it is
    assert_same(grown, cluster(more, THRESHOLD))


@pytest.mark.parametrize(
    ("threshold", "constraints"),
    [(0.6, {}), (THRESHOLD, {"same": frozenset({(0, 3)})}), (THRESHOLD, {"different": frozenset({(0, 1)})})],
)
def test_changed_threshold_or_constraint_clusters_again(threshold: float, constraints: dict[str, Any]) -> None:
    speakers = nodes(voices([0, 0, 0, 1, 1, 2], dimension=192))
    clustering = cluster(speakers, THRESHOLD)
    changed = replace(speakers, **constraints)
    after = cluster(changed, threshold, clustering)
    assert after.clustered > 0
    assert_same(after, cluster(changed, threshold))
    assert_same(cluster(speakers, THRESHOLD, after), clustering)  # and back again


def test_component_falls_apart_without_its_link() -> None:
    speakers = nodes(at_angles(0, 45, 90))
    clustering = cluster(speakers, 0.6)
    assert len(set(clustering.component)) == 1
    left = Nodes([speakers.keys[0], speakers.keys[2]], speakers.vectors[[0, 2]])
    after = cluster(left, 0.6, previous(list(left.keys), list(speakers.keys), clustering))
    assert len(set(after.component)) == 2
    assert_same(after, cluster(left, 0.6))
