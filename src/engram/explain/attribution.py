"""Where in the body the maps of a cohort look: shares of anatomical parts, per patient and over patients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engram.evaluation.attribution_records import AROUND, Attribution, PartAttribution
from engram.explain.patient_bootstrap import Estimate, mean_of, ratio_of
from engram.explain.sensitivity_map import MapArray
from engram.imaging.coverage import Mask
from engram.roi.anatomy import PARTS, PartMap

PLACES = (*PARTS, AROUND)


@dataclass(frozen=True)
class PartShare:
    """One part of one patient, inside the region and where patches are.

    volume_ml: of it. volume_share: of the region's covered volume. share: of the summed absolute sensitivity; None
    where the map is flat.
    """

    part: str
    volume_ml: float
    volume_share: float
    share: float | None

    @property
    def per_ml(self) -> float | None:
        """Share over share of the volume: 1 is as much as its volume. None without voxels, or of a flat map.

        Of a part that is smaller than a patch it tells nothing: the patches that cover it cover its neighbours.
        """
        return self.share / self.volume_share if self.share is not None and self.volume_share else None


def part_shares(absolute: MapArray, region: Mask, parts: PartMap, voxel_ml: float) -> list[PartShare]:
    """Each part of PLACES of one patient.

    absolute: mean size of the change (z, y, x), NaN where no patch is (SensitivityMap.absolute). region: bool.
    parts: of each voxel (engram.roi.anatomy.part_map); voxels of the region in no bone, as those of a dilated
    spine, are a place of their own. voxel_ml: volume of a voxel.
    Raises ValueError where shapes differ, or no voxel of the region is covered.
    """
    if not absolute.shape == region.shape == parts.shape:
        raise ValueError(f"arrays of other shapes: {absolute.shape}, {region.shape}, {parts.shape}")
    counts, sums = np.zeros(len(PLACES)), np.zeros(len(PLACES))
    for change, inside, part in zip(absolute, region, parts, strict=True):
        seen = inside & ~np.isnan(change)
        counts += np.bincount(part[seen], minlength=len(PLACES))
        sums += np.bincount(part[seen], weights=change[seen], minlength=len(PLACES))
    if not counts.any():
        raise ValueError("no patch covers a voxel of the region")
    total = float(sums.sum())
    # In a part map 0 is no part; in PLACES that comes last.
    order = [*range(1, len(PLACES)), 0]
    return [
        PartShare(
            place,
            float(counts[i]) * voxel_ml,
            float(counts[i] / counts.sum()),
            float(sums[i]) / total if total else None,
        )
        for place, i in zip(PLACES, order, strict=True)
    ]


def share_table(patients: Mapping[int, Sequence[PartShare]]) -> pd.DataFrame:
    """One line for each patient and part that has voxels. patients: shares by the patient's number in the study."""
    lines = [
        (number, one.part, one.volume_ml, one.share, one.per_ml)
        for number, shares in sorted(patients.items())
        for one in shares
        if one.volume_ml
    ]
    table = pd.DataFrame(lines, columns=["patient", "part", "volume_ml", "share", "per_ml"])
    return table.astype({"share": "float64", "per_ml": "float64"})


def attribution(
    row: str, roi: str, patients: Iterable[Sequence[PartShare]], *, patch_ml: float, seed: int
) -> Attribution:
    """Shares over the patients of a cohort. patch_ml: volume of a whole patch. seed: of the bootstrap.

    Every patient counts alike, however large the changes of his map are. A flat map has no shares: such patients
    are counted, and left out.
    """
    known = list(patients)
    lively = [shares for shares in known if all(one.share is not None for one in shares)]
    by_place = [[shares[i] for shares in lively if shares[i].volume_ml] for i in range(len(PLACES))]
    parts = [_part(place, seen, patch_ml, seed) for place, seen in zip(PLACES, by_place, strict=True)]
    flat = len(known) - len(lively)
    return Attribution(row=row, roi=roi, n=len(lively), flat=flat, patch_ml=patch_ml, parts=parts)


def _part(place: str, seen: Sequence[PartShare], patch_ml: float, seed: int) -> PartAttribution:
    shares = np.array([one.share for one in seen], dtype=np.float64)
    volumes = np.array([one.volume_share for one in seen], dtype=np.float64)
    volume_ml = float(np.mean([one.volume_ml for one in seen])) if seen else None
    told = volume_ml is not None and volume_ml >= patch_ml
    share = mean_of(shares, seed=seed)
    per_ml = ratio_of(shares, volumes, seed=seed) if told else Estimate(None)
    return PartAttribution(
        part=place,
        n=len(seen),
        volume_ml=volume_ml,
        share=share.value,
        share_lower=share.lower,
        share_upper=share.upper,
        per_ml=per_ml.value,
        per_ml_lower=per_ml.lower,
        per_ml_upper=per_ml.upper,
    )
