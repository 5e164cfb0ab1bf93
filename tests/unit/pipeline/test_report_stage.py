"""Which pictures the page gets: of one patient, or of nobody where the study file says so."""

from __future__ import annotations

import pytest

from engram.memory.store import EmbeddingStore
from engram.pipeline.embedded import Embedded, save_embedded
from engram.pipeline.report import _pictures


@pytest.mark.parametrize(("report", "titles"), [({}, ["PET, spine"]), ({"pictures": False}, [])])
def test_pictures_are_of_the_first_patient_or_of_nobody(made, report: dict[str, bool], titles: list[str]) -> None:
    config = made.config(report=report)
    keys = {"P1": {"PET|spine|final": "ab1"}, "P2": {"PET|spine|final": "ab2"}}
    save_embedded(Embedded("mini", "w", True, {}, "p", keys, {}), config, "m")
    for key in ("ab1", "ab2"):
        path = EmbeddingStore(config.store_dir).picture_path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(key.encode())
    found = _pictures(config)
    assert [picture.title for picture in found] == titles
    assert [picture.png for picture in found] == [b"ab1"] * len(titles)
