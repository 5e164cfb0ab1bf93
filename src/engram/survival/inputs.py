"""What a survival model is given: numbers that were made ready inside the fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ModelInputs:
    """Preprocessed features of n patients; no outcome in it.

    clinical: float32 (n, d), d > 0, or None where the model sees no covariates.
    maps: float32 (n, 1, h, w) by modality, in the order in which they are fused.
    Raises ValueError where lengths differ, a shape is wrong, there is nothing at all, or a value is not finite.
    """

    clinical: FloatArray | None
    maps: Mapping[str, FloatArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        arrays = {**self.maps} if self.clinical is None else {"clinical": self.clinical, **self.maps}
        if not arrays or len({len(array) for array in arrays.values()}) != 1:
            raise ValueError(f"expected arrays of one length, got { {k: v.shape for k, v in arrays.items()} }")
        for name, array in arrays.items():
            if array.ndim != (2 if name == "clinical" else 4):
                raise ValueError(f"{name}: unexpected shape {array.shape}")
            if not np.isfinite(array).all():
                raise ValueError(f"{name}: every value must be finite")

    def __len__(self) -> int:
        arrays = [*self.maps.values()] if self.clinical is None else [self.clinical]
        return len(arrays[0])

    def subset(self, index: npt.NDArray[np.intp]) -> ModelInputs:
        """The patients of `index`, in that order, as a copy."""
        clinical = None if self.clinical is None else self.clinical[index]
        return ModelInputs(clinical, {modality: maps[index] for modality, maps in self.maps.items()})
