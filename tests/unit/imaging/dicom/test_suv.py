"""SUV factors: by hand for every way of decay correction and unit, and against an independent package."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from pet_series import (
    ADMIN_FACTOR,
    DOSE_BQ,
    FACTOR,
    FRAME_S,
    HALF_LIFE_S,
    INJECTED,
    SCAN,
    WEIGHT_KG,
    average_s,
    beds,
    ge_beds,
    series,
    stated,
)

from engram.errors import ImagingError
from engram.imaging.dicom.corrections import series_id
from engram.imaging.dicom.frame_times import average_count_rate_s
from engram.imaging.dicom.suv import suv_conversion

REFERENCE = Path(__file__).resolve().parents[3] / "reference" / "suv" / "pysuv.json"


def convert(*args, corrections=None, **kwargs):
    more = {} if corrections is None else {"corrections": corrections}
    return suv_conversion(series(*args, **kwargs), patient_id="P01", **more)


def refusal(*args, **kwargs) -> str:
    with pytest.raises(ImagingError) as error:
        convert(*args, **kwargs)
    assert error.value.patient_id == "P01"
    assert error.value.file == "/dump"
    assert error.value.mend
    return str(error.value)


# Units


def test_bq_per_ml_corrected_to_the_start():
    found = convert()
    assert found.factors == pytest.approx(np.full(6, FACTOR), rel=1e-12)
    assert found.factors.dtype == np.float64
    assert (found.method, found.notes) == ("dose decayed to series time", ())
    assert found.uptake_min == 60
    assert (found.weight_kg, found.dose_mbq, found.half_life_s, found.nuclide) == (75, 300, 6586.2, "F-18")


@pytest.mark.parametrize(("suv_type", "notes"), [("BW", 0), (None, 1), ("", 1)])
def test_suv_is_never_applied_twice(suv_type, notes):
    found = convert(units="GML", suv_type=suv_type)
    assert (found.factors == 1.0).all()
    assert len(found.notes) == notes
    assert found.uptake_min == 60


def test_suv_needs_no_dose():
    found = convert(units="GML", dose_bq=None, injected=None, injected_time_s=None, weight_kg=0)
    assert (found.factors == 1.0).all()
    assert found.uptake_min is None
    assert "time from injection to scan unknown" in found.notes[0]


@pytest.mark.parametrize("suv_type", ["LBM", "LBMJANMA", "LBMJAMES128", "BSA", "IBW", "bw "])
def test_other_suv_is_refused(suv_type):
    assert f"SUV Type (0054,1006) is not body weight (value: {suv_type})" in refusal(units="GML", suv_type=suv_type)


@pytest.mark.parametrize("units", [None, "PROPCNTS", "CPS", "CM2ML", "NONE", "BQCC", "KBQML", "MLML"])
def test_other_units_are_refused(units):
    assert "Units (0054,1001) cannot be converted" in refusal(units=units)


def test_philips_factor_of_each_slice():
    factors = [FACTOR * (1 + 0.001 * i) for i in range(6)]
    slices = [
        replace(s, philips_suv_factor=f, philips_activity_factor=1.0) for s, f in zip(beds(), factors, strict=True)
    ]
    found = convert(slices, units="CNTS", manufacturer="Philips")
    assert found.factors == pytest.approx(factors, rel=1e-12)
    assert (found.method, found.notes) == ("Philips SUV factor", ())


@pytest.mark.parametrize("own", [None, 0.0])
def test_philips_activity_where_its_suv_factor_is_absent_or_zero(own):
    slices = beds(philips_suv_factor=own, philips_activity_factor=1.5)
    found = convert(slices, units="CNTS")
    assert found.factors == pytest.approx(np.full(6, 1.5 * FACTOR), rel=1e-12)
    assert found.method == "Philips activity factor; dose decayed to series time"


def test_philips_factor_that_contradicts_the_headers():
    slices = beds(philips_suv_factor=1.2 * FACTOR, philips_activity_factor=1.0)
    told = refusal(slices, units="CNTS")
    assert "Philips SUV Scale Factor (7053,1000) contradicts the other headers" in told
    assert f"{1.2 * FACTOR:.6g}" in told
    assert f"{FACTOR:.6g}" in told


@pytest.mark.parametrize(
    "missing", [{"weight_kg": None}, {"dose_bq": 0}, {"injected": None, "injected_time_s": None}]
)
def test_philips_factor_without_the_headers_is_noted(missing):
    slices = beds(philips_suv_factor=0.0005, philips_activity_factor=1.0)
    found = convert(slices, units="CNTS", **missing)
    assert (found.factors == 0.0005).all()
    assert "not cross-checked" in found.notes[0]


@pytest.mark.parametrize("own", [None, 0.0, -1.0])
def test_counts_without_philips_factors(own):
    told = refusal(beds(philips_suv_factor=own, philips_activity_factor=own), units="CNTS")
    assert "CNTS without Philips SUV Scale Factor (7053,1000)" in told


def test_counts_where_one_slice_lacks_its_factor():
    slices = [*beds(philips_suv_factor=0.0005)[:5], beds()[5]]
    assert "absent in 1 of 6 slices" in refusal(slices, units="CNTS")


# What decides must be there, and be one


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"corrected": ()}, "not attenuation corrected: Corrected Image (0028,0051) (value: empty)"),
        ({"corrected": ("DECY", "NORM")}, "not attenuation corrected"),
        (
            {"corrected": ("ATTN", "NORM")},
            "Decay Correction (0054,1102) and Corrected Image (0028,0051) contradict",
        ),
        ({"decay_correction": "NONE"}, "contradict (value: NONE; NORM, ATTN, SCAT, DECY)"),
        ({"decay_correction": None}, "Decay Correction (0054,1102) is missing"),
        ({"decay_correction": "SOMETIME"}, "Decay Correction (0054,1102) is unknown (value: SOMETIME)"),
        ({"weight_kg": None}, "Patient's Weight (0010,1030) is missing"),
        ({"weight_kg": 0.0}, "Patient's Weight (0010,1030) is missing (value: 0.0)"),
        ({"weight_kg": 75000.0}, "is impossible (value: 75000 kg)"),
        ({"weight_kg": 1.9}, "No person weighs this"),
        ({"weight_kg": 401.0}, "No person weighs this"),
        ({"dose_bq": None}, "Radionuclide Total Dose (0018,1074) is missing"),
        ({"dose_bq": 0.0}, "Radionuclide Total Dose (0018,1074) is missing"),
        ({"dose_bq": -3e8}, "Radionuclide Total Dose (0018,1074) is impossible"),
        ({"dose_bq": 300.0}, "is most likely in MBq, not in Bq"),
        ({"dose_bq": 8.1}, "is most likely in mCi, not in Bq"),
        ({"dose_bq": 3e5}, "is most likely in kBq, not in Bq"),
        ({"half_life_s": None, "nuclide": None}, "Radionuclide Half Life (0018,1075) is missing"),
        ({"half_life_s": None, "nuclide": "FDG"}, "is missing (value: FDG)"),
        ({"half_life_s": 109.77}, "contradicts Radionuclide Code Sequence (0054,0300) (value: 109.77 s; F-18 has"),
        ({"half_life_s": 4062.6}, "contradicts Radionuclide Code Sequence"),
        ({"half_life_s": 7000.0, "nuclide": None}, "Radionuclide Half Life (0018,1075) is of no known nuclide"),
        ({"half_life_s": -6586.2, "nuclide": None}, "of no known nuclide"),
    ],
)
def test_headers_that_do_not_suffice(facts, told):
    assert told in refusal(**facts)


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({"weight_kg": None}, "weight_kg,<kg>,"),
        ({"dose_bq": 300.0}, "dose_mbq,<MBq>,"),
        ({"half_life_s": 7000.0}, "half_life_s,<seconds>,"),
        ({"injected": None, "injected_time_s": None}, "injected,<YYYY-MM-DDThh:mm:ss>,"),
    ],
)
def test_the_mend_is_a_line_of_the_corrections_table(facts, line):
    assert f"P01,{series_id(series().uid)},{line}<where it comes from>" in refusal(**facts)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("units", "Units (0054,1001)"),
        ("decay_correction", "Decay Correction (0054,1102)"),
        ("weight_kg", "Patient's Weight (0010,1030)"),
        ("dose_bq", "Radionuclide Total Dose (0018,1074)"),
        ("half_life_s", "Radionuclide Half Life (0018,1075)"),
        ("nuclide", "Radionuclide Code Sequence (0054,0300)"),
        ("injected", "Radiopharmaceutical Start DateTime (0018,1078)"),
        ("injected_time_s", "Radiopharmaceutical Start Time (0018,1072)"),
    ],
)
def test_headers_that_differ_from_slice_to_slice(name, header):
    assert f"{header} differs from slice to slice" in refusal(disagreeing=(name,))


def test_what_does_not_decide_may_differ():
    assert (convert(disagreeing=("tracer", "model", "series_type")).factors == convert().factors).all()
    assert (convert(units="GML", disagreeing=("weight_kg", "dose_bq")).factors == 1.0).all()


def test_a_series_of_something_else():
    with pytest.raises(ImagingError, match="no PET images"):
        suv_conversion(replace(series(), pet=None), patient_id="P01")
    with pytest.raises(ImagingError, match="no PET images"):
        suv_conversion(series(slices=()), patient_id="P01")


# Half-life


def test_half_life_of_the_header_is_used_as_it_is():
    found = convert(half_life_s=6588.0)
    assert found.factors[0] == pytest.approx(ADMIN_FACTOR * 2 ** (3600 / 6588), rel=1e-12)


def test_half_life_of_the_named_nuclide_where_the_header_has_none():
    found = convert(half_life_s=None)
    assert found.factors[0] == pytest.approx(FACTOR, rel=1e-12)
    assert found.notes == ("half-life of F-18: the header has none",)


def test_nuclide_by_its_half_life_where_none_is_named():
    found = convert(nuclide="Tracer X")
    assert (found.nuclide, found.notes) == ("F-18", ("nuclide by its half-life: F-18",))


# The moment of decay correction


@pytest.mark.parametrize("offset_s", [0, 30, 300, 3000])
def test_series_time_before_the_first_bed(offset_s):
    """A Siemens list-mode or dynamic scan may begin long before the frames that are here."""
    started = SCAN - timedelta(seconds=offset_s)
    found = convert(beds(corrected_to_s=-offset_s), started=started)
    assert found.factors[0] == pytest.approx(ADMIN_FACTOR * 2 ** ((3600 - offset_s) / HALF_LIFE_S), rel=1e-12)
    assert found.uptake_min == 60


@pytest.mark.parametrize("wrong_s", [-3600, -600, -60])
def test_series_time_that_the_frames_contradict(wrong_s):
    told = refusal(started=SCAN + timedelta(seconds=wrong_s))
    assert "series time contradicts the decay of its frames" in told
    assert "10:15:00" in told
    assert "decay_reference,<YYYY-MM-DDThh:mm:ss>" in told


def test_differences_below_half_a_percent_of_the_suv_pass():
    assert convert(started=SCAN - timedelta(seconds=40)).notes == ()


def test_without_decay_factor_frame_reference_time_checks():
    slices = beds(decay_factor=None)
    assert convert(slices).factors[0] == pytest.approx(FACTOR, rel=1e-12)
    assert "contradicts the decay of its frames" in refusal(slices, started=SCAN - timedelta(seconds=600))


def test_without_any_frame_times_the_series_time_must_be_the_first_acquisition():
    slices = beds(decay_factor=None, frame_reference_s=None)
    found = convert(slices)
    assert found.factors[0] == pytest.approx(FACTOR, rel=1e-12)
    assert "not cross-checked" in found.notes[0]
    told = refusal(slices, started=SCAN - timedelta(seconds=600))
    assert "the moment of decay correction is uncertain" in told
    assert "10:05:00, first acquisition 10:15:00" in told


def test_decay_factor_and_frame_reference_time_that_contradict():
    slices = [replace(s, decay_factor=1.5) for s in beds()]
    assert "Decay Factor (0054,1321) and Frame Reference Time (0054,1300) contradict" in refusal(slices)


def test_decay_factor_that_is_not_positive():
    assert "Decay Factor (0054,1321) is not positive" in refusal(beds(decay_factor=0.0))


@pytest.mark.parametrize("keep", [slice(None), slice(4, None)])
def test_ge_beds_with_one_acquisition_time(keep):
    """Also where only the last bed is left: it begins 400 s after the scan, whatever Acquisition Time says."""
    found = convert(ge_beds()[keep], manufacturer="GE MEDICAL SYSTEMS")
    assert found.factors[0] == pytest.approx(FACTOR, rel=1e-12)


LATER = SCAN + timedelta(hours=2)


def test_post_processed_ge_has_a_private_scan_time():
    found = convert(ge_beds(), started=LATER, ge_scan_start=SCAN, manufacturer="GE MEDICAL SYSTEMS")
    assert found.factors[0] == pytest.approx(FACTOR, rel=1e-12)
    assert found.method == "dose decayed to GE private scan time"


def test_series_times_that_differ_from_slice_to_slice_are_none():
    """Series time of the first file would pass here, were it not for the others."""
    slices = beds(decay_factor=None, frame_reference_s=None)
    assert "is no moment of decay correction" in refusal(slices, disagreeing=("started",))
    assert "the time of the scan is unknown" in refusal(
        beds(acquired=None), disagreeing=("started",), corrections=stated(decay_reference=SCAN)
    )


def test_private_scan_time_that_the_frames_contradict():
    wrong = SCAN - timedelta(seconds=600)
    assert "GE private scan time contradicts" in refusal(beds(), started=LATER, ge_scan_start=wrong)


@pytest.mark.parametrize(
    "unusable", [{}, {"ge_scan_start": LATER}, {"ge_scan_start": SCAN, "disagreeing": ("ge_scan_start",)}]
)
@pytest.mark.parametrize("started", [LATER, None])
def test_post_processed_series_are_counted_back(started, unusable):
    found = convert(beds(corrected_to_s=-100), started=started, **unusable)
    assert found.factors[0] == pytest.approx(ADMIN_FACTOR * 2 ** (3500 / HALF_LIFE_S), rel=1e-6)
    assert found.method == "dose decayed to a moment counted back from its frames"


def test_counted_back_without_decay_factor():
    found = convert(beds(decay_factor=None, corrected_to_s=-100), started=LATER)
    assert found.factors[0] == pytest.approx(ADMIN_FACTOR * 2 ** (3500 / HALF_LIFE_S), rel=1e-6)


def test_frames_that_do_not_tell_where_to_count_back_to():
    drifting = [replace(s, acquired=SCAN) for s in beds()]
    told = refusal(drifting, started=LATER)
    assert "is no moment of decay correction (value: 12:15:00; first acquisition 10:15:00)" in told


def test_no_moment_after_the_start_of_the_frames_is_counted_back_to():
    """A Frame Reference Time of 0 that means the start of the frame would give the average count rate."""
    told = refusal(beds([0, 0], decay_factor=None, frame_reference_s=0.0), started=LATER)
    assert "is no moment of decay correction" in told


def test_one_ge_bed_may_be_read_in_two_ways():
    """Whether Acquisition Time is of the bed or of the scan decides about 400 s: nobody knows."""
    told = refusal(ge_beds()[4:], started=LATER, manufacturer="GE MEDICAL SYSTEMS")
    assert "is no moment of decay correction" in told


def test_an_acquisition_time_that_follows_no_frame_is_not_counted_back_from():
    told = refusal(ge_beds(), started=LATER, manufacturer="GE MEDICAL SYSTEMS")
    assert "is no moment of decay correction" in told


def test_ge_without_decay_factor_counts_back_from_the_start_of_the_frame():
    slices = [
        replace(s, frame_reference_s=t, decay_factor=None) for s, t in zip(beds([0, 200]), (100, 300), strict=True)
    ]
    found = convert(slices, started=LATER, manufacturer="GE MEDICAL SYSTEMS")
    assert found.factors[0] == pytest.approx(ADMIN_FACTOR * 2 ** (3500 / HALF_LIFE_S), rel=1e-12)


@pytest.mark.parametrize("lacking", ["frame_duration_s", "frame_reference_s"])
def test_counting_back_needs_frame_times(lacking):
    slices = beds(**{"decay_factor": None, lacking: None})
    assert "is no moment of decay correction" in refusal(slices, started=LATER)


def test_missing_acquisition_time():
    slices = [*beds()[:5], replace(beds()[5], acquired=None)]
    assert "Acquisition Date and Time (0008,0022), (0008,0032) is missing" in refusal(slices)


def test_a_stated_reference_is_taken():
    found = convert(beds(decay_factor=1.5), started=None, corrections=stated(decay_reference=SCAN))
    assert found.factors[0] == pytest.approx(FACTOR, rel=1e-12)
    assert "corrections table" in found.method


@pytest.mark.parametrize("duration_s", [1e-3, 1.0, 180.0, 7200.0])
@pytest.mark.parametrize("half_life_s", [76.38, 6586.2, 360806.4])
def test_average_count_rate_is_at_the_mean_activity(duration_s, half_life_s):
    if duration_s / half_life_s < 10:
        found = average_count_rate_s(duration_s, half_life_s)
        assert found == pytest.approx(average_s(duration_s, half_life_s), rel=1e-6, abs=1e-7)


# ADMIN and NONE


def test_corrected_to_the_injection():
    slices = beds(corrected_to_s=-3600)
    found = convert(slices, decay_correction="ADMIN")
    assert found.factors == pytest.approx(np.full(6, ADMIN_FACTOR), rel=1e-12)
    assert found.uptake_min == 60


def test_admin_needs_no_injection_time():
    found = convert(beds(corrected_to_s=-3600), decay_correction="ADMIN", injected=None, injected_time_s=None)
    assert found.factors == pytest.approx(np.full(6, ADMIN_FACTOR), rel=1e-12)
    assert found.uptake_min is None
    assert "time from injection to scan unknown" in found.notes[0]


def test_admin_with_an_impossible_injection_is_refused():
    late = refusal(beds(corrected_to_s=-3600), decay_correction="ADMIN", injected=None, injected_time_s=86340.0)
    assert "impossible time from injection to scan" in str(late)


def test_admin_without_an_injection_is_held_against_the_frames():
    told = refusal(beds(), decay_correction="ADMIN", injected=None, injected_time_s=None)
    assert "contradicts the decay of its frames" in str(told)


def test_admin_whose_frames_say_start():
    told = refusal(beds(), decay_correction="ADMIN")
    assert "injection contradicts the decay of its frames (value: 09:15:00;" in told


def test_not_corrected_each_slice_for_its_own_time():
    """By hand: what the patient holds at the frame's moment of average count rate."""
    slices = [replace(s, decay_factor=1.0) for s in beds()]
    found = convert(slices, decay_correction="NONE", corrected=("ATTN",))
    after_s = 3600 + np.array([0, 0, 200, 200, 400, 400]) + average_s(FRAME_S)
    assert found.factors == pytest.approx(ADMIN_FACTOR * 2 ** (after_s / HALF_LIFE_S), rel=1e-8)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"decay_factor": 1.1}, "Decay Factor (0054,1321) contradicts Decay Correction NONE (value: 1.1 to 1.1)"),
        ({"frame_duration_s": None}, "Actual Frame Duration (0018,1242) is missing"),
        ({"acquired": SCAN}, "does not follow Frame Reference Time (0054,1300) (value: they drift apart by 400 s)"),
        ({"acquired": None}, "Acquisition Date and Time (0008,0022), (0008,0032) is missing"),
    ],
)
def test_not_corrected_and_not_told_when(change, told):
    slices = [replace(s, **{"decay_factor": None, **change}) for s in beds()]
    assert told in refusal(slices, decay_correction="NONE", corrected=("ATTN",))


def test_not_corrected_and_one_time_for_all_slices():
    """Beds at 0, 200 and 400 s, of which only the first one's time is told: 4 % of the SUV of the last."""
    asked = {"decay_correction": "NONE", "corrected": ("ATTN",)}
    bare = [replace(s, decay_factor=None, frame_reference_s=None) for s in beds()]
    shared = [replace(s, acquired=SCAN + timedelta(seconds=i / 10)) for i, s in enumerate(bare)]
    told = refusal(shared, **asked)
    assert "Acquisition Date and Time (0008,0022), (0008,0032) is one for all slices (value: 10:15:00 for 6" in told
    assert "Take a reconstruction that is decay corrected." in told
    one_bed = [replace(s, frame_reference_s=average_s(FRAME_S)) for s in shared]
    for kept, starts in ((one_bed, np.arange(6) / 10), (bare, [0, 0, 200, 200, 400, 400]), (shared[:1], [0])):
        after_s = 3600 + np.array(starts) + average_s(FRAME_S)
        expected = ADMIN_FACTOR * 2 ** (after_s / HALF_LIFE_S)
        found = convert(kept, **asked)
        assert found.factors == pytest.approx(expected, rel=1e-8)
        checked = kept[0].frame_reference_s is not None
        assert found.notes == ("acquisition times not cross-checked: no Frame Reference Time",) * (not checked)


# Injection

DAY = timedelta(days=1)


def clock(hour: int, minute: int = 0) -> float:
    return hour * 3600.0 + minute * 60.0


@pytest.mark.parametrize(
    ("full", "time_s", "minutes", "notes"),
    [
        (INJECTED, clock(9, 15), 60, 0),
        (INJECTED, None, 60, 0),
        (INJECTED + timedelta(seconds=30), clock(9, 15), 59.5, 0),  # the time of day in minutes
        (None, clock(9, 15), 60, 0),
        (INJECTED - timedelta(hours=10), None, 660, 0),
        (INJECTED + DAY, clock(9, 15), 60, 1),  # dates shifted field by field
        (INJECTED - 300 * DAY, None, 60, 1),
    ],
)
def test_injection(full, time_s, minutes, notes):
    found = convert(injected=full, injected_time_s=time_s)
    assert found.uptake_min == minutes
    assert found.factors[0] == pytest.approx(ADMIN_FACTOR * 2 ** (60 * minutes / HALF_LIFE_S), rel=1e-12)
    assert len(found.notes) == notes


MIDNIGHT_SCAN = datetime(2024, 5, 31, 0, 20)


@pytest.mark.parametrize(
    ("full", "notes"), [(None, 1), (datetime(2024, 5, 30, 23, 20), 0), (datetime(2024, 5, 31, 23, 20), 1)]
)
def test_injection_before_midnight(full, notes):
    slices = beds(first=MIDNIGHT_SCAN)
    found = convert(slices, started=MIDNIGHT_SCAN, injected=full, injected_time_s=clock(23, 20))
    assert found.uptake_min == 60
    assert found.factors[0] == pytest.approx(FACTOR, rel=1e-12)
    assert len(found.notes) == notes


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"injected": None, "injected_time_s": None}, "Radiopharmaceutical Start Time (0018,1072) is missing"),
        ({"injected_time_s": clock(8, 15)}, "contradict (value: 09:15:00 and 08:15:00)"),
        (
            {"injected": None, "injected_time_s": clock(11)},
            "impossible time from injection to scan (value: 1395 min",
        ),
        ({"injected": None, "injected_time_s": clock(20)}, "impossible time from injection to scan"),
        ({"injected": INJECTED + timedelta(hours=2), "injected_time_s": None}, "impossible time"),
        ({"injected": INJECTED - timedelta(hours=20), "injected_time_s": None}, "impossible time"),
        ({"injected": SCAN, "injected_time_s": None}, "injection at the start of the scan (value: 0 s)"),
        ({"injected": None, "injected_time_s": clock(10, 15)}, "injection at the start of the scan"),
    ],
)
def test_injections_that_are_not_guessed(facts, told):
    message = refusal(**facts)
    assert told in message
    assert "injected,<YYYY-MM-DDThh:mm:ss>" in message


def test_a_dynamic_scan_may_begin_with_the_injection():
    found = convert(series_type=("DYNAMIC", "IMAGE"), injected=SCAN, injected_time_s=None)
    assert found.factors[0] == pytest.approx(ADMIN_FACTOR, rel=1e-12)


def test_long_lived_nuclides_need_the_day():
    facts = {"nuclide": "89Zr", "half_life_s": 282276.0}
    slices = beds(half_life_s=282276.0)
    late = INJECTED - 5 * DAY
    found = convert(slices, **facts, injected=late)
    assert found.factors[0] == pytest.approx(ADMIN_FACTOR * 2 ** ((5 * 86400 + 3600) / 282276.0), rel=1e-12)
    assert "the day of the injection is unknown" in refusal(slices, **facts, injected=None)
    assert "impossible time" in refusal(slices, **facts, injected=INJECTED + DAY)


def test_a_stated_injection_wins_and_is_noted():
    found = convert(injected=SCAN + DAY, injected_time_s=0.0, corrections=stated(injected=INJECTED))
    assert found.factors[0] == pytest.approx(FACTOR, rel=1e-12)
    assert found.notes == ("time of injection of the corrections table",)
    told = refusal(corrections=stated(injected=SCAN + DAY))
    assert "Correct the line 'injected'" in told


# Corrections


def test_stated_values_win_over_headers_and_are_noted():
    table = stated(weight_kg=80.0, dose_mbq=320.0, half_life_s=6588.0)
    found = convert(corrections=table, disagreeing=("weight_kg", "dose_bq", "half_life_s", "nuclide"))
    assert found.factors[0] == pytest.approx(80_000 / 320e6 * 2 ** (3600 / 6588), rel=1e-12)
    assert "80 kg; the header has 75 kg" in found.notes[1]
    assert "320 MBq; the header has 300 MBq" in found.notes[2]


def test_stated_values_mend_what_is_missing():
    table = stated(weight_kg=WEIGHT_KG, dose_mbq=DOSE_BQ / 1e6, half_life_s=HALF_LIFE_S, injected=INJECTED)
    absent = {"weight_kg": None, "dose_bq": None, "half_life_s": None, "nuclide": None}
    found = convert(corrections=table, **absent, injected=None, injected_time_s=None)
    assert found.factors[0] == pytest.approx(FACTOR, rel=1e-12)
    assert all("corrections table" in note for note in found.notes)


def test_stated_values_must_be_possible_too():
    assert "is impossible (value: 750 kg)" in refusal(corrections=stated(weight_kg=750.0))
    assert "most likely in" not in refusal(corrections=stated(dose_mbq=30000.0))


# Against pySUV, an independent implementation


@pytest.mark.parametrize("case", json.loads(REFERENCE.read_text())["cases"], ids=lambda case: case["name"])
def test_factors_of_pysuv(case):
    headers = case["headers"]
    slice_ = replace(
        beds([0])[0],
        acquired=_at(headers["AcquisitionTime"]),
        frame_duration_s=headers["ActualFrameDuration"] / 1000,
        frame_reference_s=headers["FrameReferenceTime"] / 1000,
        decay_factor=None,
    )
    found = convert(
        [slice_],
        started=_at(headers["SeriesTime"]),
        injected=_at(headers["RadiopharmaceuticalStartTime"]),
        injected_time_s=None,
        weight_kg=headers["PatientWeight"],
        dose_bq=headers["RadionuclideTotalDose"],
        half_life_s=headers["RadionuclideHalfLife"],
        nuclide=None,
        manufacturer=headers["Manufacturer"],
    )
    assert found.factors[0] == pytest.approx(case["factor"], rel=1e-9)


def _at(time: str) -> datetime:
    return datetime.strptime(f"20240531{time}", "%Y%m%d%H%M%S")
