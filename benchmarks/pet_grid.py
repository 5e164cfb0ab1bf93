"""What interpolation to the CT's grid would do to SUVmax, SUVpeak, MTV and TLG of the 14 sarcomas.

    .venv/bin/python benchmarks/pet_grid.py ../shared/data/sts

Each tumour is drawn on the CT. It is measured as Engram does, on the PET's own grid, and on the PET brought to the
CT's grid. Prints one line a patient, then the range of each ratio (CT's grid / own grid).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from engram.imaging.align import pet_on_ct_grid
from engram.imaging.volume import read_volume
from engram.roi.masks import read_mask
from engram.roi.pet_numbers import Threshold, pet_numbers

QUANTITIES = ("suv_mean", "suv_max", "suv_peak", "mtv_ml", "tlg_g")


def ratios(folder: Path) -> list[float]:
    """Of the five quantities, on the CT's grid to on the PET's own."""
    pet = read_volume(folder / "PET.nii.gz", patient_id=folder.name, what="PET")
    ct = read_volume(folder / "CT.nii.gz", patient_id=folder.name, what="CT")
    mask = read_mask(folder / "CT_mask.nii.gz", grid=ct.grid, patient_id=folder.name, roi="tumour")
    moved = pet_on_ct_grid(pet, ct, patient_id=folder.name).volume
    own, other = (pet_numbers(scan, [("tumour", mask)], ct.grid, threshold=Threshold())[0] for scan in (pet, moved))
    return [getattr(other, name) / getattr(own, name) for name in QUANTITIES]


def main(cohort: Path) -> None:
    """Print the table."""
    print("patient  " + "  ".join(f"{name:>8}" for name in QUANTITIES))
    found = []
    for folder in sorted(path for path in cohort.iterdir() if path.is_dir()):
        found.append(ratios(folder))
        print(f"{folder.name:8} " + "  ".join(f"{ratio:8.3f}" for ratio in found[-1]))
    for name, of_all in zip(("lowest", "median", "highest"), np.quantile(found, [0, 0.5, 1], axis=0), strict=True):
        print(f"{name:8} " + "  ".join(f"{ratio:8.3f}" for ratio in of_all))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
