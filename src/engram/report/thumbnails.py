"""Small pictures for a page of many: pixels only, some ten kilobytes each."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from engram.errors import StorageError

WIDTH_PX = 640
_MOST_BYTES = 40_000
_QUALITIES = (75, 60, 45, 30)  # of JPEG; the first that is small enough


@dataclass(frozen=True)
class Thumbnail:
    """data_uri: base64 JPEG; sizes in pixels, at most `WIDTH_PX` wide."""

    data_uri: str
    width_px: int
    height_px: int


def thumbnail(png: Path) -> Thumbnail:
    """Shrink a picture and leave behind all that it says of itself. Raises StorageError where it cannot be read."""
    small = _shrunk(png)
    content = next((c for c in (_jpeg(small, q) for q in _QUALITIES) if len(c) <= _MOST_BYTES), None)
    content = content or _jpeg(small, _QUALITIES[-1])
    uri = "data:image/jpeg;base64," + base64.b64encode(content).decode("ascii")
    return Thumbnail(uri, small.width, small.height)


def _shrunk(png: Path) -> Image.Image:
    try:
        with Image.open(png, formats=["PNG"]) as picture:
            pixels = picture.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise StorageError(f"{png}: not a whole PNG file. Run 'engram embed' again: it is made anew.") from error
    share = min(1.0, WIDTH_PX / pixels.width)
    size = (round(pixels.width * share), max(1, round(pixels.height * share)))
    small, lines = pixels.resize(size, Image.Resampling.BOX), _lines(pixels).resize(size, Image.Resampling.BOX)
    small.paste(lines.convert("RGB"), mask=lines.getchannel("A").point([min(255, 4 * a) for a in range(256)]))
    # A new image: Pillow would carry a comment of the file over.
    return Image.frombytes("RGB", small.size, small.tobytes())


def _lines(pixels: Image.Image) -> Image.Image:
    """What is coloured, the rest transparent: outlines one pixel wide would fade among the grey when shrunk."""
    colours = np.asarray(pixels)
    opaque = (255 * (np.ptp(colours, axis=2) > 0)).astype(np.uint8)
    return Image.fromarray(np.dstack([colours, opaque]))


def _jpeg(image: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    # Colours at full resolution: the outlines are one pixel wide.
    image.save(stream, format="JPEG", quality=quality, subsampling=0, optimize=True)
    return stream.getvalue()
