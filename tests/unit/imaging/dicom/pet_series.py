"""PET series as their headers say, without files: a whole-body FDG scan in three beds that tests change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from engram.imaging.dicom.corrections import Correction, Corrections, series_id
from engram.imaging.dicom.series import ImageSlice, PetFacts, Series

UID = "1.2.840.10008.77.3"
SCAN = datetime(2024, 5, 31, 10, 15)  # 60 minutes after the injection
INJECTED = datetime(2024, 5, 31, 9, 15)
HALF_LIFE_S, DOSE_BQ, WEIGHT_KG = 6586.2, 300e6, 75.0
FRAME_S = 180.0
ADMIN_FACTOR = WEIGHT_KG * 1000 / DOSE_BQ
FACTOR = ADMIN_FACTOR * 2 ** (3600 / HALF_LIFE_S)  # by hand: SUVbw of 1 Bq/mL an hour after the injection

FACTS = PetFacts(
    units="BQML",
    decay_correction="START",
    corrected=("NORM", "ATTN", "SCAT", "DECY"),
    weight_kg=WEIGHT_KG,
    dose_bq=DOSE_BQ,
    half_life_s=HALF_LIFE_S,
    nuclide="^18^Fluorine",
    injected=INJECTED,
    injected_time_s=9 * 3600 + 15 * 60.0,
    series_type=("WHOLE BODY", "IMAGE"),
    manufacturer="SIEMENS",
)


def average_s(duration_s: float = FRAME_S, half_life_s: float = HALF_LIFE_S) -> float:
    """The moment of average count rate, found numerically: where the activity equals its mean over the frame."""
    times = (np.arange(100_000) + 0.5) / 100_000 * duration_s
    mean = np.exp2(-times / half_life_s).mean()
    return float(-half_life_s * np.log2(mean))


def beds(
    starts_s: Sequence[float] = (0, 0, 200, 200, 400, 400),
    *,
    first: datetime = SCAN,
    corrected_to_s: float = 0.0,
    half_life_s: float = HALF_LIFE_S,
    **changes: Any,
) -> tuple[ImageSlice, ...]:
    """Slices by the start of their bed after `first`, with Siemens' frame times. corrected_to_s: after `first`."""
    average = average_s(FRAME_S, half_life_s)
    return tuple(
        replace(
            ImageSlice(
                Path(f"/dump/{index:04}.dcm"),
                f"{UID}.{index}",
                slope=2.0,
                intercept=0.0,
                acquired=first + timedelta(seconds=start),
                frame_duration_s=FRAME_S,
                frame_reference_s=start - corrected_to_s + average,
                decay_factor=round(2 ** ((start - corrected_to_s + average) / half_life_s), 6),
            ),
            **changes,
        )
        for index, start in enumerate(starts_s)
    )


def ge_beds(starts_s: Sequence[float] = (0, 0, 200, 200, 400, 400), **changes: Any) -> tuple[ImageSlice, ...]:
    """As a GE writes them: one Acquisition Time for all, Frame Reference Time at the start of the frame."""
    return tuple(
        replace(slice_, acquired=SCAN, frame_reference_s=start, **changes)
        for slice_, start in zip(beds(starts_s), starts_s, strict=True)
    )


def series(slices: Sequence[ImageSlice] | None = None, started: datetime | None = SCAN, **facts: Any) -> Series:
    """The series, with changed facts."""
    images = beds() if slices is None else tuple(slices)
    return Series(
        UID,
        "1.2.840.10008.77",
        "P01",
        "PT",
        "1.2.840.10008.5.1.4.1.1.128",
        tuple(s.path for s in images) or (Path("/dump/0000.dcm"),),
        started=started,
        slices=images,
        pet=replace(FACTS, **facts),
    )


def stated(**values: Any) -> Corrections:
    """A corrections table with one line a field, all for the series."""
    lines = [
        Correction(row, "P01", series_id(UID), field, value, "dose sheet")
        for row, (field, value) in enumerate(values.items(), start=2)
    ]
    return Corrections(tuple(lines))
