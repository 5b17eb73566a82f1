"""Spread: one figure measured several times, as median, lowest and highest."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self


@dataclass(frozen=True)
class Spread:
    """`of` is the number of measurements."""

    median: float
    lowest: float
    highest: float
    of: int

    @classmethod
    def over(cls, values: Sequence[float]) -> Self:
        """The spread of these values. Raises ValueError if there are none."""
        if not values:
            raise ValueError("nothing was measured")
        return cls(median(values), min(values), max(values), len(values))

    def text(self, digits: int = 2) -> str:
        """`1.04 (0.98-1.10)`, or `1.04` for a single value."""
        middle = f"{self.median:.{digits}f}"
        return middle if self.of == 1 else f"{middle} ({self.lowest:.{digits}f}-{self.highest:.{digits}f})"
