"""`engram sensitivity --dry-run`: how much would be read and fitted, and about how long reading takes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engram.config import StudyConfig
from engram.evaluation.search_groups import phases_of
from engram.memory.backbone import Sam2Backbone
from engram.memory.contract import Prompt
from engram.memory.engine import Wanted, read_regions
from engram.memory.prompts import SlicePrompts
from engram.memory.readouts import Region
from engram.memory.store import EmbeddingStore
from engram.pipeline.disturbed import scan_of
from engram.pipeline.disturbed_rows import under_protocol
from engram.pipeline.estimate import in_words as duration
from engram.pipeline.prompt_sensitivity import Planned, in_words, planned
from engram.pipeline.requests import protocol_of, readouts_of, request_name

_TIMED_SLICES = 6  # few, for a large model takes seconds a slice; enough for memories to be looked back on
_SIDE = 256  # pixels of a timed frame; the model brings every frame to its own size


@dataclass(frozen=True)
class Seconds:
    """A slice: to encode it, and to read it once for one variant and region."""

    encode: float
    read: float


@dataclass(frozen=True)
class Slices:
    """To be encoded, each once for all variants of a scan, and to be read."""

    encoded: int
    read: int


def plan(config: StudyConfig, *, workers: int) -> list[str]:
    """What `prompt_sensitivity` would do, in lines. Raises as `planned`."""
    todo = planned(config)
    lines = [in_words(todo), *(f"  {_of_variant(todo, variant.name)}" for variant in todo.variants)]
    slices = slices_of(todo)
    if todo.missing:
        seconds = timed(todo.backbone, todo.config)
        at_once = max(workers, 1) if todo.config.embedding.device == "cpu" else 1
        left = (slices.encoded * seconds.encode + slices.read * seconds.read) / at_once
        lines.append(
            f"To be read: {slices.encoded} slices to encode, {slices.read} readings; about {duration(left)} on "
            f"{at_once} worker(s), by a trial of {_TIMED_SLICES} slices here"
        )
    return [*lines, f"To be fitted: {_fits(todo)} at most; those that were made before are not made again"]


def _of_variant(todo: Planned, name: str) -> str:
    missing = sum(len(one.requests) for job in todo.jobs for one in job.asked if one.variant.name == name)
    in_all = sum(map(len, todo.keys[name].values()))
    return f"{name}: {in_all} embeddings, {missing} not made yet"


def slices_of(todo: Planned) -> Slices:
    """By the study's own embeddings, which say how many slices were read of each patient and region."""
    index = EmbeddingStore(todo.config.store_dir).index()
    read_of = dict(zip(index["key"], index["slices"], strict=True))
    encoded = read = 0
    for job in todo.jobs:
        own = todo.embedded.keys[job.record.patient_id]
        scans: dict[object, int] = {}
        for one in job.asked:
            for modality, roi in dict.fromkeys((r.modality, r.roi) for r in one.requests):
                n = _slices(own, read_of, modality, roi, todo.config)
                read += n
                scan = scan_of(one, modality)
                scans[scan] = max(scans.get(scan, 0), n)
        encoded += sum(scans.values())
    return Slices(encoded, read)


def _slices(
    own: Mapping[str, str], read_of: Mapping[str, int], modality: str, roi: str, config: StudyConfig
) -> int:
    names = [request_name(modality, roi, readout) for readout in readouts_of(config)]
    return max((int(read_of.get(own.get(name, ""), 0)) for name in names), default=0)


def timed(backbone: Sam2Backbone, config: StudyConfig) -> Seconds:
    """By reading noise, for one region and for two: the second costs no encoding."""
    one, two = (_took(backbone, config, regions) for regions in (1, 2))
    read = max(two - one, 0.0)
    return Seconds(max(one - read, 0.0) / _TIMED_SLICES, read / _TIMED_SLICES)


def _took(backbone: Sam2Backbone, config: StudyConfig, regions: int) -> float:
    frames = np.random.default_rng(0).integers(0, 255, (_TIMED_SLICES, _SIDE, _SIDE), dtype=np.uint8)
    mask = np.zeros(frames.shape, dtype=np.bool_)
    mask[:, _SIDE // 4 : _SIDE // 2, _SIDE // 4 : _SIDE // 2] = True
    box = np.array([_SIDE // 4, _SIDE // 4, _SIDE // 2, _SIDE // 2], dtype=np.float32)
    prompts = SlicePrompts(np.arange(_TIMED_SLICES), tuple(Prompt.of_box(box) for _ in frames))
    region = Region(prompts, mask, (1.0, 1.0, 1.0), np.ones(mask.shape, dtype=np.uint8))
    wanted = {str(i): Wanted(region, tuple(readouts_of(config).values())) for i in range(regions)}
    start = time.perf_counter()
    read_regions(backbone, frames, wanted, protocol_of(config), batch=config.embedding.batch)
    return time.perf_counter() - start


def _fits(todo: Planned) -> int:
    config = under_protocol(todo.config)
    once = sum(phase.most_fits for phase in phases_of(todo.specs, config.evaluation.folds, config.tuning))
    models = todo.config.robustness.models
    return once * ("frozen" in models) + once * (len(todo.variants) + 1) * ("retrained" in models)
