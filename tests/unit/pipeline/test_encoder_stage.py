"""Baselines of image encoders, from the study file to the study table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import ResNetConfig, ResNetModel

from engram.config import StudyConfig
from engram.errors import CohortError, WeightsError
from engram.memory.backbone import Sam2Backbone
from engram.memory.registry import FOLDER_VARIABLE
from engram.memory.store import EmbeddingStore
from engram.pipeline.audit import audit_study
from engram.pipeline.check import CheckedCohort, check
from engram.pipeline.console import Silent
from engram.pipeline.embed import embed
from engram.pipeline.embedded import Embedded, load_embedded
from engram.pipeline.encoder_weights import check_encoders, needs_memory_model
from engram.pipeline.evaluate import Inputs, _provenance, evaluate
from engram.pipeline.store import list_store
from engram.pipeline.study_table import study_table
from engram.report.prose import _encoder
from engram.table import EmbeddingKey


class _Told(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(autouse=True)
def _no_weights_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub

    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def config(made: Any) -> StudyConfig:
    """ResNet and Hiera are here, ViT is not, and no memory is read."""
    torch.manual_seed(0)
    ResNetModel(ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])).save_pretrained(
        made.folder / "tiny"
    )
    return _config(made)


def _config(made: Any, **encoders: Any) -> StudyConfig:
    sections = {
        "rois": {"tumour": {"mask": "tumour"}},
        "images": {},
        "models": {"baselines": ["resnet50", "vit", "hiera"]},
        "embedding": {"readouts": []},
        "encoders": {"resnet50_weights": "tiny", "slices": 2, **encoders},
    }
    config: StudyConfig = made.config(**sections)
    return config


def _run(config: StudyConfig, console: Silent | None = None) -> tuple[CheckedCohort, Embedded]:
    told = console or Silent()
    checked = check(config, workers=0, console=told)
    return checked, embed(config, checked, workers=0, console=told)


def test_from_the_study_file_to_the_study_table(made: Any, config: StudyConfig) -> None:
    console = _Told()
    checked, found = _run(config, console)
    absent = [line for line in console.lines if "vit" in line and "weights absent" in line]
    assert len(absent) == 1
    assert "engram weights fetch vit" in absent[0]
    assert found.weights is None
    assert found.absent.keys() == {"vit"}
    assert {name: one.untrained for name, one in found.encoders.items()} == {"resnet50": False, "hiera": True}
    assert load_embedded(config, checked.cohort.digest) == found

    assembled = study_table(config, checked.cohort.records, found)
    assert assembled.absent.keys() == {EmbeddingKey(modality, "tumour", "vit") for modality in ("PET", "CT")}
    assert not any(str(made.folder) in why for why in assembled.absent.values())  # it goes into the report
    table = assembled.table.features.embeddings
    widths = {(key.modality, key.readout): array.shape for key, array in table.items()}
    both = [("PET", "resnet50"), ("CT", "resnet50"), ("PET", "hiera"), ("CT", "hiera")]
    assert widths == {key: (10, 16 if key[1] == "resnet50" else 128) for key in both}
    assert all(array.dtype == np.float32 and np.isfinite(array).all() for array in table.values())
    vectors = table[EmbeddingKey("PET", "tumour", "hiera")]
    assert len(np.unique(vectors, axis=0)) == 10

    kinds = list_store(config.store_dir)
    assert set(kinds["readout"]) == {"resnet50", "hiera"}
    assert (kinds["files"] == 10).all()

    made_with = _provenance(config, Inputs(checked.cohort, found, assembled, None))
    assert made_with.untrained_weights
    assert made_with.weights is None
    assert _encoder(made_with.encoders["resnet50"]).startswith("tiny (not verified); SHA-256 ")
    assert "the 2 slices nearest the middle" in made_with.encoders["resnet50"].reading


def test_the_audit_leaves_rows_without_weights_out_and_says_so(config: StudyConfig) -> None:
    models = config.models.model_copy(update={"families": ("image",)})
    images_alone = config.model_copy(update={"models": models})
    _run(images_alone)
    found = audit_study(images_alone, everything=False, permutations=2, workers=0, console=Silent())
    assert not found.audit.failed
    of_encoders = [
        f"{name} of {seen}, tumour" for name in ("ResNet-50", "Hiera alone") for seen in ("PET", "PET + CT")
    ]
    assert found.audit.rows == of_encoders
    assert found.audit.rows_of_study == 9
    scope = found.audit.checks[-1].detail
    assert "Left out, as in the study: 3 row(s) without numbers (weights absent: " in scope
    assert "trials" not in scope, "nothing is tuned"


def test_finished_vectors_are_found_again_and_another_setting_is_another_vector(
    made: Any, config: StudyConfig
) -> None:
    checked, first = _run(config)
    store = EmbeddingStore(config.store_dir)
    key = first.keys["P3"]["CT|tumour|resnet50"]
    before = store.path(key).read_bytes()
    store.path(key).unlink()
    console = _Told()
    again = embed(config, checked, workers=0, console=console)
    assert "Embedding with resnet50, hiera: 1 of 10 patients to do" in console.lines
    assert again == first
    assert store.path(key).read_bytes() == before
    other = _config(made, masked=False)
    with pytest.raises(CohortError, match="has changed since"):
        load_embedded(other, checked.cohort.digest)
    changed = embed(other, checked, workers=0, console=Silent())
    for name, old in first.keys["P3"].items():
        assert (changed.keys["P3"][name] == old) == name.endswith("hiera")


def test_no_memory_model_is_loaded_where_nothing_asks_for_it(made: Any, config: StudyConfig) -> None:
    alone = config.model_copy(update={"models": config.models.model_copy(update={"baselines": ("resnet50",)})})
    assert needs_memory_model(config)
    assert not needs_memory_model(alone)
    missing = alone.model_copy(update={"embedding": alone.embedding.model_copy(update={"weights": "medsam2"})})
    assert _run(missing)[1].encoders.keys() == {"resnet50"}


def test_damaged_weights_stop_the_study_before_any_image_is_read(made: Any, config: StudyConfig) -> None:
    (made.folder / "tiny" / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        _run(config)


def test_an_encoder_beside_the_memory_changes_none_of_it(made: Any, config: StudyConfig) -> None:
    """Read-outs have the address, and so the bytes, that they have in a study without baselines."""
    sections = {
        "rois": {"tumour": {"mask": "tumour"}},
        "images": {},
        "embedding": {"readouts": ["roi"], "quality": False},
        "encoders": {"resnet50_weights": "tiny"},
    }
    alone, both = (made.config(**sections, models={"baselines": names}) for names in ([], ["resnet50"]))
    found = check(alone, workers=0, console=Silent())
    few = replace(found, cohort=replace(found.cohort, records=found.cohort.records[:2]))
    without = embed(alone, few, workers=0, console=Silent())
    beside = embed(both, replace(few, encoders=check_encoders(both)), workers=0, console=Silent())
    for patient, keys in without.keys.items():
        assert keys.items() < beside.keys[patient].items()
    assert without.encoders == {}
    assert beside.weights == "untrained-mini"


@pytest.mark.parametrize("readouts", [["final"], ["roi", "volume"]])
def test_what_the_memory_encodes_is_not_encoded_again_and_the_bits_are_the_same(
    made: Any, config: StudyConfig, readouts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone, or filled in by a pass of the memory in whichever direction: one vector."""
    encoded: list[int] = []
    original = Sam2Backbone.encode
    monkeypatch.setattr(
        Sam2Backbone, "encode", lambda self, frames: encoded.append(len(frames)) or original(self, frames)
    )
    checked = check(config, workers=0, console=Silent())
    few = replace(checked, cohort=replace(checked.cohort, records=checked.cohort.records[:2]))
    alone = config.model_copy(update={"models": config.models.model_copy(update={"baselines": ("hiera",)})})
    first = embed(alone, few, workers=0, console=Silent())
    by_itself, counts = _hiera(alone, first), [sum(encoded)]
    for path in {key for keys in first.keys.values() for key in keys.values()}:
        EmbeddingStore(alone.store_dir).path(path).unlink()
    wanted = alone.embedding.model_copy(update={"readouts": tuple(readouts), "direction": "both", "quality": False})
    beside = alone.model_copy(update={"embedding": wanted})
    encoded.clear()
    second = embed(beside, few, workers=0, console=Silent())
    counts.append(sum(encoded))
    assert _hiera(beside, second) == by_itself
    assert counts == [2 * 2 * 2, 2 * 2 * 2]  # patients, scans, slices: every second of four


def _hiera(config: StudyConfig, made: Embedded) -> list[tuple[str, bytes]]:
    store = EmbeddingStore(config.store_dir)
    return [
        (key, store.load(key).arrays["vector"].tobytes())
        for keys in made.keys.values()
        for name, key in keys.items()
        if name.endswith("hiera")
    ]


def test_a_row_whose_weights_are_absent_says_so_and_the_study_goes_on(config: StudyConfig) -> None:
    models = {"baselines": ("resnet50", "vit"), "families": ("image",), "origins": ("PET",)}
    small = config.model_copy(update={"models": config.models.model_copy(update=models)})
    _run(small)
    there, absent = evaluate(small, workers=0, console=Silent()).rows
    assert (there.readout, there.absent) == ("resnet50", None)
    assert there.mean is not None
    assert absent.readout == "vit"
    assert absent.absent is not None
    assert absent.absent.startswith("weights absent: ")
    assert absent.c_index == [None, None]
