"""Is the plan of the paper's study faster than a plain loop over rows and trials? `training.py --part study`.

A declared subset of rows and trials is run by both sides under protocol `paper`, on the same patients, folds, seeds
and hyperparameters. Engram follows its plan: native maps, one search for all rows of one head, pruning, stacked
networks, the allocator of its workers. The plain loop tunes each row by itself on maps of 64 x 64, prunes nothing
and trains one network after the other.

Then an epoch or a fit of each kind is timed on either side, and the whole study is added up from these. Looks at
validation patients are left out of it, which favours the plain loop.
"""

from __future__ import annotations

import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engram.config import StudyConfig, checked_config
from engram.config_grid import paper_grid
from engram.config_models import Training
from engram.evaluation.fold_fit import fit_model, job_seed
from engram.evaluation.folds import study_folds
from engram.evaluation.preprocess import build_pipeline
from engram.evaluation.protocols import ByProtocol, run_protocols
from engram.evaluation.rows import RIDGE_COX, RowSpec, rows_of
from engram.evaluation.search_groups import groups_of
from engram.evaluation.search_space import has_map_head, space_of
from engram.evaluation.sobol import search
from engram.evaluation.trials import Judged, best_of
from engram.outcome import SurvivalOutcome
from engram.survival.metrics import harrell_c
from engram.survival.splits import Fold
from engram.table import EmbeddingKey, StudyTable
from machine import timed
from plain import Cohort, PlainRun, plain_fit

PATIENTS = 227
MAP_ROWS, CLINICAL_ROW = ("PET, spine", "PET + CT, spine"), "Clinical, DeepSurv"
ATTENTION_ROWS = ("PET, spine, attention", "PET + CT, spine, attention")
# What both sides run. Trainings of maps are cut short, alike on both: at full length the plain loop takes days.
SHORT = Training(max_epochs=5, patience=2, inner_folds=1, ensemble=1, learning_rate=3e-3)
MAP_TRIALS, MAP_FOLDS, CLINICAL_TRIALS = 2, 3, 4
TRIALS, FOLDS, ROWS = 16, 5, 33  # of the study that is added up
TIMED_EPOCHS = 2


def cohort() -> StudyTable:
    """Noise with a blob in the memory of either scan, and ten covariates: each tells a part of the risk."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(PATIENTS, 3))  # what PET, CT and the clinic know
    axis = np.linspace(-3, 3, 32)
    blob = np.exp(-(axis[:, None] ** 2) - axis[None, :] ** 2)
    memories = {}
    for number, modality in enumerate(("PET", "CT")):
        noise = rng.standard_normal((PATIENTS, 2, 64, 32, 32), dtype=np.float32)
        signal = 0.5 * hidden[:, number, None, None] * blob
        memories[EmbeddingKey(modality, "spine")] = noise + signal[:, None, None].astype(np.float32)
    columns = {f"lab_{k}": rng.normal(size=PATIENTS) for k in range(9)}
    clinic = pd.DataFrame({"age": hidden[:, 2], **columns, "r_iss": rng.choice(["I", "II", "III"], PATIENTS)})
    risk = hidden @ [0.9, 0.5, 0.7]
    death, censoring = rng.exponential(30 * np.exp(-risk)), rng.exponential(70, PATIENTS)
    months = np.ceil(np.minimum(death, censoring)).clip(1, 240)
    ids = [f"P{k}" for k in range(PATIENTS)]
    outcome = SurvivalOutcome(death <= censoring, months)
    return StudyTable.from_arrays(ids, clinic, outcome, memories, kinds=study().covariates)


def study() -> StudyConfig:
    """The paper's grid on two regions, with all defaults but the protocol."""
    number, stage = {"kind": "continuous", "unit": "1"}, {"kind": "ordinal", "levels": ("I", "II", "III")}
    fields = {
        "name": "benchmark",
        "manifest": "-",
        "output": "-",
        "outcome": {"time": "-", "event": "-", "unit": "months"},
        "covariates": {"age": number, **{f"lab_{k}": number for k in range(9)}, "r_iss": stage},
        "images": {},
        "rois": {"spine": {"mask": "-"}, "skeleton": {"mask": "-"}},
        "models": {"stage": "r_iss"},
        "tuning": {"protocols": ("paper",)},
    }
    return paper_grid(checked_config(fields, "benchmark"))


def paper_rows(rows: Iterable[RowSpec]) -> list[RowSpec]:
    """The 33 of the paper: 22 of images, 6 of images with covariates, 5 to compare with. The grid has more."""
    compared = ("PET numbers, spine", "Radiomics of PET + CT, spine")
    kept = [
        row
        for row in rows
        if row.name in compared
        or (row.readout == "final" and not (row.family == "multimodal" and row.fusion == "gate"))
        or row.readout == "resnet50"
        or row.family == "clinical"
    ]
    if len(kept) != ROWS:
        raise SystemExit(f"the grid has {len(kept)} rows of the paper, not {ROWS}")
    return kept


def part_config(config: StudyConfig, *, trials: int, folds: int, training: Training | None = None) -> StudyConfig:
    """The study with fewer trials and folds, and shorter trainings."""
    return config.model_copy(
        update={
            "tuning": config.tuning.model_copy(update={"trials": trials}),
            "evaluation": config.evaluation.model_copy(update={"folds": folds}),
            "training": training or config.training,
        }
    )


def one_side(side: str) -> dict[str, Any]:
    """All of one side, in this process: c-indices by row, and seconds (of the clock, of the processor)."""
    table, config = cohort(), study()
    rows = {row.name: row for row in rows_of(config)}
    parts = (
        (MAP_ROWS, part_config(config, trials=MAP_TRIALS, folds=MAP_FOLDS, training=SHORT)),
        ((CLINICAL_ROW,), part_config(config, trials=CLINICAL_TRIALS, folds=FOLDS)),
    )
    run = _plain_rows if side == "study-plain" else _engram_rows
    found: dict[str, Any] = {"c": {}, "seconds": {}, "fits": {}}
    for names, part in parts:
        made: list[tuple[dict[str, float], int]] = []
        spent = timed(lambda r=run, n=names, p=part, m=made: m.append(r(table, [rows[name] for name in n], p)))
        found["c"] |= made[0][0]
        found["seconds"][", ".join(names)], found["fits"][", ".join(names)] = spent, made[0][1]
    found["kinds"] = _timed_kinds(table, config, rows, side)
    return found | (_of_default_length(table, config, rows) if side == "study-engram" else {})


def _engram_rows(table: StudyTable, specs: list[RowSpec], config: StudyConfig) -> tuple[dict[str, float], int]:
    folds = study_folds(table, config.evaluation)
    found = _run(table, specs, folds, config)
    results = zip(specs, found.results["paper"], strict=True)
    c_indices = {spec.name: statistics.fmean(_known(one.c_index for one in result)) for spec, result in results}
    others = len(specs) - len(found.searched)
    return c_indices, _fits(found) + others * len(folds)


def _run(table: StudyTable, specs: list[RowSpec], folds: list[Fold], config: StudyConfig) -> ByProtocol:
    with tempfile.TemporaryDirectory() as kept:
        return run_protocols(table, specs, folds, config, workers=0, cache_dir=Path(kept))


def _fits(found: ByProtocol) -> int:
    return sum(len(trial.judged) for one in found.searched for trial in one.trials)


def _plain_rows(table: StudyTable, specs: list[RowSpec], config: StudyConfig) -> tuple[dict[str, float], int]:
    """Each row is searched by itself, over the points that Engram draws for the first of its head."""
    c_indices, folds = {}, study_folds(table, config.evaluation)
    for spec in specs:
        judge = PlainJudge(table, spec, folds, config)
        trials = search(
            space_of(spec, config.training),
            config.training,
            judge,
            folds=len(folds),
            trials=config.tuning.trials,
            prune=False,
            seed=job_seed(config.evaluation.seed, f"{specs[0].name}, search on test folds", 0),
        )
        c_indices[spec.name] = best_of(trials).score or 0.0
    return c_indices, len(specs) * (config.tuning.trials + 1) * len(folds)


class PlainJudge:
    """The plain loop on each fold. Numbers are made ready once a fold."""

    def __init__(self, table: StudyTable, spec: RowSpec, folds: list[Fold], config: StudyConfig) -> None:
        self._spec, self._config = spec, config
        self._parts = [plain_parts(table, spec, fold, config) for fold in folds]

    def __call__(self, settings: Training, fold: int) -> Judged:
        training, test = self._parts[fold]
        seed = job_seed(self._config.evaluation.seed, self._spec.name, fold)
        return Judged(harrell_c(plain_fit(training, settings, seed, test.inputs), test.outcome))


def plain_parts(table: StudyTable, spec: RowSpec, fold: Fold, config: StudyConfig) -> tuple[Cohort, Cohort]:
    """The training and the test patients of a fold as 64 x 64 maps or volumes, made ready by Engram."""
    paper = config.model_copy(update={"embedding": config.embedding.model_copy(update={"map_size": "paper"})})
    ready = build_pipeline(spec, paper, seed=0).named_steps["preprocess"]
    parts = [table.subset(index) for index in (fold.train_index, fold.test_index)]
    ready.fit(parts[0].features, parts[0].outcome.to_structured())
    training, test = (Cohort(ready.transform(part.features), part.outcome) for part in parts)
    return training, test


def kind_of(row: RowSpec) -> str:
    """Rows of one kind take equally long."""
    if has_map_head(row):
        return f"{row.head}, {len(row.modalities)} scan(s)"
    return "ridge Cox" if row.survival == RIDGE_COX else "clinical DeepSurv"


def _timed_kinds(
    table: StudyTable, config: StudyConfig, rows: dict[str, RowSpec], side: str
) -> dict[str, tuple[float, float]]:
    """Seconds of one epoch of each kind that reads maps, and of one fit of each other kind."""
    fold = study_folds(table, config.evaluation)[0]
    names = (*MAP_ROWS, *ATTENTION_ROWS, CLINICAL_ROW, "Clinical, ridge Cox")
    return {kind_of(rows[n]): _timed_kind(table, rows[n], fold, config, side) for n in names}


def _timed_kind(
    table: StudyTable, spec: RowSpec, fold: Fold, config: StudyConfig, side: str
) -> tuple[float, float]:
    maps = has_map_head(spec)
    if side == "study-plain" and spec.survival != RIDGE_COX:
        training, _ = plain_parts(table, spec, fold, config)
        if not maps:
            return timed(lambda: plain_fit(training, config.training, 0))
        run = PlainRun(training, config.training, 0)
        return _per_epoch(lambda epochs: [run.epoch() for _ in range(epochs)])
    training_table = table.subset(fold.train_index)
    if not maps:
        return timed(lambda: fit_model(training_table, spec, config, seed=0))
    single = part_config(config, trials=TRIALS, folds=FOLDS, training=Training(ensemble=1))
    return _per_epoch(lambda epochs: fit_model(training_table, spec, single, seed=0, epochs=epochs))


def _per_epoch(train: Callable[[int], object]) -> tuple[float, float]:
    train(1)
    first, more = timed(lambda: train(1)), timed(lambda: train(1 + TIMED_EPOCHS))
    clock, processor = ((b - a) / TIMED_EPOCHS for a, b in zip(first, more, strict=True))
    return clock, processor


def _of_default_length(table: StudyTable, config: StudyConfig, rows: dict[str, RowSpec]) -> dict[str, Any]:
    """How long a training of maps is by default, and what pruning spares at 16 trials."""
    fold = study_folds(table, config.evaluation)[0]
    row = rows[MAP_ROWS[0]]
    model = fit_model(table.subset(fold.train_index), row, config, seed=0).pipeline.named_steps["survival"]
    cheap = part_config(config, trials=TRIALS, folds=FOLDS)
    made: list[int] = []

    def whole_row() -> None:
        folds = study_folds(table, cheap.evaluation)
        made.append(_fits(_run(table, [rows[CLINICAL_ROW]], folds, cheap)))

    return {"epochs": model.fitted_.epochs, "row": timed(whole_row), "row_fits": made[0]}


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def compared(plain: dict[str, Any], ours: dict[str, Any]) -> bool:
    """Print both sides and the sum; whether c-indices are within 0.01 of each other on average."""
    apart = []
    for name, c in plain["c"].items():
        apart.append(abs(ours["c"][name] - c))
        print(f"{name}: c-index {c:.4f} by the plain loop, {ours['c'][name]:.4f} by Engram")
    print(f"  apart by {statistics.fmean(apart):.4f} on average")
    for names, spent in plain["seconds"].items():
        _print_run(names, (spent, plain["fits"][names]), (ours["seconds"][names], ours["fits"][names]))
    _print_study(plain, ours)
    return statistics.fmean(apart) <= 0.01


def _print_run(names: str, plain: tuple[list[float], int], ours: tuple[list[float], int]) -> None:
    print(f"{names}: {plain[1]} fits by the plain loop, {ours[1]} by Engram")
    for clock, of in enumerate(("clock", "processor")):
        ratio = plain[0][clock] / ours[0][clock]
        print(f"  {of}: plain {plain[0][clock]:.1f} s, engram {ours[0][clock]:.1f} s, ratio {ratio:.1f}")


def _print_study(plain: dict[str, Any], ours: dict[str, Any]) -> None:
    """The whole study from processor seconds of an epoch or a fit of each kind."""
    rows, training, most = paper_rows(rows_of(study())), study().training, (TRIALS + 1) * FOLDS
    pruned, epochs = 1 - ours["row_fits"] / most, ours["epochs"]
    long = training.inner_folds * min(epochs + training.patience, training.max_epochs) + training.ensemble * epochs
    print(f"{ROWS} rows, {TRIALS} trials, {FOLDS} folds: a training of maps takes {epochs} epochs, a fit {long};")
    print(f"  {pruned:.0%} of the fits of a search are pruned (measured: {CLINICAL_ROW}, {TRIALS} trials)")
    theirs = Counter(kind_of(row) for row in rows)
    searched = Counter(kind_of(rows[group.owner]) for group in groups_of(rows, share=True))
    totals = [0.0, 0.0, 0.0]
    for kind, count in theirs.items():
        a_fit = [side["kinds"][kind][1] * (long if "scan" in kind else 1) for side in (plain, ours)]
        rest = (count - searched[kind]) * FOLDS
        fits = (count * most, searched[kind] * most + rest, searched[kind] * most * (1 - pruned) + rest)
        seconds = (fits[0] * a_fit[0], fits[1] * a_fit[1], fits[2] * a_fit[1])
        totals = [total + more for total, more in zip(totals, seconds, strict=True)]
        print(
            f"  {count} x {kind}: plain {fits[0]} fits of {a_fit[0]:.2f} s, {seconds[0] / 3600:.2f} h; "
            f"engram {fits[2]:.0f} of {a_fit[1]:.2f} s, {seconds[2] / 3600:.2f} h"
        )
    hours = [total / 3600 for total in totals]
    print(f"  in all: plain {hours[0]:.1f} h, engram {hours[2]:.2f} h, ratio {hours[0] / hours[2]:.0f};")
    print(f"  without pruning: engram {hours[1]:.2f} h, ratio {hours[0] / hours[1]:.0f}")
