"""A small SAM 2 with seeded random weights: for tests and the demo, and labelled untrained wherever it is used."""

from __future__ import annotations

import zlib

import numpy as np
import torch
from transformers import Sam2VideoConfig, Sam2VideoModel

_SEED = 20260306


def mini_config(image_size: int = 128) -> Sam2VideoConfig:
    """A Hiera of four stages at `image_size` pixels; a memory entry is 64 x side x side, side = image_size / 16."""
    sizes = [[image_size // step, image_size // step] for step in (4, 8, 16)]
    width = 128  # the least that transformers' memory attention accepts: above 64 and a multiple of it
    return Sam2VideoConfig(
        image_size=image_size,
        num_maskmem=4,
        max_object_pointers_in_encoder=4,
        memory_attention_hidden_size=width,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=256,
        memory_attention_rope_feat_sizes=sizes[-1],
        memory_encoder_hidden_size=width,
        mask_downsampler_embed_dim=width,
        memory_fuser_embed_dim=width,
        memory_fuser_intermediate_dim=256,
        memory_fuser_num_layers=1,
        vision_config={
            "model_type": "sam2_vision_model",
            "backbone_config": _trunk(image_size),
            "backbone_channel_list": [128, 64, 32, 16],
            "backbone_feature_sizes": sizes,
            "fpn_hidden_size": width,
        },
        prompt_encoder_config={"image_size": image_size, "hidden_size": width},
        mask_decoder_config={
            "hidden_size": width,
            "mlp_dim": 256,
            "num_attention_heads": 4,
            "iou_head_hidden_dim": width,
        },
    )


def _trunk(image_size: int) -> dict[str, object]:
    return {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 16,
        "num_attention_heads": 1,
        "image_size": [image_size, image_size],
        "blocks_per_stage": [1, 1, 1, 1],
        "embed_dim_per_stage": [16, 32, 64, 128],
        "num_attention_heads_per_stage": [1, 1, 2, 4],
        "window_size_per_stage": [8, 4, 8, 4],
        "global_attention_blocks": [],
    }


def untrained_mini(image_size: int = 128, seed: int = _SEED) -> Sam2VideoModel:
    """The mini model with weights drawn by NumPy from the seed and each tensor's name: the same everywhere."""
    model = Sam2VideoModel(mini_config(image_size))
    state = {name: torch.from_numpy(_draw(name, tensor, seed)) for name, tensor in model.state_dict().items()}
    shared = "prompt_encoder.shared_embedding.positional_embedding"
    state["shared_image_embedding.positional_embedding"] = state[shared].clone()
    model.load_state_dict(state, strict=True)
    return model


def _draw(name: str, tensor: torch.Tensor, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    shape = tuple(tensor.shape)
    noise = np.random.default_rng([seed, zlib.crc32(name.encode())]).standard_normal(shape)
    fan_in = max(1, int(np.prod(shape[1:])))
    if "positional_embedding" in name:
        value = noise
    elif name == "mask_decoder.pred_obj_score_head.proj_out.bias":
        value = np.ones(shape)  # an object is judged present on every slice, as trained weights do
    elif name.endswith("layer_norm.weight") or (len(shape) == 1 and "norm" in name and name.endswith("weight")):
        value = 1 + 0.1 * noise
    elif name.endswith(".scale"):
        value = 0.5 + 0.1 * noise
    elif len(shape) <= 1:
        value = 0.05 * noise
    elif "embed" in name or "token" in name or "pointer" in name or "positional_encoding" in name:
        value = 0.3 * noise
    else:
        value = noise / np.sqrt(fan_in)
    return value.astype(np.float32)
