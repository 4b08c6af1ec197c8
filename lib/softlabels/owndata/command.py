"""`softlabels answer`: check, train as far as the time goes, and write the answer as one page."""

import base64
import html
import math
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from tqdm.auto import tqdm

from softlabels import owndata
from softlabels.analysis.formatting import markup
from softlabels.analysis.table import record_of, recorded, tabulate
from softlabels.datasets import Dataset, folder
from softlabels.errors import ConfigError
from softlabels.learning import bars, models
from softlabels.learning.hardware import hardware
from softlabels.owndata import OwnData, answers, benefit, frozen
from softlabels.owndata.page import STYLE
from softlabels.runs import grids, profiles

LAST = 0.1  # of a training, in which a least validation loss says that it was still improving
SHARE = 0.8  # of a budget that runs may take; the rest is for data, annot-mix and the page
UNITS = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600}
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def seconds_of(text: str) -> float:
    """Read a time such as ``10min``, ``90s`` or ``1.5h``, in seconds.

    Raises
    ------
    ConfigError
        Anything else, or nothing at all of it.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]+)", text.strip().lower(), re.ASCII)
    if not match or match[2] not in UNITS or float(match[1]) <= 0:
        raise ConfigError(f"--budget: expected a time such as 10min, 90s or 2h, not {text!r}")
    return float(match[1]) * UNITS[match[2]]


def study(
    dataset: str, profile: str, seeds: Sequence[int], device: str | None = None, budget: float | None = None
) -> OwnData:
    """Train what a dataset lacks, pairs with all annotations first, until the time is over.

    Parameters
    ----------
    budget : float or None
        Seconds. The runs are made short enough for one pair to fit, and no run is begun that is not
        expected to; the first pair is trained in any case.
    """
    start, longest, found = time.monotonic(), 0.0, []
    own = owndata.study(dataset, profile, [])
    length = None
    if budget is not None:
        steps = SHARE * budget / 2 / seconds_per_step(profile, own.data, device)
        length = grids.own_epochs(profile, len(own.data), steps)
    cells = benefit.runs_of(own, profile, seeds, length)
    for i, cell in enumerate(tqdm(cells, "training", unit="run", disable=not cells)):
        begin = time.monotonic()
        fits = budget is None or i < 2 or begin - start + longest <= SHARE * budget
        with bars.one_for_all():
            record = record_of(cell, fits, device)
        longest = max(longest, time.monotonic() - begin)
        found.append(("your_data", cell, record))
    until = math.inf if budget is None else start + budget
    return replace(own, runs=tabulate(found, profile), until=until)


def seconds_per_step(profile: str, data: Dataset, device: str | None = None) -> float:
    """Time a few steps of a profile's network on noise of the shape of the data: the median, in seconds."""
    own, hw, n_classes = profiles.chosen(profiles.OWN, profile), hardware(device), len(data.classes)
    if data.images.ndim == 2:
        width = data.images.shape[1]
        network: torch.nn.Module = models.build_for_vectors(
            profiles.OWN_VECTORS["network"], n_classes, torch.zeros(width), torch.ones(width)
        )
        batch = torch.randn(own.batch_size, width)
    else:
        network = models.build(own.network, n_classes)
        batch = torch.randint(0, 256, (own.batch_size, own.image_size, own.image_size, 3), dtype=torch.uint8)
    model = hw.place(network).train()
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-6)
    target = torch.full((own.batch_size, n_classes), 1 / n_classes, device=hw.device)
    took = []
    for _ in range(5):
        begin = time.perf_counter()
        with hw.autocast():
            logits = model(hw.images(batch))
        torch.nn.functional.cross_entropy(logits.float(), target).backward()
        optimiser.step()
        float(logits.detach().sum())  # a GPU is waited for
        took.append(time.perf_counter() - begin)
    return sorted(took[1:])[2]  # the first one compiles and allocates


def page(own: OwnData, dataset: str, profile: str, sentences: Sequence[str] | None = None) -> str:
    """Write the answer as one HTML page with its figure inside; every word of the data is escaped.

    Parameters
    ----------
    sentences : sequence of str or None
        What `answers.answer` said, where it has been asked already.
    """
    title = html.escape(Path(dataset.removeprefix(folder.PATH_PREFIX)).name or dataset)
    sentences = answers.answer(own) if sentences is None else sentences
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Votes of {title}</title>",
        f"<style>{STYLE}img{{max-width:100%;height:auto}}</style></head><body>",
        f"<h1>Votes of {title}</h1>",
        *(f"<p>{_inline(sentence)}</p>" for sentence in sentences),
        *_figure(own, profile),
        "<h2>The votes</h2>",
        markup(owndata.facts(own)),
        *_ask_again(own),
        f"<p><small>{html.escape(_source(own, profile))}</small></p>",
        "</body></html>",
    ]
    return "\n".join(parts)


def _inline(sentence: str) -> str:
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", html.escape(sentence))
    return re.sub(r"`(.+?)`", r"<code>\1</code>", text)


def _figure(own: OwnData, profile: str) -> list[str]:
    if own.runs is None or not recorded(own.runs):
        return []
    from softlabels import figures

    image = base64.b64encode(figures.png(figures.budget(owndata.curves(own), own.item), profile)).decode()
    alt = html.escape(answers.curve_in_words(own))
    return [
        "<h2>With fewer and fewer votes</h2>",
        f'<img alt="{alt}" src="data:image/png;base64,{image}">',
        markup(owndata.budget_table(own)),
    ]


def _ask_again(own: OwnData) -> list[str]:
    names = folder.files(own.name)
    if not names:
        return []
    rows = "".join(
        f'<tr><td>{html.escape(name)}</td><td class="n">{gain:.5f}</td></tr>'
        for name, gain in owndata.again(own, names, 50)
    )
    head = f'<tr><th>{own.item}</th><th class="n">gain of a vote</th></tr>'
    return ["<h2>Vote on these again</h2>", f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"]


def _source(own: OwnData, profile: str) -> str:
    records = [] if own.runs is None else recorded(own.runs)
    left = 0 if own.runs is None else int(own.runs.record.isna().sum())
    minutes = sum(record.seconds for record in records) / 60
    missing = f", {left} left out for want of time" if left else ""
    seeds = sorted({record.config.seed for record in records})
    length = " and ".join(map(str, sorted({record.config.epochs for record in records}))) or "no"
    least = max(1, round(LAST * max((r.config.epochs for r in records), default=1)))
    improving = sum(r.best_epoch > r.config.epochs - least for r in records if r.config.epochs > 1)
    late = f" {improving} of them improved to the end: longer training (profile paper) may change them."
    took = f"{minutes:.1f} minutes{missing}"
    seen = f" A small network learns from what {frozen.NETWORK}, as ImageNet trained it, sees in the images."
    return (
        f"Profile {profile}, {len(records)} runs of at most {length} epochs ({took}), "
        f"seeds {', '.join(map(str, seeds)) or 'none'}, data {own.name}; an interval is over {len(seeds)} "
        f"splits, and votes are enough where KL comes within {benefit.CLOSE} nats."
        + (late if improving else "")
        + (seen if frozen.is_frozen(own.name) else "")
    )
