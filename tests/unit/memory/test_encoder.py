"""The faster image encoder gives the bits of transformers' own."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import pytest
import torch
from transformers import Sam2VideoModel

from engram.memory.conversion import convert_state, infer_config
from engram.memory.encoder import ImageEncoder
from engram.memory.mini import untrained_mini

State = dict[str, torch.Tensor]


@pytest.fixture(params=[1, 2])
def _threads(request: pytest.FixtureRequest) -> Iterator[None]:
    """Layout in memory matters to rounding with some numbers of threads only."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def made_once() -> Sam2VideoModel:
    return untrained_mini().eval().requires_grad_(False)


@pytest.fixture
def mini_model(made_once: Sam2VideoModel) -> Sam2VideoModel:
    return deepcopy(made_once)


@pytest.fixture(scope="module")
def tiny(official_state: State) -> Sam2VideoModel:
    # At 256 pixels, as at 512, windows of 14 and 7 do not divide the maps and are padded.
    model = Sam2VideoModel(infer_config(official_state, resolution=256))
    model.load_state_dict(convert_state(official_state))
    return model.eval().requires_grad_(False)


def _pixels(batch: int, side: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(batch, 3, side, side, generator=torch.Generator().manual_seed(batch)).to(dtype)


def _assert_same(model: Sam2VideoModel, encoder: ImageEncoder, pixels: torch.Tensor) -> None:
    theirs = model.get_image_features(pixels, return_dict=True)
    levels, position = encoder(pixels)
    for ours, expected in zip(levels, theirs.fpn_hidden_states, strict=True):
        assert ours.dtype == expected.dtype
        assert torch.equal(ours, expected)
    assert position.dtype == theirs.fpn_position_encoding[-1].dtype
    assert torch.equal(position, theirs.fpn_position_encoding[-1])


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("batch", [1, 2])
@torch.inference_mode()
def test_the_mini_model_is_encoded_to_the_bit(mini_model: Sam2VideoModel, batch: int) -> None:
    _assert_same(mini_model, ImageEncoder(mini_model), _pixels(batch, 128))


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("batch", [1, 2])
@torch.inference_mode()
def test_the_tiny_model_is_encoded_to_the_bit(tiny: Sam2VideoModel, batch: int) -> None:
    _assert_same(tiny, ImageEncoder(tiny), _pixels(batch, 256))


@torch.inference_mode()
def test_shapes_are_kept_apart(mini_model: Sam2VideoModel) -> None:
    encoder = ImageEncoder(mini_model)
    for batch, side in [(1, 128), (2, 128), (1, 64), (1, 128)]:
        _assert_same(mini_model, encoder, _pixels(batch, side))


@torch.inference_mode()
def test_dtypes_and_autocast_are_kept_apart(mini_model: Sam2VideoModel) -> None:
    encoder = ImageEncoder(mini_model)
    _assert_same(mini_model, encoder, _pixels(1, 128))
    with torch.autocast("cpu", torch.bfloat16):
        _assert_same(mini_model, encoder, _pixels(1, 128))
    mini_model.to(torch.bfloat16)
    _assert_same(mini_model, encoder, _pixels(1, 128, torch.bfloat16))
    with torch.autocast("cpu", torch.bfloat16):
        _assert_same(mini_model, encoder, _pixels(1, 128, torch.bfloat16))


@torch.inference_mode()
def test_devices_are_kept_apart(mini_model: Sam2VideoModel) -> None:
    encoder = ImageEncoder(mini_model)
    encoder(_pixels(1, 128))
    mini_model.to("meta")
    levels, position = encoder(_pixels(1, 128).to("meta"))
    assert {tensor.device.type for tensor in (*levels, position)} == {"meta"}


def test_nothing_stale_is_kept_where_weights_change(mini_model: Sam2VideoModel) -> None:
    encoder = ImageEncoder(mini_model)
    with torch.no_grad():
        encoder(_pixels(1, 128))
    mini_model.load_state_dict(untrained_mini(seed=1).state_dict())
    with torch.no_grad():
        _assert_same(mini_model, encoder, _pixels(1, 128))


@torch.inference_mode()
def test_other_attention_implementations_are_honoured(mini_model: Sam2VideoModel) -> None:
    sdpa = ImageEncoder(mini_model)(_pixels(1, 128))[0][-1]
    mini_model.set_attn_implementation("eager")
    _assert_same(mini_model, ImageEncoder(mini_model), _pixels(1, 128))
    assert not torch.equal(ImageEncoder(mini_model)(_pixels(1, 128))[0][-1], sdpa)


def test_gradients_reach_the_pixels_after_reading_in_inference_mode(mini_model: Sam2VideoModel) -> None:
    encoder = ImageEncoder(mini_model)
    with torch.inference_mode():
        _, position = encoder(_pixels(1, 128))
    assert not position.is_inference()
    ours, theirs = _pixels(1, 128).requires_grad_(), _pixels(1, 128).requires_grad_()
    encoder(ours)[0][-1].square().sum().backward()
    features = mini_model.get_image_features(theirs, return_dict=True)
    features.fpn_hidden_states[-1].square().sum().backward()
    assert ours.grad is not None
    assert torch.allclose(ours.grad, theirs.grad, rtol=1e-4, atol=1e-5)
    assert float(ours.grad.abs().max()) > 0
