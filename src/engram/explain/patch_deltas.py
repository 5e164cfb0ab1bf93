"""What each patch of one patient changed, kept after every patch: a map that was cut off goes on where it was."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engram.errors import StorageError
from engram.explain.patches import Patch, Triple
from engram.explain.sensitivity_map import SIGN, SensitivityMap
from engram.files import canonical_json, digest, read_json, write_text

_SCHEMA_VERSION = 1


class PatchDeltas:
    """The changes of one patient's log-risks, in one file, written anew and atomically after each patch.

    A pass over the occluded image gives the risks of all rows that read it: the changes of a patch are kept by row.
    """

    def __init__(
        self, folder: Path, made_from: Mapping[str, Any], patches: Sequence[Patch], baseline: Mapping[str, float]
    ) -> None:
        """Open the record of these patches, or begin it.

        folder: where the file lies; its name is the SHA-256 of `made_from`, the patches and the rows, so another
        study finds nothing of this one. made_from: all that decides the changes (digests of images, masks, models
        and settings), as JSON; no patient identifier, for it is written down. baseline: log-risk of each row.
        Raises StorageError where the file is damaged, or was begun with other baseline risks.
        """
        self.patches, self.baseline, self._made_from = tuple(patches), dict(baseline), dict(made_from)
        self._boxes = [_as_json(patch) for patch in patches]
        self.address = digest({"made_from": self._made_from, "patches": self._boxes, "rows": sorted(baseline)})
        self.path = folder / f"{self.address}.json"
        self._deltas = self._read() if self.path.exists() else {}

    @property
    def missing(self) -> list[Patch]:
        """The patches that have no changes yet, in their order."""
        return [patch for patch in self.patches if str(patch.number) not in self._deltas]

    def keep(self, patch: Patch, risks: Mapping[str, float]) -> None:
        """Keep what a patch changed. risks: log-risk of each row with the patch occluded.

        Raises ValueError where a row is missing or unknown, or a risk is not finite.
        """
        if risks.keys() != self.baseline.keys():
            raise ValueError(f"risks of {sorted(risks)} for a record of {sorted(self.baseline)}")
        if not all(map(math.isfinite, risks.values())):
            raise ValueError(f"patch {patch.number}: a log-risk is not finite ({dict(risks)})")
        self._deltas[str(patch.number)] = {row: risk - self.baseline[row] for row, risk in risks.items()}
        write_text(self.path, canonical_json(self._content()) + "\n")

    def changes(self, row: str) -> list[float]:
        """The change of one row's log-risk by each patch that was run, by its number."""
        return [self._deltas[str(patch.number)][row] for patch in self.patches if str(patch.number) in self._deltas]

    def map_of(self, row: str, shape: Triple) -> SensitivityMap:
        """The map of one row over a volume (z, y, x). Raises ValueError while patches are missing."""
        if self.missing:
            raise ValueError(f"{len(self.missing)} of {len(self.patches)} patches are missing")
        found = SensitivityMap(shape)
        for patch in self.patches:
            found.add(patch, self._deltas[str(patch.number)][row])
        return found

    def _content(self) -> dict[str, Any]:
        return {
            "schema_version": _SCHEMA_VERSION,
            "sign": SIGN,
            "address": self.address,
            "made_from": self._made_from,
            "baseline": self.baseline,
            "patches": self._boxes,
            "deltas": self._deltas,
        }

    def _read(self) -> dict[str, dict[str, float]]:
        content = read_json(self.path)
        mend = "Remove the file: its patches are run again."
        try:
            deltas, baseline = {**content["deltas"]}, content["baseline"]
            known = all(one.keys() == self.baseline.keys() for one in deltas.values())
            whole = known and content["address"] == self.address and content["schema_version"] == _SCHEMA_VERSION
        except (KeyError, TypeError, AttributeError):
            whole = False
        if not whole:
            raise StorageError(f"{self.path}: not a record of these patches. {mend}")
        if baseline != self.baseline:
            raise StorageError(
                f"{self.path}: begun with the log-risks {baseline}, and they are {self.baseline} now: another "
                f"machine, or another number of threads, made them. {mend}"
            )
        return deltas


def _as_json(patch: Patch) -> dict[str, Any]:
    box = [[part.start, part.stop] for part in patch.box]
    return {"number": patch.number, "box": box, "centre": list(patch.centre), "on_grid": patch.on_grid}
