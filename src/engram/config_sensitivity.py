"""The study file on sensitivity: what the results would be without a signal, or with other ways to fill gaps."""

from __future__ import annotations

from pydantic import Field

from engram.config_section import Section


class Sensitivity(Section):
    """Analyses beside the main one. They take ridge Cox rows only, which train fast."""

    permutations: int = Field(0, ge=0, description="runs of the evaluation on permuted outcomes; 200 is usual")
    imputations: int = Field(0, ge=0, description="of missing covariates; above 0, other analyses of gaps run too")
