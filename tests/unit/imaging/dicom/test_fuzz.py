"""Sixty damaged or altered scans: refused by name, or right. `benchmarks/fuzz.py` runs as many as wanted."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "benchmarks"))
import fuzz
from engram.errors import ImagingError
from fuzz_case import Case, LeftError, judge


def test_sixty_altered_scans(tmp_path):
    results = fuzz.run(60, 6, tmp_path, None)
    bad = [result for result in results if result.verdict in ("warned", "traceback", "wrong")]
    assert not bad, "\n".join(f"{r.verdict}: {r.kind}: {r.what}\n{r.told}" for r in bad)
    counts = Counter(result.verdict for result in results)
    assert counts.total() == 60
    assert min(counts["refused"], counts["same"], counts["unseen"]) >= 1
    assert all(result.told for result in results if result.verdict != "same")


def _raise(error: Exception) -> bool:
    raise error


@pytest.mark.parametrize(
    ("read", "unseen", "verdict"),
    [
        (lambda: True, (), "same"),
        (lambda: False, (), "wrong"),
        (lambda: False, ("PatientWeight",), "unseen"),
        (lambda: _raise(ImagingError("P01", "no", mend="none")), (), "refused"),
        (lambda: _raise(LeftError("no")), (), "refused"),
        (lambda: _raise(ValueError("no")), ("PatientWeight",), "traceback"),
    ],
)
def test_how_a_case_is_judged(read, unseen, verdict):
    assert judge(Case("kind", "what", frozenset(unseen), read)).verdict == verdict


def test_a_warning_to_the_user_is_told():
    def read() -> bool:
        import warnings

        warnings.warn("odd", RuntimeWarning, stacklevel=1)
        return True

    assert judge(Case("kind", "what", frozenset(), read)).told == "same, and RuntimeWarning: odd"
