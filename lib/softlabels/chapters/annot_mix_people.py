"""Chapter 20: the annotators behind the labels, and whether a model of them estimates a distribution.

What each dataset's annotators are like stands in one small committed file, so that the chapter needs no data;
``python -m softlabels.chapters.annot_mix_people`` writes it from the datasets that can be had here.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from softlabels import datasets
from softlabels.analysis import annotators, published, table
from softlabels.analysis.formatting import NOTHING, interval, number, spread
from softlabels.analysis.table import summary
from softlabels.chapters.annot_mix import COMPARED, OURS, apart, full_rows, of, points, printed, shown
from softlabels.datasets import cifar10_crowds, simulated, synthetic
from softlabels.datasets.cifar10 import CLASSES, TRAIN_LABELS
from softlabels.datasets.fetch import fetch
from softlabels.errors import DataUnavailable
from softlabels.labels.agreement import facts, heterogeneity
from softlabels.labels.votes import Annotations, chosen, shuffled
from softlabels.learning.annotators import aggregation
from softlabels.learning.config import METHODS
from softlabels.runs import profiles
from softlabels.store import Shelf, read, write_atomically

if TYPE_CHECKING:
    from softlabels.runs.records import Record

GRIDS = (COMPARED,)
IMAGES = tuple(profiles.CROWD_IMAGES["laptop"])  # rows of images, which profile "laptop" trains small
PAIRED, SHUFFLED = "cifar10n", "cifar10n, shuffled workers"
AVERAGED = "soft-mixup"  # what averaging people gives
UNPRINTED = (float("nan"), float("nan"))  # mean and standard deviation
EXACT = "synthetic-crowd"  # the row whose distribution and people are known exactly
CARDS = (  # datasets whose annotators are described
    "mgc",
    "labelme",
    "letter",
    "synthetic-crowd",
    "cifar10h-crowd-jpeg",
    "cifar10n",
    "sentiment",
    "trec6",
)
COMBINED = (
    "mgc",
    "labelme",
    "sentiment",
)  # people on vectors, few enough for slow libraries
SHELF, FILE = Shelf("datasets"), "annotators.json"
Card = dict[str, Any]
collect = partial(table.gather, GRIDS)


def losses(runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Log loss [nats] of every method at the last epoch, KL where the distribution is known.

    As `figures.relative` takes it; of two splits of the same data the first stands for both.
    """
    rows = full_rows(runs, METHODS)
    found = pd.DataFrame(
        {row: {m: summary(of(runs, row, m), _loss(row))[0] for m in METHODS} for row in rows}
    )
    if found.empty:
        return {}
    mean = np.log(found.div(found.loc[OURS])).mean(axis="columns")
    return {"ours": found.loc[sorted(METHODS, key=lambda m: (m != OURS, mean[m]))]}


def _loss(row: str) -> str:
    return f"last.{'kl' if row.startswith('synthetic') else 'cross_entropy'}"


def answer(runs: pd.DataFrame) -> str:
    """What came out, in at most three sentences."""
    words = [_of_distributions(runs), _of_performance(runs), _of_confusions(runs)]
    return " ".join(filter(None, words)) or "The runs that this page needs are not here yet."


def _of_distributions(runs: pd.DataFrame) -> str:
    means = {
        row: [summary(of(runs, row, m), _loss(row))[0] for m in (OURS, AVERAGED)]
        for row in full_rows(runs, (OURS, AVERAGED))
    }
    if not means:
        return ""
    behind = [annotators.row(row) for row, (ours, averaged) in means.items() if ours >= averaged]
    return (
        f"On {len(means) - len(behind)} of {len(means)} datasets annot-mix estimates the class probabilities "
        f"better (with a lower log loss) than a network that learns from averaged votes"
        f"{', but not on ' + ' and '.join(behind) if behind else ''}."
    )


def _of_performance(runs: pd.DataFrame) -> str:
    rows = full_rows(runs)
    found = [{m: summary(of(runs, row, m), "annotators.auroc")[0] for m in METHODS} for row in rows]
    judged = [{m: v for m, v in one.items() if np.isfinite(v)} for one in found]
    judged = [one for one in judged if OURS in one]
    if not judged:
        return ""
    first = sum(max(one, key=one.__getitem__) == OURS for one in judged)
    return (
        f"It tells a right label from a wrong one with an AUROC of "
        f"{np.median([one[OURS] for one in judged]):.2f} in the median (chance is 0.5); of "
        f"{len(judged[0])} models of annotators it is the best at it on {first} of {len(judged)} datasets."
    )


def _of_confusions(runs: pd.DataFrame) -> str:
    found = {m: summary(of(runs, EXACT, m), "annotators.confusion_error")[0] for m in METHODS}
    known = {m: v for m, v in found.items() if np.isfinite(v)}
    if len(known) < 2 or OURS not in known:
        return ""
    others = sorted(v for m, v in known.items() if m != OURS)
    nearest = "nearest to them" if known[OURS] < others[0] else "not nearest to them"
    return (
        f"Where people's true confusion matrices are known, its estimates are {nearest}: they are off by "
        f"{known[OURS]:.2f} on average, those of the others by {others[0]:.2f} to {others[-1]:.2f}."
    )


def in_print() -> str:
    """What AM print beside it, in words."""
    rows = published.get("annotmix", "auroc_last")
    means = [{method: mean for method, (mean, _) in row.items()} for row in rows.values()]
    first = sum(max(found, key=found.__getitem__) == OURS for found in means)
    return (
        f"The paper prints how well each method tells right labels from wrong ones (AUROC) on {len(rows)} "
        f"datasets with simulated annotators; annot-mix is first on {first} of them. It reports no measure "
        "of the distribution."
    )


def small_images(seeds: Sequence[int]) -> pd.DataFrame:
    """Runs on images, as far as profile "laptop" goes; nothing is trained."""
    runs = table.gather(GRIDS, "laptop", seeds)
    return runs[runs.dataset.isin(IMAGES)]


def distributions(runs: pd.DataFrame, row: str) -> pd.DataFrame:
    """Measures that AM do not report: log loss or KL, calibration, Brier; and how annotators are judged.

    All are of the last epoch where nothing else is said.
    """
    exact = row.startswith("synthetic")
    name, metric = ("KL [nats]", "kl") if exact else ("log loss [nats]", "cross_entropy")
    columns = {name: f"last.{metric}", "ECE": "last.ece", "Brier": "last.brier"}
    columns |= {f"{name}, best epoch": f"best.{metric}", "AUROC": "annotators.auroc"}
    columns |= {"confusion error": "annotators.confusion_error"} if exact else {}
    rows = []
    for method in METHODS:
        here = of(runs, row, method)
        line = {"method": annotators.named(method), "n": str(len(here))}
        rows.append(line | {title: spread(*summary(here, c)[:2], 3) for title, c in columns.items()})
    return pd.DataFrame(rows)


def performance(runs: pd.DataFrame) -> pd.DataFrame:
    """AUROC in % of P(label is right) where the paper prints it: last epoch, published beside ours."""
    entry = published.get("annotmix", "auroc_last")
    here = runs[(runs.grid == COMPARED) & runs.record.notna()]
    rows = [row for row in entry if (here.dataset == row).any()]
    lines = []
    for method in (m for m in METHODS if any(m in entry[row] for row in rows)):
        line = {"method": annotators.named(method)}
        for row in rows:
            mean, sd, n = summary(of(runs, row, method), "annotators.auroc")
            their_mean, their_sd = entry[row].get(method, UNPRINTED)
            name = annotators.row(row)
            line[f"{name}, published"] = spread(their_mean, their_sd, 1)
            line |= {f"{name}, ours": spread(100 * mean, 100 * sd, 1), f"{name}, n": str(n)}
        lines.append(line)
    return pd.DataFrame(lines)


def performance_sentence(runs: pd.DataFrame) -> str:
    """How the methods' order by AUROC agrees with the published one, and who is first, in one sentence."""
    words = []
    for row, entry in published.get("annotmix", "auroc_last").items():
        theirs = {method: mean for method, (mean, _) in entry.items()}
        ours = {m: summary(of(runs, row, m), "annotators.auroc")[0] for m in theirs}
        if not np.isfinite(list(ours.values())).all():
            continue
        both = np.array([[found[m] for m in theirs] for found in (ours, theirs)])
        rho = float(np.asarray(np.corrcoef(both.argsort(1).argsort(1)))[0, 1])
        firsts = " and ".join(annotators.named(max(found, key=found.__getitem__)) for found in (theirs, ours))
        words.append(
            f"{annotators.row(row)}: rank correlation {number(rho, 2)}; first are {firsts} (published, ours)"
        )
    return f"{'; '.join(words)}." if words else "No row with published values is complete."


def on_images(runs: pd.DataFrame, row: str) -> pd.DataFrame:
    """Accuracy in %, published beside ours, and log loss of the methods that a row of images compares."""
    lines = []
    for method in profiles.crowd_methods("laptop", row):
        here = of(runs, row, method)
        line = {"method": annotators.named(method), "n": str(len(here))}
        line["last epoch, published"] = spread(*printed(row, method)[:2], 1)
        line |= {"last epoch, ours": shown(here), "best epoch, ours": shown(here, "best")}
        lines.append(line | {"log loss, last epoch": spread(*summary(here, "last.cross_entropy")[:2], 3)})
    return pd.DataFrame(lines)


def workers(runs: pd.DataFrame) -> pd.DataFrame:
    """What the published pairing of labels and workers is worth: less judgements given to random workers."""
    lines = []
    for method in profiles.WORKER_METHODS:
        a, b = (of(runs, row, method) for row in (PAIRED, SHUFFLED))
        common = set(a.seed) & set(b.seed)
        own, random = (side[side.seed.isin(common)] for side in (a, b))
        line = {"method": annotators.named(method), "n": str(len(common))}
        line |= {"published pairing": shown(own), "workers shuffled": shown(random)}
        line["accuracy, published − shuffled"] = points(apart(a, b))
        loss = interval(apart(a, b, "cross_entropy"), 3)
        lines.append(line | {"log loss, published − shuffled": loss})
    return pd.DataFrame(lines)


def workers_sentence(runs: pd.DataFrame) -> str:
    """For how many methods the pairing is worth more than chance, in a sentence; empty without runs."""
    methods = profiles.WORKER_METHODS
    found = [apart(of(runs, PAIRED, m), of(runs, SHUFFLED, m)) for m in methods]
    ends = [(v.low, v.high) for v in found if v and v.low is not None and v.high is not None]
    if not ends:
        return ""
    decided = sum(low > 0 or high < 0 for low, high in ends)
    return (
        f"The 95 % interval of the accuracy excludes zero for {decided} of {len(ends)} methods; no interval "
        f"reaches further than {100 * np.abs(ends).max():.1f} points from zero."
    )


def crowd_table(cards: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Noise rate, judgements and accuracy of the annotators of each dataset, published noise beside ours."""
    return pd.DataFrame([_crowd(card) for card in cards])


def _crowd(card: Mapping[str, Any]) -> dict[str, str]:
    noise = published.get("annotmix", "noise").get(card["name"].removesuffix("-crowd-jpeg"))
    quartiles = (number(card[f"accuracy_{q}"], 2) for q in ("low", "median", "high"))
    return {
        "dataset": annotators.row(card["name"]),
        "images": f"{card['labelled']:,}",
        "classes": str(card["classes"]),
        "people": f"{card['annotators']:.0f}",
        "per image": number(card["per_image"], 2),
        "noise, published": NOTHING if noise is None else number(noise, 1),
        "noise, ours": number(100 * card["noise"], 1),
        "accuracy": " / ".join(quartiles),
        "χ²/df": number(card["chi2_df"], 2),
        "shuffled": number(card["chi2_df_shuffled"], 2),
    }


def confusions(
    runs: pd.DataFrame,
    row: str = EXACT,
    methods: tuple[str, ...] = (OURS, "trace-reg", "madl"),
) -> "tuple[dict[str, np.ndarray], list[str], tuple[str, ...], list[Record]]":
    """True and estimated confusion matrices of one annotator of each kind, and the records behind.

    Returns
    -------
    matrices : dict of source to [n, C, C]
        Empty where no run is here.
    titles : list of n str
    classes : tuple of C str
    records : list of Record
    """
    kinds = simulated.kinds()
    first = [kinds.index(kind) for kind in simulated.KINDS]
    found = {m: here.record.iloc[0] for m in methods if len(here := of(runs, row, m))}
    matrices = {
        annotators.named(m): r.arrays()["confusions"][first].astype(np.float32) for m, r in found.items()
    }
    if matrices:
        matrices = {"as simulated": simulated.confusions()[first]} | matrices
    return matrices, list(simulated.KINDS), synthetic.CLASSES, list(found.values())


# What each dataset's annotators are like.


def describe(name: str, **options: Any) -> Card:
    """Describe the annotators of a dataset's training part; options as for `datasets.load`.

    Of CIFAR-10N only labels and workers are read, no image. For `COMBINED`, "combined" says how often the
    labels that `aggregation.accuracies` makes of the judgements are right. Beside the ratio of χ² to its
    degrees of freedom stands that of the same labels with annotators shuffled.
    """
    combined: Card = {}
    if name == "cifar10n":
        found, truth, n_classes = cifar10_crowds.annotations(), _clean(), len(CLASSES)
    else:
        data = datasets.load(name, **options)
        assert data.annotations is not None and data.truth is not None
        part = data.splits.get("train", np.arange(len(data)))
        found, truth, n_classes = chosen(data.annotations, part), data.truth, len(data.classes)
        if name in COMBINED:
            shares = aggregation.accuracies(found, data.images, truth, n_classes)
            combined = {"combined": {way: round(share, 6) for way, share in shares.items()}}
    chance = heterogeneity(shuffled(found, np.random.default_rng(0)), truth).get("chi2_df", float("nan"))
    return {
        "name": name,
        "classes": n_classes,
        "labelled": len(np.unique(found.image)),
        **{key: round(value, 6) for key, value in facts(found, truth).items()},
        "chi2_df_shuffled": round(chance, 6),
        **combined,
    }


def worker_tests() -> dict[str, float]:
    """χ² over its degrees of freedom for CIFAR-10N's workers, paired with its labels in four ways.

    A label that is "worse" than the truth may come from any column of workers, one that is right comes from
    the first, because the first who gave it is taken. That rule alone makes workers differ, whoever they are:
    it does so too after whole batches have been given to other workers.
    """
    given, worse = cifar10_crowds.answers()
    columns, truth = cifar10_crowds.workers(), _clean()
    image, first = np.arange(len(worse)), (given == worse[:, None]).argmax(1)
    batches = columns.reshape(-1, cifar10_crowds.BATCH, 3)
    mixed = batches[np.random.default_rng(0).permutation(len(batches))].reshape(columns.shape)

    def ratio(rows: np.ndarray, workers: np.ndarray, answers: np.ndarray) -> float:
        return round(heterogeneity(Annotations(rows, workers, answers), truth)["chi2_df"], 6)

    kept = first == 0
    return {
        "all three labels, their own workers": ratio(np.repeat(image, 3), columns.ravel(), given.ravel()),
        "worse label, first worker who gave it (AM)": ratio(image, columns[image, first], worse),
        "the same, batches given to other workers": ratio(image, mixed[image, first], worse),
        "worse label where the first worker gave it": ratio(image[kept], columns[kept, 0], worse[kept]),
    }


def _clean() -> np.ndarray:
    with np.load(fetch(TRAIN_LABELS), allow_pickle=False) as arrays:
        return arrays["clean"].astype(np.int64)


def of_profile(profile: str) -> list[Card]:
    """Return the committed cards; for profile smoke, one that is made now."""
    if profile == "smoke":
        return [describe("synthetic-crowd", n_images=240)]
    path = SHELF.find(FILE, committed_only=True)
    remedy = "`python -m softlabels.chapters.annot_mix_people` renews it"
    return read(path, json.loads, "cards of annotators", remedy) if path else []


def main() -> int:
    """Write the cards of all datasets that can be had here, and name those that cannot."""
    found = []
    for name in CARDS:
        try:
            found.append(describe(name) | ({"tests": worker_tests()} if name == "cifar10n" else {}))
        except DataUnavailable as error:
            print(f"{name}: left out: {error}")
    path = SHELF.committed / FILE
    write_atomically(path, (json.dumps(found, indent=1) + "\n").encode())
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
