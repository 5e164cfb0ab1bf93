"""What the model was shown of the region, and so what its drawn masks and the Dice of them tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engram.evaluation.results import DrawnMasks, StudyResults

UNKNOWN = (
    "Which prompt the model was shown is not saved, so Dice cannot be interpreted. Run 'engram embed', 'evaluate' "
    "and 'report' again: embeddings that are there are kept."
)
HANDED = (
    "On prompted slices the mask was handed to the model and taken as what it draws: this Dice says nothing about "
    "the model."
)
KEPT = "Nothing is left out of the analysis for its Dice."

_BOXES = {
    "box": "its box",
    "padded_box": "its padded box",
    "jittered_box": "its box, each edge moved at random",
    "coarse_box": "one box around the region on all slices",
    "random_box": "a box of the right size at a random place, a control",
}
_PROMPTS = {**_BOXES, "points": "points inside it"}


@dataclass(frozen=True)
class Shown:
    """How slices were prompted. kind: `embedding.prompt` of the study file, None where it was not saved;
    prompting: `embedding.prompting`; passes: 2 with a pass each way."""

    kind: str | None
    prompting: str
    passes: int = 1

    @classmethod
    def of(cls, results: StudyResults) -> Shown:
        """From the protocol that is saved with the results."""
        return cls.of_fields(results.provenance.protocol)

    @classmethod
    def of_fields(cls, protocol: Mapping[str, object]) -> Shown:
        """From the protocol in words."""
        kind = protocol.get("prompt_kind")
        prompting = str(protocol.get("prompting", "")).split(",")[0]
        return cls(None if kind is None else str(kind), prompting, 2 if protocol.get("passes") == 2 else 1)

    @property
    def tracks(self) -> bool:
        """Whether slices without a prompt were read."""
        return self.prompting in ("first", "every_k")


def note(shown: Shown) -> str:
    """What must be read with a table of Dice."""
    return " ".join([*_meaning(shown), KEPT])


def _meaning(shown: Shown) -> list[str]:
    if shown.kind is None:
        return [UNKNOWN]
    if shown.kind == "mask":
        return _handed(shown)
    some = ["Only some slices are prompted; the others are tracked from what was drawn before."] * shown.tracks
    if shown.kind == "random_box":
        return [
            f"The model is shown {_PROMPTS['random_box']}, not where the region is, so Dice is what such a prompt "
            "reaches.",
            *some,
        ]
    where = "on some slices " if shown.tracks else ""
    return [
        f"The model is shown {where}where the region is (the prompt: {_PROMPTS[shown.kind]}), so Dice says whether "
        "it finds the region there, not whether it would find it unaided.",
        *some,
    ]


def _handed(shown: Shown) -> list[str]:
    if not shown.tracks:
        return [HANDED, "Every slice read was prompted."]
    return [HANDED, "The other slices were tracked, and their Dice does tell; a patient's Dice mixes both."]


def sees_the_region(groups: Sequence[DrawnMasks], shown: Shown, *, untrained: bool) -> str:
    """In how many readings the drawn mask reaches the limit; no verdict where Dice measures its own input."""
    down = " With a pass each way, Dice is of the pass down only." if shown.passes == 2 else ""
    if shown.kind is None or shown.kind == "mask":
        return " ".join(_meaning(shown)) + down
    return _verdict(groups, shown, untrained=untrained) + down


def _verdict(groups: Sequence[DrawnMasks], shown: Shown, *, untrained: bool) -> str:
    n, flagged, limit = sum(g.n for g in groups), sum(g.flagged for g in groups), groups[0].limit
    one = "one scan of one patient, read for one region"
    found = f"Dice reaches the limit of {limit:g} in {n - flagged} of {n} readings ({one})"
    if not untrained:
        return f"{found}; the other {flagged} are flagged." if flagged else f"{found}."
    if flagged == n:
        return f"{found}: the model does not see the region; it was not trained."
    chance = "by chance alone" if shown.kind == "random_box" else "by chance and by the prompt alone"
    return f"{found}, {chance}: the model was not trained."


# PET alone is drawn so; said wherever its slices are shown.
INVERSE = "PET is in inverse grey, high uptake dark; the model reads it bright on black."


def colours(shown: Shown, *, drawn: bool) -> str:
    """What each colour of a picture is. drawn: whether what the model draws is on it."""
    sentences = [f"Green: region of interest{', whose mask is the prompt' if shown.kind == 'mask' else ''}."]
    sentences += _orange(shown)
    if drawn:
        handed = ", which on prompted slices is the mask that it was handed" if shown.kind == "mask" else ""
        sentences.append(f"Pink: what the model draws{handed}.")
    if shown.passes == 2:
        sentences.append("Of the two passes, the one down is shown.")
    return " ".join(sentences)


def _orange(shown: Shown) -> list[str]:
    if shown.kind == "mask":
        return []
    where = ", on prompted slices" if shown.tracks else ""
    what = f"the prompt, {_PROMPTS[shown.kind]}" if shown.kind is not None else "the prompt"
    return [f"Orange{where}: {what}."]
