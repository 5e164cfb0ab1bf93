import csv
from pathlib import Path

import pytest

from engram.errors import ConfigError
from engram.roi.labels import SCHEMES, bone_scheme

TABLE = Path(__file__).resolve().parents[4] / "shared" / "data" / "ct_anatomy" / "labels.csv"
SCHEME = bone_scheme("totalsegmentator_v2")


@pytest.mark.parametrize(
    ("bone", "label"),
    [
        ("sacrum", 25),
        ("vertebrae_S1", 26),
        ("vertebrae_L5", 27),
        ("vertebrae_L1", 31),
        ("vertebrae_T12", 32),
        ("vertebrae_T1", 43),
        ("vertebrae_C7", 44),
        ("vertebrae_C1", 50),
        ("humerus_left", 69),
        ("scapula_right", 72),
        ("clavicula_left", 73),
        ("femur_right", 76),
        ("hip_left", 77),
        ("skull", 91),
        ("rib_left_1", 92),
        ("rib_left_12", 103),
        ("rib_right_1", 104),
        ("rib_right_12", 115),
        ("sternum", 116),
    ],
)
def test_values_of_requirement_45(bone, label):
    assert SCHEME.bones[bone] == label


def test_groups():
    assert SCHEME.labels("vertebrae") == tuple(range(27, 51))
    assert SCHEME.labels("vertebrae", "sacrum") == tuple(range(25, 51))
    assert SCHEME.labels("ribs") == tuple(range(92, 116))
    assert len(SCHEME.labels()) == len(SCHEME.bones) == len(set(SCHEME.bones.values())) == 62
    assert 117 not in SCHEME.labels()  # costal cartilages
    assert 79 not in SCHEME.labels()  # spinal cord


def test_unknown_scheme():
    with pytest.raises(ConfigError, match=r"'moose'; use one of totalsegmentator_v2"):
        bone_scheme("moose")
    assert set(SCHEMES) == {"totalsegmentator_v2"}


@pytest.mark.skipif(not TABLE.is_file(), reason="needs ../shared/data/ct_anatomy")
def test_against_the_published_table():
    with TABLE.open() as stream:
        rows = list(csv.DictReader(stream))
    assert SCHEME.bones == {row["name"]: int(row["label"]) for row in rows if row["bone"] == "1"}
    assert max(int(row["label"]) for row in rows) == SCHEME.highest_label
