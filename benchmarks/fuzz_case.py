"""One altered scan, and how reading it ended."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from engram.errors import EngramError

Verdict = Literal["refused", "same", "unseen", "warned", "traceback", "wrong"]
MEANINGS: dict[Verdict, str] = {
    "refused": "an EngramError that names the reason",
    "same": "read, and every voxel right",
    "unseen": "read as the altered headers or pixels say: no reader can see that they were altered",
    "warned": "one of these three, but with a warning of a library to the user on the way",
    "traceback": "any other exception",
    "wrong": "voxels that are not what the headers say",
}
VERDICTS = tuple(MEANINGS)


class LeftError(Exception):
    """Engram left the scan with a reason, without raising."""


@dataclass(frozen=True)
class Case:
    """One altered scan. kind: the row of the table. what: the alteration in words. unseen: the altered headers, or
    pixels, that no reader can see, found by comparing the files. read: reads it and says whether it is right."""

    kind: str
    what: str
    unseen: frozenset[str]
    read: Callable[[], bool]


@dataclass(frozen=True)
class Result:
    kind: str
    what: str
    verdict: Verdict
    told: str


def judge(case: Case) -> Result:
    """Read one altered scan, and say how it ended."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        verdict, told = _read(case)
    if warned and verdict not in ("traceback", "wrong"):
        verdict, told = "warned", f"{verdict}, and {warned[0].category.__name__}: {warned[0].message}"
    return Result(case.kind, case.what, verdict, told)


def _read(case: Case) -> tuple[Verdict, str]:
    try:
        right = case.read()
    except (EngramError, LeftError) as error:
        return "refused", getattr(error, "reason", str(error))
    except Exception:
        return "traceback", traceback.format_exc()
    if right:
        return "same", ""
    return ("unseen" if case.unseen else "wrong"), ", ".join(sorted(case.unseen))
