"""Whether voxels can be what the protocol takes them for: SUVbw for PET, Hounsfield units for CT.

Windows are absolute (requirement 8), so a scan in other units would turn all black or all white in silence.
The rules refuse what cannot be right; they do not prove that the units are right: a PET in kBq/mL passes.
"""

from __future__ import annotations

from engram.errors import ImagingError
from engram.imaging.volume import Volume

MAX_SUV = 1000.0  # the bladder and injection sites stay below some hundreds; tissue in Bq/mL is in the thousands
MIN_CT_RANGE_HU = 100.0  # fat to muscle alone spans 150 HU; scans scaled to 0..1 or to z-scores span less


def check_suv(pet: Volume, *, patient_id: str) -> None:
    """Raise ImagingError where the highest voxel is above 1000: most likely Bq/mL, not SUV."""
    highest = float(pet.voxels.max())
    if highest > MAX_SUV:
        raise ImagingError(
            patient_id,
            "PET is not in SUV",
            file=pet.source,
            value=f"maximum {highest:g}, most likely Bq/mL; SUV stays under {MAX_SUV:g}",
            mend="Convert to SUVbw (activity x body weight / decayed dose).",
        )


def check_hu(ct: Volume, *, patient_id: str) -> None:
    """Raise ImagingError where no voxel is below 0 HU (neither air nor fat), or all lie within 100 HU."""
    lowest, highest = float(ct.voxels.min()), float(ct.voxels.max())
    if lowest >= 0 or highest - lowest < MIN_CT_RANGE_HU:
        raise ImagingError(
            patient_id,
            "CT is not in HU",
            file=ct.source,
            value=f"{lowest:g} to {highest:g}; air is -1000 HU, fat -100 HU, bone over 200 HU",
            mend="Apply the rescale slope and intercept of the DICOM files; give the CT unwindowed.",
        )
