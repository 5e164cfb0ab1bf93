"""From what was measured on every patient's images to images.html."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from pathlib import Path

from engram.config import StudyConfig
from engram.errors import StorageError
from engram.files import write_text
from engram.imaging.projection import REGION_RGB
from engram.pipeline.folders import RunFolder
from engram.pipeline.image_quality import PatientQuality
from engram.pipeline.measures import Measures
from engram.pipeline.patients import images_section
from engram.report.images_page import PAGE_NAME, ImageCard, Measured, Strip, images_page
from engram.roi.mask_quality import HIGH_Z, cohort_z_scores


def write_images_page(
    config: StudyConfig,
    qualities: Sequence[PatientQuality],
    sheets: Mapping[int, Path],
    left_out: Mapping[int, str],
) -> None:
    """Write images.html; where no pictures are wanted, or nobody was measured, an old one is removed.

    sheets, left_out: by row of the manifest, the picture, and why a patient is not analysed.
    """
    path = RunFolder.of(config).root / PAGE_NAME
    if not (qualities and config.report.pictures):
        _remove(path)
        return
    numbers = [tuple(_numbers(quality.measures, has_ct="CT" in config.scan_columns)) for quality in qualities]
    cards = [
        ImageCard(quality.row, left_out.get(quality.row), measured, quality.flags, sheets.get(quality.row))
        for quality, measured in zip(qualities, numbers, strict=True)
    ]
    page = images_page(
        config.name,
        cards,
        _strips([quality.row for quality in qualities], numbers),
        regions=[(name, _css(i)) for i, name in enumerate(config.rois)],
        shown=_shown(config),
        synthetic=config.truth is not None,
    )
    write_text(path, page)


def _numbers(measures: Measures, *, has_ct: bool) -> Iterator[Measured]:
    """The same labels in the same order for every patient of a study: None where it could not be measured."""
    suv = {found.region: found for found in measures.roi_pet}
    for roi in measures.rois:
        yield Measured(f"{roi.roi}, volume (mL)", roi.volume_ml, 0)
        if roi.roi in suv:
            found = suv[roi.roi]
            yield Measured(f"{roi.roi}, SUVmean", _known(found.suv_mean), 2)
            yield Measured(f"{roi.roi}, SUVmax", _known(found.suv_max), 1, compared=False)
            yield Measured(f"{roi.roi}, MTV (mL)", _known(found.mtv_ml), 1, compared=False)
    if measures.alignment is not None:
        registration = measures.alignment.registration
        yield Measured("Body outlines of PET and CT, Dice", registration.body_dice, 2)
        yield Measured("Best shift (mm)", registration.shift.distance_mm if registration.shift else None, 1)
    if measures.roi_pet and measures.bones is not None:
        yield Measured("Liver, SUVmean", measures.liver.mean if measures.liver is not None else None, 2)
    if has_ct and measures.bones is not None:
        yield Measured("Bone denser than around it (share)", measures.bone_contrast, 2)
    if measures.bones is not None:
        yield Measured("Vertebrae", float(len(measures.bones.vertebrae)), 0, compared=False)


def _known(value: float) -> float | None:
    return None if isnan(value) else value


def _strips(rows: Sequence[int], numbers: Sequence[tuple[Measured, ...]]) -> list[Strip]:
    """One for each number that is compared and that at least two patients have."""
    found = []
    for of_all in zip(*numbers, strict=True):
        known = [(row, number.value) for row, number in zip(rows, of_all, strict=True) if number.value is not None]
        if of_all[0].compared and len(known) >= 2:
            values = tuple(value for _, value in known)
            outliers = tuple(bool(abs(z) > HIGH_Z) for z in cohort_z_scores(values))
            found.append(Strip(of_all[0].label, tuple(row for row, _ in known), values, outliers))
    return found


def _css(i: int) -> str:
    return "#{:02x}{:02x}{:02x}".format(*REGION_RGB[i % len(REGION_RGB)])


def _shown(config: StudyConfig) -> str:
    images = images_section(config)
    kind, unit, (low, high) = ("PET", "SUV", images.pet_window_suv)
    if "PET" not in config.modalities:
        kind, unit, (low, high) = ("CT", "HU", images.ct_window_hu)
    return (
        f"{kind} as maximum intensity projection from {low:g} (white) to {high:g} {unit} (black), seen from the "
        "front (R: the patient's right) and from the side (A: front). Outlined: the regions of interest; in a "
        "paler tone, just outside, the sides of the box of each slice."
    )


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{path}: out of date, but cannot be removed ({error.strerror}). Remove it.") from error
