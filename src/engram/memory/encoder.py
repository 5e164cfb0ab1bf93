"""The image encoder of transformers' `Sam2VideoModel`, faster and with the same bits.

It runs the model's own layers in the model's own order and leaves out what changes no number: the attention scores
that transformers computes and drops, position encodings computed again for every slice, and copies. No class of
transformers is patched. What is private there is touched here and in the backbone only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import Sam2VideoModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.sam2.modeling_sam2 import eager_attention_forward, window_partition

_Key = tuple[object, ...]


class ImageEncoder:
    """Image features of slices, bit for bit those of `model.get_image_features`.

    Holds the model and, for each shape, device, dtype and autocast setting met, its position encodings.
    """

    def __init__(self, model: Sam2VideoModel) -> None:
        self._model = model
        self._trunk, self._neck = model.vision_encoder.backbone, model.vision_encoder.neck
        self._kept: dict[_Key, Tensor] = {}

    def __call__(self, pixels: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Encode pixels (b, 3, s, s), normalised, on the model's device.

        Returns the levels, finest first, each (h * w, b, channels), and the position encoding (h * w, b, channels)
        of the coarsest. The position encoding is shared between calls: do not write to it.
        """
        maps = self._pyramid(self._stages(pixels))
        position = self._sine_position(maps[-1])
        decoder = self._model.mask_decoder
        maps[:2] = decoder.conv_s0(maps[0]), decoder.conv_s1(maps[1])
        return tuple(_as_tokens(level) for level in maps), _as_tokens(position)

    def _stages(self, pixels: Tensor) -> list[Tensor]:
        """The output of each stage of the trunk, finest first, each (b, h, w, channels)."""
        patches = self._trunk.patch_embed(pixels)
        # This order of operands gives channels last in memory; with the other, every block makes a copy.
        hidden = (self._window_position(patches) + patches).contiguous()
        stages = []
        for i, block in enumerate(self._trunk.blocks):
            hidden = _block(block, hidden)
            if i in self._trunk.stage_ends:
                stages.append(hidden)
        return stages

    def _pyramid(self, stages: list[Tensor]) -> list[Tensor]:
        """The levels of the feature pyramid that the model keeps, finest first, each (b, channels, h, w)."""
        neck, levels = self._neck, []
        coarser = None
        for i in reversed(range(len(stages))):
            channels_first = stages[i].permute(0, 3, 1, 2)
            if i == 0:
                # Convolutions round by the layout in memory; the model's own finest stage has channels first.
                channels_first = channels_first.contiguous()
            level = neck.convs[len(stages) - 1 - i](channels_first.to(neck.convs[i].weight.dtype))
            if coarser is not None and i in neck.fpn_top_down_levels:
                up = functional.interpolate(coarser.float(), scale_factor=2.0, mode="nearest")
                level = level + up.to(level.dtype)
            levels.append(level)
            coarser = level
        return levels[-self._model.vision_encoder.num_feature_levels :][::-1]

    def _window_position(self, patches: Tensor) -> Tensor:
        trunk = self._trunk
        made_of = tuple(_state(weight) for weight in (trunk.pos_embed, trunk.pos_embed_window))
        size = (int(patches.shape[1]), int(patches.shape[2]))
        return self._keep(("window", size, *made_of), patches, lambda: trunk._get_pos_embed(size).contiguous())

    def _sine_position(self, level: Tensor) -> Tensor:
        def make() -> Tensor:
            made: Tensor = self._neck.position_encoding(level.shape, level.device, level.dtype)
            return made.to(level.dtype).clone()

        return self._keep(("sine", tuple(level.shape)), level, make)

    def _keep(self, key: _Key, like: Tensor, make: Callable[[], Tensor]) -> Tensor:
        kind = like.device.type
        possible = torch.amp.is_autocast_available(kind)
        autocast = torch.get_autocast_dtype(kind) if possible and torch.is_autocast_enabled(kind) else None
        full = (*key, like.device, like.dtype, autocast)
        if full not in self._kept:
            # A tensor made in inference mode could not be used where gradients are wanted later.
            with torch.inference_mode(False), torch.no_grad():
                self._kept[full] = make()
        return self._kept[full]


def _state(weight: Tensor) -> tuple[int, int]:
    """Changes whenever a weight is replaced or written to, so that nothing stale is kept."""
    return weight.data_ptr(), 0 if weight.is_inference() else weight._version


def _as_tokens(level: Tensor) -> Tensor:
    return level.flatten(2).permute(2, 0, 1)


def _block(block: Any, hidden: Tensor) -> Tensor:
    """One block of the trunk: windowed attention and a two-layer network, each added to its input."""
    normed = block.layer_norm1(hidden)
    residual = hidden
    if block.dim != block.dim_out:
        residual = block.proj(normed)
        residual = _max_pool(residual, block.query_stride) if block.query_stride else residual
    if block.window_size:
        hidden = _attend_in_windows(block, normed, residual)
    else:
        hidden = _sum(residual, _attend(block.attn, normed))
    return _sum(hidden, _two_layers(block.mlp, block.layer_norm2(hidden)))


def _attend_in_windows(block: Any, normed: Tensor, residual: Tensor) -> Tensor:
    size = int(block.window_size)
    attended = _attend(block.attn, _windows(normed, size))
    if block.query_stride:
        size //= block.query_stride[0]
    batch, height, width, channels = residual.shape
    down, across = -(-height // size), -(-width // size)
    grid = attended.view(batch, down, across, size, size, channels).transpose(2, 3)
    if (down * size, across * size) == (height, width):
        return (residual.view(grid.shape) + grid).view(residual.shape)
    padded = grid.reshape(batch, down * size, across * size, channels)
    return residual + padded[:, :height, :width]


def _windows(hidden: Tensor, size: int) -> Tensor:
    """(b, h, w, channels) as (b * windows, size, size, channels), padded with zeros where it does not divide."""
    batch, height, width, channels = hidden.shape
    if height % size or width % size:
        windows: Tensor = window_partition(hidden, size)[0]
        return windows
    grid = hidden.view(batch, height // size, size, width // size, size, channels).transpose(2, 3)
    return grid.reshape(-1, size, size, channels)


def _attend(attention: Any, hidden: Tensor) -> Tensor:
    """Multi-scale attention over (b, h, w, channels), without the scores that transformers computes and drops."""
    batch, height, width, _ = hidden.shape
    heads = attention.num_attention_heads
    qkv = attention.qkv(hidden).reshape(batch, height * width, 3, heads, -1)
    query, key, value = torch.unbind(qkv, 2)
    if attention.query_stride:
        query = _max_pool(query.reshape(batch, height, width, -1), attention.query_stride)
        height, width = query.shape[1:3]
        query = query.reshape(batch, height * width, heads, -1)
    implementation = attention.config._attn_implementation
    run: Any = ALL_ATTENTION_FUNCTIONS.get_interface(implementation, eager_attention_forward)
    attended, _ = run(
        attention, query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2),
        attention_mask=None, is_causal=attention.is_causal, scaling=attention.scale,
    )  # fmt: skip
    projected: Tensor = attention.proj(attended.reshape(batch, height, width, -1))
    return projected


def _max_pool(hidden: Tensor, stride: tuple[int, int]) -> Tensor:
    """The largest of each cell of (b, h, w, channels); a maximum rounds nothing, in whatever order it is taken."""
    for axis, step in zip((1, 2), stride, strict=True):
        whole = hidden.shape[axis] // step
        cells = torch.unflatten(hidden.narrow(axis, 0, whole * step), axis, (whole, step))
        hidden = reduce(torch.maximum, cells.unbind(axis + 1))
    return hidden


def _two_layers(mlp: Any, hidden: Tensor) -> Tensor:
    out: Tensor = mlp.proj_out(mlp.activation(mlp.proj_in(hidden)))
    return out


def _sum(kept: Tensor, new: Tensor) -> Tensor:
    """kept + new, written over `new` where their types allow: nothing else refers to it."""
    return new.add_(kept) if new.dtype == kept.dtype else kept + new
