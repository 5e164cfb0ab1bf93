"""The variants of a study's reading that `engram sensitivity` compares with its own: which there are, and why.

Each changes one thing: the prompt, the mask that prompts (and mask-pooled read-outs) are made of, or the place of
the PET. Two are controls, which show the model nothing of the region.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from engram.config import StudyConfig
from engram.config_embedding import Embedding
from engram.config_robustness import Robustness, Towards
from engram.explain.mask_changes import MaskChange

Kind = Literal["prompt", "mask", "registration"]

_TOWARDS: Mapping[Towards, tuple[int, int, int]] = {
    "left": (1, 0, 0),
    "posterior": (0, 1, 0),
    "superior": (0, 0, 1),
}


@dataclass(frozen=True)
class PromptVariant:
    """One variant. name: unique, as tables print it. kind: what is disturbed.

    prompt: fields of `embedding` that are other than the study's. mask: what is done to each region's mask, None:
    nothing. pet_shift_mm: of the PET towards left, posterior and superior, None: none. control: whether the prompt
    shows nothing of the region.
    """

    name: str
    kind: Kind
    prompt: tuple[tuple[str, Any], ...] = ()
    mask: MaskChange | None = None
    pet_shift_mm: tuple[float, float, float] | None = None
    control: bool = False

    def of(self, config: StudyConfig) -> StudyConfig:
        """The study as this variant reads it. What the model draws is not compared with the region here."""
        changed = {**dict(self.prompt), "quality": False}
        return config.model_copy(update={"embedding": config.embedding.model_copy(update=changed)})


def prompt_variants(config: StudyConfig) -> list[PromptVariant]:
    """All that the section `robustness` asks for and that the study allows, in the order in which it is reported.

    A prompt that is the study's own is no variant, and a PET is shifted only against a CT.
    """
    wanted, own = config.robustness, config.embedding
    found = [variant for variant in _prompts(wanted) if not _is_own(variant, own)]
    found += _masks(wanted)
    if config.images is not None and config.images.ct is not None and "PET" in config.modalities:
        found += _shifts(wanted)
    return [*found, *_controls(wanted, own)]


def _prompts(wanted: Robustness) -> Iterator[PromptVariant]:
    yield _prompt("tight box", prompt="box")
    for mm in wanted.jitter_mm:
        yield _prompt(f"box jittered by {mm:g} mm", prompt="jittered_box", prompt_mm=mm, prompt_seed=wanted.seed)
    for mm in wanted.pad_mm:
        yield _prompt(f"box padded by {mm:g} mm", prompt="padded_box", prompt_mm=mm)
    if wanted.coarse_box:
        yield _prompt("one coarse box", prompt="coarse_box")
    for points in wanted.points:
        yield _prompt("1 point" if points == 1 else f"{points} points", prompt="points", points=points)
    if wanted.mask_prompt:
        yield _prompt("full mask", prompt="mask")


def _prompt(name: str, *, control: bool = False, **fields: Any) -> PromptVariant:
    return PromptVariant(name, "prompt", tuple(fields.items()), control=control)


def _is_own(variant: PromptVariant, own: Embedding) -> bool:
    return all(getattr(own, field) == value for field, value in variant.prompt)


def _masks(wanted: Robustness) -> Iterator[PromptVariant]:
    for mm in wanted.erode_mm:
        yield PromptVariant(f"mask eroded by {mm:g} mm", "mask", mask=MaskChange("erode", mm))
    for mm in wanted.dilate_mm:
        yield PromptVariant(f"mask dilated by {mm:g} mm", "mask", mask=MaskChange("dilate", mm))
    for mm in wanted.noise_mm:
        change = MaskChange("noise", mm, wanted.noise_length_mm, wanted.seed)
        yield PromptVariant(f"mask surface noise, sd {mm:g} mm", "mask", mask=change)


def _shifts(wanted: Robustness) -> Iterator[PromptVariant]:
    x, y, z = _TOWARDS[wanted.shift_towards]
    for mm in wanted.shift_mm:
        name = f"PET shifted {mm:g} mm {wanted.shift_towards}"
        yield PromptVariant(name, "registration", pet_shift_mm=(x * mm, y * mm, z * mm))


def _controls(wanted: Robustness, own: Embedding) -> Iterator[PromptVariant]:
    random = _prompt("random box (control)", control=True, prompt="random_box", prompt_seed=wanted.seed)
    if wanted.random_box and not _is_own(random, own):
        yield random
    if wanted.uninformative:
        yield PromptVariant("uninformative region (control)", "mask", mask=MaskChange("air"), control=True)
