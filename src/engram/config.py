"""One study file (YAML) read into one object. Every default is the paper's value, or says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from engram.config_checks import ImageChecks
from engram.config_embedding import Embedding
from engram.config_encoders import Encoders
from engram.config_evaluation import Evaluation
from engram.config_explain import Explain
from engram.config_images import Images, Roi
from engram.config_models import Baseline, Modality, Models, Origin, Training
from engram.config_pet import PetNumbers
from engram.config_problems import in_words
from engram.config_radiomics import Radiomics
from engram.config_robustness import Robustness
from engram.config_section import Section
from engram.config_sensitivity import Sensitivity
from engram.config_tuning import Tuning
from engram.errors import ConfigError
from engram.strict_yaml import read_yaml


class Outcome(Section):
    """Which columns hold the outcome. Time zero and event are as the cohort defines them (paper 2.1: PFS)."""

    time: str
    unit: Literal["days", "weeks", "months", "years"]
    event: str
    name: str = "PFS"


class Covariate(Section):
    """One clinical covariate, with its kind and unit declared; nothing is inferred from the values."""

    kind: Literal["continuous", "categorical", "ordinal"]
    unit: str | None = Field(None, description="unit of a continuous covariate; '1' where it has none")
    column: str | None = Field(None, description="column of the manifest; the covariate's own name by default")
    levels: tuple[str, ...] | None = Field(None, description="allowed levels; in order for an ordinal one")
    missing: Literal["impute", "level"] = Field(
        "impute",
        description="'impute' from the training fold, or 'level': missing is a level of its own (R-ISS)",
    )

    @model_validator(mode="after")
    def _declared(self) -> Covariate:
        if self.kind == "continuous" and not self.unit:
            raise ValueError("a continuous covariate needs its unit (write '1' where it has none)")
        if self.kind == "continuous" and (self.levels or self.missing == "level"):
            raise ValueError("levels and 'missing: level' are for categorical and ordinal covariates")
        if self.kind == "ordinal" and not self.levels:
            raise ValueError("an ordinal covariate needs its levels, lowest first")
        return self


class Report(Section):
    """What the report shows."""

    pictures: bool = Field(True, description="slices of one patient in the report, of all in quality.html")


class Truth(Section):
    """Columns of the true log-hazard; only a synthetic cohort has them. Never used by a model."""

    clinical: str
    imaging: str
    total: str


class StudyConfig(Section):
    """A whole study. `folder` is where its file lies; relative paths start there."""

    name: str
    manifest: Path
    patient_id: str | None = Field(
        "patient_id", description="column of the id; null: rows are 'row-2', 'row-3', ..."
    )
    outcome: Outcome
    covariates: dict[str, Covariate] = Field(default_factory=dict)
    images: Images | None = None
    rois: dict[str, Roi] = Field(default_factory=dict)
    pet_numbers: PetNumbers = PetNumbers()
    radiomics: Radiomics = Radiomics()
    image_checks: ImageChecks = ImageChecks()
    embedding: Embedding = Embedding()
    encoders: Encoders = Encoders()
    models: Models = Models()
    training: Training = Training()
    tuning: Tuning = Tuning()
    evaluation: Evaluation = Evaluation()
    sensitivity: Sensitivity = Sensitivity()
    explain: Explain = Explain()
    robustness: Robustness = Robustness()
    report: Report = Report()
    truth: Truth | None = None
    output: Path
    store: Path | None = Field(None, description="folder of the embedding store; output/store by default")
    source: str | None = Field(None, description="where the data come from, printed in the report")
    folder: Path = Path()

    @model_validator(mode="after")
    def _consistent(self) -> StudyConfig:
        if self.rois and self.images is None:
            raise ValueError("rois need an 'images' section")
        if self.images is not None and not self.rois:
            raise ValueError("images need at least one region of interest under 'rois'")
        needs_labels = [name for name, roi in self.rois.items() if roi.needs_labels]
        if needs_labels and (self.images is None or self.images.labels is None):
            raise ValueError(f"roi '{needs_labels[0]}' is made from a label map: set images.labels to its column")
        for name, roi in self.rois.items():
            if roi.region == "ct_threshold" and "approximate" not in name:
                raise ValueError(
                    f"roi '{name}' is an approximation: call it '{name}_approximate', so that tables say so"
                )
            if roi.region == "ct_threshold" and self.images is not None and self.images.ct is None:
                raise ValueError(f"roi '{name}' is made from the CT, but images.ct is null")
        if self.needs_parts and self.images is not None and self.images.labels is None:
            raise ValueError(
                "the read-out 'regions' takes its parts from a label map: set images.labels to its column"
            )
        absent = [m for m in self.modalities if self.images and getattr(self.images, m.lower()) is None]
        if absent:
            raise ValueError(f"models.origins asks for {absent[0]}, but images.{absent[0].lower()} is null")
        asked = self.models.baselines or ()
        if "pet_numbers" in asked and "PET" not in self.modalities:
            raise ValueError("models.baselines asks for pet_numbers, but no model of this study sees the PET")
        if asked and self.images is None:
            raise ValueError(f"models.baselines asks for {asked[0]}, but the study has no images")
        if self.models.stage is not None and self.models.stage not in self.covariates:
            raise ValueError(f"models.stage is '{self.models.stage}', which is none of the covariates")
        if not self.covariates and self.images is None:
            raise ValueError("a study needs covariates, images, or both")
        return self

    def resolve(self, path: Path) -> Path:
        """A path of the study file, made absolute from the folder of the file."""
        return path if path.is_absolute() else self.folder / path

    @property
    def needs_parts(self) -> bool:
        """Whether a read-out keeps the anatomical parts of the label map apart."""
        return "regions" in self.embedding.readouts

    @property
    def label_columns(self) -> dict[str, str]:
        """Columns of the label maps by their scheme, where a region is made from them or a read-out needs them."""
        needed = self.needs_parts or any(roi.needs_labels for roi in self.rois.values())
        return self.images.label_columns if self.images is not None and needed else {}

    @property
    def run_dir(self) -> Path:
        """Where results go."""
        return self.resolve(self.output)

    @property
    def store_dir(self) -> Path:
        """Where embeddings are kept."""
        return self.resolve(self.store) if self.store else self.run_dir / "store"

    @property
    def origins(self) -> tuple[Origin, ...]:
        """What models with images see: the chosen origins, or all that the scans allow."""
        if self.images is None:
            return ()
        has = {"PET": self.images.pet is not None, "CT": self.images.ct is not None}
        possible: tuple[Origin, ...] = ("PET", "CT", "Combined")
        possible = tuple(o for o in possible if (all(has.values()) if o == "Combined" else has[o]))
        return possible if self.models.origins is None else self.models.origins

    @property
    def baselines(self) -> tuple[Baseline, ...]:
        """The baselines that are run: the chosen ones, or the PET numbers where the scans allow."""
        possible: tuple[Baseline, ...] = ("pet_numbers",) if "PET" in self.modalities else ()
        return possible if self.models.baselines is None else self.models.baselines

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The modalities that the chosen rows need."""
        return tuple(m for m in ("PET", "CT") if m in self.origins or "Combined" in self.origins)

    @property
    def scan_columns(self) -> dict[Modality, str]:
        """Columns of the scans that are read: those that rows need, and any CT, for masks lie on its grid."""
        if self.images is None:
            return {}
        columns: dict[Modality, str | None] = {"CT": self.images.ct, "PET": self.images.pet}
        return {m: c for m, c in columns.items() if c is not None and (m == "CT" or m in self.modalities)}


_SECTIONS: dict[str, type[Section]] = {
    "": StudyConfig,
    "outcome": Outcome,
    "covariates.<name>": Covariate,
    "images": Images,
    "rois.<name>": Roi,
    "pet_numbers": PetNumbers,
    "radiomics": Radiomics,
    "image_checks": ImageChecks,
    "embedding": Embedding,
    "encoders": Encoders,
    "models": Models,
    "training": Training,
    "tuning": Tuning,
    "evaluation": Evaluation,
    "sensitivity": Sensitivity,
    "explain": Explain,
    "robustness": Robustness,
    "report": Report,
    "truth": Truth,
}


def load_config(path: Path) -> StudyConfig:
    """Read a study file. Raises ConfigError naming every wrong field at once."""
    raw = read_yaml(path)
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: a study file is a mapping of fields (name, manifest, outcome, ...)")
    if "folder" in raw:
        raise ConfigError(f"{path}: 'folder' is not a field; paths start at the study file's own folder")
    return checked_config({**raw, "folder": path.resolve().parent}, str(path))


def checked_config(fields: dict[str, Any], source: str) -> StudyConfig:
    """A study from its fields. source: named in the ConfigError that lists every wrong one."""
    try:
        return StudyConfig.model_validate(fields)
    except ValidationError as error:
        lines = [f"  - {line}" for line in in_words(error, _SECTIONS)]
        raise ConfigError(f"{source}: {len(lines)} problem(s)\n" + "\n".join(lines)) from error
