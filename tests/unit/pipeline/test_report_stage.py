"""What the stage gives to the pages: pictures, or why there are none."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from engram.config import StudyConfig
from engram.memory.store import EmbeddingStore
from engram.pipeline import report as stage
from engram.pipeline.folders import RunFolder
from engram.pipeline.requests import picture_of
from engram.report.beside import Beside

Given = dict[str, Any]
Keys = dict[str, dict[str, str]]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Given]:
    """What `write_report` is given: keys are those of embeddings.json, None where there is no such file."""

    def call(config: StudyConfig, keys: Keys | None = None, *, measured: bool = False) -> Given:
        shown: Given = {}
        embeddings = RunFolder.of(config).embeddings
        embeddings.parent.mkdir(exist_ok=True)
        if keys is not None:
            embeddings.touch()
        monkeypatch.setattr(stage, "saved_embedded", lambda _config: SimpleNamespace(keys=keys))
        monkeypatch.setattr(stage, "load_results", lambda _path: SimpleNamespace(drawn_masks=["one"] * measured))
        monkeypatch.setattr(stage, "write_report", lambda _results, _folder, **pictures: shown.update(pictures))
        stage.report(config)
        return shown

    return call


@pytest.mark.parametrize(("report", "titles"), [({}, ["PET, spine"]), ({"pictures": False}, [])])
def test_pictures_are_of_the_first_patient_or_of_nobody(
    made, given: Callable[..., Given], report: dict[str, bool], titles: list[str]
) -> None:
    config = made.config(report=report)
    name = f"PET|spine|{picture_of(config)}"
    keys = {"P1": {"PET|spine|final": "ab3", name: "ab1"}, "P2": {name: "ab2"}}
    for key in ("ab1", "ab2", "ab3"):
        path = EmbeddingStore(config.store_dir).picture_path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(key.encode())
    found = given(config, keys).get("pictures", [])
    assert [picture.title for picture in found] == titles
    assert [picture.png for picture in found] == [b"ab1"] * len(titles)


@pytest.mark.parametrize(
    ("embedding", "said", "not_said"),
    [
        ({}, "region of interest. Orange: the prompt, its box. Pink: what the model draws.", "passes"),
        ({"quality": False}, "Orange: the prompt, its box.", "Pink"),
        ({"prompt": "mask"}, "interest, whose mask is the prompt. Pink: what the model draws, which on", "Orange"),
        ({"prompt": "points"}, "Orange: the prompt, points inside it.", "box"),
        ({"prompt": "coarse_box"}, "Orange: the prompt, one box around the region on all slices.", "its box"),
        ({"prompt": "random_box"}, "a box of the right size at a random place, a control.", "its box"),
        ({"prompting": "first"}, "Orange, on prompted slices: the prompt, its box.", "Orange:"),
        ({"prompting": "every_k", "every": 1}, "Orange: the prompt", "on prompted slices"),
        ({"direction": "both"}, "Of the two passes, the one down is shown.", "on prompted"),
    ],
)
def test_the_caption_says_what_each_colour_is(made, embedding: dict[str, Any], said: str, not_said: str) -> None:
    caption = stage._caption(made.config(embedding=embedding), "CT")
    assert said in caption
    assert not_said not in caption


def test_what_is_missing_is_named_rather_than_a_failure(made, given: Callable[..., Given]) -> None:
    shown = given(made.config(), measured=True)
    assert shown["pictures"] == shown["studies"] == []
    no_embeddings, no_table = shown["absent"]
    assert "embeddings.json is missing. Run 'engram embed'" in no_embeddings
    assert "quality.csv is missing. Run 'engram evaluate'" in no_table


def test_pictures_that_are_not_in_the_store_are_named(made, given: Callable[..., Given]) -> None:
    shown = given(made.config(), {"P1": {"PET|spine|quality": "ab1"}})
    assert [text for text in shown["absent"] if "the store does not hold them" in text] == shown["absent"] != []


def test_nothing_is_missing_where_pictures_are_not_wanted(made, given: Callable[..., Given]) -> None:
    assert given(made.config(report={"pictures": False}), measured=True) == {"beside": Beside()}


@pytest.mark.parametrize("name", ["audit", "reach", "sensitivity"])
def test_an_audit_and_a_reach_of_the_run_folder_are_shown(
    made, given: Callable[..., Given], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    config = made.config(report={"pictures": False})
    RunFolder.of(config).root.mkdir(exist_ok=True)
    (RunFolder.of(config).root / f"{name}.json").touch()
    monkeypatch.setattr(stage, f"load_{name}", lambda path: path.name)
    assert given(config) == {"beside": Beside(**{name: f"{name}.json"})}
