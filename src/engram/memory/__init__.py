"""A frozen SAM 2 family model reads the slices; its memory is the embedding.

`Protocol` says how slices are read, `load_backbone` loads a model, `trace` reads. They are loaded when first asked
for, so that what needs only the store or the protocol does not wait for PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engram.memory.protocol import Protocol
    from engram.memory.tracing import MemoryTrace, trace
    from engram.memory.weights import load_backbone

__all__ = ["MemoryTrace", "Protocol", "load_backbone", "trace"]

_HOME = {"MemoryTrace": "tracing", "trace": "tracing", "Protocol": "protocol", "load_backbone": "weights"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'engram.memory' has no attribute {name!r}")
    return getattr(import_module(f"engram.memory.{_HOME[name]}"), name)
