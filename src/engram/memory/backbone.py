"""What every memory model offers, and the SAM 2 family through transformers.

All that touches private parts of transformers is in this file; the version is pinned to one minor, and the parity
test against the official predictor's numbers watches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from transformers import Sam2VideoModel
from transformers.models.sam2_video.modeling_sam2_video import get_1d_sine_pe

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
_BOX_CORNERS = (2, 3)  # SAM 2's labels of the upper left and lower right corner


@dataclass(frozen=True)
class SliceFeatures:
    """Image features of one slice: they depend on the slice alone, so all regions of interest share them.

    levels: finest first, each (h * w, 1, channels); position: positional encoding of the coarsest level.
    """

    levels: tuple[torch.Tensor, ...]
    position: torch.Tensor


@dataclass(frozen=True)
class Reading:
    """What the model made of one slice.

    memory: float32 (channels, h, w), the memory entry; pointer: float32 (width,), the object pointer;
    logits: float32 (H, W) of the drawn mask at low resolution; object_score: logit that the object is present.
    """

    memory: torch.Tensor
    pointer: torch.Tensor
    logits: torch.Tensor
    object_score: torch.Tensor


@dataclass(frozen=True)
class BankEntry:
    """A slice read before: `distance` slices ago (in read slices, at least 1)."""

    reading: Reading
    distance: int


@dataclass(frozen=True)
class Recall:
    """What a slice may look back on: the prompted first slices, and the tracked ones, latest first."""

    conditioning: Sequence[BankEntry]
    tracked: Sequence[BankEntry]
    slices_in_study: int
    bank_dtype: torch.dtype = torch.float32


class Backbone(Protocol):
    """A frozen model that reads slices one by one and remembers."""

    name: str
    digest: str
    untrained: bool
    image_size: int
    bank_length: int  # tracked slices that a later slice can still see

    def encode(self, frame: npt.NDArray[np.uint8]) -> SliceFeatures:
        """Image features of one grey frame, uint8 (h, w)."""

    def read(
        self,
        features: SliceFeatures,
        box: npt.NDArray[np.float32] | None,
        recall: Recall | None,
        frame_shape: tuple[int, int],
    ) -> Reading:
        """Read one slice under its box (x0, y0, x1, y1 in pixels of the frame) and the memory of others."""


class Sam2Backbone:
    """SAM 2, SAM 2.1, MedSAM2: one architecture, one adapter.

    `recall=None` reads the slice as an initial conditioning frame, without memory attention.
    """

    def __init__(self, model: Sam2VideoModel, *, name: str, digest: str, untrained: bool = False) -> None:
        self.model = model.eval().requires_grad_(False)
        self.name, self.digest, self.untrained = name, digest, untrained
        self.image_size = int(model.config.image_size)
        self.pointers_seen = int(model.config.max_object_pointers_in_encoder)
        self.memories_seen = int(model.config.num_maskmem)
        self.bank_length = max(self.memories_seen, self.pointers_seen) - 1
        weight = model.memory_temporal_positional_encoding
        self.device, self.dtype = weight.device, weight.dtype
        self._mean = torch.tensor(_IMAGENET_MEAN).view(1, 3, 1, 1)
        self._std = torch.tensor(_IMAGENET_STD).view(1, 3, 1, 1)

    @torch.inference_mode()
    def encode(self, frame: npt.NDArray[np.uint8]) -> SliceFeatures:
        """Image features of one grey frame, uint8 (h, w); resized as MedSAM2's authors do (PIL bicubic)."""
        pixels = self._pixels(frame).to(self.device, self.dtype)
        vision = self.model.get_image_features(pixels, return_dict=True)
        return SliceFeatures(tuple(vision.fpn_hidden_states), vision.fpn_position_encoding[-1])

    def _pixels(self, frame: npt.NDArray[np.uint8]) -> torch.Tensor:
        size = (self.image_size, self.image_size)
        rgb = np.array(Image.fromarray(frame).convert("RGB").resize(size))
        unit = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255.0
        return (unit - self._mean) / self._std

    @torch.inference_mode()
    def read(
        self,
        features: SliceFeatures,
        box: npt.NDArray[np.float32] | None,
        recall: Recall | None,
        frame_shape: tuple[int, int],
    ) -> Reading:
        """Read one slice under its box (x0, y0, x1, y1 in pixels of the frame) and the memory of others."""
        fine = [self._as_map(level, i) for i, level in enumerate(features.levels[:-1])]
        top = self._condition(features, recall)
        # A box counts as two points: one mask comes back. A tracked slice gets the best of three.
        prompt: dict[str, Any] = self._prompt(box, frame_shape) if box is not None else {}
        out = self.model._single_frame_forward(
            image_embeddings=[*fine, top], multimask_output=self._several_masks(box, recall), **prompt
        )
        memory = self._memorise(features.levels[-1], out, prompted=box is not None)
        return Reading(
            memory[0].float(), out.object_pointer[0, 0].float(), out.pred_masks[0, 0].float(),
            out.object_score_logits.flatten()[0].float(),
        )  # fmt: skip

    def _several_masks(self, box: npt.NDArray[np.float32] | None, recall: Recall | None) -> bool:
        config, points = self.model.config, 0 if box is None else 2
        allowed = config.multimask_min_pt_num <= points <= config.multimask_max_pt_num
        tracking = recall is None or config.multimask_output_for_tracking
        return bool(config.multimask_output_in_sam and tracking and allowed)

    def _prompt(self, box: npt.NDArray[np.float32], frame_shape: tuple[int, int]) -> dict[str, torch.Tensor]:
        height, width = frame_shape
        scale = torch.tensor([self.image_size / width, self.image_size / height])
        corners = torch.as_tensor(box, dtype=torch.float32).view(2, 2) * scale
        labels = torch.tensor(_BOX_CORNERS, dtype=torch.int32, device=self.device).view(1, 1, 2)
        return {"input_points": corners.view(1, 1, 2, 2).to(self.device, self.dtype), "input_labels": labels}

    def _as_map(self, flat: torch.Tensor, level: int) -> torch.Tensor:
        height, width = self.model.backbone_feature_sizes[level]
        return flat.permute(1, 2, 0).view(flat.shape[1], flat.shape[2], height, width)

    def _condition(self, features: SliceFeatures, recall: Recall | None) -> torch.Tensor:
        top = features.levels[-1]
        if recall is None:
            return self._as_map(top + self.model.no_memory_embedding, -1)
        memory, position, n_pointer_tokens = self._bank(recall)
        attended = self.model.memory_attention(
            current_vision_features=top,
            current_vision_position_embeddings=features.position,
            memory=memory,
            memory_posision_embeddings=position,  # the argument's own spelling
            num_object_pointer_tokens=n_pointer_tokens,
        )
        return self._as_map(attended.squeeze(1).transpose(0, 1), -1)

    def _bank(self, recall: Recall) -> tuple[torch.Tensor, torch.Tensor, int]:
        seen = [(0, entry) for entry in recall.conditioning]
        recent = [e for e in recall.tracked if e.distance < self.memories_seen]
        seen += [(e.distance, e) for e in sorted(recent, key=lambda e: -e.distance)]
        memories = [self._flat(e.reading.memory.to(recall.bank_dtype)).to(self.dtype) for _, e in seen]
        positions = [self._spatial_position(e) + self._temporal_position(offset) for offset, e in seen]
        limit = min(recall.slices_in_study, self.pointers_seen)
        entries = [*recall.conditioning, *(e for e in recall.tracked if e.distance < limit)]
        pointers, pointer_positions = self._pointer_tokens(entries, limit)
        tokens = torch.cat([*memories, pointers])
        return tokens, torch.cat([*positions, pointer_positions]), pointers.shape[0]

    @staticmethod
    def _flat(memory: torch.Tensor) -> torch.Tensor:
        return memory.flatten(1).T.unsqueeze(1)  # (channels, h, w) -> (h * w, 1, channels)

    def _spatial_position(self, entry: BankEntry) -> torch.Tensor:
        shape = (1, *entry.reading.memory.shape)
        position = self.model.memory_encoder.position_encoding
        encoding: torch.Tensor = position(torch.Size(shape), self.device, self.dtype)
        return encoding.flatten(2).permute(2, 0, 1)

    def _temporal_position(self, offset: int) -> torch.Tensor:
        # Offset 0, a conditioning slice, takes the last encoding: index -1, as in the official code.
        encodings: torch.Tensor = self.model.memory_temporal_positional_encoding
        return encodings[offset - 1]

    def _pointer_tokens(self, entries: Sequence[BankEntry], limit: int) -> tuple[torch.Tensor, torch.Tensor]:
        pointers = torch.stack([e.reading.pointer for e in entries])[:, None].to(self.dtype)
        distance = torch.tensor([e.distance for e in entries], device=self.device, dtype=torch.float32)
        width, channels = self.model.hidden_dim, self.model.mem_dim
        sine = get_1d_sine_pe(distance / float(limit - 1), dim=width).to(self.dtype)
        position = self.model.temporal_positional_encoding_projection_layer(sine)[:, None]
        splits = width // channels
        tokens = pointers.reshape(-1, 1, splits, channels).permute(0, 2, 1, 3).flatten(0, 1)
        return tokens, position.repeat_interleave(splits, dim=0)

    def _memorise(self, top: torch.Tensor, out: Any, *, prompted: bool) -> torch.Tensor:
        """The memory entry: raw image features of the slice and the mask drawn on it, nothing else."""
        config = self.model.config
        mask = self._memory_mask(out.high_res_masks)
        # SAM 2 makes the mask of a prompted slice hard, that of a tracked one soft.
        mask = (mask > 0).to(mask.dtype) if prompted else torch.sigmoid(mask)
        scaled = mask * config.sigmoid_scale_for_mem_enc + config.sigmoid_bias_for_mem_enc
        memory, _ = self.model.memory_encoder(self._as_map(top, -1), scaled)
        absent = self.model.occlusion_spatial_embedding_parameter
        if absent is not None:
            is_absent = 1 - (out.object_score_logits > 0).to(memory.dtype)
            memory = memory + is_absent[..., None] * absent[..., None, None]
        return memory  # type: ignore[no-any-return]

    def _memory_mask(self, high_res: torch.Tensor) -> torch.Tensor:
        size = tuple(4 * side for side in self.model.prompt_encoder.mask_input_size)
        if tuple(high_res.shape[2:]) == size:
            return high_res
        resized = torch.nn.functional.interpolate(
            high_res.float(), size=size, align_corners=False, mode="bilinear", antialias=True
        )
        return resized.to(high_res.dtype)
