"""Which CT and PET are taken, and what every other series is told."""

from pathlib import Path
from typing import Any

import pytest
from dicom_files import REMOVED, uid, write_ct, write_pet, write_series

from engram.errors import ConfigError
from engram.imaging.dicom.corrections import series_id
from engram.imaging.dicom.dump import walk
from engram.imaging.dicom.pairing import Pairing, PairingRules, pair_series


def pair(folder: Path, take: dict[str, bool] | None = None, **rules: Any) -> Pairing:
    return pair_series("P01", walk(folder, workers=0).series, PairingRules(**rules), take or {})


def reasons(pairing: Pairing) -> dict[str, tuple[str | None, str]]:
    return {j.series.description or "": (j.taken_as, j.reason) for j in pairing.judged}


def test_ct_and_pet_of_one_study_are_taken(tmp_path: Path) -> None:
    write_ct(tmp_path / "a")
    write_pet(tmp_path / "b")
    found = pair(tmp_path)
    assert found.ct is not None
    assert found.ct.series.modality == "CT"
    assert found.pet is not None
    assert found.pet.series.modality == "PT"
    assert not found.problems
    assert {judged.taken_as for judged in found.judged} == {"CT", "PET"}


def test_the_first_study_is_the_baseline_and_the_last_can_be_asked_for(tmp_path: Path) -> None:
    for day in ("20200102", "20210304"):
        write_ct(tmp_path / day / "a", StudyDate=day)
        write_pet(tmp_path / day / "b", StudyDate=day)
    first, last = pair(tmp_path), pair(tmp_path, study="last")
    assert first.pet is not None
    assert first.pet.series.study_date == "20200102"
    assert last.pet is not None
    assert last.pet.series.study_date == "20210304"
    left = [judged.reason for judged in first.judged if judged.taken_as is None]
    assert left == ["another study: the first of 2 was taken"] * 2


def test_a_study_without_pet_is_passed_over(tmp_path: Path) -> None:
    write_ct(tmp_path / "a", StudyDate="20190101")
    write_ct(tmp_path / "b")
    write_pet(tmp_path / "c")
    found = pair(tmp_path)
    assert found.ct is not None
    assert found.ct.series.study_date == "20200102"


def test_studies_without_dates_are_not_guessed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        study = uid("study", name)
        write_pet(tmp_path / name, StudyInstanceUID=study, StudyDate=REMOVED, SeriesDescription=name)
    found = pair(tmp_path)
    assert found.pet is None
    assert [problem.reason for problem in found.problems] == ["several studies without distinct dates"]


def test_a_pet_without_attenuation_correction_is_left(tmp_path: Path) -> None:
    write_pet(tmp_path / "a", SeriesDescription="AC")
    write_pet(tmp_path / "b", SeriesDescription="NAC", CorrectedImage=["DECY", "SCAT"])
    found = pair(tmp_path)
    assert found.pet is not None
    assert found.pet.series.description == "AC"
    assert reasons(found)["NAC"] == (None, "PET without attenuation correction")


def test_two_reconstructions_are_refused_until_one_is_chosen(tmp_path: Path) -> None:
    write_pet(tmp_path / "a", SeriesDescription="PET TOF")
    write_pet(tmp_path / "b", SeriesDescription="PET EARL")
    found = pair(tmp_path)
    assert found.pet is None
    (problem,) = found.problems
    assert problem.reason == "several PET series fit equally"
    assert "PET EARL" in (problem.value or "")
    assert "--pet-description" in problem.mend
    chosen = pair(tmp_path, pet_description="earl")
    assert chosen.pet is not None
    assert chosen.pet.series.description == "PET EARL"
    wanted = next(j.series for j in found.judged if j.series.description == "PET TOF")
    taken = pair(tmp_path, take={series_id(wanted.uid): True})
    assert taken.pet is not None
    assert taken.pet.series.description == "PET TOF"
    left = pair(tmp_path, take={series_id(wanted.uid): False})
    assert left.pet is not None
    assert left.pet.series.description == "PET EARL"


def test_a_shorter_pet_gives_way(tmp_path: Path) -> None:
    write_pet(tmp_path / "a", count=10, SeriesDescription="whole body")
    write_pet(tmp_path / "b", count=5, SeriesDescription="one bed")
    found = pair(tmp_path)
    assert found.pet is not None
    assert found.pet.series.description == "whole body"
    assert reasons(found)["one bed"][1].startswith("shorter than another PET")


def test_a_ct_of_another_frame_of_reference_is_no_partner(tmp_path: Path) -> None:
    write_ct(tmp_path / "a", FrameOfReferenceUID=uid("elsewhere"))
    write_pet(tmp_path / "b")
    found = pair(tmp_path)
    assert found.ct is None
    assert found.pet is not None
    assert [p.reason for p in found.problems] == ["CT and PET in different frames of reference"]


def test_a_ct_in_the_right_frame_is_enough(tmp_path: Path) -> None:
    write_ct(tmp_path / "a", FrameOfReferenceUID=uid("elsewhere"), SeriesDescription="other")
    write_ct(tmp_path / "b", SeriesDescription="same")
    write_pet(tmp_path / "c")
    found = pair(tmp_path)
    assert found.ct is not None
    assert found.ct.series.description == "same"
    assert not found.problems
    assert reasons(found)["other"] == (None, "CT and PET in different frames of reference")


def test_no_frame_of_reference_is_refused_until_the_user_says_so(tmp_path: Path) -> None:
    write_ct(tmp_path / "a", FrameOfReferenceUID=REMOVED)
    write_pet(tmp_path / "b")
    found = pair(tmp_path)
    assert found.ct is None
    assert [p.reason for p in found.problems] == ["no common frame of reference"]
    ct = next(j.series for j in found.judged if j.series.modality == "CT")
    forced = pair(tmp_path, take={series_id(ct.uid): True})
    assert forced.ct is not None
    assert not forced.problems


def test_a_ct_elsewhere_is_refused(tmp_path: Path) -> None:
    write_ct(tmp_path / "a", origin_mm=(-10.0, -20.0, 200.0))
    write_pet(tmp_path / "b")
    found = pair(tmp_path)
    assert found.ct is None
    assert found.problems[0].reason == "CT and PET overlap too little"
    assert "0%" in (found.problems[0].value or "")


def test_the_ct_that_covers_more_is_taken(tmp_path: Path) -> None:
    write_ct(tmp_path / "a", count=3, SeriesDescription="chest")
    write_ct(tmp_path / "b", count=12, SeriesDescription="whole body")
    write_pet(tmp_path / "c", count=12)
    found = pair(tmp_path)
    assert found.ct is not None
    assert found.ct.series.description == "whole body"


def test_of_equal_cts_the_thinner_slices_are_taken_and_it_is_said(tmp_path: Path) -> None:
    write_ct(tmp_path / "a", count=40, SeriesDescription="thick", SeriesNumber=1)
    write_ct(tmp_path / "b", count=80, gap_mm=1.5, SeriesDescription="thin", SeriesNumber=2)
    write_pet(tmp_path / "c", count=40)
    found = pair(tmp_path)
    assert found.ct is not None
    assert found.ct.series.description == "thin"
    assert reasons(found)["thick"] == (None, "CT series 2 fits as well and has thinner slices")


@pytest.mark.parametrize("modality", ["MR", "DOC"])
def test_other_modalities_are_left_with_their_reason(tmp_path: Path, modality: str) -> None:
    write_ct(tmp_path / "a")
    write_series(tmp_path / "b", {"Modality": modality, "SOPClassUID": uid("x"), "PatientID": "P01"}, 2)
    found = pair(tmp_path)
    left = [judged.reason for judged in found.judged if judged.series.modality == modality]
    assert left == [f"modality {modality}: neither CT, PET nor masks"]


def test_a_series_that_is_no_volume_says_why(tmp_path: Path) -> None:
    write_ct(tmp_path / "a", each=lambda i: {"ImagePositionPatient": [0.0, 0.0, 0.0 if i == 1 else 3.0 * i]})
    found = pair(tmp_path)
    assert found.ct is None
    ((taken, reason),) = reasons(found).values()
    assert taken is None
    assert reason


def test_a_damaged_baseline_is_told_and_no_later_scan_slips_in(tmp_path: Path) -> None:
    for day in ("20200102", "20210304"):
        write_ct(tmp_path / day / "a", StudyDate=day)
        write_pet(tmp_path / day / "b", StudyDate=day)
    (tmp_path / "20200102" / "b" / "0003.dcm").unlink()
    found = pair(tmp_path)
    assert found.pet is None
    (problem,) = found.problems
    assert problem.reason == "no PET of the study can be used"
    assert "missing" in (problem.value or "")
    first = {series_id(j.series.uid): False for j in found.judged if j.series.study_date == "20200102"}
    later = pair(tmp_path, take=first)
    assert later.pet is not None
    assert later.pet.series.study_date == "20210304"


def test_a_description_that_the_baseline_lacks_is_told(tmp_path: Path) -> None:
    write_pet(tmp_path / "a", SeriesDescription="PET TOF")
    write_pet(tmp_path / "b", SeriesDescription="PET EARL", StudyDate="20210304")
    found = pair(tmp_path, pet_description="EARL")
    assert found.pet is None
    assert [problem.reason for problem in found.problems] == ["no PET of the study can be used"]


def test_a_series_that_the_user_takes_chooses_its_study(tmp_path: Path) -> None:
    write_pet(tmp_path / "a")
    write_pet(tmp_path / "b", StudyDate="20210304")
    later = next(j.series for j in pair(tmp_path).judged if j.series.study_date == "20210304")
    found = pair(tmp_path, take={series_id(later.uid): True})
    assert found.pet is not None
    assert found.pet.series.uid == later.uid


def test_a_ct_that_is_no_volume_is_a_problem(tmp_path: Path) -> None:
    write_ct(tmp_path / "a", count=5)
    (tmp_path / "a" / "0003.dcm").unlink()
    write_pet(tmp_path / "b")
    found = pair(tmp_path)
    assert found.pet is not None
    assert [problem.reason for problem in found.problems] == ["no CT of the study can be used"]


def test_a_description_that_is_no_expression_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--pet-description 'PET \(AC': no regular expression"):
        PairingRules(pet_description="PET (AC")
