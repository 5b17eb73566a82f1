"""Weak readings, the cut between two halves, and the rule by which one of several readings is kept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earshot.models.speech.second_look import NOTHING, WindowReading, better, cut, invented, join

TEXT = "It was the best of times, it was the worst of times, and we were all going direct to Heaven."


def reading(text: str = TEXT, logprob: float = -0.3, no_speech: float = 0.1) -> WindowReading:
    return WindowReading(tuple(range(len(text.split()))), text, logprob, no_speech)


DOUBTED = reading(logprob=-1.2)
SILENT = reading("Thank you.", logprob=-1.3, no_speech=0.8)
LOOP = reading("And he's there, " + "he's been there, " * 9)
LONG_LOOP = reading("he's been there, " * 90, logprob=-0.1)
OTHER_LOOP = reading("I'm a good man. " * 9)
DOTS = reading(" ." * 200, logprob=-0.1)


@pytest.mark.parametrize("weak", [DOUBTED, SILENT, LOOP, LONG_LOOP, DOTS])
def test_reading_is_weak(weak: WindowReading) -> None:
    assert weak.weak


@pytest.mark.parametrize(
    "text", [TEXT, "", "No, no, no, no. I will not go. Never, never, never.", "Hello? Hello?", "Oui. Oui. Oui."]
)
def test_reading_is_not_weak(text: str) -> None:
    assert not reading(text).weak


def test_no_words_are_not_weak_however_unlikely() -> None:
    assert not NOTHING.weak
    assert not reading("", logprob=-3.0).weak


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (DOUBTED, reading(logprob=-0.8), "second"),
        (DOUBTED, reading(logprob=-1.15), "first"),
        (DOUBTED, reading(logprob=-1.5), "first"),
        (DOUBTED, LONG_LOOP, "first"),
        (DOUBTED, NOTHING, "first"),
        (LOOP, reading(logprob=-0.9), "second"),
        (LOOP, LONG_LOOP, "first"),
        (LONG_LOOP, LOOP, "second"),
        (LOOP, NOTHING, "second"),
        (SILENT, NOTHING, "second"),
        (SILENT, reading(), "second"),
    ],
)
def test_better_reading_is_kept(first: WindowReading, second: WindowReading, kept: str) -> None:
    assert better(first, second) is {"first": first, "second": second}[kept]


readings = st.builds(
    reading,
    st.lists(st.sampled_from(["a", "b", "c."]), max_size=40).map(" ".join),
    st.floats(-3.0, 0.0),
    st.floats(0.0, 1.0),
)


@given(readings, readings)
def test_second_look_makes_no_loop(first: WindowReading, second: WindowReading) -> None:
    kept = better(first, second)
    assert kept in (first, second)
    assert first.silent or not kept.loops or (first.loops and second.loops)


def test_loop_is_invented_unless_both_readings_have_it_and_the_second_is_sure() -> None:
    said = reading("We're all going direct to Heaven. " * 12, logprob=-0.11)
    assert not invented(reading("We all going direct heaven. " * 13), said)
    assert not invented(reading("direct to Heaven, we're all going " * 12), said)
    assert not invented(LOOP, reading())
    assert invented(LOOP, OTHER_LOOP)
    assert invented(LOOP, said)
    assert invented(DOUBTED, said)
    assert invented(reading("I can't. " * 10), reading("I can't. " * 20, logprob=-0.49))


def test_half_without_speech_gives_no_words() -> None:
    assert join(SILENT, SILENT) == NOTHING
    assert join(NOTHING, reading(" Hello.")).text == " Hello."
    assert join(SILENT, reading(" Hello.")).text == " Hello."


def test_halves_are_joined() -> None:
    joined = join(reading(" one two three", -0.2, 0.5), reading(" four", -0.6, 0.1))
    assert (joined.tokens, joined.text, joined.no_speech) == ((0, 1, 2, 0), " one two three four", 0.1)
    assert joined.logprob == pytest.approx(-0.3)


def test_window_is_cut_where_it_is_quietest() -> None:
    features = np.zeros((80, 3000), dtype=np.float32)
    features[:, :2000] = 1.0
    features[:, 1150:1180] = 0.2
    left, right = cut(features)
    middle = np.flatnonzero(left.any(axis=0))[-1] + 1
    assert 1150 <= middle <= 1180
    assert (left.shape, right.shape, left.dtype) == (features.shape, features.shape, features.dtype)
    assert np.array_equal(np.concatenate([left[:, :middle], right[:, : 2000 - middle]], axis=1), features[:, :2000])
    assert not right[:, 2000 - middle :].any()


@pytest.mark.parametrize("frames", [0, 1, 2, 30, 3000])
def test_any_window_is_cut(frames: int) -> None:
    features = np.zeros((80, 3000), dtype=np.float32)
    features[:, :frames] = np.random.default_rng(frames).normal(size=(80, frames))
    left, right = cut(features)
    assert np.isclose(left.sum() + right.sum(), features.sum(), rtol=1e-3, atol=1e-2)
