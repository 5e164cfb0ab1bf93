"""The study file: read whole, or refused with every wrong field by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from engram.config import StudyConfig, load_config
from engram.errors import ConfigError

STUDY = {
    "name": "s",
    "manifest": "cohort.csv",
    "output": "results",
    "outcome": {"time": "t", "unit": "months", "event": "e"},
    "covariates": {"age": {"kind": "continuous", "unit": "years"}},
}
SCHEME = {"label_scheme": "totalsegmentator-2/total"}
IMAGES = {"images": {"labels": "bones", **SCHEME}, "rois": {"spine": {"region": "spine_dilated"}}}


def study(where: Path, /, **changes: object) -> Path:
    path = where / "study.yaml"
    path.write_text(yaml.safe_dump({**STUDY, **changes}))
    return path


def test_paths_start_at_the_folder_of_the_study_file(tmp_path: Path) -> None:
    config = load_config(study(tmp_path, store="/elsewhere"))
    assert config.run_dir == tmp_path / "results"
    assert config.resolve(config.manifest) == tmp_path / "cohort.csv"
    assert config.store_dir == Path("/elsewhere")
    assert load_config(study(tmp_path)).store_dir == tmp_path / "results" / "store"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"evaluations": {}}, r"evaluations: unknown field; did you mean 'evaluation'\?"),
        ({"training": {"drop_out": 0.1}}, r"training\.drop_out: unknown field; did you mean 'dropout'\?"),
        ({"folds": 7}, r"folds: unknown field; 'folds' belongs under 'evaluation'"),
        ({"training": {"folds": 7}}, r"training\.folds: unknown field; 'folds' belongs under 'evaluation'"),
        ({"evaluation": {"output": "x"}}, r"evaluation\.output: unknown field; 'output' belongs at the top level"),
        ({"training": {"dropout": False}}, r"training\.dropout: must be a number, not false"),
        ({"evaluation": {"folds": True}}, r"evaluation\.folds: must be a number, not true"),
        ({"training": {"clip_norm": float("inf")}}, r"training\.clip_norm: must be .*, not inf"),
        ({"fold": 7}, r"fold: unknown field; did you mean 'folds' under 'evaluation'\?"),
        ({"covariates": {"a": {"kind": "continuous", "unit": "1", "columns": "x"}}}, r"did you mean 'column'\?"),
        ({"covariates": {"a": {"kind": "categorical", "levels": [False, True]}}}, r"as in \['no', 'yes'\]"),
        ({"covariates": {"a": {"kind": "categorical", "levels": [0, 1]}}}, r"levels\.1: .* Quote it: '1'"),
        ({"zzz": 1}, r"zzz: unknown field; docs/study-file\.md"),
        ({"outcome": {**STUDY["outcome"], "unit": "fortnights"}}, "unknown unit 'fortnights'; use one of days"),
        ({"outcome": {"time": "t", "unit": "days"}}, r"outcome\.event: is missing; it is text"),
        ({"covariates": {"age": {"kind": "continuous"}}}, "needs its unit"),
        ({"covariates": {"iss": {"kind": "ordinal"}}}, "needs its levels"),
        ({"covariates": {}}, "covariates, images, or both"),
        ({"rois": {"spine": {"region": "skeleton"}}}, "rois need an 'images' section"),
        ({"images": {}}, "at least one region of interest"),
        ({**IMAGES, "images": {}}, "set images.labels to its column"),
        ({**IMAGES, "rois": {"x": {}}}, "give either 'mask'"),
        (
            {**IMAGES, "images": {"labels": "b", **SCHEME, "ct": None, "pet": None}},
            "the column of ct, of pet, or of both",
        ),
        (
            {**IMAGES, "images": {"labels": "b", **SCHEME, "ct": None}, "models": {"origins": ["CT"]}},
            r"images\.ct is null",
        ),
        ({**IMAGES, "images": {"labels": "b", **SCHEME, "ct_window_hu": [5, 5]}}, "goes from low to high"),
        ({"training": {"weight_decay": 0.1, "l2": 0.1}}, "two forms of one penalty"),
        ({"folder": "x"}, "'folder' is not a field"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(study(tmp_path, **change))


@pytest.mark.parametrize("content", [b"name: [a, b\n: :", b"\x80\x81", b"just text", b""])
def test_a_file_that_is_no_study_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"study\.yaml"):
        load_config(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "nowhere.yaml")


def test_a_latin_1_file_is_told_how_to_be_saved(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes("name: s\nsource: Universität\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"line 2 is not UTF-8 text .* Save the file as UTF-8"):
        load_config(path)


def test_a_byte_order_mark_is_no_part_of_the_study(tmp_path: Path) -> None:
    path = study(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_config(path).name == "s"


def test_keys_given_twice_are_refused_with_their_lines(tmp_path: Path) -> None:
    path = study(tmp_path)
    body = path.read_text()
    extra = "evaluation:\n  seed: 1\n  seed: 2\nname: t\n"
    path.write_text(body + extra)
    lines = (body + extra).splitlines()
    twice = [number for number, line in enumerate(lines, 1) if line.startswith("name:")]
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert f"'name' is given 2 times, in lines {twice[0]}, {twice[1]}. Keep one." in str(caught.value)
    assert f"'seed' is given 2 times, in lines {len(lines) - 2}, {len(lines) - 1}." in str(caught.value)


def test_anchors_and_merged_keys_are_yaml_as_ever(tmp_path: Path) -> None:
    path = study(tmp_path, covariates={})
    lab = "covariates:\n  age: &lab {kind: continuous, unit: years}\n  crea: {<<: *lab, unit: mg/dL}\n"
    path.write_text(path.read_text().replace("covariates: {}\n", lab))
    assert load_config(path).covariates["crea"].unit == "mg/dL"


def config(**changes: object) -> StudyConfig:
    return StudyConfig.model_validate({**STUDY, **IMAGES, **changes})


def test_rows_see_what_the_scans_allow() -> None:
    assert config().origins == ("PET", "CT", "Combined")
    assert config(images={"labels": "b", **SCHEME, "ct": None}).origins == ("PET",)
    assert StudyConfig.model_validate(STUDY).origins == ()


def test_the_ct_is_read_whatever_rows_see_and_the_pet_only_where_one_does() -> None:
    assert config(models={"origins": ["CT"]}).scan_columns == {"CT": "ct"}
    assert config(models={"origins": ["PET"]}).scan_columns == {"CT": "ct", "PET": "pet"}
    assert config(models={"origins": ["PET"]}).modalities == ("PET",)
    assert config(models={"origins": ["Combined"]}).modalities == ("PET", "CT")
