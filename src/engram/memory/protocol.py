"""How the slices of a study are read: every choice that changes a number, named and hashed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from math import inf
from numbers import Real
from typing import Any, Literal, get_args

from engram.config_embedding import PromptKind
from engram.files import digest

Prompting = Literal["all", "interleaved", "first", "every_k"]
Direction = Literal["down", "up", "both"]
Precision = Literal["float32", "bfloat16"]

# Raised by hand whenever a change of code changes an embedding, so that no old one is read back.
ENGINE_VERSION = 3

_CHOICES: dict[str, tuple[str, ...]] = {
    "prompting": get_args(Prompting),
    "prompt": get_args(PromptKind),
    "direction": get_args(Direction),
    "precision": get_args(Precision),
    "bank_dtype": ("float32", "bfloat16"),
}
_WHOLE = ("every", "points", "prompt_seed", "stride", "resolution")
_LEAST: dict[str, float] = {"every": 1, "prompt_mm": 0, "points": 1, "prompt_seed": 0, "stride": 1}
_WAYS: dict[Direction, tuple[bool, ...]] = {"down": (False,), "up": (True,), "both": (False, True)}


@dataclass(frozen=True)
class Protocol:
    """A reading of the slices (paper section 2.3.1; the ledger's requirements 12 to 16).

    prompting: what the paper leaves open.
        `all` - every slice is prompted before propagation: each is a conditioning frame and no memory is
        attended to (the literal reading of SAM 2's predictor);
        `interleaved` - slice t gets its prompt *and* the memory of the slices before it (the default: the paper
        says that memory accumulates);
        `first` - the first slice is prompted, the others are tracked;
        `every_k` - as `interleaved` on the first slice and each `every`-th after it, the others are tracked: with
        `every` 1 it is `interleaved`, with as many as there are slices it is `first`.
    prompt: what is shown of the region (`engram.memory.prompts`); the paper settled on the tight box.
    prompt_mm: padding of a padded box, standard deviation of each edge of a jittered one, in mm; points: clicks of
    `points`; prompt_seed: of jittered and random boxes.
    stride: every `stride`-th slice that has mask is read (the paper reads every second).
    direction: `down` the body (the paper), `up`, or `both`: two passes that know nothing of each other.
    resolution: pixels a side that the model must have; None takes the model's own.
    precision: `bfloat16` computes under autocast, the authors' setting on a GPU; `float32` computes in the weights'
    own type.
    bank_dtype: precision of the memories that later slices attend to. The official predictor rounds them to
    bfloat16; `float32` keeps them as computed.
    """

    prompting: Prompting = "interleaved"
    every: int = 8
    prompt: PromptKind = "box"
    prompt_mm: float = 10.0
    points: int = 3
    prompt_seed: int = 0
    stride: int = 2
    direction: Direction = "down"
    resolution: int | None = None
    precision: Precision = "float32"
    bank_dtype: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"unknown {name} {getattr(self, name)!r}: use one of {', '.join(allowed)}")
        for name in _WHOLE:
            value = getattr(self, name)
            # bool is a kind of int, and True would be read as 1. None is the model's own resolution.
            if type(value) is not int and (name, value) != ("resolution", None):
                raise ValueError(f"{name} must be a whole number (int), not {value!r} ({type(value).__name__})")
        object.__setattr__(self, "prompt_mm", _plain_mm(self.prompt_mm))
        for name, least in _LEAST.items():
            if not least <= getattr(self, name) < inf:
                raise ValueError(f"{name} must be at least {least}, and finite, not {getattr(self, name)}")

    @property
    def fields(self) -> dict[str, Any]:
        """The choices that decide a number, by name: a seed is left out where nothing is drawn, and so on."""
        prompting = self._plain_prompting
        unused = {
            "every": prompting != "every_k",
            "prompt_mm": self.prompt not in ("padded_box", "jittered_box"),
            "points": self.prompt != "points",
            "prompt_seed": self.prompt not in ("jittered_box", "random_box"),
            "resolution": self.resolution is None,
            "bank_dtype": self.prompting == "all",
        }
        decided = asdict(self) | {"prompting": prompting}
        return {name: value for name, value in decided.items() if not unused.get(name, False)}

    @property
    def _plain_prompting(self) -> Prompting:
        """Every slice prompted is the same reading, whichever of its two names it was asked for by."""
        return "interleaved" if self.prompting == "every_k" and self.every == 1 else self.prompting

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the choices that decide a number and of the engine's version."""
        return digest({**self.fields, "engine_version": ENGINE_VERSION})

    @property
    def words(self) -> str:
        """`fields` in one line, by their names in a study file."""
        return ", ".join(f"{name} {value}" for name, value in self.fields.items())

    @property
    def ways(self) -> tuple[bool, ...]:
        """The passes in their order: whether each goes up the body."""
        return _WAYS[self.direction]

    @property
    def remembers(self) -> bool:
        """Whether a slice looks back on others."""
        return self.prompting != "all"

    @property
    def without_memory(self) -> Protocol:
        """The same prompts on the same slices, of which none looks back on another."""
        return replace(self, prompting="all")

    def is_prompted(self, position: int) -> bool:
        """Whether the slice at this place of a pass (0 is read first) gets its prompt."""
        if self.prompting == "every_k":
            return position % self.every == 0
        return position == 0 or self.prompting != "first"


def _plain_mm(value: object) -> float:
    """One float for one length: 5, 5.0 and NumPy's 5 are the same reading, -0.0 is 0.0."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"prompt_mm must be a number of mm, not {value!r} ({type(value).__name__})")
    return float(value) + 0.0
