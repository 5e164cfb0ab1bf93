import csv
from itertools import pairwise
from pathlib import Path

import pytest

from engram.config_images import LABEL_SCHEMES
from engram.errors import ConfigError
from engram.roi.bones import BONES, CODES, ORGANS, RIBS, VERTEBRAE
from engram.roi.labels import SCHEMES, label_scheme, scheme_of

TABLE = Path(__file__).resolve().parents[4] / "shared" / "data" / "ct_anatomy" / "labels.csv"
TOTAL = label_scheme("totalsegmentator-2/total").labels
LEVELS = {name for name in VERTEBRAE if name not in ("vertebrae_T13", "vertebrae_L6")}
RIBS_12 = {name for name in RIBS if not name.endswith("_13")}


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
        ("spinal_cord", 79),
        ("skull", 91),
        ("rib_left_1", 92),
        ("rib_left_12", 103),
        ("rib_right_1", 104),
        ("rib_right_12", 115),
        ("sternum", 116),
    ],
)
def test_values_of_requirement_45(bone, label):
    assert TOTAL[bone] == label


@pytest.mark.parametrize(
    ("task", "bone", "old", "new"),
    [
        ("moose/clin_ct_peripheral_bones", "humerus_left", 9, 11),
        ("moose/clin_ct_peripheral_bones", "phalanges_hand_left", 17, 9),
        ("moose/clin_ct_peripheral_bones", "skull", 23, 23),
        ("moose/clin_ct_peripheral_bones", "ulna_right", 31, 31),
        ("moose/clin_ct_vertebrae", "vertebrae_S1", 25, None),
        ("moose/clin_ct_vertebrae", "vertebrae_L6", None, 25),
        ("moose/clin_ct_vertebrae", "sacrum", 28, 28),
        ("moose/clin_ct_ribs", "rib_left_13", None, 13),
        ("moose/clin_ct_ribs", "rib_right_1", 13, 14),
        ("moose/clin_ct_ribs", "sternum", 25, 27),
        ("moose/clin_ct_organs", "liver", 5, 8),
        ("totalsegmentator/total", "vertebrae_L5", 18, 27),
        ("totalsegmentator/total", "sacrum", 92, 25),
        ("totalsegmentator/total", "femur_right", 89, 76),
        ("totalsegmentator/total", "rib_left_1", 58, 92),
    ],
)
def test_numbers_that_moved_between_versions(task, bone, old, new):
    tool, _, name = task.partition("/")
    first, second = {"moose": ("2", "3"), "totalsegmentator": ("1", "2")}[tool]
    assert label_scheme(f"{tool}-{first}/{name}").labels.get(bone) == old
    assert label_scheme(f"{tool}-{second}/{name}").labels.get(bone) == new


def test_ribs_of_totalsegmentator_stood_in_another_order_up_to_2_1():
    before = label_scheme("totalsegmentator-2.1/total").labels
    assert [before[f"rib_right_{n}"] for n in (3, 4, 1, 2, 5, 12)] == [93, 92, 106, 107, 108, 115]
    assert [before["rib_left_1"], before["rib_left_12"]] == [94, 105]
    moved = {name for name in before if before[name] != TOTAL[name]}
    assert moved == {f"rib_left_{n}" for n in range(1, 13)} | {f"rib_right_{n}" for n in range(1, 5)}


@pytest.mark.parametrize("name", SCHEMES)
def test_a_table_gives_each_name_once_and_knows_the_bones(name):
    scheme = SCHEMES[name]
    assert len(scheme.labels) == len(scheme.values)
    assert set(scheme.labels) <= {*BONES, *ORGANS}
    assert min(scheme.values) >= 1
    assert max(scheme.values) <= scheme.highest_label


@pytest.mark.parametrize("name", [n for n in SCHEMES if "total" in n.split("/")[1] or "vertebrae" in n])
def test_every_vertebra_is_there(name):
    assert set(SCHEMES[name].labels) >= LEVELS


@pytest.mark.parametrize("name", [n for n in SCHEMES if n.split("/")[1] in ("total", "total_v3", "clin_ct_ribs")])
def test_every_rib_is_there(name):
    assert set(SCHEMES[name].labels) >= RIBS_12


@pytest.mark.parametrize("version", ["2", "3"])
def test_the_bone_tasks_of_moose_cover_the_skeleton(version):
    found = {n for task in ("vertebrae", "ribs", "peripheral_bones")
             for n in SCHEMES[f"moose-{version}/clin_ct_{task}"].labels}  # fmt: skip
    sided = {b for b in BONES if b + "_left" not in BONES}
    seldom = {"vertebrae_T13", "vertebrae_L6", "vertebrae_S1", "rib_left_13", "rib_right_13"}
    assert found | seldom == sided


def test_codes_are_bones_first_then_organs():
    assert list(CODES) == [*BONES, *ORGANS]
    assert list(CODES.values()) == list(range(1, len(CODES) + 1))
    assert len(CODES) < 256


def test_unknown_scheme():
    with pytest.raises(ConfigError, match=r"'moose'; use one of totalsegmentator-1/total, "):
        label_scheme("moose")


def test_the_study_file_knows_the_same_schemes():
    assert set(LABEL_SCHEMES) == set(SCHEMES)


@pytest.mark.parametrize(
    ("tool", "task", "version", "name"),
    [
        ("moose", "clin_ct_ribs", "2.2.30", "moose-2/clin_ct_ribs"),
        ("MOOSE", "clin_ct_ribs", "2.6.2", "moose-2/clin_ct_ribs"),
        ("moose", "clin_ct_ribs", "2.6.3", "moose-3/clin_ct_ribs"),
        ("moose", "clin_ct_ribs", "3.0.14", "moose-3/clin_ct_ribs"),
        ("TotalSegmentator", "total", "1.5.7", "totalsegmentator-1/total"),
        ("totalsegmentator", "total", "2.1.0", "totalsegmentator-2.1/total"),
        ("totalsegmentator", "total", "v2.10.0", "totalsegmentator-2/total"),
    ],
)
def test_the_scheme_of_a_version(tool, task, version, name):
    assert scheme_of(tool, task, version).name == name


@pytest.mark.parametrize(
    ("tool", "task", "version", "known"),
    [
        ("moose", "clin_ct_ribs", "3.3.0", "2.6.3 to 3.2.2"),
        ("moose", "clin_ct_ribs", "2.0.20", "2.2.30 to 2.6.2"),
        ("totalsegmentator", "total", "2.2.0", "2.2.1 to 2.18.0"),
        ("totalsegmentator", "total", "main", "2.2.1 to 2.18.0"),
        ("totalsegmentator", "lung_vessels", "2.18.0", "none of this task"),
    ],
)
def test_a_version_that_no_table_was_compared_with_is_refused(tool, task, version, known):
    with pytest.raises(ConfigError, match=known) as caught:
        scheme_of(tool, task, version)
    assert version in str(caught.value)


def test_versions_of_a_task_do_not_overlap():
    for task in {(s.tool, s.task) for s in SCHEMES.values()}:
        ranges = sorted((s.first_version, s.last_version) for s in SCHEMES.values() if (s.tool, s.task) == task)
        assert all(first <= last for first, last in ranges)
        assert all(before[1] < after[0] for before, after in pairwise(ranges))


@pytest.mark.skipif(not TABLE.is_file(), reason="needs ../shared/data/ct_anatomy")
def test_against_the_published_table():
    with TABLE.open() as stream:
        rows = list(csv.DictReader(stream))
    bones = {name: label for name, label in TOTAL.items() if name in BONES}
    assert bones == {row["name"]: int(row["label"]) for row in rows if row["bone"] == "1"}
    assert max(int(row["label"]) for row in rows) == label_scheme("totalsegmentator-2/total").highest_label
