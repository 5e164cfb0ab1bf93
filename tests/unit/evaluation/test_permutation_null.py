"""Permuted outcomes: chance alone decides what they give, and none of them ends a study."""

from dataclasses import replace

import numpy as np
import pytest
from side_analyses import OF_CLINICAL, RIDGE, fixed_rows, main_analysis

from engram.errors import CohortError
from engram.evaluation import permutation_null as permutation_null_module
from engram.evaluation.permutation_null import permutation_null
from engram.evaluation.rows import NONE, RIDGE_COX, RowSpec
from engram.outcome import SurvivalOutcome
from engram.table import EmbeddingKey

PET = RowSpec("PET, spine, volume", "image", "PET", "spine", "volume", "PCA", NONE, RIDGE_COX)


def test_a_signal_is_beyond_the_null(clinical, make_config, quick):
    config = make_config(**OF_CLINICAL, evaluation={"folds": 5}, sensitivity={"permutations": 99})
    table = clinical(n=90)
    _, results = main_analysis(table, config, quick)
    (found,) = permutation_null(table, [RIDGE], results, config, quick)
    assert found.p == pytest.approx(1 / 100)
    assert found.permutations == 99
    assert found.c_index == pytest.approx(np.mean([result.c_index for result in results[0]]))
    assert abs(found.null_mean - 0.5) < 0.03
    low, middle, high = found.null_quantiles
    assert low < middle < high < found.c_index


def test_p_is_uniform_where_there_is_nothing(clinical, make_config, quick):
    config = make_config(**OF_CLINICAL, evaluation={"folds": 3}, sensitivity={"permutations": 9})
    p = []
    for seed in range(20):
        table = clinical(n=40, seed=seed, strength=0.0)
        _, results = main_analysis(table, config, quick)
        p += [one.p for one in permutation_null(table, [RIDGE], results, config, quick)]
    assert np.mean(p) == pytest.approx(0.5, abs=0.15)
    assert np.mean(np.array(p) <= 0.2) == pytest.approx(0.2, abs=0.2)
    assert min(p) >= 1 / 10


def test_permuted_folds_follow_the_rule_of_the_study(clinical, make_config, runner):
    """Sites stay apart, and images go with their patient."""
    seen = []

    def watching(table, specs, folds, config, **kwargs):
        seen.append((table, folds))
        return fixed_rows(table, specs, folds, config, **kwargs)

    evaluation = {"folds": 2, "splits": "grouped", "group": "site"}
    config = make_config(evaluation=evaluation, sensitivity={"permutations": 3})
    table = clinical(n=60)
    vectors = {EmbeddingKey("PET", "spine", "volume"): np.random.default_rng(0).normal(size=(60, 3)).astype("f4")}
    table = replace(
        table,
        features=replace(table.features, embeddings=vectors),
        groups=tuple("abcdef"[i % 6] for i in range(60)),
    )
    _, results = main_analysis(table, config, runner, [PET])
    permutation_null(table, [PET], results, config, replace(runner, rows=watching))
    assert len(seen) == 3
    for permuted, folds in seen:
        np.testing.assert_array_equal(
            permuted.features.embeddings[EmbeddingKey("PET", "spine", "volume")], *vectors.values()
        )
        pairs = set(zip(permuted.outcome.time, permuted.outcome.event, strict=True))
        assert pairs == set(zip(table.outcome.time, table.outcome.event, strict=True))
        assert not np.array_equal(permuted.outcome.time, table.outcome.time)
        for fold in folds:
            assert not {i % 6 for i in fold.train_index} & {i % 6 for i in fold.test_index}


def test_an_error_says_in_which_variant_it_was(clinical, make_config, runner):
    def failing(table, specs, folds, config, **kwargs):
        raise CohortError("no events")

    config = make_config(**OF_CLINICAL, evaluation={"folds": 2}, sensitivity={"permutations": 1})
    table = clinical(n=40)
    _, results = main_analysis(table, config, runner)
    with pytest.raises(CohortError, match="permutation 1: no events"):
        permutation_null(table, [RIDGE], results, config, replace(runner, rows=failing))


def few_early_events(table):
    """Six events: a first window is often left without any, once they are permuted."""
    event = np.isin(np.arange(len(table)), [3, 9, 25, 35, 45, 55])
    outcome = SurvivalOutcome(event, np.linspace(1.0, 60, len(table)))
    return replace(table, outcome=outcome, order=tuple(float(i) for i in range(len(table))))


def test_permutations_without_events_to_learn_from_are_drawn_again(clinical, make_config, runner):
    evaluation = {"folds": 2, "splits": "temporal", "order": "year", "first_window": 0.3}
    config = make_config(**OF_CLINICAL, evaluation=evaluation, sensitivity={"permutations": 12})
    table = few_early_events(clinical(n=60))
    _, results = main_analysis(table, config, runner)
    seen = []

    def watching(table, specs, folds, config, **kwargs):
        seen.extend((table.outcome, fold) for fold in folds)
        return fixed_rows(table, specs, folds, config, **kwargs)

    (found,) = permutation_null(table, [RIDGE], results, config, replace(runner, rows=watching))
    assert (found.permutations, found.not_evaluable) == (12, 0)
    assert min(outcome.event[fold.train_index].sum() for outcome, fold in seen) >= 2
    assert min(outcome.event[fold.test_index].sum() for outcome, fold in seen) >= 1


def test_permutations_that_no_draw_makes_evaluable_are_counted(clinical, make_config, quick, monkeypatch):
    config = make_config(**OF_CLINICAL, evaluation={"folds": 2}, sensitivity={"permutations": 3})
    table = clinical(n=40)
    _, results = main_analysis(table, config, quick)
    monkeypatch.setattr(permutation_null_module, "has_poor_fold", lambda *_: True)
    (found,) = permutation_null(table, [RIDGE], results, config, quick)
    assert (found.permutations, found.not_evaluable, found.p, found.null_mean) == (0, 3, None, None)


def test_a_permutation_that_cannot_be_fitted_is_left_out_and_counted(clinical, make_config, quick):
    config = make_config(**OF_CLINICAL, evaluation={"folds": 2}, sensitivity={"permutations": 4})
    table = clinical(n=40)
    _, results = main_analysis(table, config, quick)
    calls = []

    def failing_once(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise CohortError("none of 8 trials could be fitted")
        return quick.rows(*args, **kwargs)

    (found,) = permutation_null(table, [RIDGE], results, config, replace(quick, rows=failing_once))
    assert (found.permutations, found.not_evaluable) == (3, 1)
    assert found.p in {count / 4 for count in range(1, 5)}
