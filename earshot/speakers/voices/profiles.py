"""Profiles: one vector per person, and the nearest person of each local speaker. Pure functions.

A person's profile is the mean of all samples of the voice. assignment.py decides whether the nearest person is near enough.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from earshot.speakers.voices.cosine import is_usable, quantize, quantized_dot

MIN_NORM = 0.01  # the direction of a shorter mean of unit vectors is due to rounding alone


@dataclass(frozen=True)
class Profiles:
    """People's ids in ascending order, and one vector each on the grid, (people, dimension)."""

    people: np.ndarray
    vectors: np.ndarray


@dataclass(frozen=True)
class Nearest:
    """The nearest person of each speaker: the index in the profiles, -1 for none; the product; and that of the second, or NaN.

    If a correction names the speaker, that person counts as the nearest. People whom corrections exclude are ignored.
    """

    person: np.ndarray
    first: np.ndarray
    second: np.ndarray


def profiles_of(samples: pd.DataFrame, dimension: int) -> Profiles:
    """The profile of each person: the mean of the samples (person_id, embedding, seconds), weighted by their seconds.

    Each sample is scaled to unit length first. Samples without direction or seconds are ignored. A person without usable
    samples, or whose samples cancel each other out, has no profile.
    """
    if samples.empty:
        return Profiles(np.zeros(0, np.int64), np.zeros((0, dimension), np.float32))
    vectors = np.stack(samples.embedding.tolist()).astype(np.float64)
    seconds = samples.seconds.to_numpy(np.float64)
    usable = is_usable(vectors) & (seconds > 0.0)
    people, own = np.unique(samples.person_id.to_numpy(np.int64)[usable], return_inverse=True)
    weighted = vectors[usable] / np.linalg.norm(vectors[usable], axis=1, keepdims=True) * seconds[usable, None]
    sums = np.zeros((len(people), dimension))
    np.add.at(sums, own, weighted)
    means = sums / np.bincount(own, weights=seconds[usable], minlength=len(people))[:, None]
    distinct = np.linalg.norm(means, axis=1) >= MIN_NORM
    return Profiles(people[distinct], quantize(means[distinct]))


def nearest_people(
    grid: np.ndarray,
    comparable: np.ndarray,
    profiles: Profiles,
    named: Mapping[int, int],
    never: Mapping[int, frozenset[int]],
) -> Nearest:
    """The nearest person of each speaker. `grid`: (n, dimension); only comparable speakers are compared.

    By position of a speaker, `named` has the person that a correction names, and `never` the people that corrections exclude.
    """
    index_of = {int(person): index for index, person in enumerate(profiles.people)}
    count, rows = len(grid), np.arange(len(grid))
    if not index_of:
        return Nearest(np.full(count, -1), np.full(count, np.nan), np.full(count, np.nan))
    products = quantized_dot(grid, profiles.vectors).astype(np.float64)
    products[~comparable] = -np.inf
    for index, people in never.items():
        products[index, [index_of[person] for person in people if person in index_of]] = -np.inf
    person = products.argmax(axis=1)
    for index, person_id in named.items():
        person[index] = index_of.get(person_id, -1)
    first = np.where(person >= 0, products[rows, person], -np.inf)
    products[rows, person] = -np.inf
    second = products.max(axis=1)
    person[np.isneginf(first)] = -1
    return Nearest(person, _nan_if_none(first), _nan_if_none(second))


def _nan_if_none(values: np.ndarray) -> np.ndarray:
    return np.where(np.isneginf(values), np.nan, values)
