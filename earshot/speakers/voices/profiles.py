"""Profiles: what is known of people's voices, and which person is nearest to each local speaker. Pure functions.

A person's profile is one vector, the mean of all samples. assignment.py decides whether the nearest one is near enough.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from earshot.speakers.voices.cosine import is_usable, quantize, quantized_dot

MIN_NORM = 0.01  # a mean of unit vectors that is shorter points somewhere by rounding alone


@dataclass(frozen=True)
class Profiles:
    """What is known of people's voices: ids in rising order, and one vector each, on the grid, (people, dimension)."""

    people: np.ndarray
    vectors: np.ndarray


@dataclass(frozen=True)
class Nearest:
    """Products of each speaker with a person's profile: the person's place (-1: nobody), the product, that of the second (NaN).

    The person is the one that a correction names, else the nearest that is not ruled out.
    """

    person: np.ndarray
    first: np.ndarray
    second: np.ndarray


def profiles_of(samples: pd.DataFrame, dimension: int) -> Profiles:
    """The profile of each person: the mean of the samples (person_id, embedding, seconds), weighted by their seconds.

    Each sample is brought to unit length first. What has no direction, or no seconds, says nothing; a person of whom nothing is
    left, or whose samples point everywhere, has no profile.
    """
    if samples.empty:
        return Profiles(np.zeros(0, np.int64), np.zeros((0, dimension), np.float32))
    vectors = np.stack(samples.embedding.tolist()).astype(np.float64)
    seconds = samples.seconds.to_numpy(np.float64)
    telling = is_usable(vectors) & (seconds > 0.0)
    people, own = np.unique(samples.person_id.to_numpy(np.int64)[telling], return_inverse=True)
    weighted = vectors[telling] / np.linalg.norm(vectors[telling], axis=1, keepdims=True) * seconds[telling, None]
    sums = np.zeros((len(people), dimension))
    np.add.at(sums, own, weighted)
    means = sums / np.bincount(own, weights=seconds[telling], minlength=len(people))[:, None]
    there = np.linalg.norm(means, axis=1) >= MIN_NORM
    return Profiles(people[there], quantize(means[there]))


def nearest_people(
    grid: np.ndarray,
    comparable: np.ndarray,
    profiles: Profiles,
    named: Mapping[int, int],
    never: Mapping[int, frozenset[int]],
) -> Nearest:
    """Who is nearest to each speaker, (n, dimension) on the grid, of which only the comparable ones are compared.

    By position of a speaker: `named` is the person that it is by correction, `never` are those that take no part.
    """
    place = {int(person): index for index, person in enumerate(profiles.people)}
    count, rows = len(grid), np.arange(len(grid))
    if not place:
        return Nearest(np.full(count, -1), np.full(count, np.nan), np.full(count, np.nan))
    found = quantized_dot(grid, profiles.vectors).astype(np.float64)
    found[~comparable] = -np.inf
    for index, people in never.items():
        found[index, [place[person] for person in people if person in place]] = -np.inf
    person = found.argmax(axis=1)
    for index, person_id in named.items():
        person[index] = place.get(person_id, -1)
    first = np.where(person >= 0, found[rows, person], -np.inf)
    found[rows, person] = -np.inf  # a person without profile, -1, has no product to be told either
    second = found.max(axis=1)
    person[np.isneginf(first)] = -1
    return Nearest(person, _known(first), _known(second))


def _known(values: np.ndarray) -> np.ndarray:
    return np.where(np.isneginf(values), np.nan, values)
