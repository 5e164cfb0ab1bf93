"""What a survival model is given: numbers that were made ready inside the fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

_AXES = {"clinical": 2, "maps": 4, "vectors": 2, "volumes": 5}


@dataclass(frozen=True)
class ModelInputs:
    """Preprocessed features of n patients; no outcome in it.

    clinical: float32 (n, d), d > 0, or None where the model sees no covariates.
    maps: float32 (n, 1, h, w) by modality, in the order in which they are fused.
    vectors: float32 (n, k) by modality, k > 0, in that order: principal components of a vector read-out.
    volumes: float32 (n, entries, channels, h, w) by modality, in that order: whole memories; no maps beside them.
    Raises ValueError where lengths differ, a shape is wrong, there is nothing at all, or a value is not finite.
    """

    clinical: FloatArray | None
    maps: Mapping[str, FloatArray] = field(default_factory=dict)
    vectors: Mapping[str, FloatArray] = field(default_factory=dict)
    volumes: Mapping[str, FloatArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        arrays = self._named()
        if self.maps and self.volumes:
            raise ValueError("a model reads averaged maps or whole memories, not both")
        if not arrays or len({len(array) for array in arrays.values()}) != 1:
            raise ValueError(f"expected arrays of one length, got { {k: v.shape for k, v in arrays.items()} }")
        for name, array in arrays.items():
            if array.ndim != _AXES[name.split()[0]] or 0 in array.shape[1:]:
                raise ValueError(f"{name}: unexpected shape {array.shape}")
            if not np.isfinite(array).all():
                raise ValueError(f"{name}: every value must be finite")

    def __len__(self) -> int:
        return len(next(iter(self._named().values())))

    @property
    def images(self) -> Mapping[str, FloatArray]:
        """What heads read, by modality: the maps, or else the volumes; empty for a model of columns."""
        return self.maps or self.volumes

    @property
    def columns(self) -> FloatArray:
        """Clinical columns, then the vectors in order, side by side: float32 (n, p), p > 0.

        Raises ValueError where there are maps, which no column can say, or no columns.
        """
        parts = [*([] if self.clinical is None else [self.clinical]), *self.vectors.values()]
        if self.images or not parts:
            raise ValueError(
                f"a model of columns needs covariates or vectors and no maps; got {list(self._named())}"
            )
        return np.concatenate(parts, axis=1)

    def subset(self, index: npt.NDArray[np.intp]) -> ModelInputs:
        """The patients of `index`, in that order, as a copy."""
        clinical = None if self.clinical is None else self.clinical[index]
        parts = (self.maps, self.vectors, self.volumes)
        return ModelInputs(clinical, *({k: array[index] for k, array in part.items()} for part in parts))

    def _named(self) -> dict[str, FloatArray]:
        named = {} if self.clinical is None else {"clinical": self.clinical}
        for kind, part in (("maps", self.maps), ("volumes", self.volumes), ("vectors", self.vectors)):
            named |= {f"{kind} of {modality}": array for modality, array in part.items()}
        return named
