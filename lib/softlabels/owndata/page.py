"""The report of `softlabels check` as one HTML page that needs nothing else and runs nothing."""

import html
from collections.abc import Iterable, Sequence

from softlabels.analysis.formatting import number
from softlabels.datasets.collection import printable
from softlabels.owndata.check import FINE, ON_PAGE, Report, verdict

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
"""
# Nothing may be loaded and nothing may run, whatever a class is called.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(report: Report) -> str:
    """Write a report as HTML; every word of the data is escaped."""
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Annotations of {_text(report.path)}</title><style>{STYLE}</style></head><body>",
        f"<h1>Annotations of {_text(report.path)}</h1>",
        f'<p class="{"fine" if report.status == FINE else "bad"}"><strong>{_text(verdict(report), 10**4)}'
        "</strong></p>",
        _facts(report),
        _classes(report),
        _per_image(report),
        _people(report),
        _notes(report),
        _problems(report),
        "</body></html>",
    ]
    return "\n".join(part for part in parts if part)


def _text(value: object, longest: int = 300) -> str:
    return html.escape(printable(str(value), longest))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Put rows of finished HTML into a table; columns in `numbers` are set to the right."""
    kind = [' class="n"' if i in numbers else "" for i in range(len(head))]
    top = "".join(f"<th{k}>{name}</th>" for k, name in zip(kind, head, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{k}>{cell}</td>" for k, cell in zip(kind, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _bar(share: float) -> str:
    return f'<div class="bar" style="width:{max(0.0, min(1.0, share)) * 12:.2f}rem"></div>'


def _facts(report: Report) -> str:
    if not report.facts:
        return ""
    rows = [(_text(name), _text(value)) for name, value in report.facts]
    return "<h2>What is there</h2>" + _table(("", ""), rows)


def _classes(report: Report) -> str:
    if not report.classes:
        return ""
    rows = [(_text(c), f"{n:,}", f"{m:.1%}", _bar(m)) for c, n, m in report.classes]
    head = ("class", "images whose majority it is (ties count for each)", "share of annotations", "")
    return "<h2>Classes</h2>" + _table(head, rows, (1, 2))


def _per_image(report: Report) -> str:
    if not report.per_image:
        return ""
    most = max(n for _, n in report.per_image)
    rows = [(f"{m:,}", f"{n:,}", _bar(n / most)) for m, n in report.per_image]
    return "<h2>Annotations per image</h2>" + _table(("annotations", "images", ""), rows, (0, 1))


def _people(report: Report) -> str:
    if not report.annotators:
        return ""
    rows = [
        (_text(name), f"{a.n:,}", number(a.agreement, 3), number(a.kappa, 3), _text(a.reason))
        for name, a in report.annotators[:500]
    ]
    words = (
        "<p>Agreement is the mean share of the others who say the same of the same image; κ is the same "
        "above chance. Whoever is conspicuous stands first, with the reason; that may well be a good one.</p>"
    )
    head = ("annotator", "annotations", "agreement", "κ", "conspicuous")
    return "<h2>Annotators</h2>" + words + _table(head, rows, (1, 2, 3))


def _notes(report: Report) -> str:
    if not report.notes:
        return ""
    return "<h2>Notes</h2><ul>" + "".join(f"<li>{_text(n, 1000)}</li>" for n in report.notes) + "</ul>"


def _problems(report: Report) -> str:
    if not report.problems:
        return ""
    rows = [
        (_text(p.kind), _text(p.file), str(p.line or ""), _text(p.found), _text(p.remedy))
        for p in report.problems[:ON_PAGE]
    ]
    left = len(report.problems) - ON_PAGE
    more = f"<p>{left:,} more: softlabels check PATH --csv FILE lists all.</p>" if left > 0 else ""
    return "<h2>Problems</h2>" + _table(("kind", "file", "line", "found", "remedy"), rows, (2,)) + more
