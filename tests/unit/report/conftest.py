"""Three studies as `engram evaluate` would save them; every number is made here, none is measured."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hand_made import FOLDS, make_masks, make_row
from PIL import Image, PngImagePlugin
from whole_grid import whole_grid

from engram.config_models import Training
from engram.evaluation.results import (
    Characteristic,
    ClinicalModel,
    CohortSummary,
    ColumnTest,
    Comparison,
    Curve,
    Flow,
    FlowStep,
    FoldSummary,
    IncrementalValue,
    Provenance,
    RiskGroups,
    RowResult,
    StudyResults,
)
from engram.report.pictures import Picture


def _rows(synthetic: bool) -> list[RowResult]:
    rows = [
        make_row("Clinical, ridge Cox", "clinical", 0.661, survival="ridge Cox", true_mean=0.70 * synthetic),
        make_row("Clinical, DeepSurv", "clinical", 0.667, true_mean=0.70 * synthetic),
    ]
    for roi in ("spine_dilated", "skeleton"):
        for modality, plus in (("PET", 0.02), ("CT", 0.0), ("Combined", 0.01)):
            kind: dict[str, Any] = {"modality": modality, "roi": roi}
            rows.append(make_row(f"{modality}, {roi}", "image", 0.55 + plus, true_mean=0.68 * synthetic, **kind))
            name = f"{modality} + clinical, {roi}"
            rows.append(make_row(name, "multimodal", 0.69 + plus, true_mean=0.76 * synthetic, **kind))
    return rows


def _curve(label: str, n: int, rate: float, ticks: list[float]) -> Curve:
    time = np.sort(np.random.default_rng(n).exponential(1 / rate, n)).clip(0.1, 72)
    survival = 1 - np.arange(1, n + 1) / (n + 1)
    half = 1.96 * np.sqrt(survival * (1 - survival) / n)
    return Curve(
        label=label,
        n=n,
        events=int((time < 60).sum()),
        time_months=time.tolist(),
        survival=survival.tolist(),
        lower=(survival - half).clip(0, 1).tolist(),
        upper=(survival + half).clip(0, 1).tolist(),
        at_risk=[int((time >= tick).sum()) for tick in ticks],
    )


def _groups(row: str) -> RiskGroups:
    ticks = [0.0, 12.0, 24.0, 36.0, 48.0, 60.0, 72.0]
    curves = [
        _curve("Q1, lowest risk", 56, 0.018, ticks),
        _curve("Q2", 55, 0.025, ticks),
        _curve("Q3", 59, 0.035, ticks),
        _curve("Q4, highest risk", 57, 0.05, ticks),
    ]
    return RiskGroups(
        row=row,
        curves=curves,
        ticks_months=ticks,
        logrank_p=3.14e-3,
        permutation_p=0.012,
        corrected_p=0.061,
        hazard_ratio=2.13,
        hr_lower=1.31,
        hr_upper=3.46,
    )


def make_comparisons(rows: list[RowResult]) -> list[Comparison]:
    """Every image + clinical row against clinical DeepSurv, and the two clinical rows, which explore."""
    by_name = {row.name: row for row in rows}
    pairs = [(row.name, "Clinical, DeepSurv", True) for row in rows if row.family == "multimodal"]
    found = []
    for name, other, planned in [*pairs, ("Clinical, DeepSurv", "Clinical, ridge Cox", False)]:
        values = np.subtract(by_name[name].c_index, by_name[other].c_index)  # type: ignore[arg-type]
        mean = float(values.mean())
        found.append(
            Comparison(
                row=name,
                other=other,
                differs_in="images added to clinical" if planned else "survival model",
                prespecified=planned,
                difference=mean,
                se=float(values.std(ddof=1) / np.sqrt(FOLDS)),
                ci_lower=mean - 0.04,
                ci_upper=mean + 0.05,
                p_two_sided=0.03,
                p_corrected=0.11,
                p_adjusted=0.4,
            )
        )
    return found


def _clinical_model() -> ClinicalModel:
    return ClinicalModel(
        parameters=12,
        events_per_parameter=160 / 12,
        likelihood_ratio=42.0,
        p=3.3e-5,
        shrinkage=0.714,
        r2=0.12,
        parameters_allowed=3.2,
        proportional_hazards=[
            ColumnTest(column="age", p=0.004, p_adjusted=0.048),
            ColumnTest(column="sex_F", p=0.4, p_adjusted=1.0),
        ],
    )


def _added(rows: list[RowResult]) -> list[IncrementalValue]:
    return [
        IncrementalValue(row=row.name, likelihood_ratio=4.5, p=0.034, p_adjusted=0.1, new_information=0.097)
        for row in rows
        if row.family == "image"
    ]


def _cohort(n: int, events: int) -> CohortSummary:
    lines = [
        ("age (years)", "", "62.5 (9.7)", 0),
        ("sex", "F", "95 (41.9 %)", 0),
        ("sex", "M", "132 (58.1 %)", 0),
        ("creatinine (mg/dL)", "", "1.12 (0.61)", 7),
        ("iss", "I", "49 (21.6 %)", 58),
        ("iss", "II", "95 (41.9 %)", 58),
        ("iss", "III", "25 (11.0 %)", 58),
        ("iss", "missing", "58 (25.6 %)", 58),
    ]
    return CohortSummary(
        n=n,
        events=events,
        censored=n - events,
        median_time=30.0,
        median_time_events=25.5,
        median_time_censored=35.0,
        median_follow_up=51.2,
        endpoint="PFS",
        characteristics=[Characteristic(variable=v, level=x, value=y, missing=m) for v, x, y, m in lines],
    )


def _paper_flow() -> Flow:
    image = {"mask of skeleton missing": 2, "PET without SUV scale": 1, "CT cannot be read": 1}
    return Flow(
        pool=349,
        steps=[
            FlowStep(
                stage="imaging", title="Image or mask missing or unusable", excluded=4, reasons=image, remaining=345
            ),
            FlowStep(
                stage="clinical",
                title="Clinical annotation or patient id missing or unusable",
                excluded=83,
                reasons={"clinical annotation missing": 81, "duplicated patient id": 2},
                remaining=262,
            ),
            FlowStep(
                stage="outcome",
                title="Outcome missing or unusable",
                excluded=35,
                reasons={"PFS missing": 33, "time is not greater than zero": 2},
                remaining=227,
            ),
        ],
        analysed=227,
    )  # fmt: skip


def _provenance(*, images: bool, untrained: bool) -> Provenance:
    protocol: dict[str, Any] = {
        "prompting": "interleaved",
        "prompt": "tight box of each prompted slice",
        "prompt_kind": "box",
        "stride": 2,
        "direction": "superior to inferior",
        "passes": 1,
        "resolution_px": 512,
        "bank_dtype": "float32",
        "ct_window_hu": [-500.0, 1300.0],
        "pet_window_suv": [0.0, 10.0],
        "read_out": "final 2 memory entries",
    }
    return Provenance(
        engram="0.1.0",
        python="3.11.7",
        libraries={"torch": "2.6.0", "numpy": "2.2.0", "lifelines": "0.30.3"},
        study_digest="9f2c" * 16,
        manifest_digest="41ab" * 16,
        data_digest="da7a" * 16,
        code_digest="c0de" * 16,
        weights="mini-random" if images else None,
        weights_digest="77ee" * 16 if images else None,
        untrained_weights=untrained,
        verified_weights=False,
        protocol=protocol if images else {},
        protocol_digest="c0de" * 16 if images else None,
        rois={"skeleton": "all bones"} if images else {},
        training=Training().model_dump(mode="json"),
        seed=7,
    )


@pytest.fixture(scope="session")
def synthetic_demo() -> StudyResults:
    """Fourteen rows, a known truth, untrained weights."""
    return StudyResults(
        study="Synthetic demo",
        source="phantoms of Engram, seed 0",
        synthetic=True,
        warnings=["2 embedding(s) come from fewer than 2 slices and were padded with zeros."],
        flow=_paper_flow(),
        cohort=_cohort(227, 160),
        folds=[FoldSummary(n=n, events=e) for n, e in ((46, 32), (46, 32), (45, 32), (45, 32), (45, 32))],
        rows=_rows(synthetic=True),
        comparisons=make_comparisons(_rows(synthetic=True)),
        clinical_model=_clinical_model(),
        incremental_value=_added(_rows(synthetic=True)),
        risk_groups=_groups("PET + clinical, spine_dilated"),
        drawn_masks=[
            make_masks(modality, roi, 0.1 + 0.05 * i, flagged=227)
            for i, (modality, roi) in enumerate(itertools.product(("PET", "CT"), ("spine_dilated", "skeleton")))
        ],
        provenance=_provenance(images=True, untrained=True),
    )


@pytest.fixture(scope="session")
def whole_study(synthetic_demo: StudyResults) -> StudyResults:
    """The paper's grid and every baseline, tuned by two protocols, one encoder absent."""
    return whole_grid(synthetic_demo)


@pytest.fixture(scope="session")
def clinical_only() -> StudyResults:
    """No images, no risk groups, nobody left out, a follow-up that is not reached."""
    rows = [row for row in _rows(synthetic=False) if row.family == "clinical"]
    cohort = _cohort(65, 48).model_copy(update={"median_follow_up": None})
    steps = [FlowStep(stage="outcome", title="Outcome missing or unusable", excluded=0, reasons={}, remaining=65)]
    return StudyResults(
        study="Krall myeloma",
        source=None,
        synthetic=False,
        warnings=[],
        flow=Flow(pool=65, steps=steps, analysed=65),
        cohort=cohort,
        folds=[FoldSummary(n=13, events=e) for e in (10, 10, 10, 9, 9)],
        rows=rows,
        risk_groups=None,
        provenance=_provenance(images=False, untrained=False),
    )


@pytest.fixture(scope="session")
def fourteen_patients() -> StudyResults:
    """Trained weights, so few patients that c-indices are missing: on some folds, on all but one, on all."""
    rows = _rows(synthetic=False)
    some = [0.5, None, 0.75, None, 0.6]
    one, none = [None, None, 0.7, None, None], [None] * FOLDS
    no_test: dict[str, None] = dict.fromkeys(
        ("se", "p", "p_two_sided", "p_corrected", "p_adjusted", "ci_lower", "ci_upper")
    )
    rows[0] = rows[0].model_copy(update={"c_index": none, "mean": None, **no_test})
    rows[1] = rows[1].model_copy(update={"c_index": some, "mean": 0.6166666, "se": 0.072648, "p": 0.124})
    rows[2] = rows[2].model_copy(update={"c_index": one, "mean": 0.7, **no_test})
    steps = [
        FlowStep(
            stage="clinical", title="Clinical annotation missing", excluded=1,
            reasons={"clinical annotation missing": 1}, remaining=14,
        )
    ]  # fmt: skip
    return StudyResults(
        study="Fourteen patients",
        source="one hospital",
        synthetic=False,
        warnings=["14 patients with 6 events: too few to say anything about discrimination."],
        flow=Flow(pool=15, steps=steps, analysed=14),
        cohort=_cohort(14, 6),
        folds=[FoldSummary(n=n, events=e) for n, e in ((3, 2), (3, 1), (3, 1), (3, 1), (2, 1))],
        rows=rows[:5],
        risk_groups=_groups("PET + clinical, spine_dilated").model_copy(
            update={"logrank_p": None, "permutation_p": None, "corrected_p": None, "hazard_ratio": None}
        ),
        provenance=_provenance(images=True, untrained=False),
    )


@pytest.fixture(scope="session")
def picture() -> Picture:
    """A grey picture whose file carries a name, as files of other software do."""
    text = PngImagePlugin.PngInfo()
    text.add_text("PatientName", "Doe^Jane")
    stream = io.BytesIO()
    grey = np.tile(np.linspace(0, 255, 640, dtype=np.uint8), (168, 1))
    Image.fromarray(grey).save(stream, format="PNG", pnginfo=text)
    return Picture("PET, spine_dilated", "Slices as the model reads them.", stream.getvalue())


@pytest.fixture(params=["synthetic_demo", "clinical_only", "fourteen_patients"])
def any_study(request: pytest.FixtureRequest) -> StudyResults:
    """Each of the three."""
    found: Callable[..., StudyResults] = request.getfixturevalue(request.param)
    return found  # type: ignore[return-value]
