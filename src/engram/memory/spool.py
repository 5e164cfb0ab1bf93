"""Image features on their way from one pass to the next: on disk, so that memory stays bounded."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from types import TracebackType
from typing import IO

import torch
from safetensors.torch import load, save

from engram.memory.contract import SliceFeatures


class FeatureSpool:
    """Keeps the features of slices in an unnamed temporary file, which is gone with the process.

    keep: False for a single pass, where nothing is asked for again and nothing is written.
    """

    def __init__(self, *, keep: bool) -> None:
        self._file: IO[bytes] | None = tempfile.TemporaryFile() if keep else None  # noqa: SIM115 - see __exit__
        self._places: dict[int, _Place] = {}

    def __enter__(self) -> FeatureSpool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def __contains__(self, z: int) -> bool:
        return z in self._places

    @property
    def n_bytes(self) -> int:
        """Size of the file."""
        return sum(place.size for place in self._places.values())

    def put(self, z: int, features: SliceFeatures) -> None:
        """Keep the features of slice z, once."""
        if self._file is None or z in self._places:
            return
        maps = (*features.levels, features.position)
        orders = tuple(_order(one) for one in maps)
        stored = {str(i): one.permute(axes) for i, (one, axes) in enumerate(zip(maps, orders, strict=True))}
        content = save({name: one.contiguous() for name, one in stored.items()})
        start = self._file.seek(0, 2)
        self._file.write(content)
        self._places[z] = _Place(start, len(content), orders, features.position.device)

    def get(self, z: int) -> SliceFeatures:
        """The features of a slice that was put."""
        if self._file is None:
            raise KeyError(z)
        place = self._places[z]
        self._file.seek(place.start)
        tensors = load(self._file.read(place.size))
        maps = [tensors[str(i)].to(place.device).permute(_inverse(axes)) for i, axes in enumerate(place.orders)]
        return SliceFeatures(tuple(maps[:-1]), maps[-1])


@dataclass(frozen=True)
class _Place:
    """Where the features of a slice lie in the file. orders: axes of each map as it was laid out in memory."""

    start: int
    size: int
    orders: tuple[tuple[int, ...], ...]
    device: torch.device


def _order(tensor: torch.Tensor) -> tuple[int, ...]:
    """Axes from the widest stride to the narrowest: layers may round by the layout of what they are given."""
    return tuple(sorted(range(tensor.ndim), key=tensor.stride, reverse=True))


def _inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(order.index(axis) for axis in range(len(order)))
