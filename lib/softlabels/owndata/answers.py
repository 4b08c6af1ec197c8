"""The answer on somebody's own data: in sentences that are computed from the records, and as one page."""

import base64
import html
import math
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tqdm.auto import tqdm

from softlabels import owndata
from softlabels.analysis.formatting import NAMES, interval, markup, number, signed
from softlabels.analysis.statistics import Interval
from softlabels.analysis.table import (
    HIGHER_IS_BETTER,
    difference,
    record_of,
    recorded,
    summary,
    tabulate,
    values,
    winner,
)
from softlabels.datasets import Dataset, folder
from softlabels.datasets.collection import printable
from softlabels.errors import ConfigError
from softlabels.learning import bars
from softlabels.owndata import CLOSE, OwnData, annotmix, frozen, kept_in
from softlabels.owndata.check import document, section
from softlabels.runs import grids, profiles

LAST = 0.1  # of a training, in which a least validation loss says that it was still improving
SHARE = 0.8  # of a budget that runs may take; the rest is for data, annot-mix and the page
UNITS = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600}


def answer(own: OwnData) -> list[str]:
    """Answer what people ask, in plain sentences, each computed from the votes and the records.

    In this order: whether the networks learned at all; whether keeping the votes pays, and in what; how good
    any model could be; how many votes are enough; which images to vote on again; who stands out; whether
    Dawid and Skene, or annot-mix, help.
    """
    if why := owndata.unanswerable(own):
        return [
            f"**This cannot be answered.** {why}. The majority of such votes is their distribution: hard and "
            "soft labels are the same, no disagreement is seen, and how good a perfect model could be is "
            f"unknown. Have a few hundred {own.item}s judged by several people each; then this page can "
            "answer."
        ]
    if not own.settings:
        return ["**Not answered yet**: no seed was given; give some, such as seeds [0, 1, 2]."]
    return [*_networks(own), ceiling_in_words(own), *_more(own), *of_votes(own)]


def of_votes(own: OwnData) -> list[str]:
    """What votes say without the runs: what to ask again, who stands out, what estimates bring."""
    names = folder.files(own.name) or tuple(f"number {i}" for i in own.data.ids.tolist())
    found = owndata.again(own, names, 5)
    listed = ", ".join(f"{printable(name, 60)} ({number(gain, 5)})" for name, gain in found)
    again = (
        f"Ask again first about {listed}: there one more vote takes most from the variance of the soft "
        f"label. `softlabels labels` lists all {own.item}s with what a vote would gain."
    )
    return [again, owndata.conspicuous(own), *_estimates(own)]


def _networks(own: OwnData) -> list[str]:
    if not own.pairs:
        return ["**Not answered yet**: the runs with all annotations are missing."]
    measures = [_by_how_much(own, metric) for metric in owndata.METRICS]
    base = owndata.baselines(own)
    constant = (
        f"Without looking at an {own.item}, the mean label of all has KL {number(base.kl)} nats, and a "
        f"constant guess accuracy {number(base.accuracy)}."
    )
    if owndata.learned(own):
        return [_pays(own), *measures, constant]
    seen = "images that show" if own.item == "image" else "features that tell"
    return [
        f"**The networks did not learn**: they are no better than the mean label of all {own.item}s (KL "
        f"{number(base.kl)} nats) or a constant guess (accuracy {number(base.accuracy)}). So whether keeping "
        f"the distribution pays is open; more seeds do not change that. It takes more {own.item}s, longer "
        f"training (profile paper), or {seen} what people judged.",
        *measures,
    ]


def _estimates(own: OwnData) -> list[str]:
    """Whether Dawid and Skene, or annot-mix, are better than the votes."""
    found = owndata.dawid_skene_gain(own)
    if found is None:
        return [
            "Whether Dawid and Skene are better than the votes cannot be told: it takes four named "
            f"annotators or more, and {owndata.FEW} {own.item}s that several of them judged."
        ]
    aggregated = _gain(own, "Dawid and Skene", "are", found)
    try:
        mixed = owndata.annot_mix_gain(own)
    except annotmix.OutOfTime:
        return [aggregated, "annot-mix is left out for want of time; a longer `--budget` has room for it."]
    if mixed is None:
        more = "annot-mix is not asked: it learns from features, by `--features` or the extra `pretrained`."
        return [aggregated, more]
    return [aggregated, _gain(own, "annot-mix", "is", mixed)]


def _gain(own: OwnData, name: str, verb: str, found: Interval) -> str:
    verdict = {1: f"{verb} better than", -1: f"{verb} worse than", 0: f"{verb} not told from"}[found.sign]
    they = "they name" if verb == "are" else "it names"
    return (
        f"{name} {verdict} most votes here: from half of the annotators {they} what the others "
        f"say {interval(found)} more often (share of votes, 95 % bootstrap interval over {found.n:,} "
        f"{own.item}s)."
    )


def _pays(own: OwnData) -> str:
    kl, accuracy = (winner(own.settings[0], f"test.{metric}") for metric in ("kl", "macro_accuracy"))
    if kl == "soft" and accuracy != "hard":
        better = "and in accuracy" if accuracy == "soft" else "and accuracy does not decide against it"
        return f"**Keeping the distribution pays here**: in KL, {better}."
    if kl == "soft":
        return "**Keeping the distribution pays if you use the probabilities**: KL is better, accuracy worse."
    if "hard" in (kl, accuracy):
        worse = " and ".join(w for w, v in (("KL", kl), ("accuracy", accuracy)) if v == "hard")
        return f"**Keeping the distribution does not pay here**: hard labels are better in {worse}."
    if accuracy == "soft":
        return "**Keeping the distribution pays in accuracy**; KL does not decide."
    plural = "s" if own.pairs > 1 else ""
    return f"**Not decided** by {own.pairs} pair{plural} of runs; more seeds narrow the interval."


def _by_how_much(own: OwnData, metric: str) -> str:
    apart = difference(own.settings[0], f"test.{metric}")
    means = [summary(own.trained(own.settings[0], arm), f"test.{metric}")[0] for arm in ("hard", "soft")]
    unit = " nats" if metric == "kl" else ""
    better = "higher" if HIGHER_IS_BETTER[metric] else "lower"
    return (
        f"{NAMES[metric].capitalize() if metric != 'kl' else 'KL'} ({better} is better): "
        f"majority {number(means[0], 3)}, all votes {number(means[1], 3)}{unit}; difference "
        f"{interval(apart)}, with the paired 95 % interval over {own.pairs} random splits."
    )


def _more(own: OwnData) -> list[str]:
    """How many votes are enough, and what more of them would bring."""
    points, found = owndata.curve(own, "soft", "kl"), []
    if any(len(values(own.trained(here), "test.kl")) for here in own.settings[1:]):
        enough = owndata.enough(own)
        if enough is None:
            few = f"More than {max(map(kept_in, own.settings[1:]))} annotations an {own.item} are needed"
            found.append(f"{few} to come within {CLOSE} nats of all.")
        else:
            kept, apart = enough
            found.append(
                f"{kept} annotation{'s' if kept > 1 else ''} an {own.item} {'are' if kept > 1 else 'is'} "
                f"enough: KL is within {CLOSE} nats of that with all {own.annotations} ({interval(apart)})."
            )
    if len(points) >= 2 and points[0][0] == 1:
        first, last = points[0][1], points[-1][1]
        found.append(
            f"One annotation an {own.item} gives KL {number(first)}, all {points[-1][0]} give "
            f"{number(last)}: {signed(last - first)} nats for {points[-1][0] - 1} more."
        )
    change = owndata.doubling(own)
    if change is not None:
        trust = "" if change.sign else " That is not told from nothing."
        found.append(
            f"Twice as many annotations ({owndata.TIMES * own.annotations} an {own.item}) would change it by "
            f"about {interval(change)} nats, extrapolated as a + b / n from the budgets above.{trust}"
        )
    return found


def ceiling_in_words(own: OwnData) -> str:
    """Say how good a perfect model could be against this panel, and how near the soft arm comes."""
    found = owndata.noise_ceiling(own)
    if found is None:
        return (
            f"How good a perfect model could be is not known: fewer than {owndata.FEW} {own.item}s have "
            f"{owndata.PANEL} annotations or more, and smaller panels cannot be split."
        )
    words = (
        f"Against this panel even a model that knew the true distribution would have KL {number(found.kl)} "
        f"[{number(found.kl_low)}, {number(found.kl_high)}] nats, at most {number(found.kl_above)}, "
        f"and accuracy {number(found.accuracy)} [{number(found.accuracy_low)}, "
        f"{number(found.accuracy_high)}] (from {found.n_images:,} {own.item}s; 95 % bootstrap intervals)."
    )
    if not own.pairs:
        return words
    hard, soft = (summary(own.trained(own.settings[0], arm), "test.kl")[0] for arm in ("hard", "soft"))
    share = (hard - soft) / (hard - found.kl) if hard > found.kl else float("nan")
    return f"{words} Of the way in KL from hard labels to that ceiling, soft labels go {share:.0%}."


def curve_in_words(own: OwnData) -> str:
    """Say what the budget curve shows, for people who do not see it."""
    ends = {arm: owndata.curve(own, arm, "kl") for arm in ("hard", "soft")}
    if not all(ends.values()):
        return "An empty figure: there is nothing to compare yet."
    words = [
        f"{arm} labels from {number(points[0][1], 3)} with {points[0][0]} to {number(points[-1][1], 3)} with "
        f"{points[-1][0]}"
        for arm, points in ends.items()
    ]
    return f"Accuracy and KL against annotations per {own.item}. KL goes, for {' and for '.join(words)}."


# `softlabels answer`: train as far as the time goes, and write the answer as one page.
def seconds_of(text: str) -> float:
    """Read a time such as ``10min``, ``90s`` or ``1.5h``, in seconds; anything else raises `ConfigError`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]+)", text.strip().lower(), re.ASCII)
    if not match or match[2] not in UNITS or float(match[1]) <= 0:
        raise ConfigError(f"--budget: expected a time such as 10min, 90s or 2h, not {text!r}")
    return float(match[1]) * UNITS[match[2]]


def study(
    dataset: str, profile: str, seeds: Sequence[int], device: str | None = None, budget: float | None = None
) -> OwnData:
    """Train what a dataset lacks, pairs with all annotations first, until the time is over.

    With a budget, in seconds, the runs are made short enough for one pair to fit, and no run is begun that is
    not expected to; the first pair is trained in any case.
    """
    start, longest, found = time.monotonic(), 0.0, []
    own = owndata.study(dataset, profile, [])
    length = None
    if budget is not None:
        steps = SHARE * budget / 2 / seconds_per_step(profile, own.data, device)
        length = grids.own_epochs(profile, len(own.data), steps)
    cells = owndata.runs_of(own, profile, seeds, length)
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
    import torch

    from softlabels.learning import models
    from softlabels.learning.hardware import hardware

    own, hw, n_classes = profiles.chosen(profiles.OWN, profile), hardware(device), len(data.classes)
    if data.images.ndim == 2:
        batch = torch.randn(own.batch_size, data.images.shape[1])
        network: torch.nn.Module = models.build_for_vectors(
            profiles.OWN_VECTORS["network"], n_classes, torch.zeros_like(batch[0]), torch.ones_like(batch[0])
        )
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

    `sentences` are what `answer` said, where it has been asked already.
    """
    title = html.escape(Path(dataset.removeprefix(folder.PATH_PREFIX)).name or dataset)
    sentences = answer(own) if sentences is None else sentences
    names = folder.files(own.name)
    gains = (
        [(html.escape(name), f"{gain:.5f}") for name, gain in owndata.again(own, names, 50)] if names else []
    )
    body = [
        f"<h1>Votes of {title}</h1>",
        *(f"<p>{_inline(sentence)}</p>" for sentence in sentences),
        *_figure(own, profile),
        "<h2>The votes</h2>",
        markup(owndata.facts(own)),
        section("Vote on these again", (own.item, "gain of a vote"), gains, (1,)),
        f"<p><small>{html.escape(_source(own, profile))}</small></p>",
    ]
    return document(f"Votes of {title}", body)


def _inline(sentence: str) -> str:
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", html.escape(sentence))
    return re.sub(r"`(.+?)`", r"<code>\1</code>", text)


def _figure(own: OwnData, profile: str) -> list[str]:
    if own.runs is None or not recorded(own.runs):
        return []
    from softlabels import figures

    image = base64.b64encode(figures.png(figures.budget(owndata.curves(own), own.item), profile)).decode()
    return [
        "<h2>With fewer and fewer votes</h2>",
        f'<img alt="{html.escape(curve_in_words(own))}" src="data:image/png;base64,{image}">',
        markup(owndata.budget_table(own)),
    ]


def _source(own: OwnData, profile: str) -> str:
    records = [] if own.runs is None else recorded(own.runs)
    left = 0 if own.runs is None else int(own.runs.record.isna().sum())
    minutes = sum(record.seconds for record in records) / 60
    seeds = sorted({record.config.seed for record in records})
    lengths = sorted({record.config.epochs for record in records})
    least = max(1, round(LAST * max(lengths, default=1)))
    improving = sum(r.best_epoch > r.config.epochs - least for r in records if r.config.epochs > 1)
    words = (
        f"Profile {profile}, {len(records)} runs of at most {' and '.join(map(str, lengths)) or 'no'} epochs "
        f"({minutes:.1f} minutes{f', {left} left out for want of time' if left else ''}), "
        f"seeds {', '.join(map(str, seeds)) or 'none'}, data {own.name}; an interval is over {len(seeds)} "
        f"splits, and votes are enough where KL comes within {CLOSE} nats."
    )
    if improving:
        words += f" {improving} of them improved to the end: longer training (profile paper) may change them."
    if frozen.is_frozen(own.name):
        seen = f"what {frozen.NETWORK}, as ImageNet trained it, sees in the images"
        words += f" A small network learns from {seen}."
    return words
