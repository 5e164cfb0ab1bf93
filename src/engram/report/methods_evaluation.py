"""The methods of the evaluation: how patients were divided, what was measured, what was done beside that."""

from __future__ import annotations

from engram.evaluation.results import StudyResults
from engram.report import labels
from engram.report.formats import p_value


def evaluation(results: StudyResults) -> str:
    """One paragraph: folds, the c-index and its tests."""
    return (
        f"{_folds(results)} Imputation, encoding, scaling, early stopping and "
        "training saw the training part of a fold only. Discrimination is Harrell's c-index on each test fold, "
        "given as mean and standard error over folds, with a 95 % confidence interval by a bias-corrected and "
        "accelerated bootstrap of the test patients within their folds. Rows were tested against 0.5 by the "
        "one-sided one-sample t-test of the paper and, two-sided, by the corrected resampled t-test (Nadeau and "
        "Bengio, 2003); pairs of rows by the paired form of the latter, adjusted by Holm where the pair was "
        "declared before any result and by Benjamini and Hochberg where it explores. The risk groups of pooled "
        "patients were compared by the log-rank test, and by the corrected resampled t-test of the log hazard "
        "ratios of the folds."
    )


def _folds(results: StudyResults) -> str:
    kind = "stratified" if results.splits is None else results.splits.kind
    many = len(results.folds)
    same = f"Every row was measured on the same {f'{many} test folds' if many > 1 else 'test patients'}"
    seed = f"(seed {results.provenance.seed})"
    if results.splits is None or kind == "stratified":
        return f"{same}, stratified by event and time {seed}."
    return f"{same}. {splits_in_words(results)}"


def splits_in_words(results: StudyResults) -> str | None:
    """How patients were divided where it was not at random; None where folds are stratified."""
    splits = results.splits
    if splits is None or splits.kind == "stratified":
        return None
    if splits.kind == "grouped":
        return (
            f"Folds keep patients of one '{splits.column}' together: no '{splits.column}' both trains and tests, "
            "so a test fold is of places that the model has not seen. Inner splits for early stopping are "
            "stratified, not grouped."
        )
    first = results.cohort.n - splits.tested
    return (
        f"Patients were put in the order of '{splits.column}': each window trains on all the earlier patients and "
        f"tests on the next. The {first} patients of the first window never test; {splits.tested} do, once each. "
        "Training parts differ in size, so the corrected p is approximate; the follow-up of a training patient "
        "may reach into the time of test patients."
    )


def beyond_c_index(results: StudyResults) -> str:
    """One paragraph on the other measures; empty where they were not saved."""
    found = results.performance
    if found is None:
        return ""
    at = "" if found.horizon_months is None else f" at {found.horizon_months:g} months"
    return (
        "Beyond the c-index: Uno's c (2011), cumulative / dynamic AUC (Uno, 2007) and the Brier score (Graf, 1999) "
        "were weighted by the Kaplan-Meier curve of censoring of the training patients, up to the time at which a "
        "tenth of them are still at risk; log-risks became probabilities by Breslow's baseline hazard of the "
        f"training patients. {_followed_longer(results)}"
        f"Of the out-of-fold predictions{at}: calibration by Cox regression on a spline (Austin, 2020), the slope "
        "of a Cox model stratified by fold, D-calibration (Haider, 2020), and net benefit (Vickers, 2008)."
    )


def _followed_longer(results: StudyResults) -> str:
    if results.splits is None or results.splits.kind != "temporal":
        return ""
    return (
        "Training patients came earlier and may have been followed for longer than test patients, so these weights "
        "are only as right as censoring was alike. "
    )


def sensitivity(results: StudyResults) -> str:
    """One paragraph on the analyses beside the main one; empty where there are none."""
    sentences = []
    if results.repeated:
        sentences.append(_repeats(results))
    if results.permutation_null:
        many = max(one.permutations for one in results.permutation_null)
        sentences.append(
            f"The whole evaluation was run on {many} permutations of the outcomes, for rows of ridge Cox; the "
            f"smallest p that so many allow is {p_value(1 / (many + 1))}."
        )
    if results.missingness:
        kinds = [one.analysis for one in results.missingness if one.analysis != "main"]
        sentences.append(f"Missing covariates were also treated by {', '.join(dict.fromkeys(kinds))}.")
    return " ".join(sentences)


def _repeats(results: StudyResults) -> str:
    many = max(len(one.means) for one in results.repeated)
    rows = f"{len(results.repeated)} of {len(labels.were_run(results.rows))} rows"
    found = f"Cross-validation was run {many} times, each with folds of its own, for {rows}." if many > 1 else ""
    return " ".join(text for text in (found, fewer_repeats(results)) if text)


def fewer_repeats(results: StudyResults) -> str:
    """Why there are fewer repeats than the study file asks for; empty where there are not."""
    asked = 1 if results.splits is None else results.splits.repeats
    many = max((len(one.means) for one in results.repeated), default=asked)
    if many >= asked:
        return ""
    what = "the main analysis alone" if many == 1 else f"{many}, the main analysis among them"
    return (
        f"{asked} repeats were asked for, and there are fewer ({what}): a few sites can be dealt evenly in few "
        "ways, and a division of patients that was drawn before was not run again."
    )
