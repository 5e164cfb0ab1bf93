"""One patient's risks with one patch after the other occluded (paper Appendix A, steps 3 and 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engram.explain.fold_model import FoldModel
from engram.explain.patches import Patch, occluded_planes
from engram.memory.readouts import Arrays
from engram.memory.rereading import Rereader
from engram.table import EmbeddingKey, FloatArray, PatientFeatures

OCCLUSION_VERSION = 1  # raised by hand whenever code changes what a patch does to a risk


@dataclass(frozen=True, eq=False)
class OccludedScan:
    """A scan that is read again with a patch filled.

    key: the embedding that the row sees of it. voxels: (z, y, x) on the grid of the patches. window: values at
    black and white of its frames. fill: in the unit of the voxels. reader: has read the frames of these voxels.
    slices: those that are read, 0 being the most superior. as_embedding: from what was read out to the patient's
    embedding, without the axis of patients.
    """

    key: EmbeddingKey
    voxels: npt.NDArray[Any]
    window: tuple[float, float]
    fill: float
    reader: Rereader
    slices: frozenset[int]
    as_embedding: Callable[[Arrays], FloatArray]

    def without(self, patch: Patch) -> FloatArray:
        """The embedding with a patch occluded, under the same prompts."""
        found = self.reader.reread(occluded_planes(self.voxels, patch, self.fill, self.window))
        return self.as_embedding(found[self.key.roi][self.key.readout])

    @property
    def whole(self) -> FloatArray:
        """The embedding of the scan as it is."""
        return self.as_embedding(self.reader.baseline[self.key.roi][self.key.readout])


@dataclass(frozen=True, eq=False)
class OccludedPatient:
    """A held-out patient whose scans are occluded, one at a time and together, while covariates stay.

    models: that of his fold under the name "", then those that know nothing, under theirs, for all scans together
    alone. patient: one alone, as the study table has him.
    """

    models: Mapping[str, FoldModel]
    patient: PatientFeatures
    scans: Sequence[OccludedScan]

    @property
    def names(self) -> list[str]:
        """What is occluded, as 'PET', 'CT' and 'PET + CT'; the last is all that the row sees."""
        each = [scan.key.modality for scan in self.scans]
        return [*each, " + ".join(each)] if len(each) > 1 else each

    @property
    def baseline(self) -> dict[str, float]:
        """The log-risk of the whole images, by the name of each record of `risks`."""
        risks = {name: float(model.risk(self.patient)[0]) for name, model in self.models.items()}
        return {record: risks[control] for record, control in self._records()}

    def risks(self, patch: Patch) -> dict[str, float]:
        """The log-risks with a patch occluded, by the same names as `baseline`."""
        versions = {scan.key: scan.without(patch)[None] for scan in self.scans}
        occluded: dict[str, Mapping[EmbeddingKey, FloatArray]] = {
            scan.key.modality: {scan.key: versions[scan.key]} for scan in self.scans
        }
        occluded[self.names[-1]] = versions
        return {
            record: float(self.models[control].risk_of_versions(self.patient, occluded[_what(record)])[0])
            for record, control in self._records()
        }

    def _records(self) -> list[tuple[str, str]]:
        """(record, name of the model): of the model itself each occlusion, of a control the last alone."""
        own = [(name, "") for name in self.names]
        return own + [(record_of(self.names[-1], control), control) for control in self.models if control]


def _what(record: str) -> str:
    return record.partition(", ")[0]


def record_of(what: str, control: str) -> str:
    """The name of a record of `OccludedPatient.risks`."""
    return f"{what}, {control}" if control else what


def same_embedding(one: FloatArray, other: FloatArray) -> bool:
    """Whether two readings of one scan agree to the last bit; NaN is NaN."""
    return bool(np.array_equal(one, other, equal_nan=True))
