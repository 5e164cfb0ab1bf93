"""All analyses beside the main one: none that is not asked for, and chance decides no number."""

import pickle
from dataclasses import replace

from side_analyses import OF_CLINICAL, RIDGE, main_analysis

from engram.evaluation import variants
from engram.evaluation.missingness import missingness
from engram.evaluation.permutation_null import permutation_null
from engram.evaluation.repeated import Repeated, repeated_rows


def test_one_repeat_and_no_permutation_and_no_imputation_are_nothing(clinical, make_config, quick):
    table, config = clinical(n=60), make_config(**OF_CLINICAL, evaluation={"folds": 3})
    folds, results = main_analysis(table, config, quick)
    assert repeated_rows(table, [RIDGE], results, folds, config, quick) == Repeated([], [])
    assert permutation_null(table, [RIDGE], results, config, quick) == []
    assert missingness(table, [RIDGE], results, folds, config, quick) == []


def test_where_and_in_which_order_variants_run_changes_no_number(clinical, make_config, quick, monkeypatch):
    """Jobs travel to workers and back; who runs which, and when, is chance (`tests/unit/test_jobs.py`)."""
    config = make_config(**OF_CLINICAL, evaluation={"folds": 2}, sensitivity={"permutations": 3, "imputations": 2})
    table = clinical(n=40)
    folds, results = main_analysis(table, config, quick)

    def both(runner):
        null = permutation_null(table, [RIDGE], results, config, runner)
        return null, missingness(table, [RIDGE], results, folds, config, runner)

    def elsewhere(function, jobs, **_):
        return [pickle.loads(pickle.dumps(function(pickle.loads(pickle.dumps(job))))) for job in jobs[::-1]][::-1]

    here = both(quick)
    monkeypatch.setattr(variants, "run_jobs", elsewhere)
    assert both(replace(quick, cache_dir=quick.cache_dir / "elsewhere")) == here
