"""The study file on the memory model: how it reads the slices, and what is kept of its memory."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engram.config_section import Section

UNTRAINED_MINI = "untrained-mini"  # the small model with random weights, for tests and the demo

PromptKind = Literal["box", "padded_box", "jittered_box", "mask", "points", "coarse_box", "random_box"]
ReadOutName = Literal[
    "final", "volume_map", "volume", "roi", "roi_without_memory", "regions", "pointers", "scores", "area"
]


class Embedding(Section):
    """The frozen memory model, how it reads the slices (paper 2.3.1), and what is kept of its memory."""

    weights: str = Field(
        UNTRAINED_MINI, description="a .pt file, a Hugging Face folder, a known name, or 'untrained-mini'"
    )
    weights_name: str | None = Field(None, description="name printed in tables; the file's own name by default")
    resolution: int | None = Field(
        None,
        description="pixels a side; by default a folder's own, or what known weights were trained at, else 512",
        ge=32,
    )
    prompting: Literal["all", "interleaved", "first", "every_k"] = "interleaved"
    every: int = Field(
        8, ge=1, description="for every_k: each k-th slice read gets its prompt, the rest is tracked"
    )
    prompt: PromptKind = Field("box", description="what is shown of the region on a prompted slice")
    prompt_mm: float = Field(10.0, ge=0, description="padding of a padded box; sd of each edge of a jittered one")
    points: int = Field(3, ge=1, description="clicks on each slice, for prompt: points")
    prompt_seed: int = Field(0, ge=0, description="for jittered and random boxes")
    stride: int = Field(2, ge=1, description="every second slice with mask (paper 2.3.1)")
    direction: Literal["down", "up", "both"] = Field("down", description="down the body, up, or a pass each way")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="bfloat16: autocast, the authors' setting on a GPU; it changes every number"
    )
    readouts: tuple[ReadOutName, ...] = Field(
        ("final",), description="what is kept of the memory; []: no memory is read, for a study of baselines alone"
    )
    final_entries: int = Field(2, ge=1, description="memory entries of the final read-out (paper: 2)")
    quality: bool = Field(True, description="compare what the model draws with the region, on every slice")
    quality_limit: float = Field(0.5, ge=0, le=1, description="a study whose Dice lies below is flagged")
    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = Field(
        1, ge=1, description="threads of each worker; more workers are faster where studies are many"
    )
    batch: int = Field(1, ge=1, description="slices encoded at once: for a GPU; a CPU gains nothing")
    map_size: Literal["native", "paper"] = Field(
        "native",
        description="'paper' stretches each map to 64 x 64 before the head; native is the memory's own size",
    )
