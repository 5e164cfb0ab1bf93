"""What the images of a cohort are worth: image_quality.csv, and the limits that leave patients out.

z-scores compare patients, so they flag and never leave out: otherwise the patients of a test fold would have a say
in who is trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engram.cohort.records import PatientFiles
from engram.config import StudyConfig
from engram.errors import ImagingError
from engram.files import write_text
from engram.imaging.field_of_view import SIDES
from engram.pipeline.image_limits import broken_limits, flags
from engram.pipeline.inspection import Inspection, column_of
from engram.pipeline.measures import Measures
from engram.roi.mask_quality import HIGH_Z, cohort_z_scores


@dataclass(frozen=True)
class PatientQuality:
    """One patient whose images could be measured.

    volume_z: robust z-score of the volume of each region of interest over all who were measured, where there is a
    spread. flags: what is worth a look, in words.
    """

    row: int
    patient_id: str
    measures: Measures
    volume_z: dict[str, float]
    flags: tuple[str, ...]


def limit_errors(patient: PatientFiles, found: Inspection, config: StudyConfig) -> list[ImagingError]:
    """The limits of the study file that a patient's images break."""
    if found.measures is None:
        return []
    return [
        ImagingError(
            patient.patient_id,
            broken.reason,
            mend=broken.mend,
            value=broken.value,
            row=patient.row,
            column=_column(broken.use, config),
        )
        for broken in broken_limits(found.measures, config.image_checks)
    ]


def _column(use: str, config: StudyConfig) -> str | None:
    """That of the PET; that of the label map, where it is the only one."""
    if use == "pet":
        return column_of(use, config)
    columns = list(config.label_columns.values())
    return columns[0] if len(columns) == 1 else None


def image_quality(seen: Sequence[tuple[PatientFiles, Inspection]]) -> list[PatientQuality]:
    """Everybody who was measured, in the order given, with what is worth a look."""
    measured = [(patient, found.measures) for patient, found in seen if found.measures is not None]
    names = list(dict.fromkeys(roi.roi for _, measures in measured for roi in measures.rois))
    scores = {name: cohort_z_scores([_volume(measures, name) for _, measures in measured]) for name in names}
    qualities = []
    for place, (patient, measures) in enumerate(measured):
        z = {name: float(values[place]) for name, values in scores.items() if not np.isnan(values[place])}
        far = [
            f"{name}: volume far from the others' (z = {score:.1f})"
            for name, score in z.items()
            if abs(score) > HIGH_Z
        ]
        qualities.append(PatientQuality(patient.row, patient.patient_id, measures, z, (*flags(measures), *far)))
    return qualities


def _volume(measures: Measures, name: str) -> float:
    return next((roi.volume_ml for roi in measures.rois if roi.roi == name), float("nan"))


def write_image_quality(qualities: Sequence[PatientQuality], path: Path) -> Path:
    """CSV: one line a patient who was measured, with patient ids; blank where there is no number."""
    table = pd.DataFrame([_line(quality) for quality in qualities])
    return write_text(path, table.to_csv(index=False, lineterminator="\n", float_format="%.4f"))


def _line(quality: PatientQuality) -> dict[str, Any]:
    """One line of image_quality.csv; None is blank."""
    measures = quality.measures
    line: dict[str, Any] = {"row": quality.row, "patient_id": quality.patient_id, "flags": "; ".join(quality.flags)}
    line |= _alignment(measures)
    line["liver_suv_mean"] = measures.liver.mean if measures.liver is not None else None
    line["liver_suv_sd"] = measures.liver.sd if measures.liver is not None else None
    if measures.bones is not None:
        line |= {
            "bone_contrast": measures.bone_contrast,
            "bones": measures.bones.bones,
            "bones_ml": measures.bones.volume_ml,
        }
        line |= {"vertebrae": len(measures.bones.vertebrae), "missing_vertebrae": " ".join(measures.bones.missing)}
    for roi in measures.rois:
        line |= {
            f"{roi.roi}_ml": roi.volume_ml,
            f"{roi.roi}_ml_z": quality.volume_z.get(roi.roi),
            f"{roi.roi}_pieces": roi.pieces,
            f"{roi.roi}_largest_share": roi.largest_share,
            f"{roi.roi}_extent_mm": roi.extent_mm,
            f"{roi.roi}_cut": " ".join(["above"] * roi.cut_above + ["below"] * roi.cut_below),
            f"{roi.roi}_in_pet": measures.roi_in_pet.get(roi.roi),
        }
    return {name: None if isinstance(value, float) and isnan(value) else value for name, value in line.items()}


def _alignment(measures: Measures) -> dict[str, Any]:
    found = measures.alignment
    if found is None:
        return {}
    uptake, shift = found.activity, found.registration.shift
    x, y, z = shift.best_mm if shift is not None else (None, None, None)
    return {
        "ct_covered": found.ct_covered,
        "pet_covered": found.pet_covered,
        **{f"ct_beyond_pet_{side}_mm": found.ct_beyond_pet_mm[side] for side in SIDES},
        "activity_before": uptake.before,
        "activity_after": uptake.after,
        "activity_outside_ct": uptake.outside,
        "activity_change": uptake.change,
        "body_dice": found.registration.body_dice,
        "information_here": shift.here if shift is not None else None,
        "information_best": shift.best if shift is not None else None,
        "best_shift_left_mm": x,
        "best_shift_posterior_mm": y,
        "best_shift_superior_mm": z,
        "best_shift_mm": shift.distance_mm if shift is not None else None,
        "best_shift_at_edge": int(shift.at_edge) if shift is not None else None,
        "not_measured": "; ".join(found.registration.notes),
    }
