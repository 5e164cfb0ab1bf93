"""Encoder, prompt or memory: three rows of one study, each of which has one thing more than the one before it.

The paper's discussion asks for it (section 5). Encoder alone is the baseline `hiera`; encoder and prompt are the
entries of slices that recall nothing (`roi_without_memory`); with memory they are `roi`, as the protocol reads it.
All are pooled inside the region, over the same slices.
"""

from __future__ import annotations

from typing import Final

STEPS: Final = ("hiera", "roi_without_memory", "roi")
_ADDED: Final = ("prompt", "memory")  # by the second step, by the third


def added(readout: str, other: str) -> str | None:
    """What a read-out has that another of the three lacks, as "prompt and memory"; None where it is not a later
    step, or either is none of the three."""
    if readout not in STEPS or other not in STEPS:
        return None
    steps = _ADDED[STEPS.index(other) : STEPS.index(readout)]
    return " and ".join(steps) or None
