"""What the user is told to do must be possible."""

import pytest

from engram.cohort.records import check_analysable
from engram.errors import CohortError, ImagingError


def test_too_few_for_any_folds_is_not_answered_with_fewer_folds() -> None:
    with pytest.raises(CohortError, match=r"1 event\(s\) for 5 folds\. At least 2 events are needed"):
        check_analysable(1, 40, 5)
    with pytest.raises(CohortError, match=r"3 patient\(s\) for 2 folds.*At least 4 patients are needed"):
        check_analysable(2, 3, 2)


def test_an_error_of_a_folder_names_no_patient() -> None:
    error = ImagingError("", "no image with an nnU-Net name", file="scans", mend="Name them.")
    assert str(error) == "no image with an nnU-Net name in scans. Name them."
    assert str(ImagingError("", "odd", row=3, mend="Mend.")).startswith("patient (blank id): odd")
