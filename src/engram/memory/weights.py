"""Loading memory models: official checkpoints, Hugging Face folders, and a small untrained one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from transformers import Sam2VideoModel

from engram.config_embedding import UNTRAINED_MINI
from engram.errors import WeightsError
from engram.files import canonical_json
from engram.memory.backbone import Sam2Backbone
from engram.memory.checkpoints import from_folder, from_official, mapped_official
from engram.memory.conversion import check_resolution
from engram.memory.mini import untrained_mini
from engram.memory.registry import ResolvedWeights, resolve_weights

_DEFAULT_RESOLUTION = 512


@dataclass(frozen=True)
class CheckedWeights:
    """Weights as they were when they passed every check.

    path: None for the untrained mini model. resolution: pixels a side that an official file is read at, or that a
    folder must have been made for, None where it may be any. digest: `weights_digest` of the model. verified:
    whether they are, byte for byte, weights whose published SHA-256 is known. licence: None where it is not known.
    """

    path: Path | None
    resolution: int | None
    digest: str
    verified: bool
    licence: str | None = None


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
    model = from_official(found.path, side) if side is not None else from_folder(found.path, resolution)
    return _backbone(model, name or weights_name(found.path), device, dtype, verified=found.verified)


def check_weights(
    path_or_name: str | Path, resolution: int | None = None, *, folder: Path | None = None
) -> CheckedWeights:
    """What `load_backbone` would take, checked whole once: `load_checked` takes it as often as needed.

    Compares the names and shapes of all tensors with the architecture, and looks at every byte and value. Raises
    WeightsError as `load_backbone` does.
    """
    if str(path_or_name) == UNTRAINED_MINI:
        return CheckedWeights(None, None, _untrained_digest(), verified=False)
    found = resolve_weights(path_or_name, folder=folder)
    side = _resolution(resolution, found)
    model = mapped_official(found.path, side) if side is not None else from_folder(found.path, resolution)
    asked = resolution if side is None else side
    licence = found.known.licence if found.known is not None else None
    return CheckedWeights(found.path, asked, weights_digest(model), verified=found.verified, licence=licence)


def load_checked(
    weights: CheckedWeights, *, device: str = "cpu", dtype: torch.dtype = torch.float32, name: str | None = None
) -> Sam2Backbone:
    """The model of weights that were checked, without the slow checks; what was loaded is compared with them.

    Raises WeightsError where a tensor or the configuration is another one by now, or there is no such device.
    """
    check_device(device)
    if weights.path is None:
        return _backbone(untrained_mini(), UNTRAINED_MINI, device, dtype)
    model = _again(weights.path, weights.resolution)
    digest = weights_digest(model)
    if digest != weights.digest:
        raise WeightsError(
            f"{weights.path}: changed since it was checked: the SHA-256 of the model is {digest}, it was "
            f"{weights.digest}. Leave the weights alone during a run, then run the same command again."
        )
    return _backbone(model, name or weights_name(weights.path), device, dtype, verified=weights.verified)


def _again(path: Path, resolution: int | None) -> Sam2VideoModel:
    if resolution is None or path.is_dir():
        return from_folder(path, resolution, trusted=True)
    return from_official(path, resolution, trusted=True)


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
    if found.known is not None and not found.known.remembers:
        raise WeightsError(
            f"{found.path}: these are the weights '{found.known.name}', of an image encoder without a memory. Give "
            f"those of a SAM 2 model under embedding.weights; models.baselines: [{found.known.name}] runs this one."
        )
    if found.path.is_dir():
        return None
    known = found.known.resolution if found.known is not None else _DEFAULT_RESOLUTION
    side = known if asked is None else asked
    check_resolution(side)
    return side


def weights_name(path: Path) -> str:
    """What tables print of weights without a name of their own."""
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
