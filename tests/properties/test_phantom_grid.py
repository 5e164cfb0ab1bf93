"""Whatever the grid, the hazards or the size: the body stays where it is, the events are as many as asked."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.cohort.phantom import PhantomSettings, TrueLogHazard, draw_cohort
from engram.cohort.phantom.anatomy import BodyShapes
from engram.cohort.phantom.body import draw_body
from engram.cohort.phantom.shapes import Grid
from engram.cohort.phantom.survival import Chance, draw_outcome

SHAPES = BodyShapes(draw_body(np.random.default_rng(11), male=False))


@settings(max_examples=10, deadline=None)
@given(
    spacing=st.tuples(st.floats(12, 20), st.floats(8, 16), st.floats(8, 16)),
    shift=st.tuples(st.floats(-40, 40), st.floats(-40, 40), st.floats(-40, 40)),
)
def test_a_point_of_the_world_has_one_label_on_every_grid(
    spacing: tuple[float, float, float], shift: tuple[float, float, float]
) -> None:
    low, high = (corner[::-1] for corner in SHAPES.body.field_mm())
    origin = tuple(float(value) for value in low + np.array(shift))
    shape = tuple(int(n) for n in np.ceil((high - low) / np.array(spacing)))
    coarse = Grid(spacing, (origin[0], origin[1], origin[2]), (shape[0], shape[1], shape[2]))
    half = (spacing[0], spacing[1] / 2, spacing[2])
    fine = Grid(half, coarse.origin_mm, (shape[0], 2 * shape[1], shape[2]))
    on_coarse, on_fine = SHAPES.rasterise(coarse), SHAPES.rasterise(fine)
    # A voxel centre may fall on a surface to within rounding; nothing else may differ.
    assert np.mean(on_coarse.labels != on_fine.labels[:, ::2]) < 1e-4
    assert np.mean(on_coarse.tissue != on_fine.tissue[:, ::2]) < 1e-4


@given(
    n=st.integers(2, 60),
    extra=st.integers(0, 5),
    rate=st.floats(0.01, 1.0),
    spread=st.floats(0, 3),
    seed=st.integers(0, 10_000),
)
def test_the_number_of_events_is_exact_and_every_time_is_positive(
    n: int, extra: int, rate: float, spread: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    truth = TrueLogHazard(spread * rng.standard_normal(n + extra), np.zeros(n + extra))
    chance = Chance(rng.exponential(size=n + extra), rng.random(n + extra))
    outcome = draw_outcome(truth, chance, event_rate=rate, median_months=30.0, n_calibrated=n)
    assert outcome.event[:n].sum() == round(rate * n)
    assert np.all(outcome.time >= 0.1)


@settings(max_examples=10, deadline=None)
@given(small=st.integers(2, 12), more=st.integers(1, 8), seed=st.integers(0, 500))
def test_a_patient_does_not_depend_on_how_many_follow(small: int, more: int, seed: int) -> None:
    few = draw_cohort(PhantomSettings(n_patients=small, seed=seed, faults=False))
    many = draw_cohort(PhantomSettings(n_patients=small + more, seed=seed, faults=False))
    assert many.patients[:small] == few.patients
