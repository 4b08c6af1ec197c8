"""What all figures share: colours, size, the mark of a smoke run, and the line printed under each."""

import base64
import html
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from softlabels.analysis.statistics import Interval
from softlabels.runs.records import Record

if TYPE_CHECKING:
    from PIL import Image

P = ParamSpec("P")

# Okabe and Ito's colours, which people with any common colour blindness tell apart.
ARMS = {"hard": "#D55E00", "soft": "#0072B2", "people": "#555555"}
WIDTH = 6.0  # inches; 11 pt at this width stays readable on a phone
DPI = 120
LEGEND_MARK, LETTER = 0.62, 0.078  # inches of a legend's entry, beside its words and for each letter
HEAVIEST = 90_000  # bytes of an SVG; more is a cloud of points
LEAST = 60  # bytes of one point there
LINE_ART = "line-art"  # a drawing on a transparent ground, which a dark page may invert
STYLE: Any = {
    # seaborn's "whitegrid", written out: importing it takes longer than drawing most figures.
    "axes.axisbelow": True,
    "axes.edgecolor": ".8",
    "axes.grid": True,
    "axes.labelcolor": ".15",
    "lines.solid_capstyle": "round",
    "patch.edgecolor": "w",
    "patch.force_edgecolor": True,
    "text.color": ".15",
    "xtick.bottom": False,
    "xtick.color": ".15",
    "ytick.color": ".15",
    "ytick.left": False,
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "patch.linewidth": 0,  # a white edge would hide small bars
    "grid.color": "#e4e4e4",
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so every machine draws the same letters
}


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Run a figure function in the common style, whatever the reader's matplotlib is set to.

    The figure is labelled with the function's name: a page links to what has drawn it.
    """

    @wraps(draw)
    def inner(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context(STYLE):
            figure = draw(*args, **kwargs)
        figure.set_label(draw.__name__)
        return figure

    return inner


def canvas(
    height: float, rows: int = 1, columns: int = 1, width: float = WIDTH, **options: Any
) -> tuple[Figure, Any]:
    """Return a figure and its axes as an array [rows, columns]; `height` and `width` in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def mark(axis: Axes, y: float, found: Interval, colour: str, size: float = 7) -> None:
    """Draw a difference with its interval at a height; one pair has a hollow dot and no interval."""
    if found.low is not None and found.high is not None:
        axis.plot([found.low, found.high], [y, y], color=colour, lw=2.5, solid_capstyle="round")
    face = "white" if found.low is None else colour
    axis.plot(found.mean, y, "o", color=colour, markerfacecolor=face, ms=size)


def legend_above(figure: Figure, axis: Axes, words: Mapping[str, str] | None = None) -> None:
    """Put an axis's legend above all axes, in as many columns as fit; the figure grows by its lines."""
    handles, labels = axis.get_legend_handles_labels()
    labels = [(words or {}).get(label, label) for label in labels]
    entry = LEGEND_MARK + LETTER * max(map(len, labels), default=0)
    columns = min(len(labels), max(1, int(figure.get_figwidth() // entry))) or 1
    figure.set_figheight(figure.get_figheight() + 0.2 * (-(-len(labels) // columns) - 1))
    figure.legend(handles, labels, loc="outside upper center", ncols=columns)


def grouped(axis: Axes, lines: Sequence[tuple[str, str]], size: int = 10) -> list[int]:
    """Name the lines of an axis, each a group and its words, with the groups as headings; returns their y."""
    words: list[str] = []
    places: list[int] = []
    headings: list[int] = []
    for number, (group, line) in enumerate(lines):
        if number == 0 or lines[number - 1][0] != group:
            headings.append(len(words))
            words.append(group)
        places.append(len(words))
        words.append(line)
    axis.set_yticks(range(len(words)), words, fontsize=size)
    for place in headings:
        axis.get_yticklabels()[place].set_fontweight("bold")
    axis.set_ylim(len(words) - 0.5, -0.5)
    axis.grid(visible=False, axis="y")
    return places


def empty(words: str) -> Figure:
    """Return a figure that says what is missing."""
    figure, axes = canvas(1.0)
    axes[0, 0].set_axis_off()
    axes[0, 0].text(0.5, 0.5, words, ha="center", va="center", color="#555555")
    return figure


def png(figure: Figure, profile: str = "", dpi: int = DPI) -> bytes:
    """Draw a figure as PNG; the same figure gives the same bytes. Profile "smoke" is marked as such."""
    _mark(figure, profile)
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        _lay_out(figure, FigureCanvasAgg, dpi)
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def svg(figure: Figure, profile: str = "") -> bytes:
    """Draw a figure as SVG on a transparent ground, letters as outlines; the same figure, the same bytes."""
    _mark(figure, profile)
    buffer = io.StringIO()
    with mpl.rc_context(STYLE | {"svg.hashsalt": "softlabels", "svg.fonttype": "path"}):
        _lay_out(figure, FigureCanvasSVG, 72)  # the points of an inch, which are its pixels
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _short(buffer.getvalue()).encode()


def _lay_out(figure: Figure, medium: type[FigureCanvasBase], dpi: int) -> None:
    """Place the axes. `savefig` would draw the whole figure for that, and throw it away."""
    medium(figure)
    figure.set_dpi(dpi)
    figure.set_layout_engine("constrained")
    figure.get_layout_engine().execute(figure)  # type: ignore[union-attr]
    figure.set_layout_engine(None)  # by STYLE none; its "none" is one that does nothing, and is drawn for


def _short(text: str) -> str:
    """The same SVG in half the space: no comments, short names, round numbers."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(?<=<g) id="[^"]*"', "", text)
    text = text.replace("DejaVuSans-Bold-", "b").replace("DejaVuSans-", "d")
    text = re.sub(r'(?<= d=")[^"]*|(?<=translate\()[^)]*', lambda found: _rounded(found[0]), text)
    text = re.sub(r'(<use [^>]*)transform="translate\(([^ )]+) 0\)"', r'\1x="\2"', text)  # letters of a line
    return re.sub(r"\s+", " ", text).strip()


def _rounded(numbers: str) -> str:
    return re.sub(r"-?\d+\.\d+", lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), numbers)


def _mark(figure: Figure, profile: str) -> None:
    if profile == "smoke":
        mark: dict[str, Any] = {"size": 64, "rotation": 25, "color": "#b00000", "alpha": 0.3}
        figure.text(0.5, 0.5, "SMOKE", ha="center", va="center", **mark)


def picture(figure: Figure, profile: str = "") -> tuple[str, bytes]:
    """Draw a figure as it needs: lines as SVG; photographs and clouds of points as PNG, twice as fine.

    Returns "svg+xml" or "png", the second half of its media type, and the bytes.
    """
    points = sum(np.size(shown.get_offsets()) // 2 for axis in figure.axes for shown in axis.collections)
    if points * LEAST <= HEAVIEST and not any(axis.images for axis in figure.axes):
        drawn = svg(figure, profile)
        if len(drawn) <= HEAVIEST:
            return "svg+xml", drawn
        profile = ""  # it has its mark
    from PIL import Image

    return "png", light(Image.open(io.BytesIO(png(figure, profile, 2 * DPI))))


def light(image: "Image.Image", colours: int = 256) -> bytes:
    """A PNG with a palette, a third of its size."""
    buffer = io.BytesIO()
    image.convert("RGB").quantize(colours).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def caption_line(records: Sequence[Record], profile: str) -> str:
    """Say where a figure comes from: profile, runs, data, commit, machine and minutes of training.

    `profile` is the one whose grids the runs were asked from.
    """
    if not records:
        return f"profile {profile} · no runs"
    data = [f"{r.data['name']} ({r.data['variant']}, SHA-256 {r.data['sha256'][:8]})" for r in records]
    commits = [_short_commit(r.environment["commit"]) for r in records]
    machines = [f"{r.environment['machine']}, {r.environment['device']}" for r in records]
    minutes, many = sum(r.seconds for r in records) / 60, "s" if len(records) > 1 else ""
    return (
        f"profile {profile} · {len(records)} run{many} · data {_distinct(data)} · "
        f"commit {_distinct(commits)} · trained on {_distinct(machines)} in {minutes:.1f} minutes"
    )


def _short_commit(commit: str) -> str:
    # A "+" at the end says that the code differed from the commit.
    return commit[:7] + ("+" if commit.endswith("+") else "") if commit != "unknown" else commit


def _distinct(words: Iterable[str], most: int = 4) -> str:
    words = list(dict.fromkeys(words))
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def show(
    figure: Figure,
    alt: str,
    caption: str = "",
    records: Sequence[Record] = (),
    profile: str = "",
    source: str = "",
) -> None:
    """Display a figure in a notebook with its alternative text, a caption and where it comes from.

    `alt` is what it shows, for people who do not see it. The ids of `records`, the runs it is drawn from, are
    listed under it; where it is drawn from data only, `source` replaces the line about runs. Profile "smoke"
    puts a mark across it.
    """
    from IPython.display import HTML, display

    display(HTML(markup(figure, alt, caption, records, profile, source)))


def markup(
    figure: Figure, alt: str, caption: str, records: Sequence[Record], profile: str, source: str = ""
) -> str:
    """What `show` displays, as HTML."""
    line = source or caption_line(records, profile)
    kind, image = picture(figure, profile)
    encoded = base64.b64encode(image).decode("ascii")
    ids = " ".join(record.id for record in records)
    listed = f"<details><summary>records</summary><small>{ids}</small></details>" if records else ""
    # The ground of a drawing is transparent, and a notebook may be dark; the site takes the white away.
    drawn = "" if kind == "png" else f'class="{LINE_ART}" '
    drawn += f'data-drawn="{figure.get_label()}" '
    shape = f'{drawn}width="{figure.get_figwidth() * DPI:.0f}" style="max-width:100%;background:#fff"'
    shown = f'<img alt="{html.escape(alt)}" {shape} src="data:image/{kind};base64,{encoded}">'
    words = f"<p>{html.escape(caption)}</p><p><small>{html.escape(line)}</small></p>{listed}"
    return f'<figure>{shown}<figcaption style="color:inherit">{words}</figcaption></figure>'
