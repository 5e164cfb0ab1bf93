"""What a user hands over in memory: taken as it is, or refused by name."""

import numpy as np
import pandas as pd
import pytest

from engram import Covariate, StudyTable, SurvivalOutcome
from engram.errors import ConfigError, ImagingError, OutcomeError
from engram.table import EmbeddingKey

IDS = ("a", "b", "c", "d")
TIME, EVENT = [1.0, 2.0, 3.5, 4.0], [1, 0, True, False]


def made(ids=IDS, covariates=None, **given):
    given = {"time": TIME, "event": EVENT, "unit": "months"} | given
    return StudyTable.from_arrays(ids, covariates, **given)


def test_times_and_events_in_three_forms():
    whole = SurvivalOutcome(np.array(EVENT, dtype=bool), np.array(TIME))
    for given in (
        {},
        {"outcome": whole.to_structured(), "time": None, "event": None},
        {"outcome": whole, "time": None, "event": None, "unit": None},
    ):
        outcome = made(**given).outcome
        assert outcome.event.tolist() == [True, False, True, False]
        assert outcome.time.tolist() == TIME


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"unit": None}, "Say in what times are: days"),
        ({"event": None}, "either `outcome`, or both"),
        ({"outcome": np.array(TIME)}, "either `outcome`, or both"),
        ({"outcome": np.array(TIME), "time": None, "event": None}, "structured array"),
        ({"time": TIME[:3]}, "time: 3 row.* for 4 ids"),
        ({"time": pd.Series(TIME, index=["b", "a", "c", "d"])}, "time: its index is neither"),
        ({"groups": ["x", "y", None, "x"]}, "groups: patient c has none"),
        ({"order": [1, 2, np.nan, 3]}, "order: patient c has none"),
        ({"ids": ("a", "b", "b", "d")}, "'b' comes 2 times"),
        ({"ids": ("a", "b", None, "d")}, "number 3 is blank"),
    ],
)
def test_what_is_not_clear_is_refused(given, said):
    with pytest.raises(ConfigError, match=said):
        made(**given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"event": [1, 2, 1, 2]}, r"patient b: event is neither 0 nor 1 \(value: 2\)"),
        ({"time": [1, 2, np.nan, 4]}, r"patient c: time is missing or impossible \(value: nan\)"),
        ({"time": [0, 2, 3, 4]}, "patient a: time"),
    ],
)
def test_an_impossible_outcome_names_the_patient(given, said):
    with pytest.raises(OutcomeError, match=said):
        made(**given)


def test_kinds_are_declared_or_beyond_doubt():
    covariates = pd.DataFrame(
        {
            "age": [50.0, np.nan, 70, 80],
            "male": [True, False, True, True],
            "site": pd.Categorical(["x", "y", "x", None]),
            "stage": pd.Categorical(["I", "II", "I", "I"], categories=["I", "II"], ordered=True),
            "grade": [1, 2, 3, 1],
            "lobe": [1, None, 2, 2],
        }
    )
    with pytest.raises(ConfigError, match=r"grade \(int64\).*Declare"):
        made(covariates=covariates)
    grade = Covariate(kind="ordinal", levels=("1", "2", "3"))
    lobe = Covariate(kind="categorical")
    features = made(covariates=covariates, kinds={"grade": grade, "lobe": lobe}).features
    declared = features.declared
    assert [one.kind for one in declared.values()] == [
        "continuous",
        "categorical",
        "categorical",
        "ordinal",
        "ordinal",
        "categorical",
    ]
    assert features.covariates["lobe"].tolist() == ["1", None, "2", "2"]
    assert features.covariates["grade"].tolist() == ["1", "2", "3", "1"]
    assert features.covariates["male"].tolist() == ["True", "False", "True", "True"]
    assert features.covariates["site"].tolist() == ["x", "y", "x", None]
    assert declared["stage"].levels == ("I", "II")
    with pytest.raises(ConfigError, match="no column 'grad'"):
        made(covariates=covariates, kinds={"grad": grade})


def test_covariates_in_another_order_are_not_aligned():
    covariates = pd.DataFrame({"age": [1.0, 2, 3, 4]}, index=["d", "c", "b", "a"])
    with pytest.raises(ConfigError, match="covariates: its index is neither"):
        made(covariates=covariates)
    table = made(covariates=covariates.loc[list(IDS)])
    assert table.features.covariates["age"].tolist() == [4, 3, 2, 1]
    assert table.subset([2]).features.declared == table.features.declared


def test_embeddings_of_the_users_own():
    arrays = {"v": np.ones((4, 3)), "m": np.ones((4, 5, 5)), "whole": np.ones((4, 2, 3, 5, 5))}
    found = made(embeddings=arrays).features.embeddings
    assert {key: array.shape for key, array in found.items()} == {
        EmbeddingKey("v", "-", "vector"): (4, 3),
        EmbeddingKey("m", "-", "map"): (4, 1, 1, 5, 5),
        EmbeddingKey("whole", "-", "map"): (4, 2, 3, 5, 5),
    }
    assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("name", ["clinical", "final", "pet_numbers", "a + b", "a, b", "a.b", "", "-"])
def test_a_name_that_means_something_else_is_refused(name):
    with pytest.raises(ConfigError, match="not a name for it"):
        made(embeddings={name: np.ones((4, 3))})


def test_embeddings_of_another_shape_or_without_a_number():
    for wrong in (np.ones(4), np.ones((4, 0)), np.ones((4, 2, 2, 2)), np.array([["x"]] * 4)):
        with pytest.raises(ConfigError, match=r"embedding 'v': .* of shape"):
            made(embeddings={"v": wrong})
    with pytest.raises(ConfigError, match="embedding 'v': 3 row"):
        made(embeddings={"v": np.ones((3, 2))})
    for absurd in (np.nan, 1e300):
        array = np.ones((4, 2))
        array[1, 1] = absurd
        with pytest.raises(ImagingError, match="patient b: embedding 'v' is not finite"):
            made(embeddings={"v": array})
