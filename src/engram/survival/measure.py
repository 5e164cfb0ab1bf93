"""A number that may not exist: then it says why, and is never a silent NaN."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """A finite number, or None with the reason why there is none.

    Raises ValueError for a number that is not finite, for None without a reason, or for a number with one.
    """

    value: float | None
    reason: str = ""

    def __post_init__(self) -> None:
        if (self.value is None) != bool(self.reason):
            raise ValueError(f"a measure is a number or a reason, got {self.value!r} and {self.reason!r}")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"a measure must be finite, got {self.value}")

    @classmethod
    def absent(cls, reason: str) -> Measure:
        """No number, and why."""
        return cls(None, reason)
