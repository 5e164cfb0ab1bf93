"""What is refused at loading, and by name."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engram.errors import WeightsError
from engram.memory import Protocol, checkpoints, trace, weights
from engram.memory.backbone import Sam2Backbone
from engram.memory.conversion import convert_state
from engram.memory.mini import untrained_mini
from engram.memory.registry import KNOWN_WEIGHTS
from engram.memory.weights import check_weights, load_backbone, load_checked, weights_digest

State = dict[str, torch.Tensor]
Taker = Callable[..., object]

# What is refused at loading is refused, in the same words, by the check before it.
both = pytest.mark.parametrize("take", [load_backbone, check_weights])


def _saved(tmp_path: Path, state: State) -> Path:
    path = tmp_path / "checkpoint.pt"
    torch.save({"model": state}, path)
    return path


@pytest.fixture
def shapes_only(official_state: State) -> State:
    # One number behind each tensor: quick to write, and shapes are what is checked first.
    return {name: torch.zeros(1).expand(tensor.shape) for name, tensor in official_state.items()}


@both
def test_a_missing_key_is_named(take: Taker, tmp_path: Path, shapes_only: State) -> None:
    del shapes_only["memory_encoder.out_proj.bias"]
    with pytest.raises(WeightsError, match=r"1 missing: memory_encoder\.projection\.bias"):
        take(_saved(tmp_path, shapes_only))


@both
def test_an_extra_key_is_named(take: Taker, tmp_path: Path, shapes_only: State) -> None:
    shapes_only["a_new_head.weight"] = torch.zeros(2)
    with pytest.raises(WeightsError, match=r"1 unknown: a_new_head\.weight"):
        take(_saved(tmp_path, shapes_only))


@both
def test_a_key_of_another_shape_is_named_with_both_shapes(take: Taker, tmp_path: Path, shapes_only: State) -> None:
    shapes_only["no_obj_ptr"] = torch.zeros(1, 128)
    with pytest.raises(WeightsError, match=r"no_object_pointer \(1, 128\), expected \(1, 256\)"):
        take(_saved(tmp_path, shapes_only))


@both
def test_a_checkpoint_of_another_architecture_is_refused_by_its_keys(take: Taker, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no tensor named image_encoder\.trunk.*first being conv1\.weight"):
        take(_saved(tmp_path, {"conv1.weight": torch.zeros(64, 3, 7, 7)}))


@both
def test_an_unknown_trunk_is_refused_with_the_known_ones(take: Taker, tmp_path: Path, shapes_only: State) -> None:
    fewer = {k: v for k, v in shapes_only.items() if ".trunk.blocks.11." not in k}
    with pytest.raises(WeightsError, match=r"width 96 and 11 blocks; known are tiny \(width 96, 12 blocks\)"):
        take(_saved(tmp_path, fewer))


@both
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"not a checkpoint", "damaged"),
        (b"junk" * 100, "damaged"),
        (b"", "damaged"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused(take: Taker, tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=f"cannot be read as a checkpoint of tensors: it is {what}"):
        take(path)


@both
def test_a_checkpoint_with_code_in_it_is_not_run(take: Taker, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"model": Path("anything but tensors")}, path)
    with pytest.raises(WeightsError, match="cannot be read as a checkpoint"):
        take(path)


@both
def test_tensors_without_the_official_wrapping_are_refused(take: Taker, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"weight": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match=r"expected \{'model': state_dict\}"):
        take(path)


@both
def test_a_path_that_is_not_there_is_refused(take: Taker, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such file or folder"):
        take(tmp_path / "MedSAM2_latest.pt")


@both
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused_by_its_tensor(
    take: Taker, tmp_path: Path, shapes_only: State, value: float
) -> None:
    shapes_only["no_obj_ptr"] = torch.tensor([[0.0] * 255 + [value]])
    with pytest.raises(WeightsError, match=r"checkpoint\.pt: .* 1 not finite: no_obj_ptr\."):
        take(_saved(tmp_path, shapes_only))


@both
def test_a_value_beyond_float32_is_refused(take: Taker, tmp_path: Path, shapes_only: State) -> None:
    shapes_only["no_obj_ptr"] = torch.full((1, 256), 1e300, dtype=torch.float64)
    with pytest.raises(WeightsError, match="1 not finite: no_obj_ptr"):
        take(_saved(tmp_path, shapes_only))


@both
def test_integers_where_floats_belong_are_refused(take: Taker, tmp_path: Path, shapes_only: State) -> None:
    shapes_only["no_obj_ptr"] = torch.zeros(1, 256, dtype=torch.int64)
    with pytest.raises(WeightsError, match=r"1 not floats: no_obj_ptr \(torch\.int64\)"):
        take(_saved(tmp_path, shapes_only))


@both
@pytest.mark.parametrize("shape", [(4, 1, 1, 64), (8, 1, 1, 64), ()])
def test_a_bank_of_another_length_is_refused(
    take: Taker, tmp_path: Path, shapes_only: State, shape: tuple[int, ...]
) -> None:
    shapes_only["maskmem_tpos_enc"] = torch.zeros(shape)
    with pytest.raises(WeightsError, match=rf"maskmem_tpos_enc is {re.escape(str(shape))}; .* has 7"):
        take(_saved(tmp_path, shapes_only))


@both
@pytest.mark.parametrize("shape", [(1, 128), (256,), ()])
def test_point_embeddings_that_are_not_rows_of_one_width_are_refused(
    take: Taker, tmp_path: Path, shapes_only: State, shape: tuple[int, ...]
) -> None:
    shapes_only["sam_prompt_encoder.point_embeddings.2.weight"] = torch.zeros(shape)
    told = rf"checkpoint\.pt: .*point_embeddings.* \(1, 256\), \(1, 256\), {re.escape(str(shape))}, .*one width"
    with pytest.raises(WeightsError, match=told):
        take(_saved(tmp_path, shapes_only))


@both
def test_a_file_of_which_a_bit_flipped_is_refused(take: Taker, tmp_path: Path, shapes_only: State) -> None:
    shapes_only["no_obj_ptr"] = torch.full((1, 256), 0.123)
    path = _saved(tmp_path, shapes_only)
    content = bytearray(path.read_bytes())
    content[content.index(np.full(256, 0.123, np.float32).tobytes()) + 100] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"its part 'checkpoint/data/\d+' is damaged: its CRC-32 is wrong"):
        take(path)


@both
def test_a_resolution_that_the_trunk_cannot_halve_is_refused(
    take: Taker, tmp_path: Path, shapes_only: State
) -> None:
    with pytest.raises(WeightsError, match="500 is not a multiple of 32"):
        take(_saved(tmp_path, shapes_only), resolution=500)


def test_the_check_takes_what_can_be_loaded(tmp_path: Path, shapes_only: State, folder: Path) -> None:
    check_weights(_saved(tmp_path, shapes_only))
    check_weights(folder, 128)
    check_weights("untrained-mini", 512)


def test_what_was_checked_is_loaded_without_the_slow_checks(
    tmp_path: Path, official_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = check_weights(official_file, 64)
    plain = load_backbone(official_file, resolution=64)

    def fail(*_: object) -> None:
        raise AssertionError("done again")

    monkeypatch.setattr(checkpoints, "_damaged_part", fail)
    monkeypatch.setattr(checkpoints, "check_values", fail)
    monkeypatch.setattr(weights, "resolve_weights", fail)
    again = load_checked(checked, name="ours")
    assert (again.digest, again.verified, again.image_size) == (plain.digest, plain.verified, 64)
    assert again.name == "ours"
    assert all(torch.equal(a, b) for a, b in zip(again.model.parameters(), plain.model.parameters(), strict=True))


def test_a_folder_that_was_checked_is_loaded_without_the_slow_checks(
    folder: Path, mini: Sam2Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = check_weights(folder, 128)
    monkeypatch.setattr(checkpoints, "safe_open", None)
    assert load_checked(checked).digest == mini.digest == checked.digest


def test_the_untrained_model_needs_no_file_to_be_checked(mini: Sam2Backbone) -> None:
    loaded = load_checked(check_weights("untrained-mini", 512))
    assert (loaded.digest, loaded.name, loaded.untrained) == (mini.digest, "untrained-mini", True)


def test_weights_that_changed_since_they_were_checked_are_refused(tmp_path: Path, official_state: State) -> None:
    path = _saved(tmp_path, official_state)
    checked, before = check_weights(path, 64), path.stat()
    other = {**official_state, "no_obj_ptr": official_state["no_obj_ptr"] + 1e-6}
    _saved(tmp_path, other)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # the same bytes in number, and the same date
    assert path.stat().st_size == before.st_size
    with pytest.raises(WeightsError, match=rf"checkpoint\.pt: changed since it was checked: .* {checked.digest}"):
        load_checked(checked)


def test_a_folder_that_changed_since_it_was_checked_is_refused(tmp_path: Path) -> None:
    untrained_mini().save_pretrained(tmp_path)
    checked = check_weights(tmp_path)
    untrained_mini(seed=1).save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="changed since it was checked"):
        load_checked(checked)


def test_half_precision_files_are_the_same_weights_checked_and_loaded(
    tmp_path: Path, official_state: State
) -> None:
    half = {name: tensor.to(torch.bfloat16) for name, tensor in official_state.items()}
    path = _saved(tmp_path, half)
    assert load_checked(check_weights(path, 64)).digest == load_backbone(path, resolution=64).digest


def test_a_checkpoint_of_the_older_format_is_read(tmp_path: Path, shapes_only: State) -> None:
    path = tmp_path / "older.pt"
    torch.save({"model": shapes_only}, path, _use_new_zipfile_serialization=False)
    check_weights(path)


def test_a_sam_2_0_checkpoint_is_loaded(tmp_path: Path, official_state: State) -> None:
    since = ("no_obj_embed_spatial", "obj_ptr_tpos_proj.weight", "obj_ptr_tpos_proj.bias")
    older = {name: tensor for name, tensor in official_state.items() if name not in since}
    loaded = load_backbone(_saved(tmp_path, older), resolution=64)
    assert loaded.model.occlusion_spatial_embedding_parameter is None
    assert torch.equal(loaded.model.no_object_pointer, official_state["no_obj_ptr"])


def test_known_weights_are_read_at_their_own_resolution(
    tmp_path: Path, official_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = replace(KNOWN_WEIGHTS["sam2.1-tiny"], sha256=None, resolution=96)
    monkeypatch.setitem(KNOWN_WEIGHTS, known.name, known)
    (tmp_path / known.file).symlink_to(official_file)
    check_weights(known.name, folder=tmp_path)
    by_name = load_backbone(known.name, folder=tmp_path)
    assert (by_name.image_size, by_name.name) == (96, "sam2.1_hiera_tiny")
    assert load_backbone(known.name, folder=tmp_path, resolution=64).image_size == 64


def test_every_tensor_of_the_official_checkpoint_has_its_place(official_state: State) -> None:
    converted = convert_state(official_state)
    assert sum(t.numel() for t in official_state.values()) + 2 * 128 == sum(t.numel() for t in converted.values())
    points = [official_state[f"sam_prompt_encoder.point_embeddings.{i}.weight"] for i in range(4)]
    assert torch.equal(converted["prompt_encoder.point_embed.weight"], torch.cat(points))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hub")
    untrained_mini().save_pretrained(path)
    return path


def test_a_hugging_face_folder_gives_the_same_weights(folder: Path, mini: Sam2Backbone) -> None:
    loaded = load_backbone(folder, resolution=128, name="ours")
    assert loaded.digest == mini.digest
    assert loaded.name == "ours"


def test_a_folder_of_the_untrained_model_is_untrained(folder: Path, tmp_path: Path) -> None:
    assert load_backbone(folder).untrained
    other = untrained_mini(seed=1)
    other.save_pretrained(tmp_path)
    assert not load_backbone(tmp_path).untrained


def test_a_folder_is_read_at_its_own_resolution(folder: Path) -> None:
    check_weights(folder)
    assert load_backbone(folder).image_size == 128


@both
def test_a_folder_of_another_resolution_says_which(take: Taker, folder: Path) -> None:
    with pytest.raises(WeightsError, match=r"reads slices of 128 pixels, but the study asks for 512.*to 128"):
        take(folder, resolution=512)


@both
def test_a_folder_without_its_files_is_refused(take: Taker, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"it has no config\.json"):
        take(tmp_path)


@both
def test_a_folder_of_an_image_model_is_refused(take: Taker, folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_type": "sam2"}))
    (tmp_path / "model.safetensors").symlink_to(folder / "model.safetensors")
    with pytest.raises(WeightsError, match="model_type 'sam2', not 'sam2_video'"):
        take(tmp_path, resolution=128)


@both
def test_a_folder_with_damaged_tensors_is_refused(take: Taker, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:5000])
    with pytest.raises(WeightsError, match="cannot be loaded as a SAM 2 video model"):
        take(tmp_path, resolution=128)


@both
@pytest.mark.parametrize(
    ("value", "why"),
    [
        (torch.full((1, 128), torch.nan), "1 not finite: no_object_pointer"),
        (torch.zeros(1, 128, dtype=torch.int32), r"1 not floats: no_object_pointer \(torch\.int32\)"),
    ],
)
def test_a_folder_of_odd_values_is_refused(
    take: Taker, folder: Path, tmp_path: Path, value: torch.Tensor, why: str
) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    save_file(state | {"no_object_pointer": value}, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(WeightsError, match=why):
        take(tmp_path)


def test_a_folder_that_lacks_a_tensor_is_refused(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    del state["no_object_pointer"]
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(WeightsError, match="no_object_pointer"):
        load_backbone(tmp_path, resolution=128)


def test_the_untrained_model_says_so_and_is_the_same_everywhere(mini: Sam2Backbone) -> None:
    assert mini.untrained
    assert mini.name == "untrained-mini"
    assert mini.model.no_object_pointer[0, :2].tolist() == pytest.approx(UNTRAINED_POINTER, abs=1e-7)


UNTRAINED_POINTER = [0.23342256, 0.11620835]


def test_the_digest_is_of_content_and_configuration() -> None:
    model = untrained_mini()
    before = weights_digest(model)
    with torch.no_grad():
        model.no_object_pointer[0, 0] += 1e-6
    assert weights_digest(model) != before
    assert weights_digest(untrained_mini(96)) != weights_digest(untrained_mini(128))


def test_weights_of_other_types_have_a_digest_too() -> None:
    model = untrained_mini()
    assert weights_digest(model.to(torch.bfloat16)) != weights_digest(untrained_mini())


@pytest.mark.parametrize("device", ["foo", "cpu:foo", "meta", "cuda:99" if torch.cuda.is_available() else "xpu:99"])
def test_a_device_that_is_not_here_is_refused_with_those_that_are(device: str) -> None:
    with pytest.raises(WeightsError, match=rf"device '{device}': .*: cpu.*Use one of these"):
        load_backbone("untrained-mini", device=device)


def test_a_unit_of_an_accelerator_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("mps"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 1)
    with pytest.raises(WeightsError, match=r"device 'mps:1': .* There are: cpu, mps, mps:0\."):
        load_backbone("untrained-mini", device="mps:1")
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 0)
    with pytest.raises(WeightsError, match=r"device 'mps': .* There are: cpu\."):
        load_backbone("untrained-mini", device="mps")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(WeightsError, match=r"device 'cuda': PyTorch .* finds no CUDA GPU here\. Use device 'cpu'"):
        load_backbone("untrained-mini", device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_reads_as_the_cpu_does() -> None:
    frames = np.random.default_rng(0).integers(0, 255, (4, 40, 50)).astype(np.uint8)
    boxes = np.tile([10, 8, 30, 28], (4, 1))
    models = [load_backbone("untrained-mini", device=device) for device in ("cpu", "cuda")]
    cpu, gpu = (trace(model, frames, boxes, Protocol(), batch=2) for model in models)
    assert np.linalg.norm(cpu.memory - gpu.memory) < 1e-2 * np.linalg.norm(cpu.memory)
