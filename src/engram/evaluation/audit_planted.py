"""The audit itself is audited: pipelines that leak on purpose, each of which must be caught."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from engram.config import Covariate
from engram.evaluation.alterations import altered, centred, leaky
from engram.evaluation.audit import Run, differences, moved_by_others
from engram.evaluation.audit_records import AuditCheck
from engram.evaluation.fold_fit import FoldResult
from engram.evaluation.rows import RowSpec
from engram.survival.splits import Fold
from engram.table import StudyTable

PLAUSIBLE = 10.0  # size of the noise that a leaking pipeline is still fitted to

Caught = Callable[[], bool]


def planted_leak(
    table: StudyTable, spec: RowSpec, fold: Fold, declared: Mapping[str, Covariate], run: Run
) -> AuditCheck:
    """A pipeline that scales by all patients, one that trains on its test patients, and one that centres them among
    themselves must all be caught."""
    planted = _Planted(table, spec, fold, declared, run)
    pipelines: dict[str, Caught] = {"test patients among the training patients": planted.trained_on}
    if spec.modalities or any(covariate.kind == "continuous" for covariate in declared.values()):
        pipelines["numbers scaled by the mean and spread of all patients"] = planted.scaled
        pipelines["numbers of test patients centred among themselves"] = planted.centred
    missed = [name for name, caught in pipelines.items() if not caught()]
    detail = f"Not caught: {'; '.join(missed)}." if missed else f"Caught, on '{spec.name}': {'; '.join(pipelines)}."
    return AuditCheck(
        name="planted leak",
        question="Does this audit catch a pipeline that does leak?",
        passed=not missed,
        detail=detail,
    )


class _Planted:
    def __init__(
        self, table: StudyTable, spec: RowSpec, fold: Fold, declared: Mapping[str, Covariate], run: Run
    ) -> None:
        self._table, self._spec, self._fold, self._declared, self._run = table, spec, fold, declared, run

    def trained_on(self) -> bool:
        everybody = Fold(np.arange(len(self._table)), self._fold.test_index)
        return self._noticed(lambda table: self._run(table, [self._spec], [everybody]))

    def scaled(self) -> bool:
        return self._noticed(lambda table: self._run(leaky(table, self._declared), [self._spec], [self._fold]))

    def centred(self) -> bool:
        def run(table: StudyTable, specs: object, folds: object) -> list[list[FoldResult]]:
            del specs, folds
            together = centred(table, self._fold.test_index, self._declared)
            return self._run(together, [self._spec], [self._fold])

        before = [run(self._table, None, None)]
        found = moved_by_others(
            self._table, [self._spec], [self._fold], self._declared, run, before, size=PLAUSIBLE
        )
        return bool(found)

    def _noticed(self, leaks: Callable[[StudyTable], list[list[FoldResult]]]) -> bool:
        wild = altered(self._table, self._fold.test_index, self._declared, seed=1, size=PLAUSIBLE)
        return bool(differences([self._spec], [leaks(self._table)], [leaks(wild)]).training)
