"""What tuning looks for (paper 2.4.1): ranges for each kind of model, and how found values become settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engram.config_models import Training
from engram.evaluation.rows import DEEPSURV, FLATTEN, NONE, PCA, RIDGE_COX, SELECTION, RowSpec
from engram.evaluation.tuning_records import TunedParameter, Value

_ATTENTION = "attention"
_OF_HIDDEN_LAYERS = {"layers", "width", "dropout", "norm"}  # a flattened memory is read by a linear model


def space_of(spec: RowSpec, base: Training) -> list[TunedParameter]:
    """The ranges that are searched for one row. base: the study file's `training`.

    Ridge Cox is searched for its penalty, which is per patient: the alpha of other software is this penalty times
    the number of training patients. Where `base` penalises DeepSurv by `l2`, that is searched in place of
    `weight_decay`.
    """
    found = [_components()] if spec.head == PCA else []
    if spec.survival == RIDGE_COX:
        return [_range("cox_penalty", 1e-3, 1e3, log=True), *found]
    searched = _deepsurv("l2" if base.l2 > 0 else "weight_decay")
    found += [one for one in searched if spec.head != FLATTEN or one.name not in _OF_HIDDEN_LAYERS]
    if has_map_head(spec):
        found.append(_range("embedding_dropout", 0.0, 0.5))
    if spec.head == _ATTENTION:
        found += [_choices("attention_base", 8, 16, 32), _choices("attention_out", 16, 32, 64, 128)]
    return found


def has_map_head(spec: RowSpec) -> bool:
    """Whether the row trains a head that reads memory as maps, which takes minutes, not seconds."""
    return spec.survival == DEEPSURV and spec.head not in (NONE, PCA, SELECTION)


def own_values(space: Sequence[TunedParameter], base: Training) -> dict[str, Value]:
    """What the study file itself says of the parameters of a space, whether or not it lies in the ranges."""
    given: dict[str, Any] = base.model_dump() | {"layers": len(base.hidden), "width": _width(base.hidden)}
    return {parameter.name: given[parameter.name] for parameter in space}


def settings_of(values: Mapping[str, Value], base: Training) -> Training:
    """`base` with the values of one trial. Raises ValidationError where they contradict what is not searched."""
    updates: dict[str, Any] = {name: value for name, value in values.items() if name not in ("layers", "width")}
    if "layers" in values:
        updates["hidden"] = (values["width"],) * int(values["layers"])
    return Training.model_validate(base.model_dump() | updates)


def _deepsurv(penalty: str) -> list[TunedParameter]:
    return [
        _choices("layers", 0, 1, 2),
        _choices("width", 8, 16, 32, 64),
        _range("dropout", 0.0, 0.6),
        _range("learning_rate", 1e-4, 1e-2, log=True),
        _range(penalty, 1e-5, 1.0, log=True),
        _range("clip_norm", 0.5, 5.0),
        _choices("norm", "none", "layer", "batch"),
        _choices("schedule", "cosine", "step"),
    ]


def _components() -> TunedParameter:
    return _choices("components", 4, 8, 16)


def _range(name: str, low: float, high: float, *, log: bool = False) -> TunedParameter:
    return TunedParameter(name=name, low=low, high=high, log=log)


def _choices(name: str, *choices: Value) -> TunedParameter:
    return TunedParameter(name=name, choices=list(choices))


def _width(hidden: Sequence[int]) -> Value:
    """One number where all layers are as wide; a linear model has no width, and any number will do."""
    widths = set(hidden)
    if len(widths) > 1:
        return " x ".join(str(width) for width in hidden)
    return widths.pop() if widths else 8
