"""The body of the phantom: every bone is there, on its side, in its order, on any grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import label as connected

from engram.cohort.phantom.anatomy import Anatomy, BodyShapes
from engram.cohort.phantom.body import Body, draw_body
from engram.cohort.phantom.organs import Tissue
from engram.cohort.phantom.scan import body_grid

BONES = [*range(25, 51), *range(69, 79), *range(91, 117)]


def rasterise(body: Body, spacing_mm: tuple[float, float, float]) -> Anatomy:
    return BodyShapes(body).rasterise(body_grid(body, spacing_mm))


@pytest.fixture(scope="module")
def body() -> Body:
    return draw_body(np.random.default_rng(3), male=True)


@pytest.fixture(scope="module")
def anatomy(body: Body) -> Anatomy:
    return rasterise(body, (10, 5, 5))


def center_mm(anatomy: Anatomy, label: int) -> np.ndarray:
    """Centroid (z, y, x) of one label."""
    index = np.argwhere(anatomy.labels == label).mean(axis=0)
    return index * np.array(anatomy.grid.spacing_mm) + np.array(anatomy.grid.origin_mm)


@pytest.mark.parametrize("seed", range(6))
def test_every_bone_of_the_scheme_is_there_at_the_spacing_of_the_demo(seed: int) -> None:
    body = draw_body(np.random.default_rng(seed), male=seed % 2 == 0)
    found = np.unique(rasterise(body, (10, 5, 5)).labels)
    assert not set(BONES) - set(found.tolist())


def test_vertebrae_climb_from_the_sacrum_to_the_skull(anatomy: Anatomy) -> None:
    heights = [center_mm(anatomy, label)[0] for label in [*range(25, 51), 91]]
    assert np.all(np.diff(heights) > 0)


@pytest.mark.parametrize(
    ("left", "right"), [(69, 70), (71, 72), (73, 74), (75, 76), (77, 78), (92, 104), (97, 109)]
)
def test_left_bones_lie_at_larger_x_as_lps_says(anatomy: Anatomy, left: int, right: int) -> None:
    assert center_mm(anatomy, left)[2] > center_mm(anatomy, right)[2] + 40


def test_front_and_back_are_as_lps_says(anatomy: Anatomy) -> None:
    assert center_mm(anatomy, 116)[1] < center_mm(anatomy, 38)[1] - 80  # sternum before T7


def test_the_liver_is_on_the_right_and_the_heart_and_spleen_on_the_left(anatomy: Anatomy) -> None:
    middle = center_mm(anatomy, 38)[2]
    assert center_mm(anatomy, 5)[2] < middle < center_mm(anatomy, 51)[2] < center_mm(anatomy, 1)[2]


def test_the_canal_of_a_vertebra_holds_cord_and_no_bone(body: Body) -> None:
    fine = rasterise(body, (6, 2, 2))
    cord = fine.labels == 79
    level = int(np.argwhere(fine.labels == 38)[:, 0].mean())
    assert cord[level].sum() > 10
    around = np.argwhere(cord[level]).mean(axis=0)
    ring = np.argwhere(np.isin(fine.labels[level], range(36, 41))) - around
    angles = np.degrees(np.arctan2(ring[:, 0], ring[:, 1])) // 45
    assert len(set(angles)) == 8  # bone on every side of it


def test_a_fine_grid_has_the_same_body_as_a_coarse_one(body: Body, anatomy: Anatomy) -> None:
    fine = rasterise(body, (5, 4, 4))
    for label in (5, 30, 75, 77, 91):
        volume = [np.sum(a.labels == label) * np.prod(a.grid.spacing_mm) for a in (anatomy, fine)]
        assert volume[0] == pytest.approx(volume[1], rel=0.2)
        np.testing.assert_allclose(center_mm(anatomy, label), center_mm(fine, label), atol=6)


def test_depth_is_positive_exactly_where_bone_is(anatomy: Anatomy) -> None:
    assert np.array_equal(anatomy.bone_depth_mm > 0, anatomy.tissue == Tissue.BONE)
    assert 8 < anatomy.bone_depth_mm.max() < 40


@pytest.mark.parametrize("seed", range(8))
def test_the_body_is_one_piece_in_air_and_only_the_thighs_are_cut(seed: int) -> None:
    body = draw_body(np.random.default_rng(seed), male=seed % 2 == 0)
    flesh = rasterise(body, (10, 6, 6)).tissue != Tissue.AIR
    sizes = np.bincount(connected(flesh)[0].ravel())[1:]
    assert sizes.max() / sizes.sum() > 0.999
    assert flesh[0].any()
    for face in (flesh[-1], flesh[:, 0], flesh[:, -1], flesh[:, :, 0], flesh[:, :, -1]):
        assert not face.any()


def test_a_tall_body_is_longer_than_a_short_one_and_a_heavy_one_wider(body: Body) -> None:
    tall, short = (rasterise(replace(body, height_mm=h), (10, 10, 10)) for h in (1900.0, 1550.0))
    assert tall.grid.shape[0] > short.grid.shape[0] + 15
    slim, heavy = (rasterise(replace(body, girth=g), (10, 10, 10)) for g in (0.95, 1.28))
    assert (heavy.tissue > 0).sum() > 1.2 * (slim.tissue > 0).sum()
    assert (heavy.labels == 31).sum() == pytest.approx((slim.labels == 31).sum(), rel=0.35)


@pytest.mark.parametrize("labels", [(75,), (91,), (30,), (95, 107)])
def test_random_points_of_a_bone_lie_in_bone(body: Body, labels: tuple[int, ...]) -> None:
    shapes, rng = BodyShapes(body), np.random.default_rng(0)
    pieces = [bone.shape for bone in shapes.bones if bone.label in labels]
    for _ in range(40):
        x, y, z = (np.full((1, 1, 1), v, np.float32) for v in shapes.point_in_bone(labels, rng))
        assert max(float(piece.depth_mm(x, y, z)[0, 0, 0]) for piece in pieces) > 0
