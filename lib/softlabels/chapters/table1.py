"""Chapter 3: BHL's Table 1, published rows above ours."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from softlabels.analysis import competence, names, published, table
from softlabels.analysis.embeddings import gather_with_maps
from softlabels.analysis.formatting import NAMES, NOTHING, interval, markdown, number, signed, spread
from softlabels.analysis.table import ARMS, complete, difference, pairs, settings, summary
from softlabels.analysis.verdicts import CLAIMS, Verdict, judge
from softlabels.chapters import figure1
from softlabels.runs.records import Record

GRIDS = ("table1", "tuning", "figure1")
PLACE = ["dataset", "network", "recipe"]
PRIMARY = ("synthetic", "efficientnet-lite0", "stated-pretrained")  # its place
THEIRS = "densenet121"  # the network of the paper's synthetic images
LESS = names.less("soft", "hard")
FEWEST, STRONG = 3, 0.5  # settings, and rank correlation, from which a trend is read


def collect(
    profile: str,
    seeds: Sequence[int],
    train: bool = False,
    device: str | None = None,
    fresh: bool = False,
    committed_only: bool = False,
) -> pd.DataFrame:
    """The chapter's runs, those of Figure 1 with the maps that are stored.

    Beside profile "laptop" stand the settings of Table 1 of profile "paper" that have records.
    """
    how = (profile, seeds, train, device, fresh, committed_only)
    parts = [table.gather(GRIDS[:2], *how), gather_with_maps(GRIDS[2:], *how, compute=False)]
    if profile == "laptop":
        whole = table.gather(GRIDS[:1], "paper", seeds, committed_only=committed_only)
        parts += [here for _, here in settings(whole, complete_only=False) if here.record.notna().any()]
    runs = pd.concat(parts, ignore_index=True)
    return runs.sort_values("dataset", key=lambda d: d.map(list(d.unique()).index), kind="stable")


def shown(parts: Iterable[pd.DataFrame], profile: str) -> str:
    """Profiles whose runs a figure shows; the page's own where it shows none."""
    return (
        " and ".join(dict.fromkeys(name for here in parts for name in here.profile[here.record.notna()]))
        or profile
    )


def measure(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Accuracy or KL of Table 1: published rows, and ours below them, for both arms and their difference."""
    rows = []
    for dataset in dict.fromkeys([*runs.dataset, "micebone"]):
        rows += printed(dataset, metric)
        rows += [_ours(here, metric) for _, here in settings(runs[runs.dataset == dataset], False)]
    return pd.DataFrame(rows).fillna(NOTHING)


def _ours(here: pd.DataFrame, metric: str) -> dict[str, str]:
    hard, soft = (int(here.record[here.arm == arm].notna().sum()) for arm in ARMS)
    words = str(soft) if hard == soft else f"{hard} majority, {soft} votes"
    if gaps := int(here.record.isna().sum()):
        words += f" ({gaps} missing)"
    row = {"setting": f"{names.title(here.setting.iloc[0])}, {here.epochs.iloc[0]} epochs", "n": words}
    row |= {names.arm(a): spread(*summary(here[here.arm == a], f"test.{metric}")[:2]) for a in ARMS}
    return row | {LESS: interval(difference(here, f"test.{metric}"))}


def printed(dataset: str, metric: str) -> list[dict[str, str]]:
    """What is published of a dataset; of CIFAR-10H its authors report cross-entropy, not KL."""
    if dataset in ("synthetic", "micebone"):
        entry = published.get("bhl")
        where = f"{names.dataset(dataset)} · {entry[dataset]['network']}, {entry['epochs']} epochs"
        row = {"setting": f"**published**: {where}", "n": str(entry["splits"])}
        row |= {names.arm(arm): spread(*published.bhl(dataset, arm, metric), 4) for arm in ARMS}
        return [row | {LESS: signed(published.bhl_difference(dataset, metric))}]
    if dataset.startswith("cifar10h") and metric == "macro_accuracy":
        entry = published.get("cifar10h")
        hard, soft = (entry[arm]["accuracy"] for arm in ARMS)
        where = f"**published**: CIFAR-10H · {entry['networks']}, {entry['epochs']} epochs"
        row = {"setting": where, "n": f"{entry['folds']} folds"}
        row |= {names.arm("hard"): number(hard), names.arm("soft"): number(soft)}
        return [row | {LESS: signed(soft - hard)}]
    return []


def extras(
    runs: pd.DataFrame,
    measures: Sequence[str] = ("ece", "brier", "entropy_correlation", "second_best_accuracy"),
) -> pd.DataFrame:
    """Means of measures that the paper does not give, majority → votes; bold where the interval decides."""

    def change(here: pd.DataFrame, metric: str) -> str:
        hard, soft = (number(summary(here[here.arm == arm], f"test.{metric}")[0], 3) for arm in ARMS)
        found = difference(here, f"test.{metric}")
        return f"**{hard} → {soft}**" if found and found.sign else f"{hard} → {soft}"

    return pd.DataFrame(
        [
            {"setting": names.title(name)} | {NAMES[m]: change(here, m) for m in measures}
            for name, here in settings(runs, False)
        ]
    )


def tuning(records: Iterable[Record], chosen: Mapping[tuple[str, str, str], float]) -> pd.DataFrame:
    """Validation loss of every learning rate that was tried, in nats; that `chosen` for an arm in bold."""
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for record in sorted(records, key=lambda r: r.config.lr):
        config, loss = record.config, number(record.metrics["validation"]["loss"], 3)
        key = (config.dataset, config.network, config.label)
        words = (names.dataset(config.dataset), names.NETWORKS.get(config.network, config.network))
        place = (*words, names.arm(config.label))
        row = rows.setdefault(key, dict(zip(("dataset", "network", "arm"), place, strict=True)))
        row[f"lr {config.lr:g}"] = f"**{loss}**" if chosen.get(key) == config.lr else loss
    return pd.DataFrame([rows[key] for key in sorted(rows)]).fillna(NOTHING)


def longest(runs: pd.DataFrame) -> list[pd.DataFrame]:
    """Settings on the synthetic images, which BHL made theirs for, of the most epochs; most pairs first.

    They have two pairs or more, with histories that are held against people.
    """
    found = [complete(here) for _, here in settings(runs[runs.dataset == "synthetic"])]
    found = [here for here in found if len(here) >= 4 and table.by_epoch(here, "validation_kl")]
    most = max((here.epochs.iloc[0] for here in found), default=0)
    return sorted((h for h in found if h.epochs.iloc[0] == most), key=len, reverse=True)


def gain(runs: pd.DataFrame) -> str:
    """Do votes gain most accuracy where the majority reaches least? Settings with a pair of runs count."""
    both = [pairs(here, "test.macro_accuracy") for _, here in settings(runs)]
    found = sorted((float(hard.mean()), float((soft - hard).mean())) for soft, hard in both)
    question = "Do all votes gain most accuracy where the majority reaches least?"
    if len(found) < FEWEST:
        return f"{question} Open: fewer than {FEWEST} of these settings have a pair of runs."
    hard, gained = zip(*found, strict=True)
    ranks = np.array([np.unique(values, return_inverse=True)[1] for values in (hard, gained)])
    with np.errstate(invalid="ignore"):  # all the same: no correlation
        r = float(np.corrcoef(ranks)[0, 1])
    answer = "Yes" if r <= -STRONG else "No, the contrary" if r >= STRONG else "Not to be seen"
    return (
        f"{question} {answer}: over {len(found)} settings {LESS} goes from {signed(gained[0], 3)}, where "
        f"that reaches {number(hard[0], 3)}, to {signed(gained[-1], 3)}, where it reaches "
        f"{number(hard[-1], 3)}; the rank correlation is {signed(r, 2)}."
    )


def missing(runs: pd.DataFrame) -> str:
    """Markdown: what is not here and the command that makes it."""
    said = [words] if (words := table.missing(runs)) and runs.record.isna().any() else []
    if not (runs.dataset == "micebone").any():
        said.append(
            "MiceBone: its images have to be fetched from its authors, so Table 1 has its published numbers "
            "alone. `softlabels train --chapter table1 --profile paper --dataset micebone` downloads them "
            "and trains both arms by the recipes stated and public-code, from pretrained weights too."
        )
    return "\n\n".join(said)


def headline(runs: pd.DataFrame) -> str:
    """Markdown: BHL's published row, its primary comparison, BHL's own network, and the rest in short.

    Of each dataset the rest is all recipes of the other network with the most runs.
    """
    chosen = [one for _, one in settings(runs) if tuple(one[PLACE].iloc[0]) == PRIMARY]
    chosen += [one for _, one in settings(runs[runs.dataset == "synthetic"]) if one.network.iloc[0] == THEIRS]
    for dataset in dict.fromkeys(runs.dataset):
        here = [(one.network.iloc[0], one) for _, one in settings(runs[runs.dataset == dataset])]
        n = Counter[str]()
        for network, one in here:
            n[network] += (network not in (PRIMARY[1], THEIRS)) * len(complete(one))
        chosen += [one for network, one in here if n[network] and network == n.most_common(1)[0][0]]
    both = []
    for metric in ("macro_accuracy", "kl"):
        frame = pd.DataFrame(printed("synthetic", metric) + [_ours(one, metric) for one in chosen])
        frame = frame.set_index(["setting", "n"])[[names.arm(arm) for arm in ARMS]]
        both.append(frame.rename(columns=lambda arm, name=NAMES[metric]: f"{name}, {arm}"))
    return markdown(pd.concat(both, axis=1).reset_index())


def verdicts(runs: pd.DataFrame) -> list[Verdict]:
    """Judge the claims of BHL from the runs of Table 1 and the maps of Figure 1."""
    regular = runs[runs.grid == "figure1"]
    cut = [here for _, here in settings(runs[runs.grid == "table1"], complete_only=False)]
    primary = next((here for here in cut if tuple(here[PLACE].iloc[0]) == PRIMARY), None)
    # Other settings are shown where they have two pairs or more and their networks learnt.
    others = [
        here
        for here in cut
        if here is not primary and here.dataset.iloc[0] == "synthetic" and len(complete(here)) > 2
    ]
    others = [here for here in others if not competence.lacking(complete(here), ARMS)]
    lacks = "" if primary is None else competence.lacking(complete(primary), ("soft", "hard"))
    found = []
    for name, metric in (("bhl-accuracy", "test.macro_accuracy"), ("bhl-kl", "test.kl")):
        claim = CLAIMS[name]
        signs = [claim.better * d.sign for here in others if (d := difference(here, metric))]
        words = f"other competent settings: {signs.count(1)} of {len(signs)} alike, {signs.count(-1)} against"
        found.append(judge(claim, None if primary is None else difference(primary, metric), lacks, words))
    bone = next((here for here in cut if here.dataset.iloc[0] == "micebone"), None)
    for name, metric in (("bhl-accuracy-bone", "test.macro_accuracy"), ("bhl-kl-bone", "test.kl")):
        found.append(judge(CLAIMS[name], None if bone is None else difference(bone, metric)))
    features = [figure1.more_regular(regular), *figure1.clusters(figure1.counted(regular))]
    return [*found, *features, judge(CLAIMS["bhl-features-bone"], None)]
