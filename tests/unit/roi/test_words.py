from typing import get_args

import pytest

from engram.config_images import Region, Roi
from engram.roi.words import in_words


@pytest.mark.parametrize(
    ("roi", "words"),
    [
        (Roi(mask="m"), "ready mask"),
        (
            Roi(region="spine_dilated"),
            "vertebrae with sacrum and canal, closed by 5 mm, dilated by 10 mm",
        ),
        (
            Roi(region="skeleton", close_mm=0, fill_canal=False, include_sacrum=False, dilate_mm=4),
            "all bones and vertebrae without sacrum, dilated by 4 mm",
        ),
        (Roi(region="lumbar"), "lumbar vertebrae"),
        (Roi(region="limbs", dilate_mm=2.5), "bones of the free limbs, dilated by 2.5 mm"),
        (
            Roi(region="marrow", erode_mm=0),
            "bones of active marrow: spine, sacrum, hip bones, ribs, sternum, shoulder girdle, "
            "humeri and femora to 150 mm from their joint",
        ),
        (
            Roi(region="marrow", proximal_mm=0),
            "bones of active marrow: spine, sacrum, hip bones, ribs, sternum, shoulder girdle, "
            "without 2 mm of surface",
        ),
        (
            Roi(region="ct_threshold", threshold_hu=200),
            "approximate skeleton from the CT alone, no segmentation: at least 200 HU after smoothing by 1.5 mm, "
            "holes up to 20 cm2 filled, pieces of at least 5 mL",
        ),
    ],
)
def test_a_region_is_told_with_all_that_shapes_it(roi, words):
    assert in_words(roi) == words


@pytest.mark.parametrize("region", get_args(Region))
def test_every_setting_shows(region):
    plain = Roi(region=region)
    for name, default in plain.settings.items():
        changed = Roi(region=region, **{name: (not default) if isinstance(default, bool) else default + 1.5})
        assert in_words(changed) != in_words(plain), name
