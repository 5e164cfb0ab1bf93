"""Where a run keeps its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engram.config import StudyConfig


@dataclass(frozen=True)
class RunFolder:
    """The files of one run folder. `cache` may be deleted at any time: it only saves work."""

    root: Path

    @classmethod
    def of(cls, config: StudyConfig) -> RunFolder:
        """The run folder that a study file asks for."""
        return cls(config.run_dir)

    @property
    def exclusions(self) -> Path:
        """CSV: every patient left out, with reason and mend."""
        return self.root / "exclusions.csv"

    @property
    def embeddings(self) -> Path:
        """JSON: the store keys of every patient, and what they were made with."""
        return self.root / "embeddings.json"

    @property
    def results(self) -> Path:
        """JSON: everything that the report prints."""
        return self.root / "results.json"

    @property
    def out_of_fold(self) -> Path:
        """CSV: the out-of-fold risk of every patient under every row."""
        return self.root / "out_of_fold_risks.csv"

    @property
    def audit(self) -> Path:
        """JSON: the leakage audit."""
        return self.root / "audit.json"

    @property
    def explanation(self) -> Path:
        """JSON: what was explained of one row."""
        return self.root / "explain.json"

    @property
    def explained(self) -> Path:
        """Maps as NIfTI and their overlays, by the number of the patient."""
        return self.root / "explain"

    @property
    def reach(self) -> Path:
        """JSON: how far each read-out sees."""
        return self.root / "reach.json"

    @property
    def deltas(self) -> Path:
        """Cache of what each patch changed."""
        return self.root / "cache" / "explain"

    @property
    def sensitivity(self) -> Path:
        """JSON: what disturbed prompts, masks and registration change."""
        return self.root / "sensitivity.json"

    @property
    def sensitivity_patients(self) -> Path:
        """CSV: the cosine of each patient's embedding under each variant, patients by their number."""
        return self.root / "sensitivity_patients.csv"

    @property
    def tuning_trials(self) -> Path:
        """CSV: every trial of every search for hyperparameters; not there without tuning."""
        return self.root / "tuning_trials.csv"

    @property
    def quality(self) -> Path:
        """CSV: how what the model drew lies on the region, one line a patient, scan and region."""
        return self.root / "quality.csv"

    @property
    def image_quality(self) -> Path:
        """CSV: what was measured of the images, one line a patient, and what is worth a look."""
        return self.root / "image_quality.csv"

    @property
    def regional_pet(self) -> Path:
        """CSV: SUV, MTV and TLG, one line a patient and region; beside it the same for the baseline, as JSON."""
        return self.root / "regional_pet.csv"

    @property
    def radiomics(self) -> Path:
        """CSV: IBSI features, one line a patient, region and scan; beside it what made them, as JSON."""
        return self.root / "radiomics.csv"

    @property
    def radiomics_cache(self) -> Path:
        """Cache of the features of each patient, and the logs of the tool."""
        return self.root / "cache" / "radiomics"

    @property
    def checks(self) -> Path:
        """Cache of what was found in each patient's images."""
        return self.root / "cache" / "checks"

    @property
    def folds(self) -> Path:
        """Cache of finished (row, fold) jobs."""
        return self.root / "cache" / "folds"
