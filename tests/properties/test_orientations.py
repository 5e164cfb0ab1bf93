"""However a file stores its axes, the frames, the boxes and the regions are the same, bit for bit.

A volume of three different sizes, spacings and no symmetry is written in all 48 ways to store it: six orders of
the axes times eight flips. The affine of each is worked out here, apart from the code that reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk

from engram.config_images import Roi
from engram.imaging.frames import to_frames
from engram.imaging.study import load_pair
from engram.roi.boxes import slice_boxes
from engram.roi.build import build_rois
from engram.roi.masks import read_bones

Way = tuple[tuple[int, ...], tuple[int, ...]]  # which body axis each stored axis is; its sign
WAYS: list[Way] = [(order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)]
PLAIN: Way = ((0, 1, 2), (1, 1, 1))
SCHEME = "totalsegmentator-2/total"
ROIS = {
    "spine": Roi(region="spine_dilated", dilate_mm=4.0),
    "bones": Roi(region="skeleton", dilate_mm=4.0),
    "tumour": Roi(mask="tumour"),
}
ORIGIN = (-31.7, 12.9, -803.3)
Array = npt.NDArray[Any]
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def _write(array: Array, name: str, *, spacing: Any, origin: Any, direction: Any) -> Path:
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(spacing)
        image.SetOrigin(origin)
        image.SetDirection(direction)
        sitk.WriteImage(image, str(tmp_path / name))
        return tmp_path / name

    return _write


def turn(axis: int, degrees: float) -> npt.NDArray[np.float64]:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = (k for k in range(3) if k != axis)
    matrix = np.eye(3)
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return matrix


STRAIGHT = np.eye(3)
OBLIQUE = turn(0, 7.0) @ turn(2, -4.0)


class Body:
    """CT, PET, label map and mask as arrays over (x, y, z): left, posterior, superior."""

    def __init__(self, origin: tuple[float, float, float] = ORIGIN) -> None:
        rng = np.random.default_rng(5)
        shape = (13, 17, 11)
        self.spacing = np.array([1.37, 0.91, 2.95])
        self.origin = np.array(origin)
        ct = rng.integers(-1000, 1400, shape).astype(np.int16)
        labels = np.zeros(shape, np.uint8)
        for label, (low, high) in {31: (6, 10), 30: (3, 6), 29: (1, 3)}.items():
            labels[4:8, 9:14, low:high] = label
        labels[9:12, 2:5, 2:6] = 77
        tumour = np.zeros(shape, np.uint8)
        tumour[2:5, 3:9, 4:8] = rng.integers(0, 2, (3, 6, 4))
        pet = rng.uniform(0, 14, (9, 8, 12)).astype(np.float32)
        same = (self.spacing, self.origin)
        self.images = {
            "ct": (ct, *same),
            "labels": (labels, *same),
            "tumour": (tumour, *same),
            "pet": (pet, np.array([2.1, 2.3, 3.1]), self.origin - [0.7, 1.1, 1.9]),
        }

    def stored(self, name: str, way: Way, axes: npt.NDArray[np.float64]) -> dict[str, Any]:
        """What `write` is to write so that the same voxels lie in the same places."""
        array, spacing, origin = self.images[name]
        order, signs = way
        kept = array.transpose(order)[tuple(slice(None, None, sign) for sign in signs)]
        last = np.where(np.array(signs) < 0, np.array(kept.shape) - 1, 0)
        columns = axes[:, order] * signs
        first = axes @ (np.eye(3)[:, order] @ (last * spacing[list(order)]))
        return {
            "array": np.ascontiguousarray(kept.transpose(2, 1, 0)),
            "spacing": tuple(spacing[list(order)]),
            "origin": tuple(origin + first),
            "direction": tuple(columns.ravel()),
        }


def seen(
    write: Write,
    ways: dict[str, Way],
    suffix: str,
    axes: npt.NDArray[np.float64],
    origin: tuple[float, float, float] = ORIGIN,
) -> dict[str, Array]:
    """Everything that the model is given, of files stored in these ways."""
    body = Body(origin)
    paths = {}
    for name, way in ways.items():
        stored = body.stored(name, way, axes)
        paths[name] = write(stored.pop("array"), f"{name}{suffix}", **stored)
    pair = load_pair(paths["ct"], paths["pet"], patient_id="P1")
    bones = read_bones({SCHEME: paths["labels"]}, grid=pair.grid, patient_id="P1")
    rois = build_rois(
        ROIS, bones=bones, ct=pair.ct, mask_paths={"tumour": paths["tumour"]}, grid=pair.grid, patient_id="P1"
    )
    found: dict[str, Array] = {
        "ct": to_frames(pair.volume("CT"), (-500, 1300)),
        "pet": to_frames(pair.volume("PET"), (0, 10)),
        "suv": pair.volume("PET").voxels,
    }
    for name, mask in rois.items():
        boxes = slice_boxes(mask)
        found |= {name: mask, f"{name} slices": boxes.slices, f"{name} boxes": boxes.boxes}
    return found


def all_one_way(way: Way) -> dict[str, Way]:
    return dict.fromkeys(("ct", "pet", "labels", "tumour"), way)


def check_same(found: dict[str, Array], expected: dict[str, Array]) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_there_are_48_ways_and_the_volume_is_different_in_each(write: Write) -> None:
    body = Body()
    arrays = {body.stored("ct", way, STRAIGHT)["array"].tobytes() for way in WAYS}
    assert len(WAYS) == len(arrays) == 48


def test_what_is_seen_is_the_body_the_right_way_up(write: Write) -> None:
    """Frame 0 is superior, row 0 anterior, column 0 the patient's right: worked out from the arrays by hand."""
    found = seen(write, all_one_way(PLAIN), ".nii.gz", STRAIGHT)
    ct = Body().images["ct"][0]
    share = (ct[:, :, ::-1].transpose(2, 1, 0).astype(np.float32) + 500) / 1800
    np.testing.assert_array_equal(found["ct"], np.rint(np.clip(share, 0, 1) * np.float32(255)))


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
@pytest.mark.parametrize("axes", [STRAIGHT, OBLIQUE], ids=["straight", "oblique"])
def test_all_48_orientations_give_the_same_bits(write: Write, suffix: str, axes: npt.NDArray[np.float64]) -> None:
    expected = seen(write, all_one_way(PLAIN), ".nii.gz", axes)
    for way in WAYS:
        check_same(seen(write, all_one_way(way), suffix, axes), expected)


@pytest.mark.parametrize(
    "origin", [(-31.705, 12.905, -803.305), (-249.51171875, -401.5078125, -803.265625)], ids=["decimal", "binary"]
)
def held_out_places_that_rounding_could_send_either_way(write: Write, origin: tuple[float, float, float]) -> None:
    expected = seen(write, all_one_way(PLAIN), ".nii.gz", STRAIGHT, origin)
    for way in WAYS:
        check_same(seen(write, all_one_way(way), ".nii.gz", STRAIGHT, origin), expected)


def test_each_file_may_be_stored_in_its_own_way(write: Write) -> None:
    expected = seen(write, all_one_way(PLAIN), ".nii.gz", STRAIGHT)
    for i in range(48):
        ways = {name: WAYS[(i + 17 * k) % 48] for k, name in enumerate(("ct", "pet", "labels", "tumour"))}
        check_same(seen(write, ways, ".nii.gz", STRAIGHT), expected)
