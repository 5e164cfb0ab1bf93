"""Slices of one series in their places: sorted along their normal, and on one grid.

Nothing is resampled: a series whose slices do not lie on a grid of one spacing is refused, see `MAX_SHIFT_MM`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engram.errors import ImagingError
from engram.imaging.dicom.series import ImageSlice, Series
from engram.imaging.dicom.slice_places import AGAIN, Places, Vector, place_slices, refusal
from engram.imaging.orientation import SPACING_RANGE_MM
from engram.imaging.volume import Grid

# How far from its place a grid of one spacing may put a slice: a quarter of a gap, half of what would bring it
# as near to another slice's place, and never more than 1 mm, a fifth of what PET resolves.
MAX_SHIFT_GAPS, MAX_SHIFT_MM = 0.25, 1.0
MAX_TILT_DEGREES = 0.5
_SAME_PLACE_MM = 0.01  # positions are written to a hundredth of a millimetre or finer
_EQUAL_MM = 0.005  # gaps that differ by less are one
_WHOLE = 0.15  # a gap is k usual ones to within this share of one
_TURNS = 0.1  # steps that go back in a series of two acquisitions; more, and its numbers mean nothing


@dataclass(frozen=True, eq=False)
class Stack:
    """A volume as its files have it, before any voxel is read.

    slices: along the normal of the slices, which is row direction x column direction; array axis 0 follows them.
    grid: shape (slices, rows, columns), directions as stored (not yet LPS); the spacing of its first axis is the
    mean gap.
    gaps_mm: (n - 1,), from slice to slice along the normal. largest_shift_mm: how far the grid puts the worst
    slice from where its file says it is. notes: what a user should know (unequal gaps, ...), without identifiers.
    """

    slices: tuple[ImageSlice, ...]
    grid: Grid
    gaps_mm: npt.NDArray[np.float64]
    largest_shift_mm: float
    notes: tuple[str, ...] = ()


def build_stack(series: Series, *, patient_id: str) -> Stack:
    """Sort the slices of a CT or PET series and find the grid that they lie on.

    The grid begins where the header of the first slice says and ends, along the normal, at the last one.
    Raises ImagingError, naming file and value, for a single slice, headers that give no place, mixed sizes,
    spacings or orientations, several images of one place, several acquisitions, missing slices, unequal gaps, and
    slices shifted sideways (a tilted gantry).
    """
    places = place_slices(series, patient_id=patient_id)
    check = _Check(series, patient_id, places)
    check.no_place_twice()
    check.possible_gap()
    check.one_acquisition()
    check.no_slice_missing()
    check.no_tilt()
    shift_mm = check.largest_shift_mm()
    return Stack(places.slices, places.grid, places.gaps_mm, shift_mm, _notes(places, shift_mm))


@dataclass(frozen=True)
class _Check:
    series: Series
    patient_id: str
    places: Places

    def no_place_twice(self) -> None:
        same = self.places.gaps_mm < _SAME_PLACE_MM
        if not same.any():
            return
        counts = Counter(np.concatenate([[0], np.cumsum(~same)]).tolist()).values()
        first = int(same.argmax())
        if len(set(counts)) == 1:
            value = f"{max(counts)} images at each of {len(counts)} places"
            mend = f"A dynamic or gated scan, or two reconstructions? {AGAIN}, one image of each place."
        else:
            twice = sum(count > 1 for count in counts)
            value = f"at {twice} of {len(counts)} places, the first {self._place(first)}"
            mend = f"Two acquisitions or reconstructions in one series? {AGAIN}, each as a series of its own."
        raise self._refusal("has several images at one place", value, mend, first + 1)

    def possible_gap(self) -> None:
        gap, (low, high) = float(self.places.gaps_mm.mean()), SPACING_RANGE_MM
        if not low <= gap <= high:
            value = f"{gap:g} mm from slice to slice, expected {low:g} to {high:g} mm"
            raise self._refusal("has an impossible voxel size", value, f"{AGAIN}.", 0)

    def one_acquisition(self) -> None:
        """Overlapping acquisitions: gaps vary, and a few instance numbers in a row go back along the normal."""
        gaps, numbers = self.places.gaps_mm, [one.instance_number for one in self.places.slices]
        if np.ptp(gaps) <= _WHOLE * np.median(gaps) or None in numbers:
            return
        steps = np.diff(self.places.along_mm[np.argsort(np.array(numbers, dtype=np.int64), kind="stable")])
        turns = min(int((steps > 0).sum()), int((steps < 0).sum()))
        if 0 < turns <= max(1, _TURNS * len(steps)):
            value = f"the order of instance numbers goes back {turns} time(s); {_gaps_in_words(gaps)}"
            mend = f"{AGAIN}, each acquisition as a series of its own."
            raise self._refusal(
                "holds several acquisitions", value, mend, int(np.abs(gaps - np.median(gaps)).argmax())
            )

    def no_slice_missing(self) -> None:
        gaps, usual = self.places.gaps_mm, float(np.median(self.places.gaps_mm))
        counts = np.rint(gaps / usual)
        missing = np.flatnonzero((counts >= 2) & (np.abs(gaps / usual - counts) <= _WHOLE))
        if not len(missing):
            return
        first = int(missing[0])
        value = (
            f"{int((counts[missing] - 1).sum())} in {len(missing)} place(s), the first after the slice "
            f"{self._place(first)}: {gaps[first]:.2f} mm to the next, usually {usual:.2f} mm"
        )
        raise self._refusal("slices are missing", value, f"{AGAIN}, with all its slices.", first)

    def no_tilt(self) -> None:
        along, aside = self.places.along_mm, self.places.aside_mm
        moved = float(np.linalg.norm(aside[-1] - aside[0]))
        degrees = float(np.degrees(np.arctan2(moved, along[-1] - along[0])))
        if degrees > MAX_TILT_DEGREES:
            value = f"{degrees:.2f} degrees, {moved:.1f} mm over the stack, at most {MAX_TILT_DEGREES} degrees"
            mend = "Resample it without tilt (dcm2niix does so), and name the NIfTI in a manifest."
            raise self._refusal("slices are tilted against their stack (gantry tilt)", value, mend, len(along) - 1)

    def largest_shift_mm(self) -> float:
        """How far the grid has the worst slice from its place."""
        along, aside = self.places.along_mm, self.places.aside_mm
        gap = float(self.places.gaps_mm.mean())
        lengthwise = np.abs(along - along[0] - gap * np.arange(len(along)))
        sideways = np.linalg.norm(aside - aside[0], axis=1)
        shifts = np.hypot(lengthwise, sideways)
        worst, limit = (
            int(shifts.argmax()),
            min(MAX_SHIFT_GAPS * float(np.median(self.places.gaps_mm)), MAX_SHIFT_MM),
        )
        if shifts[worst] <= limit:
            return float(shifts[worst])
        value = f"{shifts[worst]:.2f} mm off its place in a stack of {gap:.3f} mm gaps, at most {limit:.2f} mm"
        if sideways[worst] > lengthwise[worst]:
            mend = f"{AGAIN}: its slices must lie one behind the other."
            raise self._refusal("slices are shifted sideways", value, mend, worst)
        mend = f"{AGAIN} with one slice spacing, or resample it and name the NIfTI in a manifest."
        value = f"{value}; {_gaps_in_words(self.places.gaps_mm)}"
        raise self._refusal("slices are unequally spaced", value, mend, worst)

    def _place(self, index: int) -> str:
        return f"at {self.places.along_mm[index]:.2f} mm (along the normal)"

    def _refusal(self, what: str, value: str, mend: str, index: int) -> ImagingError:
        file = str(self.places.slices[index].path)
        return refusal(self.series, self.patient_id, what, value=value, file=file, mend=mend)


def _notes(places: Places, shift_mm: float) -> tuple[str, ...]:
    notes = []
    if np.ptp(places.gaps_mm) > _EQUAL_MM:
        notes.append(
            f"{_gaps_in_words(places.gaps_mm)}; on a grid of their mean, {places.gaps_mm.mean():.4f} mm, "
            f"no slice is more than {shift_mm:.2f} mm from its place"
        )
    numbers = sorted({one.instance_number for one in places.slices if one.instance_number is not None})
    lacking = numbers[-1] - numbers[0] + 1 - len(numbers) if numbers else 0
    if lacking:
        notes.append(f"{lacking} instance numbers between the first and the last are not there")
    return tuple(notes)


def _gaps_in_words(gaps_mm: Vector) -> str:
    """ "gaps of 3.27 mm (261), 3.29 mm (4), 3.19 mm (1)", or their range where there are many."""
    counts = Counter(np.round(gaps_mm, 2).tolist()).most_common()
    if len(counts) > 5:
        return f"gaps of {gaps_mm.min():.2f} to {gaps_mm.max():.2f} mm, usually {np.median(gaps_mm):.2f} mm"
    return "gaps of " + ", ".join(f"{gap:.2f} mm ({count})" for gap, count in counts)
