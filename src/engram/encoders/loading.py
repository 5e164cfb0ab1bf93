"""From a file or a Hugging Face folder to a model of transformers, strictly: each tensor has its place, or none is
taken. Nothing but tensors is unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers.utils.logging import get_verbosity, set_verbosity, set_verbosity_error

from engram.encoders.pixels import Pixels
from engram.errors import WeightsError
from engram.memory.checkpoints import no_progress_bars
from engram.memory.conversion import State, check_values, some

_FILES = ("model.safetensors", "pytorch_model.bin")  # of a Hugging Face folder, the first that is there
_COUNTERS = "num_batches_tracked"  # of batch norm, int64: read in training alone


@dataclass(frozen=True)
class Architecture:
    """What transformers is asked for.

    kind: model_type of config.json; configuration, model: its classes; options: of the model; heads: beginnings of
    names of tensors that were on top in training, and are left out; pixels: of the published weights.
    """

    kind: str
    configuration: Any
    model: Any
    options: Mapping[str, Any]
    heads: tuple[str, ...]
    pixels: Pixels


@dataclass(frozen=True)
class LoadedEncoder:
    """A model, in evaluation and without gradients, and how its input is made."""

    model: Any
    pixels: Pixels


def load_model(path: Path, architecture: Architecture) -> LoadedEncoder:
    """The encoder of a file (.safetensors, or a torch file of tensors) or of a Hugging Face folder.

    A file without a folder is taken for the published architecture. Raises WeightsError, naming the tensors, where
    one is missing, unknown, of another shape, no float or not finite.
    """
    config, pixels = _configuration(path, architecture)
    state = _without_heads(_read_state(_file_of(path)), architecture)
    try:
        check_values((name, tensor) for name, tensor in state.items() if not name.endswith(_COUNTERS))
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    model = _filled(path, architecture, config, state)
    return LoadedEncoder(model.eval().requires_grad_(False), pixels)


def _file_of(path: Path) -> Path:
    if not path.is_dir():
        return path
    found = [path / name for name in _FILES if (path / name).is_file()]
    if not found:
        raise WeightsError(f"{path}: not a Hugging Face folder of a model: it has none of {', '.join(_FILES)}")
    return found[0]


def _configuration(path: Path, architecture: Architecture) -> tuple[Any, Pixels]:
    if not path.is_dir():
        return architecture.configuration(), architecture.pixels
    said = _read_json(path / "config.json")
    if said.get("model_type") != architecture.kind:
        raise WeightsError(
            f"{path}: config.json says model_type {said.get('model_type')!r}, not {architecture.kind!r}. "
            f"Give the folder of a model of that kind."
        )
    try:
        config = architecture.configuration.from_dict(said)
    except (ValueError, TypeError) as error:
        raise WeightsError(f"{path}: its config.json cannot be used ({error})") from error
    return config, _pixels(path, architecture, config)


def _pixels(path: Path, architecture: Architecture, config: Any) -> Pixels:
    """As the folder says: the size of a vision transformer is part of it, mean and sd are of its training."""
    usual = architecture.pixels
    file = path / "preprocessor_config.json"
    said = _read_json(file) if file.is_file() else {}
    try:
        mean, sd = (_three(said.get(f"image_{name}", usual_one)) for name, usual_one in _usual(usual))
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{file}: image_mean and image_std must be three numbers ({error})") from error
    return Pixels(int(getattr(config, "image_size", usual.size)), usual.resize, mean, sd)


def _usual(pixels: Pixels) -> tuple[tuple[str, Any], tuple[str, Any]]:
    return ("mean", pixels.mean), ("std", pixels.sd)


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _read_json(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(f"{file}: cannot be read ({error}). Download the folder again.") from error


def _read_state(file: Path) -> State:
    try:
        content: Any = (
            load_file(file)
            if file.suffix == ".safetensors"
            else torch.load(file, map_location="cpu", weights_only=True)
        )
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{file}: cannot be read as weights ({error}). Download it again.") from error
    except Exception as error:  # the unpickler reads a file of other content as instructions, and fails in any way
        raise WeightsError(f"{file}: holds more than tensors, or is damaged, and is never loaded.") from error
    if not isinstance(content, dict) or not all(isinstance(one, torch.Tensor) for one in content.values()):
        raise WeightsError(f"{file}: expected tensors by name (a state dict). Give a file of the encoder alone.")
    return dict(content)


def _without_heads(state: State, architecture: Architecture) -> State:
    """Counters are set: files of some versions have them, and no feature depends on them."""
    kept = {name: tensor for name, tensor in state.items() if not name.startswith(architecture.heads)}
    norms = [name.removesuffix("running_var") for name in kept if name.endswith(".running_var")]
    return kept | {f"{norm}{_COUNTERS}": torch.tensor(0) for norm in norms}


def _filled(path: Path, architecture: Architecture, config: Any, state: State) -> Any:
    loud = get_verbosity()
    set_verbosity_error()  # it would print a table of what is refused below
    try:
        with no_progress_bars():
            model, report = architecture.model.from_pretrained(
                None,
                config=config,
                state_dict=state,
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # so that the report names them
                **architecture.options,
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path}: cannot be loaded as {architecture.kind} ({error})") from error
    finally:
        set_verbosity(loud)
    found = {"missing": "missing_keys", "unknown": "unexpected_keys", "of another shape": "mismatched_keys"}
    bad = [f"{kind}: {some(_names(report[key]))}" for kind, key in found.items() if report.get(key)]
    if bad:
        raise WeightsError(f"{path}: not the weights of this {architecture.kind}; tensors {'; '.join(bad)}")
    return model


def _names(keys: Any) -> list[str]:
    """Names as they are, and with its shapes where one has another than expected."""
    return sorted(
        key if isinstance(key, str) else f"{key[0]} {tuple(key[1])}, expected {tuple(key[2])}" for key in keys
    )
