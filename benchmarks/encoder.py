"""How fast is the image encoder, beside transformers' own and beside this machine's matrix product?

    python benchmarks/encoder.py [--threads 2] [--repetitions 11]

SAM 2.1 tiny at 512 pixels, float32, one slice, seeded random weights in the official format. The two encoders take
turns in one process; medians are printed, and that both give the same bits is checked first. Runs itself again with
the allocator settings under which memory is not given back to the system at every free. Only a quiet machine tells.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "20000000000",
    "MALLOC_TOP_PAD_": "268435456",
}
REFERENCE = Path(__file__).parents[1] / "tests" / "reference" / "medsam2"
PEAK_SIZES = (512, 1024, 2048, 3072, 4096)
SIDE = 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=11)
    parser.add_argument("--default-allocator", action="store_true", help="measure without the allocator settings")
    options = parser.parse_args()
    _set_allocator(wanted=not options.default_allocator)
    _measure(options.threads, options.repetitions)


def _set_allocator(*, wanted: bool) -> None:
    if not wanted:
        print("allocator: as the environment has it")
        return
    if any(os.environ.get(name) != value for name, value in ALLOCATOR.items()):
        # glibc reads these at the start of a process only.
        print("allocator: running again with " + " ".join(f"{k}={v}" for k, v in ALLOCATOR.items()), flush=True)
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ALLOCATOR})
    print("allocator: settings are in force")


def _measure(threads: int, repetitions: int) -> None:
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    from engram.memory.encoder import ImageEncoder

    torch.set_num_threads(threads)
    model = _random_tiny()
    ours = ImageEncoder(model)
    pixels = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        theirs = model.get_image_features(pixels, return_dict=True)
        same = all(map(torch.equal, ours(pixels)[0], theirs.fpn_hidden_states))
        # PyTorch counts the products of attention only where it is taken apart into them.
        with FlopCounterMode(display=False) as needed, sdpa_kernel(SDPBackend.MATH):
            ours(pixels)
        before = _peak()
        plain, fast = _in_turn(
            [lambda: model.get_image_features(pixels, return_dict=True), lambda: ours(pixels)], repetitions
        )
        peak = max(before, _peak())
    gflop = needed.get_total_flops() / 1e9
    print(f"torch {torch.__version__}, {threads} threads, load of the machine {os.getloadavg()[0]:.1f}")
    print(f"same bits: {'yes' if same else 'NO'}")
    print(f"matrix product, float32, best of sizes {PEAK_SIZES}: {peak:.0f} GFLOP/s")
    print(f"operations a slice: {gflop:.1f} GFLOP")
    print(f"transformers: {plain:.3f} s, {gflop / plain / peak:.0%} of the peak")
    print(f"engram:       {fast:.3f} s, {gflop / fast / peak:.0%} of the peak")
    print(f"ratio:        {plain / fast:.2f}")
    if not same:
        sys.exit("the encoders differ: the ratio means nothing")


def _random_tiny() -> Any:
    import numpy as np
    import torch
    from transformers import Sam2VideoModel

    from engram.memory.conversion import convert_state, infer_config

    spec = importlib.util.spec_from_file_location("make_checkpoint", REFERENCE / "make_checkpoint.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    shapes = json.loads((REFERENCE / "tensors.json").read_text())
    state = {n: torch.from_numpy(maker.draw(n, shape, 0).astype(np.float32)) for n, shape in shapes.items()}
    model = Sam2VideoModel(infer_config(state, resolution=SIDE))
    model.load_state_dict(convert_state(state))
    return model.eval().requires_grad_(False)


def _peak() -> float:
    """Best GFLOP/s of a square float32 matrix product."""
    import torch

    def speed(side: int) -> float:
        left, right = torch.randn(side, side), torch.randn(side, side)
        return 2 * side**3 / min(_seconds(lambda: left @ right) for _ in range(6)) / 1e9

    return max(speed(side) for side in PEAK_SIZES)


def _in_turn(runs: list[Callable[[], object]], repetitions: int) -> list[float]:
    """Median seconds of each, taken in turn so that a change of the machine's pace meets all alike."""
    for run in runs:
        run()
    times = [[_seconds(run) for run in runs] for _ in range(repetitions)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
