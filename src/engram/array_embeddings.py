"""Embeddings that a user hands over in memory, checked and copied as float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from engram.arrays import in_order_of_ids
from engram.errors import ConfigError, ImagingError

MAP, VECTOR = (3, 5), (2,)  # axes
_LOST = 0.01  # of what lies between patients: more than that, by rounding to float32, is too much
_CONSTANT = 1e-10  # of a column's size: less between patients is the rounding of whoever made it


def checked_embedding(
    name: str, array: object, ids: Sequence[str], *, axes: Sequence[int] = (*VECTOR, *MAP), may_lack: bool = False
) -> npt.NDArray[np.float32]:
    """A copy as float32: (n, p), or maps (n, entries, channels, h, w); maps (n, h, w) get two axes.

    axes: how many there may be. may_lack: whether NaN has a meaning. Raises ConfigError for another shape, type or
    number of patients, and where float32 cannot tell patients apart; ImagingError naming a patient whose numbers
    are not all finite.
    """
    found = np.asarray(array)
    if found.ndim not in axes or 0 in found.shape or found.dtype.kind not in "fiu":
        vectors, maps = "(n, p), a vector for each patient", "maps: (n, h, w), or (n, entries, channels, h, w)"
        wanted = [vectors] * (VECTOR[0] in axes) + [maps] * (MAP[0] in axes)
        raise ConfigError(
            f"embedding '{name}': {found.dtype} of shape {found.shape}. Give real numbers of shape "
            f"{', or '.join(wanted)}."
        )
    in_order_of_ids(f"embedding '{name}'", array, ids)
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and refused below
        numbers = found.astype(np.float32)
    _check_finite(name, numbers, found, ids, may_lack=may_lack)
    if found.dtype != numbers.dtype:
        _check_precision(name, found, numbers)
    return numbers[:, None, None] if numbers.ndim == 3 else numbers


def _check_finite(
    name: str,
    numbers: npt.NDArray[np.float32],
    found: npt.NDArray[Any],
    ids: Sequence[str],
    *,
    may_lack: bool,
) -> None:
    finite = [
        bool((np.isfinite(one) | (np.isnan(given) & may_lack)).all())
        for one, given in zip(numbers, found, strict=True)
    ]
    if not all(finite):
        raise ImagingError(
            ids[finite.index(False)],
            f"embedding '{name}' is not finite",
            mend="Leave the patient or the embedding out: numbers of images are not imputed.",
        )


def _check_precision(name: str, found: npt.NDArray[Any], numbers: npt.NDArray[np.float32]) -> None:
    """Patient by patient: of maps, a copy of the whole in float64 may not fit beside them."""
    lowest, highest = np.full(found.shape[1:], np.inf), np.full(found.shape[1:], -np.inf)
    error = np.zeros(found.shape[1:])
    for given, kept in zip(found, numbers, strict=True):
        exact = np.asarray(given, dtype=np.float64)
        lowest, highest = np.fmin(lowest, exact), np.fmax(highest, exact)
        error = np.fmax(error, np.abs(exact - kept))
    known = np.isfinite(lowest)
    spread = np.where(known, highest, 0) - np.where(known, lowest, 0)
    size = np.where(known, np.maximum(np.abs(highest), np.abs(lowest)), 0)
    lost = (spread > _CONSTANT * size) & (error > _LOST * spread)
    if lost.any():
        column = tuple(int(one) + 1 for one in np.unravel_index(int(np.argmax(lost)), lost.shape))
        raise ConfigError(
            f"embedding '{name}': {int(lost.sum())} of {lost.size} numbers, the first of them "
            f"{', '.join(map(str, column))} (counted from 1), differ between patients by less than "
            "float32 can tell. Subtract their mean and divide by their size, or leave them out."
        )
