"""How much faster does Engram train than a plain PyTorch loop that does the same maths?

    python benchmarks/training.py [--part maps] [--part vectors] [--part study] [--repetitions 3]

227 synthetic patients, one thread. The plain loop is in `plain.py`: `nn.Sequential`, `torch.optim.AdamW`, default
layout and allocator, one network after the other. Both sides start from the same seeds, so their risks must
agree.

maps: DeepSurv on averaged maps of 64 x 64 pixels, for a few epochs; each side in processes of its own, taken in
turn, ours with the allocator's settings that Engram's workers have. Says where the time of a step goes, and how
near to the machine's matrix product it is.
vectors: whole fits of clinical and vector rows (inner splits, early stopping, ensemble) at default settings, in
turn in one process.
study: the plan of a whole study, see training_study.py.

Seconds of the processor are shown beside those of the clock, as they suffer less from other work on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
import torch

import training_study
from engram.config_models import Training
from engram.outcome import SurvivalOutcome
from engram.survival.deepsurv import fit_deepsurv
from engram.survival.inputs import ModelInputs
from engram.survival.metrics import harrell_c
from machine import ALLOCATOR, describe, timed
from plain import Cohort, plain_fit

SIDES = ("plain", "engram", "profile", "study-plain", "study-engram")
PATIENTS = 227
SEED = 7
AGREED = 1e-5
# Small steps: Adam goes as far along a gradient of mere rounding as along any other.
MAP_SETTINGS = Training(max_epochs=4, inner_folds=1, ensemble=1, learning_rate=1e-5)
# One patient, forward and backward, of the averaging head at 64 x 64: multiplications and additions.
_FORWARD = 2 * 9 * (64 * 64 * 32 + 32 * 32 * 32 * 64 + 16 * 16 * 64 * 128)
_BACKWARD = 2 * _FORWARD - 2 * 9 * 64 * 64 * 32  # nobody asks for the gradient of the maps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("maps", "vectors", "study"), action="append")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--pixels", type=int, default=64, help="side of the maps")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.side:
        _one_side(options.side, options.pixels)
        return
    print(describe())
    parts = options.part or list(PARTS)
    agreed = [PARTS[part](options) for part in parts]
    if not all(agreed):
        sys.exit("the two sides do not agree: the ratios mean nothing")


def clinical_cohort(columns: int, seed: int = 0) -> Cohort:
    """Three columns that matter, the rest noise; about 70 % events, months rounded up."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(PATIENTS, columns)).astype(np.float32)
    return Cohort(ModelInputs(values), _outcome(values[:, :3].sum(axis=1) * 0.5, rng))


def map_cohort(pixels: int, seed: int = 0) -> Cohort:
    """Maps of noise with a blob whose strength is the risk.

    Where the blob is faint, rounding grows from epoch to epoch: a plain loop in another layout is then as far from
    itself as Engram is from it.
    """
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=PATIENTS)
    axis = np.linspace(-3, 3, pixels)
    blob = np.exp(-(axis[:, None] ** 2) - axis[None, :] ** 2)
    noise = rng.normal(scale=0.5, size=(PATIENTS, 1, pixels, pixels))
    maps = noise + 4 * risk[:, None, None, None] * blob
    return Cohort(ModelInputs(None, {"PET": maps.astype(np.float32)}), _outcome(risk, rng))


def _outcome(risk: Any, rng: np.random.Generator) -> SurvivalOutcome:
    death, censoring = rng.exponential(30 * np.exp(-risk)), rng.exponential(70, PATIENTS)
    return SurvivalOutcome(death <= censoring, np.ceil(np.minimum(death, censoring)).clip(1, 240))


def engram_fit(cohort: Cohort, settings: Training, seed: int) -> np.ndarray[Any, Any]:
    fitted = fit_deepsurv(cohort.inputs, cohort.outcome, settings, seed)
    return fitted.predict(cohort.inputs)


def vectors(options: argparse.Namespace) -> bool:
    """Whole fits, in turn. Whether the risks agree; without dropout, whose masks Engram draws in its own way."""
    agreed = True
    for name, columns, hidden in (
        ("clinical, 20 columns", 20, (32,)),
        ("vector, 64 numbers", 64, (32,)),
        ("20 columns, linear", 20, ()),
        ("20 columns, two layers", 20, (32, 32)),
    ):
        settings, cohort = Training(hidden=hidden), clinical_cohort(columns)
        certain = settings.model_copy(update={"dropout": 0.0})
        agreed &= _compared(name, cohort, [side(cohort, certain, SEED) for side in (plain_fit, engram_fit)])
        seeds = range(SEED, SEED + 3 * options.repetitions)  # masks decide how long each side trains
        rounds = [
            [timed(partial(side, cohort, settings, seed)) for side in (plain_fit, engram_fit)] for seed in seeds
        ]
        _print_ratios(rounds, statistics.fmean)
    return agreed


def maps(options: argparse.Namespace) -> bool:
    """A few epochs, each side in its own process, in turn. Whether the risks agree."""
    rounds, risks = [], []
    for _ in range(options.repetitions):
        found = [_child(side, options.pixels) for side in ("plain", "engram")]
        rounds.append([tuple(each["seconds"]) for each in found])
        risks = [np.asarray(each["risk"]) for each in found]
    agreed = _compared(f"maps, {options.pixels} x {options.pixels}", map_cohort(options.pixels), risks)
    _print_ratios(rounds)
    _child("profile", options.pixels)
    return agreed


def study(options: argparse.Namespace) -> bool:
    """The plan of a whole study. Whether its c-indices are those of the plain loop."""
    found = [_child(side, options.pixels) for side in ("study-plain", "study-engram")]
    return training_study.compared(found[0], found[1])


def _child(side: str, pixels: int) -> dict[str, Any]:
    own = {name: value for name, value in os.environ.items() if name not in ALLOCATOR}
    environment = own | {"OMP_NUM_THREADS": "1"} | ({} if side.endswith("plain") else ALLOCATOR)
    command = [sys.executable, __file__, "--side", side, "--pixels", str(pixels)]
    answer = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True).stdout
    if side == "profile":
        print(answer, end="")
        return {}
    return dict(json.loads(answer))


def _one_side(side: str, pixels: int) -> None:
    if side.startswith("study"):
        print(json.dumps(training_study.one_side(side)))
        return
    cohort = map_cohort(pixels)
    if side == "profile":
        _profile(cohort, pixels)
        return
    fit = plain_fit if side == "plain" else engram_fit
    fit(cohort, MAP_SETTINGS.model_copy(update={"max_epochs": 1}), SEED)
    risk: list[Any] = []
    spent = timed(lambda: risk.append(fit(cohort, MAP_SETTINGS, SEED)))
    print(json.dumps({"seconds": spent, "risk": risk[0].tolist()}))


def _profile(cohort: Cohort, pixels: int) -> None:
    """Where one step of ours goes, and its share of the matrix product's speed."""
    from torch.profiler import ProfilerActivity, profile

    from engram.survival.training import LabelledBatch, _Run, local_seed, new_net

    with local_seed(SEED):
        batch = LabelledBatch.of(cohort.inputs, cohort.outcome)
        run = _Run(new_net(cohort.inputs, MAP_SETTINGS), batch, MAP_SETTINGS)
        run.step(run.forward())
        peak = _peak()
        step = statistics.median(timed(lambda: run.step(run.forward()))[1] for _ in range(5))
        peak = max(peak, _peak())
        with profile(activities=[ProfilerActivity.CPU]) as seen:
            run.step(run.forward())
    gflop = PATIENTS * (_FORWARD + _BACKWARD) * (pixels / 64) ** 2 / 1e9
    share = gflop / step / peak
    print(f"  one step: {step:.3f} s, {gflop:.1f} GFLOP: {share:.0%} of the matrix product's {peak:.0f} GFLOP/s")
    events = sorted(seen.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    shares = [f"{event.key.removeprefix('aten::')} {event.self_cpu_time_total / total:.0%}" for event in events[:6]]
    print(f"  of it: {', '.join(shares)}")


def _peak() -> float:
    """Best GFLOP/s of a square float32 matrix product on one thread, by the processor's clock."""

    def speed(side: int) -> float:
        left, right = torch.randn(side, side), torch.randn(side, side)
        return float(2 * side**3 / min(timed(lambda: left @ right)[1] for _ in range(6)) / 1e9)

    return max(speed(side) for side in (512, 1024, 2048))


def _compared(name: str, cohort: Cohort, risks: list[np.ndarray[Any, Any]]) -> bool:
    apart = float(np.abs(risks[0] - risks[1]).max())
    c_indices = [harrell_c(risk, cohort.outcome) for risk in risks]
    print(f"{name}: log-risks at most {apart:.1e} apart, c-index {c_indices[0]:.4f} and {c_indices[1]:.4f}")
    return apart <= AGREED


def _print_ratios(
    rounds: list[list[tuple[float, float]]], middle: Callable[[Iterable[float]], float] = statistics.median
) -> None:
    for clock, name in enumerate(("clock", "processor")):
        plain, ours = (middle(each[side][clock] for each in rounds) for side in (0, 1))
        print(f"  {name}: plain {plain:.3f} s, engram {ours:.3f} s, ratio {plain / ours:.2f}")


PARTS: dict[str, Callable[[argparse.Namespace], bool]] = {"maps": maps, "vectors": vectors, "study": study}

if __name__ == "__main__":
    main()
