"""The public data sets with what other libraries make of them (tests/reference/survival)."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from engram.outcome import SurvivalOutcome
from engram.survival.censoring import Censoring

REFERENCES = Path(__file__).parents[2] / "reference" / "survival" / "references.json"
DATA = json.loads(REFERENCES.read_text())


@dataclass(frozen=True)
class PublicData:
    whole: SurvivalOutcome
    training: SurvivalOutcome
    test: SurvivalOutcome
    training_risk: np.ndarray
    risk: np.ndarray
    expected: dict

    @property
    def censoring(self):
        return Censoring.of(self.training)

    @property
    def times(self):
        return self.expected["times_months"]


@pytest.fixture(params=sorted(DATA["data"]))
def public(request):
    body = DATA["data"][request.param]
    outcome = SurvivalOutcome(np.array(body["event"], dtype=bool), np.array(body["time"]), body["unit"])
    risk, even, odd = np.array(body["risk"]), np.arange(0, len(outcome), 2), np.arange(1, len(outcome), 2)
    return PublicData(outcome, outcome.subset(even), outcome.subset(odd), risk[even], risk[odd], body)


@pytest.fixture(scope="session")
def thresholds():
    return DATA["thresholds"]
