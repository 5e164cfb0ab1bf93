"""What does sharing save? The engine beside the plain way: same slices, same weights, one run, two regions.

    python benchmarks/engine.py [--slices 100] [--threads 2] [--repetitions 1]

The plain way reads one region after the other with transformers' own image encoder, and encodes as the official
predictor does: every image once where slices remember, twice where all are prompted first. Engram encodes each
slice once for both regions, and only the slices that the read-out needs. SAM 2.1 tiny at 512 pixels, float32,
seeded random weights, real CT slices (tests/reference/medsam2) in turn. Both must give the same bits.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from machine import REFERENCE, describe, in_turn, random_tiny, set_allocator

SPACING_MM = (3.0, 1.0, 1.0)
CASES = (("all", "volume"), ("interleaved", "volume"), ("all", "final"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=1)
    options = parser.parse_args()
    set_allocator()
    import torch

    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        backbone = random_tiny(Path(folder))
    scene = Scene.of(options.slices)
    for way in (_plain, _engram):  # so that neither pays for what PyTorch does only once
        way(backbone, Scene.of(2), "interleaved", "volume")
    print(describe())
    print(f"{options.slices} slices, 2 regions\n")
    print("| prompting | read-out | plain way, s | Engram, s | ratio | same bits |\n|" + " --- |" * 6)
    same = [_compare(backbone, scene, *case, options.repetitions) for case in CASES]
    if not all(same):
        sys.exit("the numbers differ: the ratios mean nothing")


@dataclass(frozen=True)
class Scene:
    """Slices and two regions on all of them."""

    frames: Any
    masks: dict[str, Any]

    @classmethod
    def of(cls, n: int) -> Scene:
        with np.load(REFERENCE / "extract.npz") as content:
            slices = content["imgs"]
        frames = slices[np.arange(n) % len(slices)]
        masks = {name: np.zeros(frames.shape, dtype=bool) for name in ("spine", "skeleton")}
        for z in range(n):
            masks["spine"][z, 55:75, 50 + z % 5 : 72] = True
            masks["skeleton"][z, 30:80, 20 + z % 7 : 100] = True
        return cls(frames, masks)


def _compare(backbone: Any, scene: Scene, prompting: str, readout: str, repetitions: int) -> bool:
    results: dict[str, dict[str, Any]] = {}
    ways: list[Callable[[], Any]] = [
        lambda: results.update(plain=_plain(backbone, scene, prompting, readout)),
        lambda: results.update(engram=_engram(backbone, scene, prompting, readout)),
    ]
    plain, ours = in_turn(ways, repetitions, warm_up=False)
    same = all(np.array_equal(results["plain"][name], results["engram"][name]) for name in scene.masks)
    print(
        f"| {prompting} | {readout} | {plain:.1f} | {ours:.1f} | {plain / ours:.2f} | {'yes' if same else 'NO'} |",
        flush=True,
    )
    return same


def _wanted(scene: Scene, protocol: Any, readout: str) -> dict[str, Any]:
    from engram.memory.engine import Wanted
    from engram.memory.prompts import slice_prompts
    from engram.memory.readouts import Region, read_out

    return {
        name: Wanted(Region(slice_prompts(mask, protocol, SPACING_MM), mask, SPACING_MM), (read_out(readout),))
        for name, mask in scene.masks.items()
    }


def _engram(backbone: Any, scene: Scene, prompting: str, readout: str) -> dict[str, Any]:
    from engram.memory import Protocol
    from engram.memory.engine import read_regions

    protocol = Protocol(prompting=prompting, stride=1)
    found = read_regions(backbone, scene.frames, _wanted(scene, protocol, readout), protocol)
    return {name: next(iter(arrays[readout].values())) for name, arrays in found.items()}


def _plain(backbone: Any, scene: Scene, prompting: str, readout: str) -> dict[str, Any]:
    """A pass a region, every slice from first to last, whatever is kept of it."""
    from engram.memory import Protocol
    from engram.memory.propagation import Propagation
    from engram.memory.readouts import Entry

    protocol, found = Protocol(prompting=prompting, stride=1), {}
    shape = scene.frames.shape[1:]
    for name, wanted in _wanted(scene, protocol, readout).items():
        (kept,) = wanted.readouts
        gathering, n = kept.start(wanted.region), len(scene.frames)
        propagation = Propagation(backbone, protocol, n_slices=n)
        for z, prompt in enumerate(wanted.region.prompts.prompts):
            features = [_encode(backbone, scene.frames[z]) for _ in range(2 if prompting == "all" else 1)][-1]
            reading = propagation.step(features, prompt, shape)
            if z in kept.needs(n):
                gathering.add(Entry(z, False, reading))
        found[name] = next(iter(gathering.result().values()))
    return found


def _encode(backbone: Any, frame: Any) -> Any:
    import torch

    from engram.memory.contract import SliceFeatures

    with torch.inference_mode():
        vision = backbone.model.get_image_features(backbone._pixels(frame), return_dict=True)
    return SliceFeatures(tuple(vision.fpn_hidden_states), vision.fpn_position_encoding[-1])


if __name__ == "__main__":
    main()
