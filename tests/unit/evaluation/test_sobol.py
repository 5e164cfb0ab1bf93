"""One search: the points of the sequence, what is pruned, and which trial wins."""

import math

import numpy as np
import optuna
import pytest

from engram.config_models import Training
from engram.errors import CohortError
from engram.evaluation.rows import RowSpec
from engram.evaluation.search_space import space_of
from engram.evaluation.sobol import search
from engram.evaluation.trials import Judged, Trial, best_of

BASE = Training(dropout=0.3, hidden=(48,))
SPACE = space_of(RowSpec("a row", "clinical", None, "-", "-", "-", "-", "DeepSurv"), BASE)


def by_dropout(settings, fold):
    return Judged(settings.dropout / 2 + 0.1 * fold, epochs=10 * fold)


def run(judge=by_dropout, folds=3, trials=16, prune=False, seed=1):
    return search(SPACE, BASE, judge, folds=folds, trials=trials, prune=prune, seed=seed)


def test_trial_0_is_the_study_files_own_settings_and_the_others_fill_the_ranges_evenly():
    first, *others = run()
    assert (first.settings, first.values["width"]) == (BASE, 48)
    assert len(others) == 16
    dropout = np.array([trial.values["dropout"] for trial in others]) / 0.6
    rate = np.array([math.log10(trial.values["learning_rate"]) for trial in others]) / 2 + 2
    for shares in (dropout, rate):  # a point in each sixteenth: what a power of two of Sobol points promises
        assert sorted(np.floor(16 * shares).astype(int)) == list(range(16))
    assert [[t.values["width"] for t in others].count(width) for width in (8, 16, 32, 64)] == [4] * 4


def test_what_is_asked_first_does_not_move_the_sequence():
    one = search(SPACE, BASE, by_dropout, folds=1, trials=4, prune=False, seed=1)
    other = search(SPACE, Training(dropout=0.9), by_dropout, folds=1, trials=4, prune=False, seed=1)
    assert [t.values for t in one[1:]] == [t.values for t in other[1:]]
    assert other[0].settings.dropout == 0.9


def test_equal_searches_are_equal_and_seeds_differ():
    assert run(prune=True) == run(prune=True)
    assert run()[1:] != run(seed=2)[1:]


def test_the_best_trial_has_the_highest_mean_and_the_median_epochs():
    trials = run()
    best = best_of(trials)
    assert best.settings.dropout == max(t.settings.dropout for t in trials)
    assert best.score == pytest.approx(best.settings.dropout / 2 + 0.1)
    assert best.epochs == 10


def test_of_equals_the_first_wins():
    assert best_of(run(lambda _settings, _fold: Judged(0.6))).number == 0


def test_trials_below_the_median_are_pruned_after_a_fold_and_never_win():
    trials = run(prune=True)
    pruned = [trial for trial in trials if trial.state == "pruned"]
    assert 4 <= len(pruned) <= 12
    assert {len(trial.judged) for trial in pruned} == {1}
    assert best_of(trials) == max((t for t in trials if t.state == "complete"), key=lambda t: t.score)
    assert {t.state for t in run(prune=False)} == {"complete"}
    late = run(lambda s, fold: Judged(0.9 if fold == 0 else s.dropout), prune=True)
    assert {len(t.judged) for t in late if t.state == "pruned"} == {2}  # an easy first fold saves nobody


def test_a_pruned_trial_does_not_win_with_a_higher_mean():
    pruned = Trial(1, {}, BASE, "pruned", (Judged(0.9),))
    done = Trial(2, {}, BASE, "complete", (Judged(0.6), Judged(0.7)))
    assert best_of([pruned, done]) == done


def test_a_trial_that_cannot_be_fitted_ends_and_the_search_goes_on():
    def judge(settings, fold):
        return Judged(None, failed="did not converge") if settings.dropout < 0.4 else by_dropout(settings, fold)

    trials = run(judge)
    failed = [trial for trial in trials if trial.state == "failed"]
    assert trials[0] in failed
    assert all(len(trial.judged) == 1 for trial in failed)
    assert [t.values for t in trials] == [t.values for t in run()]  # the sequence stays what it is
    assert best_of(trials).settings.dropout >= 0.4


def test_where_nothing_can_be_fitted_the_reason_is_told():
    trials = run(lambda _settings, _fold: Judged(None, failed="did not converge"), trials=2)
    with pytest.raises(CohortError, match="none of 3 trials could be fitted; the first: did not converge"):
        best_of(trials)


def test_folds_without_comparable_pairs_leave_the_study_files_settings():
    trials = run(lambda _settings, _fold: Judged(None), prune=True)
    assert {trial.state for trial in trials} == {"complete"}
    assert (best_of(trials).number, best_of(trials).score) == (0, None)
    half = run(lambda s, fold: Judged(None) if fold == 0 else by_dropout(s, fold))
    assert best_of(half).score == pytest.approx(best_of(half).settings.dropout / 2 + 0.15)


def test_optuna_says_as_much_afterwards_as_before():
    before = optuna.logging.get_verbosity()
    run(trials=1)
    assert optuna.logging.get_verbosity() == before
