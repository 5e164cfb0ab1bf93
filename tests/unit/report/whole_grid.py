"""A whole study of the paper's grid and more, everything filled in; every number is made here, none is measured."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from hand_made import FOLDS, make_row

from engram.evaluation.audit_records import Audit, AuditCheck, AuditHashes, PermutedRow
from engram.evaluation.gate_records import GateShare
from engram.evaluation.performance_records import FoldMeasure, Performance, RowPerformance, UtilityCurves
from engram.evaluation.results import Comparison, GroupSummary, IncrementalValue, RowResult, StudyResults
from engram.evaluation.sensitivity_records import (
    MissingnessAnalysis,
    MissingnessRow,
    MissingVariable,
    PermutationNull,
    RepeatedComparison,
    RepeatedRow,
    Splits,
)
from engram.evaluation.tuning_records import BestTrial, SameFolds, Search, TunedParameter, Untuned

ROIS = ("spine_dilated", "skeleton")
ORIGINS = ("PET", "CT", "Combined")
ABSENT = "weights absent: run 'engram weights fetch vit'"
_SEEN = {"PET": "PET", "CT": "CT", "Combined": "PET + CT"}
_ENCODERS = {"resnet50": "ResNet-50", "vit": "ViT", "hiera": "Hiera alone", "radiomics": "radiomics"}


def whole_rows() -> list[RowResult]:
    """22 image-only and 8 multimodal rows of the paper, clinical ones, and the baselines; ViT is absent."""
    rows = [
        make_row("Clinical, ridge Cox", "clinical", 0.641, survival="ridge Cox"),
        make_row("Clinical, DeepSurv", "clinical", 0.647),
        make_row("R-ISS alone", "clinical", 0.60, survival="ridge Cox"),
    ]
    kinds = (("image", "averaging"), ("image", "attention"), ("multimodal", "averaging"))
    rows += [
        _memory_row(family, head, roi, origin, fusion)
        for (family, head), roi, origin in itertools.product(kinds, ROIS, ORIGINS)
        for fusion in (("concatenation", "gate") if origin == "Combined" else (None,))
    ]
    rows += [
        _encoder_row(readout, roi, origin)
        for readout in _ENCODERS
        for roi, origin in itertools.product(ROIS, ORIGINS)
    ]
    rows += [_other(f"PET numbers, {roi}", 0.6, "PET", roi, "pet_numbers") for roi in ROIS]
    return [_absent(row) if row.readout == "vit" else _tuned(row) for row in rows]


def _memory_row(family: Any, head: str, roi: str, origin: str, fusion: str | None) -> RowResult:
    seen = _SEEN[origin] + " + clinical" * (family == "multimodal")
    name = ", ".join([seen, roi, *["attention"] * (head == "attention"), *["gate"] * (fusion == "gate")])
    level = {"multimodal": 0.69, "image": 0.64 if head == "averaging" else 0.58}[family]
    row = make_row(name, family, level, modality=origin, roi=roi)
    changed: dict[str, Any] = {"head": head, "encoder": "MedSAM2"}
    return row.model_copy(update=changed | ({"fusion": fusion} if fusion else {}))


def _encoder_row(readout: str, roi: str, origin: str) -> RowResult:
    name = _ENCODERS[readout]
    row = _other(f"{name} of {_SEEN[origin]}, {roi}", 0.62, origin, roi, readout)
    return row.model_copy(update={"encoder": name, "head": "selection" if readout == "radiomics" else "PCA"})


def _other(name: str, mean: float, origin: str, roi: str, readout: str) -> RowResult:
    row = make_row(name, "image", mean, modality=origin, roi=roi, readout=readout, survival="ridge Cox")
    return row.model_copy(update={"encoder": "-", "head": "-"})


def _tuned(row: RowResult) -> RowResult:
    folds = [float(value) + 0.02 for value in row.c_index if value is not None]
    mean = float(np.mean(folds))
    se = float(np.std(folds, ddof=1) / np.sqrt(FOLDS))
    same = SameFolds(c_index=list(folds), mean=mean, se=se, p=2.08e-4, gap=mean - (row.mean or 0.0))
    own = [value - 0.03 for value in folds]
    untuned = Untuned(c_index=list(own), mean=mean - 0.03, gap=mean - 0.03 - (row.mean or 0.0))
    return row.model_copy(update={"protocol": "nested", "same_folds": same, "untuned": untuned})


def _absent(row: RowResult) -> RowResult:
    numbers = ("mean", "se", "p", "p_two_sided", "p_corrected", "p_adjusted", "ci_lower", "ci_upper", "true_mean")
    nothing: dict[str, Any] = dict.fromkeys((*numbers, "true_c_index", "same_folds", "untuned"))
    return row.model_copy(update=nothing | {"c_index": [None] * FOLDS, "absent": ABSENT})


def whole_comparisons(
    rows: list[RowResult], *, lower: float = -0.02, upper: float = 0.05, p_adjusted: float = 0.4
) -> list[Comparison]:
    """Each multimodal row against clinical DeepSurv, and one pair that explores. lower, upper: of the interval,
    from the difference."""
    by_name = {row.name: row for row in rows}
    pairs = [(row.name, "Clinical, DeepSurv", True) for row in rows if row.family == "multimodal"]
    return [
        _compared(by_name[name], by_name[other], planned, lower, upper, p_adjusted)
        for name, other, planned in [*pairs, ("Clinical, DeepSurv", "Clinical, ridge Cox", False)]
    ]


def _compared(
    row: RowResult, other: RowResult, planned: bool, lower: float, upper: float, p_adjusted: float
) -> Comparison:
    values = np.subtract(row.c_index, other.c_index)  # type: ignore[arg-type]
    mean = float(values.mean())
    return Comparison(
        row=row.name,
        other=other.name,
        differs_in="images added to clinical" if planned else "survival model",
        prespecified=planned,
        difference=mean,
        se=float(values.std(ddof=1) / np.sqrt(FOLDS)),
        ci_lower=mean + lower,
        ci_upper=mean + upper,
        p_two_sided=0.02,
        p_corrected=0.04,
        p_adjusted=p_adjusted,
    )


def _measure(value: float) -> FoldMeasure:
    return FoldMeasure(values=[value] * FOLDS, mean=value, se=0.012)


def _beyond(row: RowResult) -> RowPerformance:
    c = row.mean or 0.5
    return RowPerformance(
        row=row.name, uno_c=_measure(c - 0.01), auc=[_measure(c), _measure(c + 0.01)], mean_auc=_measure(c),
        ibs=_measure(0.19), ipa=_measure(c / 2 - 0.26), ici=0.04, e50=0.03, slope=0.8, slope_lower=0.5,
        slope_upper=1.1, d_calibration=[0.1] * 10, d_calibration_p=0.3, missing=[],
    )  # fmt: skip


def whole_performance(rows: list[RowResult], best: str) -> Performance:
    run = [row for row in rows if row.absent is None]
    curves = [
        UtilityCurves(row=name, predicted=[0.1, 0.5, 0.9], observed=[0.15, 0.5, 0.8], net_benefit=benefit)
        for name, benefit in ((best, [0.32, 0.15, 0.05]), ("Clinical, DeepSurv", [0.3, 0.15, None]))
    ]
    return Performance(
        tau_months=[41.5, 43.2, 42.0, 42.0, 42.0], auc_months=[12.0, 24.0], horizon_months=24.0,
        rows=[_beyond(row) for row in run], thresholds=[0.1, 0.3, 0.5], treat_all=[0.3, 0.1, -0.2], curves=curves,
        notes=[],
    )  # fmt: skip


def whole_searches(rows: list[RowResult]) -> list[Search]:
    """A shared search of a CNN head by each protocol, and one of a row by itself."""
    averaging = [row.name for row in rows if row.head == "averaging" and row.family == "image"]
    return [
        _search("averaging, DeepSurv, image", "nested", averaging, folds=FOLDS, pruned=31),
        _search("averaging, DeepSurv, image", "paper", averaging, folds=None, pruned=4),
        _search("Clinical, DeepSurv", "nested", ["Clinical, DeepSurv"], folds=FOLDS, pruned=0),
    ]


def _search(group: str, protocol: str, rows: list[str], *, folds: int | None, pruned: int) -> Search:
    values = {"hidden_layers": 1, "learning_rate": 0.00123456, "norm": "batch"}
    return Search(
        group=group,
        protocol=protocol,
        row=rows[0],
        rows=rows,
        trials=16,
        pruned=pruned,
        space=[
            TunedParameter(name="hidden_layers", low=0, high=2),
            TunedParameter(name="learning_rate", low=1e-4, high=1e-2, log=True),
            TunedParameter(name="norm", choices=["none", "layer", "batch"]),
        ],
        best=[
            BestTrial(fold=fold, trial=3, score=0.6543, values=dict(values), epochs=41)
            for fold in ([None] if folds is None else range(1, folds + 1))
        ],
    )


def whole_splits() -> Splits:
    """Folds by site, of the demo's 227 patients."""
    return Splits(
        kind="grouped", column="site", tested=227, train_n=[181, 181, 182, 182, 182], train_events=[128] * 5,
        test=["sites A, C", "site B", "site D", "sites E, F", "site G"],
    )  # fmt: skip


def _repeats(row: RowResult) -> RepeatedRow:
    means = [(row.mean or 0.5) + shift for shift in (0.0, 0.01, -0.014)]
    return RepeatedRow(
        row=row.name, c_index=[list(row.c_index)] * 3, means=list(means), mean=float(np.mean(means)), sd=0.012,
        se_corrected=0.03, p_corrected=0.004,
    )  # fmt: skip


def whole_gates(rows: list[RowResult]) -> list[GateShare]:
    return [
        GateShare(row=row.name, first="PET", n=227, mean=0.58, quartiles=[0.41, 0.6, 0.74], fold_means=[0.3, 0.86])
        for row in rows
        if row.fusion == "gate"
    ]


def whole_sensitivity(rows: list[RowResult]) -> dict[str, Any]:
    """Repeats, permutations and missingness of the clinical rows, as fields of the results."""
    clinical = [row for row in rows if row.family == "clinical"]
    ridge = clinical[0]
    kinds: tuple[tuple[MissingnessAnalysis, int | None, float | None], ...] = (
        ("main", None, None), ("multiple imputation", 20, 0.004), ("missing indicators", None, None),
    )  # fmt: skip
    treated = [
        MissingnessRow(
            row=ridge.name, analysis=kind, n=227, events=160, imputations=many, c_index=0.65,
            difference=None if kind == "main" else -0.003, sd_imputations=sd,
        )
        for kind, many, sd in kinds
    ]  # fmt: skip
    complete = MissingnessRow(
        row=ridge.name, analysis="complete cases", n=162, events=110, imputations=None, c_index=None,
        difference=None, sd_imputations=None, absent="fold 2 has no event left",
    )  # fmt: skip
    return {
        "splits": whole_splits(),
        "repeated": [_repeats(row) for row in clinical],
        "repeated_comparisons": [
            RepeatedComparison(
                row="PET + clinical, spine_dilated", other=clinical[1].name, differences=[0.01, 0.03, -0.002],
                mean=0.0127, sd=0.016, se_corrected=0.02, p_corrected=0.53, p_adjusted=0.53,
            )
        ],
        "permutation_null": [
            PermutationNull(
                row=ridge.name, c_index=ridge.mean, permutations=200, null_mean=0.501, null_sd=0.03,
                null_quantiles=[0.441, 0.5, 0.56], p=0.005,
            )
        ],
        "missingness": [*treated, complete],
        "missing_variables": [
            MissingVariable(variable="iss", missing=58, share=0.256, events_missing=0.78, events_known=0.68),
            MissingVariable(variable="age", missing=0, share=0.0, events_missing=None, events_known=0.7),
        ],
        "stage": "iss",
        "incremental_over_stage": [
            IncrementalValue(row=row.name, likelihood_ratio=9.1, p=0.003, p_adjusted=0.02, new_information=0.41)
            for row in rows
            if row.family == "image" and row.readout == "final"
        ],
    }  # fmt: skip


def whole_audit(demo: StudyResults, *, leaks: bool = False) -> Audit:
    """An audit of the study whose results `whole_grid` are."""
    made = demo.provenance
    checks = [
        AuditCheck(
            name="test patients altered", question="Does training change with the test patients?",
            passed=not leaks, detail="All that three rows learned from fold 1 was compared, bit for bit.",
        ),
        AuditCheck(
            name="a planted leak", question="Would the audit see a leak?", passed=True,
            detail="A pipeline that scales by test patients, too, was caught.",
        ),
        AuditCheck(name="duplicates", question="Is anybody there twice?", passed=None, detail="Nobody."),
    ]  # fmt: skip
    permuted = PermutedRow(
        row="Clinical, ridge Cox", c_index=[0.48, 0.51, 0.52], mean=0.503, lower=0.45, upper=0.55
    )
    return Audit(
        study="The whole grid", patients=227, rows=["Clinical, ridge Cox"], rows_of_study=53, folds=[1],
        checks=checks, permuted=[permuted],
        hashes=AuditHashes(
            study=made.study_digest, manifest=made.manifest_digest, weights=made.weights_digest, folds="f0" * 32,
            data="da7a" * 16, code="c0de" * 16,
        ),
    )  # fmt: skip


def whole_grid(demo: StudyResults) -> StudyResults:
    """The demo's patients with the rows of the whole grid, trained weights and every optional part."""
    rows = whole_rows()
    compared = whole_comparisons(rows)
    best = max((one for one in compared if one.prespecified), key=lambda one: one.difference or 0.0).row
    made = demo.provenance.model_copy(
        update={
            "weights": "MedSAM2",
            "untrained_weights": False,
            "verified_weights": True,
            "mtv_threshold": "SUV 4",
        }
    )
    sites = [GroupSummary(name="A", n=120, events=90), GroupSummary(name="B", n=107, events=70)]
    lines = [one.model_copy(update={"by_group": ["4 (3.3 %)", "5 (4.7 %)"]}) for one in demo.cohort.characteristics]
    changed: dict[str, Any] = {
        "cohort": demo.cohort.model_copy(update={"groups": sites, "characteristics": lines}),
        "study": "The whole grid", "synthetic": False, "rows": rows, "comparisons": compared, "provenance": made,
        "risk_groups": demo.risk_groups.model_copy(update={"row": best}) if demo.risk_groups else None,
        "incremental_value": [
            IncrementalValue(row=row.name, likelihood_ratio=4.5, p=0.034, p_adjusted=0.1, new_information=0.097)
            for row in rows
            if row.family == "image" and row.absent is None
        ],
        "performance": whole_performance(rows, best), "searches": whole_searches(rows), "warnings": [],
        "gates": whole_gates(rows), **whole_sensitivity(rows),
    }  # fmt: skip
    return demo.model_copy(update=changed)
