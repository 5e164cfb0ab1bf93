"""How long do the Cox loss and its gradient take, and do both equal sums written as the formulas are read?

    python benchmarks/cox_loss.py [--patients 100000] [--repetitions 21]

One thread. Times in months are rounded, so that most are tied. Risk sets are counted in: they are made once for a
training, not in each epoch. Prints medians.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable

import numpy as np
import torch

from engram.outcome import SurvivalOutcome
from engram.survival.cox_loss import Ties, cox_loss, risk_sets
from machine import seconds

CHECKED = 2000  # patients of the comparison with the formulas, which take n x n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=100_000)
    parser.add_argument("--repetitions", type=int, default=21)
    options = parser.parse_args()
    torch.set_num_threads(1)
    outcome, risk = _patients(options.patients)
    sets = _median(lambda: risk_sets(outcome), options.repetitions)
    for ties in ("breslow", "efron"):
        both = _median(lambda ties=ties: _gradient(outcome, risk, ties), options.repetitions)
        print(f"{ties}: risk sets {1000 * sets:.1f} ms, with loss and gradient {1000 * both:.1f} ms")
        print(f"{ties}: farthest from the formulas, {_error(ties):.1e} (gradient, {CHECKED} patients)")


def _patients(n: int) -> tuple[SurvivalOutcome, torch.Tensor]:
    rng = np.random.default_rng(0)
    risk = rng.normal(size=n)
    months = np.ceil(rng.exponential(30 * np.exp(-risk))).clip(1, 240)
    return SurvivalOutcome(rng.random(n) < 0.7, months), torch.from_numpy(risk)


def _gradient(outcome: SurvivalOutcome, risk: torch.Tensor, ties: Ties) -> torch.Tensor:
    leaf = risk.clone().requires_grad_()
    cox_loss(leaf, risk_sets(outcome), ties).backward()
    assert leaf.grad is not None
    return leaf.grad


def _error(ties: Ties) -> float:
    outcome, risk = _patients(CHECKED)
    leaf = risk.clone().requires_grad_()
    months, event = torch.from_numpy(outcome.time.copy()), torch.from_numpy(outcome.event.copy())
    later = (months[None, :] >= months[:, None]).double()
    dying = ((months[None, :] == months[:, None]) & event[None, :]).double()
    before = torch.from_numpy(np.tri(len(risk), k=-1)) * dying
    fraction = before.sum(1) / dying.sum(1).clamp(min=1) if ties == "efron" else torch.zeros(len(risk))
    weight = torch.exp(leaf)
    (torch.log(later @ weight - fraction * (dying @ weight)) - leaf)[event].mean().backward()
    assert leaf.grad is not None
    return float((leaf.grad - _gradient(outcome, risk, ties)).abs().max())


def _median(work: Callable[[], object], repetitions: int) -> float:
    work()
    return statistics.median(seconds(work) for _ in range(repetitions))


if __name__ == "__main__":
    main()
