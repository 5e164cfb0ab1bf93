"""What a user hands over in memory: taken as it is, or refused by name."""

import numpy as np
import pandas as pd
import pytest

from engram import Covariate, StudyTable, SurvivalOutcome
from engram.errors import ClinicalError, ConfigError, ImagingError, OutcomeError
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
        ({"order": pd.to_datetime(["2019-01-01", None, "2020-01-01", "2021-01-01"])}, "order: patient b has none"),
        ({"order": [1, 2, "soon", 3]}, "order: patient c has 'soon'. Give each a finite number"),
        ({"order": ["2019-01-01", "2019-02-30", "2020-01-01", "2021-01-01"]}, "patient b has '2019-02-30'"),
        ({"order": [1, np.inf, 2, 3]}, "order: patient b has inf"),
        ({"order": pd.to_timedelta([1, 2, 3, 4], unit="D")}, "order: patient a has Timedelta"),
        ({"order": ["2019-01-01", 2019, 2020, 2021]}, "order: dates and numbers, which cannot be put in order"),
        ({"time": pd.to_timedelta(TIME, unit="D")}, "time: timedelta64.*a duration in days"),
        ({"time": np.array(["2019-01-01"] * 4, dtype="datetime64[D]")}, "time: datetime64"),
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
        (
            {"event": pd.array([True, False, pd.NA, True], dtype="boolean")},
            r"patient c: event is neither 0 nor 1 \(value: <NA>\)",
        ),
        ({"event": ["1", 0, 1, 1]}, "patient a: event is neither"),
        ({"time": pd.array([1, pd.NA, 2, 3], dtype="Float64")}, "patient b: time is missing"),
        ({"time": [1, 2, 101, 4], "unit": "years"}, r"patient c: time is beyond 100 years.*`unit` says years"),
        (
            {"outcome": SurvivalOutcome(np.ones(4), 900 * np.array(TIME)), "time": None, "event": None},
            "patient b: time is beyond 100 years",
        ),
    ],
)
def test_an_impossible_outcome_names_the_patient(given, said):
    with pytest.raises(OutcomeError, match=said):
        made(**given)


def test_kinds_are_declared_or_beyond_doubt():
    covariates = pd.DataFrame(
        {
            "age": [50.5, np.nan, 70, 80],
            "male": [True, False, True, True],
            "site": pd.Categorical(["x", "y", "x", None]),
            "stage": pd.Categorical(["I", "II", "I", "I"], categories=["I", "II"], ordered=True),
            "grade": [1, 2, 3, 1],
            "lobe": [1, None, 2, 2],
        }
    )
    with pytest.raises(ConfigError, match=r"grade \(int64\), lobe \(float64\) measure.*Declare"):
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
    covariates = pd.DataFrame({"age": [1.5, 2, 3, 4]}, index=["d", "c", "b", "a"])
    with pytest.raises(ConfigError, match="covariates: its index is neither"):
        made(covariates=covariates)
    table = made(covariates=covariates.loc[list(IDS)])
    assert table.features.covariates["age"].tolist() == [4, 3, 2, 1.5]
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
    wrongs = (np.ones(4), np.ones((4, 0)), np.ones((4, 2, 2, 2)), np.array([["x"]] * 4), np.ones((4, 2)) * 1j)
    for wrong in wrongs:
        with pytest.raises(ConfigError, match=r"embedding 'v': .* of shape"):
            made(embeddings={"v": wrong})
    with pytest.raises(ConfigError, match="embedding 'v': 3 row"):
        made(embeddings={"v": np.ones((3, 2))})
    for absurd in (np.nan, 1e300):
        array = np.ones((4, 2))
        array[1, 1] = absurd
        with pytest.raises(ImagingError, match="patient b: embedding 'v' is not finite"):
            made(embeddings={"v": array})


@pytest.mark.parametrize("name", [3, ("PET", "spine", "volume"), None])
def test_a_name_that_is_no_text_is_refused(name):
    with pytest.raises(ConfigError, match="not a name for it"):
        made(embeddings={name: np.ones((4, 3))})


def test_embeddings_under_a_key_are_checked_and_copied_as_the_others():
    key = EmbeddingKey("PET", "spine", "volume")
    given = np.arange(12, dtype=np.float32).reshape(4, 3)
    kept = made(embeddings={key: given}).features.embeddings[key]
    given[0] = 99
    assert kept[0].tolist() == [0, 1, 2]
    with pytest.raises(ConfigError, match="embedding 'PET spine volume': its index is neither"):
        made(embeddings={key: pd.DataFrame(np.ones((4, 2)), index=["d", "c", "b", "a"])})
    with pytest.raises(ConfigError, match=r"'PET spine volume': .* numbers of shape \(n, p\), a vector"):
        made(embeddings={key: np.ones((4, 2, 2))})
    with pytest.raises(ConfigError, match=r"'PET spine volume_map': .* numbers of shape maps:"):
        made(embeddings={EmbeddingKey("PET", "spine", "volume_map"): np.ones((4, 2))})
    with pytest.raises(ConfigError, match="unknown read-out"):
        made(embeddings={EmbeddingKey("PET", "spine", "finale"): np.ones((4, 2))})


def test_only_regions_and_numbers_may_be_lacking():
    lacking = np.array([[1.0, 2], [np.nan, 3], [4, 4], [5, 1]])
    regions, volume = EmbeddingKey("PET", "spine", "regions"), EmbeddingKey("PET", "spine", "volume")
    assert np.isnan(made(embeddings={regions: lacking}).features.embeddings[regions][1, 0])
    with pytest.raises(ImagingError, match="patient b: embedding 'PET spine volume' is not finite"):
        made(embeddings={volume: lacking})
    lacking[1, 0] = np.inf
    with pytest.raises(ImagingError, match="patient b"):
        made(embeddings={regions: lacking})


def test_numbers_that_float32_cannot_tell_apart_are_refused():
    rng = np.random.default_rng(0)
    fine = rng.normal(size=(4, 3))
    for small in (1e9 + fine, 1e-60 * fine, (1e9 + np.arange(12).reshape(4, 3)).astype(np.int64)):
        array = np.c_[fine, small]
        with pytest.raises(
            ConfigError, match=r"embedding 'v': 3 of 6 numbers, the first of them 4 \(counted from 1\)"
        ):
            made(embeddings={"v": array})
    nearly_one = np.full((4, 2), 0.1)
    nearly_one[3, 1] += 1e-16
    for kept in (1e4 + fine, 1e-6 * fine, np.full((4, 2), 1e9), nearly_one):
        made(embeddings={"v": kept})
    maps = rng.normal(size=(4, 2, 2))
    maps[:, 0, 1] += 1e9
    with pytest.raises(ConfigError, match=r"1 of 4 numbers, the first of them 1, 2 \(counted"):
        made(embeddings={"v": maps})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1.5, np.inf, 2, 3], r"patient b: x is no usable number \(value: inf\) in column 'x'"),
        ([1.5, 2, 1e300, 3], r"patient c: x is no usable number \(value: 1e\+300\)"),
        (pd.Categorical(["I", "II", "I", None]), "patient d: no covariate is known. Leave the patient out"),
    ],
)
def test_a_covariate_that_cannot_be_names_patient_and_column(values, said):
    with pytest.raises(ClinicalError, match=said):
        made(covariates=pd.DataFrame({"x": values}))


def test_a_level_that_was_not_declared_is_refused_at_once():
    stage = Covariate(kind="ordinal", levels=("I", "II"))
    with pytest.raises(ClinicalError, match=r"patient c: x is none of its levels .*one of I, II, .*in `kinds`"):
        made(covariates=pd.DataFrame({"x": ["I", "II", "IV", None], "y": [1.5] * 4}), kinds={"x": stage})


def test_dates_put_patients_in_order_as_in_a_cohort_table():
    days = ["2019-01-01", "2019-07-02", "2018-12-31", "2020-01-01"]
    expected = made(order=days).order
    assert expected[:2] == (2019, pytest.approx(2019.5, abs=0.01))
    for dates in (pd.to_datetime(days), pd.Series(pd.to_datetime(days)), np.array(days, dtype="datetime64[D]")):
        assert made(order=dates).order == expected
    assert made(order=[day.date() for day in pd.to_datetime(days)]).order == expected
    assert made(order=pd.Series([2001, 2002, 2003, 2004])).order == (2001, 2002, 2003, 2004)
