"""How the report writes numbers, so that the page, the CSV files and the figures agree to the last digit."""

from __future__ import annotations

EN_DASH = "–"

_SMALLEST_PLAIN_P = 0.001


def number(value: float | None, decimals: int = 3) -> str:
    """A number in plain decimals, without a minus where it rounds to nothing; an en dash where there is none."""
    if value is None:
        return EN_DASH
    text = f"{value:.{decimals}f}"
    return text if float(text) else text.removeprefix("-")


def p_value(p: float | None) -> str:
    """`0.031`, or `2.08e-04` below one in a thousand; an en dash where there is none."""
    if p is None:
        return EN_DASH
    return f"{p:.3f}" if p >= _SMALLEST_PLAIN_P else f"{p:.2e}"


def signed(value: float | None, decimals: int = 3) -> str:
    """A difference with its sign, which what rounds to nothing has not; an en dash where there is none."""
    if value is None:
        return EN_DASH
    text = f"{value:+.{decimals}f}"
    return text if float(text) else text[1:]


def interval(lower: float | None, upper: float | None, decimals: int = 3) -> str:
    """`0.601 to 0.716`; an en dash where there is none."""
    if lower is None or upper is None:
        return EN_DASH
    return f"{number(lower, decimals)} to {number(upper, decimals)}"


def signed_interval(lower: float | None, upper: float | None) -> str:
    """`-0.004 to +0.086`, of a difference; an en dash where there is none."""
    return EN_DASH if lower is None or upper is None else f"{signed(lower)} to {signed(upper)}"


def months(value: float | None) -> str:
    """A time in months; an en dash where there is none (a median that is not reached)."""
    return number(value, 1)


def or_dash(text: str) -> str:
    """The saved `-` (not applicable) as an en dash, which is how the paper prints it."""
    return EN_DASH if text == "-" else text


def joined(parts: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def share(count: int, total: int) -> str:
    """`49 (21.6 %)`; the count alone of nobody."""
    return f"{count} ({100 * count / total:.1f} %)" if total else str(count)
