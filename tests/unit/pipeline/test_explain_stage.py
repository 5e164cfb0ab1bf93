"""`engram explain` on a tiny study: its files and words, what it makes twice (nothing), what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from engram import commands_explain
from engram.config import StudyConfig
from engram.errors import ConfigError, StorageError
from engram.evaluation.explain_file import load_explanation
from engram.evaluation.reach_records import load_reach
from engram.evaluation.results import load_results
from engram.explain.patches import patch_grid
from engram.imaging.frames import to_frames
from engram.memory import load_backbone
from engram.memory.engine import Wanted, read_regions
from engram.memory.prompts import slice_prompts
from engram.memory.readouts import Region, read_out
from engram.memory.rereading import Rereader
from engram.pipeline.check import check
from engram.pipeline.console import Silent
from engram.pipeline.embed import embed
from engram.pipeline.evaluate import evaluate, study_digest
from engram.pipeline.explain import Asked, explain
from engram.pipeline.explain_study import chosen_row, explained_study, spread_over_risk
from engram.pipeline.folders import RunFolder
from engram.pipeline.patients import open_patient
from engram.pipeline.requests import protocol_of, window_of

ROW = "PET + CT + clinical, spine, volume"
SECTIONS: dict[str, Any] = {
    "rois": {"spine": {"region": "spine_dilated"}},
    "embedding": {"readouts": ["volume"], "stride": 1},
    "models": {"families": ["clinical", "image", "multimodal"], "baselines": []},
    "training": {"max_epochs": 3, "inner_folds": 1, "ensemble": 1},
    "explain": {"patients": 2, "patch_mm": [15, 16, 16], "stride_mm": [15, 16, 16], "row": ROW},
}


@pytest.fixture
def config(made: Any) -> StudyConfig:
    """The study, evaluated."""
    for number, row in enumerate(made.rows):
        row |= {"age": str(50 + 3 * (number % 4)), "patient_id": f"MRN-{number}-x"}
    config: StudyConfig = made.config(**SECTIONS)
    embed(config, check(config, workers=0, console=Silent()), workers=0, console=Silent())
    evaluate(config, workers=0, console=Silent())
    return config


@pytest.fixture
def without_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """The maps alone, for the reach takes as long as they do."""
    monkeypatch.setattr("engram.pipeline.explain.measure_reach", lambda *_, **__: None)


def run(config: StudyConfig, **asked: Any) -> Path:
    return explain(config, Asked(**asked), workers=0, console=Silent())


def voxels(path: Path) -> Any:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def changed(config: StudyConfig, **fields: Any) -> StudyConfig:
    return config.model_copy(update={"explain": config.explain.model_copy(update=fields)})


def test_the_command_from_results_to_the_page(
    config: StudyConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands_explain, "load_config", lambda _path: config)
    commands_explain.explain(Path("study.yaml"), workers=0)
    assert "Report: " in capsys.readouterr().out
    folder = RunFolder.of(config)
    found = load_explanation(folder.explanation)
    assert found.row == ROW
    assert [one.occluded for one in found.maps] == 2 * ["PET", "CT", "PET + CT"]
    assert len({one.patient for one in found.maps}) == 2
    assert all(one.lowest <= one.highest for one in found.maps)
    assert any(one.lowest < 0 or one.highest > 0 for one in found.maps)
    assert [one.control for one in found.controls] == ["permuted outcomes", "untrained weights"]
    assert found.covariates is not None
    assert [effect.covariate for effect in found.covariates.effects] == ["age"]
    assert found.attribution is not None
    assert found.grad_cam == []
    assert {curve.patient for curve in load_reach(folder.reach).curves} == {one.patient for one in found.maps}
    page = (folder.root / "report.html").read_text()
    for one in found.maps:
        assert f"Patient {one.patient}, {one.occluded} occluded" in page
    assert 'id="explained"' in page
    assert 'id="reach"' in page
    assert "figures/" not in page
    assert (folder.root / "tables" / "maps.csv").is_file()
    texts = [path.read_text() for path in folder.explained.glob("*.svg")] + [folder.explanation.read_text(), page]
    assert not any("MRN-" in text for text in texts)


@pytest.mark.usefixtures("without_reach")
def test_a_map_is_what_an_occluded_study_would_have_had(config: StudyConfig) -> None:
    """The slow way: a patch filled in the image itself, embedded as any study, and the risk of the fold's model."""
    found = explained_study(config, workers=0, console=Silent())
    position = spread_over_risk(found, 1)[0]
    explained = load_explanation(run(config, ids=(found.table.features.ids[position],)))
    record = found.inputs.cohort.records[position]
    seen = open_patient(record, config)
    patch = patch_grid(
        seen.masks["spine"],
        seen.pair.grid.spacing_mm,
        patch_mm=config.explain.patch_mm,
        stride_mm=config.explain.stride_mm,
    )[0]
    (only,) = (RunFolder.of(config).deltas).glob("*.json")
    kept = json.loads(only.read_text())["deltas"]["0"]
    filled = seen.pair.volume("CT").voxels.astype(np.float32).copy()
    filled[patch.box] = np.mean(seen.pair.volume("CT").voxels, dtype=np.float64)
    one = embedding_of(config, seen, filled)
    model = found.models[found.fold_of(position)]
    alone = found.table.features.subset(np.array([position]))
    key = next(key for key in alone.embeddings if key.modality == "CT" and key.readout == "volume")
    risk = model.risk_of_versions(alone, {key: one[None]})[0] - model.risk(alone)[0]
    assert kept["CT"] == pytest.approx(risk, rel=1e-6, abs=1e-9)
    assert kept["CT"] != 0
    deltas = [one["CT"] for one in json.loads(only.read_text())["deltas"].values()]
    of_ct = next(one for one in explained.maps if one.occluded == "CT")
    assert (of_ct.lowest, of_ct.highest) == (min(0, *deltas), max(0, *deltas))
    assert explained.maps[0].patches == len(json.loads(only.read_text())["patches"])


def embedding_of(config: StudyConfig, seen: Any, voxels: Any) -> Any:
    protocol, mask, spacing = protocol_of(config), seen.masks["spine"], seen.pair.grid.spacing_mm
    frames = to_frames(replace(seen.pair.volume("CT"), voxels=voxels), window_of(config, "CT"))
    region = Region(slice_prompts(mask, protocol, spacing), mask, spacing)
    wanted = {"spine": Wanted(region, (read_out("volume"),))}
    return read_regions(load_backbone("untrained-mini"), frames, wanted, protocol)["spine"]["volume"]["vector"]


@pytest.mark.usefixtures("without_reach")
def test_a_kill_loses_one_patch_at_most_and_changes_nothing(
    config: StudyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = changed(config, patients=1)
    folder = RunFolder.of(config)
    whole = run(config).read_bytes()
    maps = {
        path.name: sitk.GetArrayFromImage(sitk.ReadImage(str(path))) for path in folder.explained.glob("*.nii.gz")
    }
    assert len(maps) == 3 * 2
    for path in folder.deltas.glob("*.json"):
        path.unlink()
    original, calls = Rereader.reread, []

    def killed(self: Any, planes: Any) -> Any:
        calls.append(1)
        if len(calls) == 4:  # two scans of the second patch
            raise KeyboardInterrupt
        return original(self, planes)

    with monkeypatch.context() as patch:
        patch.setattr(Rereader, "reread", killed)
        with pytest.raises(KeyboardInterrupt):
            run(config)
    (begun,) = folder.deltas.glob("*.json")
    assert len(json.loads(begun.read_text())["deltas"]) == 1
    assert run(config).read_bytes() == whole
    for path in folder.explained.glob("*.nii.gz"):
        np.testing.assert_array_equal(voxels(path), maps[path.name])
    with monkeypatch.context() as patch:
        patch.setattr("engram.explain.occlusion.OccludedScan.without", lambda *_: pytest.fail("made again"))
        assert run(config).read_bytes() == whole


@pytest.mark.usefixtures("without_reach")
def test_fast_reads_within_its_tolerance_and_is_kept_apart(config: StudyConfig) -> None:
    config = changed(config, patients=1, controls=False)
    exact = load_explanation(run(config))
    fast = load_explanation(run(changed(config, mode="fast", tolerance=1e-6)))
    assert (exact.tolerance, fast.tolerance) == (None, 1e-6)
    assert [one.lowest for one in fast.maps] == pytest.approx([one.lowest for one in exact.maps], abs=1e-3)
    assert len(list(RunFolder.of(config).deltas.glob("*.json"))) == 2


def test_patients_are_asked_for_by_name_and_by_risk(config: StudyConfig) -> None:
    found = explained_study(changed(config, controls=False), workers=0, console=Silent())
    assert found.controls == {}
    everyone = spread_over_risk(found, 99)
    assert everyone == list(range(10))
    for model in found.models:
        order = model.test_index[np.argsort(model.test_risk)]
        assert {order[0], order[-1]} & set(spread_over_risk(found, 2))
    (highest,) = spread_over_risk(found, 1)
    assert any(highest == model.test_index[np.argmax(model.test_risk)] for model in found.models)
    with pytest.raises(ConfigError, match="'nobody' is no patient of this study"):
        run(config, ids=("nobody",))


def test_the_default_row_is_the_best_that_reads_a_memory_alone(config: StudyConfig) -> None:
    results = load_results(RunFolder.of(config).results)
    row = chosen_row(changed(config, row=None), results)
    image = [one for one in results.rows if one.family == "image"]
    assert row.name == max(image, key=lambda one: one.mean or 0).name
    with pytest.raises(ConfigError, match="'Clinical, ridge Cox' is no row of a memory that has results"):
        chosen_row(changed(config, row="Clinical, ridge Cox"), results)


@pytest.mark.usefixtures("without_reach")
def test_a_row_of_the_pet_alone_is_shown_over_the_ct(made: Any) -> None:
    """The CT is on the pages, though no row sees it: masks lie on its grid. Maps of earlier settings are gone."""
    models = {"families": ["image"], "origins": ["PET"], "baselines": []}
    settings = SECTIONS["explain"] | {"row": None, "patients": 1, "controls": False}
    config = made.config(**(SECTIONS | {"models": models, "explain": settings}))
    embed(config, check(config, workers=0, console=Silent()), workers=0, console=Silent())
    evaluate(config, workers=0, console=Silent())
    found = load_explanation(run(config))
    assert [one.occluded for one in found.maps] == ["PET"]
    again = load_explanation(run(changed(config, patch_mm=(20.0, 20.0, 20.0))))
    assert again.maps[0].overlay != found.maps[0].overlay
    stem = again.maps[0].overlay.removesuffix(".svg")
    assert {path.name for path in RunFolder.of(config).explained.iterdir()} == {
        f"{stem}{end}" for end in (".svg", "_signed.nii.gz", "_absolute.nii.gz")
    }


def test_what_was_not_evaluated_is_not_explained(config: StudyConfig) -> None:
    other = config.model_copy(update={"evaluation": config.evaluation.model_copy(update={"seed": 7})})
    with pytest.raises(StorageError, match="results of another study file"):
        run(other)
    assert study_digest(changed(config, patients=1)) == study_digest(config)
    RunFolder.of(config).results.unlink()
    with pytest.raises(StorageError, match="no results here yet"):
        run(config)
