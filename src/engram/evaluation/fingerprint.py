"""One digest of everything that was fitted, bit for bit: arrays, weights, encoders, chosen settings; no pickle."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel
from sklearn.base import BaseEstimator

from engram.files import digest

Leaf = tuple[str, bytes]  # where a value lies, and its kind and bits


def fingerprint(value: object) -> str:
    """SHA-256 (hex) of a fitted object: equal where every bit of what it holds is equal.

    value: scikit-learn estimators and pipelines, torch modules and tensors, dataclasses, pydantic models, arrays,
    data frames, containers and plain values, nested in any way. Raises TypeError naming the place of anything else:
    what is not understood must not be taken for unchanged.
    """
    return digest(parts(value))


def parts(value: object) -> dict[str, str]:
    """SHA-256 (hex) of each single thing inside, by its place such as 'steps[0][1].columns_.transformers_': what
    differs between two fits can so be named. Raises TypeError as `fingerprint` does."""
    return {place: hashlib.sha256(bits).hexdigest() for place, bits in _leaves(value, "", ())}


def _leaves(value: object, place: str, above: tuple[int, ...]) -> Iterator[Leaf]:
    if id(value) in above:
        raise TypeError(f"{place}: holds itself, and has no fingerprint")
    bits = _bits(value)
    if bits is not None:
        yield place, bits
        return
    inside = _inside(value)
    if inside is None:
        raise TypeError(f"{place or 'the value'}: a {type(value).__qualname__} has no fingerprint")
    yield place, f"{_kind(value)} of {len(inside)}".encode()
    for name, part in inside.items():
        yield from _leaves(part, f"{place}{name}", (*above, id(value)))


def _bits(value: object) -> bytes | None:
    """The kind and bits of a value that holds no others; None where it does."""
    if value is None or isinstance(value, bool | int | str | bytes):
        return f"{type(value).__name__} {value!r}".encode()
    if isinstance(value, float):
        return f"float {value.hex()}".encode()
    if isinstance(value, torch.Tensor):
        return _array_bits(value.detach().cpu().contiguous().numpy())
    if isinstance(value, np.ndarray | np.generic) and value.dtype != object:
        return _array_bits(np.asarray(value))
    if isinstance(value, type | np.dtype | slice):
        return f"{type(value).__name__} {value!r}".encode()
    return None


def _array_bits(array: np.ndarray[Any, Any]) -> bytes:
    return f"array {array.dtype.str} {array.shape} ".encode() + np.ascontiguousarray(array).tobytes()


def _inside(value: object) -> dict[str, object] | None:
    """What a value holds, by the name of its place; None for a kind that is not known."""
    if isinstance(value, Mapping):
        return {f"[{key!r}]": value[key] for key in sorted(value, key=repr)}
    if isinstance(value, set | frozenset):
        return _numbered(sorted(value, key=repr))
    if isinstance(value, list | tuple):
        return _numbered(value)
    if isinstance(value, np.ndarray):
        return {"(shape)": value.shape, **_numbered(value.ravel().tolist())}
    if isinstance(value, pd.DataFrame | pd.Series | pd.Index):
        return _of_frame(value)
    return _of_object(value)


def _of_object(value: object) -> dict[str, object] | None:
    if isinstance(value, torch.nn.Module):
        return {f".{name}": weights for name, weights in sorted(value.state_dict().items())} | {
            ".(form)": str(value)
        }
    if dataclasses.is_dataclass(value) or isinstance(value, BaseEstimator):
        return {f".{name}": part for name, part in sorted(vars(value).items())}
    if isinstance(value, BaseModel):
        return {".(json)": value.model_dump_json()}
    if type(value).__module__.startswith("engram."):  # plain classes of ours, such as RidgeCox
        return {f".{name}": part for name, part in sorted(vars(value).items())}
    return None


def _of_frame(value: pd.DataFrame | pd.Series[Any] | pd.Index[Any]) -> dict[str, object]:
    if isinstance(value, pd.DataFrame):
        columns = [value.iloc[:, number].to_numpy() for number in range(value.shape[1])]
        return {".columns": list(value.columns), ".index": value.index.to_numpy(), ".values": columns}
    return {".name": value.name, ".values": value.to_numpy()}


def _numbered(values: Any) -> dict[str, object]:
    return {f"[{number}]": value for number, value in enumerate(values)}


def _kind(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
