"""Tiny image encoders with random weights, saved as their published ones are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import ResNetConfig, ResNetForImageClassification, ViTConfig, ViTModel

VIT = ViTConfig(
    hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8
)
RESNET = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """A Hugging Face folder of each kind."""
    torch.manual_seed(0)
    made = {"resnet50": ResNetForImageClassification(RESNET), "vit": ViTModel(VIT)}
    for kind, model in made.items():
        model.save_pretrained(tmp_path / f"tiny-{kind}")
    return {kind: tmp_path / f"tiny-{kind}" for kind in made}
