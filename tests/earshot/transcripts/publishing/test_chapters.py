"""Chapters of made vectors, whose subjects are known."""

from itertools import pairwise

import numpy as np
import pytest

from earshot.transcripts.publishing.chapters import MIN_CHAPTER_S, TITLE_LENGTH, find_chapters

EACH_S = 15.0  # a passage


def spoken(subjects: str, seed: int = 1) -> tuple[list[float], list[str], np.ndarray, float]:
    """One passage per letter, about that subject: vectors of one subject have a cosine of about 0.5."""
    random = np.random.default_rng(seed)
    centres = {subject: random.normal(size=64) for subject in sorted(set(subjects))}
    vectors = np.array([centres[subject] + random.normal(size=64) for subject in subjects]).reshape(-1, 64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    texts = [f"This is {subject} number {at}. And more of it." for at, subject in enumerate(subjects)]
    return [at * EACH_S for at in range(len(subjects))], texts, vectors, len(subjects) * EACH_S


@pytest.mark.parametrize("seed", range(5))
def test_chapters_begin_with_their_subjects(seed: int) -> None:
    chapters = find_chapters(*spoken("a" * 30 + "b" * 25 + "c" * 40, seed))
    assert [chapter.start_s for chapter in chapters] == [0.0, 30 * EACH_S, 55 * EACH_S]
    assert [chapter.title.split(" number")[0] for chapter in chapters] == ["This is a", "This is b", "This is c"]


def test_title_is_one_sentence() -> None:
    titles = [chapter.title for chapter in find_chapters(*spoken("a" * 30 + "b" * 30))]
    assert [title[-1] for title in titles] == [".", "."]
    assert all("more" not in title for title in titles)


def test_long_title_is_shortened() -> None:
    starts_s, texts, vectors, duration_s = spoken("a" * 30 + "b" * 30)
    for chapter in find_chapters(starts_s, ["word " * 100 for _ in texts], vectors, duration_s):
        assert len(chapter.title) <= TITLE_LENGTH
        assert chapter.title.endswith("…")


def test_short_turn_to_another_subject_is_no_chapter() -> None:
    chapters = find_chapters(*spoken("a" * 30 + "b" * 4 + "a" * 30))
    assert all(later.start_s - former.start_s >= MIN_CHAPTER_S for former, later in pairwise(chapters))


@pytest.mark.parametrize("subjects", ["", "a", "ab", "a" * 10 + "b" * 10])
def test_short_recording_has_no_chapters(subjects: str) -> None:
    assert find_chapters(*spoken(subjects)) == []
