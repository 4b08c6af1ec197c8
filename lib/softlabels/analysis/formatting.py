"""How numbers, intervals and tables are written: rounded, with a true minus, the same everywhere."""

import html
import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from softlabels.analysis.statistics import Interval

if TYPE_CHECKING:
    import pandas as pd

NOTHING = "–"
LONGEST_LINE = 36  # characters of a table cell
NAMES = {
    "macro_accuracy": "accuracy",
    "kl": "KL",
    "cross_entropy": "cross-entropy",
    "brier": "Brier",
    "ece": "ECE",
    "entropy_correlation": "entropy corr.",
    "second_best_accuracy": "second choice",
}


def markdown(frame: "pd.DataFrame") -> str:
    """Write a table of strings as Markdown; text columns to the left, numbers to the right."""
    if frame.empty:
        return "Nothing here yet."
    head = "| " + " | ".join(map(str, frame.columns)) + " |"
    rule = "|" + "|".join("---:" if right else ":---" for right in _to_the_right(frame)) + "|"
    rows = ["| " + " | ".join(map(str, row)) + " |" for row in frame.itertuples(index=False)]
    return "\n".join([head, rule, *rows])


def _to_the_right(frame: "pd.DataFrame") -> list[bool]:
    return [not any(c.isalpha() for c in "".join(map(str, frame[name]))) for name in frame]


def markup(frame: "pd.DataFrame", caption: str = "") -> str:
    """Write a table of strings as HTML that scrolls sideways on a narrow screen."""
    sides = ["right" if right else "left" for right in _to_the_right(frame)]
    head = _cells("th", frame.columns, sides)
    body = "".join(f"<tr>{_cells('td', row, sides)}</tr>" for row in frame.itertuples(index=False))
    above = f"<caption>{_inline(caption)}</caption>" if caption else ""
    table = f'<table class="table">{above}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div style="overflow-x:auto;font-size:0.85em">{table}</div>'


def _cells(tag: str, row: Iterable[object], sides: Sequence[str]) -> str:
    cells = []
    for text, side in zip(map(str, row), sides, strict=True):
        # An interval broken over lines cannot be read; a sentence has to be broken.
        wrap = "normal;min-width:22em" if len(text) > LONGEST_LINE else "nowrap"
        cells.append(f'<{tag} style="text-align:{side};white-space:{wrap}">{_inline(text)}</{tag}>')
    return "".join(cells)


def _inline(text: str) -> str:
    return re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", html.escape(text))


def show(frame: "pd.DataFrame", caption: str = "") -> None:
    """Display a table in a notebook: HTML for the page, Markdown for plain text.

    The caption names measure, unit, direction, and what is the same in all rows; without one, the site takes
    the heading of the section.
    """
    from IPython.display import display

    words = markdown(frame)
    display(
        {"text/html": f"<p>{words}</p>" if frame.empty else markup(frame, caption), "text/plain": words},
        raw=True,
    )


def number(value: float, digits: int = 4) -> str:
    """Write a number, with a true minus and never a negative zero."""
    if not math.isfinite(value):
        return NOTHING
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def p_value(p: float, digits: int = 3) -> str:
    """Write a p value, never as zero: below the last digit it is only bounded."""
    least = 10.0**-digits
    return f"< {number(least, digits)}" if p < least else number(p, digits)


def signed(value: float, digits: int = 4) -> str:
    """Write a difference with its sign, unless it rounds to zero."""
    return ("+" if round(value, digits) > 0 else "") + number(value, digits)


def spread(mean: float, sd: float, digits: int = 4) -> str:
    """Write mean ± standard deviation; the latter only where there is one."""
    if not math.isfinite(mean):
        return NOTHING
    return number(mean, digits) + (f" ± {number(sd, digits)}" if math.isfinite(sd) else "")


def interval(value: Interval | None, digits: int = 4) -> str:
    """Write a difference with its interval, in bold where it excludes zero; one pair has none."""
    if value is None:
        return NOTHING
    mean = signed(value.mean, digits)
    if value.low is None or value.high is None:
        return f"{mean} (one pair)"
    text = f"{mean} [{number(value.low, digits)}, {number(value.high, digits)}]"
    return f"**{text}**" if value.sign else text
