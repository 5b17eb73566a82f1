"""Spread: one figure measured several times, as its median with the lowest and the highest."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self


@dataclass(frozen=True)
class Spread:
    """`of` says how often it was measured."""

    median: float
    lowest: float
    highest: float
    of: int

    @classmethod
    def over(cls, values: Sequence[float]) -> Self:
        """Raises ValueError where nothing was measured."""
        if not values:
            raise ValueError("nothing was measured")
        return cls(median(values), min(values), max(values), len(values))

    def text(self, digits: int = 2) -> str:
        """`1.04 (0.98-1.10)`, without the brackets where there is one value."""
        middle = f"{self.median:.{digits}f}"
        return middle if self.of == 1 else f"{middle} ({self.lowest:.{digits}f}-{self.highest:.{digits}f})"
