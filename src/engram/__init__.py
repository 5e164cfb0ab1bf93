"""Engram: from whole-body PET/CT to memory embeddings to an honest prognosis."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engram.api import Covariate, Results, Row, StudyTable, SurvivalOutcome, evaluate

__all__ = ["Covariate", "Results", "Row", "StudyTable", "SurvivalOutcome", "evaluate"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """The Python interface, imported when it is first asked for: the command line starts without torch."""
    if name not in __all__:
        raise AttributeError(f"module 'engram' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module("engram.api"), name)
