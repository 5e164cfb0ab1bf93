"""Single values of a DICOM data set, where anything absent, empty, repeated or unreadable is None.

Numbers are finite and single. Times are local and without a zone, see `Moment`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydicom.dataset import Dataset

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DATE = re.compile(r"(\d{4})([.]?)(\d\d)\2(\d\d)")  # PS3.5 table 6.2-1; with dots as in ACR-NEMA
_TIME = re.compile(r"(\d\d)(:?)(\d\d)(?:\2(\d\d)(?:\.(\d{1,6}))?)?")
_MOMENT = re.compile(r"(\d{8})(\d{4}(?:\d\d(?:\.\d{1,6})?)?)([+-]\d{4})?")
_ZONE = re.compile(r"([+-])(\d\d)(\d\d)")


def value_of(headers: Dataset, keyword: str) -> Any:
    """The value as pydicom reads it, None where it cannot."""
    try:
        return headers.get(keyword)
    except Exception:  # a damaged value can fail in any way in there; it then is as good as absent
        return None


def text(headers: Dataset, keyword: str) -> str | None:
    """One word or sentence, without the spaces and zeros that pad it."""
    return _as_text(value_of(headers, keyword))


def texts(headers: Dataset, keyword: str) -> tuple[str, ...]:
    """All values of a header that may have several, empty ones dropped."""
    return tuple(word for word in _several(headers, keyword) if word)


def number(headers: Dataset, keyword: str) -> float | None:
    """One finite number."""
    return as_number(text(headers, keyword))


def numbers(headers: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """Exactly `count` finite numbers."""
    found = [as_number(word) for word in _several(headers, keyword)]
    known = tuple(value for value in found if value is not None)
    return known if len(known) == len(found) == count else None


def whole(headers: Dataset, keyword: str) -> int | None:
    """One whole number."""
    value = number(headers, keyword)
    return int(value) if value is not None and value.is_integer() else None


def as_number(word: str | None) -> float | None:
    """A decimal string as DICOM writes them: no comma, no NaN, no infinity."""
    if word is None or not _NUMBER.fullmatch(word):
        return None
    value = float(word)
    return value if abs(value) < float("inf") else None


def items(headers: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; none where it is absent or unreadable."""
    value = value_of(headers, keyword)
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return []
    return [item for item in value if isinstance(item, Dataset)]


def private(headers: Dataset, group: int, creator: str, element: int) -> str | None:
    """A private header by the words that reserve its block, whichever block that is; None where blocks disagree."""
    found = set()
    first = group << 16
    for block in [tag - first for tag in headers.keys() if first + 0x10 <= tag < first + 0x100]:  # noqa: SIM118
        if _by_tag(headers, first + block) == creator:
            found.add(_by_tag(headers, first + (block << 8) + element))
    found.discard(None)
    return found.pop() if len(found) == 1 else None


@dataclass(frozen=True)
class Moment:
    """A DICOM date-time. clock: as written, without its offset. offset: of the clock from UTC, if written."""

    clock: datetime
    offset: timedelta | None = None

    def local(self, zone: timedelta | None) -> datetime | None:
        """What the clock in the scanner's room shows.

        A date-time with an offset is turned to `zone`, the Timezone Offset From UTC that holds for all other times
        of the file. Where the file has none, nobody knows whether the room has that offset too: None.
        """
        if self.offset is None:
            return self.clock
        return None if zone is None else self.clock - self.offset + zone


def moment(word: str | None) -> Moment | None:
    """A DT value down to the minute at least; a truncated one is no moment."""
    match = _MOMENT.fullmatch(word or "")
    clock = date_and_time(match[1], match[2]) if match else None
    if match is None or clock is None:
        return None
    offset = zone_offset(match[3])
    return None if match[3] and offset is None else Moment(clock, offset)


def zone_offset(word: str | None) -> timedelta | None:
    """An offset from UTC, "+0100"."""
    match = _ZONE.fullmatch(word or "")
    if match is None or int(match[3]) > 59 or int(match[2]) > 14:
        return None
    size = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return -size if match[1] == "-" else size


def date_and_time(date: str | None, time: str | None) -> datetime | None:
    """A DA and a TM value as one; None where either is missing or impossible."""
    match, seconds = _DATE.fullmatch(date or ""), seconds_of_day(time)
    if match is None or seconds is None:
        return None
    try:
        return datetime(int(match[1]), int(match[3]), int(match[4])) + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return None


def date_of(date: str | None) -> str | None:
    """A DA value as "YYYYMMDD"; None where it is no day."""
    found = date_and_time(date, "0000")
    return f"{found:%Y%m%d}" if found else None


def seconds_of_day(time: str | None) -> float | None:
    """A TM value as seconds since midnight; hours alone are too little to be a time."""
    match = _TIME.fullmatch(time or "")
    if match is None:
        return None
    hours, minutes, seconds = int(match[1]), int(match[3]), int(match[4] or 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    return hours * 3600 + minutes * 60 + seconds + float(f"0.{match[5] or 0}")


def local_moment(word: str | None, headers: Dataset) -> datetime | None:
    """A DT value on the clock of the room, see `Moment.local`."""
    found = moment(word)
    return found.local(zone_of(headers)) if found else None


def zone_of(headers: Dataset) -> timedelta | None:
    """Timezone Offset From UTC of a file."""
    return zone_offset(text(headers, "TimezoneOffsetFromUTC"))


def _several(headers: Dataset, keyword: str) -> list[str | None]:
    value = value_of(headers, keyword)
    single = isinstance(value, str | bytes) or not isinstance(value, Sequence)
    return [_as_text(one) for one in ([value] if single else value)]


def _by_tag(headers: Dataset, tag: int) -> str | None:
    try:
        element = headers.get(tag)
        return None if element is None else _as_text(element.value)
    except Exception:  # as in value_of
        return None


def _as_text(value: Any) -> str | None:
    if isinstance(value, bytes):
        try:
            value = value.decode("ascii")
        except UnicodeDecodeError:
            return None
    if not isinstance(value, str | int | float):
        return None
    return str(value).strip(" \0\t\r\n") or None
