"""Nuclides: names, codes and half-lives against tables from outside."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from engram.imaging.dicom.nuclides import NUCLIDES, named_nuclide, nuclide_of_half_life

REFERENCE = Path(__file__).resolve().parents[3] / "reference" / "suv"


def table(name: str) -> list[dict[str, str]]:
    with (REFERENCE / name).open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_half_lives_are_those_of_icrp_107():
    reference = {row["nuclide"]: float(row["half_life_s"]) for row in table("half_lives.csv")}
    assert {n.name: n.half_life_s for n in NUCLIDES} == pytest.approx(reference, rel=1e-6)


def test_codes_are_those_of_dicom():
    """Every code of a nuclide here is DICOM's for that nuclide, and so is the meaning that scanners write."""
    rows = {row["code"]: row for row in table("codes.csv")}
    for nuclide in NUCLIDES:
        row = rows[nuclide.codes[0]]
        assert [c for c in (row["code"], row["older_code"]) if c] == list(nuclide.codes)
        assert named_nuclide(row["meaning"]) is nuclide
        assert all(named_nuclide(code) is nuclide for code in nuclide.codes)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("F^18^[^18^Fluorine]", "F-18"),  # a Siemens
        ("18F", "F-18"),  # a GE
        ("Fluorine-18", "F-18"),
        ("F 18", "F-18"),
        (" c-111a1 ", "F-18"),
        ("68Ga", "Ga-68"),
        ("^94m^Technetium", "Tc-94m"),
        ("Zirconium^89", "Zr-89"),
    ],
)
def test_ways_of_writing(text, name):
    found = named_nuclide(text)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("text", ["", "FDG", "99mTc", "Fluorine", "18", "18F-FDG", "F-18 or C-11", "Tc-94"])
def test_no_nuclide_is_guessed(text):
    assert named_nuclide(text) is None


def test_no_two_share_a_name_or_a_code():
    spellings = [s for n in NUCLIDES for s in (*n.spellings, *n.codes)]
    assert len(spellings) == len(set(spellings))


@pytest.mark.parametrize(
    ("seconds", "name"),
    [(6588.0, "F-18"), (6586.2, "F-18"), (4080.0, "Ga-68"), (1224.0, "C-11"), (75.0, "Rb-82"), (14551.2, "Sc-44")],
)
def test_half_lives_as_scanners_write_them(seconds, name):
    found = nuclide_of_half_life(seconds)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("seconds", [109.77, 6.0, 6700.0, 21624.0, 65862.0])
def test_other_half_lives_are_of_no_nuclide(seconds):
    assert nuclide_of_half_life(seconds) is None
