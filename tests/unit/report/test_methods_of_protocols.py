"""The methods of every way of reading: rendered from the study file's settings, they say what is done."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from engram.config import StudyConfig
from engram.config_embedding import PromptKind, ReadOutName
from engram.config_models import Training
from engram.evaluation.results import Provenance, StudyResults
from engram.memory.protocol import Direction, Prompting
from engram.pipeline.requests import protocol_fields
from engram.report.methods import methods

WHEN = {
    "all": ("before the pass began", "before each pass began"),
    "interleaved": ("each slice was prompted in its turn", "each slice was prompted in its turn"),
    "first": ("only the first slice was prompted", "only the first slice of each pass was prompted"),
    "every_k": (
        "every_k, k = 8: the first slice and every k-th slice read after it were prompted",
        "every_k, k = 8: the first slice of each pass and every k-th slice read after it were prompted",
    ),
}
WHAT = {
    "box": "The prompt: tight box of each prompted slice.",
    "padded_box": "The prompt: tight box of each prompted slice, padded by 10 mm.",
    "jittered_box": "The prompt: tight box of each prompted slice, each edge moved at random (sd 10 mm).",
    "mask": "The prompt: mask of each prompted slice, which the model takes as what it draws there.",
    "points": "The prompt: at most 3 points inside the mask of each prompted slice.",
    "coarse_box": "one box around the region on all slices read, the same for each prompted slice.",
    "random_box": "box of the right size at a random place on each prompted slice, a control.",
}
WAY = {
    "down": "from superior to inferior. Prompting",
    "up": "from inferior to superior. Prompting",
    "both": "from superior to inferior, and back in a pass that knows nothing of the first. Prompting",
}


def fields(**embedding: Any) -> dict[str, Any]:
    sections = {
        "name": "test",
        "manifest": "cohort.csv",
        "output": "results",
        "folder": Path("study"),
        "outcome": {"time": "t", "unit": "months", "event": "e"},
        "images": {"labels": "bones", "label_scheme": "totalsegmentator-2/total"},
        "rois": {"spine": {"region": "spine_dilated"}},
        "embedding": embedding,
    }
    config = StudyConfig.model_validate(sections)
    return protocol_fields(config, SimpleNamespace(image_size=512))  # type: ignore[arg-type]


def rendered(protocol: dict[str, Any], *, untrained: bool = False, verified: bool = False) -> str:
    made = Provenance(
        engram="0", python="3", libraries={}, study_digest="", manifest_digest="", weights="MedSAM2",
        weights_digest="", untrained_weights=untrained, verified_weights=verified, protocol=protocol,
        protocol_digest="", rois={}, training=Training().model_dump(mode="json"), seed=0,
    )  # fmt: skip
    flow = SimpleNamespace(pool=1)
    cohort = SimpleNamespace(n=1, events=1, endpoint="OS")
    parts: dict[str, Any] = {"provenance": made, "flow": flow, "cohort": cohort, "rows": [], "folds": []}
    return " ".join(methods(StudyResults.model_construct(source=None, **parts)))


@pytest.mark.parametrize(
    ("prompting", "prompt", "direction"),
    list(itertools.product(get_args(Prompting), get_args(PromptKind), get_args(Direction))),
)
def test_methods_of_every_way_of_reading(prompting: str, prompt: str, direction: str) -> None:
    found = fields(prompting=prompting, prompt=prompt, direction=direction)
    text, both = rendered(found), direction == "both"
    assert WHEN[prompting][both] in text
    assert WHAT[prompt] in text
    assert WAY[direction] in text
    assert ("final 2 memory entries of each pass." in text) is both
    assert ("each pass" in text) is both
    assert (found["prompt_kind"], found["passes"]) == (prompt, 1 + both)
    for slip in ("..", ",,", "  ", " ,", "{", "None"):
        assert slip not in text


def test_every_slice_prompted_is_told_as_what_it_is() -> None:
    assert fields(prompting="every_k", every=1)["prompting"] == "interleaved"


def test_one_is_not_told_as_many() -> None:
    text = rendered(fields(prompt="points", points=1, final_entries=1))
    assert "The prompt: one point inside the mask" in text
    assert "Read out of the memory of an image: final memory entry." in text


def test_read_outs_are_words() -> None:
    names = get_args(ReadOutName)
    said = fields(readouts=names)["read_out"].split("; ")
    assert said[:3] == [
        "final 2 memory entries",
        "the mean map over all slices (volume_map)",
        "mean, sd and maximum over all slices and pixels (volume)",
    ]
    assert [part.split(" (")[-1] for part in said[1:]] == [f"{name})" for name in names[1:]]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"untrained": True}, "random, untrained memory model MedSAM2 at"),
        ({"verified": True}, "frozen memory model MedSAM2 at"),
        ({}, "frozen memory model MedSAM2 (not verified) at"),
    ],
)
def test_weights_that_nobody_vouches_for_are_called_so(state: dict[str, bool], said: str) -> None:
    assert said in rendered(fields(), **state)


def test_the_numbering_of_label_maps_is_told() -> None:
    read_as = "label maps, whose numbers were read as totalsegmentator-2/total."
    protocol = fields()
    assert read_as in rendered(protocol)
    assert "label maps" not in rendered({name: v for name, v in protocol.items() if name != "label_schemes"})
