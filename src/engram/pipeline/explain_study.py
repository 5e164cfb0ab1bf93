"""What `engram explain` explains: the row, its models and its patients, held to the results in the run folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engram.config import StudyConfig
from engram.errors import ConfigError, StorageError
from engram.evaluation.audit_results import unlike
from engram.evaluation.folds import study_folds
from engram.evaluation.out_of_fold import saved_risks
from engram.evaluation.preprocess import keys_of
from engram.evaluation.results import StudyResults, load_results
from engram.evaluation.rows import RowSpec, rows_of
from engram.explain.control_models import CONTROLS, control_models
from engram.explain.fold_model import FoldModel
from engram.explain.fold_models import fold_models
from engram.pipeline.console import Console
from engram.pipeline.evaluate import Inputs, as_evaluated, hashes_of, study_inputs
from engram.pipeline.folders import RunFolder
from engram.pipeline.requests import readouts_of
from engram.survival.splits import Fold
from engram.table import StudyTable


@dataclass(frozen=True)
class ExplainedStudy:
    """config: as it was evaluated. spec: the row. models: of each fold, and by the name of a control those that
    know nothing. risks: the row's saved out-of-fold risks by patient id."""

    config: StudyConfig
    inputs: Inputs
    results: StudyResults
    spec: RowSpec
    folds: Sequence[Fold]
    models: Sequence[FoldModel]
    controls: dict[str, Sequence[FoldModel]]
    risks: pd.Series[float]

    @property
    def table(self) -> StudyTable:
        """The study table."""
        return self.inputs.assembled.table

    def fold_of(self, position: int) -> int:
        """The fold, from 0, that held a patient out, by position in the table. Raises ConfigError for one who
        never tests."""
        for number, fold in enumerate(self.folds):
            if position in fold.test_index:
                return number
        raise ConfigError(
            f"patient '{self.table.features.ids[position]}' is in no test fold (he is in the first window of a "
            "split by time): there is no model that did not train on him. Choose another one."
        )


def explained_study(
    config: StudyConfig, *, workers: int, console: Console, ids: Sequence[str] = ()
) -> ExplainedStudy:
    """The row that the study file asks for, with its models made again and held to the saved risks.

    ids: patients that will be asked for. Raises StorageError where there are no results, or they are of another
    study file, other data or another version of Engram; ConfigError where the row is unknown or reads no memory, or
    a patient is not in the study.
    """
    config = as_evaluated(config)
    folder = RunFolder.of(config)
    results = load_results(folder.results)
    inputs = study_inputs(config)
    folds = study_folds(inputs.assembled.table, config.evaluation)
    others = unlike(results.provenance, hashes_of(config, inputs, folds))
    if others:
        raise StorageError(
            f"{folder.results}: results of another {', '.join(others)}. Run 'engram run' (or 'study') again, then "
            "'engram explain'."
        )
    unknown = [one for one in ids if one not in inputs.assembled.table.features.ids]
    if unknown:
        raise ConfigError(f"'{unknown[0]}' is no patient of this study, or was left out of it (exclusions.csv).")
    spec = chosen_row(config, results)
    risks = saved_risks(folder.out_of_fold)
    console.say(f"Row '{spec.name}': its models are made again, and held to the saved risks")
    table, absent = inputs.assembled.table, inputs.assembled.absent
    specs = [row for row in rows_of(config) if absent.keys().isdisjoint(keys_of(row))]
    with console.stage("Fitting") as progress:
        models = fold_models(
            table,
            spec,
            folds,
            config,
            cache_dir=folder.folds,
            workers=workers,
            specs=specs,
            saved=risks[spec.name],
            progress=progress,
        )
    controls: dict[str, Sequence[FoldModel]] = {}
    for name in CONTROLS if config.explain.controls else ():
        with console.stage(f"Fitting with {name}") as progress:
            controls[name] = control_models(
                table, models, name, cache_dir=folder.folds, workers=workers, progress=progress
            )
    return ExplainedStudy(config, inputs, results, spec, folds, models, controls, risks[spec.name])


def chosen_row(config: StudyConfig, results: StudyResults) -> RowSpec:
    """The row of `explain.row`, or the best image-only row of a memory, as in the paper's Appendix A. Raises
    ConfigError where there is none."""
    of_memory = {row.name: row for row in rows_of(config) if row.modalities and row.readout in readouts_of(config)}
    means = {row.name: row.mean for row in results.rows if row.mean is not None and row.name in of_memory}
    if config.explain.row is not None:
        if config.explain.row in means:
            return of_memory[config.explain.row]
        raise ConfigError(
            f"explain.row: '{config.explain.row}' is no row of a memory that has results. There are: "
            f"{', '.join(repr(name) for name in means) or 'none'}."
        )
    image = {name: mean for name, mean in means.items() if of_memory[name].family == "image"}
    if not image:
        raise ConfigError(
            "no image-only row of a memory has results: there is nothing to occlude. Set explain.row to a row that "
            "reads a memory, or run the study with one."
        )
    return of_memory[max(image, key=lambda name: image[name] or 0.0)]


def spread_over_risk(study: ExplainedStudy, count: int) -> list[int]:
    """Positions in the table of so many held-out patients, evenly from the lowest to the highest risk; of one, the
    highest. Risks of folds have scales of their own: they are compared by rank within the fold."""
    ranks: dict[int, float] = {}
    for model in study.models:
        order = np.argsort(np.argsort(model.test_risk, kind="stable"), kind="stable")
        ranks |= {int(at): (rank + 0.5) / len(order) for at, rank in zip(model.test_index, order, strict=True)}
    ordered = sorted(ranks, key=lambda at: (ranks[at], at))
    places = np.linspace(len(ordered) - 1, 0, min(count, len(ordered))).round().astype(int)
    return sorted({ordered[place] for place in places})
