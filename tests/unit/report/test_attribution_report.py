"""The tables and the body figure of occlusion maps print the numbers that were saved, and no others."""

from __future__ import annotations

import re

import pytest
from page_reader import texts

from engram.evaluation.attribution_records import AROUND, Attribution, MapControl, PartAttribution
from engram.report.attribution import attribution_table, controls_table
from engram.report.figures.body import draw_body, shade_of
from engram.report.figures.skeleton import BONES, HIGH, WIDE
from engram.roi.anatomy import PARTS


def part(name: str, per_ml: float | None = None, *, n: int = 12, sure: bool = True) -> PartAttribution:
    known = per_ml is not None
    return PartAttribution(
        part=name,
        n=n if known else 0,
        volume_ml=250.4 if known else None,
        share=per_ml / 10 if known else None,
        share_lower=per_ml / 20 if known and sure else None,
        share_upper=per_ml / 5 if known and sure else None,
        per_ml=per_ml,
        per_ml_lower=per_ml / 2 if known and sure else None,
        per_ml_upper=per_ml * 2 if known and sure else None,
    )


def found(*, flat: int = 0, sure: bool = True) -> Attribution:
    """The skull looked at a fifth as much as its volume, the lumbar spine 3 times as much, the limbs in no map."""
    values = {"skull": 0.2, "lumbar spine": 3.0, "thoracic spine": 1.0, "limbs": None}
    parts = [part(name, values.get(name, 0.5), sure=sure) for name in (*PARTS, AROUND)]
    return Attribution(row="PET, volume", roi="skeleton", n=12, flat=flat, patch_ml=64.0, parts=parts)


def test_every_part_that_any_map_covers_has_a_line() -> None:
    table = attribution_table([found()], untrained=True)
    lines = {row[2]: row for row in table.rows}
    assert "limbs" not in lines
    assert len(lines) == len(PARTS)
    assert lines["lumbar spine"] == (
        "PET, volume", "skeleton", "lumbar spine", "12", "250", "30.0", "15.0 to 60.0", "3.00", "1.50 to 6.00",
    )  # fmt: skip
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert table.untrained
    assert not any("left out" in note for note in table.notes)


def test_what_is_not_known_is_a_dash_and_flat_maps_are_named() -> None:
    table = attribution_table([found(flat=3, sure=False)], untrained=False)
    assert table.rows[0][-4:] == ("2.0", "–", "0.20", "–")
    assert "PET, volume: 3 patients with a flat map are left out." in table.notes


def test_controls_say_how_alike_the_maps_are() -> None:
    one = MapControl(
        row="PET, volume", control="untrained weights", n=12, flat=1, absolute=0.314, absolute_lower=0.2,
        absolute_upper=0.4, signed=-0.004, signed_lower=None, signed_upper=None,
    )  # fmt: skip
    table = controls_table([one], untrained=False)
    assert table.rows == (
        ("PET, volume", "untrained weights", "12", "0.31", "0.20 to 0.40", "0.00", "–"),
    )  # fmt: skip
    assert any("1 patients" in note for note in table.notes)


def test_the_body_has_a_shape_for_every_part_and_stays_on_its_picture() -> None:
    assert set(BONES) == set(PARTS)
    points = [point for bones in BONES.values() for bone in bones for point in bone.points]
    assert all(0 < x < WIDE and 0 < y < HIGH for x, y in points)
    for name in set(PARTS) - {"skull"}:
        xs = sorted(round(x, 6) for bone in BONES[name] for x, _ in bone.points)
        assert xs == sorted(round(WIDE - x, 6) for x in xs), f"{name} is not symmetric"


def test_the_body_prints_each_number() -> None:
    drawn = texts(draw_body(found(), untrained=False).svg)
    assert {"skull", "0.20", "(0.10 to 0.40)", "2.0 %", "lumbar spine", "3.00", "30.0 %"} <= set(drawn)
    assert drawn[drawn.index("limbs") + 1] == "in no map"
    assert "PET, volume (skeleton)" in drawn
    assert "(0.10 to 0.40)" not in texts(draw_body(found(sure=False), untrained=False).svg)


def darkness(colour: str) -> float:
    return -sum(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def test_a_part_smaller_than_a_patch_has_no_shade_of_its_own() -> None:
    small = part("skull", 0.2).model_copy(update={"volume_ml": 9.0, "per_ml": None, "per_ml_lower": None})
    one = found().model_copy(update={"parts": [small]})
    drawn = texts(draw_body(one, untrained=False).svg)
    assert "smaller than a patch" in drawn
    assert drawn[drawn.index("skull") :].count("–") == 1
    assert attribution_table([one], untrained=False).rows[0][-2:] == ("–", "–")
    assert "smaller than a patch" not in texts(draw_body(found(), untrained=False).svg)


def test_the_more_of_the_sensitivity_per_ml_the_darker() -> None:
    shades = [darkness(shade_of(value)) for value in (None, 0.3, 0.7, 1.7, 3.9)]
    assert shades == sorted(set(shades))
    assert shade_of(5.0) == shade_of(50.0)
    assert shade_of(0.0) == shade_of(0.01) != shade_of(None)


def test_each_part_has_its_own_shade() -> None:
    svg = draw_body(found(), untrained=False).svg
    for per_ml, name in ((0.2, "skull"), (3.0, "lumbar spine"), (1.0, "thoracic spine")):
        filled = sum(bone.width_pt is None for bone in BONES[name])
        assert len(re.findall(f"fill: {shade_of(per_ml)}", svg)) >= filled


@pytest.mark.parametrize("untrained", [True, False])
def test_untrained_weights_are_named_and_the_same_numbers_give_the_same_bytes(untrained: bool) -> None:
    drawing = draw_body(found(flat=2), untrained=untrained)
    assert ("Untrained weights" in texts(drawing.svg)) is untrained
    assert drawing == draw_body(found(flat=2), untrained=untrained)
    assert "2 patients with a flat map are left out" in drawing.caption
