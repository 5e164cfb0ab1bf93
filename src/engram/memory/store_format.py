"""One file of the embedding store: safetensors with a seal, so that a damaged or misplaced file is known."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from engram.files import canonical_json

# What is said of a read-out, all of it. Nothing else may be, so that no patient is ever named in the store.
ABOUT_FIELDS: dict[str, type] = {
    "modality": str,
    "roi": str,
    "readout": str,
    "weights": str,
    "weights_digest": str,
    "protocol_digest": str,
    "engine_version": int,
    "slices": int,
    "protocol": str,
}
_NOT_ALWAYS = {"protocol"}  # files made before there was this field do not have it
DTYPES = ("float32", "float64", "int32", "uint8")

_KEY = re.compile(r"[0-9a-f]{64}")
_LENGTH_BYTES = 8  # a safetensors file starts with the length of its JSON header


@dataclass(frozen=True, eq=False)
class StoredReadOut:
    """What was kept of the memory of one patient, modality and region.

    arrays: by name, each of one of `DTYPES`: "memory" is float32 (entries, channels, h, w), oldest first; "vector"
    is float32 (width,). about: `ABOUT_FIELDS`; slices: how many were read; protocol: in words, "" where not said.
    """

    arrays: dict[str, npt.NDArray[Any]]
    about: dict[str, Any]


@dataclass(frozen=True)
class Header:
    """What a file says of itself. sha256: the seal, over all of its content; picture: SHA-256 of its picture."""

    key: str
    about: dict[str, Any]
    sha256: str
    picture: str | None


def is_key(text: object) -> bool:
    """Whether this is an address: 64 hexadecimal digits."""
    return isinstance(text, str) and _KEY.fullmatch(text) is not None


def encode(key: str, readout: StoredReadOut, picture: bytes | None) -> bytes:
    """The bytes of a file: equal content gives equal bytes. Raises ValueError where it is not fit to be stored."""
    if not is_key(key):
        raise ValueError(f"not an address of the store: {key!r}")
    _check_about(readout.about)
    arrays = {name: _plain(name, array) for name, array in sorted(readout.arrays.items())}
    fields: dict[str, Any] = {"key": key, "about": readout.about, "picture": picture_digest(picture)}
    fields["sha256"] = seal(fields, arrays)
    # One metadata field only: safetensors writes several in no fixed order.
    return bytes(save(arrays, metadata={"engram": canonical_json(fields)}))


def decode(content: bytes, key: str) -> tuple[StoredReadOut, Header]:
    """What a file holds. Raises ValueError, which says why, where it is not whole or not of this key."""
    header = _header(content[_LENGTH_BYTES : _LENGTH_BYTES + _header_bytes(content)], len(content))
    try:
        arrays = dict(load(content))
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise ValueError(f"it is damaged: {error}") from error
    if header.key != key:
        raise ValueError(f"it is the embedding of another address, {header.key}")
    if seal({"key": key, "about": header.about, "picture": header.picture}, arrays) != header.sha256:
        raise ValueError("it is damaged: its checksum is not that of its content")
    return StoredReadOut(arrays, header.about), header


def read_header(path: Path) -> Header:
    """What a file says of itself, without its arrays. Raises OSError; ValueError where it is cut short or foreign.

    The seal is not verified: that takes the arrays.
    """
    with path.open("rb") as stream:
        total = os.fstat(stream.fileno()).st_size
        length = min(_header_bytes(stream.read(_LENGTH_BYTES)), total)
        return _header(stream.read(length), total)


def picture_digest(picture: bytes | None) -> str | None:
    """SHA-256 (hex) of a picture."""
    return None if picture is None else hashlib.sha256(picture).hexdigest()


def _plain(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if array.dtype.name not in DTYPES:
        raise ValueError(f"array {name!r} is {array.dtype.name}; the store keeps {', '.join(DTYPES)}")
    return np.asarray(array, dtype=array.dtype.name, order="C")


def _check_about(about: Mapping[str, Any]) -> None:
    needed = {name: kind for name, kind in ABOUT_FIELDS.items() if name in about or name not in _NOT_ALWAYS}
    if {name: type(value) for name, value in about.items()} != needed:
        wanted = ", ".join(f"{name} ({kind.__name__})" for name, kind in ABOUT_FIELDS.items())
        raise ValueError(f"a read-out is described by {wanted}; not by {', '.join(sorted(about)) or 'nothing'}")


def seal(fields: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """SHA-256 (hex) over names, types, shapes and values of all arrays, and all that is said of them."""
    named = sorted(arrays.items())
    shapes = [[name, array.dtype.name, list(array.shape)] for name, array in named]
    sha = hashlib.sha256(canonical_json({**fields, "arrays": shapes}).encode())
    for _, array in named:
        sha.update(array.tobytes())
    return sha.hexdigest()


def _header_bytes(start: bytes) -> int:
    return int.from_bytes(start[:_LENGTH_BYTES], "little")


def _header(text: bytes, total: int) -> Header:
    try:
        tensors = json.loads(text)
        metadata = tensors.pop("__metadata__")
        end = max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
        if total != _LENGTH_BYTES + len(text) + end:
            raise ValueError(f"it has {total} bytes where its header speaks of {_LENGTH_BYTES + len(text) + end}")
        said = json.loads(metadata["engram"])
        _check_about(said["about"])
        return Header(said["key"], dict(said["about"]), said["sha256"], said["picture"])
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"it is damaged, or was made by another version: {error}") from error
