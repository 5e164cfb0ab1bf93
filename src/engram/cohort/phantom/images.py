"""CT (HU) and PET (SUVbw) of a phantom body with its disease.

No claim about physics: tissue means, a point spread function, noise that grows with uptake. What matters is that
the disease is in both images exactly as the truth says.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from engram.cohort.phantom.anatomy import Anatomy
from engram.cohort.phantom.disease import Disease, Site
from engram.cohort.phantom.organs import LOOKS, Tissue
from engram.cohort.phantom.shapes import Floats, Grid

CORTICAL_HU = (750.0, 1150.0)
TRABECULAR_HU = (205.0, 245.0)
DIFFUSE_LOSS_HU = 150.0
LESION_HU = (20.0, 60.0)
NORMAL_MARROW_SUV = (0.9, 1.1)
DIFFUSE_GAIN = 4.0  # marrow uptake is (1 + gain x diffuse) times normal: up to 5 x

_PSF_FWHM_MM = 6.0
_CT_BLUR_MM = 1.8
_CORTEX_MM = 2.2
_EDGE_MM = 3.0
_FWHM_PER_SIGMA = 2.3548


def make_ct(
    anatomy: Anatomy, disease: Disease, sites: Sequence[Site], rng: np.random.Generator
) -> npt.NDArray[np.int16]:
    """CT in HU on the grid of `anatomy`: dense cortex, marrow thinned by diffuse disease, lytic lesions."""
    hu = _table([LOOKS[tissue].hu for tissue in Tissue])[anatomy.tissue]
    bone = anatomy.tissue == Tissue.BONE
    cortical, trabecular = rng.uniform(*CORTICAL_HU), rng.uniform(*TRABECULAR_HU)
    trabecular -= DIFFUSE_LOSS_HU * disease.diffuse
    cortex = np.exp(-anatomy.bone_depth_mm[bone] / np.float32(_CORTEX_MM))
    hu[bone] = np.float32(trabecular) + np.float32(cortical - trabecular) * cortex
    for site in sites:
        _blend(hu, anatomy, site, rng.uniform(*LESION_HU))
    hu = _blurred(hu, anatomy.grid, _CT_BLUR_MM)
    hu += np.float32(14) * rng.standard_normal(hu.shape, dtype=np.float32)
    return np.rint(np.clip(hu, -1024, 3071)).astype(np.int16)


def make_pet(anatomy: Anatomy, disease: Disease, sites: Sequence[Site], rng: np.random.Generator) -> Floats:
    """PET in SUVbw on the grid of `anatomy`, rounded to 1/256 so that files stay small."""
    means = [rng.uniform(LOOKS[tissue].suv_low, LOOKS[tissue].suv_high) for tissue in Tissue]
    suv = _table(means)[anatomy.tissue]
    bone = anatomy.tissue == Tissue.BONE
    marrow = rng.uniform(*NORMAL_MARROW_SUV) * (1 + DIFFUSE_GAIN * disease.diffuse)
    cortex = np.exp(-anatomy.bone_depth_mm[bone] / np.float32(_CORTEX_MM))
    suv[bone] = np.float32(marrow) + np.float32(0.4 - marrow) * cortex
    for site in sites:
        _blend(suv, anatomy, site, site.lesion.suv, only_up=True)
    suv += np.float32(0.16) * np.sqrt(suv + np.float32(0.02)) * rng.standard_normal(suv.shape, dtype=np.float32)
    suv = np.maximum(_blurred(suv, anatomy.grid, _PSF_FWHM_MM / _FWHM_PER_SIGMA), 0)
    return np.asarray(np.rint(suv * 256) / np.float32(256), dtype=np.float32)


def _table(values: Sequence[float]) -> Floats:
    return np.asarray(values, dtype=np.float32)


def _blend(image: Floats, anatomy: Anatomy, site: Site, value: float, *, only_up: bool = False) -> None:
    """Bring the bone within a lesion to `value`, with a soft edge of 3 mm; `only_up` never lowers an uptake."""
    center, radius = np.array(site.center_mm), site.lesion.radius_mm
    window = anatomy.grid.window(center - radius - _EDGE_MM, center + radius + _EDGE_MM)
    x, y, z = (axis - np.float32(c) for axis, c in zip(anatomy.grid.mesh(window), center, strict=True))
    weight = np.clip((radius - np.sqrt(x * x + y * y + z * z)) / np.float32(_EDGE_MM) + np.float32(0.5), 0, 1)
    weight = weight * (anatomy.bone_depth_mm[window] > 0)
    part = image[window]
    mixed = part + weight * (np.float32(value) - part)
    part[...] = np.maximum(part, mixed) if only_up else mixed


def _blurred(image: Floats, grid: Grid, sigma_mm: float) -> Floats:
    sigma = [sigma_mm / step for step in grid.spacing_mm]
    return np.asarray(gaussian_filter(image, sigma, truncate=3.0), dtype=np.float32)
