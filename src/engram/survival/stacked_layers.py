"""The layers of a survival head for many networks at once, with their gradients written out.

x: (s, n, width), patients of s networks. At this size automatic differentiation would cost more than the
arithmetic does. A layer holds views of the stack's weights and of their gradients, (s, ...).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import layer_norm

from engram.survival.dropout_masks import Masks


@dataclass(frozen=True)
class Rows:
    """Which rows of a stack are patients. counts: of each network. n: the same, float32 (s, 1, 1).

    shares: (s, 1, n), what each row counts in a mean: 1 / n, and 0 for padding. real: (s, n, 1), 1 for patients and
    0 for padding; None where nobody is padded. dropout: one seed each.
    """

    counts: Sequence[int]
    n: torch.Tensor
    shares: torch.Tensor
    real: torch.Tensor | None
    dropout: Sequence[int]

    @classmethod
    def of(cls, counts: Sequence[int], dropout: Sequence[int]) -> Rows:
        """counts: patients of each network."""
        n = torch.tensor(counts, dtype=torch.float32)[:, None, None]
        real = (torch.arange(max(counts))[None, :, None] < n).float()
        ragged = min(counts) < max(counts)
        return cls(counts, n, (real / n).transpose(1, 2), real if ragged else None, dropout)

    def only(self, x: torch.Tensor) -> torch.Tensor:
        """x with zeros in the rows that pad."""
        return x if self.real is None else x * self.real


class Layer:
    """One layer of every network of a stack, such as ReLU. Rows that pad have gradients of 0."""

    def train(self, x: torch.Tensor) -> torch.Tensor:
        """The output in a training step; keeps what `backward` needs."""
        self._output = torch.relu(x)
        return self._output

    def backward(self, slope: torch.Tensor, *, onwards: bool) -> torch.Tensor:  # noqa: ARG002
        """From the gradient of the output to that of the input, which is needed if `onwards`; sets the weights'."""
        # Several times as fast as torch.where.
        through: torch.Tensor = torch.ops.aten.threshold_backward(slope, self._output, 0)
        return through

    def calibrate(self, x: torch.Tensor) -> torch.Tensor:
        """The output for the training patients without dropout; takes the statistics that `judge` uses."""
        return self.judge(x)

    def judge(self, x: torch.Tensor) -> torch.Tensor:
        """The output for other patients."""
        return torch.relu(x)

    def hand_back(self, index: int, layer: nn.Module) -> None:
        """Put the statistics of one network into a layer of its own."""


class Linear(Layer):
    """weight (s, out, in), bias (s, out) or None."""

    def __init__(self, weights: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor]) -> None:
        self._weight, self._gradients = weights[0], gradients
        self._bias = weights[1][:, None] if len(weights) == 2 else None

    def train(self, x: torch.Tensor) -> torch.Tensor:
        self._input = x
        return self.judge(x)

    def backward(self, slope: torch.Tensor, *, onwards: bool) -> torch.Tensor:
        self._gradients[0].copy_(torch.bmm(slope.transpose(1, 2), self._input))
        if self._bias is not None:
            self._gradients[1].copy_(slope.sum(dim=1))
        return torch.bmm(slope, self._weight) if onwards else slope

    def judge(self, x: torch.Tensor) -> torch.Tensor:
        weight = self._weight.transpose(1, 2)
        return torch.bmm(x, weight) if self._bias is None else torch.baddbmm(self._bias, x, weight)


class Dropout(Layer):
    """As `torch.nn.Dropout`, with masks of each network's own (`dropout_masks.py`)."""

    def __init__(self, p: float, place: int, rows: Rows) -> None:
        self._p, self._place, self._rows = p, place, rows
        self._masks: Masks | None = None

    def train(self, x: torch.Tensor) -> torch.Tensor:
        if self._masks is None:
            seeds, counts = self._rows.dropout, self._rows.counts
            self._masks = Masks(self._p, seeds, counts, place=self._place, width=x.shape[2])
        self._mask = self._masks.draw()
        return x * self._mask

    def backward(self, slope: torch.Tensor, *, onwards: bool) -> torch.Tensor:  # noqa: ARG002
        return slope * self._mask

    def judge(self, x: torch.Tensor) -> torch.Tensor:
        return x


class BatchNorm(Layer):
    """Over the real patients of each network. gain and bias (s, width)."""

    def __init__(
        self, weights: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor], eps: float, rows: Rows
    ) -> None:
        (self._gain, self._bias), self._gradients = (each[:, None] for each in weights), gradients
        self._eps, self._rows = eps, rows

    def train(self, x: torch.Tensor) -> torch.Tensor:
        variance = self._take_statistics(x)
        self._scale = torch.rsqrt(variance + self._eps)
        self._standard = (x - self._mean) * self._scale
        return torch.addcmul(self._bias, self._standard, self._gain)

    def backward(self, slope: torch.Tensor, *, onwards: bool) -> torch.Tensor:  # noqa: ARG002
        gain, bias = (slope * self._standard).sum(dim=1, keepdim=True), slope.sum(dim=1, keepdim=True)
        self._gradients[0].copy_(gain[:, 0])
        self._gradients[1].copy_(bias[:, 0])
        centred = torch.addcmul(slope - bias / self._rows.n, self._standard, gain / self._rows.n, value=-1)
        return self._rows.only(centred * (self._gain * self._scale))

    def calibrate(self, x: torch.Tensor) -> torch.Tensor:
        return self._apply(x, self._take_statistics(x))

    def judge(self, x: torch.Tensor) -> torch.Tensor:
        return self._apply(x, self._variance)

    def hand_back(self, index: int, layer: nn.Module) -> None:
        if isinstance(layer, nn.BatchNorm1d) and layer.running_mean is not None and layer.running_var is not None:
            layer.running_mean.copy_(self._mean[index, 0])
            layer.running_var.copy_(self._variance[index, 0])

    def _apply(self, x: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
        return torch.addcmul(self._bias, x - self._mean, self._gain * torch.rsqrt(variance + self._eps))

    def _take_statistics(self, x: torch.Tensor) -> torch.Tensor:
        """Keeps mean and unbiased variance (s, 1, width) for `judge`; gives the biased one, which is for x."""
        self._mean = torch.bmm(self._rows.shares, x)
        variance = torch.bmm(self._rows.shares, (x - self._mean).square())
        self._variance = variance * (self._rows.n / (self._rows.n - 1))
        return variance


class LayerNorm(Layer):
    """Over the numbers of each patient. gain and bias (s, width)."""

    def __init__(self, weights: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor], eps: float) -> None:
        (self._gain, self._bias), self._gradients, self._eps = (each[:, None] for each in weights), gradients, eps

    def train(self, x: torch.Tensor) -> torch.Tensor:
        variance, mean = torch.var_mean(x, dim=2, correction=0, keepdim=True)
        self._scale = torch.rsqrt(variance + self._eps)
        self._standard = (x - mean) * self._scale
        return torch.addcmul(self._bias, self._standard, self._gain)

    def backward(self, slope: torch.Tensor, *, onwards: bool) -> torch.Tensor:  # noqa: ARG002
        self._gradients[0].copy_((slope * self._standard).sum(dim=1))
        self._gradients[1].copy_(slope.sum(dim=1))
        inner = slope * self._gain
        along = (inner * self._standard).mean(dim=2, keepdim=True)
        return (inner - inner.mean(dim=2, keepdim=True) - self._standard * along) * self._scale

    def judge(self, x: torch.Tensor) -> torch.Tensor:
        return torch.addcmul(self._bias, layer_norm(x, x.shape[2:], eps=self._eps), self._gain)
