"""Votes from a table whose columns are known: lines, counts, shares, annotators or votes side by side."""

from typing import TYPE_CHECKING

import numpy as np

from softlabels.datasets.collection import normal, quoted
from softlabels.datasets.formats.columns import NoPlan, Plan, planned
from softlabels.datasets.formats.containers import MAX_COUNT, VOTE, Options, Reading, Table, no_votes

if TYPE_CHECKING:
    import pandas as pd

FORMS = {
    "long": "a line for each vote",
    "counts": "a line for each image with counts of classes",
    "annotators": "a line for each image with a column for each annotator",
    "labels": "a line for each image with its votes side by side",
}
WITHIN = 0.005  # of one, for shares that were rounded to two digits


def read(table: Table, options: Options) -> Reading:
    """Read votes from a table; what the header leaves open becomes a question."""
    reading = Reading(table.kind, no_votes(), problems=table.problems)
    _check_names(table)
    if not table.header or table.rows is None:
        return reading
    try:
        plan = planned(table, options)
    except NoPlan as none:
        found, remedy = none.args
        table.problem("columns not understood", found, remedy, 1)
        return reading
    if plan.question:
        _ask(table, plan, options)
    forms = {"long": _long, "counts": _counts, "annotators": _side_by_side, "labels": _side_by_side}
    reading.votes = forms[plan.form](table, plan, options)
    reading.format = f"{table.kind}, {FORMS[plan.form]}"
    reading.named = plan.form == "annotators" or bool(plan.annotator)
    reading.classes = plan.columns if plan.form == "counts" else ()
    reading.taken = plan.taken()
    if plan.ignored:
        shown = ", ".join(map(quoted, plan.ignored[:8]))
        more = f" and {len(plan.ignored) - 8} more" if len(plan.ignored) > 8 else ""
        reading.notes.append(f"Columns that are not read: {shown}{more}.")
    return reading


def _check_names(table: Table) -> None:
    twice = sorted({name for name in table.header if table.header.count(name) > 1})
    for name in twice:
        what = f"column {quoted(name)} occurs twice" if name else "more than one column without a name"
        table.problem("column twice", what, "rename or remove one", 1)
    if twice:
        table.header = []  # cells cannot be told apart


def _ask(table: Table, plan: Plan, options: Options) -> None:
    header = "" if options.header else " --no-header"
    fractions = f" --fractions {options.fractions}" if options.fractions else ""
    # The folder is put in place of {} where it is known.
    remedy = f"if so: softlabels convert {{}} {plan.option()}{header}{fractions}"
    table.problem("question about columns", plan.question, remedy, 1)


def _frame(
    image: "pd.Series", annotator: object, label: object, count: object, table: Table, lines: object
) -> "pd.DataFrame":
    import pandas as pd

    columns = (image, annotator, label, count, table.file, lines)
    return pd.DataFrame(dict(zip(VOTE, columns, strict=True))).astype({"count": "int64"})


def _long(table: Table, plan: Plan, options: Options) -> "pd.DataFrame":
    image, label = table.column(plan.image), table.column(plan.label)
    who = table.column(plan.annotator) if plan.annotator else ""
    if not plan.count:
        return _frame(image, who, label, 1, table, table.lines)
    counts = _checked_counts(table, [plan.count])[:, 0]
    return _frame(image, who, label, np.nan_to_num(counts), table, table.lines)


def _counts(table: Table, plan: Plan, options: Options) -> "pd.DataFrame":
    names = list(plan.columns)
    if options.fractions:
        values = _from_fractions(table, names, options.fractions)
    else:
        shares = _shares(table, names)
        values = _checked_counts(table, names) if shares is None else shares
    image = table.column(plan.image)
    _image_twice(table, image)
    if not names:
        return no_votes()
    kept = np.isfinite(values).all(1) & ~image.map(normal).duplicated().to_numpy()
    given = (values > 0) & kept[:, None]
    given[kept & ~given.any(1), 0] = True  # a line without a vote counts none: its image has to be there
    row, k = np.nonzero(given)
    lines = np.array(table.lines, np.int64)[row]
    return _frame(image.to_numpy()[row], "", np.array(names, object)[k], values[row, k], table, lines)


def _image_twice(table: Table, image: "pd.Series") -> None:
    names = image.map(normal)
    first: dict[str, int] = {}
    for line, name, again in zip(table.lines, names, names.duplicated(), strict=True):
        if again:
            what = f"image {quoted(name)} stands in line {first[name]} too"
            table.problem("image twice", what, "add its counts up in one line", line or None)
        first.setdefault(name, line)


def _checked_counts(table: Table, names: list[str]) -> np.ndarray:
    """Counts [rows, columns] as float64; nan, and a problem, where a cell is none."""
    columns = []
    for name in names:
        cells = table.column(name).str.strip()
        whole = cells.str.removesuffix(".0")  # spreadsheets like to add it
        digits = whole.str.fullmatch(r"[0-9]{1,7}")
        values = np.where(digits, whole.where(digits, "0"), "0").astype(np.int64).astype(np.float64)
        good = digits.to_numpy(bool) & (values <= MAX_COUNT)
        for i in np.flatnonzero(~good).tolist():
            what = f"{quoted(cells.iloc[i])} for class {quoted(name)}"
            remedy = f"expected a count, a whole number from 0 to {MAX_COUNT}"
            table.problem("not a count", what, remedy, table.lines[i] or None)
        columns.append(np.where(good, values, np.nan))
    return np.stack(columns, 1) if columns else np.zeros((len(table.lines), 0))


def _shares(table: Table, names: list[str]) -> np.ndarray | None:
    """No counts, and one problem, where the cells are shares that add up to one; else None."""
    values = _floats(table, names)
    sums = values[np.isfinite(values).all(1)].sum(1) if values.size else np.zeros(0)
    finite = values[np.isfinite(values)]
    fractions = float((finite % 1 != 0).mean()) if finite.size else 0.0
    adds = float((np.abs(sums - 1) < WITHIN * max(2, len(names))).mean()) if len(sums) else 0.0
    shares = fractions > 0 and finite.max() <= 1 and adds > 0.5
    if not shares and (fractions < 0.3 or len(sums) < 0.5 * len(values)):
        return None
    what = f"fractions in columns {', '.join(map(quoted, names[:4]))}" + (
        " that add up to one: shares, not counts" if adds > 0.9 else ""
    )
    remedy = "write counts, or name the number of annotators of an image: softlabels convert {} --fractions N"
    table.problem("shares in place of counts", what, remedy)
    return np.full(values.shape, np.nan)


def _floats(table: Table, names: list[str]) -> np.ndarray:
    import pandas as pd

    cells = [pd.to_numeric(table.column(name).str.strip(), errors="coerce") for name in names]
    return np.stack([c.to_numpy(np.float64) for c in cells], 1) if cells else np.zeros((len(table.lines), 0))


def _from_fractions(table: Table, names: list[str], annotators: int) -> np.ndarray:
    """Counts from shares of a number of annotators; rows that are none, or no whole votes, are problems."""
    shares = _floats(table, names)
    counts = np.round(shares * annotators)
    for i, row in enumerate(shares):
        line, remedy = table.lines[i] or None, "correct or remove the line"
        if not np.isfinite(row).all() or (row < 0).any() or (row > 1).any():
            table.problem("not a share", "a cell that is no share from 0 to 1", remedy, line)
        elif abs(row.sum() - 1) > WITHIN * max(2, len(names)):
            what = f"shares that add up to {row.sum():.4g}, expected 1"
            table.problem("shares that do not add up to one", what, remedy, line)
        elif (
            np.abs(row * annotators - counts[i]).max() > WITHIN * annotators + 1e-9
            or counts[i].sum() != annotators
        ):
            what = f"shares that are no whole votes of {annotators} annotators"
            table.problem("no whole votes", what, "name the number of annotators with --fractions", line)
        else:
            continue
        counts[i] = np.nan
    return counts


def _side_by_side(table: Table, plan: Plan, options: Options) -> "pd.DataFrame":
    """Annotators, or votes of nobody in particular, in columns; an empty cell is no vote."""
    import pandas as pd

    image, named = table.column(plan.image), plan.form == "annotators"
    _image_twice(table, image)
    first = ~image.map(normal).duplicated()
    parts = []
    for name in plan.columns:
        cells = table.column(name)
        said = (cells.str.strip() != "") & first
        lines = np.array(table.lines, np.int64)[said.to_numpy()]
        parts.append(_frame(image[said], name if named else "", cells[said], 1, table, lines))
    return pd.concat(parts, ignore_index=True) if parts else no_votes()
