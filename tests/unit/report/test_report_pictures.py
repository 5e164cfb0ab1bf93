"""Pictures keep their pixels and lose everything else."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image, ImageChops

from engram.errors import StorageError
from engram.report.pictures import Picture, embed


def decoded(uri: str) -> bytes:
    return base64.b64decode(uri.removeprefix("data:image/png;base64,"))


def test_a_name_in_the_file_does_not_reach_the_page(picture: Picture) -> None:
    assert b"Doe^Jane" in picture.png
    assert b"Doe^Jane" not in decoded(embed(picture).data_uri)


def test_pixels_and_size_are_kept(picture: Picture) -> None:
    made = embed(picture)
    before, after = Image.open(io.BytesIO(picture.png)), Image.open(io.BytesIO(decoded(made.data_uri)))
    assert (made.width_px, made.height_px) == before.size == (640, 168)
    assert ImageChops.difference(before, after).getbbox() is None


@pytest.mark.parametrize("end", [0, 4, 20, -5, -30])
def test_a_damaged_picture_is_refused_by_its_title(picture: Picture, end: int) -> None:
    with pytest.raises(StorageError, match=r"picture 'PET, spine_dilated': not a whole PNG file"):
        embed(Picture(picture.title, picture.caption, picture.png[:end]))


def test_another_format_is_refused(picture: Picture) -> None:
    stream = io.BytesIO()
    Image.open(io.BytesIO(picture.png)).save(stream, format="JPEG")
    with pytest.raises(StorageError, match="not a whole PNG file"):
        embed(Picture("t", "c", stream.getvalue()))
