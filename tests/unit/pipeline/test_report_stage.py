"""Which pictures the page gets: of one patient, or of nobody where the study file says so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from engram.memory.store import EmbeddingStore
from engram.pipeline import report as stage
from engram.pipeline.embed import picture_of
from engram.pipeline.embedded import Embedded, save_embedded


@pytest.mark.parametrize(("report", "titles"), [({}, ["PET, spine"]), ({"pictures": False}, [])])
def test_pictures_are_of_the_first_patient_or_of_nobody(
    made, monkeypatch: pytest.MonkeyPatch, report: dict[str, bool], titles: list[str]
) -> None:
    config = made.config(report=report)
    name = f"PET|spine|{picture_of(config)}"
    keys = {"P1": {name: "ab1"}, "P2": {name: "ab2"}}
    save_embedded(Embedded("mini", "w", True, False, {}, "p", keys, {}), config, "m")
    for key in ("ab1", "ab2"):
        path = EmbeddingStore(config.store_dir).picture_path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(key.encode())
    given: dict[str, Any] = {}
    monkeypatch.setattr(stage, "load_results", lambda _path: SimpleNamespace(drawn_masks=[]))
    monkeypatch.setattr(stage, "write_report", lambda _results, _folder, **pictures: given.update(pictures))
    stage.report(config)
    assert [picture.title for picture in given.get("pictures", [])] == titles
    assert [picture.png for picture in given.get("pictures", [])] == [b"ab1"] * len(titles)
