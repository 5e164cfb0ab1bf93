"""The rows of the study: which models are compared (paper 2.4.2)."""

from __future__ import annotations

from dataclasses import dataclass

from engram.config import Family, Modality, Origin, StudyConfig
from engram.errors import ConfigError

NONE = "-"  # printed where a row has no such part
RIDGE_COX, DEEPSURV = "ridge Cox", "DeepSurv"


@dataclass(frozen=True)
class RowSpec:
    """One model. name: unique, for people. Parts that a row does not have are '-'."""

    name: str
    family: Family
    modality: Origin | None
    roi: str
    head: str
    fusion: str
    survival: str

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The images that the model sees, in the order in which they are fused."""
        if self.modality is None:
            return ()
        return ("PET", "CT") if self.modality == "Combined" else (self.modality,)

    @property
    def sees_clinical(self) -> bool:
        """Whether the model sees covariates."""
        return self.family != "image"


def rows_of(config: StudyConfig) -> tuple[RowSpec, ...]:
    """All rows that the study file asks for and that its data allow: clinical, then image, then multimodal.

    Raises ConfigError where there is none.
    """
    rows: list[RowSpec] = []
    if "clinical" in config.models.families and config.covariates:
        rows += [_clinical(RIDGE_COX), _clinical(DEEPSURV)]
    places = [(roi, origin) for roi in config.rois for origin in config.origins]
    if "image" in config.models.families:
        rows += [_with_image("image", origin, roi) for roi, origin in places]
    if "multimodal" in config.models.families and config.covariates:
        rows += [_with_image("multimodal", origin, roi) for roi, origin in places]
    if not rows:
        raise ConfigError(
            f"models.families asks for {', '.join(config.models.families) or 'nothing'}, and the study has "
            f"{len(config.covariates)} covariates and {len(config.rois)} regions: no model is left. "
            "Add covariates, images with a region, or families."
        )
    return tuple(dict.fromkeys(rows))


def _clinical(survival: str) -> RowSpec:
    return RowSpec(f"Clinical, {survival}", "clinical", None, NONE, NONE, NONE, survival)


def _with_image(family: Family, origin: Origin, roi: str) -> RowSpec:
    seen = ["PET", "CT"] if origin == "Combined" else [str(origin)]
    seen += ["clinical"] if family == "multimodal" else []
    fusion = "concatenation" if len(seen) > 1 else NONE
    return RowSpec(f"{' + '.join(seen)}, {roi}", family, origin, roi, "averaging", fusion, DEEPSURV)
