"""What must be said beside numbers wherever they are printed: untrained weights, SE, p, optimism."""

from __future__ import annotations

from collections.abc import Iterable

from engram.evaluation.results import Provenance, RiskGroups, RowResult, StudyResults
from engram.report.formats import or_dash
from engram.table import BASELINES, OWN, OWN_MAP, OWN_VECTOR, PET_NUMBERS, RADIOMICS

UNTRAINED = "Untrained weights"
UNTRAINED_MEANING = (
    "The image model has random weights: rows that read its memory show that the software runs, not what the "
    "method can do."
)
UNVERIFIED = "Weights not verified"
UNVERIFIED_MEANING = (
    "The image model's weights come from a file of the user, and their name from the study file: Engram knows no "
    "published digest to hold them to."
)
FOLD_NOTES = "Notes of the fits inside the folds:"
SYNTHETIC = "Synthetic cohort"
SYNTHETIC_MEANING = (
    "These patients do not exist. Their true hazard is known, so each model can be measured against it."
)

STANDARD_ERROR = (
    "SE: standard error over folds (standard deviation of the fold c-indices / square root of the folds)."
)
CONFIDENCE_INTERVAL = (
    "95 % CI: bootstrap (BCa) of the test patients within their folds, the models staying as they were fitted: "
    "it says what other test patients would change, not what other training patients would, and is no test."
)
NO_INTERVAL = (
    "95 % CI –: so few patients that some resamples leave a test fold without two who can be compared, or all "
    "resamples alike."
)
P_VALUE = (
    "p, paper: one-sided t-test of fold c-indices against 0.5, as in the paper. It takes the folds for "
    "independent, and is optimistic."
)
P_TWO_SIDED = "p, two-sided: the same test, two-sided, and optimistic too."
P_CORRECTED = (
    "p, corrected: two-sided, by the corrected resampled t-test (Nadeau and Bengio, 2003), for folds share "
    "training patients. A row that ranks worse than chance has a small p, too."
)
PRESPECIFIED = (
    "Declared before any result: each row of images and covariates against the covariates alone, by the same "
    "survival model. This is the question of the study; all other comparisons explore."
)
EXPLORING = "pairs of rows that differ in one thing, or in one and the head or survival model that it brings along"
DIFFERENCE = (
    "Difference: c-index of the row minus that of the other, on the same folds; 95 % CI by a bootstrap of the same "
    "test patients for both, the models staying as they were fitted."
)
P_PAIRED = (
    "p, paired: two-sided paired t-test over folds, optimistic. p, corrected: the same by the corrected resampled "
    "t-test (Nadeau and Bengio, 2003)."
)
HOLM = (
    "p, Holm: the corrected p, adjusted for all comparisons of this table: the chance of any false positive "
    "among them is at most the level."
)
BENJAMINI_HOCHBERG = (
    "p, BH: adjusted by Benjamini and Hochberg for all rows of this table: of those called positive, at "
    "most that share is expected to be false."
)
REVERSE = "\u2013 its risk works in reverse"
REVERSE_MEANING = (
    "Works in reverse: beside those covariates, a higher risk goes with a longer time. A likelihood ratio has no "
    "sign and counts what turning the risk round would gain; that is no value of this row, which so has no p and "
    "no share."
)
NEW_INFORMATION = "New information: its share of the chi-square of covariates and risk together."
NO_CLINICAL_MODEL = (
    "One Cox model of all covariates could not be fitted to these patients: the events are too few for so many "
    "columns. What the images add to the covariates, and whether hazards are proportional, was not tested."
)
PROPORTIONAL_HAZARDS = (
    "p: test of Grambsch and Therneau; a small one says that the covariate's hazard ratio changes with time. p, "
    "Holm: adjusted for the number of columns."
)
TRUE_C = (
    "True c: c-index of the true log-hazard of what the row sees, on the same test folds; "
    "a model may exceed it on some folds by chance, but not in the long run."
)
TRUE_C_UNKNOWN = (
    "True c –: the row sees some of the covariates alone, and the truth says what all of them know together."
)
NO_C = (
    "–: no c-index, because no two patients of that test fold can be compared "
    "(it takes one with the event and another who was followed for longer)."
)
BEST_OF_MANY = (
    "The best row of a family was chosen on the same folds that measure it: the best of many is optimistic, "
    "the more so the more rows there were to choose from."
)
OF_A_C_INDEX = (STANDARD_ERROR, CONFIDENCE_INTERVAL, P_VALUE, P_CORRECTED)
SMALLEST_GROUP = 5  # patients below which a Kaplan-Meier curve is drawn of nobody's fate in particular

POOLED_LOG_RANK = (
    "Patients are pooled over folds and each was scored by the model of the fold that left them out: the log-rank "
    "test of pooled out-of-fold risks, as the paper has it, is anti-conservative (its p is too small). The "
    "corrected p is that of the fold's log hazard ratios (Peto) by the corrected resampled t-test; the hazard "
    "ratio compares patients of one test fold, and its interval takes the models as they were fitted, so it is "
    "no test."
)

READ_OUTS = {
    "final": "the last memory entries, of each pass where there are two",
    "volume_map": "the mean map over all slices",
    "volume": "mean, sd and maximum over all slices and pixels",
    "roi": "mean, sd and maximum over the pixels inside the region of interest",
    "roi_without_memory": "mean, sd and maximum inside the region, of slices read with their prompt and no memory",
    "regions": "mean, sd and maximum over the pixels inside each anatomical part",
    "pointers": "mean, sd and maximum of the model's object pointers",
    "scores": "mean, sd and minimum of the model's own object score and expected IoU",
    "area": "the area of the drawn mask along the region",
    PET_NUMBERS: "SUVmean, SUVmax, SUVpeak, MTV and TLG of the region, a baseline without a memory",
    RADIOMICS: "IBSI features of the region, a baseline without a memory",
    "resnet50": "features of ResNet-50 inside the region, a baseline without a memory",
    "vit": "features of ViT inside the region, a baseline without a memory",
    "hiera": "features of the model's image encoder alone inside the region, a baseline without a memory",
    OWN_VECTOR: "numbers that were given for each patient, whatever made them",
    OWN_MAP: "maps that were given for each patient, whatever made them",
}
_OF_THE_MODEL = "hiera"  # the baseline that is a part of the frozen model, and untrained where that is
AREA_OF_THE_PROMPT = "The prompt being a mask, the drawn area of a prompted slice is that of the region itself."

DICE = (
    "Dice is the overlap of the mask that the model draws with the region of interest, from 0 (they do not touch) "
    "to 1 (they are the same); a patient's is that of all slices read, taken as one volume."
)
FAMILIES = {"multimodal": "Image + clinical", "clinical": "Clinical only", "image": "Image only"}


def likelihood_ratio(covariates: str) -> str:
    """What the likelihood ratio of a table is. covariates: of the Cox model, with the verb that follows them."""
    return (
        "Likelihood ratio: chi-square (1 degree of freedom) of the row's out-of-fold risk, added to a Cox model "
        f"of {covariates} fitted on these very patients while the risk is not. Its p is optimistic all the same: "
        "the risks of all folds are pooled. The comparison with the clinical rows on the same folds is the test to "
        "go by."
    )


def encoder_name(row: RowResult, made: Provenance) -> str:
    """The frozen weights of a row, marked where they are random or not those that are published: tables are copied
    without their page."""
    if not reads_model(row) and row.readout not in made.encoders:
        return or_dash(row.encoder)
    if _untrained(row, made):
        return row.encoder if "untrained" in row.encoder.lower() else f"{row.encoder} (untrained)"
    return row.encoder if _verified(row, made) else f"{row.encoder} (not verified)"


def _untrained(row: RowResult, made: Provenance) -> bool:
    """Whether random weights made what the row sees: of the memory model, or of the encoder of a baseline."""
    encoder = made.encoders.get(row.readout)
    return encoder.untrained if encoder is not None else made.untrained_weights and reads_model(row)


def _verified(row: RowResult, made: Provenance) -> bool:
    encoder = made.encoders.get(row.readout)
    return encoder.verified if encoder is not None else made.verified_weights


def reads_memory(row: RowResult) -> bool:
    """Whether the row looks at the memory of the frozen model: no clinical row does, and no baseline."""
    return row.family != "clinical" and row.readout not in (*BASELINES, *OWN)


def reads_model(row: RowResult) -> bool:
    """Whether the frozen model made what the row sees: its memory, or its image encoder alone."""
    return reads_memory(row) or row.readout == _OF_THE_MODEL


def were_run(rows: Iterable[RowResult]) -> list[RowResult]:
    """The rows that have numbers to show: all but those that are absent."""
    return [row for row in rows if row.absent is None]


def names_read_outs(rows: Iterable[RowResult]) -> bool:
    """Whether any of these rows reads out more of the memory than the paper does, so that all must say what."""
    return any(row.readout not in ("final", "-") for row in rows)


def read_outs(rows: Iterable[RowResult], *, masks_shown: bool) -> str:
    """What each read-out of these rows is, in words. masks_shown: whether the prompt is a mask."""
    seen = {row.readout for row in rows}
    words = "; ".join(f"{name}, {words}" for name, words in READ_OUTS.items() if name in seen)
    return f"Read-out: {words}.{f' {AREA_OF_THE_PROMPT}' if masks_shown and 'area' in seen else ''}"


def risk_groups_in_words(groups: RiskGroups) -> str:
    """How the groups were made and how many patients each holds."""
    counts = "; ".join(f"{curve.label}, n = {curve.n}" for curve in groups.curves)
    return (
        "Groups by cut-points that are the quartiles of the training patients' risks, never of the test patients', "
        f"so a group need not hold a quarter of the patients: {counts}."
    )


def why_not_drawn(groups: RiskGroups) -> str | None:
    """Why there are no curves; None where there are."""
    if all(curve.n >= SMALLEST_GROUP for curve in groups.curves):
        return None
    return (
        f"No Kaplan-Meier curves: they are drawn where every group has at least {SMALLEST_GROUP} patients. "
        f"Row \u201c{groups.row}\u201d. {risk_groups_in_words(groups)}"
    )


def no_interval(rows: Iterable[RowResult]) -> list[str]:
    """Why a row with a mean has no interval, where there is one."""
    return [NO_INTERVAL] * any(row.mean is not None and row.ci_lower is None for row in rows)


def needs_untrained_label(results: StudyResults, rows: Iterable[RowResult]) -> bool:
    """Whether any of these rows looked at images through random weights."""
    return any(_untrained(row, results.provenance) for row in rows)


def by_c_index(rows: Iterable[RowResult]) -> list[RowResult]:
    """Highest mean first, as in the paper; then rows without one, and those that were not run; ties by name."""
    return sorted(rows, key=lambda row: (row.absent is not None, row.mean is None, -(row.mean or 0.0), row.name))


def best(rows: Iterable[RowResult], family: str) -> RowResult | None:
    """The row of a family with the highest mean, or None where none of them has one. Baselines do not compete."""
    ranked = by_c_index(competing(rows, family))
    return ranked[0] if ranked else None


def competing(rows: Iterable[RowResult], family: str) -> list[RowResult]:
    """The rows among which the best of a family is chosen."""
    return [row for row in rows if row.family == family and row.mean is not None and row.readout not in BASELINES]


def usable_folds(row: RowResult) -> int:
    """On how many test folds the row has a c-index."""
    return sum(value is not None for value in row.c_index)
