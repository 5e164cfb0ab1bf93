"""What no value can be beyond, whether it comes from a file or from memory."""

from __future__ import annotations

from typing import Final

LARGEST_NUMBER: Final = 1e12  # far beyond any laboratory value, far within float32
LONGEST_TIME_MONTHS: Final = 1200.0  # a hundred years: beyond it the unit must be wrong
