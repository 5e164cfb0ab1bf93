"""How far back does each read-out see? Its change when one slice alone is occluded, over the body.

    python benchmarks/reach.py [--out docs/images/reach.png] [--stride 2]

A phantom's PET is read once as it is and once for each slice with that slice occluded (the mean of the scan, the
same box); drawn is the relative change of the read-out, at the place of the occluded slice. Untrained weights: what
is shown is which slices a read-out can know of, not what it makes of them.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

READOUTS = ("final", "volume", "roi")
PROMPTINGS = ("all", "interleaved", "first")
COLOURS = {"final": "#d55e00", "volume": "#0072b2", "roi": "#009e73"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images/reach.png"))
    parser.add_argument("--stride", type=int, default=2)
    options = parser.parse_args()
    frames, mask, spacing_mm = _phantom()
    curves = {p: _reach(frames, mask, spacing_mm, p, options.stride) for p in PROMPTINGS}
    _print(curves)
    _draw(curves, options.out)


def _phantom() -> tuple[Any, Any, tuple[float, float, float]]:
    """PET frames and dilated spine of one synthetic patient."""
    from engram.cohort.manifest import read_manifest
    from engram.cohort.phantom import PhantomSettings, write_cohort
    from engram.config import load_config
    from engram.imaging.frames import to_frames
    from engram.pipeline.patients import open_patient

    with tempfile.TemporaryDirectory() as folder:
        settings = PhantomSettings(n_patients=20, ct_spacing_mm=(5.0, 5.0, 5.0), faults=False)
        config = load_config(write_cohort(Path(folder), settings, workers=2))
        patient = open_patient(read_manifest(config).records[0], config)
        assert config.images is not None
        frames = to_frames(patient.pair.volume("PET"), config.images.pet_window_suv)
    return frames, patient.masks["spine"], patient.pair.grid.spacing_mm


def _reach(frames: Any, mask: Any, spacing_mm: Any, prompting: str, stride: int) -> dict[str, Any]:
    from engram.explain.reach import Scan, mean_grey, reach_of_patient
    from engram.memory import Protocol, load_backbone
    from engram.memory.engine import Wanted
    from engram.memory.prompts import slice_prompts
    from engram.memory.readouts import Region, read_out
    from engram.memory.rereading import Rereader

    protocol = Protocol(prompting=prompting, stride=stride)
    region = Region(slice_prompts(mask, protocol, spacing_mm), mask, spacing_mm)
    wanted = {"spine": Wanted(region, tuple(read_out(name) for name in READOUTS))}
    with Rereader(load_backbone("untrained-mini"), frames, wanted, protocol) as reader:
        scan, grey = Scan(1, "PET", prompting), mean_grey(frames)
        curves = reach_of_patient(reader, frames, {"spine": region}, scan, stride=1, grey=grey)
    return {"place": np.array(curves[0].places), **{one.readout: np.array(one.changes) for one in curves}}


def _print(curves: dict[str, Any]) -> None:
    print("Share of the slices read whose occlusion changes the read-out by more than 1e-4 (relative):\n")
    print("| prompting | slices | " + " | ".join(READOUTS) + " |\n| --- |" + " --- |" * (len(READOUTS) + 1))
    for prompting, curve in curves.items():
        shares = " | ".join(f"{(curve[name] > 1e-4).mean():.0%}" for name in READOUTS)
        print(f"| {prompting} | {len(curve['place'])} | {shares} |")


def _draw(curves: dict[str, Any], path: Path) -> None:
    mpl.use("agg")
    import matplotlib.pyplot as plt

    floor = 1e-8
    figure, axes = plt.subplots(1, len(curves), figsize=(10, 3.4), sharey=True, layout="constrained")
    for axis, (prompting, curve) in zip(axes, curves.items(), strict=True):
        for name in READOUTS:
            axis.semilogy(curve["place"], np.maximum(curve[name], floor), color=COLOURS[name], label=name, lw=1.8)
        axis.set_title(f"prompting: {prompting}", fontsize=10)
        axis.set_xlabel("occluded slice, % from the head end")
        axis.grid(alpha=0.25)
    axes[0].set_ylabel("relative change of the read-out")
    axes[0].set_ylim(floor / 2, 3)
    axes[0].set_yticks([1e-8, 1e-6, 1e-4, 1e-2, 1], ["none", "1e-6", "1e-4", "1e-2", "1"])
    axes[-1].legend(frameon=False, fontsize=9, loc="lower left")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    print(f"\nFigure: {path}")


if __name__ == "__main__":
    main()
