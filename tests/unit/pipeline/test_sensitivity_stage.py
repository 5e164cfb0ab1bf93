"""`engram sensitivity` on a tiny study: its files, its words, what it makes twice (nothing), what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engram import commands_sensitivity
from engram.config import StudyConfig
from engram.errors import CohortError, ConfigError, StorageError
from engram.evaluation.robustness_records import load_sensitivity
from engram.memory.store import EmbeddingStore
from engram.pipeline import disturbed
from engram.pipeline.check import check
from engram.pipeline.console import Silent
from engram.pipeline.disturbed import embed_disturbed
from engram.pipeline.embed import embed
from engram.pipeline.evaluate import evaluate
from engram.pipeline.folders import RunFolder
from engram.pipeline.prompt_sensitivity import compared_rows, planned
from engram.pipeline.report import report

N = 6
FEW = {
    "jitter_mm": [], "pad_mm": [10.0], "coarse_box": False, "random_box": False, "points": [], "mask_prompt": False,
    "erode_mm": [5.0], "dilate_mm": [], "noise_mm": [], "uninformative": True, "shift_mm": [10.0],
}  # fmt: skip
SECTIONS: dict[str, Any] = {
    "rois": {"tumour": {"mask": "tumour"}},
    "images": {},
    "embedding": {"readouts": ["roi"], "stride": 1},
    "models": {"families": ["image"], "origins": ["PET"], "baselines": []},
    "report": {"pictures": False},
    "robustness": FEW,
}


def embedded(made: Any, **sections: Any) -> StudyConfig:
    """The study, embedded. The first patient's tumour is so thin that nothing is left of it when it is eroded."""
    del made.rows[N:]
    thin = np.zeros((6, 12, 12), np.uint8)
    thin[1:5, 4:8, 4:5] = 1
    made.write(thin, "0_tumour.nii.gz")
    config = made.config(**(SECTIONS | sections))
    embed(config, check(config, workers=0, console=Silent()), workers=0, console=Silent())
    return config


def files(config: StudyConfig) -> dict[Path, tuple[int, bytes]]:
    return {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in config.store_dir.glob("??/*.safetensors")}


def test_the_command_from_the_study_to_the_page(
    made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = embedded(made)
    monkeypatch.setattr(commands_sensitivity, "load_config", lambda _path: config)
    own = files(config)
    commands_sensitivity.sensitivity(Path("study.yaml"), workers=0, dry_run=False)
    said = capsys.readouterr().out
    assert "4 variants of 6 patients for 1 row(s): 24 embeddings, 24 of them not made yet" in said
    assert "Uninformative region (control), no numbers: tumour: could be made of 0 of 6 patients" in said

    folder = RunFolder.of(config)
    found = load_sensitivity(folder.sensitivity)
    padded, eroded, shifted, air = found.variants
    assert (padded.name, len(padded.changes), padded.stability[0].n) == ("box padded by 10 mm", 2, 6)
    assert padded.stability[0].rows == found.rows == ["PET, tumour, roi"]
    assert (eroded.left_out, eroded.stability[0].n, eroded.changes[0].n) == ({"mask of 'tumour' is empty": 1}, 5, 5)
    assert shifted.stability[0].cosine_mean < 1
    assert [one.stability[0].unchanged for one in (padded, eroded, shifted)] == [0, 0, 0]
    assert air.left_out == {"no room for 'tumour' in the air beside the body": 6}
    assert (air.changes, air.stability) == ([], [])
    patients = pd.read_csv(folder.sensitivity_patients)
    assert patients[patients.variant == eroded.name].patient.tolist() == [2, 3, 4, 5, 6]
    assert all(f"P{i}" not in folder.sensitivity.read_text() for i in range(N))

    assert {path: own[path] for path in own} == {p: v for p, v in files(config).items() if p in own}
    assert len(files(config)) == len(own) + 6 + 5 + 6
    before, saved = files(config), folder.sensitivity.read_bytes()
    commands_sensitivity.sensitivity(Path("study.yaml"), workers=0, dry_run=True)
    planned_now = capsys.readouterr().out
    assert "mask eroded by 5 mm: 6 embeddings, 1 not made yet" in planned_now
    assert "To be read: 24 slices to encode, 28 readings; about" in planned_now  # of 4 slices each
    assert "To be fitted: 12 at most" in planned_now  # 2 folds: frozen once, retrained for 4 variants and the study
    commands_sensitivity.sensitivity(Path("study.yaml"), workers=0, dry_run=False)
    assert (files(config), folder.sensitivity.read_bytes()) == (before, saved)

    results = evaluate(config, workers=0, console=Silent())
    for change in padded.changes:
        assert change.c_study == results.rows[0].mean
    assert '<section id="prompts">' in report(config).read_text()
    assert (folder.root / "tables" / "prompt_c_index.csv").is_file()


def read(config: StudyConfig) -> int:
    """Read what is not there yet; how many patients that was."""
    todo = planned(config)
    embed_disturbed(config, todo.weights, todo.jobs, workers=0, console=Silent())
    return len(todo.jobs)


def test_a_killed_run_loses_one_patient(made, monkeypatch: pytest.MonkeyPatch) -> None:
    config = embedded(made, robustness=FEW | {"uninformative": False})
    own, original, done = files(config), disturbed._embed_patient, []

    def killed(job):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(job)
        return original(job)

    monkeypatch.setattr(disturbed, "_embed_patient", killed)
    with pytest.raises(KeyboardInterrupt):
        read(config)
    kept = files(config)
    assert len(kept) == len(own) + 2 + 3  # a thin tumour has no eroded variant
    monkeypatch.setattr(disturbed, "_embed_patient", original)
    assert read(config) == 5  # the first is asked for what cannot be made of it, the second for nothing
    assert {path: files(config)[path] for path in kept} == kept


def test_a_variants_embedding_is_that_of_a_study_with_this_prompt(made) -> None:
    """All variants are read in one pass: the bytes are those of a pass of its own."""
    config = embedded(made)
    read(config)
    (key,) = planned(config).keys["box padded by 10 mm"]["P5"].values()
    path = EmbeddingStore(config.store_dir).path(key)
    content = path.read_bytes()
    path.unlink()
    embedding = SECTIONS["embedding"] | {"prompt": "padded_box", "prompt_mm": 10.0}
    alone = made.config(**(SECTIONS | {"embedding": embedding}))
    embed(alone, check(alone, workers=0, console=Silent()), workers=0, console=Silent())
    assert path.read_bytes() == content


def test_a_file_that_was_replaced_is_not_read_under_the_old_address(made) -> None:
    config = embedded(made)
    made.write(np.random.default_rng(99).uniform(0, 9, (6, 12, 12)).astype(np.float32), "4_pet.nii.gz")
    with pytest.raises(StorageError, match=r"patient P4: pet: .*4_pet.nii.gz was replaced since 'engram embed'"):
        read(config)


def test_what_is_not_embedded_is_refused(made) -> None:
    with pytest.raises(CohortError, match="Run 'engram embed'"):
        planned(made.config(**SECTIONS))


def test_a_study_that_reads_no_memory_has_no_prompt(made) -> None:
    with pytest.raises(ConfigError, match="reads no memory"):
        planned(made.config(**(SECTIONS | {"embedding": {"readouts": []}})))


def test_rows_are_image_rows_of_the_memory_or_those_that_are_named(made) -> None:
    every = SECTIONS | {"models": {"origins": ["PET", "CT"]}}
    assert [row.name for row in compared_rows(made.config(**every))] == ["PET, tumour, roi", "CT, tumour, roi"]
    named = every | {"robustness": {"rows": ["PET + clinical, tumour, roi"]}}
    assert [row.family for row in compared_rows(made.config(**named))] == ["multimodal"]
    wrong = every | {"robustness": {"rows": ["Clinical, ridge Cox"]}}
    with pytest.raises(ConfigError, match=r"'Clinical, ridge Cox' is none of them: PET, tumour, roi, CT"):
        compared_rows(made.config(**wrong))
