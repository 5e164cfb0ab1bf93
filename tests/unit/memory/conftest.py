"""A checkpoint in the official format with reproducible random weights, and the mini model."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from engram.memory.backbone import Sam2Backbone
from engram.memory.weights import load_backbone

REFERENCE = Path(__file__).parents[2] / "reference" / "medsam2"


def _checkpoint_maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_checkpoint", REFERENCE / "make_checkpoint.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def official_state() -> dict[str, torch.Tensor]:
    """Tensors of `sam2.1_hiera_t512` as its authors name them, seed 0."""
    draw = _checkpoint_maker().draw
    shapes = json.loads((REFERENCE / "tensors.json").read_text())
    return {name: torch.from_numpy(draw(name, shape, 0).astype(np.float32)) for name, shape in shapes.items()}


@pytest.fixture(scope="session")
def official_file(official_state: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "official.pt"
    torch.save({"model": official_state}, path)
    return path


@pytest.fixture(scope="session")
def mini() -> Sam2Backbone:
    return load_backbone("untrained-mini")


@pytest.fixture(scope="session")
def reference() -> dict[str, np.ndarray]:
    with np.load(REFERENCE / "extract.npz") as content:
        return dict(content)
