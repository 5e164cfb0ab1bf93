"""Official SAM 2 / MedSAM2 checkpoints (`{"model": state_dict}`) in the names of transformers' `Sam2VideoModel`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from transformers import Sam2VideoConfig

from engram.errors import WeightsError

State = dict[str, torch.Tensor]

# Ordered: each pattern is applied in turn to every name.
_RENAMES: tuple[tuple[str, str], ...] = (
    (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
    (r"^image_encoder\.neck\.convs\.(\d+)\.conv\.", r"vision_encoder.neck.convs.\1."),
    (r"\.patch_embed\.proj\.", ".patch_embed.projection."),
    (r"^memory_encoder\.pix_feat_proj\.", "memory_encoder.feature_projection."),
    (r"^memory_encoder\.out_proj\.", "memory_encoder.projection."),
    (r"^memory_encoder\.fuser\.", "memory_encoder.memory_fuser."),
    (r"\.dwconv\.", ".depthwise_conv."),
    (r"\.pwconv(\d)\.", r".pointwise_conv\1."),
    (r"\.gamma$", ".scale"),
    (r"\.norm_final_attn\.", ".layer_norm_final_attn."),
    (r"\.norm(\d?)\.", r".layer_norm\1."),
    (r"\.out_proj\.", ".o_proj."),
    (r"^sam_prompt_encoder\.pe_layer\.positional_encoding_gaussian_matrix$",
     "prompt_encoder.shared_embedding.positional_embedding"),
    (r"^sam_prompt_encoder\.", "prompt_encoder."),
    (r"^sam_mask_decoder\.", "mask_decoder."),
    (r"^obj_ptr_proj\.", "object_pointer_proj."),
    (r"^obj_ptr_tpos_proj\.", "temporal_positional_encoding_projection_layer."),
    (r"^maskmem_tpos_enc$", "memory_temporal_positional_encoding"),
    (r"^no_obj_embed_spatial$", "occlusion_spatial_embedding_parameter"),
    (r"^no_mem_embed$", "no_memory_embedding"),
    (r"^no_mem_pos_enc$", "no_memory_positional_encoding"),
    (r"^no_obj_ptr$", "no_object_pointer"),
    (r"^(mask_decoder\.)output_upscaling\.0\.", r"\1upscale_conv1."),
    (r"^(mask_decoder\.)output_upscaling\.1\.", r"\1upscale_layer_norm."),
    (r"^(mask_decoder\.)output_upscaling\.3\.", r"\1upscale_conv2."),
)  # fmt: skip
_MASK_EMBED = {"0": "conv1", "1": "layer_norm1", "3": "conv2", "4": "layer_norm2", "6": "conv3"}
_THREE_LAYERS = re.compile(
    r"^(object_pointer_proj|mask_decoder\.(?:output_hypernetworks_mlps\.\d+|\w+_head))\.layers\."
)
# SAM 2.0 has none of these. A checkpoint that has some is a SAM 2.1 in which tensors are missing.
_SINCE_2_1 = ("no_obj_embed_spatial", "obj_ptr_tpos_proj.weight", "obj_ptr_tpos_proj.bias")
_SPLIT_POINTS = re.compile(r"^sam_prompt_encoder\.point_embeddings\.(\d)\.weight$")


_MEMORIES = 7  # num_maskmem of every published configuration


@dataclass(frozen=True)
class _Trunk:
    """What the shapes of a Hiera trunk do not tell, by its width and number of blocks."""

    name: str
    heads: tuple[int, ...]
    blocks: tuple[int, ...]
    windows: tuple[int, ...]
    global_blocks: tuple[int, ...]


_TRUNKS: dict[tuple[int, int], _Trunk] = {
    (96, 12): _Trunk("tiny", (1, 2, 4, 8), (1, 2, 7, 2), (8, 4, 14, 7), (5, 7, 9)),
    (96, 16): _Trunk("small", (1, 2, 4, 8), (1, 2, 11, 2), (8, 4, 14, 7), (7, 10, 13)),
    (112, 24): _Trunk("base_plus", (2, 4, 8, 16), (2, 3, 16, 3), (8, 4, 14, 7), (12, 16, 20)),
    (144, 48): _Trunk("large", (2, 4, 8, 16), (2, 6, 36, 4), (8, 4, 16, 8), (23, 33, 43)),
}


def convert_state(official: Mapping[str, torch.Tensor]) -> State:
    """Rename the tensors of an official checkpoint; values are untouched.

    The four point embeddings become one matrix, and the positional embedding of the prompt encoder is shared
    with the image. Names without a counterpart keep their own, so that a strict load reports them. Raises
    WeightsError where the point embeddings are not rows of one width.
    """
    state: State = {}
    points: dict[int, torch.Tensor] = {}
    for name, tensor in official.items():
        if found := _SPLIT_POINTS.match(name):
            points[int(found[1])] = tensor
        else:
            state[_rename(name)] = tensor
    if points:
        state["prompt_encoder.point_embed.weight"] = _one_matrix([points[i] for i in sorted(points)])
    shared = "prompt_encoder.shared_embedding.positional_embedding"
    if shared in state:
        state["shared_image_embedding.positional_embedding"] = state[shared].clone()
    return state


def _one_matrix(points: list[torch.Tensor]) -> torch.Tensor:
    shapes = [tuple(point.shape) for point in points]
    if len(set(shapes)) > 1 or len(shapes[0]) != 2:
        raise WeightsError(
            "the tensors sam_prompt_encoder.point_embeddings.*.weight are "
            f"{', '.join(map(str, shapes))}; those of every official checkpoint are rows of one width. "
            "Give an official SAM 2 or MedSAM2 .pt file, or a Hugging Face folder."
        )
    return torch.cat(points)


def _rename(name: str) -> str:
    if found := re.match(r"^memory_encoder\.mask_downsampler\.encoder\.(\d+)\.(\w+)$", name):
        return _rename_mask_downsampler(int(found[1]), found[2])
    if found := re.match(r"^sam_prompt_encoder\.mask_downscaling\.(\d)\.(\w+)$", name):
        return f"prompt_encoder.mask_embed.{_MASK_EMBED.get(found[1], found[1])}.{found[2]}"
    for pattern, replacement in _RENAMES:
        name = re.sub(pattern, replacement, name)
    return _rename_mlp(name)


def _rename_mask_downsampler(index: int, leaf: str) -> str:
    # Four times (convolution, norm, activation), then one last convolution.
    block, part = divmod(index, 3)
    middle = "final_conv" if index == 12 else f"layers.{block}.{('conv', 'layer_norm')[part]}"
    return f"memory_encoder.mask_downsampler.{middle}.{leaf}"


def _rename_mlp(name: str) -> str:
    if _THREE_LAYERS.match(name):
        name = re.sub(r"\.layers\.0\.", ".proj_in.", name)
        name = re.sub(r"\.layers\.2\.", ".proj_out.", name)
        return re.sub(r"\.layers\.1\.", ".layers.0.", name)
    name = re.sub(r"\.mlp\.layers\.0\.", ".mlp.proj_in.", name)
    return re.sub(r"\.mlp\.layers\.1\.", ".mlp.proj_out.", name)


def infer_config(official: Mapping[str, torch.Tensor], *, resolution: int) -> Sam2VideoConfig:
    """The configuration that an official checkpoint was trained with, for slices of `resolution` pixels a side.

    Source: configs/sam2 and configs/sam2.1 of facebookresearch/sam2. Raises WeightsError where the trunk is none of
    the known four or the bank is not of seven memories, naming the keys and shapes that decide.
    """
    trunk, width = _known_trunk(official)
    check_resolution(resolution)
    _check_bank(official["maskmem_tpos_enc"])
    is_sam_2_0 = not any(name in official for name in _SINCE_2_1)
    widths = [width * 2**stage for stage in range(4)]
    sizes = [[resolution // step, resolution // step] for step in (4, 8, 16)]
    backbone: dict[str, Any] = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": width,
        "num_attention_heads": trunk.heads[0],
        "image_size": [resolution, resolution],
        "blocks_per_stage": list(trunk.blocks),
        "embed_dim_per_stage": widths,
        "num_attention_heads_per_stage": list(trunk.heads),
        "window_size_per_stage": list(trunk.windows),
        "global_attention_blocks": list(trunk.global_blocks),
        "window_positional_embedding_background_size": list(official["image_encoder.trunk.pos_embed"].shape[-2:]),
    }
    vision = {
        "model_type": "sam2_vision_model",
        "backbone_config": backbone,
        "backbone_channel_list": widths[::-1],
        "backbone_feature_sizes": sizes,
    }
    return Sam2VideoConfig(
        image_size=resolution,
        vision_config=vision,
        prompt_encoder_config={"image_size": resolution},
        memory_attention_rope_feat_sizes=sizes[-1],
        num_maskmem=_MEMORIES,
        enable_occlusion_spatial_embedding=not is_sam_2_0,
        enable_temporal_pos_encoding_for_object_pointers=not is_sam_2_0,
    )


def check_resolution(resolution: int) -> None:
    """Raises WeightsError where slices of `resolution` pixels a side cannot be halved down to a memory."""
    if resolution <= 0 or resolution % 32:
        raise WeightsError(f"resolution {resolution} is not a multiple of 32; MedSAM2 reads 512, SAM 2 reads 1024")


def _check_bank(encodings: torch.Tensor) -> None:
    if encodings.shape[:1] != (_MEMORIES,):
        raise WeightsError(
            f"the tensor maskmem_tpos_enc is {tuple(encodings.shape)}; that of every official checkpoint has "
            f"{_MEMORIES} along its first axis, one a memory. Give an official file, or a Hugging Face folder."
        )


def check_values(tensors: Iterable[tuple[str, torch.Tensor]]) -> None:
    """Raises WeightsError, which names them, where tensors are not floats or hold values that are not finite."""
    complaints: dict[str, list[str]] = {"not floats": [], "not finite": []}
    for name, tensor in tensors:
        if tensor.layout != torch.strided or not tensor.is_floating_point():
            complaints["not floats"].append(f"{name} ({tensor.dtype})")
        elif not bool(torch.isfinite(tensor.float()).all()):  # float32 is what they are computed in
            complaints["not finite"].append(name)
    found = [f"{len(names)} {kind}: {some(names)}" for kind, names in complaints.items() if names]
    if found:
        raise WeightsError(f"tensors that no model can be made of; {'; '.join(found)}. Get the weights again.")


def some(names: list[str], most: int = 5) -> str:
    """The first few names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _known_trunk(official: Mapping[str, torch.Tensor]) -> tuple[_Trunk, int]:
    needed = ("image_encoder.trunk.patch_embed.proj.weight", "image_encoder.trunk.pos_embed", "maskmem_tpos_enc")
    missing = [name for name in needed if name not in official]
    if missing:
        raise WeightsError(
            f"not a SAM 2 / MedSAM2 checkpoint: it has no tensor named {', '.join(missing)} "
            f"(it has {len(official)} tensors, the first being {', '.join(list(official)[:3])}). "
            "Give an official SAM 2 or MedSAM2 .pt file, or a Hugging Face folder."
        )
    width = int(official[needed[0]].shape[0])
    blocks = {int(m[1]) for name in official if (m := re.match(r"image_encoder\.trunk\.blocks\.(\d+)\.", name))}
    trunk = _TRUNKS.get((width, len(blocks)))
    if trunk is None:
        known = ", ".join(f"{t.name} (width {w}, {n} blocks)" for (w, n), t in _TRUNKS.items())
        raise WeightsError(
            f"the image encoder (keys image_encoder.trunk.*) has width {width} and {len(blocks)} blocks; "
            f"known are {known}"
        )
    return trunk, width
