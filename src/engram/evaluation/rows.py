"""The rows of the study: which models are compared (paper 2.4.2)."""

from __future__ import annotations

from dataclasses import dataclass

from engram.config import StudyConfig
from engram.config_embedding import ReadOutName
from engram.config_models import Family, Origin
from engram.errors import ConfigError
from engram.table import MAP_READOUTS, PET_NUMBERS

NONE = "-"  # printed where a row has no such part
RIDGE_COX, DEEPSURV = "ridge Cox", "DeepSurv"
AVERAGING, PCA = "averaging", "PCA"
FINAL = "final"  # the paper's read-out, which row names do not mention


@dataclass(frozen=True)
class RowSpec:
    """One model. name: unique, for people, and a seed. Parts that a row does not have are '-'."""

    name: str
    family: Family
    modality: Origin | str | None  # a text: names of embeddings of the user
    roi: str
    readout: str
    head: str
    fusion: str
    survival: str

    @property
    def modalities(self) -> tuple[str, ...]:
        """The images that the model sees, in the order in which they are fused."""
        if self.modality is None:
            return ()
        return ("PET", "CT") if self.modality == "Combined" else (self.modality,)

    @property
    def sees_clinical(self) -> bool:
        """Whether the model sees covariates."""
        return self.family != "image"


def rows_of(config: StudyConfig) -> tuple[RowSpec, ...]:
    """All rows that the study file asks for and that its data allow.

    Clinical ones first; then image and multimodal ones of the paper's read-out, then those of each other read-out,
    and last the baselines.
    Raises ConfigError where there is none, or where two would have one name.
    """
    rows: list[RowSpec] = []
    if "clinical" in config.models.families and config.covariates:
        rows += [_clinical(RIDGE_COX), _clinical(DEEPSURV)]
    families: list[Family] = ["image"] if "image" in config.models.families else []
    families += ["multimodal"] if "multimodal" in config.models.families and config.covariates else []
    places = [(roi, origin) for roi in config.rois for origin in config.origins]
    for readout in sorted(config.embedding.readouts, key=lambda name: name != FINAL):
        rows += [_with_image(family, origin, roi, readout) for family in families for roi, origin in places]
    if PET_NUMBERS in config.baselines:
        rows += [_pet_numbers(family, roi) for family in families for roi in config.rois]
    if not rows:
        raise ConfigError(
            f"models.families asks for {', '.join(config.models.families) or 'nothing'}, and the study has "
            f"{len(config.covariates)} covariates and {len(config.rois)} regions: no model is left. "
            "Add covariates, images with a region, or families."
        )
    unique = tuple(dict.fromkeys(rows))
    names = [row.name for row in unique]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ConfigError(f"two rows would be called '{twice[0]}': rename that region under 'rois'.")
    return unique


def _clinical(survival: str) -> RowSpec:
    return RowSpec(f"Clinical, {survival}", "clinical", None, NONE, NONE, NONE, NONE, survival)


def _with_image(family: Family, origin: Origin, roi: str, readout: ReadOutName) -> RowSpec:
    seen = ["PET", "CT"] if origin == "Combined" else [str(origin)]
    seen += ["clinical"] if family == "multimodal" else []
    fusion = "concatenation" if len(seen) > 1 else NONE
    # A seed is made of the name: that of the paper's read-out stays what it was before there were others.
    name = ", ".join([" + ".join(seen), roi, *([] if readout == FINAL else [readout])])
    head, survival = (AVERAGING, DEEPSURV) if readout in MAP_READOUTS else (PCA, RIDGE_COX)
    return RowSpec(name, family, origin, roi, readout, head, fusion, survival)


def _pet_numbers(family: Family, roi: str) -> RowSpec:
    seen = ["PET numbers", *["clinical"] * (family == "multimodal")]
    fusion = "concatenation" if len(seen) > 1 else NONE
    return RowSpec(f"{' + '.join(seen)}, {roi}", family, "PET", roi, PET_NUMBERS, NONE, fusion, RIDGE_COX)
