"""The reach of read-outs over a cohort: curves on a common axis, by anatomical part, and in two shares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from engram.evaluation.reach_records import CohortReach, PartReach, ReachCurve
from engram.roi.anatomy import PARTS

FloatArray = npt.NDArray[np.float64]

THRESHOLD = 1e-4  # relative change above which a read-out is said to know of a slice
PLACES = 51  # of the common axis, both ends among them
_MOST = 0.9
_QUARTILES = (0.25, 0.5, 0.75)


def cohort_reach(curves: Sequence[ReachCurve], *, threshold: float = THRESHOLD) -> list[CohortReach]:
    """One record for each scan, region, read-out and prompting, in the order in which they come.

    Each patient counts once, whatever the slices. On the common axis a curve is a straight line between two
    occluded slices; shares and means of parts count each slice read as the nearest that was occluded.
    Raises ValueError where a patient has two curves of one kind.
    """
    kinds: dict[tuple[str, ...], list[ReachCurve]] = {}
    for curve in curves:
        kinds.setdefault((curve.modality, curve.roi, curve.readout, curve.prompting), []).append(curve)
    for kind, found in kinds.items():
        if len({curve.patient for curve in found}) != len(found):
            raise ValueError(f"a patient has two curves of {', '.join(kind)}")
    return [_of_kind(found, threshold) for found in kinds.values()]


def known_share(curve: ReachCurve, threshold: float = THRESHOLD) -> float:
    """Share of the slices read that the read-out knows of, 0 to 1."""
    return float(np.average(np.array(curve.changes) > threshold, weights=curve.stands_for))


def most_share(curve: ReachCurve) -> float:
    """The smallest share of the slices read that makes up nine tenths of all change; 0 where there is none."""
    order = np.argsort(curve.changes, kind="stable")[::-1]
    slices = np.array(curve.stands_for)[order]
    change = np.cumsum(np.array(curve.changes)[order] * slices)
    if change[-1] == 0:
        return 0.0
    enough = int(np.searchsorted(change, _MOST * change[-1])) + 1
    return float(slices[:enough].sum() / slices.sum())


def _of_kind(found: Sequence[ReachCurve], threshold: float) -> CohortReach:
    places = np.linspace(0, 100, PLACES)
    lines = np.array([np.interp(places, curve.places, curve.changes) for curve in found])
    lower, _, upper = np.quantile(lines, _QUARTILES, axis=0)
    ends = [ends for curve in found if (ends := _known_ends(curve, threshold)) is not None]
    first = found[0]
    return CohortReach(
        modality=first.modality,
        roi=first.roi,
        readout=first.readout,
        prompting=first.prompting,
        patients=len(found),
        slices_read=float(np.mean([curve.slices_read for curve in found])),
        places=places.tolist(),
        mean=lines.mean(axis=0).tolist(),
        lower=lower.tolist(),
        upper=upper.tolist(),
        parts=_parts(found),
        known=_quartiles([known_share(curve, threshold) for curve in found]),
        known_from=float(np.median([start for start, _ in ends])) if ends else None,
        known_to=float(np.median([end for _, end in ends])) if ends else None,
        most=_quartiles([most_share(curve) for curve in found]),
    )


def _known_ends(curve: ReachCurve, threshold: float) -> tuple[float, float] | None:
    """Percent of the slices read before the first known one, and up to the last."""
    known = np.flatnonzero(np.array(curve.changes) > threshold)
    if not len(known):
        return None
    ends = np.concatenate([[0], np.cumsum(curve.stands_for)]) * (100 / sum(curve.stands_for))
    return float(ends[known[0]]), float(ends[known[-1] + 1])


def _parts(found: Sequence[ReachCurve]) -> list[PartReach]:
    """Parts in their order in the body's table; a patient without slices of a part has no say in it."""
    made = []
    for part in PARTS:
        means = [mean for curve in found if (mean := _mean_in(curve, part)) is not None]
        if means:
            mean = float(np.mean(means))
            made.append(PartReach(part=part, patients=len(means), mean=mean, quartiles=_quartiles(means)))
    return made


def _mean_in(curve: ReachCurve, part: str) -> float | None:
    if not curve.parts:
        return None
    here = np.array(curve.parts) == part
    if not here.any():
        return None
    return float(np.average(np.array(curve.changes)[here], weights=np.array(curve.stands_for)[here]))


def _quartiles(values: Sequence[float]) -> list[float]:
    found: list[float] = np.quantile(values, _QUARTILES).tolist()
    return found
