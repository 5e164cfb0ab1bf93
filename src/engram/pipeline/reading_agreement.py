"""How far each patient's embedding stays what it is under a variant: for sensitivity.json, and one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from engram.evaluation.preprocess import keys_of
from engram.evaluation.robustness_records import Stability
from engram.evaluation.rows import RowSpec
from engram.explain.stability import agreement
from engram.files import write_text
from engram.table import EmbeddingKey, StudyTable

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

_QUANTILES = (5, 25, 50, 75, 95)
_LOW = 5  # percentile of patients


@dataclass(frozen=True, eq=False)
class ReadingAgreement:
    """One embedding under one variant. patients: positions in the study, from 0; cosine, centred: of each of them,
    as of `engram.explain.stability.Agreement`."""

    variant: str
    record: Stability
    patients: npt.NDArray[np.intp]
    cosine: Float64
    centred: Float64


def agreements(
    variant: str,
    specs: Sequence[RowSpec],
    table: StudyTable,
    present: npt.NDArray[np.intp],
    embeddings: Mapping[EmbeddingKey, Float32],
) -> list[ReadingAgreement]:
    """Of each embedding. specs: rows that see some of them. table: the study's own; embeddings: those of the
    variant, of the patients `present`."""
    return [
        _agreement(variant, key, [spec.name for spec in specs if key in keys_of(spec)], table, present, other)
        for key, other in embeddings.items()
    ]


def _agreement(
    variant: str,
    key: EmbeddingKey,
    rows: list[str],
    table: StudyTable,
    present: npt.NDArray[np.intp],
    other: Float32,
) -> ReadingAgreement:
    own = table.features.embeddings[key][present]
    found = agreement(own, other)
    known = found.icc[~np.isnan(found.icc)]
    record = Stability(
        modality=key.modality,
        roi=key.roi,
        readout=key.readout,
        rows=rows,
        n=len(present),
        unchanged=sum(np.array_equal(a, b, equal_nan=True) for a, b in zip(own, other, strict=True)),
        cosine_mean=float(np.nanmean(found.cosine)),
        cosine_p5=float(np.nanpercentile(found.cosine, _LOW)),
        centred_mean=_or_none(np.nanmean, found.centred),
        centred_p5=_or_none(lambda values: np.nanpercentile(values, _LOW), found.centred),
        between=found.between,
        components=len(found.icc),
        constant=len(found.icc) - len(known),
        icc_quantiles=[float(q) for q in np.percentile(known, _QUANTILES)] if len(known) else None,
    )
    return ReadingAgreement(variant, record, present, found.cosine, found.centred)


def _or_none(statistic: Callable[[Float64], object], values: Float64) -> float | None:
    """None where no patient has a value, as where all embeddings are the same."""
    return None if np.isnan(values).all() else float(np.asarray(statistic(values)))


def write_patients(found: Sequence[ReadingAgreement], path: Path) -> Path:
    """CSV with one line a variant, embedding and patient; a patient is his number in the study's order, from 1."""
    parts = [
        pd.DataFrame(
            {
                "variant": one.variant,
                "modality": one.record.modality,
                "roi": one.record.roi,
                "readout": one.record.readout,
                "patient": one.patients + 1,
                "cosine": one.cosine,
                "centred_cosine": one.centred,
            }
        )
        for one in found
    ]
    columns = ["variant", "modality", "roi", "readout", "patient", "cosine", "centred_cosine"]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    return write_text(path, table.to_csv(index=False, lineterminator="\n"))
