"""Which CT and which PET of a patient belong together: one study, one frame of reference, the best overlap.

Every series gets a sentence that says why it was taken or left. Where two PET reconstructions fit equally, none is
taken: their SUVs differ, and a cohort in which some patients have the one and some the other is not one cohort.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from engram.errors import ConfigError, ImagingError, Problem
from engram.imaging.dicom.corrections import series_id
from engram.imaging.dicom.dump import series_problem
from engram.imaging.dicom.scan_fit import Scan, common_ml, length_mm, overlap, preference
from engram.imaging.dicom.series import Series
from engram.imaging.dicom.stack import build_stack

MIN_OVERLAP = 0.5  # of the smaller field of view, as `engram.imaging.align` asks
EQUAL_LENGTH = 0.95  # PET series at least so long as the longest are reconstructions of one scan
EQUAL_OVERLAP = 0.98
_MASKS = ("RTSTRUCT", "SEG")
_EQUAL = "several PET series fit equally"

Role = Literal["CT", "PET", "mask"]


@dataclass(frozen=True)
class PairingRules:
    """study: of several, the first (the baseline scan) or the last. ct_description, pet_description: regular
    expressions, in any case, that Series Description must contain. Raises ConfigError where one is none."""

    study: Literal["first", "last"] = "first"
    ct_description: str | None = None
    pet_description: str | None = None

    def __post_init__(self) -> None:
        for option, pattern in (("--ct", self.ct_description), ("--pet", self.pet_description)):
            try:
                re.compile(pattern or "")
            except re.error as error:
                raise ConfigError(
                    f"{option}-description {pattern!r}: no regular expression ({error}). Write \\( for a bracket."
                ) from error


@dataclass(frozen=True)
class Judged:
    """What became of a series. taken_as is None where it was left; reason is a sentence for series.csv."""

    series: Series
    taken_as: Role | None
    reason: str


@dataclass(frozen=True, eq=False)
class Pairing:
    """One patient. judged: every series, by study, number and folder. problems: what the user should mend."""

    patient_id: str
    ct: Scan | None
    pet: Scan | None
    masks: tuple[Series, ...]
    judged: tuple[Judged, ...]
    problems: tuple[ImagingError, ...]


def pair_series(
    patient_id: str, series: Sequence[Series], rules: PairingRules, take: Mapping[str, bool]
) -> Pairing:
    """Choose CT, PET and masks among the series of one patient. Never raises: see `Pairing.problems`.

    take: by short series id (`series_id`), what the corrections table says: True takes a series where several fit
    equally or where it has no frame of reference, False leaves it.
    """
    return _Pairer(patient_id, tuple(series), rules, take).pair()


@dataclass
class _Pairer:
    patient_id: str
    series: tuple[Series, ...]
    rules: PairingRules
    take: Mapping[str, bool]
    judged: dict[str, Judged] = field(default_factory=dict)
    problems: list[ImagingError] = field(default_factory=list)

    def pair(self) -> Pairing:
        scans = [scan for series in self.series if (scan := self._scan(series)) is not None]
        study = self._study()
        pet = self._pet([scan for scan in scans if scan.series.modality == "PT"], study)
        ct = self._ct([scan for scan in scans if scan.series.modality == "CT"], study, pet)
        masks = self._masks(study)
        self._tell_unusable(study, "PT", pet)
        self._tell_unusable(study, "CT", ct)
        order = sorted(self.series, key=lambda s: (s.study_date or "", s.study_uid, s.number or 0, str(s.folder)))
        judged = tuple(self.judged[s.uid] for s in order)
        return Pairing(self.patient_id, ct, pet, masks, judged, tuple(self.problems))

    def _leave(self, series: Series, reason: str) -> None:
        self.judged[series.uid] = Judged(series, None, reason)

    def _taken(self, series: Series) -> bool | None:
        return self.take.get(series_id(series.uid))

    def _scan(self, series: Series) -> Scan | None:
        """The series as a volume; None, with its reason, where it is none or is not wanted."""
        reason = self._unwanted(series)
        if reason is None and series.modality not in _MASKS:
            try:
                return Scan(series, build_stack(series, patient_id=self.patient_id))
            except ImagingError as error:
                reason = error.reason + (f" ({error.value})" if error.value else "")
        if reason is not None:
            self._leave(series, reason)
        return None

    def _unwanted(self, series: Series) -> str | None:
        if self._taken(series) is False:
            return "left by the corrections table"
        if series.modality in _MASKS:
            return None
        if series.modality not in ("CT", "PT"):
            return f"modality {series.modality or 'not stated'}: neither CT, PET nor masks"
        wanted = self.rules.ct_description if series.modality == "CT" else self.rules.pet_description
        if wanted is not None and not re.search(wanted, series.description or "", re.IGNORECASE):
            return f"its description does not contain '{wanted}'"
        if series.pet is not None and series.pet.corrected and "ATTN" not in series.pet.corrected:
            return "PET without attenuation correction"
        return series_problem(series)

    def _study(self) -> str | None:
        """The study that is taken: that of a 'take: yes' line; else the first or last with a PET, or where none has
        one, with a CT. Whether its scans can be used does not matter here: a later scan must not slip in for a
        damaged baseline."""
        dates = {s.study_uid: s.study_date for s in self.series if s.study_uid in self._candidates()}
        asked = "first or last is not known" if None in dates.values() else "two are of one day"
        if len(dates) > 1 and (None in dates.values() or len(set(dates.values())) < len(dates)):
            self._problem(
                "several studies without distinct dates",
                value=f"{len(dates)} studies; {asked}",
                mend="Leave all but one by 'take: no' lines in the corrections table, or take a series of one.",
            )
            chosen = None
        elif dates:
            pick: Callable[..., str] = min if self.rules.study == "first" else max
            chosen = pick(dates, key=lambda uid: dates[uid] or "")
        else:
            chosen = None
        self._leave_other_studies(chosen, len(dates))
        return chosen

    def _candidates(self) -> set[str]:
        """Studies among which one is chosen."""
        images = [s for s in self.series if s.slices and self._taken(s) is not False]
        taken = {s.study_uid for s in images if self._taken(s)}
        with_pet = {s.study_uid for s in images if s.modality == "PT"}
        return taken or with_pet or {s.study_uid for s in images if s.modality == "CT"}

    def _leave_other_studies(self, chosen: str | None, count: int) -> None:
        for series in self.series:
            if series.uid in self.judged or series.study_uid == chosen:
                continue
            if chosen is None:
                self._leave(series, "none of the patient's studies was taken")
            elif count > 1:
                self._leave(series, f"another study: the {self.rules.study} of {count} was taken")
            else:
                self._leave(series, "another study, without a scan that can be used")

    def _pet(self, scans: Sequence[Scan], study: str | None) -> Scan | None:
        here = [scan for scan in scans if scan.series.study_uid == study]
        wanted = [scan for scan in here if self._taken(scan.series)] or here
        if not wanted:
            return None
        longest = max(map(length_mm, wanted))
        best = [scan for scan in wanted if length_mm(scan) >= EQUAL_LENGTH * longest]
        for scan in here:
            if scan not in best:
                self._leave(scan.series, f"shorter than another PET of the study ({longest:.0f} mm)")
        if len(best) == 1:
            self.judged[best[0].series.uid] = Judged(best[0].series, "PET", _why(best[0], here))
            return best[0]
        for scan in best:
            self._leave(scan.series, "several PET series of the study fit equally")
        self._problem(
            _EQUAL,
            value="; ".join(f"{series_id(s.series.uid)} '{s.series.description or ''}'" for s in best),
            mend="Choose one reconstruction for the whole cohort with --pet-description, or one series by a "
            "'take: yes' line in the corrections table.",
        )
        return None

    def _ct(self, scans: Sequence[Scan], study: str | None, pet: Scan | None) -> Scan | None:
        here = [scan for scan in scans if scan.series.study_uid == study]
        wanted = [scan for scan in here if self._taken(scan.series)] or here
        for scan in here:
            if scan not in wanted:
                self._leave(scan.series, "the corrections table takes another CT of the study")
        misfits = {} if pet is None else {s.series.uid: self._misfit(s, pet) for s in wanted}
        fitting = [scan for scan in wanted if misfits.get(scan.series.uid) is None]
        for scan in wanted:
            if (misfit := misfits.get(scan.series.uid)) is not None:
                self._leave(scan.series, misfit.what)
                if not fitting:
                    self._problem(misfit.what, value=misfit.value, mend=misfit.mend, file=str(scan.series.folder))
        if not fitting:
            return None
        shares = [1.0 if pet is None else common_ml(scan, pet) for scan in fitting]
        best = [s for s, share in zip(fitting, shares, strict=True) if share >= EQUAL_OVERLAP * max(shares)]
        best.sort(key=preference)
        for scan in fitting:
            if scan not in best:
                self._leave(scan.series, "another CT of the study overlaps better with the PET")
        for scan in best[1:]:
            self._leave(scan.series, f"CT series {best[0].series.number} fits as well and has {_preferred(best)}")
        self.judged[best[0].series.uid] = Judged(best[0].series, "CT", _why(best[0], here))
        return best[0]

    def _misfit(self, ct: Scan, pet: Scan) -> Problem | None:
        """Why a CT does not lie in the coordinates of the PET or does not cover it; None where it does."""
        frames = (ct.series.frame_of_reference_uid, pet.series.frame_of_reference_uid)
        value = f"CT series {series_id(ct.series.uid)}"
        if None in frames:
            mend = "If one scanner made both in one session, take this CT by a 'take: yes' line in the corrections."
            return None if self._taken(ct.series) else Problem("no common frame of reference", mend, value=value)
        if frames[0] != frames[1]:
            mend = "Give the CT of the same session, or a PET that was registered to this CT."
            return Problem("CT and PET in different frames of reference", mend, value=value)
        if (share := overlap(ct, pet)) < MIN_OVERLAP:
            value = f"{value}: {share:.0%} of the smaller one"
            return Problem("CT and PET overlap too little", "Give the CT of the same session.", value=value)
        return None

    def _masks(self, study: str | None) -> tuple[Series, ...]:
        found = [s for s in self.series if s.modality in _MASKS and s.uid not in self.judged]
        for series in found:
            self.judged[series.uid] = Judged(series, "mask", "masks of the study that was taken")
        return tuple(s for s in found if s.study_uid == study)

    def _tell_unusable(self, study: str | None, modality: str, scan: Scan | None) -> None:
        """A problem where the study has such images and none could be taken, unless one was told already."""
        here = [s for s in self.series if s.slices and (s.study_uid, s.modality) == (study, modality)]
        lost = [self.judged[s.uid] for s in here if self._taken(s) is not False]
        if scan is not None or not lost or any(problem.file in _folders(lost) for problem in self.problems):
            return
        if modality == "PT" and any(problem.reason == _EQUAL for problem in self.problems):
            return
        self._problem(
            f"no {'PET' if modality == 'PT' else 'CT'} of the study can be used",
            value="; ".join(f"{series_id(one.series.uid)}: {one.reason}" for one in lost),
            mend="Mend or export the series again; or leave them by 'take: no' lines in the corrections table, and "
            "the next study of the patient is taken.",
            file=str(lost[0].series.folder),
        )

    def _problem(self, reason: str, *, value: str | None, mend: str, file: str | None = None) -> None:
        self.problems.append(ImagingError(self.patient_id, reason, mend=mend, value=value, file=file))


def _folders(judged: Sequence[Judged]) -> set[str]:
    return {str(one.series.folder) for one in judged}


def _preferred(best: Sequence[Scan]) -> str:
    first, second = preference(best[0]), preference(best[1])
    if first[0] != second[0]:
        return "original images"
    return "thinner slices" if first[1] != second[1] else "the lower series number"


def _why(scan: Scan, here: Sequence[Scan]) -> str:
    others = len(here) - 1
    kind = "CT" if scan.series.modality == "CT" else "PET"
    why = f"the only {kind} of the study that can be used" if not others else f"best of {others + 1} {kind} series"
    return "; ".join((why, *scan.stack.notes))
