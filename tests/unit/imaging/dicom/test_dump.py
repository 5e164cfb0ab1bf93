"""A folder to series: every file counted once, every file that is left with its reason."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pydicom
import pytest
from dicom_files import REMOVED, dataset, save, uid, write_ct, write_pet
from pydicom.sequence import Sequence

from engram.errors import StorageError
from engram.imaging.dicom.dump import Dump, series_problem, walk
from engram.imaging.dicom.series import Series

SHARED = Path(__file__).resolve().parents[5] / "shared" / "data"
CT_SERIES = {"SeriesInstanceUID": "1.2.3.4", "StudyInstanceUID": "1.2.3", "FrameOfReferenceUID": "1.2.5"}


def read(folder: Path, workers: int = 0) -> Dump:
    return walk(folder, workers=workers)


def one_series(folder: Path) -> Series:
    (series,) = read(folder).series
    return series


def reasons(dump: Dump) -> dict[str, str]:
    return {left.path.name: left.reason for left in dump.left}


def test_a_dump_in_any_order_is_sorted_into_series(tmp_path: Path) -> None:
    for index, path in enumerate([*write_ct(tmp_path / "made", 4), *write_pet(tmp_path / "made too", 3)]):
        shutil.move(path, tmp_path / f"IMG{(index * 5) % 7:03}")  # both series mixed in one folder
    ct, pet = sorted(read(tmp_path).series, key=lambda series: series.modality)
    assert (ct.modality, len(ct.slices), ct.patient_id, ct.number) == ("CT", 4, "P01", 2)
    assert (pet.modality, len(pet.slices), pet.description) == ("PT", 3, "PET AC")
    assert ct.pet is None
    assert pet.pet is not None
    assert (ct.study_uid, ct.frame_of_reference_uid) == (pet.study_uid, pet.frame_of_reference_uid)
    for series in (ct, pet):
        assert [one.path for one in series.slices] == sorted(series.files)
        assert (series.disagreeing, series_problem(series), series.folder) == ((), None, tmp_path)


def test_the_same_whatever_the_number_of_workers(tmp_path: Path) -> None:
    write_ct(tmp_path / "a", 70)
    write_pet(tmp_path / "b", 70)
    (tmp_path / "b" / "note.txt").write_text("not an image at all")
    told: list[tuple[float, int]] = []
    there = walk(tmp_path, workers=2, progress=lambda done, total: told.append((done, total)))
    assert there == read(tmp_path)
    assert told[-1] == (141, 141)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_every_file_that_is_left_has_its_reason(tmp_path: Path) -> None:
    write_ct(tmp_path / "ct", 3)
    for name in ("DICOMDIR", "scan.nii.gz", "more.zip", "readme.txt", "empty.dcm", ".DS_Store"):
        (tmp_path / name).write_bytes(b"" if name == "empty.dcm" else b"something else")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "gone.dcm").symlink_to(tmp_path / "nowhere")
    dump = read(tmp_path)
    assert [len(series.files) for series in dump.series] == [3]
    assert reasons(dump) == {
        "DICOMDIR": "an index of other files, which are read themselves",
        "scan.nii.gz": "an image that is not DICOM; name it in a manifest",
        "more.zip": "an archive; unpack it first",
        "readme.txt": "not a DICOM file",
        "empty.dcm": "empty file; copy it again",
        ".DS_Store": "hidden, or made by the operating system",
        ".hidden": "hidden, or made by the operating system",
        "gone.dcm": "a link to nothing",
    }
    assert [left.path for left in dump.left] == sorted(left.path for left in dump.left)


def test_links_are_followed_once_and_never_in_circles(tmp_path: Path) -> None:
    elsewhere = tmp_path / "store"
    write_ct(elsewhere, 3)
    dump_folder = tmp_path / "dump"
    dump_folder.mkdir()
    (dump_folder / "a").symlink_to(elsewhere)
    (dump_folder / "b").symlink_to(elsewhere)
    (elsewhere / "round").symlink_to(dump_folder)
    dump = read(dump_folder)
    assert [len(series.files) for series in dump.series] == [3]
    assert reasons(dump) == dict.fromkeys(["b", "round"], "a link to a folder that is read already")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert reasons(read(tmp_path)) == {"pipe": "not a regular file"}


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file"):
        read(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="Not a directory"):
        read(tmp_path / "file")


def test_a_copy_is_left(tmp_path: Path) -> None:
    paths = write_ct(tmp_path, 3)
    shutil.copy(paths[1], tmp_path / "copy.dcm")
    dump = read(tmp_path)
    assert [len(series.files) for series in dump.series] == [3]
    assert reasons(dump) == {"copy.dcm": f"a copy of {paths[1]}"}
    assert series_problem(dump.series[0]) is None


def test_two_contents_of_one_image_are_not_chosen_from(tmp_path: Path) -> None:
    paths = write_ct(tmp_path, 3)
    image = pydicom.dcmread(paths[1])
    image.RescaleSlope = 2
    image.save_as(tmp_path / "other.dcm")
    series = one_series(tmp_path)
    assert series.disagreeing == ("sop_instance_uid",)
    assert series_problem(series) == "it holds different files of one SOP Instance UID (0008,0018)"


@pytest.mark.parametrize(
    ("header", "other", "name"),
    [
        ("PatientID", "P02", "patient_id"),
        ("StudyInstanceUID", "1.2.9", "study_uid"),
        ("FrameOfReferenceUID", "1.2.9", "frame_of_reference_uid"),
        ("FrameOfReferenceUID", REMOVED, "frame_of_reference_uid"),
        ("Modality", REMOVED, "modality"),
        ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.7", "sop_class_uid"),
    ],
)
def test_a_series_is_of_one_patient_study_and_frame(tmp_path: Path, header: str, other: object, name: str) -> None:
    write_ct(tmp_path, 4, each=lambda i: {**CT_SERIES, **({header: other} if i == 2 else {})})
    series = one_series(tmp_path)
    assert series.disagreeing == (name,)
    assert "several" in (series_problem(series) or "")


def test_pet_facts_that_differ_from_slice_to_slice_are_named(tmp_path: Path) -> None:
    words = {1: {"Units": "CNTS"}, 2: {"PatientWeight": 71.0}, 3: {"SeriesTime": "100501"}}
    write_pet(tmp_path, 4, each=lambda i: words.get(i, {}))
    series = one_series(tmp_path)
    assert series.pet is not None
    assert series.pet.disagreeing == ("started", "units", "weight_kg")
    assert (series.pet.units, series.pet.weight_kg) == ("BQML", 70.0)  # of the first


def test_a_dose_of_another_slice_is_seen(tmp_path: Path) -> None:
    paths = write_pet(tmp_path, 4)
    image = pydicom.dcmread(paths[3])
    image.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose = 301e6
    image.save_as(paths[3])
    pet = one_series(tmp_path).pet
    assert pet is not None
    assert pet.disagreeing == ("dose_bq",)


def test_two_tracers_in_a_later_slice_are_seen(tmp_path: Path) -> None:
    paths = write_pet(tmp_path, 3)
    image = pydicom.dcmread(paths[2])
    items = image.RadiopharmaceuticalInformationSequence
    image.RadiopharmaceuticalInformationSequence = Sequence([items[0], items[0]])
    image.save_as(paths[2])
    pet = one_series(tmp_path).pet
    assert pet is not None
    assert {"dose_bq", "half_life_s"} <= set(pet.disagreeing)


def test_a_file_cut_short_speaks_against_its_series(tmp_path: Path) -> None:
    paths = write_ct(tmp_path, 5)
    paths[4].write_bytes(paths[4].read_bytes()[:-6])
    dump = read(tmp_path)
    assert "cut short inside its Pixel Data" in reasons(dump)["0005.dcm"]
    assert series_problem(dump.series[0]) == "1 of its 5 files are cut short or hold several frames"


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2.1"}, "enhanced multi-frame CT; export it as one image a file"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "secondary capture: a picture, not measured values"),
        ({"SOPClassUID": "1.2.3"}, "not a CT or PET image (SOP Class UID 1.2.3)"),
        ({"Modality": "MR"}, "not a CT or PET image (SOP Class UID 1.2.840.10008.5.1.4.1.1.2)"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer (scout)"),
        ({"ImageType": ["DERIVED", "SECONDARY", "mpr"]}, "reformatted from another series"),
        ({"ImageType": ["DERIVED", "SECONDARY", "PROJECTION IMAGE", "MIP"]}, "projection"),
        ({"ImageType": ["DERIVED", "PRIMARY", "AXIAL"]}, None),
        ({"NumberOfFrames": 3}, "5 of its 5 files are cut short or hold several frames"),
    ],
)
def test_what_is_no_volume_of_measured_values(
    tmp_path: Path, headers: dict[str, object], problem: str | None
) -> None:
    write_ct(tmp_path, 5, **headers)
    series = one_series(tmp_path)
    shown = f" (Image Type {'/'.join(series.image_type)})" if problem and "ImageType" in headers else ""
    assert series_problem(series) == (f"{problem}{shown}" if problem else None)


@pytest.mark.parametrize("kind", ["DYNAMIC", "GATED"])
def test_a_dynamic_pet_is_no_volume(tmp_path: Path, kind: str) -> None:
    write_pet(tmp_path, 5, SeriesType=[kind, "IMAGE"])
    assert series_problem(one_series(tmp_path)) == f"{kind.lower()} PET: several images of one place"


def test_too_few_images(tmp_path: Path) -> None:
    write_ct(tmp_path, 2)
    assert series_problem(one_series(tmp_path)) == "only 2 image(s), too few for a volume"


def test_other_objects_are_series_without_slices(tmp_path: Path) -> None:
    words = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.3", "Modality": "RTSTRUCT", "SOPInstanceUID": uid("rs")}
    save(dataset({**words, "SeriesInstanceUID": uid("rs series"), "PatientID": "P01"}), tmp_path / "rs.dcm")
    series = one_series(tmp_path)
    assert (series.modality, series.slices, series.files) == ("RTSTRUCT", (), (tmp_path / "rs.dcm",))


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_real_series() -> None:
    dump = read(SHARED / "sts_dicom")
    assert [(s.modality, len(s.files), len(s.slices)) for s in dump.series] == [
        ("CT", 48, 48),
        ("RTSTRUCT", 1, 0),
        ("PT", 48, 48),
        ("RTSTRUCT", 1, 0),
    ]
    assert {s.patient_id for s in dump.series} == {"STS_002"}
    assert [(s.disagreeing, s.pet.disagreeing) for s in dump.series if s.pet is not None] == [((), ())]
    assert reasons(dump) == {"README.md": "not a DICOM file"}
