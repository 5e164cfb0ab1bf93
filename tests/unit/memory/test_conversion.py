"""The configuration of every published SAM 2, by the shapes of its tensors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import Sam2VideoConfig, Sam2VideoModel

from engram.errors import WeightsError
from engram.memory.conversion import convert_state, infer_config

Shapes = dict[str, list[int]]
TINY = Path(__file__).parents[2] / "reference" / "medsam2" / "tensors.json"

# Of each size: width, blocks of each stage, side of the background position; parameters in millions.
# Source: configs/sam2.1/*.yaml and the table of checkpoints in the README of facebookresearch/sam2.
SIZES = {
    "tiny": (96, (1, 2, 7, 2), 7, 38.9),
    "small": (96, (1, 2, 11, 2), 7, 46.0),
    "base-plus": (112, (2, 3, 16, 3), 14, 80.8),
    "large": (144, (2, 6, 36, 4), 7, 224.4),
}
GLOBAL = {
    "tiny": [5, 7, 9],
    "small": [7, 10, 13],
    "base-plus": [12, 16, 20],
    "large": [23, 33, 43],
}
WINDOWS = {"tiny": [8, 4, 14, 7], "small": [8, 4, 14, 7], "base-plus": [8, 4, 14, 7], "large": [8, 4, 16, 8]}
SINCE_2_1 = ("no_obj_embed_spatial", "obj_ptr_tpos_proj.weight", "obj_ptr_tpos_proj.bias")


def _linear(name: str, out: int, into: int) -> Shapes:
    return {f"{name}.weight": [out, into], f"{name}.bias": [out]}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": [width], f"{name}.bias": [width]}


def _block(name: str, into: int, width: int) -> Shapes:
    shapes = _norm(f"{name}.norm1", into) | _linear(f"{name}.attn.qkv", 3 * width, into)
    shapes |= _linear(f"{name}.attn.proj", width, width) | _norm(f"{name}.norm2", width)
    shapes |= _linear(f"{name}.mlp.layers.0", 4 * width, width) | _linear(f"{name}.mlp.layers.1", width, 4 * width)
    return shapes | (_linear(f"{name}.proj", width, into) if into != width else {})


def _trunk(width: int, stages: tuple[int, ...], background: int) -> Shapes:
    trunk, into, i = "image_encoder.trunk", width, 0
    shapes: Shapes = {
        f"{trunk}.pos_embed": [1, width, background, background],
        f"{trunk}.pos_embed_window": [1, width, 8, 8],
        f"{trunk}.patch_embed.proj.weight": [width, 3, 7, 7],
        f"{trunk}.patch_embed.proj.bias": [width],
    }
    for stage, blocks in enumerate(stages):
        for _ in range(blocks):
            shapes |= _block(f"{trunk}.blocks.{i}", into, width * 2**stage)
            into, i = width * 2**stage, i + 1
    return shapes


def _official_shapes(size: str, version: str) -> Shapes:
    """Names and shapes of an official checkpoint: those of tiny, with another trunk and the neck that it needs."""
    width, stages, background, _ = SIZES[size]
    tiny: Shapes = json.loads(TINY.read_text())
    shapes = {name: shape for name, shape in tiny.items() if not name.startswith("image_encoder.trunk.")}
    shapes |= _trunk(width, stages, background)
    for level in range(4):
        shapes[f"image_encoder.neck.convs.{level}.conv.weight"] = [256, width * 2 ** (3 - level), 1, 1]
    return {name: shape for name, shape in shapes.items() if version == "2.1" or name not in SINCE_2_1}


def _state(shapes: Shapes) -> dict[str, torch.Tensor]:
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def _model(config: Sam2VideoConfig) -> Sam2VideoModel:
    with torch.device("meta"):
        return Sam2VideoModel(config)


def test_the_shapes_written_here_are_those_of_the_authors() -> None:
    assert _official_shapes("tiny", "2.1") == json.loads(TINY.read_text())


@pytest.mark.parametrize("version", ["2", "2.1"])
@pytest.mark.parametrize("size", SIZES)
def test_every_published_size_and_version_finds_its_place(size: str, version: str) -> None:
    shapes = _official_shapes(size, version)
    state = _state(shapes)
    config = infer_config(state, resolution=1024)
    converted = {name: tuple(tensor.shape) for name, tensor in convert_state(state).items()}
    assert converted == {name: tuple(t.shape) for name, t in _model(config).state_dict().items()}
    assert sum(tensor.numel() for tensor in state.values()) / 1e6 == pytest.approx(SIZES[size][3], abs=0.11)


@pytest.mark.parametrize("size", SIZES)
def test_what_shapes_do_not_tell_is_that_of_the_size(size: str) -> None:
    trunk = infer_config(_state(_official_shapes(size, "2.1")), resolution=512).vision_config.backbone_config
    assert trunk.global_attention_blocks == GLOBAL[size]
    assert trunk.window_size_per_stage == WINDOWS[size]
    heads = [1, 2, 4, 8] if SIZES[size][0] == 96 else [2, 4, 8, 16]
    assert trunk.num_attention_heads_per_stage == heads


@pytest.mark.parametrize(("version", "enabled"), [("2", False), ("2.1", True)])
def test_what_came_with_2_1_is_switched_by_the_tensors(version: str, enabled: bool) -> None:
    config = infer_config(_state(_official_shapes("tiny", version)), resolution=1024)
    assert config.enable_occlusion_spatial_embedding is enabled
    assert config.enable_temporal_pos_encoding_for_object_pointers is enabled


@pytest.mark.parametrize("lost", SINCE_2_1)
def test_a_2_1_that_lost_a_tensor_is_not_taken_for_a_2_0(lost: str) -> None:
    shapes = _official_shapes("tiny", "2.1")
    del shapes[lost]
    state = _state(shapes)
    missing = set(_model(infer_config(state, resolution=1024)).state_dict()) - set(convert_state(state))
    assert len(missing) == 1


@pytest.mark.parametrize("resolution", [500, 0, -32])
def test_a_resolution_that_the_trunk_cannot_halve_is_refused(resolution: int) -> None:
    with pytest.raises(WeightsError, match=f"{resolution} is not a multiple of 32"):
        infer_config(_state(_official_shapes("tiny", "2.1")), resolution=resolution)
