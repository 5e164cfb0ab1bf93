"""Does a damaged or altered scan ever give a traceback, or a wrong SUV in silence?

    python benchmarks/fuzz.py [--cases 1200] [--seed 1] [--shared ../shared/data] [--list refused]

Every case takes a small valid scan whose voxels are known, alters it in one way drawn at random, and reads it as
Engram does. It must end in an EngramError, or in the voxels of the unaltered scan (within 0.001; a part of it where
slices at its ends are gone), or, where the alteration is one that no reader can see, in other voxels: those are
counted apart, with the headers that were altered. Seeds: PET in Bq/mL (corrected to START, ADMIN, NONE; of GE and
Siemens), SUV and Philips counts, CT, pairs of NIfTI files, and real slices where ../shared/data is there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import fuzz_dicom
import fuzz_nifti
from fuzz_case import MEANINGS, VERDICTS, Case, Result, judge

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def run(cases: int, seed: int, folder: Path, shared: Path | None) -> list[Result]:
    """The results of this many cases; the same for the same seed, whatever the folder."""
    rng = np.random.default_rng(seed)
    sources: Sequence[Iterator[Case]] = [
        fuzz_dicom.cases(rng, folder / "dicom", shared),
        fuzz_nifti.cases(rng, folder / "nifti"),
    ]
    return [judge(next(sources[number % 4 == 3])) for number in range(cases)]


def table(results: Sequence[Result]) -> str:
    """How each kind of alteration ended, as a Markdown table."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for result in results:
        counts[result.kind][result.verdict] += 1
    lines = [f"| alteration | n | {' | '.join(VERDICTS)} |", "| --- |" + " ---: |" * (len(VERDICTS) + 1)]
    for kind, found in [*sorted(counts.items()), ("all", Counter(r.verdict for r in results))]:
        lines.append(f"| {kind} | {found.total()} | {' | '.join(str(found[v]) for v in VERDICTS)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shared", type=Path, default=SHARED)
    parser.add_argument("--list", choices=VERDICTS, help="tell every case that ended so")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shared = options.shared if options.shared.is_dir() else None
        results = run(options.cases, options.seed, Path(folder), shared)
    print(table(results), end="\n\n")
    for verdict in VERDICTS:
        print(f"{verdict}: {MEANINGS[verdict]}")
    unseen = Counter(result.told for result in results if result.verdict == "unseen")
    print("\nunseen: " + "; ".join(f"{told} ({count})" for told, count in unseen.most_common()))
    reasons = Counter(result.told for result in results if result.verdict == "refused")
    print(f"\n{len(reasons)} different reasons for refusal")
    bad = [result for result in results if result.verdict in ("warned", "traceback", "wrong", options.list)]
    for result in bad:
        print(f"\n{result.verdict}: {result.kind}: {result.what}\n{result.told}")
    sys.exit(any(result.verdict in ("traceback", "wrong") for result in results))


if __name__ == "__main__":
    main()
