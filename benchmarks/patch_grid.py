"""How much of a region do patches cover whose centres lie on a grid and in the region, and how many are there?

    python benchmarks/patch_grid.py [--patients 5]

Bodies of the synthetic cohort at 3 x 2 x 2 mm. For each region, and each size and stride of cubic patches: patches
of the grid alone (the paper's), the share of the region's voxels that they cover, and patches that cover all of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from engram.cohort.phantom import Patient, PhantomSettings, draw_cohort
from engram.cohort.phantom.anatomy import BodyShapes
from engram.cohort.phantom.scan import body_grid
from engram.explain.patches import Patch, patch_grid
from engram.imaging.coverage import Mask
from engram.roi.masks import bone_map
from engram.roi.regions import skeleton, spine_dilated

SPACING_MM = (3.0, 2.0, 2.0)
SIZES_MM = ((40, 40), (40, 20), (30, 30), (30, 15), (20, 20), (20, 10))  # patch, stride


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=5)
    options = parser.parse_args()
    cohort = draw_cohort(PhantomSettings(n_patients=max(2, options.patients), faults=False))
    regions = [region for patient in cohort.patients[: options.patients] for region in _regions(patient)]
    print("region         patch  stride  grid alone  covers  whole region")
    for name in ("spine_dilated", "skeleton"):
        masks = [mask for found, mask in regions if found == name]
        for size, stride in SIZES_MM:
            alone, covered, whole = np.mean([_counted(mask, size, stride) for mask in masks], axis=0)
            print(f"{name:13}  {size:5}  {stride:6}  {alone:10.0f}  {covered:6.1%}  {whole:12.0f}")


def _regions(patient: Patient) -> Iterator[tuple[str, Mask]]:
    labels = BodyShapes(patient.body).rasterise(body_grid(patient.body, SPACING_MM)).labels
    bones = bone_map(labels, scheme="totalsegmentator-2/total")
    spine = spine_dilated(bones, SPACING_MM)
    yield "spine_dilated", spine
    yield "skeleton", skeleton(bones, spine)


def _counted(mask: Mask, size: float, stride: float) -> tuple[float, float, float]:
    lengths = {"patch_mm": (size,) * 3, "stride_mm": (stride,) * 3}
    alone = patch_grid(mask, SPACING_MM, complete=False, **lengths)
    return len(alone), _covered(alone, mask), len(patch_grid(mask, SPACING_MM, **lengths))


def _covered(patches: list[Patch], mask: Mask) -> float:
    seen = np.zeros_like(mask)
    for patch in patches:
        seen[patch.box] = True
    return float(np.mean(seen[mask]))


if __name__ == "__main__":
    main()
