"""Makes references.json: survival metrics of other libraries, on five public data sets.

    python -m venv oracle
    oracle/bin/pip install 'pandas<3' scikit-survival torchsurv dcurves SurvivalEVAL statsmodels lifelines
    oracle/bin/python make_references.py

scikit-survival is GPL and only makes these numbers; Engram does not import it.
"""

import json
import warnings
from importlib.metadata import version
from pathlib import Path

import lifelines.datasets
import numpy as np
import pandas as pd
import torch
from dcurves import dca
from sksurv.datasets import load_veterans_lung_cancer, load_whas500
from sksurv.linear_model.coxph import BreslowEstimator
from sksurv.metrics import (
    brier_score,
    concordance_index_ipcw,
    cumulative_dynamic_auc,
    integrated_brier_score,
)
from sksurv.util import Surv
from statsmodels.duration.hazard_regression import PHReg
from SurvivalEVAL.evaluations.calibration.distributional.distribution_calibration import d_calibration
from torchsurv.metrics.auc import Auc
from torchsurv.metrics.brier_score import BrierScore
from torchsurv.metrics.cindex import ConcordanceIndex
from torchsurv.stats.ipcw import get_ipcw

HERE = Path(__file__).parent
PACKAGES = ("scikit-survival", "torchsurv", "dcurves", "SurvivalEVAL", "statsmodels", "lifelines")
THRESHOLDS = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]


def data_sets():
    """(name, unit, time, event, covariates whose sum of z-scores is the risk)."""
    rossi = lifelines.datasets.load_rossi()
    yield "rossi", "weeks", rossi["week"], rossi["arrest"], [-rossi["age"], rossi["prio"], -rossi["fin"]]
    gbsg2 = lifelines.datasets.load_gbsg2()
    yield "gbsg2", "days", gbsg2["time"], gbsg2["cens"], [gbsg2["pnodes"], gbsg2["tsize"], -gbsg2["progrec"]]
    lung = lifelines.datasets.load_lung().dropna(subset=["ph.ecog"])
    yield "lung", "days", lung["time"], lung["status"], [lung["ph.ecog"], lung["age"], -lung["sex"]]
    x, y = load_whas500()
    yield "whas500", "days", y["lenfol"], y["fstat"], [x["age"], x["chf"].astype(float), x["hr"]]
    x, y = load_veterans_lung_cancer()
    yield "veterans", "days", y["Survival_in_days"], y["Status"], [-x["Karnofsky_score"], x["Age_in_years"]]


PER_MONTH = {"days": 12 / 365.25, "weeks": 7 * 12 / 365.25}


def z_score(column):
    values = np.asarray(column, dtype=float)
    return (values - values.mean()) / values.std()


def references(unit, time, event, covariates):
    time, event = np.asarray(time, dtype=float), np.asarray(event).astype(bool)
    risk = np.round(0.4 * sum(z_score(column) for column in covariates), 3)
    months = time * PER_MONTH[unit]
    train, test = np.arange(len(time)) % 2 == 0, np.arange(len(time)) % 2 == 1
    # The time at which a tenth of the training patients are still at risk; what follows it is cut off.
    tau = np.sort(months[train])[-int(np.ceil(0.1 * train.sum()))]
    seen, had = np.minimum(months, tau), event & (months < tau)
    fit, check = Surv.from_arrays(event[train], months[train]), Surv.from_arrays(had[test], seen[test])
    at = np.round(np.quantile(months[test & had], [0.25, 0.5, 0.75]), 2)
    auc, mean_auc = cumulative_dynamic_auc(fit, check, risk[test], at)
    curves = BreslowEstimator().fit(risk[train], event[train], months[train]).get_survival_function(risk[test])
    survival = np.array([curve(at) for curve in curves])
    spread = d_calibration(own(curves, months[test]), event[test], num_bins=10)
    slope = PHReg(months, risk[:, None], status=event.astype(int), strata=train.astype(int), ties="efron").fit()
    return {
        "unit": unit, "time": time.tolist(), "event": event.astype(int).tolist(), "risk": risk.tolist(),
        "tau_months": tau, "times_months": at.tolist(),
        "sksurv": {
            "uno_c": concordance_index_ipcw(fit, check, risk[test], tau=tau)[0],
            "auc": auc.tolist(), "mean_auc": mean_auc, "survival": survival[:5].tolist(),
            "brier": brier_score(fit, check, survival, at)[1].tolist(),
            "ibs": integrated_brier_score(fit, check, survival, at),
        },
        "torchsurv": of_torchsurv(fit, check, risk[test], survival, at, tau),
        "d_calibration": {"p": float(spread[1]), "counts": np.asarray(spread[2], dtype=float).tolist()},
        "dcurves": of_dcurves(1 - survival[:, 1], event[test], months[test], at[1]),
        "calibration": of_statsmodels(1 - survival[:, 1], event[test], months[test], at[1]),
        "log_likelihood": {
            ties: float(PHReg(months, risk[:, None], status=event.astype(int), ties=ties).loglike(np.ones(1)))
            for ties in ("breslow", "efron")
        },
        "slope": {"value": float(slope.params[0]), "se": float(slope.bse[0])},
    }  # fmt: skip


def own(curves, months):
    """Survival of each patient at a time of his own; flat where the curve has ended, 1 before it starts."""
    values = []
    for curve, month in zip(curves, months, strict=True):
        place = np.searchsorted(curve.x, month, side="right")
        values.append(1.0 if place == 0 else float(curve.y[place - 1]))
    return np.array(values)


def of_torchsurv(fit, check, risk, survival, at, tau):
    """In float32: its c-index takes no other."""
    e, h = (torch.tensor(y["event"].copy()) for y in (fit, check))
    t, s, r, sv, ts, end = (
        torch.tensor(np.array(array), dtype=torch.float32)
        for array in (fit["time"], check["time"], risk, survival, at, tau)
    )
    near = torch.minimum(s, torch.nextafter(end, torch.tensor(0.0)))  # weights of those cut off are never used
    weight, weight_at = get_ipcw(e, t, near), get_ipcw(e, t, ts)
    brier = BrierScore()(sv, h, s, ts, weight=weight, weight_new_time=weight_at)
    auc = Auc()(r, h, s, new_time=ts, weight=weight, weight_new_time=weight_at)
    uno = ConcordanceIndex()(r, h, s, weight=weight, tmax=end)
    return {"uno_c": float(uno), "auc": auc.tolist(), "brier": brier.tolist()}


def of_dcurves(event_by, event, months, horizon):
    frame = pd.DataFrame({"model": event_by, "event": event.astype(int), "months": months})
    table = dca(
        data=frame, outcome="event", modelnames=["model"], thresholds=np.array(THRESHOLDS), time=float(horizon),
        time_to_outcome_col="months",
    )  # fmt: skip
    benefit = table["net_benefit"].astype(object).where(table["net_benefit"].notna(), None)
    return {name: benefit[table["model"] == name].tolist() for name in ("model", "all")}


def of_statsmodels(event_by, event, months, horizon):
    """ICI and E50 by the method of Austin et al. (2020): Cox on rcs(cloglog(p), 3), as in R's rms."""
    x = np.log(-np.log(1 - event_by))
    a, b, c = np.quantile(x, [0.1, 0.5, 0.9])
    cube = lambda knot: np.maximum(x - knot, 0) ** 3  # noqa: E731
    bent = (cube(a) - cube(b) * (c - a) / (c - b) + cube(c) * (b - a) / (c - b)) / (c - a) ** 2
    fitted = PHReg(months, np.column_stack([x, bent]), status=event.astype(int), ties="efron").fit()
    times, hazard, _ = fitted.baseline_cumulative_hazard[0]
    risk = np.exp(np.column_stack([x, bent]) @ fitted.params)
    observed = 1 - np.exp(-hazard[times > horizon].min() * risk)  # statsmodels gives left limits
    distance = np.abs(observed - event_by)
    return {"ici": float(distance.mean()), "e50": float(np.median(distance))}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    found = {name: references(*rest) for name, *rest in data_sets()}
    body = {"versions": {name: version(name) for name in PACKAGES}, "thresholds": THRESHOLDS, "data": found}
    (HERE / "references.json").write_text(json.dumps(body) + "\n")
