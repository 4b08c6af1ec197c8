"""A look at annotated data before anything is trained: facts, agreement, and every problem in one pass."""

import csv
import html
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import numpy as np

from softlabels.analysis.formatting import number
from softlabels.datasets import folder, images
from softlabels.datasets.base import file_sha256
from softlabels.datasets.collection import Collection, Problem, listed, printable, quoted, summary
from softlabels.datasets.formats import Options
from softlabels.errors import DataError
from softlabels.labels import agreement, votes

FINE, PROBLEMS, UNREADABLE = 0, 1, 2  # exit statuses
SHOWN = 30  # causes of problems in the terminal
ON_PAGE = 5000  # problems on the HTML page
SMALL_CLASS = 10  # images below which a class can hardly be learnt
MISSING_WORDS = ("nan", "na", "n/a", "null", "none", "?", "-")
JOINED = re.compile(r"\s*[;|,/+&]\s*")  # between the classes of a vote for several


@dataclass(frozen=True)
class Report:
    """What `inspect` found.

    Attributes
    ----------
    facts : list of (str, str)
        Name and value, ready to be read.
    classes : list of (class, images whose majority it is, share of all annotations)
    per_image : list of (annotations, images)
    annotators : list of (name, Annotator)
        The most conspicuous first.
    notes : list of str
        What is allowed and yet worth a look.
    problems : sequence of Problem
        What has to be put right before the data can be loaded.
    status : int
        0: fine; 1: problems; 2: nothing could be read.
    """

    path: str
    status: int
    problems: Sequence[Problem]
    facts: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    classes: list[tuple[str, int, float]] = field(default_factory=list)
    per_image: list[tuple[int, int]] = field(default_factory=list)
    annotators: list[tuple[str, agreement.Annotator]] = field(default_factory=list)


def inspect(path: Path, options: Options | None = None) -> Report:
    """Read a folder, decode every image, and describe what is there; nothing is changed.

    The folder is any that `folder.read` takes; `options` are what the user says of the file of votes.
    """
    found = folder.read(path, options)
    if not found.files:
        return Report(str(path), UNREADABLE, found.problems)
    headers, damaged = images.headers(found.root, found.files, "decoding")
    problems, notes = (*found.problems, *damaged), [*found.notes]
    facts = _form_facts(found) if found.form else []
    facts += [("images", f"{len(found):,}"), *_image_facts([h for h in headers if h is not None])]
    if found.unreadable:
        return Report(str(path), UNREADABLE, problems, facts, notes)
    # The other images are problems already, and have no label to speak of.
    counts, status = found.counts[found.counts.sum(1) > 0], PROBLEMS if problems else FINE
    facts += label_facts(counts, found.classes)
    facts += [("annotators", f"{len(found.annotators):,}" if found.annotators else "not named")]
    people, classes = _people(found), class_table(counts, found.classes)
    notes += [*_label_notes(counts, found.classes, classes), *_copies(found)]
    notes += [f"Annotator {quoted(name)} {a.reason}." for name, a in people if a.reason]
    return Report(str(path), status, problems, facts, notes, classes, per_image(counts), people)


def _form_facts(found: Collection) -> list[tuple[str, str]]:
    """What the votes were read from, and what each column was taken for."""
    roles: dict[str, list[str]] = {}
    for name, role in found.taken:
        roles.setdefault(role, []).append(name)
    words = [f"{role}: {listed(names, 6)}" for role, names in roles.items()]
    return [("votes read as", found.form), *([("columns", "; ".join(words))] if words else [])]


def _image_facts(headers: Sequence[images.Header]) -> list[tuple[str, str]]:
    if not headers:
        return []
    kinds = Counter(header.mode for header in headers).most_common()
    sizes = sorted({header.size for header in headers}, key=lambda size: size[0] * size[1])
    least, most = (f"{w} × {h}" for w, h in (sizes[0], sizes[-1]))
    facts = [
        ("kinds of images", ", ".join(f"{mode} ({n:,})" for mode, n in kinds)),
        ("size in pixels", least if len(sizes) == 1 else f"{least} to {most}, {len(sizes):,} different"),
        ("median size", f"{images.median_size([header.size for header in headers])} pixels"),
    ]
    deepest = max((h.largest for h in headers if h.mode in images.SIXTEEN_BIT), default=0)
    if deepest:
        facts.append(("depth", f"{images.depth_of(deepest)} bits (largest value {deepest:,})"))
    return facts


def label_facts(counts: np.ndarray, classes: Sequence[str], item: str = "image") -> list[tuple[str, str]]:
    """Classes, annotations, ties, entropy and agreement of votes ``[N, K]``, as names and values.

    `item` is what was voted on, in a word.
    """
    if not counts.size:
        return [("classes", f"{len(classes)}")]
    total, soft = counts.sum(1), votes.soft_labels(counts)
    ties = int(((counts == counts.max(1, keepdims=True)).sum(1) > 1).sum())
    entropies = votes.entropy(soft)
    many = total >= 2
    kappa, alpha = agreement.fleiss_kappa(counts), agreement.krippendorff_alpha(counts)
    span = f"{int(total.min())} to {int(total.max())}, median {number(float(np.median(total)), 1)}"
    unanimous = float((soft[many].max(1) > 1 - 1e-6).mean()) if many.any() else float("nan")
    return [
        ("classes", f"{len(classes):,}"),
        ("annotations", f"{int(total.sum()):,}"),
        (f"annotations per {item}", span),
        (f"{item}s with two or more", f"{many.mean():.1%}"),
        ("unanimous among these", f"{unanimous:.1%}" if many.any() else number(unanimous)),
        ("mean entropy of the soft label", f"{number(float(entropies.mean()), 3)} nats"),
        ("ties of the majority vote", f"{ties:,} ({ties / len(counts):.1%})"),
        ("Fleiss' kappa", number(kappa, 3)),
        ("Krippendorff's alpha", number(alpha, 3)),
    ]


def class_table(counts: np.ndarray, classes: Sequence[str]) -> list[tuple[str, int, float]]:
    """Class, images whose majority it is (a tie counts for each tied class), share of all annotations."""
    if not counts.size:
        return []
    winners = (counts == counts.max(1, keepdims=True)).sum(0)
    mass = counts.sum(0, dtype=np.float64) / counts.sum(dtype=np.float64)
    return [(c, int(n), float(m)) for c, n, m in zip(classes, winners, mass, strict=True)]


def per_image(counts: np.ndarray) -> list[tuple[int, int]]:
    """How many images have how many annotations, at most twenty lines."""
    values, n = np.unique(counts.sum(1).astype(int), return_counts=True)
    table = list(zip(values.tolist(), n.tolist(), strict=True))
    return sorted(sorted(table, key=lambda line: -line[1])[:20])


def _people(found: Collection) -> list[tuple[str, agreement.Annotator]]:
    given = found.annotations
    if given is None or not len(given.image):
        return []
    people = agreement.annotators(given, found.counts)
    named = [(found.annotators[a.index], a) for a in people]
    return sorted(named, key=lambda pair: (not pair[1].reason, np.nan_to_num(pair[1].kappa, nan=2.0)))


def _label_notes(
    counts: np.ndarray, names: Sequence[str], classes: list[tuple[str, int, float]]
) -> list[str]:
    notes = []
    single = float((counts.sum(1) < 2).mean()) if counts.size else 0.0
    if single > 0.9:
        notes.append(
            f"{single:.0%} of the images have one annotation: hard and soft labels are then the same, "
            "and neither agreement nor the worth of a distribution can be told from them."
        )
    elif counts.size and (counts.max(1) == counts.sum(1)).all():
        notes.append("All images are unanimous: hard and soft labels are the same.")
    small = [(name, n) for name, n, _ in classes if n < SMALL_CLASS]
    if small:
        shown = ", ".join(f"{quoted(name)} ({n})" for name, n in small[:8])
        more = f" and {len(small) - 8} more" if len(small) > 8 else ""
        notes.append(f"Classes that are the majority of fewer than {SMALL_CLASS} images: {shown}{more}.")
    odd = [quoted(name) for name in names if name.casefold() in MISSING_WORDS]
    if odd:
        notes.append(f"{', '.join(odd)} may stand for a missing value; it is counted as a class.")
    joined = [name for name in names if len(parts := JOINED.split(name)) > 1 and {*parts} <= {*names}]
    if joined:
        notes.append(
            f"{listed(joined, 8)} joins other classes; a vote for several is counted as one for a class of "
            "its own."
        )
    return notes


def _copies(found: Collection) -> list[str]:
    """Name images that are the same file: one may be trained on and the other one tested."""
    groups: dict[str, list[str]] = {}
    for name in found.files:
        with suppress(DataError):  # which is among the unreadable images
            groups.setdefault(file_sha256(found.root / name), []).append(name)
    twins = [names for names in groups.values() if len(names) > 1]
    if not twins:
        return []
    shown = "; ".join(" = ".join(map(quoted, names[:3])) for names in twins[:3])
    return [f"{len(twins):,} images lie there more than once, and may be trained and tested on: {shown}."]


def text(report: Report) -> str:
    """Write a report for the terminal; control characters of the data are shown as escapes."""
    lines = [f"{printable(report.path)}", ""]
    lines += [f"  {name:32} {value}" for name, value in report.facts]
    if report.classes:
        lines += ["", f"  {'class':32} {'majority of':>12} {'share of annotations':>22}"]
        lines += [f"  {printable(c, 32):32} {n:12,} {m:22.1%}" for c, n, m in report.classes[:40]]
        lines += [f"  and {len(report.classes) - 40} more classes"] if len(report.classes) > 40 else []
    lines += ["", *(f"  Note: {note}" for note in report.notes)] if report.notes else []
    lines += ["", verdict(report)]
    causes = summary(report.problems)
    lines += [f"  {line}" for line in causes[:SHOWN]]
    if len(causes) > SHOWN or len(causes) < len(report.problems):
        where = "in the HTML report, and as a table with --csv FILE"
        if len(report.problems) > ON_PAGE:
            where = f"as a table with --csv FILE (the HTML report lists {ON_PAGE:,})"
        lines.append(f"  All {len(report.problems):,} of them: {where}.")
    return "\n".join(lines)


def verdict(report: Report) -> str:
    """Say in a sentence whether the data can be loaded and which kinds of problems there are."""
    if report.status == FINE:
        return "No problems. The data can be loaded."
    kinds = Counter(problem.kind for problem in report.problems)
    found = ", ".join(f"{kind} ({n:,})" for kind, n in kinds.most_common())
    what = "Nothing could be read" if report.status == UNREADABLE else "The data cannot be loaded yet"
    return f"{what}. Problems: {found}."


def write_problems(problems: Sequence[Problem], file: TextIO) -> None:
    """Write problems as CSV; a cell that a spreadsheet would take for a formula begins with an apostrophe."""
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    writer.writerow(["kind", "file", "line", "found", "remedy"])
    for p in problems:
        cells = (p.kind, p.file, str(p.line or ""), p.found, p.remedy)
        safe = [printable(cell, 500) for cell in cells]
        formula = ("=", "+", "-", "@", "|", "%")
        writer.writerow([f"'{cell}" if cell.lstrip().startswith(formula) else cell for cell in safe])


# The report as one HTML page that needs nothing else and runs nothing.
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;
  max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
table{border-collapse:collapse;margin:1rem 0;display:block;overflow-x:auto;
  /* A shadow at the edge beyond which a table goes on. */
  background:linear-gradient(90deg,#fff 30%,#fff0),linear-gradient(270deg,#fff 30%,#fff0) 100% 0,
    linear-gradient(90deg,#0004,#0000),linear-gradient(270deg,#0004,#0000) 100% 0;
  background-repeat:no-repeat;background-size:2rem 100%,2rem 100%,.6rem 100%,.6rem 100%;
  background-attachment:local,local,scroll,scroll}
th,td{padding:.25rem .7rem;text-align:left;
  border-bottom:1px solid #ddd;vertical-align:top;overflow-wrap:anywhere}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.bar{background:#0072B2;height:.8rem;min-width:1px}
.fine{color:#00633f}.bad{color:#a33b00}
img{max-width:100%;height:auto}
"""
# Nothing may be loaded and nothing may run, whatever a class is called.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def document(title: str, body: Iterable[str]) -> str:
    """An HTML page around parts whose words are escaped already; so are those of the title."""
    head = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title><style>{STYLE}</style></head><body>",
    ]
    return "\n".join([*head, *filter(None, body), "</body></html>"])


def page(report: Report) -> str:
    """Write a report as HTML; every word of the data is escaped."""
    title, tone = f"Annotations of {_text(report.path)}", "fine" if report.status == FINE else "bad"
    most = max((n for _, n in report.per_image), default=1)
    notes = [f"<li>{_text(note, 1000)}</li>" for note in report.notes]
    people = (
        "<p>Agreement is the mean share of the others who say the same of the same image; κ is the same "
        "above chance. Whoever is conspicuous stands first, with the reason; that may well be a good one.</p>"
    )
    left = len(report.problems) - ON_PAGE
    more = f"<p>{left:,} more: softlabels check PATH --csv FILE lists all.</p>" if left > 0 else ""
    facts = [(_text(name), _text(value)) for name, value in report.facts]
    classes = [(_text(c), f"{n:,}", f"{m:.1%}", _bar(m)) for c, n, m in report.classes]
    voted = ("class", "images whose majority it is (ties count for each)", "share of annotations", "")
    panels = [(f"{m:,}", f"{n:,}", _bar(n / most)) for m, n in report.per_image]
    annotators = [
        (_text(name), f"{a.n:,}", number(a.agreement, 3), number(a.kappa, 3), _text(a.reason))
        for name, a in report.annotators[:500]
    ]
    judged = ("annotator", "annotations", "agreement", "κ", "conspicuous")
    problems = [
        (_text(p.kind), _text(p.file), str(p.line or ""), _text(p.found), _text(p.remedy))
        for p in report.problems[:ON_PAGE]
    ]
    body = [
        f"<h1>{title}</h1>",
        f'<p class="{tone}"><strong>{_text(verdict(report), 10**4)}</strong></p>',
        section("What is there", ("", ""), facts),
        section("Classes", voted, classes, (1, 2)),
        section("Annotations per image", ("annotations", "images", ""), panels, (0, 1)),
        section("Annotators", judged, annotators, (1, 2, 3), before=people),
        f"<h2>Notes</h2><ul>{''.join(notes)}</ul>" if notes else "",
        section("Problems", ("kind", "file", "line", "found", "remedy"), problems, (2,), after=more),
    ]
    return document(title, body)


def _text(value: object, longest: int = 300) -> str:
    return html.escape(printable(str(value), longest))


def section(
    title: str,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Sequence[int] = (),
    before: str = "",
    after: str = "",
) -> str:
    """Rows of finished HTML as a table with its heading; columns in `numbers` are set to the right."""
    if not rows:
        return ""
    kind = [' class="n"' if i in numbers else "" for i in range(len(head))]
    top = "".join(f"<th{k}>{name}</th>" for k, name in zip(kind, head, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{k}>{cell}</td>" for k, cell in zip(kind, row, strict=True)) + "</tr>"
        for row in rows
    )
    table = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f"<h2>{title}</h2>{before}{table}{after}"


def _bar(share: float) -> str:
    return f'<div class="bar" style="width:{max(0.0, min(1.0, share)) * 12:.2f}rem"></div>'
