"""Parts of results that more than one test needs; every number is made here, none is measured."""

from __future__ import annotations

import numpy as np

from engram.evaluation.results import DrawnMasks


def make_masks(modality: str, roi: str, dice: float, *, n: int = 227, flagged: int = 0) -> DrawnMasks:
    median = [dice + 0.04 * float(np.sin(i)) for i in range(32)]
    return DrawnMasks(
        modality=modality,
        roi=roi,
        n=n,
        flagged=flagged,
        limit=0.5,
        dice_quartiles=[dice - 0.03, dice, dice + 0.02],
        curve_lower=[value - 0.05 for value in median],
        curve_median=median,
        curve_upper=[value + 0.05 for value in median],
    )
