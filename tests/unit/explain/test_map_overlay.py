"""The overlay of a planted map: its colours where the changes are, its scale symmetric, its words on it."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from engram.explain.overlay import LOWERS, OUTLINE, RAISES, draw_overlay
from engram.imaging.align import AlignedPet
from engram.imaging.study import ImagePair
from engram.imaging.volume import Grid, Volume

GRID = Grid((30, 20, 20), (10.0, 10.0, 10.0))
WINDOWS = {"CT": (-500.0, 1300.0), "PET": (0.0, 10.0)}


def region() -> np.ndarray:
    mask = np.zeros(GRID.shape, bool)
    mask[5:25, 5:15, 5:15] = True
    return mask


def drawn(change: np.ndarray, **changed: object) -> str:
    scan = np.random.default_rng(0).normal(0, 300, GRID.shape).astype(np.float32)
    pair = ImagePair(Volume(scan, GRID), AlignedPet(Volume(np.abs(scan) / 100, GRID), 1.0))
    given = {"windows": WINDOWS, "name": "overlay", "title": "Patient 3, PET", "untrained": False} | changed
    return draw_overlay(pair, region(), change, **given).svg  # type: ignore[arg-type]


def changes(low: float = -0.4, high: float = 0.1) -> np.ndarray:
    """Negative in the upper half of the region and positive in the lower one."""
    change = np.full(GRID.shape, np.nan, np.float32)
    change[5:15, 5:15, 5:15] = high
    change[15:25, 5:15, 5:15] = low
    return change


def words(svg: str) -> list[str]:
    return re.findall(r">([^<>\n]+)</text>", svg)


def layers(svg: str) -> list[np.ndarray]:
    """Every image in the figure, RGBA: of each view the scan and then the map, and last the scale of colours."""
    found = re.findall(r'data:image/png;base64,([^"]+)"', svg)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGBA")) for text in found]


def of(layer: np.ndarray, colour: str) -> np.ndarray:
    rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return (layer[..., :3] == rgb).all(axis=-1) & (layer[..., 3] > 0)


def test_what_raises_the_risk_is_orange_above_and_what_lowers_it_blue_below() -> None:
    images = layers(drawn(changes()))
    assert len(images) == 7
    for view in images[1:6:2]:
        raises, lowers = (np.flatnonzero(of(view, colour).any(axis=1)) for colour in (RAISES, LOWERS))
        assert raises.max() < lowers.min()
        # 0.4 of the limit is clear as 0.4 of the most opaque, and 0.1 a quarter of that
        assert view[..., 3][of(view, RAISES)].mean() == pytest.approx(
            4 * view[..., 3][of(view, LOWERS)].mean(), rel=0.02
        )
        assert of(view, OUTLINE).any()


def test_the_scale_is_symmetric_and_says_the_direction() -> None:
    said = words(drawn(changes()))
    assert {"-0.4", "0", "+0.4", "raises the risk", "lowers the risk", "Patient 3, PET"} <= set(said)
    assert said.index("raises the risk") < said.index("lowers the risk")
    assert "+0.2" in words(drawn(changes(low=-0.1, high=0.2)))


def test_every_view_has_its_letters_and_a_scale_bar() -> None:
    said = words(drawn(changes()))
    assert [said.count(letter) for letter in "RLAPSI"] == [2, 2, 1, 1, 3, 3]
    assert sum(bool(re.fullmatch(r"\d+ mm", word)) for word in said) == 3


def test_a_flat_map_is_said_to_be_flat() -> None:
    svg = drawn(changes(0.0, 0.0))
    assert "No patch changes the log-risk." in words(svg)
    assert not any(of(view, RAISES).any() or of(view, LOWERS).any() for view in layers(svg)[1::2])


def test_changes_outside_the_region_do_not_set_the_scale() -> None:
    change = changes()
    change[0, 0, 0] = 7
    assert "+0.4" in words(drawn(change))


@pytest.mark.parametrize("untrained", [True, False])
def test_untrained_weights_are_named(untrained: bool) -> None:
    assert ("Untrained weights" in words(drawn(changes(), untrained=untrained))) is untrained


def test_the_same_map_gives_the_same_bytes() -> None:
    assert drawn(changes()) == drawn(changes())
