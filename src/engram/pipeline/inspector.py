"""Reads the images of one patient one after another, and keeps every problem that it meets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from engram.config import StudyConfig
from engram.errors import ImagingError
from engram.imaging.align import pet_on_ct_grid
from engram.imaging.plausibility import check_hu, check_suv
from engram.imaging.volume import Grid, Volume, read_volume
from engram.pipeline.measures import Loaded, loaded_pair
from engram.pipeline.patients import images_section
from engram.roi.bones import BoneMap, Mask, merged
from engram.roi.build import RegionBuilder
from engram.roi.masks import read_label_map, read_mask

Found = TypeVar("Found")
_CHECKS = {"ct": check_hu, "pet": check_suv}


@dataclass
class Inspector:
    """files: by their use. scans, problems: as `Inspection` has them, the problems without the patient."""

    files: dict[str, Path]
    config: StudyConfig
    scans: dict[str, str] = field(default_factory=dict)
    problems: list[dict[str, Any]] = field(default_factory=list)

    def look(self) -> Loaded | None:
        """A scan that cannot be read leaves the place of the masks open; all else is checked nonetheless.

        Returns what was read where the patient has every image that the study needs, and all can be used.
        """
        ct, pet = self._scan("ct"), self._scan("pet")
        aligned = None
        if ct is not None and pet is not None:
            aligned = self._attempt("pet", partial(pet_on_ct_grid, pet, ct, patient_id=""))
        reference = pet if images_section(self.config).ct is None else ct
        grid = reference.grid if reference is not None else None
        masks = self._ready_masks(grid)
        bones = self._bones(grid)
        builder = RegionBuilder(bones, ct, grid, patient_id="")
        self._regions(ct, bones, builder)
        if self.problems or grid is None or not self._complete():
            return None
        masks |= {n: builder.derived(n, roi) for n, roi in self.config.rois.items() if roi.region is not None}
        return Loaded(loaded_pair(ct, pet, aligned), pet, bones, {name: masks[name] for name in self.config.rois})

    def _complete(self) -> bool:
        """Whether every file is there that the study needs; what is not, the manifest's check has told."""
        scans = {modality.lower() for modality in self.config.scan_columns}
        masks = {f"mask:{name}" for name, roi in self.config.rois.items() if roi.mask is not None}
        return scans | masks | {f"labels:{scheme}" for scheme in self.config.label_columns} <= self.files.keys()

    def _ready_masks(self, grid: Grid | None) -> dict[str, Mask]:
        found: dict[str, Mask] = {}
        for roi in self.config.rois:
            if (path := self.files.get(use := f"mask:{roi}")) is not None:
                mask = self._attempt(use, partial(read_mask, path, grid=grid, patient_id="", roi=roi))
                found |= {roi: mask} if mask is not None else {}
        return found

    def _scan(self, use: str) -> Volume | None:
        path = self.files.get(use)
        if path is None:
            return None
        volume = self._attempt(use, partial(read_volume, path, patient_id="", what=use.upper()))
        if volume is not None:
            self.scans[use] = voxel_digest(volume)
            self._attempt(use, partial(_CHECKS[use], volume, patient_id=""))
        return volume

    def _bones(self, grid: Grid | None) -> BoneMap | None:
        """All label maps as one; None where there is none, or one of them cannot be used."""
        bones, whole = None, True
        for scheme in self.config.label_columns:
            found = self._label_map(f"labels:{scheme}", scheme, grid)
            # A bone may lie in a map that is missing or unreadable, and maps without a scan's grid may not fit.
            whole &= found is not None and (bones is None or grid is not None)
            if whole and found is not None:
                bones = found if bones is None else merged([bones, found])
        return bones if whole else None

    def _regions(self, ct: Volume | None, bones: BoneMap | None, builder: RegionBuilder) -> None:
        for name, roi in self.config.rois.items():
            source = bones if roi.needs_labels else ct
            if roi.region is None or source is None:
                continue
            use = f"labels:{next(iter(self.config.label_columns))}" if roi.needs_labels else "ct"
            self._attempt(use, partial(builder.check, name, roi))

    def _label_map(self, use: str, scheme: str, grid: Grid | None) -> BoneMap | None:
        path = self.files.get(use)
        if path is None:
            return None
        return self._attempt(use, partial(read_label_map, path, grid=grid, patient_id="", scheme=scheme))

    def _attempt(self, use: str, step: Callable[[], Found]) -> Found | None:
        try:
            return step()
        except ImagingError as error:
            self.problems.append({"use": use, "reason": error.reason, "value": error.value, "mend": error.mend})
            return None


def voxel_digest(volume: Volume) -> str:
    """SHA-256 (hex) of shape and voxels; name, compression and number type of the file do not count."""
    sha = hashlib.sha256(repr(volume.grid.shape).encode())
    for plane in volume.voxels:
        sha.update((plane + np.float32(0)).tobytes())  # so that -0.0 is 0.0
    return sha.hexdigest()
