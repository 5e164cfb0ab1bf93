"""What the benchmarks share: the allocator's settings, times taken in turn, seeded official-format weights."""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "20000000000",
    "MALLOC_TOP_PAD_": "268435456",
}
REFERENCE = Path(__file__).parents[1] / "tests" / "reference" / "medsam2"


def set_allocator() -> None:
    """Run this process again with glibc keeping what is freed, as Engram's workers do; it reads this only once."""
    if any(os.environ.get(name) != value for name, value in ALLOCATOR.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ALLOCATOR})


def seconds(run: Callable[[], object]) -> float:
    """How long one run takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def in_turn(runs: Sequence[Callable[[], object]], repetitions: int, *, warm_up: bool = True) -> list[float]:
    """Median seconds of each, taken in turn so that a change of the machine's pace meets all alike."""
    for run in runs if warm_up else ():
        run()
    times = [[seconds(run) for run in runs] for _ in range(repetitions)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def official_state(seed: int = 0) -> dict[str, Any]:
    """Tensors of `sam2.1_hiera_t512` as its authors name them, random."""
    import numpy as np
    import torch

    spec = importlib.util.spec_from_file_location("make_checkpoint", REFERENCE / "make_checkpoint.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"{REFERENCE}: make_checkpoint.py is missing")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    shapes = json.loads((REFERENCE / "tensors.json").read_text())
    return {n: torch.from_numpy(maker.draw(n, shape, seed).astype(np.float32)) for n, shape in shapes.items()}


def random_tiny(folder: Path, *, resolution: int = 512, seed: int = 0) -> Any:
    """A SAM 2.1 tiny with seeded random weights, by way of an official-format file in `folder`."""
    import torch

    from engram.memory import load_backbone

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"random_tiny_{seed}.pt"
    torch.save({"model": official_state(seed)}, path)
    return load_backbone(path, resolution=resolution)


def describe() -> str:
    """One line on what this ran on."""
    import platform

    import torch

    names = [line.split(":")[1].strip() for line in _cpu_lines() if line.startswith("model name")]
    model = names[0] if names else "unknown processor"
    software = f"torch {torch.__version__}, Python {platform.python_version()}"
    return f"{model}, {torch.get_num_threads()} threads, {software}, load {os.getloadavg()[0]:.1f}"


def _cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []
