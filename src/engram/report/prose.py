"""The sentences of the page, made from what is saved; nothing is claimed that the results do not hold."""

from __future__ import annotations

from dataclasses import dataclass

from engram.evaluation.results import RowResult, StudyResults
from engram.report import labels
from engram.report.formats import joined, number

_NO_BREAK = "\N{NO-BREAK SPACE}"
_FAMILY_WORDS = {"multimodal": "image + clinical", "clinical": "clinical", "image": "image-only"}
_PROMPTING = {
    "all": "every slice read was prompted before the pass began",
    "interleaved": "each slice was prompted in its turn, after the slices above it had been read",
    "first": "only the first slice was prompted, and its mask was followed through the others",
}
_EVERY = {1: "every slice", 2: "every second slice", 3: "every third slice"}


@dataclass(frozen=True)
class Banner:
    """One warning above the results. kind: `untrained`, `synthetic` or `warning`, for its look."""

    kind: str
    title: str
    text: str


def banners(results: StudyResults) -> list[Banner]:
    """What a reader must know before any number, gravest first."""
    found: list[Banner] = []
    if results.provenance.untrained_weights:
        found.append(Banner("untrained", labels.UNTRAINED, labels.UNTRAINED_MEANING))
    elif results.provenance.weights is not None and not results.provenance.verified_weights:
        found.append(Banner("warning", labels.UNVERIFIED, labels.UNVERIFIED_MEANING))
    if results.synthetic:
        found.append(Banner("synthetic", labels.SYNTHETIC, labels.SYNTHETIC_MEANING))
    return found + [Banner("warning", "Warning", text) for text in results.warnings]


def summary(results: StudyResults) -> str:
    """What was found, in one sentence: the best row of each family."""
    cohort, folds = results.cohort, len(results.folds)
    patients = f"{cohort.n} patients ({cohort.events} with the event, {cohort.endpoint})"
    where = f"In {folds}-fold cross-validation of {patients}"
    chosen = [labels.best(results.rows, family) for family in labels.FAMILIES]
    found = [_best(row, results) for row in chosen if row is not None]
    if not found:
        return f"{where}, no row has a c-index: no two patients of a test fold can be compared."
    return f"{where}, {joined(found)}."


def _best(row: RowResult, results: StudyResults) -> str:
    se = f"{_NO_BREAK}±{_NO_BREAK}{number(row.se)}" if row.se is not None else ""
    truth = f" (true c {number(row.true_mean)})" if results.synthetic and row.true_mean is not None else ""
    mark = "; untrained weights" if labels.needs_untrained_label(results, [row]) else ""
    mean = f"c{_NO_BREAK}={_NO_BREAK}{number(row.mean)}"
    usable, folds = labels.usable_folds(row), len(row.c_index)
    partly = f" on {usable} of {folds} folds" if usable < folds else ""
    return f"the best {_FAMILY_WORDS[row.family]} row ({row.name}{mark}) had {mean}{se}{truth}{partly}"


def methods(results: StudyResults) -> list[str]:
    """The methods as paragraphs: patients, images, models, evaluation."""
    paragraphs = [_patients(results), _images(results), _models(results), _evaluation(results)]
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
    if made.weights is None:
        return ""
    state = "random, untrained" if made.untrained_weights else "frozen"
    regions = joined([f"{name} ({how})" for name, how in made.rois.items()])
    sentences = [f"Regions of interest: {regions}."] if made.rois else []
    sentences.append(f"Axial slices were read with the {state} memory model {made.weights}{_reading(protocol)}.")
    if "prompting" in protocol:
        how = str(protocol["prompting"])
        sentences.append(f"Prompting was {how}: {_PROMPTING.get(how, 'see the protocol below')}.")
    if "prompt" in protocol:
        sentences.append(f"The prompt was the {protocol['prompt']}.")
    sentences += _windows(protocol)
    if "read_out" in protocol:
        sentences.append(f"The embedding of an image is the {protocol['read_out']}.")
    return " ".join(sentences)


_Protocol = dict[str, str | int | float | bool | list[float]]


def _reading(protocol: _Protocol) -> str:
    parts = []
    if "resolution_px" in protocol:
        parts.append(f"at {protocol['resolution_px']} pixels a side")
    if "direction" in protocol:
        parts.append(f"from {protocol['direction']}")
    stride = protocol.get("stride")
    if isinstance(stride, int):
        parts.append(f"{_EVERY.get(stride, f'one slice in {stride}')} in which the region of interest has a mask")
    return " " + ", ".join(parts) if parts else ""


def _windows(protocol: _Protocol) -> list[str]:
    shown = []
    for key, name, unit in (("ct_window_hu", "CT", "HU"), ("pet_window_suv", "PET", "SUVbw")):
        window = protocol.get(key)
        if isinstance(window, list) and len(window) == 2:
            shown.append(f"{name} from {window[0]:g} to {window[1]:g} {unit}")
    return [f"Grey values: {joined(shown)}."] if shown else []


def _models(results: StudyResults) -> str:
    rows = results.rows
    heads = sorted({row.head for row in rows} - {"-"})
    fusions = sorted({row.fusion for row in rows} - {"-"})
    survivals = sorted({row.survival for row in rows} - {"-"})
    sentences = []
    if heads:
        sentences.append(f"Embeddings were reduced by {joined(heads)}.")
    if fusions:
        sentences.append(f"Inputs of several kinds were joined by {joined(fusions)}.")
    if survivals:
        sentences.append(f"Log-risk was modelled by {joined(survivals)}; a higher risk is worse.")
    settings = results.provenance.training
    if "DeepSurv" in survivals:
        sentences += _deepsurv(settings)
    if "ridge Cox" in survivals:
        sentences.append(f"The ridge penalty of the Cox model was {settings['cox_penalty']}.")
    if any(row.family != "image" for row in rows):
        sentences.append(
            "Continuous covariates were imputed by the training median and z-scored, others by the most frequent "
            "level, unless missing was a level of its own, and one-hot encoded."
        )
    return " ".join(sentences)


def _deepsurv(settings: dict[str, str | int | float | bool | list[int]]) -> list[str]:
    hidden = settings["hidden"]
    widths = ", ".join(map(str, hidden)) if isinstance(hidden, list) and hidden else "none"
    norm = "with" if settings["batch_norm"] else "without"
    decay = f"L2 penalty {settings['l2']}" if settings["l2"] else f"weight decay {settings['weight_decay']}"
    many = int(str(settings["ensemble"]))
    inner = int(str(settings["inner_folds"]))
    return [
        f"DeepSurv: hidden layers {widths}, {norm} batch normalisation, dropout {settings['dropout']}; AdamW, "
        f"learning rate {settings['learning_rate']} ({settings['schedule']} schedule), {decay}, "
        f"gradient norm clipped at {settings['clip_norm']}, full batch, {settings['ties']} ties, "
        f"at most {settings['max_epochs']} epochs.",
        "The number of epochs was the median best one over "
        f"{'an inner split' if inner == 1 else f'{inner} inner folds'} of the training patients (patience "
        f"{settings['patience']}), who then all trained"
        + (f"; the risk is the mean of {many} networks of different seeds." if many > 1 else "."),
    ]


def _evaluation(results: StudyResults) -> str:
    return (
        f"Every row was measured on the same {len(results.folds)} test folds, stratified by "
        f"event and time (seed {results.provenance.seed}). Imputation, encoding, scaling, early stopping and "
        "training saw the training part of a fold only. Discrimination is Harrell's c-index on each test fold, "
        "given as mean and standard error over folds; p is that of a one-sided one-sample t-test of the fold "
        "c-indices against 0.5."
    )


def reading_notes(results: StudyResults) -> list[str]:
    """How to read the page: what each number is, and what it is not."""
    found = [
        "A c-index of 0.5 is chance and 1 is a perfect order: of two patients who can be compared, how often the "
        "one with the higher risk had the event first. It says nothing about calibration.",
        "The standard error over folds is not a confidence interval: test folds share training patients, "
        "and a handful of folds estimate it poorly. Do not rank models by it.",
        "Folds are not independent, so the uncorrected t-test rejects too often; "
        f"rows tested: {len(results.rows)}, and no p was corrected for their number.",
    ]
    if labels.best(results.rows, "image") or labels.best(results.rows, "multimodal"):
        found.append(labels.BEST_OF_MANY)
    if results.synthetic:
        found.append(labels.TRUE_C)
    if results.risk_groups is not None and results.risk_groups.curves:
        found.append(labels.POOLED_LOG_RANK)
    return found


def provenance_lines(results: StudyResults) -> list[tuple[str, str]]:
    """Everything that the numbers were made with, as pairs of text."""
    made = results.provenance
    state = "untrained" if made.untrained_weights else "verified" if made.verified_weights else "not verified"
    weights = f"{made.weights} ({state})" if made.weights else None
    pairs = [
        ("Engram", made.engram),
        ("Python", made.python),
        *sorted(made.libraries.items()),
        ("Seed", str(made.seed)),
        ("Study digest (SHA-256)", made.study_digest),
        ("Manifest digest (SHA-256)", made.manifest_digest),
        ("Weights", weights),
        ("Weights digest (SHA-256)", made.weights_digest),
        *((f"Protocol: {key}", _value(value)) for key, value in made.protocol.items()),
        ("Protocol digest (SHA-256)", made.protocol_digest),
    ]
    return [(name, value) for name, value in pairs if value is not None]


def _value(value: str | int | float | bool | list[float]) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " to ".join(f"{item:g}" for item in value) if len(value) == 2 else ", ".join(map(str, value))
    return str(value)
