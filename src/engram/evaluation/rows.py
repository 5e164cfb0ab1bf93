"""The rows of the study: which models are compared (paper 2.4.2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, get_args

from engram.config import StudyConfig
from engram.config_models import Baseline, Family, FusionName, Head, Origin, VectorModel
from engram.errors import ConfigError
from engram.table import MAP_READOUTS, PET_NUMBERS, RADIOMICS

NONE = "-"  # printed where a row has no such part
RIDGE_COX, DEEPSURV = "ridge Cox", "DeepSurv"
AVERAGING, FLATTEN, PCA = "averaging", "flatten", "PCA"
SELECTION = "selection"  # what reads radiomics: a few of them, chosen on the training patients
CONCATENATION, GATE = "concatenation", "gate"
FINAL = "final"  # the paper's read-out, which row names do not mention
# What the baselines are called in tables; PET numbers are of no encoder.
BASELINE_NAMES: Final[dict[str, str]] = {
    "radiomics": "Radiomics",
    "resnet50": "ResNet-50",
    "vit": "ViT",
    "hiera": "Hiera alone",
}


@dataclass(frozen=True)
class RowSpec:
    """One model. name: unique, for people, and a seed. Parts that a row does not have are '-'.

    readout: of the memory, or the name of a baseline. only: the covariates that the row sees; None: all.
    """

    name: str
    family: Family
    modality: Origin | str | None  # a text: names of embeddings of the user
    roi: str
    readout: str
    head: str
    fusion: str
    survival: str
    only: tuple[str, ...] | None = None

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

    @property
    def reads_memory(self) -> bool:
        """Whether its head reads whole memories: channels and entries apart, not their mean, not a vector."""
        return self.readout in MAP_READOUTS and self.head != AVERAGING


def rows_of(config: StudyConfig) -> tuple[RowSpec, ...]:
    """All rows that the study file asks for and that its data allow.

    Clinical ones first; then image and multimodal ones of the paper's read-out, then those of each other read-out,
    and last the baselines.
    Raises ConfigError where there is none, or where two would have one name.
    """
    families = _families(config)
    rows = list(_clinical_rows(config))
    places = [(roi, origin) for roi in config.rois for origin in config.origins]
    for readout in sorted(config.embedding.readouts, key=lambda name: name != FINAL):
        for family in families:
            rows += [row for roi, origin in places for row in _of_memory(config, family, origin, roi, readout)]
    if PET_NUMBERS in config.baselines:
        rows += [_pet_numbers(family, roi) for family in families for roi in config.rois]
    if "image" in families:
        for baseline in (name for name in get_args(Baseline) if name in config.baselines and name != PET_NUMBERS):
            rows += [row for roi, origin in places for row in _of_baseline(config, baseline, origin, roi)]
    return _checked(rows, config)


def _families(config: StudyConfig) -> list[Family]:
    """The families that see images."""
    wanted = config.models.families
    families: list[Family] = ["image"] if "image" in wanted else []
    return families + (["multimodal"] if "multimodal" in wanted and config.covariates else [])


def _checked(rows: list[RowSpec], config: StudyConfig) -> tuple[RowSpec, ...]:
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


def _clinical_rows(config: StudyConfig) -> Iterable[RowSpec]:
    if "clinical" not in config.models.families or not config.covariates:
        return
    for survival in (RIDGE_COX, DEEPSURV):
        yield RowSpec(f"Clinical, {survival}", "clinical", None, NONE, NONE, NONE, NONE, survival)
    if (stage := config.models.stage) is not None:
        title = "R-ISS" if stage.lower() in ("r_iss", "riss", "r-iss") else stage
        yield RowSpec(f"{title} alone", "clinical", None, NONE, NONE, NONE, NONE, RIDGE_COX, (stage,))


def _of_memory(config: StudyConfig, family: Family, origin: Origin, roi: str, readout: str) -> Iterable[RowSpec]:
    """Rows of one read-out. A seed is made of the name: what the paper has first (its read-out, averaging,
    concatenation, ridge Cox on vectors) is not mentioned, so that rows keep their names beside others."""
    seen = ["PET", "CT"] if origin == "Combined" else [str(origin)]
    seen += ["clinical"] if family == "multimodal" else []
    place = ", ".join([" + ".join(seen), roi, *([] if readout == FINAL else [readout])])
    if readout not in MAP_READOUTS:
        for model in config.models.vector_models:
            yield _of_vectors(place, family, origin, roi, readout, model)
        return
    models = config.models
    for head in models.multimodal_heads if family == "multimodal" else models.heads:
        name = place if head == AVERAGING else f"{place}, {head}"
        for fusion in _fusions(head, origin, models.fusions):
            joined = CONCATENATION if fusion == NONE and len(seen) > 1 else fusion
            gated = f"{name}, {GATE}" if fusion == GATE else name
            yield RowSpec(gated, family, origin, roi, readout, head, joined, RIDGE_COX if head == PCA else DEEPSURV)


def _fusions(head: Head, origin: Origin, asked: tuple[FusionName, ...]) -> tuple[str, ...]:
    """How two images are fused; components have one way only, and one image needs none."""
    if origin != "Combined":
        return (NONE,)
    return (CONCATENATION,) if head == PCA else asked


def _of_vectors(place: str, family: Family, origin: Origin, roi: str, readout: str, model: VectorModel) -> RowSpec:
    several = origin == "Combined" or family == "multimodal"
    name, survival = (place, RIDGE_COX) if model == RIDGE_COX else (f"{place}, {model}", DEEPSURV)
    head = SELECTION if readout == RADIOMICS else PCA
    return RowSpec(name, family, origin, roi, readout, head, CONCATENATION if several else NONE, survival)


def _of_baseline(config: StudyConfig, baseline: Baseline, origin: Origin, roi: str) -> Iterable[RowSpec]:
    seen = "PET + CT" if origin == "Combined" else origin
    for model in config.models.vector_models:
        yield _of_vectors(f"{BASELINE_NAMES[baseline]} of {seen}, {roi}", "image", origin, roi, baseline, model)


def _pet_numbers(family: Family, roi: str) -> RowSpec:
    seen = ["PET numbers", *["clinical"] * (family == "multimodal")]
    fusion = CONCATENATION if len(seen) > 1 else NONE
    return RowSpec(f"{' + '.join(seen)}, {roi}", family, "PET", roi, PET_NUMBERS, NONE, fusion, RIDGE_COX)
