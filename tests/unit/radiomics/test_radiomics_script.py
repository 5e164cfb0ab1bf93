"""The script that the other environment runs, with a MIRP of a few lines."""

from __future__ import annotations

import ast
import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from engram.radiomics import mirp_script
from engram.radiomics.mirp_script import main


def fake_mirp(image: str, mask: str, **settings: Any) -> list[pd.DataFrame]:
    if image == "bad":
        raise RuntimeError("mask is empty")
    rows = 2 if image == "two" else 1
    row = {
        "sample_name": "x",
        "image_voxel_size_x": 2.0,
        "stat_mean": settings["shift"],
        "ih_cov_fbs_w25.0": math.nan,
        "morph_moran_i": None,
    }
    return [pd.DataFrame([row] * rows)]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(sys.modules, "mirp", SimpleNamespace(extract_features=fake_mirp))
    monkeypatch.setitem(sys.modules, "mirp._features", SimpleNamespace())
    inside = SimpleNamespace(Data3DSpatial=type("Data3DSpatial", (), {}))
    monkeypatch.setitem(sys.modules, "mirp._features.morph_3d_data", inside)

    def _run(*images: str) -> Any:
        items = [
            {"name": image, "image": image, "mask": "m", "settings": {"shift": 1.5}, "spatial": False}
            for image in images
        ]
        (tmp_path / "request.json").write_text(json.dumps(items))
        main(tmp_path / "request.json", tmp_path / "out.json")
        return json.loads((tmp_path / "out.json").read_text())

    return _run


def test_features_alone_are_taken_and_undefined_ones_are_null(run: Any) -> None:
    assert run("a") == {"a": {"features": {"stat_mean": 1.5, "ih_cov": None}}}


def test_a_bad_region_is_told_and_stops_no_other(run: Any) -> None:
    found = run("bad", "two", "a")
    assert found["bad"] == {"error": "RuntimeError: mask is empty"}
    assert "2 rows for one region" in found["two"]["error"]
    assert "features" in found["a"]


def test_it_needs_nothing_that_an_environment_with_mirp_lacks() -> None:
    tree = ast.parse(Path(mirp_script.__file__).read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {(n.module if isinstance(n, ast.ImportFrom) else n.names[0].name) or "" for n in imports}
    assert {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) == {"mirp"}
