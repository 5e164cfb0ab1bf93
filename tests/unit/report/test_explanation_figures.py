"""Figures of explanations: the same bytes again, every line there, untrained weights said."""

import numpy as np
import pytest

from engram.evaluation.explanation_records import CovariateEffect, CovariateEffects
from engram.report import labels
from engram.report.figures.covariate_values import draw_covariate_values
from engram.report.figures.grad_cam import CamPanel, draw_grad_cam


def effect(name, values, places=None):
    size = float(np.abs(values).mean())
    return CovariateEffect(
        covariate=name,
        mean_absolute=size,
        ci_lower=None if size == 0 else 0.9 * size,
        ci_upper=None if size == 0 else 1.1 * size,
        values=values,
        places=places or [None] * len(values),
        largest_se=None,
    )


def effects(*found, exact=True):
    n = len(found[0].values)
    return CovariateEffects(
        row="Clinical, DeepSurv",
        patients=list(range(1, n + 1)),
        folds=[1] * n,
        risk=[0.0] * n,
        baseline=[0.0] * n,
        background=[20],
        exact=exact,
        effects=list(found),
    )


STUDY = effects(
    effect("nothing", [0.0, 0.0, 0.0]),
    effect("sex <b>", [0.1, -0.2, 0.1]),
    effect("age", [1.0, -2.0, 0.5], [0, 0.5, 1]),
)


def test_lines_are_largest_first_and_names_are_text():
    drawn = draw_covariate_values(STUDY, untrained=False)
    places = [drawn.svg.index(f">{name}<") for name in ("age", "sex &lt;b&gt;", "nothing")]
    assert places == sorted(places)
    assert "1.17" in drawn.svg
    assert labels.UNTRAINED not in drawn.svg
    assert "All coalitions of covariates are counted" in drawn.caption
    assert draw_covariate_values(STUDY, untrained=False).svg == drawn.svg


def test_untrained_weights_and_drawn_permutations_are_said():
    drawn = draw_covariate_values(STUDY.model_copy(update={"exact": False}), untrained=True)
    assert labels.UNTRAINED in drawn.svg
    assert "drawn by permutations" in drawn.caption


def panel(cam=None, title="PET, patient 7", **changes):
    plane = np.linspace(-1, 2, 48).reshape(6, 8) if cam is None else cam
    given = {"projection": np.ones((6, 8)), "spacing_mm": (4.0, 3.0), "cells": (2, 3)} | changes
    return CamPanel(title, plane, **given)


def test_each_scan_has_a_scale_symmetric_about_nothing():
    drawn = draw_grad_cam([panel(), panel(title="CT, patient 7", dark_is_high=True)], untrained=True)
    assert drawn.svg.count(">-2<") == drawn.svg.count(">2<") == 2
    assert "PET, patient 7, 2 × 3 cells" in drawn.svg
    assert labels.UNTRAINED in drawn.svg
    assert draw_grad_cam([panel()], untrained=False).svg == draw_grad_cam([panel()], untrained=False).svg


def test_a_flat_map_is_drawn_and_a_map_of_another_plane_is_refused():
    assert ">1<" in draw_grad_cam([panel(np.zeros((6, 8)))], untrained=False).svg
    with pytest.raises(ValueError, match=r"PET, patient 7: a map \(8, 6\) on a plane \(6, 8\)"):
        draw_grad_cam([panel(np.zeros((8, 6)))], untrained=False)
