"""Refusals of one PET series: each names patient, folder, header, value, and the line that would mend it."""

from __future__ import annotations

from dataclasses import dataclass

from engram.errors import ImagingError
from engram.imaging.dicom.corrections import correction_line
from engram.imaging.dicom.series import Series

WEIGHT = "Patient's Weight (0010,1030)"
DOSE = "Radionuclide Total Dose (0018,1074)"
HALF_LIFE = "Radionuclide Half Life (0018,1075)"
NUCLIDE = "Radionuclide Code Sequence (0054,0300)"
START_DATETIME = "Radiopharmaceutical Start DateTime (0018,1078)"
START_TIME = "Radiopharmaceutical Start Time (0018,1072)"
SERIES_TIME = "Series Date and Time (0008,0021), (0008,0031)"
ACQUISITION_TIME = "Acquisition Date and Time (0008,0022), (0008,0032)"
DURATION = "Actual Frame Duration (0018,1242)"
FRAME_REFERENCE = "Frame Reference Time (0054,1300)"
DECAY_FACTOR = "Decay Factor (0054,1321)"
DECAY_CORRECTION = "Decay Correction (0054,1102)"
CORRECTED_IMAGE = "Corrected Image (0028,0051)"
UNITS = "Units (0054,1001)"
SUV_TYPE = "SUV Type (0054,1006)"
PHILIPS_SUV = "Philips SUV Scale Factor (7053,1000)"
PHILIPS_ACTIVITY = "Philips Activity Concentration Scale Factor (7053,1009)"

HEADERS = {
    "units": UNITS,
    "suv_type": SUV_TYPE,
    "corrected": CORRECTED_IMAGE,
    "decay_correction": DECAY_CORRECTION,
    "weight_kg": WEIGHT,
    "dose_bq": DOSE,
    "half_life_s": HALF_LIFE,
    "nuclide": NUCLIDE,
    "injected": START_DATETIME,
    "injected_time_s": START_TIME,
}


@dataclass(frozen=True)
class Refusals:
    """Makes the errors of one series."""

    patient_id: str
    series: Series

    def __call__(
        self, reason: str, *, value: object = None, mend: str = "", field: str | None = None
    ) -> ImagingError:
        """The error to raise. field: the field of the corrections table that would mend it, where there is one."""
        if field is not None:
            line = correction_line(self.patient_id, self.series.uid, field)
            mend = f"{mend} Where you know it, state it in the corrections table: {line}".strip()
        return ImagingError(
            self.patient_id,
            reason,
            mend=mend,
            file=str(self.series.folder) if self.series.files else None,
            value=None if value is None else str(value),
        )
