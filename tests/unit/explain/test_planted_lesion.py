"""A phantom whose risk is the uptake of one planted lesion: patches, frames, map, views and parts find it."""

from __future__ import annotations

import numpy as np
import pytest

from engram.cohort.phantom import PhantomSettings, draw_cohort
from engram.cohort.phantom.anatomy import BodyShapes
from engram.cohort.phantom.scan import body_grid
from engram.explain.attribution import part_shares
from engram.explain.patches import fill_value, occluded_planes, patch_grid
from engram.explain.sensitivity_map import SensitivityMap
from engram.explain.views import views
from engram.imaging.align import AlignedPet
from engram.imaging.frames import to_frames
from engram.imaging.study import ImagePair
from engram.imaging.volume import Grid, Volume
from engram.roi.anatomy import part_map
from engram.roi.bones import BoneMap, Mask
from engram.roi.masks import bone_map
from engram.roi.regions import spine_dilated

SPACING = (10.0, 5.0, 5.0)
WINDOW = (0.0, 10.0)


@pytest.fixture(scope="module")
def bones() -> BoneMap:
    body = draw_cohort(PhantomSettings(n_patients=2, faults=False)).patients[0].body
    labels = BodyShapes(body).rasterise(body_grid(body, SPACING)).labels
    return bone_map(labels, scheme="totalsegmentator-2/total")


@pytest.fixture(scope="module", params=["vertebrae_L3", "vertebrae_T4"])
def lesion(request: pytest.FixtureRequest, bones: BoneMap) -> Mask:
    """A voxel and its neighbours in the middle of a vertebra."""
    places = np.argwhere(bones.mask([request.param]))
    z, y, x = places[np.argmin(((places - places.mean(axis=0)) ** 2).sum(axis=1))]
    mask = np.zeros(bones.codes.shape, bool)
    mask[z - 1 : z + 2, y - 2 : y + 3, x - 2 : x + 3] = True
    return mask


def test_the_map_is_largest_in_the_lesion_that_drives_the_risk(bones: BoneMap, lesion: Mask) -> None:
    region = spine_dilated(bones, SPACING)
    uptake = np.where(bones.mask(), 2.0, 0.5).astype(np.float32)
    uptake[lesion] = 9
    volume = Volume(uptake, Grid(uptake.shape, SPACING))
    frames, seen = to_frames(volume, WINDOW), lesion[::-1]

    def risk(shown: np.ndarray) -> float:
        return float(shown[seen].mean()) / 255

    found = SensitivityMap(uptake.shape)
    fill = fill_value(uptake, region)
    for patch in patch_grid(region, SPACING, patch_mm=(40, 40, 40), stride_mm=(20, 20, 20)):
        shown = frames.copy()
        for frame, plane in occluded_planes(uptake, patch, fill, WINDOW).items():
            shown[frame] = plane
        found.add(patch, risk(shown) - risk(frames))

    signed, absolute = found.signed(), found.absolute()
    top = np.argwhere(absolute == np.nanmax(absolute))
    assert lesion[tuple(top[len(top) // 2])]
    assert np.nanmax(signed) == 0
    shares = {one.part: one for one in part_shares(absolute, region, part_map(bones), 0.25)}
    most = max(shares.values(), key=lambda one: (one.per_ml or 0) * (one.volume_ml >= 64))
    assert most.part == ("lumbar spine" if bones.mask(["vertebrae_L3"])[lesion].any() else "thoracic spine")
    _, _, front = views(ImagePair(None, AlignedPet(volume, 1.0)), region, signed)
    assert front.change[lesion[::-1].any(axis=1)].min() == np.nanmin(signed[region])
