"""The contents of the page."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Final

from engram.report.sensitivity_tables import sensitivity_title

# (anchor, title, what it needs): a table or a figure, one of the flags, or nothing.
_SECTIONS: Final = (
    ("worth", "Is imaging worth it?", "worth"),
    ("flow", "Patients", None),
    ("cohort", "Cohort", None),
    ("table1", "Table 1. Image only", "table1_image_only"),
    ("table2", "Table 2. Image + clinical", "table2_multimodal"),
    ("table3", "Table 3. Comparison", "table3_comparison"),
    ("c-index", "Every row, every fold", "c_index"),
    ("tuning", "Tuning", "searches"),
    ("ablations", "Heads and fusions", "ablations"),
    ("decomposition", "Encoder, prompt or memory?", "decomposition"),
    ("comparisons", "Row against row", "tests_against_chance"),
    ("clinical-model", "What the covariates bear", "clinical_model"),
    ("risk-groups", "Risk groups", "groups"),
    ("beyond", "Beyond the c-index", "beyond_c_index"),
    ("sensitivity", "Other analyses", "sensitivity"),
    ("folds", "Folds", None),
    ("pictures", "What the model reads", "pictures"),
    ("drawn-masks", "Does the model see the region?", "drawn_masks"),
    ("reach", "How far does the memory see?", "reach"),
    ("explained", "What the risk rests on", "explained"),
    ("prompts", "How much is the prompt?", "prompts"),
    ("audit", "Leakage audit", "audit"),
    ("methods", "Methods", None),
    ("provenance", "Provenance", None),
    ("reading", "How to read this page", None),
)


def contents(there: Set[str], flags: Mapping[str, bool]) -> list[tuple[str, str]]:
    """(anchor, title) of the sections that this page has, in their order.

    there: names of its tables and figures. flags: whether there are pictures, groups, a clinical_model, a reach, an
    explanation, prompts, an audit.
    """
    flags = dict(flags)
    flags["ablations"] = any(name.startswith(("figure5", "figure6")) for name in there)
    flags["searches"] = bool({"searches", "protocols"} & there)
    flags["sensitivity"] = bool({"repeated", "permutation_null", "missingness", "missing_variables"} & there)
    titles = {"sensitivity": sensitivity_title(there)}
    has = there | {name for name, shown in flags.items() if shown}
    shown = [(anchor, title) for anchor, title, needs in _SECTIONS if needs is None or needs in has]
    return [(anchor, titles.get(anchor, title)) for anchor, title in shown]
