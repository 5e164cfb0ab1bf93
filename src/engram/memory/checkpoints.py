"""Files of weights to models: official checkpoints, and Hugging Face folders. Nothing but tensors is unpickled.

`trusted` leaves the slow checks of every byte and value out: for files that passed them, where the caller compares
the digest of the model that came out (`engram.memory.weights.load_checked`).
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import Sam2VideoConfig, Sam2VideoModel
from transformers.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

from engram.errors import WeightsError
from engram.memory.conversion import (
    State,
    check_resolution,
    check_values,
    convert_state,
    infer_config,
    some,
)


def from_official(path: Path, resolution: int, *, trusted: bool = False) -> Sam2VideoModel:
    """The model of an official `.pt` file, for slices of `resolution` pixels a side. Raises WeightsError."""
    official = _read_checkpoint(path, trusted=trusted)
    with _naming(path):
        model = Sam2VideoModel(infer_config(official, resolution=resolution))
        state = _checked_state(model, official, trusted=trusted)
    model.load_state_dict(state, strict=True)
    return model


def mapped_official(path: Path, resolution: int) -> Sam2VideoModel:
    """The same model with the file's own tensors in it, mostly unread: quick to make, for its digest alone.

    Buffers that no file holds are empty: it cannot compute. Raises WeightsError as `from_official` does.
    """
    official = _read_checkpoint(path, trusted=False)
    with _naming(path):
        with torch.device("meta"):
            model = Sam2VideoModel(infer_config(official, resolution=resolution))
        state = _checked_state(model, official, trusted=False)
    kinds = {name: tensor.dtype for name, tensor in model.state_dict().items()}
    model.load_state_dict({name: t.to(kinds[name]) for name, t in state.items()}, strict=True, assign=True)
    return model


def _checked_state(model: Sam2VideoModel, official: Mapping[str, torch.Tensor], *, trusted: bool) -> State:
    state = convert_state(official)
    _compare(model, state)
    if not trusted:
        check_values(official.items())
    return state


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


def _read_checkpoint(path: Path, *, trusted: bool) -> Mapping[str, torch.Tensor]:
    try:
        damaged = None if trusted else _damaged_part(path)
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


def _check_folder(folder: Path, resolution: int | None, *, trusted: bool) -> None:
    for needed in ("config.json", "model.safetensors"):
        if not (folder / needed).is_file():
            raise WeightsError(f"{folder}: not a Hugging Face folder of a SAM 2 model: it has no {needed}")
    try:
        kind = Sam2VideoConfig.get_config_dict(folder, local_files_only=True)[0].get("model_type")
        config = Sam2VideoConfig.from_pretrained(folder, local_files_only=True) if kind == "sam2_video" else None
        if not trusted:
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


def from_folder(folder: Path, resolution: int | None, *, trusted: bool = False) -> Sam2VideoModel:
    """The model of a Hugging Face folder. resolution: what it must have been made for; None takes its own.

    Raises WeightsError.
    """
    _check_folder(folder, resolution, trusted=trusted)
    try:
        with no_progress_bars():
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
def no_progress_bars() -> Iterator[None]:
    was_on = is_progress_bar_enabled()
    disable_progress_bar()
    try:
        yield
    finally:
        if was_on:
            enable_progress_bar()


_STRICT = ("missing_keys", "unexpected_keys", "mismatched_keys")
