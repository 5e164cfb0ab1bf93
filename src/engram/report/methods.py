"""The methods section, made from what is saved; nothing is claimed that the results do not hold."""

from __future__ import annotations

from engram.config_windows import CT_WINDOWS_HU, PET_WINDOWS_SUV, window_name
from engram.evaluation.results import Provenance, StudyResults
from engram.report.formats import joined
from engram.report.shown import Shown
from engram.table import PET_NUMBERS

_PROMPTING = {
    "all": "every slice read was prompted before {the_pass} began",
    "interleaved": "each slice was prompted in its turn, after the slices before it had been read",
    "every_k": (
        "the first slice{of_each} and every k-th slice read after it were prompted in their turn, and the mask was "
        "followed through the others"
    ),
    "first": "only the first slice{of_each} was prompted, and its mask was followed through the others",
}
_EVERY = {1: "every slice", 2: "every second slice", 3: "every third slice"}
_HEADS = {
    "averaging": (
        "Maps of the memory were averaged over entries and channels, standardised by the pixel-wise mean and one "
        "standard deviation of the training maps, and reduced to a vector by a small CNN that was trained with the "
        "survival model (averaging head)."
    ),
    "PCA": (
        "Vectors of the memory were z-scored, what a patient lacks being set to the training mean, and reduced to "
        "at most {components} principal components of each scan, scaled to unit variance, all learned from the "
        "training patients (PCA head); ridge Cox read them, beside the covariates where a row sees those."
    ),
}


def methods(results: StudyResults) -> list[str]:
    """The methods as paragraphs: patients, images, models, evaluation."""
    paragraphs = [_patients(results), _images(results), _models(results), _evaluation(results)]
    paragraphs.append(_beyond_c_index(results))
    return [text for text in paragraphs if text]


def _patients(results: StudyResults) -> str:
    flow, cohort = results.flow, results.cohort
    source = f" Source of the data: {results.source}." if results.source else ""
    return (
        f"Of {flow.pool} rows of the manifest, {cohort.n} patients were analysed, {cohort.events} of them with the "
        f"event ({cohort.endpoint}). Outcomes were never imputed. Times are in months of 30.4375 days.{source}"
    )


def _images(results: StudyResults) -> str:
    made, protocol = results.provenance, results.provenance.protocol
    if made.weights is None and not made.encoders:
        return ""
    state = "random, untrained" if made.untrained_weights else "frozen"
    doubt = "" if made.untrained_weights or made.verified_weights else " (not verified)"
    regions = joined([f"{name} ({how})" for name, how in made.rois.items()])
    sentences = [f"Regions of interest: {regions}."] if made.rois else []
    if "label_schemes" in protocol:
        sentences.append(f"Bones are those of label maps, whose numbers were read as {protocol['label_schemes']}.")
    if made.weights is not None:
        sentences.append(
            f"Axial slices were read with the {state} memory model {made.weights}{doubt}{_reading(protocol)}."
        )
    sentences += [
        f"The encoder {one.weights}, without a memory, read {one.reading}." for one in made.encoders.values()
    ]
    if "prompting" in protocol:
        sentences.append(_prompting(str(protocol["prompting"]), Shown.of(results)))
    if "prompt" in protocol:
        sentences.append(f"The prompt: {protocol['prompt']}.")
    sentences += _windows(protocol)
    if "read_out" in protocol:
        sentences.append(f"Read out of the memory of an image: {protocol['read_out']}.")
    return " ".join(sentences)


_Protocol = dict[str, str | int | float | bool | list[float]]


def _prompting(how: str, shown: Shown) -> str:
    two = shown.passes == 2
    words = _PROMPTING.get(shown.prompting, "see the protocol below")
    said = words.format(the_pass="each pass" if two else "the pass", of_each=" of each pass" if two else "")
    return f"Prompting was {how}: {said}."


def _reading(protocol: _Protocol) -> str:
    parts = []
    if "resolution_px" in protocol:
        parts.append(f"at {protocol['resolution_px']} pixels a side")
    stride = protocol.get("stride")
    if isinstance(stride, int):
        parts.append(f"{_EVERY.get(stride, f'one slice in {stride}')} in which the region of interest has a mask")
    if "direction" in protocol:
        parts.append(f"from {protocol['direction']}")
    return " " + ", ".join(parts) if parts else ""


def _windows(protocol: _Protocol) -> list[str]:
    shown = []
    for key, name, unit, known in (
        ("ct_window_hu", "CT", "HU", CT_WINDOWS_HU),
        ("pet_window_suv", "PET", "SUVbw", PET_WINDOWS_SUV),
    ):
        window = protocol.get(key)
        if isinstance(window, list) and len(window) == 2:
            called = window_name((window[0], window[1]), known)
            words = f" (window '{called}')" if called is not None else ""
            shown.append(f"{name} from {window[0]:g} to {window[1]:g} {unit}{words}")
    return [f"Grey values: {joined(shown)}."] if shown else []


def _models(results: StudyResults) -> str:
    rows = results.rows
    heads = sorted({row.head for row in rows} - {"-"})
    fusions = sorted({row.fusion for row in rows} - {"-"})
    survivals = sorted({row.survival for row in rows} - {"-"})
    sentences = [_HEADS[head].format(**results.provenance.training) for head in heads]
    sentences += [_pet_numbers(results.provenance)] * any(row.readout == PET_NUMBERS for row in rows)
    if fusions:
        sentences.append(f"Inputs of several kinds were joined by {joined(fusions)}.")
    if survivals:
        sentences.append(f"Log-risk was modelled by {joined(survivals)}; a higher risk is worse.")
    settings = results.provenance.training
    if "DeepSurv" in survivals:
        sentences += _deepsurv(settings)
    if "ridge Cox" in survivals:
        sentences.append(f"The ridge penalty of every Cox model was {settings['cox_penalty']}.")
    if any(row.family != "image" for row in rows):
        sentences += _covariates(results.provenance)
    return " ".join(sentences)


def _pet_numbers(made: Provenance) -> str:
    at = f" of voxels at or above {made.mtv_threshold}" if made.mtv_threshold else ""
    return (
        "PET numbers, a baseline without the memory model, are SUVmean, SUVmax, SUVpeak (the highest mean of a "
        f"1 mL sphere), and metabolic volume and total lesion glycolysis{at}, measured on the PET's own grid; "
        "log(1 + x) of each was z-scored by the training patients, and ridge Cox read them."
    )


def _covariates(made: Provenance) -> list[str]:
    share = "the share that the study file allows" if made.max_missing is None else f"{100 * made.max_missing:g} %"
    return [
        "Continuous covariates were imputed by the training median and z-scored. Ordinal ones were imputed by the "
        "most frequent level, made into their rank and z-scored; categorical ones were imputed likewise and "
        "one-hot encoded, and so was every covariate whose missing values are a level of their own.",
        f"A covariate missing in more than {share} of the training patients of a fold was dropped there.",
    ]


def _deepsurv(settings: dict[str, str | int | float | bool | list[int]]) -> list[str]:
    hidden = settings["hidden"]
    widths = ", ".join(map(str, hidden)) if isinstance(hidden, list) and hidden else "none"
    norm = {"none": "no"}.get(str(settings["norm"]), str(settings["norm"]))
    decay = f"L2 penalty {settings['l2']}" if settings["l2"] else f"weight decay {settings['weight_decay']}"
    many = int(str(settings["ensemble"]))
    inner = int(str(settings["inner_folds"]))
    return [
        f"DeepSurv: hidden layers {widths}, {norm} normalisation, dropout {settings['dropout']}; AdamW, "
        f"learning rate {settings['learning_rate']} ({settings['schedule']} schedule), {decay}, "
        f"gradient norm clipped at {settings['clip_norm']}, full batch, {settings['ties']} ties, "
        f"at most {settings['max_epochs']} epochs.",
        "The number of epochs was the median best one over "
        f"{'an inner split' if inner == 1 else f'{inner} inner folds'} of the training patients (patience "
        f"{settings['patience']}), who then all trained"
        + (f"; the risk is the mean of {many} networks of different seeds." if many > 1 else "."),
    ]


def _beyond_c_index(results: StudyResults) -> str:
    found = results.performance
    if found is None:
        return ""
    at = "" if found.horizon_months is None else f" at {found.horizon_months:g} months"
    return (
        "Beyond the c-index: Uno's c (2011), cumulative / dynamic AUC (Uno, 2007) and the Brier score (Graf, 1999) "
        "were weighted by the Kaplan-Meier curve of censoring of the training patients, up to the time at which a "
        "tenth of them are still at risk; log-risks became probabilities by Breslow's baseline hazard of the "
        "training patients. "
        f"Of the out-of-fold predictions{at}: calibration by Cox regression on a spline (Austin, 2020), the slope "
        "of a Cox model stratified by fold, D-calibration (Haider, 2020), and net benefit (Vickers, 2008)."
    )


def _evaluation(results: StudyResults) -> str:
    return (
        f"Every row was measured on the same {len(results.folds)} test folds, stratified by "
        f"event and time (seed {results.provenance.seed}). Imputation, encoding, scaling, early stopping and "
        "training saw the training part of a fold only. Discrimination is Harrell's c-index on each test fold, "
        "given as mean and standard error over folds, with a 95 % confidence interval by a bias-corrected and "
        "accelerated bootstrap of the test patients within their folds. Rows were tested against 0.5 by the "
        "one-sided one-sample t-test of the paper and, two-sided, by the corrected resampled t-test (Nadeau and "
        "Bengio, 2003); pairs of rows by the paired form of the latter, adjusted by Holm where the pair was "
        "declared before any result and by Benjamini and Hochberg where it explores. The risk groups of pooled "
        "patients were compared by the log-rank test, and by the corrected resampled t-test of the log hazard "
        "ratios of the folds."
    )
