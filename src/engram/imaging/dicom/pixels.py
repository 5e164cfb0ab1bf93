"""Pixels of one DICOM image as the integers that the file stores: slope and intercept are not applied here.

Uncompressed and RLE pixels are read with pydicom, JPEG lossless, JPEG-LS and JPEG 2000 with SimpleITK's GDCM. ITK
applies slope and intercept on its own, so it gets the compressed pixels in a file of their own that has neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pydicom
import SimpleITK as sitk  # noqa: N813
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import pixel_array
from pydicom.uid import UID, RLELossless, SecondaryCaptureImageStorage

from engram.errors import ImagingError
from engram.imaging.dicom.headers import quiet
from engram.imaging.dicom.series import ImageSlice
from engram.imaging.dicom.values import text, whole

_NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2")
_BY_GDCM = tuple(f"1.2.840.10008.1.2.4.{kind}" for kind in (57, 70, 80, 81, 90, 91))
_PIXEL_HEADERS = (
    *("SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit"),
    "PixelRepresentation",
)
_COPY = "Copy or export the file again"

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class StoredPlane:
    """values: (rows, columns). padding: lowest and highest stored value that stand for "no image here", if any.

    rescale_type: unit of the rescaled values as the header names it.
    """

    values: Integers
    padding: tuple[int, int] | None = None
    rescale_type: str | None = None


def read_plane(one: ImageSlice, *, patient_id: str, what: str) -> StoredPlane:
    """Read the pixels of one slice.

    Raises ImagingError, naming the file, where it is not the file whose header was read, is damaged, lossily
    compressed or compressed in an unknown way, where pixels and rows x columns do not go together, and where bits
    are set that no header accounts for.
    """
    try:
        with quiet():
            image = pydicom.dcmread(one.path, force=True)
            return _plane(image, one)
    except _Refused as refused:
        reason, value, mend = refused.args
    except Exception as error:  # damaged pixels can fail in any way inside of the libraries
        reason, value, mend = "pixels unreadable", type(error).__name__, f"{_COPY}."
    raise ImagingError(patient_id, f"{what} {reason}", file=str(one.path), value=value, mend=mend)


class _Refused(Exception):  # noqa: N818
    """Reason, value and mend of a refusal."""


def _plane(image: Dataset, one: ImageSlice) -> StoredPlane:
    if (text(image, "SOPInstanceUID") or "") != one.sop_instance_uid:
        raise _Refused("file has changed", "another SOP Instance UID (0008,0018)", "Run the command again.")
    layout = _Layout.of(image, one)
    if text(image, "LossyImageCompression") == "01":
        mend = "Export it without lossy compression: its values are no longer those that were measured."
        raise _Refused("is lossily compressed", "Lossy Image Compression (0028,2110) = 01", mend)
    values = layout.numbers(_container(image, layout), hidden=_has_overlay(image))
    return StoredPlane(values, _padding(image, layout), text(image, "RescaleType"))


@dataclass(frozen=True)
class _Layout:
    """How a pixel lies in its bytes (PS3.3 C.7.6.3.1, PS3.5 8.1.1)."""

    rows: int
    columns: int
    allocated: int
    stored: int
    signed: bool

    @classmethod
    def of(cls, image: Dataset, one: ImageSlice) -> _Layout:
        """From the headers. Refused unless they are those of one grey image of rows x columns."""
        samples, rows, columns, allocated, stored, high, signed = (
            whole(image, name) for name in _PIXEL_HEADERS if name != "PhotometricInterpretation"
        )
        possible = samples == 1 and allocated in (8, 16, 32) and stored is not None and signed in (0, 1)
        if not possible or not 1 <= (stored or 0) <= (allocated or 0) or high != (stored or 0) - 1:
            value = (
                f"samples {samples}, bits allocated {allocated}, stored {stored}, high bit {high}, sign {signed}"
            )
            raise _Refused("has impossible pixel headers", value, f"{_COPY}.")
        if rows is None or columns is None or (rows, columns) != (one.rows, one.columns):
            value = f"{rows} x {columns}, its header said {one.rows} x {one.columns}"
            raise _Refused("file has changed", value, "Run the command again.")
        return cls(rows, columns, allocated or 0, stored or 0, signed == 1)

    def numbers(self, bits: Integers, *, hidden: bool) -> Integers:
        """Bits to numbers. hidden: whether bits beyond those stored may be set, for an old overlay lies there."""
        if self.stored == self.allocated:
            return bits.astype(f"i{self.allocated // 8}").astype(np.int64) if self.signed else bits
        low = bits & ((1 << self.stored) - 1)
        negative = (low >> (self.stored - 1)) & 1 if self.signed else np.zeros_like(low)
        above = bits >> self.stored
        full = (1 << (self.allocated - self.stored)) - 1
        if not hidden and bool(((above != 0) & ~((above == full) & (negative == 1))).any()):
            value = f"values need more than the {self.stored} bits of Bits Stored (0028,0101)"
            raise _Refused("has impossible pixel headers", value, f"{_COPY}.")
        return low - (negative << self.stored)

    def number(self, value: int) -> int:
        """A header's value of these pixels, which may have been written as unsigned."""
        low = value & ((1 << self.stored) - 1)
        return low - (1 << self.stored) if self.signed and low >> (self.stored - 1) else low


def _container(image: Dataset, layout: _Layout) -> Integers:
    """Every pixel's bits, all that are allocated, as one number that is not negative."""
    syntax = text(getattr(image, "file_meta", Dataset()), "TransferSyntaxUID")
    if syntax is None or syntax in _NATIVE:
        return _native(image, layout)
    if syntax == RLELossless:
        found = pixel_array(image, raw=True, correct_unused_bits=False)
    elif syntax in _BY_GDCM:
        found = _by_gdcm(image, syntax)
    else:
        mend = "Export it uncompressed, or without loss as JPEG, JPEG-LS, JPEG 2000 or RLE."
        raise _Refused("is compressed in a way that is not read", f"{UID(syntax).name} ({syntax})", mend)
    if found.shape != (layout.rows, layout.columns):
        raise _size_refused(f"{' x '.join(str(n) for n in found.shape)} pixels", layout)
    return np.asarray(found).astype(np.int64) & ((1 << layout.allocated) - 1)


def _native(image: Dataset, layout: _Layout) -> Integers:
    data, size = image.PixelData, layout.rows * layout.columns * layout.allocated // 8
    if len(data) != size + size % 2:
        raise _size_refused(f"{len(data)} bytes", layout)
    order = "<" if image.original_encoding[1] else ">"
    pixels = np.frombuffer(data[:size], dtype=f"{order}u{layout.allocated // 8}")
    return pixels.reshape(layout.rows, layout.columns).astype(np.int64)


def _size_refused(found: str, layout: _Layout) -> _Refused:
    value = f"{found}, Rows x Columns are {layout.rows} x {layout.columns} of {layout.allocated} bits"
    return _Refused("pixels and their size contradict", value, f"{_COPY}.")


def _by_gdcm(image: Dataset, syntax: str) -> npt.NDArray[np.integer]:
    bare = Dataset()
    for keyword in _PIXEL_HEADERS:
        bare[keyword] = image[keyword]
    bare.SOPClassUID, bare.SOPInstanceUID = SecondaryCaptureImageStorage, UID("2.25.1")
    bare["PixelData"] = image["PixelData"]
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = UID(syntax)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "pixels.dcm"
        bare.save_as(path, enforce_file_format=True)
        read: npt.NDArray[np.integer] = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    return read[0] if read.ndim == 3 and len(read) == 1 else read


def _has_overlay(image: Dataset) -> bool:
    """Whether an overlay lies in the bits of the pixels (retired: Overlay Bit Position (60xx,0102) is not 0)."""
    elements = (image.get((group << 16) + 0x0102) for group in range(0x6000, 0x6020, 2))
    return any(element is not None and element.value not in (None, 0) for element in elements)


def _padding(image: Dataset, layout: _Layout) -> tuple[int, int] | None:
    first, last = whole(image, "PixelPaddingValue"), whole(image, "PixelPaddingRangeLimit")
    if first is None:
        return None
    ends = sorted(layout.number(value) for value in (first, first if last is None else last))
    return ends[0], ends[1]
