"""What a NIfTI-1 file says of itself, read without trusting the image library.

ITK fills a truncated NIfTI with zeros, ignores the checksum of a damaged gzip stream, turns NaN into 0, and
picks one of two contradicting orientations, all in silence. This module reads the header and walks through
the voxels once, so that `engram.imaging.orientation` can refuse such files.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

Affine = npt.NDArray[np.float64]

_HEADER_BYTES = 348
_CHUNK_BYTES = 1 << 20
_LARGEST_OFFSET = 1 << 24  # header extensions are text; more than 16 MB of them is damage
_FLOAT_TYPES = {16: "f4", 64: "f8"}  # NIfTI's data type codes
_MM_PER_UNIT = {1: 1000.0, 3: 0.001}  # NIfTI's codes for metre and micrometre; 2 (or nothing) is mm


@dataclass(frozen=True)
class NiftiFacts:
    """What was found in a NIfTI file that is whole.

    qform, sform: affines (4, 4) from voxel index (i, j, k) to RAS mm; None where the code says "unknown".
    nonfinite: number of voxels that are NaN or infinite.
    """

    qform: Affine | None
    sform: Affine | None
    nonfinite: int

    @property
    def stated(self) -> dict[str, Affine]:
        """The affines that the file states, by name."""
        forms = {"qform": self.qform, "sform": self.sform}
        return {name: form for name, form in forms.items() if form is not None}


def read_nifti_facts(path: Path) -> NiftiFacts:
    """Read the header and walk through the voxels once.

    Raises ValueError with a short text where the file is not NIfTI-1, is cut short, or its gzip stream is
    damaged; OSError where it cannot be read.
    """
    try:
        with _open(path) as stream:
            raw = stream.read(_HEADER_BYTES)
            order = _byte_order(raw)
            nonfinite = _walk(stream, raw, order)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"damaged gzip stream: {error}") from error
    return NiftiFacts(_qform(raw, order), _sform(raw, order), nonfinite)


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if path.name.lower().endswith(".gz") else path.open("rb")


def _byte_order(raw: bytes) -> str:
    for order in "<>":
        if len(raw) == _HEADER_BYTES and struct.unpack_from(f"{order}i", raw)[0] == _HEADER_BYTES:
            return order
    raise ValueError("not a NIfTI-1 header")


def _walk(stream: BinaryIO, raw: bytes, order: str) -> int:
    """Read the voxels to the end of the file; return how many are NaN or infinite."""
    rank, *sizes = struct.unpack_from(f"{order}8h", raw, 40)
    code, bits = struct.unpack_from(f"{order}2h", raw, 70)
    (offset,) = struct.unpack_from(f"{order}f", raw, 108)
    if not (1 <= rank <= 7 and min(sizes[:rank]) >= 1 and _HEADER_BYTES <= offset < _LARGEST_OFFSET):
        raise ValueError(f"impossible header: {rank} axes of {sizes}, voxels at byte {offset:g}")
    expected = prod(sizes[:rank]) * bits // 8
    stream.read(int(offset) - _HEADER_BYTES)
    seen = nonfinite = 0
    while chunk := stream.read(_CHUNK_BYTES):
        nonfinite += _count_nonfinite(chunk[: expected - seen], _FLOAT_TYPES.get(code), order)
        seen = min(seen + len(chunk), expected)  # what follows the voxels is no voxel, but is in the checksum
    if seen < expected:
        raise ValueError(f"cut short: {seen} of {expected} bytes of voxels")
    return nonfinite


def _count_nonfinite(chunk: bytes, kind: str | None, order: str) -> int:
    if kind is None:
        return 0
    values = np.frombuffer(chunk, dtype=f"{order}{kind}", count=len(chunk) // int(kind[1]))
    return int(values.size - np.isfinite(values).sum())


def _scale_mm(raw: bytes) -> float:
    return _MM_PER_UNIT.get(raw[123] & 7, 1.0)


def _finite(raw: bytes, numbers: str, start: int, field: str) -> tuple[float, ...]:
    found = struct.unpack_from(numbers, raw, start)
    if not np.isfinite(found).all():
        raise ValueError(f"NaN or infinite numbers in its {field}")
    return found


def _sform(raw: bytes, order: str) -> Affine | None:
    if struct.unpack_from(f"{order}h", raw, 254)[0] <= 0:
        return None
    affine = np.eye(4)
    affine[:3] = np.reshape(_finite(raw, f"{order}12f", 280, "sform"), (3, 4)) * _scale_mm(raw)
    return affine


def _qform(raw: bytes, order: str) -> Affine | None:
    """The quaternion of the NIfTI-1 standard; pixdim[0] (qfac) = -1 flips the third axis."""
    if struct.unpack_from(f"{order}h", raw, 252)[0] <= 0:
        return None
    qfac, *spacing = _finite(raw, f"{order}4f", 76, "pixdim")
    b, c, d, *offset = _finite(raw, f"{order}6f", 256, "qform")
    a = np.sqrt(max(0.0, 1.0 - b * b - c * c - d * d))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    affine = np.eye(4)
    affine[:3, :3] = rotation * np.array(spacing) * [1.0, 1.0, -1.0 if qfac < 0 else 1.0] * _scale_mm(raw)
    affine[:3, 3] = np.array(offset) * _scale_mm(raw)
    return affine
