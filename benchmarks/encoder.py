"""How fast is the image encoder, beside transformers' own and beside this machine's matrix product?

    python benchmarks/encoder.py [--threads 2] [--repetitions 11]

SAM 2.1 tiny at 512 pixels, float32, one slice, seeded random weights in the official format. The two encoders take
turns in one process; medians are printed, and that both give the same bits is checked first. Runs itself again with
the allocator settings under which memory is not given back to the system at every free. Only a quiet machine tells.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from machine import in_turn, random_tiny, seconds, set_allocator

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
    if wanted:
        set_allocator()
    print("allocator: settings are in force" if wanted else "allocator: as the environment has it")


def _measure(threads: int, repetitions: int) -> None:
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    from engram.memory.encoder import ImageEncoder

    torch.set_num_threads(threads)
    model = _model()
    ours = ImageEncoder(model)
    pixels = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        theirs = model.get_image_features(pixels, return_dict=True)
        same = all(map(torch.equal, ours(pixels)[0], theirs.fpn_hidden_states))
        # PyTorch counts the products of attention only where it is taken apart into them.
        with FlopCounterMode(display=False) as needed, sdpa_kernel(SDPBackend.MATH):
            ours(pixels)
        before = _peak()
        plain, fast = in_turn(
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


def _model() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        return random_tiny(Path(folder), resolution=SIDE).model


def _peak() -> float:
    """Best GFLOP/s of a square float32 matrix product."""
    import torch

    def speed(side: int) -> float:
        left, right = torch.randn(side, side), torch.randn(side, side)
        return 2 * side**3 / min(seconds(lambda: left @ right) for _ in range(6)) / 1e9

    return max(speed(side) for side in PEAK_SIZES)


if __name__ == "__main__":
    main()
