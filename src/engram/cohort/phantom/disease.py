"""The disease of one phantom patient: two latent numbers that images show and the true hazard reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from engram.cohort.phantom.anatomy import BodyShapes
from engram.cohort.phantom.settings import LesionSite
from engram.cohort.phantom.skeleton import CLAVICULA, FEMUR, HIP, HUMERUS, RIB_LEFT, SCAPULA, SKULL, STERNUM
from engram.cohort.phantom.spine import C1, SACRUM

MAX_LESIONS = 20

_SPINE = tuple(range(SACRUM, C1 + 1))
# Bones and how often a lesion sits in them; weights are relative.
_SITES: tuple[tuple[tuple[int, ...], float], ...] = (
    (_SPINE, 0.50),
    ((HIP, HIP + 1), 0.20),
    (tuple(range(RIB_LEFT, STERNUM)), 0.10),
    ((FEMUR, FEMUR + 1), 0.08),
    ((SKULL,), 0.04),
    ((STERNUM,), 0.03),
    ((HUMERUS, HUMERUS + 1, SCAPULA, SCAPULA + 1, CLAVICULA, CLAVICULA + 1), 0.05),
)


@dataclass(frozen=True)
class Lesion:
    """A focal lesion: radius in mm, uptake in SUVbw."""

    radius_mm: float
    suv: float

    @property
    def burden_ml_suv(self) -> float:
        """Volume (mL) times uptake."""
        return 4 / 3 * np.pi * self.radius_mm**3 / 1000 * self.suv


@dataclass(frozen=True)
class Disease:
    """Disease state: two latent numbers, `diffuse` and `focal_burden`, which the images show and the hazard reads.

    diffuse: 0 to 1; marrow uptake rises from 1 to 5 x and trabeculae fade. lesions: focal disease.
    """

    diffuse: float
    lesions: tuple[Lesion, ...] = ()

    @property
    def focal_burden(self) -> float:
        """log(1 + sum of volume x uptake), 0 without lesions: the latent focal burden."""
        return float(np.log1p(sum(lesion.burden_ml_suv for lesion in self.lesions)))


@dataclass(frozen=True)
class Site:
    """Where a lesion is: its centre (x, y, z) in world mm."""

    center_mm: tuple[float, float, float]
    lesion: Lesion


def draw_disease(rng: np.random.Generator, *, severity: float) -> Disease:
    """Draw a disease. `severity` is the standard-normal clinical latent, which shifts it only a little."""
    diffuse = float(norm.cdf(0.1 * severity + rng.standard_normal())) ** 1.6
    expected = 4.5 * rng.gamma(0.8) * np.exp(0.1 * severity)
    count = min(int(rng.poisson(expected)), MAX_LESIONS)
    return Disease(diffuse, tuple(_draw_lesion(rng) for _ in range(count)))


def _draw_lesion(rng: np.random.Generator) -> Lesion:
    return Lesion(6 + 14 * float(rng.beta(1.2, 2.5)), 3 + 9 * float(rng.beta(1.5, 2.5)))


def place_lesions(
    disease: Disease, shapes: BodyShapes, where: LesionSite, rng: np.random.Generator
) -> tuple[Site, ...]:
    """Put every lesion at a random point of a bone, the same on every grid."""
    weights = np.array([weight for _, weight in _SITES])
    sites = []
    for lesion in disease.lesions:
        chosen = int(rng.choice(len(_SITES), p=weights / weights.sum()))
        labels = _SPINE if where == "spine" else _SITES[chosen][0]
        x, y, z = shapes.point_in_bone(labels, rng)
        sites.append(Site((float(x), float(y), float(z)), lesion))
    return tuple(sites)
