"""Do time and memory grow as they should? Studies of 50 to 800 slices, two regions, 512 pixels.

    python benchmarks/scale.py [--slices 50 100 200 400 800] [--prompting interleaved] [--threads 2]

Each length runs in a process of its own: time of the engine, and the peak memory of the process with model,
frames and masks in it. A line is fitted through the times. SAM 2.1 tiny, seeded random weights, CT slices of
512 x 512 made from those of tests/reference/medsam2; read-outs final, volume and the quality of the drawn
masks.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from machine import REFERENCE, describe, random_tiny, seconds, set_allocator

SIDE = 512
SPACING_MM = (3.0, 1.0, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, nargs="+", default=[50, 100, 200, 400, 800])
    parser.add_argument("--prompting", default="interleaved")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    set_allocator()
    import torch

    torch.set_num_threads(options.threads)
    if options.one:
        print(json.dumps(_measure(options.one, options.prompting)))
        return
    print(f"{describe()}; prompting {options.prompting}\n")
    print("| slices | seconds | seconds a slice | peak memory, GiB |\n| --- | --- | --- | --- |")
    times = [_in_own_process(n, options) for n in options.slices]
    slope, start = np.polyfit(options.slices, times, 1)
    fitted = start + slope * np.array(options.slices)
    worst = np.max(np.abs(fitted / times - 1))
    print(f"\nFit: {start:.1f} s + {slope:.3f} s a slice; the farthest point lies {worst:.1%} off the line.")


def _in_own_process(n: int, options: argparse.Namespace) -> float:
    command = [sys.executable, __file__, "--one", str(n), "--prompting", options.prompting]
    command += ["--threads", str(options.threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"| {n} | {found['seconds']:.1f} | {found['seconds'] / n:.3f} | {found['gib']:.2f} |", flush=True)
    return float(found["seconds"])


def _measure(n: int, prompting: str) -> dict[str, float]:
    from engram.memory import Protocol
    from engram.memory.engine import Wanted, read_regions
    from engram.memory.prompts import slice_prompts
    from engram.memory.quality import quality
    from engram.memory.readouts import Region, read_out

    with tempfile.TemporaryDirectory() as folder:
        backbone = random_tiny(Path(folder))
    protocol, frames = Protocol(prompting=prompting, stride=1), _frames(n)
    wanted = {}
    for name, rows in (("spine", slice(200, 300)), ("skeleton", slice(100, 420))):
        mask = np.zeros(frames.shape, dtype=bool)
        mask[:, rows, 150:350] = True
        region = Region(slice_prompts(mask, protocol, SPACING_MM), mask, SPACING_MM)
        wanted[name] = Wanted(region, (read_out("final"), read_out("volume"), quality()))
    took = seconds(lambda: read_regions(backbone, frames, wanted, protocol))
    return {"seconds": took, "gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}


def _frames(n: int) -> np.ndarray:
    from PIL import Image

    with np.load(REFERENCE / "extract.npz") as content:
        large = [np.asarray(Image.fromarray(plane).resize((SIDE, SIDE))) for plane in content["imgs"]]
    return np.stack([large[i % len(large)] for i in range(n)])


if __name__ == "__main__":
    main()
