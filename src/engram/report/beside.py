"""What other commands have left beside the results, each in a file of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engram.evaluation.audit_records import Audit
from engram.evaluation.explain_file import Explanation
from engram.evaluation.reach_records import Reach
from engram.evaluation.robustness_records import PromptSensitivity


@dataclass(frozen=True)
class Beside:
    """None where a command was not run. overlays: SVG of the maps of `explanation`, by the names of their files."""

    audit: Audit | None = None
    reach: Reach | None = None
    explanation: Explanation | None = None
    sensitivity: PromptSensitivity | None = None
    overlays: Mapping[str, str] = field(default_factory=dict)
