"""SAM 2, SAM 2.1 and MedSAM2 through transformers: one architecture, one adapter.

All that touches private parts of transformers is in this file; the version is pinned to one minor, and the parity
test against the official predictor's numbers watches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import Sam2VideoModel
from transformers.models.sam2_video.modeling_sam2_video import get_1d_sine_pe

from engram.memory.contract import BankEntry, Frames, Prompt, Reading, Recall, SliceFeatures
from engram.memory.encoder import ImageEncoder

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class Sam2Backbone:
    """A frozen model of the SAM 2 family. `recall=None` reads a slice as an initial conditioning frame, without
    memory attention."""

    def __init__(
        self, model: Sam2VideoModel, *, name: str, digest: str, untrained: bool = False, verified: bool = False
    ) -> None:
        self.model = model.eval().requires_grad_(False)
        self.name, self.digest, self.untrained, self.verified = name, digest, untrained, verified
        self.image_size = int(model.config.image_size)
        self.pointers_seen = int(model.config.max_object_pointers_in_encoder)
        self.memories_seen = int(model.config.num_maskmem)
        self.bank_length = max(self.memories_seen, self.pointers_seen) - 1
        self.memory_length = self.memories_seen - 1
        weight = model.memory_temporal_positional_encoding
        self._device, self.dtype = weight.device, weight.dtype
        self._encoder = ImageEncoder(self.model)
        self._mean = torch.tensor(_IMAGENET_MEAN).view(1, 3, 1, 1)
        self._std = torch.tensor(_IMAGENET_STD).view(1, 3, 1, 1)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return torch.device(self._device)

    @torch.inference_mode()
    def encode(self, frames: Frames) -> list[SliceFeatures]:
        """Image features of grey frames, uint8 (b, h, w); resized as MedSAM2's authors do (PIL bicubic)."""
        pixels = torch.cat([self._pixels(frame) for frame in frames]).to(self._device, self.dtype)
        levels, position = self._encoder(pixels)
        return [
            SliceFeatures(tuple(level[:, i : i + 1] for level in levels), position[:, i : i + 1])
            for i in range(len(frames))
        ]

    def _pixels(self, frame: Frames) -> torch.Tensor:
        size = (self.image_size, self.image_size)
        rgb = np.array(Image.fromarray(frame).convert("RGB").resize(size))
        unit = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255.0
        return (unit - self._mean) / self._std

    @torch.inference_mode()
    def read(
        self, features: SliceFeatures, prompt: Prompt | None, recall: Recall | None, frame_shape: tuple[int, int]
    ) -> Reading:
        """Read one slice. A mask is taken as what was drawn, as SAM 2 does: no memory is attended to for it."""
        fine = [self._as_map(level, i) for i, level in enumerate(features.levels[:-1])]
        if prompt is not None and prompt.mask is not None:
            top = self._as_map(features.levels[-1], -1)
            out = self.model._use_mask_as_output(top, fine, self._mask(prompt.mask))
        else:
            embeddings = [*fine, self._condition(features, recall)]
            shown: dict[str, Any] = self._points(prompt, frame_shape) if prompt is not None else {}
            several = self._several_masks(prompt, recall)
            out = self.model._single_frame_forward(image_embeddings=embeddings, multimask_output=several, **shown)
        memory = self._memorise(features.levels[-1], out, prompted=prompt is not None)
        return Reading(
            memory[0].float(), out.object_pointer.flatten().float(), out.pred_masks[0, 0].float(),
            out.object_score_logits.flatten()[0].float(), out.iou_scores.max().float(),
        )  # fmt: skip

    def _several_masks(self, prompt: Prompt | None, recall: Recall | None) -> bool:
        """One click or none leaves doubt: the best of three masks is taken. A box counts as two points."""
        config, points = self.model.config, 0 if prompt is None or prompt.labels is None else len(prompt.labels)
        allowed = config.multimask_min_pt_num <= points <= config.multimask_max_pt_num
        tracking = recall is None or config.multimask_output_for_tracking
        return bool(config.multimask_output_in_sam and tracking and allowed)

    def _points(self, prompt: Prompt, frame_shape: tuple[int, int]) -> dict[str, torch.Tensor]:
        height, width = frame_shape
        scale = torch.tensor([self.image_size / width, self.image_size / height])
        points = (torch.as_tensor(prompt.points) * scale)[None, None]
        labels = torch.as_tensor(prompt.labels, device=self._device)[None, None]
        return {"input_points": points.to(self._device, self.dtype), "input_labels": labels}

    def _mask(self, mask: np.ndarray[Any, np.dtype[np.bool_]]) -> torch.Tensor:
        """The mask at the model's size, hard again after the resize, as SAM 2's predictor makes it."""
        plane = torch.as_tensor(mask, dtype=torch.float32, device=self._device)[None, None]
        size = (self.image_size, self.image_size)
        large = torch.nn.functional.interpolate(
            plane, size=size, align_corners=False, mode="bilinear", antialias=True
        )
        return (large >= 0.5).to(self.dtype)

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
        memories = [self._flat(e.memory.to(recall.bank_dtype)).to(self._device, self.dtype) for _, e in seen]
        spatial = self._spatial_position(seen[0][1].memory)  # one shape, one encoding
        positions = [spatial + self._temporal_position(offset) for offset, _ in seen]
        limit = min(recall.slices_in_study, self.pointers_seen)
        entries = [*recall.conditioning, *(e for e in recall.tracked if e.distance < limit)]
        pointers, pointer_positions = self._pointer_tokens(entries, limit)
        tokens = torch.cat([*memories, pointers])
        return tokens, torch.cat([*positions, pointer_positions]), pointers.shape[0]

    @staticmethod
    def _flat(memory: torch.Tensor) -> torch.Tensor:
        return memory.flatten(1).T.unsqueeze(1)  # (channels, h, w) -> (h * w, 1, channels)

    def _spatial_position(self, memory: torch.Tensor) -> torch.Tensor:
        shape = (1, *memory.shape)
        position = self.model.memory_encoder.position_encoding
        encoding: torch.Tensor = position(torch.Size(shape), self._device, self.dtype)
        return encoding.flatten(2).permute(2, 0, 1)

    def _temporal_position(self, offset: int) -> torch.Tensor:
        # Offset 0, a conditioning slice, takes the last encoding: index -1, as in the official code.
        encodings: torch.Tensor = self.model.memory_temporal_positional_encoding
        return encodings[offset - 1]

    def _pointer_tokens(self, entries: Sequence[BankEntry], limit: int) -> tuple[torch.Tensor, torch.Tensor]:
        pointers = torch.stack([e.pointer for e in entries])[:, None].to(self._device, self.dtype)
        width, channels = self.model.hidden_dim, self.model.mem_dim
        position = self._pointer_positions(entries, limit)
        splits = width // channels
        tokens = pointers.reshape(-1, 1, splits, channels).permute(0, 2, 1, 3).flatten(0, 1)
        return tokens, position.repeat_interleave(splits, dim=0)

    def _pointer_positions(self, entries: Sequence[BankEntry], limit: int) -> torch.Tensor:
        model = self.model
        if not model.config.enable_temporal_pos_encoding_for_object_pointers:  # SAM 2.0
            return torch.zeros(len(entries), 1, model.mem_dim, dtype=self.dtype, device=self._device)
        distance = torch.tensor([e.distance for e in entries], device=self._device, dtype=torch.float32)
        sine = get_1d_sine_pe(distance / float(limit - 1), dim=model.hidden_dim).to(self.dtype)
        position: torch.Tensor = model.temporal_positional_encoding_projection_layer(sine)[:, None]
        return position

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
