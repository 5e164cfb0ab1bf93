"""CT and PET of the phantom show exactly the disease that the truth names."""

from __future__ import annotations

import numpy as np
import pytest

from engram.cohort.phantom.anatomy import Anatomy, BodyShapes
from engram.cohort.phantom.body import draw_body
from engram.cohort.phantom.disease import MAX_LESIONS, Disease, Lesion, Site, draw_disease, place_lesions
from engram.cohort.phantom.images import make_ct, make_pet
from engram.cohort.phantom.organs import Tissue
from engram.cohort.phantom.scan import body_grid
from engram.cohort.phantom.settings import LesionSite

HEALTHY = Disease(0.0)
LESION = Lesion(16.0, 10.0)


@pytest.fixture(scope="module")
def shapes() -> BodyShapes:
    return BodyShapes(draw_body(np.random.default_rng(5), male=True))


@pytest.fixture(scope="module")
def anatomy(shapes: BodyShapes) -> Anatomy:
    return shapes.rasterise(body_grid(shapes.body, (10, 5, 5)))


def ct(anatomy: Anatomy, disease: Disease = HEALTHY, sites: tuple[Site, ...] = ()) -> np.ndarray:
    return make_ct(anatomy, disease, sites, np.random.default_rng(1))


def pet(anatomy: Anatomy, disease: Disease = HEALTHY, sites: tuple[Site, ...] = ()) -> np.ndarray:
    return make_pet(anatomy, disease, sites, np.random.default_rng(1))


def test_ct_is_in_hounsfield_units(anatomy: Anatomy) -> None:
    image = ct(anatomy)
    assert image.dtype == np.int16
    medians = {t: np.median(image[anatomy.tissue == t]) for t in (Tissue.AIR, Tissue.LUNG, Tissue.LIVER)}
    assert medians[Tissue.AIR] == pytest.approx(-1000, abs=15)
    assert medians[Tissue.LUNG] == pytest.approx(-850, abs=20)
    assert medians[Tissue.LIVER] == pytest.approx(60, abs=10)
    assert np.percentile(image[anatomy.tissue == Tissue.BONE], 95) > 450


def test_pet_is_in_suv(anatomy: Anatomy) -> None:
    image = pet(anatomy)
    assert image.dtype == np.float32
    assert image.min() >= 0
    assert 7 < np.median(image[anatomy.tissue == Tissue.BRAIN]) < 13
    assert 1.7 < np.median(image[anatomy.tissue == Tissue.LIVER]) < 2.7
    assert 0.4 < np.median(image[anatomy.tissue == Tissue.MUSCLE]) < 1.0
    assert 8 < np.percentile(image[anatomy.tissue == Tissue.BLADDER], 90) < 32


@pytest.mark.parametrize("labels", [(25,), (75, 76), (77, 78), tuple(range(27, 51))])
def test_diffuse_disease_raises_uptake_and_thins_marrow_in_every_bone(
    anatomy: Anatomy, labels: tuple[int, ...]
) -> None:
    marrow = np.isin(anatomy.labels, labels) & (anatomy.bone_depth_mm > 5)
    uptake = [pet(anatomy, Disease(d))[marrow].mean() for d in (0.0, 0.5, 1.0)]
    density = [ct(anatomy, Disease(d))[marrow].mean() for d in (0.0, 0.5, 1.0)]
    assert uptake[0] < 1.3
    assert uptake[1] > 1.7 * uptake[0]
    assert uptake[2] > 2.8 * uptake[0]
    assert density[0] - density[1] > 35
    assert density[0] - density[2] > 80


def test_diffuse_disease_leaves_soft_tissue_alone(anatomy: Anatomy) -> None:
    liver = anatomy.tissue == Tissue.LIVER
    assert np.median(pet(anatomy)[liver]) == pytest.approx(np.median(pet(anatomy, Disease(1.0))[liver]), rel=0.02)


def test_a_lesion_is_hot_on_pet_and_lytic_on_ct_at_its_place(shapes: BodyShapes, anatomy: Anatomy) -> None:
    hip = np.argwhere((anatomy.labels == 27) & (anatomy.bone_depth_mm > 6))[0]
    z, y, x = (hip * np.array(anatomy.grid.spacing_mm) + np.array(anatomy.grid.origin_mm)).tolist()
    sites, disease = (Site((x, y, z), LESION),), Disease(0.0, (LESION,))
    at = tuple(hip)
    assert pet(anatomy, disease, sites)[at] > 4
    assert pet(anatomy)[at] < 1.5
    assert ct(anatomy, disease, sites)[at] < ct(anatomy)[at] - 40
    # The change is on both grids at one place of the world, whatever their spacing.
    other = shapes.rasterise(body_grid(shapes.body, (10, 6, 6), (3.7, -7.4, 11.3)))
    change = pet(other, disease, sites) - pet(other)
    hottest = np.array(np.unravel_index(change.argmax(), change.shape))
    place = hottest * np.array(other.grid.spacing_mm) + np.array(other.grid.origin_mm)
    assert np.linalg.norm(place - np.array([z, y, x])) < LESION.radius_mm + 6


def test_a_lesion_never_lowers_uptake(anatomy: Anatomy) -> None:
    spot = np.argwhere((anatomy.labels == 75) & (anatomy.bone_depth_mm > 8))[0]
    z, y, x = (spot * np.array(anatomy.grid.spacing_mm) + np.array(anatomy.grid.origin_mm)).tolist()
    faint = Lesion(15.0, 3.0)
    full = Disease(1.0, (faint,))
    difference = pet(anatomy, full, (Site((x, y, z), faint),)) - pet(anatomy, full)
    assert difference.min() > -0.05


def test_images_are_the_same_for_the_same_random_numbers(anatomy: Anatomy) -> None:
    assert np.array_equal(ct(anatomy), ct(anatomy))
    assert np.array_equal(pet(anatomy), pet(anatomy))


@pytest.mark.parametrize(("where", "outside"), [("spine", False), ("anywhere", True)])
def test_lesions_lie_where_they_were_asked_for(shapes: BodyShapes, where: LesionSite, outside: bool) -> None:
    many = Disease(0.0, (LESION,) * 60)
    sites = place_lesions(many, shapes, where, np.random.default_rng(0))
    spine = [bone.shape for bone in shapes.bones if 25 <= bone.label <= 50]
    depth = []
    for site in sites:
        x, y, z = (np.full((1, 1, 1), v, np.float32) for v in site.center_mm)
        depth.append(max(float(piece.depth_mm(x, y, z)[0, 0, 0]) for piece in spine))
    assert (min(depth) < 0) == outside


def test_latents_have_the_promised_ranges_and_tails() -> None:
    drawn = [draw_disease(np.random.default_rng(k), severity=0.0) for k in range(600)]
    diffuse, counts = np.array([d.diffuse for d in drawn]), np.array([len(d.lesions) for d in drawn])
    assert 0 <= diffuse.min() < 0.05 < 0.9 < diffuse.max() <= 1
    assert counts.min() == 0
    assert counts.max() <= MAX_LESIONS
    assert counts.mean() > np.median(counts)  # skewed
    lesions = [lesion for d in drawn for lesion in d.lesions]
    assert all(6 <= lesion.radius_mm <= 20 and 3 <= lesion.suv <= 12 for lesion in lesions)


def test_focal_burden_is_zero_without_lesions_and_grows_with_each() -> None:
    assert HEALTHY.focal_burden == 0
    one, two = Disease(0.2, (LESION,)), Disease(0.2, (LESION, LESION))
    assert one.focal_burden == pytest.approx(np.log1p(4 / 3 * np.pi * 16**3 / 1000 * 10))
    assert two.focal_burden > one.focal_burden
