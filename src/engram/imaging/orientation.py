"""Files to images whose axes are known: x towards left, y towards posterior, z towards superior (LPS).

Paper 2.3.1 propagates "top-to-bottom"; top is superior, which only the affine knows, never the array order.
A file that does not say how it is oriented, or says it twice differently, is refused.
"""

from __future__ import annotations

from math import cos, radians
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from engram.errors import ImagingError
from engram.imaging.nifti import Affine, NiftiFacts, read_nifti_facts

_NIFTI, _NRRD, _META = (".nii", ".nii.gz"), (".nrrd", ".nhdr"), (".mha", ".mhd")
SUFFIXES = (*_NIFTI, *_NRRD, *_META)
MAX_TILT_DEGREES = 30.0  # beyond it, "axial" and "superior first" no longer mean anything
SPACING_RANGE_MM = (0.05, 50.0)  # a side outside it is in metres or micrometres, not in mm
_NRRD_SPACES = ("left-posterior-superior", "right-anterior-superior", "left-anterior-superior")
_META_KEYS = (b"TransformMatrix", b"Orientation", b"Rotation")
_META_HEADER_BYTES = 1 << 16


def read_lps(path: Path, *, patient_id: str, what: str) -> sitk.Image:
    """Read a 3-D scalar image with its own pixel type, reoriented to LPS by its affine.

    what: how messages call the file: "CT", "PET", "label map", "mask of 'spine'".
    Raises ImagingError where the file is missing, of another format, unreadable, cut short, not 3-D, without
    a stated orientation, with two contradicting ones, with voxel sides outside 0.05 to 50 mm, or tilted by
    more than 30 degrees.
    """
    _check_there(path, patient_id, what)
    facts = _nifti_facts(path, patient_id, what) if path.name.lower().endswith(_NIFTI) else None
    image = _read(path, patient_id, what)
    _check_scalar_3d(image, path, patient_id, what)
    _check_orientation(image, facts, path, patient_id, what)
    _check_spacing(image, path, patient_id, what)
    oriented = sitk.DICOMOrient(image, "LPS")
    _check_tilt(oriented, path, patient_id, what)
    return oriented


def _check_there(path: Path, patient_id: str, what: str) -> None:
    try:
        there = path.is_file()
    except OSError as error:
        raise _unreadable(path, patient_id, what, str(error)) from error
    if not there:
        mend = "Correct the path in the manifest; a folder of DICOM files must be converted to one NIfTI."
        raise ImagingError(patient_id, f"{what} file missing", file=str(path), mend=mend)


def nonfinite_error(count: int, path: Path, *, patient_id: str, what: str) -> ImagingError:
    """The refusal of a file in which `count` voxels are NaN or infinite."""
    mend = "Convert the scan again, or replace these voxels knowingly."
    reason = f"{what} has NaN or infinite voxels"
    return ImagingError(patient_id, reason, file=str(path), value=f"{count} voxels", mend=mend)


def _nifti_facts(path: Path, patient_id: str, what: str) -> NiftiFacts:
    try:
        facts = read_nifti_facts(path)
    except (OSError, ValueError) as error:
        raise _unreadable(path, patient_id, what, str(error)) from error
    if facts.nonfinite:
        raise nonfinite_error(facts.nonfinite, path, patient_id=patient_id, what=what)
    return facts


def _read(path: Path, patient_id: str, what: str) -> sitk.Image:
    if not path.name.lower().endswith(SUFFIXES):
        raise ImagingError(
            patient_id,
            f"{what} is of an unknown format",
            file=str(path),
            value=path.suffix or "no suffix",
            mend=f"Convert it to NIfTI, NRRD or MetaImage ({', '.join(SUFFIXES)}).",
        )
    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    # The library warns on standard error of what is refused below, or is no fault.
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        return sitk.ReadImage(str(path))
    except RuntimeError as error:
        last = str(error).strip().splitlines()[-1]
        raise _unreadable(path, patient_id, what, last) from error
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)


def _unreadable(path: Path, patient_id: str, what: str, value: str) -> ImagingError:
    mend = "Copy or convert the file again; a NIfTI must be NIfTI-1 with perpendicular axes."
    return ImagingError(patient_id, f"{what} unreadable", file=str(path), value=value, mend=mend)


def _check_scalar_3d(image: sitk.Image, path: Path, patient_id: str, what: str) -> None:
    channels = image.GetNumberOfComponentsPerPixel()
    if image.GetDimension() == 3 and channels == 1 and "complex" not in image.GetPixelIDTypeAsString():
        return
    size = " x ".join(str(n) for n in image.GetSize())
    raise ImagingError(
        patient_id,
        f"{what} is not a 3-D volume of single values",
        file=str(path),
        value=f"{size}, {channels} value(s) a voxel",
        mend="Save one static volume (no time axis, no colours).",
    )


def _check_orientation(image: sitk.Image, facts: NiftiFacts | None, path: Path, patient_id: str, what: str) -> None:
    if facts is not None:
        stated = bool(facts.stated)
        _check_forms_agree(image, facts, path, patient_id, what)
    elif path.name.lower().endswith(_NRRD):
        stated = image.HasMetaDataKey("NRRD_space") and image.GetMetaData("NRRD_space").lower() in _NRRD_SPACES
    else:
        stated = _meta_states_orientation(path)
    if not stated:
        raise ImagingError(
            patient_id,
            f"{what} has no orientation",
            file=str(path),
            value="neither qform nor sform code, no NRRD space, or no TransformMatrix",
            mend="Convert it again from DICOM: nobody can tell head from feet in this file.",
        )


def _check_forms_agree(image: sitk.Image, facts: NiftiFacts, path: Path, patient_id: str, what: str) -> None:
    """Every form that the file states must be the geometry that ITK made of it."""
    read = _ras_affine(image)
    for form, affine in facts.stated.items():
        moved_mm = _largest_shift_mm(affine, read, image.GetSize())
        if not moved_mm <= 0.5 * min(image.GetSpacing()):
            raise ImagingError(
                patient_id,
                f"{what} has contradicting orientations",
                file=str(path),
                value=f"{form} is {moved_mm:.4g} mm off the geometry as read",
                mend="Make pixdim, qform and sform agree (or set the code of the wrong form to 0).",
            )


def _ras_affine(image: sitk.Image) -> Affine:
    """The affine (4, 4) of an ITK image, turned from LPS to the RAS of NIfTI."""
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def _largest_shift_mm(a: Affine, b: Affine, size: tuple[int, ...]) -> float:
    """How far apart two affines put the same voxel, at the worst corner of the volume."""
    corners = np.array(
        [[i, j, k, 1] for i in (0, size[0]) for j in (0, size[1]) for k in (0, size[2])], dtype=float
    )
    return float(np.linalg.norm(((a - b) @ corners.T)[:3], axis=0).max())


def _meta_states_orientation(path: Path) -> bool:
    with path.open("rb") as stream:
        header = stream.read(_META_HEADER_BYTES).split(b"ElementDataFile")[0]
    return any(line.split(b"=")[0].strip() in _META_KEYS for line in header.splitlines())


def _check_spacing(image: sitk.Image, path: Path, patient_id: str, what: str) -> None:
    low, high = SPACING_RANGE_MM
    if all(low <= side <= high for side in image.GetSpacing()):
        return
    raise ImagingError(
        patient_id,
        f"{what} has an impossible voxel size",
        file=str(path),
        value=f"{' x '.join(f'{side:.4g}' for side in image.GetSpacing())} mm, expected {low:g} to {high:g} mm",
        mend="Correct spacing and its unit (xyzt_units in NIfTI) in the header.",
    )


def _check_tilt(image: sitk.Image, path: Path, patient_id: str, what: str) -> None:
    alignment = min(np.diag(np.reshape(image.GetDirection(), (3, 3))))
    if alignment < cos(radians(MAX_TILT_DEGREES)):
        tilt_degrees = float(np.degrees(np.arccos(np.clip(alignment, -1, 1))))
        raise ImagingError(
            patient_id,
            f"{what} is tilted",
            file=str(path),
            value=f"{tilt_degrees:.0f} degrees off the body axes, at most {MAX_TILT_DEGREES:.0f}",
            mend="Resample it to axial slices.",
        )
