"""One file to facts: what real scanners write, what damage does, and that nothing odd gets through as a number."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_files import PET_IMAGE, REMOVED, dataset, save, write_ct, write_pet
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian

from engram.cohort.imported import LeftFile
from engram.imaging.dicom.headers import FileHeader, read_header
from engram.imaging.dicom.series import ImageSlice, PetFacts
from engram.imaging.dicom.values import date_and_time, moment, seconds_of_day

SHARED = Path(__file__).resolve().parents[5] / "shared" / "data"
GE = (0x0009, "GEMS_PETD_01", 0x0D, "DT")
PHILIPS_SUV = (0x7053, "Philips PET Private Group", 0x00, "DS")
PHILIPS_ACTIVITY = (0x7053, "Philips PET Private Group", 0x09, "DS")
FIVE_PAST_NINE = datetime(2020, 1, 2, 9, 5)


def header_of(path: Path) -> FileHeader:
    header = read_header(path)
    assert isinstance(header, FileHeader), header
    return header


def image_of(path: Path) -> ImageSlice:
    image = header_of(path).image
    assert image is not None
    return image


def pet_of(folder: Path, **headers: object) -> PetFacts:
    pet = header_of(write_pet(folder, 1, **headers)[0]).shared.pet
    assert pet is not None
    return pet


def test_a_pet_slice(tmp_path: Path) -> None:
    path = write_pet(tmp_path, 2)[1]
    header = header_of(path)
    shared, image = header.shared, header.image
    assert (shared.modality, shared.sop_class_uid, shared.patient_id) == ("PT", PET_IMAGE, "P01")
    assert (shared.number, shared.study_date, shared.started) == (3, "20200102", datetime(2020, 1, 2, 10, 5))
    assert shared.pet == PetFacts(
        units="BQML",
        decay_correction="START",
        corrected=("DECY", "ATTN", "SCAT", "NORM"),
        weight_kg=70.0,
        dose_bq=300e6,
        half_life_s=6586.2,
        nuclide="^18^Fluorine",
        tracer="FDG",
        injected=FIVE_PAST_NINE,
        injected_time_s=(9 * 60 + 5) * 60.0,
        series_type=("WHOLE BODY", "IMAGE"),
        manufacturer="Test",
    )
    assert image == ImageSlice(
        path=path,
        sop_instance_uid=header.sop_instance_uid,
        instance_number=2,
        rows=4,
        columns=5,
        pixel_spacing_mm=(2.0, 2.5),
        orientation=(1, 0, 0, 0, 1, 0),
        position_mm=(-10.0, -20.0, -27.0),
        slope=2.1,
        intercept=0.0,
        acquired=datetime(2020, 1, 2, 10, 5),
        frame_duration_s=120.0,
        frame_reference_s=59.9369,
        decay_factor=1.0063279,
        transfer_syntax="1.2.840.10008.1.2.1",
    )


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_real_headers() -> None:
    ge = header_of(SHARED / "sts_raw_pet_dicom" / "STS_001" / "PET" / "1-001.dcm")
    assert ge.shared.started == datetime(2000, 9, 7, 11, 20, 11)
    assert ge.shared.pet is not None
    assert ge.shared.pet == replace(ge.shared.pet, units="BQML", dose_bq=388777472.0, injected_time_s=38100.0)
    assert (ge.shared.pet.half_life_s, ge.shared.pet.weight_kg, ge.shared.pet.nuclide) == (6588.0, 71.0, "18F")
    siemens = header_of(SHARED / "pet_dicom_headers" / "acrin_flt_breast_2.dcm")
    assert siemens.image is not None
    assert siemens.shared.pet is not None
    assert siemens.image.frame_reference_s == pytest.approx(1048.8579232)
    assert siemens.image.acquired == datetime(1960, 1, 14, 11, 35, 59, 108962)
    assert (siemens.shared.pet.series_type, siemens.image.decay_factor) == (("DYNAMIC", "IMAGE"), 1.11682)


@pytest.mark.parametrize("word", ["", "nan", "inf", "-inf", "1e999", "1\\2", "1,5", "about 70", "1_0", "0x10", "٧"])
def test_what_is_no_single_finite_number_is_none(tmp_path: Path, word: str) -> None:
    header = header_of(write_pet(tmp_path, 1)[0])
    assert header.image is not None
    assert header.shared.pet is not None
    raw = pydicom.dcmread(header.path)
    for keyword, tag in [("PatientWeight", 0x00101030), ("RescaleSlope", 0x00281053)]:
        del raw[keyword]
        raw.add_new(tag, "LO", word)
    odd = header_of(save(raw, tmp_path / "odd.dcm", syntax=ImplicitVRLittleEndian))
    assert odd.image is not None
    assert odd.shared.pet is not None
    assert (odd.image.slope, odd.shared.pet.weight_kg) == (None, None)
    assert odd.image.intercept == 0.0  # the rest is read as before


@pytest.mark.parametrize("spacing", [[2.0], [2.0, 2.0, 2.0], "2\\", "2\\\\2"])
def test_so_many_numbers_or_none(tmp_path: Path, spacing: object) -> None:
    assert image_of(write_ct(tmp_path, 1, PixelSpacing=spacing)[0]).pixel_spacing_mm is None


def test_headers_that_are_not_there_are_none(tmp_path: Path) -> None:
    away = dict.fromkeys(
        ["ImagePositionPatient", "AcquisitionTime", "InstanceNumber", "SeriesTime", "PatientID", "Units"], REMOVED
    )
    header = header_of(write_pet(tmp_path, 1, RadiopharmaceuticalInformationSequence=REMOVED, **away)[0])
    assert header.image is not None
    assert header.shared.pet is not None
    assert (header.image.position_mm, header.image.acquired, header.image.instance_number) == (None, None, None)
    assert (header.shared.started, header.shared.patient_id, header.shared.pet.units) == (None, "", None)
    assert (header.shared.pet.dose_bq, header.shared.pet.injected, header.shared.pet.disagreeing) == (
        None,
        None,
        (),
    )


@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        ("20200102", "0905", FIVE_PAST_NINE),
        ("20200102", "090500.25", FIVE_PAST_NINE + timedelta(seconds=0.25)),
        ("20200102", "090500.123456", FIVE_PAST_NINE + timedelta(microseconds=123456)),
        ("2020.01.02", "09:05:00", FIVE_PAST_NINE),
        ("20200102", "09", None),
        ("20200102", "090560", None),
        ("20200102", "240000", None),
        ("20200102", "0905:00", None),
        ("20200102", "090500+0100", None),
        ("20200230", "090500", None),
        ("20200102-20200103", "090500", None),
        ("00000000", "090500", None),
        (None, "090500", None),
        ("20200102", None, None),
    ],
)
def test_dates_and_times(date: str | None, time: str | None, expected: datetime | None) -> None:
    assert date_and_time(date, time) == expected


def test_time_of_day() -> None:
    assert seconds_of_day("235959.5") == 86399.5
    assert seconds_of_day("") is None


@pytest.mark.parametrize(
    ("word", "clock"),
    [
        ("20200102090500.00", FIVE_PAST_NINE),
        ("202001020905", FIVE_PAST_NINE),
        ("20200102090500+0100", FIVE_PAST_NINE),
        ("2020010209", None),
        ("20200102", None),
        ("20200102090500+9900", None),
        ("20200102090500 PM", None),
    ],
)
def test_moments(word: str, clock: datetime | None) -> None:
    found = moment(word)
    assert (found.clock if found else None) == clock


@pytest.mark.parametrize(
    ("written", "start_time", "zone", "injected", "disagreeing"),
    [
        ("20200102090500", "090500", REMOVED, FIVE_PAST_NINE, ()),
        ("20200102090500+0100", "090500", "+0100", FIVE_PAST_NINE, ()),
        ("20200102080500+0000", "090500", "+0100", FIVE_PAST_NINE, ()),  # another zone, the same moment
        ("20200101230500-1000", REMOVED, "+0000", FIVE_PAST_NINE, ()),
        ("20200102090500+0100", "090500", REMOVED, FIVE_PAST_NINE, ()),  # its clock is the room's: the time says so
        ("20200102080500+0000", "090500", REMOVED, None, ("injected",)),  # UTC or a wrong time: nobody knows
        ("20200102090500+0100", REMOVED, REMOVED, None, ()),  # nothing says in which zone the room is
    ],
)
def test_offsets_from_utc(
    tmp_path: Path, written: str, start_time: object, zone: object, injected: datetime, disagreeing: tuple[str, ...]
) -> None:
    times = {"RadiopharmaceuticalStartDateTime": written, "RadiopharmaceuticalStartTime": start_time}
    pet = pet_of(tmp_path, tracer=times, TimezoneOffsetFromUTC=zone)
    assert (pet.injected, pet.disagreeing) == (injected, disagreeing)


def test_two_tracers_leave_everything_about_them_open(tmp_path: Path) -> None:
    one = pydicom.dcmread(write_pet(tmp_path, 1)[0]).RadiopharmaceuticalInformationSequence[0]
    pet = pet_of(tmp_path / "two", RadiopharmaceuticalInformationSequence=Sequence([one, one]))
    assert (pet.dose_bq, pet.half_life_s, pet.nuclide, pet.injected, pet.injected_time_s) == (None,) * 5
    assert {"dose_bq", "half_life_s", "nuclide", "injected"} <= set(pet.disagreeing)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
def test_private_headers_are_found_by_their_creator(tmp_path: Path, syntax: str) -> None:
    first = {(0x0009, "SOMEBODY ELSE", 0x0D, "DT"): "19990101000000", (0x7053, "SOMEBODY ELSE", 0x00, "DS"): "9"}
    own = {GE: "20200102100400.00", PHILIPS_SUV: "0.5", PHILIPS_ACTIVITY: "2.5"}
    path = write_pet(tmp_path, 1, each=lambda _: {**first, **own}, syntax=syntax)[0]
    assert (0x7053, 0x1100) in pydicom.dcmread(path)  # in the second block, for the first is somebody else's
    header = header_of(path)
    assert header.image is not None
    assert header.shared.pet is not None
    assert header.shared.pet.ge_scan_start == datetime(2020, 1, 2, 10, 4)
    assert (header.image.philips_suv_factor, header.image.philips_activity_factor) == (0.5, 2.5)


def test_private_headers_of_unknown_representation_are_read(tmp_path: Path) -> None:
    own = {(*PHILIPS_SUV[:3], "UN"): b"0.25", (*GE[:3], "UN"): b"20200102100400"}
    header = header_of(write_pet(tmp_path, 1, each=lambda _: own)[0])
    assert header.image is not None
    assert header.image.philips_suv_factor == 0.25


def test_odd_headers_do_not_warn(tmp_path: Path) -> None:
    path = write_ct(
        tmp_path, 1, StudyID="x" * 99, SeriesDescription="d" * 99, PatientAge="old", SeriesNumber="1.5"
    )[0]
    assert header_of(path).shared.number is None
    assert header_of(path).shared.description == "d" * 99


def test_a_file_without_preamble_is_read_only_if_it_says_what_it_is(tmp_path: Path) -> None:
    whole = write_ct(tmp_path, 1, syntax=ImplicitVRLittleEndian)[0]
    bare = tmp_path / "bare.dcm"
    bare.write_bytes(whole.read_bytes()[132:])
    assert header_of(bare).image is not None
    nameless = save(dataset({"PatientID": "P01", "SeriesInstanceUID": "1.2.3"}), tmp_path / "nameless.dcm")
    left = read_header(nameless)
    assert isinstance(left, LeftFile)
    assert "SOP Class UID" in left.reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"hello", "not a DICOM file"),
        (b"PK\x03\x04" + bytes(500), "not a DICOM file"),
        (bytes(128) + b"DICM", "no SOP Class UID"),
        (bytes(128) + b"DICM" + b"\xff" * 400, ""),
        (b"\x08\x00" + b"\xff" * 400, ""),
    ],
)
def test_what_is_no_dicom_file_is_left(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "odd"
    path.write_bytes(content)
    left = read_header(path)
    assert isinstance(left, LeftFile)
    assert reason in left.reason


def test_a_file_that_cannot_be_opened_is_left(tmp_path: Path) -> None:
    left = read_header(tmp_path / "not there")
    assert isinstance(left, LeftFile)
    assert "No such file" in left.reason


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"])
def test_a_file_cut_anywhere_is_no_image(tmp_path: Path, syntax: str) -> None:
    native = syntax if syntax != "1.2.840.10008.1.2.5" else "1.2.840.10008.1.2.1"
    path = write_pet(tmp_path, 1, syntax=native)[0]
    if native != syntax:
        image = pydicom.dcmread(path)
        image.compress(syntax, generate_instance_uid=False)
        image.save_as(path)
    content, cut = path.read_bytes(), tmp_path / "cut.dcm"
    assert header_of(path).image is not None
    for length in range(0, len(content), 7):
        cut.write_bytes(content[:length])
        header = read_header(cut)
        assert isinstance(header, LeftFile) or (header.image is None and header.damage), length


def test_flipped_bytes_never_raise(tmp_path: Path) -> None:
    content = write_pet(tmp_path, 1)[0].read_bytes()
    random, odd = np.random.default_rng(0), tmp_path / "odd.dcm"
    for _ in range(400):
        flipped = bytearray(content)
        for place in random.integers(0, len(content), 5):
            flipped[place] = random.integers(0, 256)
        odd.write_bytes(flipped)
        header = read_header(odd)
        if isinstance(header, FileHeader) and header.image is not None:
            numbers = [header.image.slope, header.image.intercept, *(header.image.position_mm or ())]
            assert all(number is None or math.isfinite(number) for number in numbers)


@pytest.mark.parametrize(
    "headers",
    [
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.130"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"},
        {"NumberOfFrames": 2},
        {"Modality": REMOVED},
        {"Modality": "CT"},
    ],
)
def test_only_a_single_image_of_its_modality_is_a_slice(tmp_path: Path, headers: dict[str, object]) -> None:
    header = header_of(write_pet(tmp_path, 1, **headers)[0])
    assert (header.image, header.damage) == (None, None)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_rights_is_left(tmp_path: Path) -> None:
    path = write_ct(tmp_path, 1)[0]
    path.chmod(0)
    left = read_header(path)
    assert isinstance(left, LeftFile)
    assert "Permission denied" in left.reason
