"""Pictures for the page: PNG images stripped of everything but pixels."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from engram.errors import StorageError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXEL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"sRGB", b"IDAT", b"IEND"})


@dataclass(frozen=True)
class Picture:
    """One picture with its title and caption. png: bytes of a PNG file; neither text may name a patient."""

    title: str
    caption: str
    png: bytes


@dataclass(frozen=True)
class EmbeddedPicture:
    """A picture as the page holds it. data_uri: base64 PNG; sizes in pixels."""

    title: str
    caption: str
    data_uri: str
    width_px: int
    height_px: int


def embed(picture: Picture) -> EmbeddedPicture:
    """Keep the pixels and drop the rest: text chunks of a PNG may hold names, dates and paths.

    Raises StorageError where the bytes are not a whole PNG file.
    """
    chunks = list(_chunks(picture))
    header = chunks[0][1]
    width_px, height_px = struct.unpack(">II", header[8:16])
    png = _SIGNATURE + b"".join(chunk for kind, chunk in chunks if kind in _PIXEL_CHUNKS)
    data_uri = "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    return EmbeddedPicture(picture.title, picture.caption, data_uri, width_px, height_px)


def _chunks(picture: Picture) -> Iterator[tuple[bytes, bytes]]:
    png, at, kind = picture.png, len(_SIGNATURE), b""
    if not png.startswith(_SIGNATURE) or png[12:16] != b"IHDR":
        raise _damaged(picture)
    while kind != b"IEND":
        # A chunk is its length, its kind, its data and a checksum.
        end = at + 12 + int.from_bytes(png[at : at + 4], "big")
        kind = png[at + 4 : at + 8]
        if len(kind) < 4 or end > len(png):
            raise _damaged(picture)
        yield kind, png[at:end]
        at = end


def _damaged(picture: Picture) -> StorageError:
    return StorageError(f"picture '{picture.title}': not a whole PNG file. Run 'engram embed' again.")
