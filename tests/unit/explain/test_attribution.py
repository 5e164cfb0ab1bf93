"""Shares of parts: of sensitivity and of volume, for a patient and over patients, with their intervals."""

from __future__ import annotations

import numpy as np
import pytest

from engram.evaluation.attribution_records import AROUND
from engram.explain.attribution import PLACES, PartShare, attribution, part_shares, share_table
from engram.explain.patient_bootstrap import FEWEST_PATIENTS, mean_of, ratio_of
from engram.roi.anatomy import PARTS

SHAPE = (4, 4, 4)
SKULL, LUMBAR = PARTS.index("skull"), PARTS.index("lumbar spine")


def arrays() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A map, a region and parts: two planes of skull, one of lumbar spine, one of none."""
    parts = np.zeros(SHAPE, np.uint8)
    parts[:2], parts[2] = SKULL + 1, LUMBAR + 1
    change = np.ones(SHAPE, np.float32)
    change[2] = 4
    return change, np.ones(SHAPE, bool), parts


def by_part(shares: list[PartShare]) -> dict[str, PartShare]:
    assert [one.part for one in shares] == list(PLACES)
    return {one.part: one for one in shares}


def test_shares_are_of_sensitivity_and_of_volume() -> None:
    found = by_part(part_shares(*arrays(), voxel_ml=0.5))
    skull, lumbar, around = found["skull"], found["lumbar spine"], found[AROUND]
    assert (skull.volume_ml, lumbar.volume_ml, around.volume_ml) == (16, 8, 8)
    assert (skull.share, lumbar.share, around.share) == pytest.approx((32 / 112, 64 / 112, 16 / 112))
    assert lumbar.per_ml == pytest.approx((64 / 112) / (16 / 64))
    assert sum(one.share or 0 for one in found.values()) == pytest.approx(1)
    assert (found["ribs and sternum"].share, found["ribs and sternum"].per_ml) == (0, None)


def test_only_covered_voxels_of_the_region_count() -> None:
    change, region, parts = arrays()
    change[0] = np.nan
    region[3] = False
    found = by_part(part_shares(change, region, parts, voxel_ml=1))
    assert (found["skull"].volume_ml, found["lumbar spine"].volume_ml, found[AROUND].volume_ml) == (16, 16, 0)
    assert found["lumbar spine"].share == pytest.approx(0.8)
    with pytest.raises(ValueError, match="no patch covers"):
        part_shares(np.full(SHAPE, np.nan, np.float32), region, parts, voxel_ml=1)
    with pytest.raises(ValueError, match="other shapes"):
        part_shares(change[1:], region, parts, voxel_ml=1)


def test_a_flat_map_has_volumes_and_no_shares() -> None:
    change, region, parts = arrays()
    found = by_part(part_shares(np.zeros_like(change), region, parts, voxel_ml=1))
    assert (found["skull"].volume_ml, found["skull"].share, found["skull"].per_ml) == (32, None, None)


def patient(skull: float, *, volume: float = 0.25, parts: int = len(PLACES)) -> list[PartShare]:
    """Shares of a patient with so much of his sensitivity in the skull, and the rest in the lumbar spine."""
    values = {"skull": (volume, skull), "lumbar spine": (1 - volume, 1 - skull)}
    return [
        PartShare(place, 1000 * values.get(place, (0, 0))[0], *values.get(place, (0.0, 0.0))) for place in PLACES
    ]


def test_over_patients_shares_are_means_and_per_ml_is_of_means() -> None:
    volumes = np.linspace(0.1, 0.4, 20)
    shares = np.linspace(0.2, 0.6, 20)[::-1]
    cohort = [patient(share, volume=volume) for share, volume in zip(shares, volumes, strict=True)]
    found = attribution("PET", "skeleton", cohort, patch_ml=64, seed=1)
    skull = found.parts[SKULL]
    assert (found.n, found.flat, skull.n) == (20, 0, 20)
    assert (skull.share, skull.volume_ml) == pytest.approx((0.4, 250))
    assert skull.per_ml == pytest.approx(0.4 / 0.25)
    assert None not in (skull.share_lower, skull.share_upper, skull.per_ml_lower, skull.per_ml_upper)
    assert skull.share_lower < 0.4 < skull.share_upper
    assert skull.per_ml_lower < 1.6 < skull.per_ml_upper
    ribs = found.parts[PARTS.index("ribs and sternum")]
    assert (ribs.n, ribs.volume_ml, ribs.share, ribs.per_ml) == (0, None, None, None)
    assert found == attribution("PET", "skeleton", cohort, patch_ml=64, seed=1)
    assert found != attribution("PET", "skeleton", cohort, patch_ml=64, seed=2)


def test_a_part_is_measured_where_it_is() -> None:
    without = [
        PartShare(place, 10.0, 1.0, 1.0) if place == "limbs" else PartShare(place, 0, 0, 0) for place in PLACES
    ]
    found = attribution("PET", "skeleton", [patient(0.5), patient(0.7), without], patch_ml=64, seed=0)
    assert (found.parts[SKULL].n, found.n) == (2, 3)
    assert found.parts[SKULL].share == pytest.approx(0.6)


def test_a_part_smaller_than_a_patch_cannot_be_told_from_its_neighbours() -> None:
    cohort = [patient(0.5)] * 12  # 250 mL of skull
    skull = attribution("PET", "skeleton", cohort, patch_ml=251, seed=0).parts[SKULL]
    assert (skull.n, skull.share, skull.per_ml, skull.per_ml_lower) == (12, pytest.approx(0.5), None, None)
    assert attribution("PET", "skeleton", cohort, patch_ml=250, seed=0).parts[SKULL].per_ml == pytest.approx(2)


def test_flat_maps_are_counted_and_left_out() -> None:
    flat = [PartShare(place, 1.0, 1 / len(PLACES), None) for place in PLACES]
    found = attribution("PET", "skeleton", [patient(0.5), flat, flat], patch_ml=64, seed=0)
    assert (found.n, found.flat, found.parts[SKULL].n) == (1, 2, 1)
    assert attribution("PET", "skeleton", [flat], patch_ml=64, seed=0).parts[SKULL].share is None


def test_few_patients_have_no_interval() -> None:
    rng = np.random.default_rng(0)
    few, enough = rng.random(FEWEST_PATIENTS - 1), rng.random(FEWEST_PATIENTS)
    assert (mean_of(few, seed=0).lower, mean_of(few, seed=0).value) == (None, pytest.approx(few.mean()))
    assert mean_of(enough, seed=0).lower is not None


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """95 % intervals of a mean and a ratio of 40 patients, 200 times: a little below, as percentiles are."""
    rng = np.random.default_rng(7)
    held = np.zeros(2)
    for _ in range(200):
        volumes = rng.uniform(0.1, 0.3, 40)
        shares = 2 * volumes * rng.uniform(0.5, 1.5, 40)
        mean, ratio = mean_of(shares, seed=0), ratio_of(shares, volumes, seed=0)
        held += [mean.lower < 0.4 < mean.upper, ratio.lower < 2 < ratio.upper]
    assert ((held > 0.89 * 200) & (held < 0.99 * 200)).all()


def test_the_table_has_a_line_for_each_part_of_a_patient() -> None:
    table = share_table({7: patient(0.5), 2: patient(0.25)})
    assert table.patient.tolist() == [2, 2, 7, 7]
    assert table.part.tolist() == ["skull", "lumbar spine"] * 2
    assert table.per_ml.tolist() == pytest.approx([1, 1, 2, 2 / 3])
    assert len(share_table({})) == 0
