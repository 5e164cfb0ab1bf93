"""What kept fits and trials are found by: every setting and every module that decides them."""

import ast
from pathlib import Path

from pydantic import BaseModel

import engram
from engram.evaluation.fold_jobs import code_files, decided_by
from engram.evaluation.preprocess import build_pipeline
from engram.evaluation.rows import SELECTION, rows_of

PACKAGE = Path(engram.__file__).parent
DECIDING = ("evaluation", "survival", "heads", "table", "outcome", "arrays", "config")
HEADS = ["averaging", "attention", "flatten", "PCA"]


def imported(module: Path) -> set[Path]:
    """The modules that decide risks, of those that this one imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            inside = name.split(".")[1:] if name.startswith("engram.") else []
            path = PACKAGE.joinpath(*inside).with_suffix(".py")
            if inside and inside[0].startswith(DECIDING) and path.exists():
                found.add(path)
    return found


def test_every_module_that_decides_a_risk_or_a_trial_voids_what_is_kept():
    reached, left = set(), [PACKAGE / "evaluation" / name for name in ("fold_fit.py", "tuning.py")]
    while left:
        module = left.pop()
        if module not in reached:
            reached.add(module)
            left.extend(imported(module))
    names = {str(path.relative_to(PACKAGE)) for path in reached}
    assert {"evaluation/selection.py", "evaluation/rows.py", "heads/make.py", "config_models.py"} <= names
    assert names <= {str(path.relative_to(PACKAGE)) for path in code_files()}


class Watched:
    """A study file that notes which of its settings are read; a section read as a whole counts by its place."""

    def __init__(self, section: BaseModel, read: dict[str, object], place: str = "") -> None:
        self._section, self._read, self._place = section, read, place

    def __getattr__(self, name: str) -> object:
        value, place = getattr(self._section, name), f"{self._place}{name}"
        if isinstance(value, BaseModel) and name != "training":
            return Watched(value, self._read, f"{place}.")
        self._read[place] = value
        return value


def changed(config, place, value):
    """The study with another value at this place."""
    section, _, name = place.rpartition(".")
    whole = getattr(config, section) if section else config
    other = whole.model_copy(update={name: other_of(value)})
    return config.model_copy(update={section: other}) if section else other


def other_of(value):
    if isinstance(value, dict):
        return {}
    if isinstance(value, bool) or value is None:
        return not value
    return value + ({str: "x", tuple: (1,)}.get(type(value), 1))


def test_every_setting_that_a_fit_reads_changes_its_address(make_config):
    models = {
        "baselines": ["radiomics", "resnet50"],
        "heads": HEADS,
        "vector_models": ["ridge Cox", "MLP"],
        "stage": "stage",
    }
    config = make_config(models=models, embedding={"readouts": ["final", "volume"]})
    everything = set()
    for spec in rows_of(config):
        read = {}
        build_pipeline(spec, Watched(config, read), seed=0)
        training = read.pop("training", None)
        if training is not None:
            read |= {f"training.{name}": value for name, value in training}
        everything |= set(read)
        for place, value in read.items():
            same = decided_by(spec, config, "code") == decided_by(spec, changed(config, place, value), "code")
            unseen = place == "radiomics.features" and spec.head != SELECTION
            unseen |= place == "covariates" and not spec.sees_clinical
            assert same == unseen, f"{spec.name}: {place}"
    assert {"covariates", "evaluation.max_missing", "embedding.map_size", "radiomics.features"} <= everything
    assert {"evaluation.time_quantiles", "training.learning_rate"} <= everything
