"""The methods of the models: heads, fusions, baselines, survival models, covariates; only of rows that were run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engram.evaluation.results import EncoderProvenance, Provenance, RowResult, StudyResults
from engram.report import labels
from engram.report.formats import joined
from engram.report.methods_tuning import tuned_ranges
from engram.report.wording import said
from engram.table import MAP_READOUTS, PET_NUMBERS, RADIOMICS

_Settings = dict[str, str | int | float | bool | list[int]]

_HEADS: Final = {
    "averaging": (
        "Maps of the memory were averaged over entries and channels, standardised by the pixel-wise mean and one "
        "standard deviation of the training maps, and reduced to a vector by a small CNN that was trained with the "
        "survival model (averaging head)."
    ),
    "attention": (
        "The light attention head of the paper weighs the channels of the memory by a softmax, after its entries "
        "were mixed by a pointwise convolution; the weighted map was averaged and projected to a vector, all of "
        "it trained with the survival model."
    ),
    "3D CNN": (
        "The 3D CNN head reads the whole memory by three-dimensional convolutions, trained with the survival model."
    ),
    "flatten": "The flatten head hands every value of the memory to the survival model.",
}
_COMPONENTS: Final = (
    "were z-scored, what a patient lacks being set to the training mean, and reduced to at most {components} "
    "principal components of each scan, scaled to unit variance, all learned from the training patients (PCA head)"
)
_FUSIONS: Final = {
    "concatenation": "concatenation",
    "gate": "a gate (a weighted sum of PET and CT, whose weight is learned and differs from patient to patient)",
}
_ENCODERS: Final = {"resnet50": "ResNet-50", "vit": "ViT", "hiera": "the image encoder of the memory model"}


def models(results: StudyResults) -> str:
    """One paragraph: what each kind of row does, of the kinds that the results hold."""
    rows = labels.were_run(results.rows)
    settings = results.provenance.training
    survivals = sorted({row.survival for row in rows} - {"-"})
    tuned = tuned_ranges(results)
    sentences = [
        *(said(text, rows) for text in _heads(rows, settings, tuned)),
        *_baselines(rows, results.provenance),
        *_fusions(rows),
    ]
    if survivals:
        sentences.append(f"Log-risk was modelled by {joined(survivals)}; a higher risk is worse.")
    if "DeepSurv" in survivals:
        sentences += _deepsurv(settings, tuned)
    if "ridge Cox" in survivals:
        penalty = f"{settings['cox_penalty']}{_where_fixed(rows)}"
        sentences.append(f"The ridge penalty of every Cox model was {_tuned('cox_penalty', tuned) or penalty}.")
    if any(row.family != "image" for row in rows):
        sentences += _covariates(results.provenance)
    return " ".join(sentences)


def _where_fixed(rows: list[RowResult]) -> str:
    """Settings of the study file are those of rows that were not tuned; nothing is added where all are these."""
    return "" if all(row.protocol == "fixed" for row in rows) else ", where it was not tuned"


def _tuned(name: str, tuned: Mapping[str, str]) -> str:
    """How a setting is told that was tuned; nothing for one that was not."""
    return f"tuned ({tuned[name]})" if name in tuned else ""


def _heads(rows: list[RowResult], settings: _Settings, tuned: Mapping[str, str]) -> list[str]:
    seen = {row.head for row in rows}
    found = [words for head, words in _HEADS.items() if head in seen]
    reduced = [row for row in rows if row.head == "PCA"]
    if reduced:
        what = ["Values of the flattened memory"] * any(row.readout in MAP_READOUTS for row in reduced)
        what += ["vectors of the images" if what else "Vectors of the images"] * any(
            row.readout not in MAP_READOUTS for row in reduced
        )
        many = f"{tuned['components']} (tuned)" if "components" in tuned else settings["components"]
        readers = joined(sorted({row.survival for row in reduced}))
        found.append(
            f"{joined(what)} {_COMPONENTS.format(components=many)}; {readers} read them, beside the covariates "
            "where a row sees those."
        )
    return found


def _fusions(rows: list[RowResult]) -> list[str]:
    seen = {row.fusion for row in rows}
    words = [words for name, words in _FUSIONS.items() if name in seen]
    return [f"Inputs of several kinds were joined by {joined(words)}."] if words else []


def _baselines(rows: list[RowResult], made: Provenance) -> list[str]:
    seen = {row.readout for row in rows}
    found = [_pet_numbers(made)] if PET_NUMBERS in seen else []
    if RADIOMICS in seen:
        found.append(_radiomics(made))
    encoders = [_encoder(words, made.encoders.get(name)) for name, words in _ENCODERS.items() if name in seen]
    if encoders:
        found.append(f"Baselines of image encoders without a memory: {joined(encoders)}.")
    return found


def _radiomics(made: Provenance) -> str:
    """What they are, by what and how they were made as far as that is saved, and how some were chosen."""
    table = made.radiomics
    how, most = "", "the rest ranked and selected"
    if table is not None:
        most = f"at most {table.features} of a scan were chosen from the rest by their rank"
        of = joined([f"{scan}: {words}" for scan, words in table.settings.items()])
        how = f", made by {table.tool} ({of})" if table.tool is not None else ", from a table of the study's own"
    return (
        f"Radiomics, a baseline without the memory model, are IBSI features of the region{how}; those that are "
        f"constant, often missing or redundant were dropped, and {most}, on the training patients of each fold "
        "alone (selection head)."
    )


def _encoder(words: str, made: EncoderProvenance | None) -> str:
    """Which it is and what of the region it saw; nothing of the latter where that was not saved."""
    if made is None:
        return words
    doubt = "untrained; " if made.untrained else "" if made.verified else "not verified; "
    return f"{words} ({doubt}{made.reading})"


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


def _deepsurv(settings: _Settings, tuned: Mapping[str, str]) -> list[str]:
    many = int(str(settings["ensemble"]))
    inner = int(str(settings["inner_folds"]))

    def value(name: str) -> str:
        return _tuned(name, tuned) or str(settings[name])

    return [
        f"DeepSurv: {_hidden(settings, tuned)}, {_norm(settings, tuned)}, dropout {value('dropout')}"
        + (f" ({value('embedding_dropout')} of the fused vectors)" if _drops_vectors(settings, tuned) else "")
        + f"; AdamW, learning rate {value('learning_rate')}, schedule {value('schedule')}, "
        f"{'L2 penalty' if _is_l2(settings, tuned) else 'weight decay'} "
        f"{value('l2' if _is_l2(settings, tuned) else 'weight_decay')}, "
        f"gradient norm clipped at {value('clip_norm')}, full batch, {settings['ties']} ties, "
        f"at most {settings['max_epochs']} epochs.",
        "The number of epochs was the median best one over "
        f"{'an inner split' if inner == 1 else f'{inner} inner folds'} of the training patients (patience "
        f"{settings['patience']}), who then all trained"
        + (f"; the risk is the mean of {many} networks of different seeds." if many > 1 else "."),
    ]


def _hidden(settings: _Settings, tuned: Mapping[str, str]) -> str:
    if "layers" in tuned:
        return f"number of hidden layers {_tuned('layers', tuned)}, their width {_tuned('width', tuned)}"
    hidden = settings["hidden"]
    return f"hidden layers {', '.join(map(str, hidden)) if isinstance(hidden, list) and hidden else 'none'}"


def _norm(settings: _Settings, tuned: Mapping[str, str]) -> str:
    if "norm" in tuned:
        return f"normalisation {_tuned('norm', tuned)}"
    known = {"none": "without normalisation", "layer": "with layer normalisation"}
    return known.get(str(settings["norm"]), "with batch normalisation")


def _drops_vectors(settings: _Settings, tuned: Mapping[str, str]) -> bool:
    return "embedding_dropout" in tuned or bool(settings.get("embedding_dropout"))


def _is_l2(settings: _Settings, tuned: Mapping[str, str]) -> bool:
    return "l2" in tuned or bool(settings["l2"])
