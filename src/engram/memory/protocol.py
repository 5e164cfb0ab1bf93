"""How the slices of a study are read: every choice that changes a number, named and hashed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from engram.files import digest

Prompting = Literal["all", "interleaved", "first"]

# Raised by hand whenever a change of code changes an embedding, so that no old one is read back.
ENGINE_VERSION = 1


@dataclass(frozen=True)
class Protocol:
    """A reading of the slices (paper section 2.3.1; the ledger's requirements 12 to 15).

    prompting: what the paper leaves open.
        `all` - every slice is prompted before propagation: each is a conditioning frame and no memory is
        attended to (the literal reading of SAM 2's predictor);
        `interleaved` - slice t gets its box *and* the memory of the slices before it (the default: the paper says
        that memory accumulates);
        `first` - the first slice is prompted, the others are tracked.
    stride: every `stride`-th slice that has mask is read (the paper reads every second).
    bank_dtype: precision of the memories that later slices attend to. The official predictor rounds them to
        bfloat16; `float32` keeps them as computed.
    """

    prompting: Prompting = "interleaved"
    stride: int = 2
    bank_dtype: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        if self.prompting not in ("all", "interleaved", "first"):
            raise ValueError(f"unknown prompting {self.prompting!r}: use all, interleaved or first")
        if self.stride < 1:
            raise ValueError(f"stride must be at least 1, not {self.stride}")
        if self.bank_dtype not in ("float32", "bfloat16"):
            raise ValueError(f"unknown bank_dtype {self.bank_dtype!r}: use float32 or bfloat16")

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the choices and of the engine's version."""
        return digest({**asdict(self), "engine_version": ENGINE_VERSION})
