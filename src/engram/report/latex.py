"""Tables as LaTeX (booktabs), one file each, to be read with \\input."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from engram.report import labels
from engram.report.layout import Column, Table

# What goes into a paper; the others are for the page and for CSV.
TITLES: Final = {
    "table1_image_only": "Image-only configurations (sorted by c-index).",
    "table2_multimodal": "Multimodal configurations (sorted by c-index).",
    "table3_comparison": "Best row of each family, and the baselines.",
    "comparisons": "Images added to the covariates: comparisons declared before any result.",
    "protocols": "Tuned inside the folds, and on the test folds.",
    "beyond_c_index": "Beyond the c-index.",
    "cohort": "Patients.",
}
_WIDE = 7  # columns above which a table is shrunk to the width of the text
_ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "\u2013": "--", "\u201c": "``", "\u201d": "''", "\u00b2": r"\textsuperscript{2}", "\u00b1": r"$\pm$",
    "\u2026": r"\ldots{}", "\u00a0": "~", "\n": " ", "\r": " ",
}  # fmt: skip
_POWER = re.compile(r"(\d\.\d+)e([+-]\d+)")
_SIGNED = re.compile(r"[+-]\d[\d.]*")


def to_latex(table: Table, title: str | None = None) -> str:
    """A float with caption, label and footnotes. A number and its error become one column, as in the paper.

    title: the caption, instead of that of `TITLES`. Raises KeyError for a table that is not one of `TITLES`.
    """
    wide = len(_merged(table.columns)) > _WIDE
    kinds = "".join("l" if table.columns[places[0]].kind == "text" else "r" for places in _merged(table.columns))
    body = [
        rf"\begin{{tabular}}{{{kinds}}}", r"\toprule", _heads(table.columns), r"\midrule",
        *(_line(row, table.columns) for row in table.rows), r"\bottomrule", r"\end{tabular}",
    ]  # fmt: skip
    notes = [*[f"{labels.UNTRAINED}: {labels.UNTRAINED_MEANING}"] * table.untrained, *table.notes]
    return "\n".join(
        [
            rf"% needs \usepackage{{booktabs{',graphicx' * wide}}}; read it with \input{{{table.name}}}",
            r"\begin{table}[htbp]", r"\centering", rf"\caption{{{escape(title or TITLES[table.name])}}}",
            rf"\label{{tab:{table.name.replace('_', '-')}}}", *[r"\resizebox{\linewidth}{!}{%"] * wide, *body,
            *["}"] * wide, *_notes(notes), r"\end{table}", "",
        ]
    )  # fmt: skip


def escape(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(_ESCAPES.get(character, character) for character in text)


def _merged(columns: Sequence[Column]) -> list[list[int]]:
    """Positions of the columns that are printed as one: an error follows its number."""
    places: list[list[int]] = []
    for i, column in enumerate(columns):
        if column.kind == "error" and places:
            places[-1].append(i)
        else:
            places.append([i])
    return places


def _heads(columns: Sequence[Column]) -> str:
    titles = [" $\\pm$ ".join(escape(columns[i].title) for i in places) for places in _merged(columns)]
    return " & ".join(titles) + r" \\"


def _line(row: Sequence[str], columns: Sequence[Column]) -> str:
    cells, merged = [], _merged(columns)
    for number, places in enumerate(merged):
        if places[0] == len(row) - 1 < len(columns) - 1:
            cells.append(rf"\multicolumn{{{len(merged) - number}}}{{l}}{{\emph{{{escape(row[-1])}}}}}")
            break
        cells.append(_cell(row, columns, places))
    return " & ".join(cells) + r" \\"


def _cell(row: Sequence[str], columns: Sequence[Column], places: Sequence[int]) -> str:
    if len(places) == 2 and not row[places[1]].startswith("\u2013"):
        return rf"${row[places[0]]} \pm {row[places[1]]}$"
    text = row[places[0]]
    return escape(text) if columns[places[0]].kind == "text" else _number(text)


def _number(text: str) -> str:
    """A power of ten as one, a sign as a minus sign; what is no number stays text."""
    if _POWER.fullmatch(text):
        return _POWER.sub(lambda m: rf"${m[1]} \times 10^{{{int(m[2])}}}$", text)
    return _SIGNED.sub(lambda m: f"${m[0]}$", escape(text))


def _notes(notes: Sequence[str]) -> list[str]:
    if not notes:
        return []
    return [
        r"\par\medskip",
        r"\begin{minipage}{\linewidth}\footnotesize",
        *(rf"{escape(note)}\par" for note in notes),
        r"\end{minipage}",
    ]
