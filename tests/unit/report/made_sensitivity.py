"""A sensitivity.json as `engram sensitivity` would save it; every number is made here, none is measured."""

from __future__ import annotations

from engram.config_robustness import Robustness
from engram.evaluation.audit_records import AuditHashes
from engram.evaluation.results import StudyResults
from engram.evaluation.robustness_records import CIndexChange, PromptSensitivity, Stability, VariantResult

ROWS = ["PET + CT, spine_dilated", "PET, spine_dilated"]
# (name, kind, control, centred cosine, difference)
VARIANTS = [
    ("box jittered by 5 mm", "prompt", False, 0.97, -0.004),
    ("one coarse box", "prompt", False, 0.8, -0.02),
    ("3 points", "prompt", False, 0.7, 0.011),
    ("mask surface noise, sd 3 mm", "mask", False, 0.93, -0.01),
    ("PET shifted 5 mm superior", "registration", False, 0.9, -0.015),
    ("random box (control)", "prompt", True, 0.3, -0.03),
    ("uninformative region (control)", "mask", True, 0.1, -0.12),
]


def _stability(modality: str, rows: list[str], centred: float) -> Stability:
    return Stability(
        modality=modality,
        roi="spine_dilated",
        readout="final",
        rows=rows,
        n=227,
        unchanged=0,
        cosine_mean=0.99 + centred / 100,
        cosine_p5=0.98,
        centred_mean=centred,
        centred_p5=centred - 0.2,
        between=0.985,
        components=2048,
        constant=8,
        icc_quantiles=[centred - 0.3, centred - 0.1, centred - 0.05, centred - 0.02, centred],
    )


def _change(row: str, model: str, difference: float) -> CIndexChange:
    c = 0.61 if row == ROWS[0] else 0.59
    return CIndexChange.model_validate(
        {
            "row": row, "model": model, "n": 227, "c_study": c, "c_index": c + difference,
            "ci_lower": c + difference - 0.04, "ci_upper": c + difference + 0.04, "difference": difference,
            "difference_lower": difference - 0.03, "difference_upper": difference + 0.03, "p_corrected": 0.2,
            "p_adjusted": 0.6,
        }
    )  # fmt: skip


def _variant(name: str, kind: str, control: bool, centred: float, difference: float) -> VariantResult:
    changes = [_change(row, model, difference) for model in ("frozen", "retrained") for row in ROWS]
    stability = [_stability("PET", ROWS, centred), _stability("CT", ROWS[:1], min(1.0, centred + 0.05))]
    return VariantResult.model_validate(
        {"name": name, "kind": kind, "control": control, "stability": stability, "changes": changes}
    )


def made_sensitivity(results: StudyResults) -> PromptSensitivity:
    """Of these results."""
    made = results.provenance
    hashes = AuditHashes(
        study=made.study_digest, manifest=made.manifest_digest, weights=made.weights_digest, folds="f01d" * 16,
        data=made.data_digest or "", code=made.code_digest or "",
    )  # fmt: skip
    return PromptSensitivity(
        study=results.study,
        patients=227,
        rows=ROWS,
        protocol="fixed",
        untrained_weights=made.untrained_weights,
        settings=Robustness().model_dump(mode="json"),
        variants=[_variant(*one) for one in VARIANTS],
        hashes=hashes,
    )
