"""Weights of image encoders: as published, strictly or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from engram.encoders import loading, weights
from engram.encoders.loading import load_model
from engram.encoders.resnet50 import ARCHITECTURE as RESNET50
from engram.encoders.vit import ARCHITECTURE as VIT
from engram.encoders.weights import check_encoder, load_encoder
from engram.errors import AbsentWeightsError, WeightsError
from engram.memory.weights import check_weights

FRAMES = np.random.default_rng(1).integers(0, 255, (2, 30, 40)).astype(np.uint8)
# The names under which google/vit-base-patch16-224-in21k is published, which transformers has changed since.
PUBLISHED_VIT = {
    "layers.": "encoder.layer.",
    "attention.q_proj": "attention.attention.query",
    "attention.k_proj": "attention.attention.key",
    "attention.v_proj": "attention.attention.value",
    "attention.o_proj": "attention.output.dense",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}


def _tensors(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def _rewrite(folder: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file(tensors, folder / "model.safetensors")


def _published(name: str) -> str:
    for new, old in PUBLISHED_VIT.items():
        name = name.replace(new, old) if old not in name else name
    return name


def test_the_names_under_which_they_are_published_are_the_same_model(folders: dict[str, Path]) -> None:
    now = load_encoder(check_encoder("vit", folders["vit"])).encode(FRAMES)
    tensors = _tensors(folders["vit"])
    _rewrite(folders["vit"], {_published(name): tensor for name, tensor in tensors.items()})
    assert any("attention.attention.query" in name for name in _tensors(folders["vit"]))
    np.testing.assert_array_equal(load_encoder(check_encoder("vit", folders["vit"])).encode(FRAMES), now)


def test_counters_of_batch_norm_may_be_absent(folders: dict[str, Path]) -> None:
    before = check_encoder("resnet50", folders["resnet50"])
    kept = {k: v for k, v in _tensors(folders["resnet50"]).items() if not k.endswith("num_batches_tracked")}
    _rewrite(folders["resnet50"], kept)
    assert check_encoder("resnet50", folders["resnet50"]).digest == before.digest


@pytest.mark.parametrize("kind", ["resnet50", "vit"])
def test_a_torch_file_of_tensors_is_read_and_one_of_anything_else_is_not(
    kind: str, folders: dict[str, Path]
) -> None:
    folder = folders[kind]
    before = check_encoder(kind, folder).digest
    torch.save(_tensors(folder), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert check_encoder(kind, folder).digest == before
    torch.save({"a": Path("x")}, folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="more than tensors"):
        check_encoder(kind, folder)


@pytest.mark.parametrize("kind", ["resnet50", "vit"])
@pytest.mark.parametrize("fault", ["missing", "unknown", "of another shape", "not finite"])
def test_a_tensor_without_its_place_is_refused_by_name(kind: str, fault: str, folders: dict[str, Path]) -> None:
    tensors = _tensors(folders[kind])
    name = next(k for k, v in tensors.items() if v.ndim > 1 and not k.startswith(("classifier", "pooler")))
    if fault == "missing":
        del tensors[name]
    elif fault == "unknown":
        name = "stranger.weight"
        tensors[name] = torch.zeros(2)
    elif fault == "of another shape":
        tensors[name] = tensors[name][..., :1].clone()
    else:
        tensors[name].view(-1)[0] = torch.nan
    _rewrite(folders[kind], tensors)
    last = name.removeprefix("resnet.")
    with pytest.raises(WeightsError, match=f"{fault}.*{last}"):
        check_encoder(kind, folders[kind])


def test_a_folder_of_another_kind_is_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(WeightsError, match="model_type 'vit', not 'resnet'"):
        check_encoder("resnet50", folders["vit"])


def test_weights_that_are_not_here_are_absent(tmp_path: Path) -> None:
    with pytest.raises(AbsentWeightsError, match="nowhere"):
        check_encoder("vit", tmp_path / "nowhere")


def test_weights_that_changed_after_the_check_are_refused(folders: dict[str, Path]) -> None:
    checked = check_encoder("vit", folders["vit"])
    tensors = _tensors(folders["vit"])
    tensors["layernorm.bias"] += 1
    _rewrite(folders["vit"], tensors)
    with pytest.raises(WeightsError, match="changed since it was checked"):
        load_encoder(checked)


def test_pixels_are_those_of_the_folder_where_it_says_so(folders: dict[str, Path]) -> None:
    said = {"image_mean": [0.1, 0.2, 0.3], "image_std": [1, 1, 1]}
    assert load_model(folders["resnet50"], RESNET50).pixels == RESNET50.pixels
    (folders["resnet50"] / "preprocessor_config.json").write_text(json.dumps(said))
    assert load_model(folders["resnet50"], RESNET50).pixels.mean == (0.1, 0.2, 0.3)
    assert load_model(folders["vit"], VIT).pixels.size == 32
    (folders["resnet50"] / "preprocessor_config.json").write_text('{"image_mean": 1}')
    with pytest.raises(WeightsError, match="three numbers"):
        load_model(folders["resnet50"], RESNET50)


def test_a_file_alone_is_of_the_published_architecture(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folders["vit"] / "model.safetensors"
    with pytest.raises(WeightsError, match="not the weights of this vit"):
        check_encoder("vit", file)
    config = VIT.configuration.from_pretrained(folders["vit"])
    published = loading.Architecture("vit", lambda: config, VIT.model, VIT.options, VIT.heads, VIT.pixels)
    monkeypatch.setitem(weights._KINDS, "vit", (published, weights.Vit))
    assert check_encoder("vit", file).digest == check_encoder("vit", file).digest


def test_an_image_encoder_is_no_memory_model(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from engram.files import file_digest
    from engram.memory.registry import KNOWN_WEIGHTS

    file = folders["vit"] / "model.safetensors"
    monkeypatch.setitem(KNOWN_WEIGHTS, "vit", replace(KNOWN_WEIGHTS["vit"], sha256=file_digest(file)))
    with pytest.raises(WeightsError, match="without a memory"):
        check_weights(file)
    assert check_encoder("vit", folders["vit"]).verified
    assert check_encoder("vit", folders["vit"]).licence == "Apache-2.0"
