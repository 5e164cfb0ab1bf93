"""Reads a page back as a reader would: sections, their tables, and what the page loads."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from html.parser import HTMLParser

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    """What a drawing says, in its order."""
    return ["".join(node.itertext()).strip() for node in ET.fromstring(svg).iter(f"{SVG}text")]


@dataclass
class Section:
    headings: list[str] = field(default_factory=list)
    tables: list[list[list[str]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    bare_words: list[str] = field(default_factory=list)  # outside of drawings

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def bare_text(self) -> str:
        return " ".join(" ".join(self.bare_words).split())


class Page(HTMLParser):
    """`sections` by id; `tags` in order; `loads`: every address that an element points to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.sections: dict[str, Section] = {}
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []
        self._open: Section | None = None
        self._cell = self._heading = self._drawing = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self.loads += [v for k, v in attrs if k in ("src", "href", "xlink:href", "srcset", "action", "data") and v]
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if tag in ("section", "header"):
            self._open = self.sections.setdefault(str(found["id"]), Section())
        self._drawing = self._drawing or tag == "svg"
        if self._open is None:
            return
        if tag == "table":
            self._open.tables.append([])
        if tag == "tr":
            self._open.tables[-1].append([])
        if tag in ("td", "th"):
            self._open.tables[-1][-1].append("")
            self._cell = True
        if tag == "h2":
            self._open.headings.append("")
            self._heading = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._cell = False
        if tag == "h2":
            self._heading = False
        if tag == "svg":
            self._drawing = False
        if tag in ("section", "header"):
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._open is None:
            return
        self._open.words.append(data)
        if not self._drawing:
            self._open.bare_words.append(data)
        if self._cell:
            self._open.tables[-1][-1][-1] += data
        if self._heading:
            self._open.headings[-1] += data
