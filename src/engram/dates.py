"""Dates as numbers, for splits that follow time."""

from __future__ import annotations

import re
from datetime import date

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def date_of(text: str) -> date | None:
    """A date written as 2019-03-31; None where the text is none."""
    try:
        return date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:  # the 31st of a month that has none
        return None


def years_of(day: date) -> float:
    """A day in years: 2019.24... for 2019-03-31."""
    first, after = date(day.year, 1, 1).toordinal(), date(day.year, 12, 31).toordinal() + 1
    return day.year + (day.toordinal() - first) / (after - first)
