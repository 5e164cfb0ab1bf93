"""A small cohort with every kind of image, written by hand so that each file can be spoilt on its own."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram.config import StudyConfig

SHAPE = (6, 12, 12)
HEADER = ("patient_id", "ct", "pet", "bones", "tumour", "age", "t", "e")


@dataclass(frozen=True)
class Study:
    """A cohort of ten in a folder; `rows` are written out by `config`."""

    folder: Path
    rows: list[dict[str, str]]
    write: Callable[..., Path]

    def config(self, **sections: Any) -> StudyConfig:
        with (self.folder / "cohort.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, HEADER)
            writer.writeheader()
            writer.writerows(self.rows)
        body = {
            "name": "test",
            "manifest": "cohort.csv",
            "output": "results",
            "folder": self.folder,
            "outcome": {"time": "t", "unit": "months", "event": "e"},
            "covariates": {"age": {"kind": "continuous", "unit": "years"}},
            "images": {"labels": "bones", "label_scheme": "totalsegmentator-2/total"},
            "evaluation": {"folds": 2},
            "rois": {"spine": {"region": "spine_dilated"}, "tumour": {"mask": "tumour"}},
        }
        return StudyConfig.model_validate(body | sections)


@pytest.fixture
def made(write: Callable[..., Path], tmp_path: Path) -> Study:
    def image(array: Any, name: str, **geometry: Any) -> Path:
        return write(array, name, **{"spacing": (4.0, 4.0, 5.0), **geometry})

    rows = []
    for number in range(10):
        rng = np.random.default_rng(number)
        block = np.zeros(SHAPE, np.uint8)
        block[1:5, 4:8, 4:8] = 29
        image(rng.integers(-1000, 500, SHAPE).astype(np.int16), f"{number}_ct.nii.gz")
        image(rng.uniform(0, 9, SHAPE).astype(np.float32), f"{number}_pet.nii.gz")
        image(block, f"{number}_bones.nii.gz")
        image((block > 0).astype(np.uint8), f"{number}_tumour.nii.gz")
        files = {column: f"{number}_{column}.nii.gz" for column in ("ct", "pet", "bones", "tumour")}
        rows.append({"patient_id": f"P{number}", **files, "age": "60", "t": str(10 + number), "e": "1"})
    return Study(tmp_path, rows, image)
