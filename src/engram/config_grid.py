"""The study file of the paper's grid: its rows, tuned as in the paper and without looking at test folds."""

from __future__ import annotations

from engram.config import StudyConfig
from engram.config_models import Baseline, Models
from engram.config_tuning import Tuning


def paper_grid(config: StudyConfig) -> StudyConfig:
    """The same study with every row of the paper's tables (2.4.2, Tables 1 to 3) that its data allow.

    Averaging and attention, both fusions, and ResNet-50 without covariates; averaging and both fusions with them
    (the paper does not say which fusion its Combined rows had); both clinical models, the stage alone where
    `models.stage` names it, radiomics, PET numbers, and the image encoder without its memory. Tuned by the
    protocols `nested`, which is the headline, and `paper`. A field that the user's file sets stays as it is there.
    """
    rows = {
        "heads": ("averaging", "attention"),
        "multimodal_heads": ("averaging",),
        "fusions": ("concatenation", "gate"),
        "baselines": _baselines(config),
    }
    models = Models.model_validate(rows | config.models.model_dump(exclude_unset=True))
    both: dict[str, object] = {"protocols": ("nested", "paper")}
    tuning = Tuning.model_validate(both | config.tuning.model_dump(exclude_unset=True))
    return config.model_copy(update={"models": models, "tuning": tuning})


def _baselines(config: StudyConfig) -> tuple[Baseline, ...] | None:
    if config.images is None:
        return None
    of_pet: tuple[Baseline, ...] = ("pet_numbers",) if "PET" in config.modalities else ()
    return (*of_pet, "radiomics", "resnet50", "hiera")
