"""Run by the Python of an environment that has MIRP: `python -I mirp_script.py REQUEST.json FEATURES.json`.

It imports nothing of Engram, which is not installed there. REQUEST: a list of {name, image, mask, settings,
spatial}, the settings being keywords of MIRP's `extract_features`; spatial: whether Moran's I and Geary's C are
made. FEATURES: {name: {"features": {feature: number or null}}}, or {name: {"error": text}} where MIRP could not
make them; one bad region stops no other.
"""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path
from typing import Any

# The families of IBSI 1 (Zwanenburg et al., Radiology 295 (2020) 328), as MIRP's columns begin.
FAMILIES = ("morph_", "loc_", "stat_", "ivh_", "ih_", "cm_", "rlm_", "szm_", "dzm_", "ngt_", "ngl_")
SPATIAL = ("morph_moran_i", "morph_geary_c")

# Bin widths at the end of names, which differ between scans and stand with the settings.
_WIDTH = re.compile(r"_fbs_w[0-9.]+$")


def leave_out_spatial() -> None:
    """Above 1000 voxels MIRP estimates both from random subsets, for four fifths of the time of a skeleton.

    It has no setting for it. Another version that keeps them elsewhere ends here, in the open.
    """
    from mirp._features.morph_3d_data import Data3DSpatial  # type: ignore[import-not-found]

    Data3DSpatial.compute_spatial_information = lambda *_, **__: None


def features_of(item: dict[str, Any]) -> dict[str, float | None]:
    """The features of one image and mask, in the order of MIRP's table; null where one is not defined."""
    from mirp import extract_features  # type: ignore[import-not-found]

    if not item["spatial"]:
        leave_out_spatial()
    tables = extract_features(image=item["image"], mask=item["mask"], **item["settings"])
    if len(tables) != 1 or len(tables[0]) != 1:
        raise ValueError(f"MIRP gave {sum(len(table) for table in tables)} rows for one region")
    row = tables[0].iloc[0]
    wanted = [name for name in row.index if name.startswith(FAMILIES) and (item["spatial"] or name not in SPATIAL)]
    found = {_WIDTH.sub("", name): float(row[name]) for name in wanted}
    return {name: value if math.isfinite(value) else None for name, value in found.items()}


def main(request: Path, target: Path) -> None:
    """Work through a request."""
    made: dict[str, dict[str, Any]] = {}
    for item in json.loads(request.read_text()):
        try:
            made[item["name"]] = {"features": features_of(item)}
        except Exception as error:  # of any kind: it is told with its region, and the next one is made
            made[item["name"]] = {"error": f"{type(error).__name__}: {error}"}
    target.write_text(json.dumps(made))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
