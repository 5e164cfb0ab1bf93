"""Parts of results that more than one test needs; every number is made here, none is measured."""

from __future__ import annotations

from typing import Literal

import numpy as np

from engram.evaluation.results import DrawnMasks, RowResult

Family = Literal["clinical", "image", "multimodal"]
FOLDS = 5


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


def make_row(
    name: str,
    family: Family,
    mean: float,
    *,
    modality: str = "-",
    roi: str = "-",
    readout: str = "final",
    survival: str = "DeepSurv",
    true_mean: float | None = None,
) -> RowResult:
    rng = np.random.default_rng(sum(map(ord, name)))
    folds = mean + rng.normal(0, 0.05, FOLDS)
    of_family = np.random.default_rng(sum(map(ord, family)))  # all rows of a family see the same truth
    true = [true_mean + float(x) for x in of_family.normal(0, 0.02, FOLDS)] if true_mean else None
    se = float(folds.std(ddof=1) / np.sqrt(FOLDS))
    image = family != "clinical"
    return RowResult(
        name=name,
        family=family,
        modality=modality,
        roi=roi,
        readout=readout if image else "-",
        encoder="mini-random" if image else "-",
        head="averaging" if image else "-",
        fusion="concatenation" if modality == "Combined" or family == "multimodal" else "-",
        survival=survival,
        c_index=[float(value) for value in folds],
        mean=float(folds.mean()),
        se=se,
        p=float(10 ** (-(folds.mean() - 0.5) / se / 2)),
        p_two_sided=float(2 * 10 ** (-(folds.mean() - 0.5) / se / 2)),
        p_corrected=float(10 ** (-(folds.mean() - 0.5) / se / 3)),
        p_adjusted=float(10 ** (-(folds.mean() - 0.5) / se / 4)),
        ci_lower=float(folds.mean()) - 0.06,
        ci_upper=float(folds.mean()) + 0.055,
        true_c_index=true,
        true_mean=float(np.mean(true)) if true else None,
    )
