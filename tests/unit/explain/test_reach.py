"""Which slices a read-out knows of: measured against what the protocols make certain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from engram.config_embedding import ReadOutName
from engram.evaluation.reach_records import ReachCurve
from engram.explain.cohort_reach import PLACES, cohort_reach, known_share, most_share
from engram.explain.reach import (
    Readings,
    Scan,
    SliceChange,
    mean_grey,
    occluded_slices,
    reach_of_patient,
    relative_change,
    slice_changes,
)
from engram.memory.engine import Wanted, read_regions
from engram.memory.fake import FakeBackbone
from engram.memory.prompts import slice_prompts
from engram.memory.protocol import Protocol
from engram.memory.quality import quality
from engram.memory.readouts import Region, read_out
from engram.memory.rereading import Rereader
from engram.roi.anatomy import PARTS

N, SHAPE, SPACING = 14, (40, 50), (3.0, 1.0, 1.0)
READOUTS: tuple[ReadOutName, ...] = ("final", "volume", "roi", "roi_without_memory")


@pytest.fixture(scope="module")
def frames() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 255, (N, *SHAPE)).astype(np.uint8)


def region_of(protocol: Protocol, first: int, last: int) -> Region:
    mask, parts = np.zeros((N, *SHAPE), dtype=bool), np.zeros((N, *SHAPE), dtype=np.uint8)
    for z in range(first, last + 1):
        mask[N - 1 - z, 8 : 28 - z % 3, 10:30] = True
        parts[N - 1 - z, :, :] = 3 if z < 6 else 4  # thoracic, then lumbar spine
        parts[N - 1 - z, 8:12, 10:30] = 6  # some ribs, never most of the slice
    parts[N - 1 - first] = 0
    return Region(slice_prompts(mask, protocol, SPACING), mask, SPACING, parts)


class Naive:
    """Reads everything again from the start."""

    def __init__(self, frames: npt.NDArray[np.uint8], wanted: Mapping[str, Wanted], protocol: Protocol) -> None:
        self._frames, self._wanted, self._protocol = frames, wanted, protocol
        self.baseline: Readings = read_regions(FakeBackbone(), frames, wanted, protocol)
        self.asked: list[int] = []

    def reread(self, changed: Mapping[int, npt.NDArray[np.uint8]]) -> Readings:
        frames = self._frames.copy()
        for z, plane in changed.items():
            frames[z] = plane
            self.asked.append(z)
        return read_regions(FakeBackbone(), frames, self._wanted, self._protocol)


def wanted_of(protocol: Protocol) -> dict[str, Wanted]:
    readouts = (*(read_out(name) for name in READOUTS), quality())
    return {
        "a": Wanted(region_of(protocol, 1, 12), readouts),
        "b": Wanted(region_of(protocol, 4, 9), readouts),
    }


def measured(frames: npt.NDArray[np.uint8], prompting: str, stride: int = 1, **more: Any) -> dict[Any, ReachCurve]:
    protocol = Protocol(prompting=prompting, stride=1)  # type: ignore[arg-type]
    wanted = wanted_of(protocol)
    reader = more.pop("reader", None) or Naive(frames, wanted, protocol)
    regions = {name: one.region for name, one in wanted.items()}
    scan = Scan(7, "PET", prompting)
    curves = reach_of_patient(reader, frames, regions, scan, stride=stride, grey=mean_grey(frames), **more)
    return {(curve.roi, curve.readout): curve for curve in curves}


def test_what_recalls_nothing_knows_of_its_own_slices_alone(frames: npt.NDArray[np.uint8]) -> None:
    found = measured(frames, "all")
    assert set(found) == {(roi, name) for roi in "ab" for name in READOUTS}  # of the quality there is no reach
    final = found["a", "final"]
    assert (final.patient, final.modality, final.prompting, final.slices_read) == (7, "PET", "all", 12)
    assert [change > 0 for change in final.changes] == [False] * 10 + [True] * 2
    assert all(change > 0 for change in found["a", "roi"].changes)
    assert found["a", "roi"].changes == found["a", "roi_without_memory"].changes


def test_memory_carries_what_was_seen_before_and_is_told_apart(frames: npt.NDArray[np.uint8]) -> None:
    found, literal = measured(frames, "interleaved"), measured(frames, "all")
    assert sum(change > 0 for change in found["a", "final"].changes) > 2
    assert found["a", "roi_without_memory"].changes == literal["a", "roi_without_memory"].changes
    assert found["a", "roi"].changes != literal["a", "roi"].changes


def test_a_region_s_curve_runs_over_its_own_slices(frames: npt.NDArray[np.uint8]) -> None:
    found = measured(frames, "all")
    assert found["a", "roi"].places == pytest.approx([100 * i / 11 for i in range(12)])
    assert found["b", "roi"].places == pytest.approx([100 * i / 5 for i in range(6)])
    assert found["a", "roi"].parts == ["none", *["thoracic spine"] * 4, *["lumbar spine"] * 7]


@pytest.mark.parametrize("prompting", ["all", "interleaved", "first"])
def test_incremental_and_naive_readings_give_the_same_reach(frames: npt.NDArray[np.uint8], prompting: str) -> None:
    protocol = Protocol(prompting=prompting, stride=1)  # type: ignore[arg-type]
    with Rereader(FakeBackbone(), frames, wanted_of(protocol), protocol) as reader:
        assert measured(frames, prompting, reader=reader) == measured(frames, prompting)


def test_the_ends_are_occluded_whatever_the_stride(frames: npt.NDArray[np.uint8]) -> None:
    protocol = Protocol(stride=1)
    region = {"a": region_of(protocol, 1, 12)}
    for stride in range(1, 15):
        slices = occluded_slices(region, stride=stride)
        assert (slices[0], slices[-1]) == (1, 12)
        assert max(np.diff(slices)) <= stride
    assert occluded_slices(region, stride=1) == list(range(1, 13))
    assert occluded_slices({"a": region_of(protocol, 3, 3)}, stride=4) == [3]
    with pytest.raises(ValueError, match="at least 1, not 0"):
        occluded_slices(region, stride=0)


def test_an_interrupted_reach_goes_on(frames: npt.NDArray[np.uint8]) -> None:
    kept: list[SliceChange] = []
    whole = measured(frames, "interleaved", keep=kept.append)
    protocol = Protocol(stride=1)
    reader = Naive(frames, wanted_of(protocol), protocol)
    assert measured(frames, "interleaved", reader=reader, done=kept[:9]) == whole
    assert reader.asked == [change.z for change in kept[9:]] == [10, 11, 12]


def test_a_slice_is_filled_with_the_grey_that_is_given(frames: npt.NDArray[np.uint8]) -> None:
    class Watching:
        baseline: Readings = {}  # noqa: RUF012
        seen: list[Any] = []  # noqa: RUF012

        def reread(self, changed: Mapping[int, npt.NDArray[np.uint8]]) -> Readings:
            self.seen.append(
                {z: (plane.dtype, plane.shape, set(plane.ravel().tolist())) for z, plane in changed.items()}
            )
            return {}

    assert len(list(slice_changes(Watching(), frames, [3, 5], grey=41))) == 2
    assert Watching.seen == [{z: (np.dtype(np.uint8), SHAPE, {41})} for z in (3, 5)]
    assert mean_grey(np.array([[[0, 1]], [[1, 255]]], dtype=np.uint8)) == 64


def test_the_change_is_relative_and_absent_parts_have_none() -> None:
    base = {"vector": np.array([3.0, np.nan, 4.0], np.float32)}
    assert relative_change(base, {"vector": np.array([3.0, np.nan, 4.5], np.float32)}) == pytest.approx(0.1)
    nothing, something = {"memory": np.zeros(3, np.float32)}, {"memory": np.ones(3, np.float32)}
    assert relative_change(nothing, nothing) == 0
    assert relative_change(nothing, something) == 1
    with pytest.raises(ValueError, match="other parts once a slice"):
        relative_change(base, {"vector": np.array([3.0, 1.0, 4.0], np.float32)})
    with pytest.raises(ValueError, match="of slices has neither"):
        relative_change({"slices": np.ones(2)}, {"slices": np.ones(2)})


def curve(
    patient: int, changes: list[float], parts: list[str] | None = None, weights: list[int] | None = None
) -> ReachCurve:
    places = np.linspace(0, 100, len(changes)).tolist()
    return ReachCurve(
        patient=patient, modality="CT", roi="spine", readout="final", prompting="first", slices_read=len(changes),
        places=places, stands_for=weights or [1] * len(changes), parts=parts or [], changes=changes,
    )  # fmt: skip


def test_patients_of_any_length_meet_on_one_axis() -> None:
    curves = [curve(1, [0.0, 0.0, 0.2]), curve(2, [0.0, 0.4]), curve(3, [0.1] * 7)]
    (found,) = cohort_reach(curves)
    assert (found.patients, found.slices_read, len(found.places)) == (3, 4.0, PLACES)
    middle = PLACES // 2
    assert found.mean[middle] == pytest.approx((0.0 + 0.2 + 0.1) / 3)
    assert (found.lower[middle], found.upper[middle]) == pytest.approx((0.05, 0.15))
    assert found.mean[-1] == pytest.approx((0.2 + 0.4 + 0.1) / 3)
    assert found.known == pytest.approx([(1 / 3 + 0.5) / 2, 0.5, 0.75])
    assert (found.known_from, found.known_to) == (50.0, 100.0)  # medians of 67, 50 and 0


def test_a_read_out_that_knows_of_nothing_has_no_place() -> None:
    (found,) = cohort_reach([curve(1, [0.0, 1e-4, 0.0])])
    assert (found.known_from, found.known_to, found.known) == (None, None, [0.0] * 3)
    (other,) = cohort_reach([curve(1, [0.0, 1e-4, 0.0])], threshold=1e-5)
    assert (other.known_from, other.known_to) == pytest.approx((100 / 3, 200 / 3))


def test_parts_are_means_of_patients_who_have_them() -> None:
    curves = [
        curve(1, [0.1, 0.3, 0.5], ["thoracic spine", "thoracic spine", "lumbar spine"]),
        curve(2, [0.6, 0.9], ["thoracic spine", "none"]),
    ]
    (found,) = cohort_reach(curves)
    assert [part.part for part in found.parts] == [
        part for part in PARTS if part in ("thoracic spine", "lumbar spine")
    ]
    thoracic, lumbar = found.parts
    assert (thoracic.patients, thoracic.mean) == (2, pytest.approx(0.4))
    assert thoracic.quartiles == pytest.approx([0.3, 0.4, 0.5])
    assert (lumbar.patients, lumbar.mean) == (1, 0.5)


def test_nine_tenths_of_the_change() -> None:
    assert most_share(curve(1, [9.0] + [0.1] * 9)) == pytest.approx(0.1)
    assert most_share(curve(1, [1.0] * 10)) == pytest.approx(0.9)
    assert most_share(curve(1, [0.0] * 4)) == 0.0
    assert known_share(curve(1, [0.0, 1e-5, 2e-4, 1.0])) == 0.5


def test_two_curves_of_one_patient_are_refused() -> None:
    with pytest.raises(ValueError, match="two curves of CT, spine, final, first"):
        cohort_reach([curve(1, [0.1]), curve(1, [0.1])])


def _kinds() -> Iterator[ReachCurve]:
    for patient in (1, 2):
        for readout in ("final", "roi"):
            yield curve(patient, [0.1, 0.2]).model_copy(update={"readout": readout})


def test_kinds_are_kept_apart() -> None:
    assert [(one.readout, one.patients) for one in cohort_reach(list(_kinds()))] == [("final", 2), ("roi", 2)]


def test_each_slice_counts_as_the_nearest_that_was_occluded(frames: npt.NDArray[np.uint8]) -> None:
    protocol = Protocol(prompting="all", stride=1)
    wanted = {"a": wanted_of(protocol)["a"]}
    reader, regions = Naive(frames, wanted, protocol), {"a": wanted["a"].region}
    found = reach_of_patient(reader, frames, regions, Scan(1, "PET", "all"), stride=4, grey=9)[0]
    assert found.places == pytest.approx([100 * i / 11 for i in (0, 4, 7, 11)])
    assert found.stands_for == [3, 3, 4, 2]
    assert sum(found.stands_for) == found.slices_read == 12
    assert measured(frames, "all")["a", "roi"].stands_for == [1] * 12
    rough = curve(1, [0.0, 0.0, 0.4, 0.1], ["none", "limbs", "limbs", "limbs"], [3, 5, 4, 2])
    assert known_share(rough) == pytest.approx(6 / 14)
    assert most_share(rough) == pytest.approx(6 / 14)  # 1.6 of 1.8 is not yet nine tenths
    (one,) = cohort_reach([rough])
    assert (one.known_from, one.known_to) == pytest.approx((800 / 14, 100))
    assert one.parts[0].mean == pytest.approx((4 * 0.4 + 2 * 0.1) / 11)
