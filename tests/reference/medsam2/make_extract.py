"""Cut extract.npz from the full reference: python make_extract.py FOLDER, where FOLDER holds slices.npz and
reference.npz as described in README.md."""

import sys
from pathlib import Path

import numpy as np

N_SLICES = 3
CHECKED = (0, 2)


def main(folder: Path) -> None:
    slices, reference = np.load(folder / "slices.npz"), np.load(folder / "reference.npz")
    where = [int(np.flatnonzero(reference["slices"] == z)[0]) for z in CHECKED]
    content = {
        "imgs": slices["imgs"][:N_SLICES],
        "boxes": slices["boxes"][:N_SLICES],
        "checked": np.array(CHECKED),
        "image_level2": reference["image_level2"][::16],
    }
    for prompting in ("all", "first", "interleaved"):
        content[f"{prompting}_memory"] = reference[f"{prompting}_memory"][where][:, ::8]
        content[f"{prompting}_logits"] = reference[f"{prompting}_logits"][where][:, ::4, ::4]
        content[f"{prompting}_pointers"] = reference[f"{prompting}_pointers"][:N_SLICES]
        content[f"{prompting}_object_scores"] = reference[f"{prompting}_object_scores"][:N_SLICES]
    np.savez_compressed(Path(__file__).parent / "extract.npz", **content)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
