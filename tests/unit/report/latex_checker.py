"""A small reader of LaTeX tables: braces, environments, alignment, and no character of TeX's own."""

from __future__ import annotations

import re

_ENVIRONMENT = re.compile(r"\\(begin|end)\{(\w+)\}")
_ESCAPED = re.compile(r"\\[&%$#_{}\\]")
_MULTICOLUMN = re.compile(r"\\multicolumn\{(\d+)\}")


def check_latex(text: str) -> None:
    """Raises AssertionError with the line where LaTeX would stop, or print something else."""
    lines = [line for line in text.splitlines() if not line.startswith("%")]
    body = "\n".join(lines)
    _check_environments(body)
    bare = _ESCAPED.sub("", body)
    assert bare.count("{") == bare.count("}"), "braces that are not closed"
    for line in lines:
        _check_line(line)
    _check_columns(lines)


def _check_environments(body: str) -> None:
    still_open: list[str] = []
    for what, name in _ENVIRONMENT.findall(body):
        if what == "begin":
            still_open.append(name)
        else:
            assert still_open, f"{name} ends and never began"
            assert still_open.pop() == name, f"{name} ends before what began inside"
    assert not still_open, f"{still_open} never end"


def _check_line(line: str) -> None:
    bare = _ESCAPED.sub("", line)
    outside = re.sub(r"\$[^$]*\$", "", bare)
    assert bare.count("$") % 2 == 0, f"formula without an end: {line}"
    if r"\label" not in line:
        assert not re.search(r"[_^#]", outside), f"a character of TeX's own: {line}"
    assert "%" not in bare or bare.endswith("{!}{%"), f"the rest is a comment: {line}"
    assert line.isascii() or not re.search("[–±“”²…]", line), f"a character that needs a package: {line}"


def _check_columns(lines: list[str]) -> None:
    head = next(line for line in lines if line.startswith(r"\begin{tabular}"))
    columns = len(re.findall(r"\{([lr]+)\}$", head)[0])
    inside = lines[lines.index(r"\toprule") : lines.index(r"\bottomrule")]
    for line in inside:
        if line.endswith(r"\\"):
            spanned = sum(int(many) - 1 for many in _MULTICOLUMN.findall(line))
            cells = len(re.findall(r"(?<!\\)&", line)) + 1 + spanned
            assert cells == columns, f"{cells} cells in {columns} columns: {line}"
