"""`engram segment` on a cohort, with commands that behave as the real ones."""

from __future__ import annotations

import csv
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import SimpleITK as sitk
from typer.testing import CliRunner

from engram.commands_segment import segment as command
from engram.config import load_config
from engram.errors import ImagingError, StorageError
from engram.files import file_digest
from engram.pipeline.console import Silent
from engram.pipeline.segment import Segmented, SegmentOptions, segment
from engram.segmenters.preflight import Said

Install = Callable[[str, str], Path]
Calls = Callable[[], list[str]]
TOTAL = SegmentOptions("totalsegmentator")


def run(study: Path, options: SegmentOptions = TOTAL) -> Segmented:
    return segment(load_config(study), options, Silent())


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_patient_gets_a_map_and_the_table_names_it(study: Path, install: Install, calls: Calls) -> None:
    install("TotalSegmentator", "2.4.0")
    before = (study.parent / "cohort.csv").read_bytes()
    found = run(study)
    assert (found.made, found.kept, found.failed) == (("P/1", "P2", "P 3"), (), ())
    labels = study.parent / "results" / "labels"
    names = [path.name for path in sorted(labels.glob("*.nii.gz"))]
    assert names == [f"{name}.totalsegmentator-2.total.nii.gz" for name in ("P%203", "P%2F1", "P2")]
    assert found.manifest == study.parent / "manifest_with_labels.csv"
    table = rows(found.manifest)
    assert [row["bones"] for row in table] == [
        f"results/labels/{name}.totalsegmentator-2.total.nii.gz" for name in ("P%2F1", "P2", "P%203")
    ]
    assert table[1]["age"] == ""
    assert (study.parent / "cohort.csv").read_bytes() == before
    assert found.manifest.read_text().splitlines()[2] == ""  # rows keep their line numbers
    assert found.study_lines == (
        "manifest: manifest_with_labels.csv",
        "images: {labels: {totalsegmentator-2/total: bones}}",
    )
    assert not any(word in call for call in calls() for word in ("P2", "a.nii.gz"))
    assert len(calls()) == 3
    assert all("--ml --task total" in call and "--fast" not in call for call in calls())


def test_what_made_a_map_is_kept_beside_it(study: Path, install: Install) -> None:
    install("TotalSegmentator", "2.4.0")
    run(study)
    labels = study.parent / "results" / "labels" / "P2.totalsegmentator-2.total.nii.gz"
    about = json.loads(labels.with_name("P2.totalsegmentator-2.total.json").read_text())
    assert about["ct_sha256"] == file_digest(study.parent / "scans" / "b.nii.gz")
    assert about["labels_sha256"] == file_digest(labels)
    assert (about["tool"], about["version"], about["task"]) == ("totalsegmentator", "2.4.0", "total")
    assert about["command"][1:3] == ["-i", "SCRATCH/in/scan.nii.gz"]


def test_finished_maps_are_kept_and_changed_ones_made_again(study: Path, install: Install, calls: Calls) -> None:
    install("TotalSegmentator", "2.4.0")
    run(study)
    assert run(study).kept == ("P/1", "P2", "P 3")
    assert len(calls()) == 3
    labels = study.parent / "results" / "labels"
    damaged = labels / "P2.totalsegmentator-2.total.nii.gz"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    (labels / "P%2F1.totalsegmentator-2.total.json").unlink()
    assert run(study).made == ("P/1", "P2")


def test_another_version_or_model_makes_a_map_again(study: Path, install: Install, calls: Calls) -> None:
    install("TotalSegmentator", "2.4.0")
    (study.parent / "cohort.csv").write_text("patient_id,t,e,ct\nP1,1,1,scans/a.nii.gz\n")
    run(study)
    assert run(study, SegmentOptions("totalsegmentator", said=Said(version="2.5.0"))).kept == ()
    assert run(study, SegmentOptions("totalsegmentator", fast=True)).kept == ()
    assert calls()[-1].endswith("--fast")


def test_another_ct_is_segmented_again(study: Path, install: Install, scan: Callable[..., Path]) -> None:
    install("TotalSegmentator", "2.4.0")
    run(study)
    scan("b.nii.gz", 2000)
    assert run(study).made == ("P2",)


def test_one_bad_patient_stops_no_other(study: Path, install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("TotalSegmentator", "2.4.0")
    monkeypatch.setenv("FAKE_BROKEN", "1001")
    found = run(study, SegmentOptions("totalsegmentator", workers=2))
    assert found.made == ("P/1", "P 3")
    (error,) = found.failed
    assert (error.patient_id, error.reason) == ("P2", "segmenter failed")
    assert "exit status 3; it last said: Resampling... | RuntimeError: CUDA out of memory" in str(error)
    assert error.file is not None
    assert Path(error.file).read_text().startswith("Resampling")
    assert rows(found.manifest)[1]["bones"] == ""  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("silent", "segmenter wrote no label map"),
        ("wrong_grid", "label map on another grid"),
        ("strange", "label map has unknown values"),
        ("empty", "segmenter found no bone"),
    ],
)
def test_a_wrong_product_is_refused_and_not_kept(
    study: Path, install: Install, monkeypatch: pytest.MonkeyPatch, mode: str, reason: str
) -> None:
    install("TotalSegmentator", "2.4.0")
    monkeypatch.setenv("FAKE_MODE", mode)
    found = run(study)
    assert {error.reason for error in found.failed} == {reason}
    assert len(found.failed) == 3
    assert all(error.file is not None and Path(error.file).is_file() for error in found.failed)
    assert found.manifest is None
    assert not list((study.parent / "results" / "labels").glob("*.nii.gz"))


def test_a_run_that_takes_too_long_ends_with_its_children(
    study: Path, install: Install, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install("TotalSegmentator", "2.4.0")
    monkeypatch.setenv("FAKE_MODE", "sleep")
    (tmp_path / "cohort.csv").write_text("patient_id,t,e,ct\nP1,1,1,scans/a.nii.gz\n")
    found = run(study, SegmentOptions("totalsegmentator", time_limit_min=0.06))
    assert [error.reason for error in found.failed] == ["segmenter ran out of time"]
    child = int((tmp_path / "calls.txt.pid").read_text())
    deadline = time.monotonic() + 5
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().split(") ")[1].startswith("Z"))


def test_moose_sees_a_folder_of_one_subject(study: Path, install: Install, calls: Calls) -> None:
    install("moosez", "3.0.3")
    found = run(study, SegmentOptions("moose"))
    assert len(found.made) == 3
    assert calls()[0].endswith("-m clin_ct_vertebrae")
    assert rows(found.manifest)[0]["labels_moose-3_clin_ct_vertebrae"].startswith("results/labels/P%2F1.moose-3.")  # type: ignore[arg-type]


def test_several_products_are_not_chosen_among(
    study: Path, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("moosez", "3.0.3")
    monkeypatch.setenv("FAKE_MODE", "two")
    found = run(study, SegmentOptions("moose"))
    assert {error.reason for error in found.failed} == {"segmenter wrote several label maps"}


def test_a_second_tool_adds_its_column_and_a_table_of_the_user_stays(study: Path, install: Install) -> None:
    install("TotalSegmentator", "2.4.0")
    run(study)
    install("moosez", "3.0.3")
    found = run(study, SegmentOptions("moose"))
    table = rows(found.manifest)  # type: ignore[arg-type]
    assert all(row["bones"] and row["labels_moose-3_clin_ct_vertebrae"] for row in table)
    assert "moose-3/clin_ct_vertebrae: labels_moose-3_clin_ct_vertebrae" in found.study_lines[1]
    mine = study.parent / "manifest_with_labels.csv"
    mine.write_text(mine.read_text().replace(",60,", ",61,"))
    again = run(study, SegmentOptions("moose"))
    assert again.manifest == study.parent / "manifest_with_labels_2.csv"
    assert ",61," in mine.read_text()


def test_who_has_a_map_is_left_alone(study: Path, install: Install, calls: Calls) -> None:
    install("TotalSegmentator", "2.4.0")
    header, first, blank, *others = (study.parent / "cohort.csv").read_text().splitlines()
    lines = [f"{header},bones", f"{first},mine.nii.gz", blank, *(f"{line}," for line in others)]
    (study.parent / "cohort.csv").write_text("\n".join(lines))
    found = run(study)
    assert found.made == ("P2", "P 3")
    assert rows(found.manifest)[0]["bones"] == "mine.nii.gz"  # type: ignore[arg-type]


def test_rows_that_cannot_be_segmented_are_named(study: Path, install: Install) -> None:
    install("TotalSegmentator", "2.4.0")
    text = "patient_id,t,e,ct\nA,1,1,scans/a.nii.gz\na,1,1,scans/b.nii.gz\nB,1,1,\nC,1,1,scans/x.nii.gz\n"
    (study.parent / "cohort.csv").write_text(text + ",1,1,scans/c.nii.gz\n")
    found = run(study)
    assert [(error.row, error.reason) for error in found.failed] == [
        (2, "duplicated patient id"), (3, "duplicated patient id"), (4, "CT missing"), (5, "CT file not found"),
        (6, "patient id missing"),
    ]  # fmt: skip
    assert all(isinstance(error, ImagingError) and error.column == "ct" for error in found.failed)


def call(*arguments: object) -> tuple[int, str]:
    import typer

    app = typer.Typer()
    app.command()(command)
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, done.output


def test_the_command_tells_what_it_did(study: Path, install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    path = install("TotalSegmentator", "2.4.0")
    code, text = call(study, "--command", path)
    assert code == 0
    assert "3 new label maps, 0 kept, 0 patients without one" in text
    assert "manifest: manifest_with_labels.csv" in text
    monkeypatch.setenv("FAKE_BROKEN", "1001")
    code, text = call(study, "--fast")
    assert code == 1
    assert "without a map: patient P2: segmenter failed" in text


def test_preflight_alone_starts_nothing(install: Install, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    install("TotalSegmentator", "2.4.0")
    code, text = call("--preflight")
    assert code == 0
    assert "totalsegmentator-2/total" in text
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    code, text = call("--preflight", "--tool", "moose")
    assert code == 1
    assert "missing  command: moosez is not on the PATH" in text
    assert calls() == []
    assert call()[0] == 2


def test_a_ct_of_another_format_is_converted(study: Path, install: Install, calls: Calls) -> None:
    install("TotalSegmentator", "2.4.0")
    image = sitk.ReadImage(str(study.parent / "scans" / "a.nii.gz"))
    sitk.WriteImage(sitk.Flip(image, (False, False, True)), str(study.parent / "scans" / "a.mha"))
    (study.parent / "cohort.csv").write_text("patient_id,t,e,ct\nP1,1,1,scans/a.mha\n")
    assert run(study).made == ("P1",)
    assert "/in/scan.nii.gz" in calls()[0]


def test_a_ct_that_cannot_be_read_is_named(study: Path, install: Install, calls: Calls) -> None:
    install("TotalSegmentator", "2.4.0")
    (study.parent / "scans" / "b.mha").write_text("nothing")
    (study.parent / "cohort.csv").write_text("patient_id,t,e,ct\nP1,1,1,scans/b.mha\nP2,1,1,scans/a.nii.gz\n")
    found = run(study)
    assert found.made == ("P2",)
    assert "patient P1" in str(found.failed[0])
    assert "b.mha" in str(found.failed[0])
    assert len(calls()) == 1


def test_a_place_that_cannot_be_written_stops_the_rest(study: Path, install: Install, calls: Calls) -> None:
    install("TotalSegmentator", "2.4.0")
    (study.parent / "results").write_text("in the way")
    with pytest.raises(StorageError):
        run(study)
    assert calls() == []


def test_an_interrupt_ends_the_run_under_way(
    study: Path, install: Install, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install("TotalSegmentator", "2.4.0")
    monkeypatch.setenv("FAKE_MODE", "sleep")
    pid, main = tmp_path / "calls.txt.pid", threading.main_thread().ident
    threading.Thread(target=lambda: _interrupt_when(pid, main), daemon=True).start()
    # A shell that starts the tests in the background has interrupts ignored.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(study)
    finally:
        signal.signal(signal.SIGINT, handler)
    child = int(pid.read_text())
    deadline = time.monotonic() + 5
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(child)


def _interrupt_when(file: Path, thread: int | None) -> None:
    while not (file.exists() and file.read_text()):
        time.sleep(0.05)
    signal.pthread_kill(thread or 0, signal.SIGINT)
