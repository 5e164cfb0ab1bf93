"""The leakage audit of a study: its own path, run again on altered patients, and what it left behind compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from engram.config import Covariate
from engram.evaluation.alterations import ABSURD, altered, permuted, with_outcomes
from engram.evaluation.audit_records import AuditCheck, PermutedRow
from engram.evaluation.fold_fit import FoldResult, RiskArray
from engram.evaluation.rows import RIDGE_COX, RowSpec
from engram.survival.splits import Fold
from engram.table import StudyTable

SURE = 0.001  # p below which c-indices of permuted outcomes are held to lie above chance: an audit is made often
SAME_ORDER = 1e-4  # standard deviations of a risk; sums in another order round differently
_NAMED = 3  # failures that a detail names

# The results of rows on folds, by the path that the study takes. It must keep nothing between two calls.
Run = Callable[[StudyTable, Sequence[RowSpec], Sequence[Fold]], list[list[FoldResult]]]
Folds = Callable[[StudyTable], Sequence[Fold]]


@dataclass(frozen=True)
class Differences:
    """Where two fits of the same rows and folds differ, as 'row, fold 1'. compared: how many pairs."""

    compared: int
    training: tuple[str, ...]  # fingerprint of the fitted pipeline, or a training risk
    test_risks: tuple[str, ...]
    unprinted: tuple[str, ...]  # fits without a fingerprint


def kinds_of(specs: Sequence[RowSpec]) -> list[RowSpec]:
    """The first row of each kind: of what it sees, its head, its fusion and its survival model."""
    found: dict[tuple[object, ...], RowSpec] = {}
    for spec in specs:
        found.setdefault((spec.family, spec.readout, spec.head, spec.fusion, spec.survival, spec.only), spec)
    return list(found.values())


def training_checks(
    table: StudyTable,
    specs: Sequence[RowSpec],
    folds: Sequence[Fold],
    declared: Mapping[str, Covariate],
    run: Run,
) -> Iterator[AuditCheck]:
    """Does training notice the patients that it must not see? And does it notice those that it must?

    Each fold is fitted six times: as it is; with its test patients altered in all that is known of them; with
    their outcomes altered alone; with the outcomes of training patients permuted; with each half of its test
    patients altered, to see whether the risks of the other half follow.
    """
    as_is = [_one_fold(run, table, specs, fold) for fold in folds]
    everything = [_one_fold(run, altered(table, f.test_index, declared, seed=1), specs, f) for f in folds]
    yield _unnoticed("test patients altered", _WHAT_CHANGED, differences(specs, as_is, everything))
    outcomes = [_one_fold(run, with_outcomes(table, f.test_index, seed=2), specs, f) for f in folds]
    yield _blind_to_outcomes(differences(specs, as_is, outcomes))
    yield _noticed(specs, as_is, [_one_fold(run, permuted(table, f.train_index, seed=3), specs, f) for f in folds])
    changed = moved_by_others(table, specs, folds, declared, run, as_is)
    yield _each_alone(changed, sum(map(len, as_is)))


def permuted_rows(
    table: StudyTable, specs: Sequence[RowSpec], folds_of: Folds, run: Run, *, permutations: int
) -> list[PermutedRow]:
    """c-indices of rows after time and event were permuted, together, over all patients; folds are made anew."""
    means: list[list[float | None]] = [[] for _ in specs]
    everybody = np.arange(len(table))
    for seed in range(permutations):
        shuffled = permuted(table, everybody, seed=1000 + seed)
        for number, results in enumerate(run(shuffled, specs, folds_of(shuffled))):
            known = [result.c_index for result in results if result.c_index is not None]
            means[number].append(float(np.mean(known)) if known else None)
    return [_permuted_row(spec.name, found) for spec, found in zip(specs, means, strict=True)]


def permutation_check(rows: Sequence[PermutedRow]) -> AuditCheck:
    """Whether a row finds something where there is nothing. One below 0.5 is no leak."""
    above = [row.row for row in rows if (p := _p_above_chance(row)) is not None and p < SURE]
    shown = "; ".join(
        f"'{row.row}' {row.mean:.3f} ({row.lower:.3f} to {row.upper:.3f})"
        for row in rows
        if row.mean is not None and row.lower is not None and row.upper is not None
    )
    times = len(rows[0].c_index) if rows else 0
    return AuditCheck(
        name="permuted outcomes",
        question="Is the c-index at chance where there is nothing to learn?",
        passed=None if not shown else not above,
        detail=(
            f"Mean c-index over {times} permutations, with its 95 % interval: {shown or 'none can be computed'}. "
            f"Above 0.5 with p < {SURE:g}: {listed(above) or 'none'}."
        ),
    )


def order_check(table: StudyTable, specs: Sequence[RowSpec], folds: Sequence[Fold], run: Run) -> AuditCheck:
    """Folds, initial weights and dropout depend on the order of the table; a ridge Cox of given folds does not."""
    order = np.random.default_rng(4).permutation(len(table))
    place = np.argsort(order)
    moved = [Fold(np.sort(place[fold.train_index]), np.sort(place[fold.test_index])) for fold in folds]
    off = []
    for spec, one, other in zip(
        specs, run(table, specs, folds), run(table.subset(order), specs, moved), strict=True
    ):
        risks, again = np.zeros(len(table)), np.zeros(len(table))
        for fold, there, before, after in zip(folds, moved, one, other, strict=True):
            risks[fold.test_index], again[order[there.test_index]] = before.test_risk, after.test_risk
        if not np.allclose(risks, again, rtol=0, atol=SAME_ORDER * (risks.std() or 1.0)):
            off.append(spec.name)
    promised = (
        "The order of the manifest decides who is in which fold, and which units of a network rest; so much is not "
        "promised to be the same in another order. With the same patients in the same folds, ridge Cox should give "
        "the same risks"
    )
    names = listed([spec.name for spec in specs])
    found = f", and does not for {listed(off)}." if off else f", and does: {names}."
    return AuditCheck(
        name="order of the manifest",
        question="Are the risks the same where patients stand in another order?",
        passed=not off if specs else None,
        detail=promised + (found if specs else "; the study has no such row."),
    )


def cheap(specs: Sequence[RowSpec]) -> list[RowSpec]:
    """Rows that are fitted in a moment, one of each kind."""
    return [spec for spec in kinds_of(specs) if spec.survival == RIDGE_COX]


def moved_by_others(
    table: StudyTable,
    specs: Sequence[RowSpec],
    folds: Sequence[Fold],
    declared: Mapping[str, Covariate],
    run: Run,
    as_is: Sequence[list[list[FoldResult]]],
    *,
    size: float = ABSURD,
) -> list[str]:
    """Where the risks of some test patients change with the others of their fold, as 'row, fold 1'.

    Half of them are altered, then the other half, so that as many are predicted together as before: sums of another
    length would round differently. as_is: of each fold, the results of each row on it.
    """
    moved: dict[str, None] = {}
    for number, (fold, before) in enumerate(zip(folds, as_is, strict=True), 1):
        for half in (fold.test_index[::2], fold.test_index[1::2]):
            kept = ~np.isin(fold.test_index, half)
            after = run(altered(table, half, declared, seed=5, size=size), specs, [fold])
            for spec, (one,), (other,) in zip(specs, before, after, strict=True):
                if not _same(one.test_risk[kept], other.test_risk[kept]):
                    moved[f"{spec.name}, fold {number}"] = None
    return list(moved)


def differences(
    specs: Sequence[RowSpec], before: Sequence[list[list[FoldResult]]], after: Sequence[list[list[FoldResult]]]
) -> Differences:
    """before, after: of each fold, the results of each row on it (a list of one)."""
    training, test, unprinted, compared = [], [], [], 0
    for number, (one, other) in enumerate(zip(before, after, strict=True), 1):
        for spec, (first,), (second,) in zip(specs, one, other, strict=True):
            place, compared = f"{spec.name}, fold {number}", compared + 1
            if not (first.fingerprint and second.fingerprint):
                unprinted.append(place)
            if first.fingerprint != second.fingerprint or not _same(first.train_risk, second.train_risk):
                training.append(place)
            if not _same(first.test_risk, second.test_risk):
                test.append(place)
    return Differences(compared, tuple(training), tuple(test), tuple(unprinted))


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    shown = ", ".join(f"'{name}'" for name in names[:_NAMED])
    return shown + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


_WHAT_CHANGED = (
    "covariates, embeddings and outcomes of all test patients of a fold replaced by absurd numbers, then every "
    "fitted imputer, encoder, scaler, component, weight and setting, and every training risk, compared bit for bit"
)


def _one_fold(run: Run, table: StudyTable, specs: Sequence[RowSpec], fold: Fold) -> list[list[FoldResult]]:
    return run(table, specs, [fold])


def _same(one: RiskArray, other: RiskArray) -> bool:
    return one.shape == other.shape and one.tobytes() == other.tobytes()


def _unnoticed(name: str, done: str, found: Differences) -> AuditCheck:
    failed = (*found.training, *found.unprinted)
    said = f"Changed: {listed(failed)}." if failed else f"Nothing changed in {found.compared} fit(s)."
    return AuditCheck(
        name=name,
        question="Does anything that training makes change with the patients of the test fold?",
        passed=not failed,
        detail=f"{done[0].upper()}{done[1:]}. {said}",
    )


def _blind_to_outcomes(found: Differences) -> AuditCheck:
    failed = tuple(dict.fromkeys((*found.training, *found.test_risks)))
    said = f"Changed: {listed(failed)}." if failed else f"No risk changed by a bit in {found.compared} fit(s)."
    return AuditCheck(
        name="outcomes of test patients altered",
        question="Does the risk of a test patient know how the patient fared?",
        passed=not failed,
        detail=f"Times and events of all test patients turned round. {said}",
    )


def _noticed(
    specs: Sequence[RowSpec], before: Sequence[list[list[FoldResult]]], after: Sequence[list[list[FoldResult]]]
) -> AuditCheck:
    found = differences(specs, before, after)
    places = [f"{spec.name}, fold {number}" for number in range(1, len(before) + 1) for spec in specs]
    blind = [place for place in places if place not in found.training]
    said = f"Nothing changed in {listed(blind)}." if blind else f"Every one of {found.compared} fit(s) changed."
    return AuditCheck(
        name="training patients altered",
        question="Would the comparison see a change? That of training patients must be seen.",
        passed=not blind,
        detail=f"Outcomes permuted among the training patients. {said}",
    )


def _each_alone(moved: Sequence[str], compared: int) -> AuditCheck:
    said = f"Changed: {listed(moved)}." if moved else f"No risk changed by a bit in {compared} fit(s)."
    return AuditCheck(
        name="other test patients altered",
        question="Does the risk of a test patient depend on who else is tested?",
        passed=not moved,
        detail=f"Half of the test patients replaced by absurd numbers, the risks of the other half compared; then "
        f"the other way round. {said}",
    )


def _permuted_row(row: str, means: list[float | None]) -> PermutedRow:
    known = np.array([mean for mean in means if mean is not None])
    if len(known) < 2:
        return PermutedRow(
            row=row, c_index=means, mean=float(known[0]) if len(known) else None, lower=None, upper=None
        )
    half = float(stats.t.ppf(0.975, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known)))
    mean = float(known.mean())
    return PermutedRow(row=row, c_index=means, mean=mean, lower=mean - half, upper=mean + half)


def _p_above_chance(row: PermutedRow) -> float | None:
    known = [c for c in row.c_index if c is not None]
    if len(known) < 2 or np.ptp(known) == 0:
        return None
    return float(stats.ttest_1samp(known, 0.5, alternative="greater").pvalue)
