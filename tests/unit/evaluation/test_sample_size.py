"""How many parameters a cohort bears, against the numbers that pmsampsize (R) holds itself to."""

import math

import pytest

from engram.evaluation import sample_size
from engram.evaluation.sample_size import (
    adjusted_r2,
    largest_r2,
    parameters_allowed,
    patients_per_parameter,
)

# tests/testthat/test_surv.R of the R package pmsampsize: R2, parameters, rate, mean follow-up; patients by
# criterion 1 and by criterion 2.
PMSAMPSIZE = [
    (0.051, 25, 0.065, 2.07, 4286, 866),
    (0.065, 25, 0.065, 2.07, 3335, 859),
    (0.051, 50, 0.065, 2.07, 8572, 1731),
    (0.051, 25, 0.1, 2.07, 4286, 731),
]


@pytest.mark.parametrize(("r2", "parameters", "rate", "follow_up", "first", "second"), PMSAMPSIZE)
def test_patients_of_pmsampsize(r2, parameters, rate, follow_up, first, second, monkeypatch):
    def patients():
        return math.ceil(parameters * patients_per_parameter(r2, events_per_patient=rate * follow_up))

    assert patients() == first
    monkeypatch.setattr(sample_size, "SHRINKAGE", 0.1)  # criterion 1 then asks for next to nobody
    assert patients() == pytest.approx(second, 2e-3)


@pytest.mark.parametrize(("r2", "parameters"), [(0.166, 4.6), (0.338, 10.7)])
def test_parameters_that_227_patients_bear(r2, parameters):
    """The project's own reckoning for c = 0.65 and 0.72."""
    assert parameters_allowed(r2, patients=227, events=160) == pytest.approx(parameters, abs=0.05)


def test_a_model_of_noise_bears_nothing():
    shrinkage, r2 = adjusted_r2(5.0, parameters=8, patients=227)
    assert shrinkage == pytest.approx(-0.6)
    assert parameters_allowed(r2, patients=227, events=160) == 0
    assert adjusted_r2(0.0, parameters=8, patients=227) == (0.0, 0.0)


def test_more_than_exponential_times_allow_is_borne_by_nobody_knows_how_many():
    """A Cox likelihood may exceed Riley's bound, and a study must not end there."""
    largest = largest_r2(5 / 150)
    assert parameters_allowed(0.99 * largest, patients=150, events=5) > 0
    assert parameters_allowed(largest, patients=150, events=5) is None
    assert parameters_allowed(0.95, patients=10, events=10) is None


def test_shrinkage_is_van_houwelingens():
    shrinkage, r2 = adjusted_r2(40.0, parameters=8, patients=200)
    assert shrinkage == pytest.approx(1 + 8 / (200 * math.log(1 - (1 - math.exp(-40 / 200)))))
    assert r2 == pytest.approx(0.8 * (1 - math.exp(-0.2)))


@pytest.mark.parametrize("r2", [0.0, -0.1, 0.95])
def test_impossible_r2_is_refused(r2):
    with pytest.raises(ValueError, match="is not above 0"):
        patients_per_parameter(r2, events_per_patient=0.7)


def test_no_events_are_refused():
    with pytest.raises(ValueError, match="no events"):
        patients_per_parameter(0.1, events_per_patient=0)
