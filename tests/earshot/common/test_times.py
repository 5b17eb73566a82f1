"""Pauses by a clock that was set back."""

import pytest

from earshot.common.times import seconds_left


@pytest.mark.parametrize(("ago_s", "left_s"), [(0.0, 15.0), (5.0, 10.0), (100.0, 0.0), (-3590.0, 15.0)])
def test_pause_is_never_longer_than_it_was_even_if_the_clock_was_set_back(ago_s: float, left_s: float) -> None:
    assert seconds_left(15.0, ago_s) == left_s
