"""Is imaging worth it over clinical? The verdict in plain words, no stronger than its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from engram.evaluation.results import Comparison, RowResult, StudyResults
from engram.report.formats import number, p_value, signed, signed_interval
from engram.report.tested import tested

LEVEL: Final = 0.05
# Below so many events even one fixed model cannot be judged (Collins, Ogundimu and Altman, Statistics in Medicine
# 35 (2016) 214), and a difference between two of them needs more.
FEW_EVENTS: Final = 100

Verdict = Literal["untrained", "few", "optimistic", "no test", "yes", "weak reference", "worse", "not shown"]


@dataclass(frozen=True)
class Words:
    """What is said of the comparison `one` of all `declared` ones. row: its row; best: the clinical row with the
    highest c-index, whatever its model."""

    one: Comparison
    declared: tuple[Comparison, ...]
    row: RowResult
    best: RowResult | None
    results: StudyResults

    def title(self, verdict: Verdict) -> str:
        """The answer in a few words."""
        where = self._where()
        return {
            "untrained": "This study cannot tell: the image model is untrained.",
            "few": f"This study cannot tell: {tested(self.results)[1]} events.",
            "optimistic": "This study cannot tell: it was tuned on its test folds.",
            "no test": "This study cannot tell: there is no test.",
            "yes": f"Yes, {where}."
            if self._against_best()
            else f"Yes, {where}, against the same model without images.",
            "weak reference": (
                f"Better than the same model without images, but not than \u201c{self._best_name()}\u201d."
            ),
            "worse": f"No, {where}: images made the ranking worse.",
            "not shown": f"Not shown {where}.",
        }[verdict]

    def sentences(self, verdict: Verdict) -> tuple[str, ...]:
        """Why, the numbers of the comparison, the best clinical row where it is another, net benefit."""
        return (self._why(verdict), *self._numbers(), *self._beside_best(), *self._net_benefit())

    def _where(self) -> str:
        return "in these synthetic patients" if self.results.synthetic else "by this study"

    def _cohort(self) -> str:
        n, events = tested(self.results)
        return f"{n} patients with {events} events"

    def _against_best(self) -> bool:
        return self.best is None or self.best.name == self.one.other

    def _best_name(self) -> str:
        return "" if self.best is None else self.best.name

    def _why(self, verdict: Verdict) -> str:
        return {
            "untrained": ("Its weights are random, so whatever the images add here says nothing about the method."),
            "few": (
                f"With fewer than {FEW_EVENTS} events a difference between two models is not to be told from "
                "chance, whatever its size or its p."
            ),
            "optimistic": (
                "Settings were chosen by the very folds that measure them, so both rows look better than they are, "
                "and the one with more to tune the more so. Tune inside the folds (tuning.protocols: [nested]) to "
                "know."
            ),
            "no test": f"The test folds of {self._cohort()} do not allow one.",
            "yes": (
                f"With images, {self._cohort()} were ranked better than by the covariates alone in the same "
                "survival model: the interval lies above zero, and the corrected p, adjusted for all declared "
                f"comparisons, is below {LEVEL:g}. It says nothing about other hospitals, and a higher c-index "
                "need not change a decision."
            ),
            "weak reference": (
                f"With images, {self._cohort()} were ranked better than by the covariates alone in the same "
                "survival model, but another model of covariates alone ranked them better still: the images make "
                "up for a weak reference, and that they are worth it is not shown."
            ),
            "worse": f"Every declared comparison lies below zero, and the adjusted p is below {LEVEL:g}.",
            "not shown": (
                f"{self._why_not()} That is no proof of no gain: {self._cohort()} may be too few to show one."
            ),
        }[verdict]

    def _why_not(self) -> str:
        one = self.one
        p = f"the corrected p, adjusted for all declared comparisons, is {p_value(one.p_adjusted)}"
        if one.difference is not None and one.difference <= 0:
            nobody = all((other.difference or 0.0) <= 0 for other in self.declared)
            which = "No declared row" if nobody else "No row that is not below the best clinical row"
            return f"{which} ranked patients better than the covariates alone by the same model; {p}."
        if one.ci_lower is not None and one.ci_lower > 0:
            return f"The interval lies above zero, but it takes the models as they were fitted; {p}."
        if one.ci_lower is None:
            return f"There is no interval, and {p}."
        return f"The interval includes no difference at all, and {p}."

    def _numbers(self) -> list[str]:
        one = self.one
        if one.difference is None:
            return []
        largest = max(other.difference for other in self.declared if other.difference is not None)
        which = "the largest" if one.difference == largest else "one"
        many = len(self.declared)
        among = "the only declared comparison" if many == 1 else f"{which} of {many} declared"
        return [
            f"Difference in c-index {signed(one.difference)} ({_interval(one)}"
            f"corrected p {p_value(one.p_corrected)}, adjusted {p_value(one.p_adjusted)}): \u201c{one.row}\u201d "
            f"against \u201c{one.other}\u201d, {among}."
        ]

    def _beside_best(self) -> list[str]:
        """The clinical row that was best, where the declared reference is another: it was chosen after the fact."""
        best, row = self.best, self.row
        if best is None or self._against_best() or best.mean is None or row.mean is None:
            return []
        return [
            f"The best clinical row is \u201c{best.name}\u201d: c-index {number(best.mean)}, with images "
            f"{number(row.mean)} (difference of the means {signed(row.mean - best.mean)}, no test)."
        ]

    def _net_benefit(self) -> list[str]:
        """Where decision curves of both rows are saved: at how many thresholds the images are worth more."""
        found, one = self.results.performance, self.one
        curves = {} if found is None else {curve.row: curve.net_benefit for curve in found.curves}
        if found is None or found.horizon_months is None or not {one.row, one.other} <= curves.keys():
            return []
        pairs = zip(curves[one.row], curves[one.other], strict=True)
        known = [a - b for a, b in pairs if a is not None and b is not None]
        return [
            f"Net benefit at {found.horizon_months:g} months is higher with images at "
            f"{sum(d > 0 for d in known)} of {len(known)} thresholds (no test)."
        ]


def _interval(one: Comparison) -> str:
    if one.ci_lower is None or one.ci_upper is None:
        return ""
    return f"95 % CI {signed_interval(one.ci_lower, one.ci_upper)}; "
