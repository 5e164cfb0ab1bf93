"""Which rows are compared, and what is said of them."""

import numpy as np
import pytest
from scipy import stats

from engram.evaluation.comparisons import IMAGE_ADDED, compare_rows, pairs_of
from engram.evaluation.fold_fit import FoldResult
from engram.evaluation.multiplicity import benjamini_hochberg, holm
from engram.evaluation.rows import rows_of
from engram.outcome import SurvivalOutcome
from engram.survival.metrics import harrell_c


def named(config):
    specs = rows_of(config)
    return [
        (specs[pair.row].name, specs[pair.other].name, pair.differs_in, pair.prespecified)
        for pair in pairs_of(specs)
    ]


def test_every_image_and_clinical_row_is_held_against_its_clinical_model(make_config):
    config = make_config(embedding={"readouts": ["final", "volume"]}, models={"origins": ["PET"]})
    planned = [pair[:3] for pair in named(config) if pair[3]]
    assert planned == [
        ("PET + clinical, spine, volume", "Clinical, ridge Cox", IMAGE_ADDED),
        ("PET + clinical, spine", "Clinical, DeepSurv", IMAGE_ADDED),
    ]


def test_the_question_is_asked_in_whatever_order_rows_stand(make_config):
    config = make_config(embedding={"readouts": ["final", "volume"]}, models={"origins": ["PET"]})
    specs = rows_of(config)

    def planned(rows):
        return {(rows[pair.row].name, rows[pair.other].name) for pair in pairs_of(rows) if pair.prespecified}

    assert planned(specs[::-1]) == planned(specs) != set()


def test_what_a_head_brings_along_is_named(make_config):
    found = named(make_config(models={"origins": ["PET"], "heads": ["averaging", "attention", "PCA"]}))
    assert ("PET, spine, PCA", "PET, spine", "head and survival model", False) in found
    assert ("PET, spine, attention", "PET, spine", "head", False) in found


def test_a_baseline_without_a_memory_is_not_the_question(make_config):
    config = make_config(models={"origins": ["PET"], "baselines": ["pet_numbers"]})
    assert not [pair for pair in named(config) if pair[3] and "PET numbers" in pair[0]]


def test_rows_that_differ_in_one_thing_are_compared_once(make_config):
    rois = {"spine": {"mask": "m"}, "skeleton": {"mask": "n"}}
    exploring = [pair[:3] for pair in named(make_config(rois=rois)) if not pair[3]]
    assert ("Clinical, DeepSurv", "Clinical, ridge Cox", "survival model") in exploring
    assert ("CT, spine", "PET, spine", "images") in exploring
    assert ("PET + CT, spine", "PET, spine", "images") in exploring
    assert ("PET, skeleton", "PET, spine", "region") in exploring
    assert ("PET + clinical, spine", "PET, spine", "what the row sees") in exploring
    assert len(exploring) == len({frozenset(pair[:2]) for pair in exploring}) == 1 + 2 * (6 + 3) + 6
    assert not [pair for pair in exploring if "CT, skeleton" in pair[0] and pair[1] == "PET, spine"]


def test_read_outs_are_compared_although_their_models_differ_too(make_config):
    config = make_config(embedding={"readouts": ["final", "volume"]}, models={"origins": ["PET"]})
    assert ("PET, spine, volume", "PET, spine", "read-out, head and survival model", False) in named(config)


def test_what_reads_a_baseline_is_no_difference_of_its_own(make_config):
    models = {"origins": ["PET"], "baselines": ["radiomics", "resnet50"]}
    found = named(make_config(models=models))
    assert ("ResNet-50 of PET, spine", "Radiomics of PET, spine", "read-out and head", False) in found
    assert ("Radiomics of PET, spine", "PET, spine", "read-out, head and survival model", False) in found


@pytest.mark.parametrize("readouts", [["roi", "roi_without_memory"], ["roi_without_memory", "roi"]])
def test_encoder_prompt_and_memory_are_held_against_the_step_before(make_config, readouts):
    models = {"origins": ["PET"], "baselines": ["hiera"], "vector_models": ["ridge Cox", "MLP"]}
    found = named(make_config(embedding={"readouts": readouts}, models=models))
    roi, alone, encoder = "PET, spine, roi", "PET, spine, roi_without_memory", "Hiera alone of PET, spine"
    for model in ("", ", MLP"):
        assert (roi + model, alone + model, "memory", False) in found
        assert (alone + model, encoder + model, "prompt", False) in found
        assert (roi + model, encoder + model, "prompt and memory", False) in found
    both = "PET + clinical, spine, "
    assert (f"{both}roi", f"{both}roi_without_memory", "memory", False) in found
    assert (roi + ", MLP", roi, "survival model", False) in found


@pytest.fixture
def compared(make_config):
    """Six rows with noise of their own on the same risks, on three folds of 30."""
    specs = rows_of(make_config(models={"origins": ["PET", "CT"]}))
    rng = np.random.default_rng(0)
    risks = [rng.normal(size=30) for _ in range(3)]
    outcomes = [SurvivalOutcome(rng.random(30) < 0.8, rng.exponential(20 * np.exp(-risk)) + 0.1) for risk in risks]
    results = []
    for number in range(len(specs)):
        test = [risk + (0.1 + number % 3) * rng.normal(size=30) for risk in risks]
        results.append(
            [FoldResult(t, t, harrell_c(t, outcome), ()) for t, outcome in zip(test, outcomes, strict=True)]
        )
    return specs, results, compare_rows(specs, results, outcomes, held_out_ratio=0.5, seed=0)


def test_differences_are_paired_over_folds(compared):
    specs, results, found = compared
    place = {spec.name: number for number, spec in enumerate(specs)}
    for one in found:
        c = [[fold.c_index for fold in results[place[name]]] for name in (one.row, one.other)]
        assert one.difference == pytest.approx(np.mean(c[0]) - np.mean(c[1]))
        assert one.p_two_sided == pytest.approx(stats.ttest_rel(*c).pvalue)
        assert one.p_corrected > one.p_two_sided
        assert one.ci_lower < one.difference < one.ci_upper


def test_the_planned_are_adjusted_by_holm_and_the_others_among_themselves(compared):
    _, _, found = compared
    planned = [one for one in found if one.prespecified]
    others = [one for one in found if not one.prespecified]
    assert len(planned) == 2
    assert [one.p_adjusted for one in planned] == holm([one.p_corrected for one in planned])
    assert [one.p_adjusted for one in others] == benjamini_hochberg([one.p_corrected for one in others])


def test_folds_without_a_c_index_are_left_out_of_both(compared):
    specs, results, _ = compared
    outcomes = [SurvivalOutcome(np.zeros(30, dtype=bool), np.ones(30))] + [
        SurvivalOutcome(np.ones(30, dtype=bool), np.arange(1.0, 31)) for _ in range(2)
    ]
    without = [[FoldResult(row[0].test_risk, row[0].train_risk, None, ()), *row[1:]] for row in results]
    found = compare_rows(specs, without, outcomes, held_out_ratio=0.5, seed=0)
    place = {spec.name: number for number, spec in enumerate(specs)}
    for one in found:
        c = [[fold.c_index for fold in without[place[name]][1:]] for name in (one.row, one.other)]
        assert one.difference == pytest.approx(np.mean(c[0]) - np.mean(c[1]))
