"""The paper's grid, held against its Table 1, Table 2 and Table 3 as they are printed."""

from collections import Counter
from pathlib import Path

import pytest

from engram.config import StudyConfig
from engram.config_grid import paper_grid
from engram.evaluation.rows import rows_of

# Origin, mask, model, downsampling and fusion of each row of Table 1, in its order: S spine, F skeleton, g gate.
TABLE_1 = """
PET S Averaging -|CT S ResNet -|Combined F Averaging g|Combined F Averaging c|PET F Averaging -|CT S Averaging -
PET F ResNet -|CT F Averaging -|Combined S Averaging g|Combined S ResNet c|Combined S Averaging c|CT F ResNet -
Combined F Attention c|Combined F ResNet c|Combined S Attention g|Combined S Attention c|PET S ResNet -
Combined F Attention g|CT S Attention -|CT F Attention -|PET F Attention -|PET S Attention -
"""
HEADS = {"Averaging": ("final", "averaging"), "Attention": ("final", "attention"), "ResNet": ("resnet50", "PCA")}
REGIONS, FUSIONS = {"S": "spine", "F": "skeleton"}, {"g": "gate", "c": "concatenation", "-": "-"}


def study(**sections):
    body = {
        "name": "test",
        "manifest": Path("cohort.csv"),
        "outcome": {"time": "t", "unit": "months", "event": "e"},
        "covariates": {
            "age": {"kind": "continuous", "unit": "years"},
            "r_iss": {"kind": "ordinal", "levels": ["I", "II", "III"]},
        },
        "images": {},
        "rois": {"spine": {"mask": "m"}, "skeleton": {"mask": "k"}},
        "models": {"stage": "r_iss"},
        "output": Path("out"),
    }
    return StudyConfig.model_validate(body | sections)


@pytest.fixture
def rows():
    return rows_of(paper_grid(study()))


def parts(row):
    return (row.modality, row.roi, row.readout, row.head, row.fusion)


def test_all_22_rows_of_table_1_and_no_other_of_memory_or_resnet(rows):
    printed = [line.split() for line in TABLE_1.replace("\n", "|").strip("|").split("|")]
    expected = {(o, REGIONS[mask], *HEADS[head], FUSIONS[fusion]) for o, mask, head, fusion in printed}
    image = [row for row in rows if row.family == "image" and row.readout in ("final", "resnet50")]
    assert len(expected) == len(image) == 22
    assert {parts(row) for row in image} == expected


def test_table_2_with_both_fusions_of_its_combined_rows(rows):
    multimodal = [row for row in rows if row.family == "multimodal" and row.readout == "final"]
    expected = {(o, roi, "final", "averaging", "concatenation") for o in ("PET", "CT") for roi in REGIONS.values()}
    expected |= {
        ("Combined", roi, "final", "averaging", f) for f in ("concatenation", "gate") for roi in REGIONS.values()
    }
    assert {parts(row) for row in multimodal} == expected
    assert len(multimodal) == 8


def test_what_table_3_compares_with(rows):
    clinical = [(row.name, row.survival) for row in rows if row.family == "clinical"]
    assert clinical == [
        ("Clinical, ridge Cox", "ridge Cox"),
        ("Clinical, DeepSurv", "DeepSurv"),
        ("R-ISS alone", "ridge Cox"),
    ]
    others = Counter(row.readout for row in rows if row.readout not in ("final", "-"))
    assert others == {"resnet50": 6, "radiomics": 6, "hiera": 6, "pet_numbers": 4}


def test_it_is_tuned_both_ways_and_nested_is_the_headline():
    tuning = paper_grid(study()).tuning
    assert tuning.protocols == ("nested", "paper")
    assert tuning.headline == "nested"


def test_what_the_user_s_file_says_stays():
    config = study(
        models={"heads": ["flatten"], "baselines": [], "families": ["image"]},
        tuning={"protocols": ["fixed"], "trials": 4},
    )
    grid = paper_grid(config)
    assert {row.head for row in rows_of(grid)} == {"flatten"}
    assert {row.fusion for row in rows_of(grid)} == {"-", "concatenation", "gate"}
    assert (grid.tuning, grid.training, grid.evaluation) == (config.tuning, config.training, config.evaluation)
    assert len(rows_of(config)) == 6, "the study itself is as it was"


def test_without_pet_or_without_images_there_is_less_of_it():
    rows = rows_of(paper_grid(study(images={"pet": None})))
    assert not [row for row in rows if row.modality in ("PET", "Combined")]
    assert len(rows_of(paper_grid(study(images=None, rois={})))) == 3
