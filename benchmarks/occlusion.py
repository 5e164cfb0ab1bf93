"""What does reading again save? Occluded patches, re-read by the engine from its first slice and by the Rereader.

    python benchmarks/occlusion.py [--promptings all interleaved first] [--slices 200] [--patches 1] [--of 64]
                                   [--tolerance 1e-2] [--threads 1] [--mini]

One region on --slices slices, all read; patches of 3 slices' height, filled with the volume's mean, evenly over the
body. Both ways read --patches of them, evenly spread, so that what lies below a patch is half of the body on
average; their mean seconds stand for the --of patches of a map, and ours pays its baseline pass besides:

    ratio = of x naive / (baseline + of x again)

`floor` is the same ratio made of counts alone: encodings and readings, each at its mean seconds in the naive runs.
Of `exact` these are the counts of the dependency cone (the patch's slices are encoded; they and, where slices
remember, all after them are read), of `fast` those done. `exact` must give the naive run's bits. The error of
`fast` is that of fixed random linear functions (as risks are) of the read-out `volume`, relative to the exact
effect of the patch on them (root mean squares over 100 functions), the largest of the patches.

SAM 2.1 tiny at 512 pixels, float32, seeded random weights, real CT slices (tests/reference/medsam2) in turn. At 200
slices each naive run takes minutes: after a first look at the machine the script says how long it all will take.
--mini: untrained-mini instead, to see the script work.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from machine import REFERENCE, describe, random_tiny, seconds, set_allocator

SPACING_MM = (3.0, 1.0, 1.0)
HEIGHT = 3  # slices of a patch
REGION, READOUT = "spine", "volume"
LIMITS = {("all", "exact"): 30, ("interleaved", "exact"): 4, ("first", "exact"): 4,
          ("interleaved", "fast"): 10, ("first", "fast"): 10}  # fmt: skip
COLUMNS = ("prompting", "mode", "naive, s a patch", "baseline, s", "again, s a patch", "read again", "ratio",
           "floor", "at least", "same bits", "error of fast")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--promptings", nargs="+", default=["all", "interleaved", "first"])
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--patches", type=int, default=1)
    parser.add_argument("--of", type=int, default=64)
    parser.add_argument("--tolerance", type=float, default=1e-2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--mini", action="store_true")
    options = parser.parse_args()
    set_allocator()
    import torch

    torch.set_num_threads(options.threads)
    backbone = Clocked(_backbone(mini=options.mini))
    firsts = ", ".join(str(min(changed)) for changed in Scene.of(options.slices).patches(options.patches))
    print(
        f"{describe()}\n{backbone.name}, {options.slices} slices; read by both ways: {options.patches} of "
        f"{options.of} patches of {HEIGHT} slices, from slice {firsts} on; tolerance {options.tolerance:g}"
    )
    _say_how_long(backbone, options)
    print(f"\n| {' | '.join(COLUMNS)} |\n|" + " --- |" * len(COLUMNS))
    studies = [_study(backbone, prompting, options) for prompting in options.promptings]
    for study in studies:
        print(f"\n{study.prompting}: {study.memory}")
    if not all(study.same for study in studies):
        sys.exit("exact is not exact: the ratios mean nothing")


def _backbone(*, mini: bool) -> Any:
    from engram.memory import load_backbone

    if mini:
        return load_backbone("untrained-mini")
    with tempfile.TemporaryDirectory() as folder:
        return random_tiny(Path(folder))


class Clocked:
    """A backbone that counts and times its work."""

    def __init__(self, backbone: Any) -> None:
        self._backbone = backbone
        self.work = Work()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backbone, name)

    def encode(self, frames: Any) -> Any:
        kept: list[Any] = []
        self.work.encoding_s += seconds(lambda: kept.append(self._backbone.encode(frames)))
        self.work.encoded += len(frames)
        return kept[0]

    def read(self, *args: Any) -> Any:
        kept: list[Any] = []
        self.work.reading_s += seconds(lambda: kept.append(self._backbone.read(*args)))
        self.work.read += 1
        return kept[0]

    def doing(self, run: Any) -> tuple[Any, Work]:
        """What it gave, and the work of it."""
        kept: list[Any] = []
        self.work = Work()
        self.work.all_s = seconds(lambda: kept.append(run()))
        return kept[0], self.work


@dataclass
class Work:
    """Counts, and seconds of the clock."""

    encoded: int = 0
    read: int = 0
    encoding_s: float = 0.0
    reading_s: float = 0.0
    all_s: float = 0.0

    def at(self, naive: Work) -> float:
        """Seconds that these counts alone would take, at the pace of the naive run."""
        return self.encoded * naive.encoding_s / naive.encoded + self.read * naive.reading_s / naive.read


def _mean(works: list[Work]) -> Work:
    names = Work.__dataclass_fields__
    return Work(**{name: sum(getattr(work, name) for work in works) / len(works) for name in names})


def _say_how_long(backbone: Clocked, options: argparse.Namespace) -> None:
    scene = Scene.of(min(10, options.slices))
    scene.read(backbone, scene.frames, "interleaved")  # so that nothing is paid for that PyTorch does only once
    _, work = backbone.doing(lambda: scene.read(backbone, scene.frames, "interleaved"))
    n, whole, reading = options.slices, work.all_s / work.encoded, work.reading_s / work.read
    total = 0.0
    for prompting in options.promptings:
        again = n / 2 * reading if prompting != "all" else 0.0
        total += n * whole + options.patches * (n * whole + 1.5 * again)
    print(f"expected to take about {total / 60:.0f} minutes")


@dataclass(frozen=True)
class Scene:
    """Slices, and one region on all of them."""

    frames: Any
    mask: Any

    @classmethod
    def of(cls, n: int) -> Scene:
        with np.load(REFERENCE / "extract.npz") as content:
            slices = content["imgs"]
        frames = slices[np.arange(n) % len(slices)]
        mask = np.zeros(frames.shape, dtype=bool)
        for z in range(n):
            mask[z, 55:75, 50 + z % 5 : 72] = True
        return cls(frames, mask)

    def patches(self, n: int) -> list[dict[int, Any]]:
        """Slices with a patch on them, evenly over the body."""
        fill = round(float(self.frames.mean()))
        patches = []
        for i in range(n):
            first = round((i + 0.5) / n * len(self.frames) - HEIGHT / 2)
            changed = {z: self.frames[z].copy() for z in range(first, first + HEIGHT)}
            for plane in changed.values():
                plane[58:72, 54:68] = fill
            patches.append(changed)
        return patches

    def wanted(self, prompting: str) -> tuple[dict[str, Any], Any]:
        from engram.memory import Protocol
        from engram.memory.engine import Wanted
        from engram.memory.prompts import slice_prompts
        from engram.memory.readouts import Region, read_out

        protocol = Protocol(prompting=prompting, stride=1)
        region = Region(slice_prompts(self.mask, protocol, SPACING_MM), self.mask, SPACING_MM)
        return {REGION: Wanted(region, (read_out(READOUT),))}, protocol

    def read(self, backbone: Any, frames: Any, prompting: str) -> Any:
        from engram.memory.engine import read_regions

        return read_regions(backbone, frames, *self.wanted(prompting))[REGION][READOUT]["vector"]


@dataclass
class Study:
    """What was found of one prompting."""

    prompting: str
    same: bool = True
    memory: str = ""
    vectors: dict[str, list[Any]] = field(default_factory=lambda: {"naive": [], "exact": [], "fast": []})
    works: dict[str, list[Work]] = field(default_factory=lambda: {"naive": [], "exact": [], "fast": []})


def _study(backbone: Clocked, prompting: str, options: argparse.Namespace) -> Study:
    from engram.memory.rereading import Rereader

    scene, study = Scene.of(options.slices), Study(prompting)
    patches = scene.patches(options.patches)
    for changed in patches:
        seen = scene.frames.copy()
        for z, plane in changed.items():
            seen[z] = plane
        _take(study, "naive", *backbone.doing(lambda seen=seen: scene.read(backbone, seen, prompting)))
    naive_gib = _peak_gib()
    wanted, protocol = scene.wanted(prompting)
    rereader, baseline = backbone.doing(lambda: Rereader(backbone, scene.frames, wanted, protocol))
    with rereader:
        for mode, tolerance in (("exact", None), ("fast", options.tolerance)):
            if (prompting, mode) in LIMITS:
                rereader.tolerance = tolerance
                for changed in patches:
                    found, work = backbone.doing(lambda changed=changed: rereader.reread(changed))
                    _take(study, mode, found[REGION][READOUT]["vector"], work)
        base = rereader.baseline[REGION][READOUT]["vector"]
        on_disk_gib = rereader.bytes_on_disk / 2**30
    study.memory = (
        f"peak memory of this process {naive_gib:.2f} GiB after the naive runs, {_peak_gib():.2f} GiB after ours; "
        f"temporary file {on_disk_gib:.2f} GiB"
    )
    study.same = all(
        np.array_equal(a, b) for a, b in zip(study.vectors["naive"], study.vectors["exact"], strict=True)
    )
    for mode in ("exact", "fast"):
        if study.works[mode]:
            _print_row(study, mode, baseline, base, [min(changed) for changed in patches], options)
    return study


def _take(study: Study, mode: str, vector: Any, work: Work) -> None:
    study.vectors[mode].append(vector)
    study.works[mode].append(work)


def _print_row(
    study: Study, mode: str, baseline: Work, base: Any, firsts: list[int], options: argparse.Namespace
) -> None:
    naive, again = _mean(study.works["naive"]), _mean(study.works[mode])
    of, counted = options.of, again
    if mode == "exact":
        reach = [HEIGHT if study.prompting == "all" else options.slices - first for first in firsts]
        counted = Work(encoded=HEIGHT, read=float(np.mean(reach)))
    ratio = of * naive.all_s / (baseline.all_s + of * again.all_s)
    floor = of * naive.at(naive) / (baseline.at(naive) + of * counted.at(naive))
    cells = [
        study.prompting, mode, f"{naive.all_s:.2f}", f"{baseline.all_s:.2f}", f"{again.all_s:.2f}",
        f"{again.read:.0f} of {naive.read:.0f}", f"{ratio:.2f}", f"{floor:.2f}",
        str(LIMITS[study.prompting, mode]), "" if mode == "fast" else ("yes" if study.same else "NO"),
        _error_of_fast(study, base) if mode == "fast" else "",
    ]  # fmt: skip
    print(f"| {' | '.join(cells)} |", flush=True)


def _error_of_fast(study: Study, base: Any) -> str:
    risks = np.random.default_rng(0).standard_normal((len(base), 100))
    exact, fast = ((np.stack(study.vectors[mode]) - base) @ risks for mode in ("exact", "fast"))
    errors = np.linalg.norm(fast - exact, axis=1) / np.linalg.norm(exact, axis=1)
    return f"{errors.max():.1e}"


def _peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
