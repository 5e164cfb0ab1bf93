"""Which image encoders a study wants, and whether their weights are here: PyTorch is loaded where some are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from engram.config import StudyConfig
from engram.errors import AbsentWeightsError
from engram.memory.registry import KNOWN_WEIGHTS
from engram.table import ENCODERS

if TYPE_CHECKING:
    from engram.encoders.weights import CheckedEncoder

HIERA = "hiera"


@dataclass(frozen=True)
class CheckedEncoders:
    """The encoders of a study that have weights of their own, by name: found and sound, or why they are absent."""

    found: Mapping[str, CheckedEncoder] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)


def encoders_of(config: StudyConfig) -> tuple[str, ...]:
    """The encoders that the study's baselines are made of, in the order of `ENCODERS`."""
    return tuple(name for name in ENCODERS if config.images is not None and name in config.baselines)


def needs_memory_model(config: StudyConfig) -> bool:
    """Whether anything of the SAM 2 model is asked for: its memory, or its image encoder alone."""
    return config.images is not None and (bool(config.embedding.readouts) or HIERA in encoders_of(config))


def check_encoders(config: StudyConfig) -> CheckedEncoders:
    """Look for the weights of each wanted encoder. Raises WeightsError where some are there, but damaged."""
    found: dict[str, CheckedEncoder] = {}
    absent: dict[str, str] = {}
    for name in encoders_of(config):
        if name == HIERA:
            continue
        from engram.encoders.weights import check_encoder  # brings PyTorch, which few studies check for

        try:
            found[name] = check_encoder(name, _asked(config, name))
        except AbsentWeightsError:
            absent[name] = _why_absent(config, name)
    return CheckedEncoders(found, absent)


def _given(config: StudyConfig, name: str) -> str:
    return {"resnet50": config.encoders.resnet50_weights, "vit": config.encoders.vit_weights}[name] or name


def _asked(config: StudyConfig, name: str) -> str | Path:
    """A path from the study file's folder, or a known name."""
    given = _given(config, name)
    path = config.resolve(Path(given))
    return given if given in KNOWN_WEIGHTS and not path.exists() else path


def _why_absent(config: StudyConfig, name: str) -> str:
    """For tables that leave this machine: it names no folder but what the study file says."""
    given = _given(config, name)
    if given in KNOWN_WEIGHTS:
        source, get = KNOWN_WEIGHTS[given].source, f"get them with 'engram weights fetch {given}'"
        return f"weights absent: {source}; {get}, then run 'engram embed' again"
    return f"weights absent: {given}; correct encoders.{name}_weights, then run 'engram embed' again"
