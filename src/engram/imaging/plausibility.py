"""Whether voxels can be what the protocol takes them for: SUVbw for PET, Hounsfield units for CT.

Windows are absolute (requirement 8), so a scan in other units would turn all black or all white in silence.
The rules refuse what cannot be right; they do not prove that the units are right: a PET in kBq/mL passes.
"""

from __future__ import annotations

from engram.errors import ImagingError
from engram.imaging.volume import Volume

MAX_SUV = 1000.0  # the bladder and injection sites stay below some hundreds; tissue in Bq/mL is in the thousands
MIN_SUV = -5.0  # some reconstructions undershoot beside hot organs; a CT goes to -1000
LOWEST_OF_NO_CT = -500.0  # air of a CT is at -1000
MIN_HIGHEST_SUV = 0.5  # even muscle reaches it; MBq/mL and scans scaled to small numbers do not
MAX_HU = 40_000.0  # either way, a value is no HU beyond it: 16 bits with the usual slopes end below
MIN_CT_RANGE_HU = 100.0  # fat to muscle alone spans 150 HU; scans scaled to 0..1 or to z-scores span less


def check_suv(pet: Volume, *, patient_id: str) -> None:
    """Raise ImagingError where the voxels cannot be SUV: most likely Bq/mL, a CT, or a scan in small units."""
    lowest, highest = float(pet.voxels.min()), float(pet.voxels.max())
    if lowest < LOWEST_OF_NO_CT:
        guess = "most likely a CT"
    elif highest > MAX_SUV:
        guess = f"most likely Bq/mL; SUV stays under {MAX_SUV:g}"
    elif lowest < MIN_SUV:
        guess = f"SUV is not negative beyond reconstruction noise, {MIN_SUV:g}"
    elif highest < MIN_HIGHEST_SUV:
        guess = f"the highest SUV of a body is above {MIN_HIGHEST_SUV:g}"
    else:
        return
    raise ImagingError(
        patient_id,
        "PET is not in SUV",
        file=pet.source,
        value=f"{lowest:g} to {highest:g}; {guess}",
        mend="Convert to SUVbw (activity x body weight / decayed dose).",
    )


def check_hu(ct: Volume, *, patient_id: str) -> None:
    """Raise ImagingError where no voxel is below 0 HU (neither air nor fat), all lie within 100 HU, or one is
    beyond 40,000 HU."""
    lowest, highest = float(ct.voxels.min()), float(ct.voxels.max())
    if lowest >= 0 or highest - lowest < MIN_CT_RANGE_HU or max(-lowest, highest) > MAX_HU:
        raise ImagingError(
            patient_id,
            "CT is not in HU",
            file=ct.source,
            value=f"{lowest:g} to {highest:g}; air is -1000 HU, fat -100 HU, bone over 200 HU",
            mend="Apply the rescale slope and intercept of the DICOM files; give the CT unwindowed.",
        )
