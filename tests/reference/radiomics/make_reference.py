"""What MIRP makes of the IBSI digital phantom: `python make_reference.py ENV/bin/python`.

ENV is an environment with MIRP; this script runs in Engram's. Two runs of `radiomics/mirp_script.py`, the very
script that `engram radiomics` runs: the phantom as it is, with grey levels as they are (IBSI 1), and the phantom
times 100 under the settings of `mirp_settings` for the CT, which no reference value exists for.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from engram.config_radiomics import Radiomics
from engram.imaging.volume import Grid, Volume
from engram.imaging.write import write_nifti
from engram.radiomics.extraction import _SCRIPT, Region, Run, extract
from engram.radiomics.staging import stage
from engram.radiomics.tool import find_mirp
from engram.segmenters.running import run_logged

HERE = Path(__file__).parent
O = 0  # noqa: E741 - outside of the region of interest
# Slices of (y, x), 2 mm voxels: IBSI reference manual (arXiv 1612.07003), chapter 5.
PHANTOM = [
    [[1, 4, 4, 1, 1], [1, 4, 6, 1, 1], [4, 1, 6, 4, 1], [4, 4, 6, 4, 1]],
    [[1, 4, 4, 1, 1], [1, 1, 6, 1, 1], [O, 1, 3, 1, 1], [4, 4, 6, 1, 1]],
    [[1, 4, 4, O, O], [1, 1, 1, 1, 1], [1, 1, O, 1, 1], [1, 1, 6, 1, 1]],
    [[1, 4, 4, O, O], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 6, 1, 1]],
]
GRID = Grid((4, 4, 5), (2.0, 2.0, 2.0))
AS_IT_IS: dict[str, Any] = {
    "image_modality": "ct",
    "base_feature_families": "all",
    "base_discretisation_method": "none",
    "ivh_discretisation_method": "none",
    "glcm_spatial_method": "3d_volume_merge",
    "glrlm_spatial_method": "3d_volume_merge",
}


def ibsi_name(feature: str) -> str:
    """The tag of the table of reference values."""
    return re.sub(r"_d1(_a0\.0)?", "", feature).replace("_3d_v_mrg", "_3D_comb").replace("_3d", "_3D")


def main(command: str) -> None:
    voxels = np.array(PHANTOM, dtype=np.float32)
    mask, mirp = voxels > 0, find_mirp(command, Radiomics())
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        image = write_nifti(np.where(mask, voxels, 1).astype(np.float32), GRID, scratch / "image.nii.gz")
        item = {"name": "0", "image": str(image), "mask": str(write_nifti(mask, GRID, scratch / "mask.nii.gz"))}
        (scratch / "request.json").write_text(json.dumps([{**item, "settings": AS_IT_IS, "spatial": True}]))
        arguments = [str(mirp.python), "-I", str(_SCRIPT), str(scratch / "request.json"), str(scratch / "out.json")]
        run_logged(arguments, scratch / "log", scratch, seconds=600, stop=Event(), patient_id="phantom")
        found = json.loads((scratch / "out.json").read_text())["0"]["features"]
        region = Region("phantom", "CT")
        staged = {region: stage(Volume(np.where(mask, voxels, 1) * np.float32(100), GRID), mask, scratch, "ct")}
        run = Run(mirp, Radiomics(), 600.0, Event())
        usual = extract(staged, scratch, scratch / "log", run, patient_id="phantom").features[region]
    (HERE / "mirp.json").write_text(
        json.dumps(
            {
                "mirp": mirp.version,
                "ibsi": {ibsi_name(name): value for name, value in found.items()},
                "usual_settings": usual,
            },
            indent=1,
        )
        + "\n"
    )


if __name__ == "__main__":
    main(sys.argv[1])
