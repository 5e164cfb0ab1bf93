"""What the baselines rely on, of every image encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import ResNetConfig, ResNetModel, ViTConfig, ViTModel

from engram.encoders.contract import Encoder
from engram.encoders.hiera import Hiera
from engram.encoders.weights import check_encoder, load_encoder
from engram.memory import Protocol, load_backbone

SHAPE = (40, 50)
TINY = {
    "resnet50": lambda: ResNetModel(ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])),
    "vit": lambda: ViTModel(
        ViTConfig(
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            image_size=32,
            patch_size=8,
        )
    ),
}


@pytest.fixture(params=["resnet50", "vit", "hiera"], scope="module")
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    if request.param == "hiera":
        return Hiera(load_backbone("untrained-mini"), Protocol(), licence=None)
    folder: Path = tmp_path_factory.mktemp("weights") / request.param
    torch.manual_seed(0)
    TINY[request.param]().save_pretrained(folder)
    return load_encoder(check_encoder(request.param, folder))


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (3, *SHAPE)).astype(np.uint8)


def test_it_says_what_it_is(encoder: Encoder) -> None:
    assert encoder.name
    assert len(encoder.digest) == 64
    assert isinstance(encoder.untrained, bool)
    assert encoder.verified is False
    assert encoder.image_size > 0
    assert encoder.recipe["size"] == encoder.image_size


def test_maps_are_finite_float32_one_a_frame_with_channels_first(encoder: Encoder, frames: np.ndarray) -> None:
    maps = encoder.encode(frames)
    assert maps.dtype == np.float32
    assert maps.ndim == 4
    assert len(maps) == len(frames)
    assert maps.shape[2] == maps.shape[3]
    assert maps.shape[1] == encoder.encode(frames[:1]).shape[1] > maps.shape[2] // 4
    assert np.isfinite(maps).all()


def test_a_batch_gives_the_maps_of_each_frame_and_the_same_bits_again(encoder: Encoder, frames: np.ndarray) -> None:
    together = encoder.encode(frames)
    alone = np.concatenate([encoder.encode(frame[None]) for frame in frames])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(together, encoder.encode(frames))


def test_a_frame_is_seen_and_its_places_are_kept(encoder: Encoder) -> None:
    """What changes in a corner of the slice changes the map most in that corner."""
    dark = np.zeros((1, 64, 64), np.uint8)
    lit = dark.copy()
    lit[0, :16, 48:] = 255
    change = np.abs(encoder.encode(lit) - encoder.encode(dark)).sum(axis=(0, 1))
    side = len(change)
    assert np.unravel_index(change.argmax(), change.shape)[0] < side / 2
    assert np.unravel_index(change.argmax(), change.shape)[1] >= side / 2
