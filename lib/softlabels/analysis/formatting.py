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
    words = f"<caption>{_inline(caption)}</caption>" if caption else ""
    table = f'<table class="table">{words}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
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

    The caption says what is measured, in which unit, and which way is better. Columns that do not vary move
    into it.
    """
    from IPython.display import display

    if caption:
        frame, caption = varying(frame, caption)
    words = markdown(frame)
    shown = f"<p>{words}</p>" if frame.empty else markup(frame, caption)
    display({"text/html": shown, "text/plain": f"{caption}\n\n{words}" if caption else words}, raw=True)


def varying(frame: "pd.DataFrame", caption: str) -> "tuple[pd.DataFrame, str]":
    """Move columns with one value in all of several rows into the caption, and say which have none."""
    same = {name: frame[name].iloc[0] for name in frame if len(frame) > 1 and frame[name].nunique() == 1}
    if said := "; ".join(f"{name}: {value}" for name, value in same.items() if value != NOTHING):
        caption += f" In all rows {said}."
    if empty := ", ".join(name for name, value in same.items() if value == NOTHING):
        caption += f" No row has a value of: {empty}."
    return frame.drop(columns=list(same)), caption


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


def digits_for(width: float) -> int:
    """Digits after the point that a number of this uncertainty deserves: two to four, three where unknown."""
    return 2 if width >= 0.095 else 4 if width < 0.00095 else 3


def spread(mean: float, sd: float, digits: int | None = None) -> str:
    """Write mean ± standard deviation, as many digits as the latter asks for; it only where there is one."""
    if not math.isfinite(mean):
        return NOTHING
    digits = digits_for(sd) if digits is None else digits
    return number(mean, digits) + (f" ± {number(sd, digits)}" if math.isfinite(sd) else "")


def interval(value: Interval | None, digits: int | None = None) -> str:
    """Write a difference with its interval, in bold where it excludes zero; one pair has none."""
    if value is None:
        return NOTHING
    if digits is None:
        width = math.nan if value.low is None or value.high is None else (value.high - value.low) / 2
        digits = digits_for(width)
    mean = signed(value.mean, digits)
    if value.low is None or value.high is None:
        return f"{mean} (one pair)"
    text = f"{mean} [{number(value.low, digits)}, {number(value.high, digits)}]"
    return f"**{text}**" if value.sign else text
