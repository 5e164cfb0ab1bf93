"""Loading memory models: official checkpoints, Hugging Face folders, and a small untrained one."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import Sam2VideoConfig, Sam2VideoModel
from transformers.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

from engram.config_embedding import UNTRAINED_MINI
from engram.errors import WeightsError
from engram.files import canonical_json
from engram.memory.backbone import Sam2Backbone
from engram.memory.conversion import (
    State,
    check_resolution,
    check_values,
    convert_state,
    infer_config,
    some,
)
from engram.memory.mini import untrained_mini
from engram.memory.registry import ResolvedWeights, resolve_weights

_DEFAULT_RESOLUTION = 512


def load_backbone(
    path_or_name: str | Path,
    *,
    resolution: int | None = None,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    name: str | None = None,
    folder: Path | None = None,
) -> Sam2Backbone:
    """A frozen model from an official `.pt` file, a Hugging Face folder, a known name, or `untrained-mini`.

    resolution: pixels a side that slices are resized to; by default a folder's own, for a file what known weights
    were trained at, else 512. The untrained mini model has its own, and is known as untrained in a folder, too.
    name: what tables print; by default the file's own. folder: where known names are looked for first, see
    `resolve_weights`. Nothing is ever downloaded.
    Raises WeightsError where the file is missing, damaged, not a checkpoint, of another architecture or not of
    finite floats, naming the keys, or where there is no such device.
    """
    check_device(device)
    if str(path_or_name) == UNTRAINED_MINI:
        return _backbone(untrained_mini(), UNTRAINED_MINI, device, dtype)
    found = resolve_weights(path_or_name, folder=folder)
    side = _resolution(resolution, found)
    model = _from_official(found.path, side) if side is not None else _from_folder(found.path, resolution)
    return _backbone(model, name or _name(found.path), device, dtype, verified=found.verified)


def check_weights(path_or_name: str | Path, resolution: int | None = None, *, folder: Path | None = None) -> None:
    """Whether `load_backbone` would take these weights, in seconds: no model is filled with them.

    Reads the tensors once: compares the names and shapes of an official file's with the architecture; of a Hugging
    Face folder, checks the configuration and the values. Raises WeightsError as `load_backbone` does.
    """
    if str(path_or_name) == UNTRAINED_MINI:
        return
    found = resolve_weights(path_or_name, folder=folder)
    side = _resolution(resolution, found)
    if side is None:
        _check_folder(found.path, resolution)
        return
    official = _read_checkpoint(found.path)
    with _naming(found.path):
        with torch.device("meta"):
            model = Sam2VideoModel(infer_config(official, resolution=side))
        _compare(model, convert_state(official))
        check_values(official.items())


def check_device(device: str) -> None:
    """Raises WeightsError, naming the devices there are, where PyTorch cannot compute on this one."""
    here = ", ".join(_devices())
    try:
        asked = torch.device(device)
    except RuntimeError as error:
        raise WeightsError(f"device '{device}': not a device. There are here: {here}. Use one of these.") from error
    if asked.type == "cpu" or str(asked) in _devices():
        return
    if asked.type == "cuda" and not torch.cuda.is_available():
        raise WeightsError(
            f"device '{device}': PyTorch {torch.__version__} finds no CUDA GPU here. Use device 'cpu', or install "
            "PyTorch's CUDA build and check that 'nvidia-smi' lists the GPU."
        )
    raise WeightsError(
        f"device '{device}': PyTorch {torch.__version__} finds none here. There are: {here}. Use one of these."
    )


def _devices() -> list[str]:
    """What can be computed on here: the CPU, then the accelerator's name and each of its units."""
    accelerator, count = torch.accelerator.current_accelerator(), torch.accelerator.device_count()
    if accelerator is None or count == 0:
        return ["cpu"]
    return ["cpu", accelerator.type, *(f"{accelerator.type}:{i}" for i in range(count))]


def _resolution(asked: int | None, found: ResolvedWeights) -> int | None:
    """What an official file is read at; None for a folder, whose configuration says it."""
    if found.path.is_dir():
        return None
    known = found.known.resolution if found.known is not None else _DEFAULT_RESOLUTION
    side = known if asked is None else asked
    check_resolution(side)
    return side


def _name(path: Path) -> str:
    return path.resolve().name if path.is_dir() else path.stem


def _backbone(
    model: Sam2VideoModel,
    name: str,
    device: str,
    dtype: torch.dtype,
    *,
    verified: bool = False,
) -> Sam2Backbone:
    digest = weights_digest(model)
    untrained = digest == _untrained_digest()
    loaded = model.to(device=device, dtype=dtype)
    return Sam2Backbone(loaded, name=name, digest=digest, untrained=untrained, verified=verified)


@lru_cache(maxsize=1)
def _untrained_digest() -> str:
    return weights_digest(untrained_mini())


def _from_official(path: Path, resolution: int) -> Sam2VideoModel:
    official = _read_checkpoint(path)
    with _naming(path):
        model = Sam2VideoModel(infer_config(official, resolution=resolution))
        state = convert_state(official)
        _compare(model, state)
        check_values(official.items())
    model.load_state_dict(state, strict=True)
    return model


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


def _read_checkpoint(path: Path) -> Mapping[str, torch.Tensor]:
    try:
        damaged = _damaged_part(path)
        # Only the zip format of PyTorch 1.6 and later can be mapped; tensors are then read when they are used.
        content: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # a file of other content fails in any way: the unpickler reads it as instructions
        raise WeightsError(f"{path}: cannot be read as a checkpoint of tensors: {_what_it_is(path)}") from error
    if damaged is not None:
        raise WeightsError(f"{path}: its part '{damaged}' is damaged: its CRC-32 is wrong. Download it again.")
    state = content.get("model") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise WeightsError(f"{path}: expected {{'model': state_dict}}, as SAM 2 and MedSAM2 are published")
    return state


def _damaged_part(path: Path) -> str | None:
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        return archive.testzip()


def _what_it_is(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(256).lstrip().lower()
    if head.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer, not the file it points to. Download the file itself."
    if head.startswith((b"<!doctype", b"<html")):
        return "it is a web page. Download the file itself."
    return "it is damaged, or holds more than tensors, which is never loaded. Download it again."


def _compare(model: Sam2VideoModel, state: State) -> None:
    own = model.state_dict()
    complaints = [
        ("missing", sorted(set(own) - set(state))),
        ("unknown", sorted(set(state) - set(own))),
        (
            "of another shape",
            [f"{k} {tuple(state[k].shape)}, expected {tuple(own[k].shape)}" for k in sorted(own)
             if k in state and state[k].shape != own[k].shape],
        ),
    ]  # fmt: skip
    found = [f"{len(keys)} {kind}: {some(keys)}" for kind, keys in complaints if keys]
    if found:
        raise WeightsError(f"not a checkpoint of this architecture; tensors {'; '.join(found)}")


def _check_folder(folder: Path, resolution: int | None) -> None:
    for needed in ("config.json", "model.safetensors"):
        if not (folder / needed).is_file():
            raise WeightsError(f"{folder}: not a Hugging Face folder of a SAM 2 model: it has no {needed}")
    try:
        kind = Sam2VideoConfig.get_config_dict(folder, local_files_only=True)[0].get("model_type")
        config = Sam2VideoConfig.from_pretrained(folder, local_files_only=True) if kind == "sam2_video" else None
        with safe_open(folder / "model.safetensors", framework="pt") as content, _naming(folder):
            check_values((name, content.get_tensor(name)) for name in content.keys())  # noqa: SIM118
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise WeightsError(f"{folder}: cannot be loaded as a SAM 2 video model ({error})") from error
    if config is None:
        raise WeightsError(
            f"{folder}: config.json says model_type {kind!r}, not 'sam2_video'. Give that of a SAM 2 video model."
        )
    with _naming(folder):
        check_resolution(config.image_size)
    if resolution is not None and config.image_size != resolution:
        own = config.image_size
        raise WeightsError(
            f"{folder}: this model reads slices of {own} pixels, but the study asks for {resolution}. "
            f"Set embedding.resolution to {own}, or correct the folder's config.json."
        )


def _from_folder(folder: Path, resolution: int | None) -> Sam2VideoModel:
    _check_folder(folder, resolution)
    try:
        with _no_progress_bars():
            model, report = Sam2VideoModel.from_pretrained(
                folder, local_files_only=True, output_loading_info=True, use_safetensors=True
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{folder}: cannot be loaded as a SAM 2 video model ({error})") from error
    bad = [f"{kind}: {some(sorted(map(str, report[kind])))}" for kind in _STRICT if report.get(kind)]
    if bad:
        raise WeightsError(f"{folder}: not a checkpoint of this architecture; {'; '.join(bad)}")
    return model


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    was_on = is_progress_bar_enabled()
    disable_progress_bar()
    try:
        yield
    finally:
        if was_on:
            enable_progress_bar()


_STRICT = ("missing_keys", "unexpected_keys", "mismatched_keys")


def weights_digest(model: Sam2VideoModel) -> str:
    """SHA-256 (hex) of the names, shapes and bytes of all tensors, and of the configuration."""
    sha = hashlib.sha256()
    sha.update(canonical_json(_lasting(model.config.to_dict())).encode())
    for name, tensor in sorted(model.state_dict().items()):
        sha.update(f"{name}{tuple(tensor.shape)}".encode())
        # As bytes: NumPy has no bfloat16.
        sha.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return sha.hexdigest()


_VOLATILE = frozenset({"transformers_version", "_name_or_path", "architectures", "dtype", "torch_dtype"})


def _lasting(config: Any) -> Any:
    """The configuration without what loading and saving write into it."""
    if isinstance(config, dict):
        return {name: _lasting(value) for name, value in config.items() if name not in _VOLATILE}
    return config
