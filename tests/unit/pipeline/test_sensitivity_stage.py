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
from engram.pipeline.embed import embed
from engram.pipeline.evaluate import evaluate
from engram.pipeline.folders import RunFolder
from engram.pipeline.prompt_sensitivity import compared_rows, planned, prompt_sensitivity
from engram.pipeline.report import report

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
    """The study, embedded. Three patients' tumours are so thin that nothing is left of them when eroded."""
    for number in range(3):
        thin = np.zeros((6, 12, 12), np.uint8)
        thin[1:5, 4:8, 4:5] = 1
        made.write(thin, f"{number}_tumour.nii.gz")
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
    assert "4 variants of 10 patients for 1 row(s): 40 embeddings, 40 of them not made yet" in said
    assert "Uninformative region (control), no numbers: tumour: could be made of 0 of 10 patients" in said

    folder = RunFolder.of(config)
    found = load_sensitivity(folder.sensitivity)
    padded, eroded, shifted, air = found.variants
    assert (padded.name, len(padded.changes), padded.stability[0].n) == ("box padded by 10 mm", 2, 10)
    assert padded.stability[0].rows == found.rows == ["PET, tumour, roi"]
    assert (eroded.left_out, eroded.stability[0].n, eroded.changes[0].n) == ({"mask of 'tumour' is empty": 3}, 7, 7)
    assert shifted.stability[0].cosine_mean < 1
    assert air.left_out == {"no room for 'tumour' in the air beside the body": 10}
    assert (air.changes, air.stability) == ([], [])
    patients = pd.read_csv(folder.sensitivity_patients)
    assert patients[patients.variant == eroded.name].patient.tolist() == [4, 5, 6, 7, 8, 9, 10]
    assert all(f"P{i}" not in folder.sensitivity.read_text() for i in range(10))

    assert {path: own[path] for path in own} == {p: v for p, v in files(config).items() if p in own}
    assert len(files(config)) == len(own) + 10 + 7 + 10
    before, saved = files(config), folder.sensitivity.read_bytes()
    commands_sensitivity.sensitivity(Path("study.yaml"), workers=0, dry_run=True)
    assert "mask eroded by 5 mm: 10 embeddings, 3 not made yet" in capsys.readouterr().out
    commands_sensitivity.sensitivity(Path("study.yaml"), workers=0, dry_run=False)
    assert (files(config), folder.sensitivity.read_bytes()) == (before, saved)

    results = evaluate(config, workers=0, console=Silent())
    for change in padded.changes:
        assert change.c_study == results.rows[0].mean
    assert '<section id="prompts">' in report(config).read_text()
    assert (folder.root / "tables" / "prompt_c_index.csv").is_file()


def test_a_killed_run_loses_one_patient_and_ends_with_the_same_bytes(made, monkeypatch: pytest.MonkeyPatch) -> None:
    config = embedded(made, robustness=FEW | {"uninformative": False})
    own, original, done = files(config), disturbed._embed_patient, []

    def killed(job):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(job)
        return original(job)

    monkeypatch.setattr(disturbed, "_embed_patient", killed)
    with pytest.raises(KeyboardInterrupt):
        prompt_sensitivity(config, workers=0, console=Silent())
    kept = files(config)
    assert len(kept) > len(own)
    assert len(planned(config).jobs) == 10  # of two, the thin tumours alone are asked for again
    monkeypatch.setattr(disturbed, "_embed_patient", original)
    whole = prompt_sensitivity(config, workers=0, console=Silent())
    after = files(config)
    assert {path: after[path] for path in kept} == kept
    for path in after.keys() - own.keys():
        path.unlink()
    assert prompt_sensitivity(config, workers=0, console=Silent()) == whole
    assert {path: content for path, (_, content) in files(config).items()} == {
        path: content for path, (_, content) in after.items()
    }


def test_a_variants_embedding_is_that_of_a_study_with_this_prompt(made) -> None:
    """All variants are read in one pass: the numbers are those of a pass of its own."""
    config = embedded(made)
    prompt_sensitivity(config, workers=0, console=Silent())
    padded = planned(config).keys["box padded by 10 mm"]["P5"]
    (key,) = padded.values()
    made_here = EmbeddingStore(config.store_dir).path(key)
    content = made_here.read_bytes()
    made_here.unlink()
    embedding = SECTIONS["embedding"] | {"prompt": "padded_box", "prompt_mm": 10.0, "quality": False}
    alone = made.config(**(SECTIONS | {"embedding": embedding}))
    embed(alone, check(alone, workers=0, console=Silent()), workers=0, console=Silent())
    again = EmbeddingStore(config.store_dir).load(key).arrays["vector"]
    made_here.write_bytes(content)
    assert again.tolist() == EmbeddingStore(config.store_dir).load(key).arrays["vector"].tolist()


def test_a_file_that_was_replaced_is_not_read_under_the_old_address(made) -> None:
    config = embedded(made)
    made.write(np.random.default_rng(99).uniform(0, 9, (6, 12, 12)).astype(np.float32), "4_pet.nii.gz")
    with pytest.raises(StorageError, match=r"patient P4: pet: .*4_pet.nii.gz was replaced since 'engram embed'"):
        prompt_sensitivity(config, workers=0, console=Silent())


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
