"""Regrouping: speakers stand unless their stretches contradict them."""

import numpy as np

from earshot.models.voice.regrouping import regrouped, separation

PEOPLE = np.eye(4, 192)


def spoken(people: list[int], noise: float = 0.04, seed: int = 0) -> np.ndarray:
    """Vectors of stretches by these people; with more noise, those of one person are less alike."""
    return PEOPLE[people] + np.random.default_rng(seed).normal(scale=noise, size=(len(people), 192))


def same_grouping(first: np.ndarray, second: np.ndarray) -> bool:
    return bool(((first[:, None] == first) == (second[:, None] == second)).all())


TWO, THREE = [0, 1] * 6, [0, 1, 2] * 5


def test_speakers_of_one_voice_each_stand() -> None:
    assert regrouped(np.array(TWO), spoken(TWO), np.full(12, 2.0)) is None


def test_two_people_in_one_speaker_are_separated() -> None:
    found = regrouped(np.array([0, 1, 1] * 5), spoken(THREE), np.full(15, 2.0))
    assert found is not None
    assert same_grouping(found, np.array(THREE))


def test_a_single_speaker_of_two_people_is_separated() -> None:
    found = regrouped(np.zeros(12, dtype=int), spoken(TWO), np.full(12, 2.0))
    assert found is not None
    assert same_grouping(found, np.array(TWO))


def test_a_moment_of_another_voice_is_no_second_voice() -> None:
    people, seconds = [0] * 12 + [1] * 12 + [2], np.array([2.0] * 24 + [0.9])
    assert regrouped(np.array([0] * 12 + [1] * 13), spoken(people), seconds) is None


def test_short_stretches_join_the_nearest_voice() -> None:
    people, seconds = [*THREE, 0, 1, 2], np.array([2.0] * 15 + [0.3] * 3)
    found = regrouped(np.array([0, 1, 1] * 6), spoken(people), seconds)
    assert found is not None
    assert same_grouping(found, np.array(people))


def test_one_person_in_two_speakers_who_are_hardly_apart_becomes_one() -> None:
    people = [0] * 12 + [1] * 4
    found = regrouped(np.array([0, 2] * 6 + [1] * 4), spoken(people), np.full(16, 2.0), (1, None))
    assert found is None  # as a whole they are apart, since the third speaker is
    found = regrouped(np.array([0, 2] * 6 + [1, 2, 1, 0]), spoken(people), np.full(16, 2.0))
    assert found is not None
    assert same_grouping(found, np.array(people))


def test_bounds_hold() -> None:
    mixed = np.array([0, 1, 1] * 5)
    assert regrouped(mixed, spoken(THREE), np.full(15, 2.0), (1, 2)) is None
    assert regrouped(mixed, spoken(THREE), np.full(15, 2.0), (4, None)) is None
    assert regrouped(mixed, spoken(THREE), np.full(15, 2.0), (3, 3)) is not None


def test_too_little_speech_decides_nothing() -> None:
    assert regrouped(np.zeros(0, dtype=int), np.zeros((0, 192)), np.zeros(0)) is None
    assert regrouped(np.zeros(3, dtype=int), spoken([0, 1, 2]), np.full(3, 0.5)) is None


def test_separation_is_the_mean_lead_of_ones_own_group() -> None:
    unit = np.array([[1.0, 0.0], [1.0, 0.0], [0.6, 0.8], [0.6, 0.8]])
    assert separation(np.array([0, 0, 1, 1]), unit, np.ones(4)) == np.float64(0.4)
    assert separation(np.zeros(4, dtype=int), unit, np.ones(4)) == 0.0
    assert separation(np.array([0, 0, 1, 2]), unit, np.array([1.0, 1.0, 2.0, 2.0])) < 0.4
