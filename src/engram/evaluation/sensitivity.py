"""All analyses beside the main one: repeats, permuted outcomes, other treatments of gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engram.config import StudyConfig
from engram.evaluation.fold_fit import FoldResult
from engram.evaluation.missingness import missing_variables, missingness
from engram.evaluation.permutation_null import permutation_null
from engram.evaluation.repeated import repeated_rows
from engram.evaluation.rows import RowSpec
from engram.evaluation.sensitivity_records import (
    MissingnessRow,
    MissingVariable,
    PermutationNull,
    RepeatedComparison,
    RepeatedRow,
)
from engram.evaluation.variants import Runner
from engram.survival.splits import Fold
from engram.table import StudyTable


@dataclass(frozen=True)
class Sensitivity:
    """What was found beside the main analysis; each is empty where the study file does not ask for it."""

    repeated: list[RepeatedRow]
    repeated_comparisons: list[RepeatedComparison]
    permutation_null: list[PermutationNull]
    missingness: list[MissingnessRow]
    missing_variables: list[MissingVariable]


def sensitivity(
    table: StudyTable,
    specs: Sequence[RowSpec],
    results: Sequence[Sequence[FoldResult]],
    folds: Sequence[Fold],
    config: StudyConfig,
    runner: Runner,
) -> Sensitivity:
    """Everything that `evaluation.repeats` and `sensitivity` of the study file ask for.

    specs, results: rows that have numbers, each on each of `folds`. runner: what gave these numbers, so that tuning
    is part of each analysis.
    """
    study = (table, specs, results)
    repeated = repeated_rows(*study, folds, config, runner)
    return Sensitivity(
        repeated=repeated.rows,
        repeated_comparisons=repeated.comparisons,
        permutation_null=permutation_null(*study, config, runner),
        missingness=missingness(*study, folds, config, runner),
        missing_variables=missing_variables(table, config),
    )
