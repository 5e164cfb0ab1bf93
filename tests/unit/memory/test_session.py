"""Our memory bank against transformers' own video session, which was shown equal to the official predictor.

The same weights and slices on one machine: no rounding between machines hides a difference.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

from engram.memory.backbone import Sam2Backbone
from engram.memory.contract import Prompt
from engram.memory.protocol import Protocol
from engram.memory.tracing import trace

N, SHAPE = 9, (96, 120)


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (N, *SHAPE)).astype(np.uint8)


@pytest.fixture(scope="module")
def boxes() -> np.ndarray:
    return np.array([[20 + 3 * i, 10 + i, 60 + 3 * i, 50 + 2 * i] for i in range(N)], dtype=np.float32)


def _session(mini: Sam2Backbone, frames: np.ndarray) -> Sam2VideoInferenceSession:
    session = Sam2VideoInferenceSession(
        video=torch.cat([mini._pixels(frame) for frame in frames]),
        video_height=SHAPE[0],
        video_width=SHAPE[1],
        dtype=torch.float32,
    )
    session.obj_id_to_idx(1)
    return session


def _prompt(session: Sam2VideoInferenceSession, box: np.ndarray, z: int, side: int) -> None:
    corners = torch.tensor(box).view(1, 1, 2, 2) * torch.tensor([side / SHAPE[1], side / SHAPE[0]])
    inputs = {"point_coords": corners, "point_labels": torch.tensor([[[2, 3]]], dtype=torch.int32)}
    session.add_point_inputs(0, z, inputs)
    session.obj_with_new_inputs = [1]


def _memory(session: Sam2VideoInferenceSession, z: int, side: int) -> np.ndarray:
    kept = session.output_dict_per_obj[0]
    entry = kept["cond_frame_outputs"].get(z) or kept["non_cond_frame_outputs"][z]
    return entry["maskmem_features"].float().squeeze(1).T.reshape(-1, side, side).numpy()


@torch.inference_mode()
def test_tracking_from_the_first_box_equals_transformers_own_session(
    mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray
) -> None:
    session, size = _session(mini, frames), mini.image_size
    _prompt(session, boxes[0], 0, size)
    logits = [mini.model(session, frame_idx=z).pred_masks[0, 0].numpy() for z in range(N)]
    ours = trace(mini, frames, boxes, Protocol(prompting="first", bank_dtype="bfloat16"))
    np.testing.assert_allclose(ours.logits, np.stack(logits), rtol=1e-4, atol=1e-4)
    for z in range(N):
        np.testing.assert_allclose(ours.memory[z], _memory(session, z, size // 16), rtol=1e-2, atol=1e-3)


@torch.inference_mode()
def test_prompting_every_slice_first_equals_transformers_own_session(
    mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray
) -> None:
    session, size = _session(mini, frames), mini.image_size
    for z in range(N):
        _prompt(session, boxes[z], z, size)
        mini.model(session, frame_idx=z)
    ours = trace(mini, frames, boxes, Protocol(prompting="all"))
    for z in range(N):
        np.testing.assert_allclose(ours.memory[z], _memory(session, z, size // 16), rtol=1e-2, atol=1e-3)


@torch.inference_mode()
def test_a_box_and_a_memory_equal_transformers_own_session(
    mini: Sam2Backbone, frames: np.ndarray, boxes: np.ndarray
) -> None:
    session, size = _session(mini, frames), mini.image_size
    _prompt(session, boxes[0], 0, size)
    logits = [mini.model(session, frame_idx=0).pred_masks[0, 0].numpy()]
    logits += [_prompted_with_memory(mini, session, boxes[z], z) for z in range(1, N)]
    ours = trace(mini, frames, boxes, Protocol(prompting="interleaved", bank_dtype="bfloat16"))
    np.testing.assert_allclose(ours.logits, np.stack(logits), rtol=1e-4, atol=1e-4)
    for z in range(N):
        np.testing.assert_allclose(ours.memory[z], _memory(session, z, size // 16), rtol=1e-2, atol=1e-3)


def _prompted_with_memory(
    mini: Sam2Backbone, session: Sam2VideoInferenceSession, box: np.ndarray, z: int
) -> np.ndarray:
    """As the predictor does when a box comes on a slice that has been tracked."""
    model = mini.model
    corners = torch.tensor(box).view(1, 1, 2, 2) * torch.tensor(
        [mini.image_size / SHAPE[1], mini.image_size / SHAPE[0]]
    )
    points = {"point_coords": corners, "point_labels": torch.tensor([[[2, 3]]], dtype=torch.int32)}
    out = model._run_single_frame_inference(
        session, z, 0, 1, is_init_cond_frame=False, point_inputs=points, mask_inputs=None, reverse=False
    )
    features, _ = model._prepare_vision_features(session, z, 1)
    memory, position = model._encode_new_memory(
        features[-1], out["high_res_masks"], out["object_score_logits"], is_mask_from_pts=True
    )
    kept = {**out, "maskmem_features": memory, "maskmem_pos_enc": position}
    session.store_output(0, z, output_value=kept, is_conditioning_frame=False)
    return out["pred_masks"][0, 0].numpy()


@torch.inference_mode()
def test_a_mask_prompt_equals_transformers_own_session(mini: Sam2Backbone, frames: np.ndarray) -> None:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[20:60, 30:80] = True
    ours = trace(
        mini, frames, [Prompt.of_mask(mask)] * N, Protocol(prompting="first", prompt="mask", bank_dtype="bfloat16")
    )
    session, size = _session(mini, frames), mini.image_size
    session.add_mask_inputs(0, 0, mini._mask(mask))
    session.obj_with_new_inputs = [1]
    logits = [mini.model(session, frame_idx=z).pred_masks[0, 0].numpy() for z in range(N)]
    np.testing.assert_allclose(ours.logits, np.stack(logits), rtol=1e-4, atol=1e-4)
    for z in range(N):
        np.testing.assert_allclose(ours.memory[z], _memory(session, z, size // 16), rtol=1e-2, atol=1e-3)
