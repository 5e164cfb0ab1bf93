"""Late fusion (paper 2.3.2): the vectors of the modalities and of the clinic become one vector a patient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import nn


class Fusion(Protocol):
    """Anything that joins the vectors of one patient; a module, so that it can be trained with the rest."""

    out_features: int

    def __call__(self, vectors: Sequence[torch.Tensor], clinical: torch.Tensor | None) -> torch.Tensor:
        """vectors: (n, d) of each modality, in a fixed order; clinical: (n, c) or None; to (n, out_features)."""
        ...


class Concatenation(nn.Module):
    """[z_PET || z_CT || z_clinical], in the order given; no parameters.

    widths: length of each modality's vector. n_clinical: clinical columns, 0 where the model sees none.
    """

    def __init__(self, widths: Sequence[int], n_clinical: int) -> None:
        super().__init__()
        self.widths, self.n_clinical = tuple(widths), n_clinical
        self.out_features = sum(self.widths) + n_clinical
        if self.out_features == 0:
            raise ValueError("nothing to fuse: neither a modality nor a clinical column")

    def forward(self, vectors: Sequence[torch.Tensor], clinical: torch.Tensor | None) -> torch.Tensor:
        """Raises ValueError where a vector is missing or is not as wide as was declared."""
        parts = [*vectors] if clinical is None else [*vectors, clinical]
        expected = [*self.widths] if self.n_clinical == 0 else [*self.widths, self.n_clinical]
        if [part.shape[1] for part in parts] != expected:
            raise ValueError(f"expected vectors of widths {expected}, got {[tuple(p.shape) for p in parts]}")
        return torch.cat(parts, dim=1)


class Gate(nn.Module):
    """alpha * z_PET + (1 - alpha) * z_CT, then [|| z_clinical]; alpha of each patient by logistic regression.

    alpha = sigmoid(w . [z_PET || z_CT] + b), a number between 0 and 1 (paper 2.3.2): 2 d + 1 parameters. widths: of
    both vectors, which must be equal. n_clinical: clinical columns, 0 where the model sees none.
    """

    def __init__(self, widths: Sequence[int], n_clinical: int) -> None:
        super().__init__()
        if len(widths) != 2 or widths[0] != widths[1]:
            raise ValueError(f"a gate needs two vectors of one width, got widths {list(widths)}")
        self.logit = nn.Linear(2 * widths[0], 1)
        self.mixed = Concatenation(widths[:1], n_clinical)
        self.out_features = self.mixed.out_features

    def alpha(self, vectors: Sequence[torch.Tensor]) -> torch.Tensor:
        """The share (n,) of the first vector, PET, in each patient's mixture."""
        return torch.sigmoid(self.logit(torch.cat(list(vectors), dim=1))).squeeze(1)

    def forward(self, vectors: Sequence[torch.Tensor], clinical: torch.Tensor | None) -> torch.Tensor:
        """Raises ValueError where a vector is missing or is not as wide as was declared."""
        first, second = vectors
        alpha = self.alpha(vectors)[:, None]
        mixed: torch.Tensor = self.mixed([alpha * first + (1 - alpha) * second], clinical)
        return mixed
