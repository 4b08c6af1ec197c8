"""Chapter 13: how near to the noise ceiling the networks are, and two real panels for one image.

``python -m softlabels.chapters.noise_ceiling`` makes the committed ceilings and the comparison of panels.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from softlabels import datasets
from softlabels.analysis import names
from softlabels.analysis.formatting import number, signed
from softlabels.analysis.table import complete, settings, summary
from softlabels.chapters import table1
from softlabels.datasets import ferplus
from softlabels.errors import DataUnavailable, told, unknown
from softlabels.labels import ceiling, votes
from softlabels.labels.ceiling import BOOTSTRAPS, Ceiling, split_half
from softlabels.store import Shelf, read, write_atomically

GRIDS = ("table1",)
SHELF = Shelf("ceilings")
DATASETS = ("cifar10h-9500", "ferplus", "micebone-standin")
TWINS = "ferplus-twins"
REMEDY = "`python -m softlabels.chapters.noise_ceiling` renews it"


def collect(profile: str, seeds: Sequence[int], *how: Any) -> pd.DataFrame:
    """The runs of Table 1."""
    runs = table1.collect(profile, seeds, *how)
    return runs[runs.grid == GRIDS[0]]


def ceiling_table(found: Mapping[str, Ceiling]) -> pd.DataFrame:
    """Tabulate what a perfect model would show on each dataset, from its panels."""
    rows = []
    for name, c in found.items():
        low, mean, high = c.panel
        row = {
            "dataset": names.dataset(name),
            "annotations per image": f"{low:.0f}–{high:.0f}, mean {mean:.1f}",
            "KL of a perfect model": f"{number(c.kl)} [{number(c.kl_low)}, {number(c.kl_high)}]",
            "not above": number(c.kl_above),
            "its accuracy": f"{number(c.accuracy)} [{number(c.accuracy_low)}, {number(c.accuracy_high)}]",
            "half against half": number(c.agreement),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def share(here: pd.DataFrame, best: Ceiling) -> float:
    """Share of the way from the hard arm's KL to a perfect model's that the soft arm goes, or nan."""
    hard, soft = (summary(here[here.arm == arm], "test.kl")[0] for arm in ("hard", "soft"))
    return (hard - soft) / (hard - best.kl)


def shares(runs: pd.DataFrame, found: Mapping[str, Ceiling]) -> list[tuple[str, pd.DataFrame, float]]:
    """List the settings on datasets with panels that have runs of both arms, with their shares."""
    cut = settings(runs[runs.dataset.isin(list(found))])
    every = [(name, here, share(here, found[here.dataset.iloc[0]])) for name, here in cut]
    return [one for one in every if np.isfinite(one[2])]


def placed(runs: pd.DataFrame, found: Mapping[str, Ceiling]) -> pd.DataFrame:
    """Place every KL between that of the hard arm (0 %) and that of a perfect model (100 %)."""
    rows = []
    for name, here, value in shares(runs, found):
        best, hard, soft = found[here.dataset.iloc[0]], here[here.arm == "hard"], here[here.arm == "soft"]
        rows.append(
            {
                "setting": names.title(name),
                "pairs": str(len(complete(here)) // 2),
                "KL, majority": number(summary(hard, "test.kl")[0]),
                "KL, all votes": number(summary(soft, "test.kl")[0]),
                "KL, perfect": f"{number(best.kl)} … {number(best.kl_above)}",
                "of the way, all votes": _percent(value),
                "accuracy, all votes": number(summary(soft, "test.macro_accuracy")[0]),
                "accuracy, perfect": number(best.accuracy),
            }
        )
    return pd.DataFrame(rows)


def _percent(value: float) -> str:
    return f"{number(100 * value, 0)} %"


def sentence(runs: pd.DataFrame, found: Mapping[str, Ceiling]) -> str:
    """Say for each dataset how far soft labels get from the hard arm to a perfect model."""
    every, words = shares(runs, found), []
    for name, best in found.items():
        here = sorted(value for _, runs, value in every if runs.dataset.iloc[0] == name)
        if here:
            ends = _percent(here[0]) if len(here) == 1 else f"{_percent(here[0])} to {_percent(here[-1])}"
            words.append(
                f"On {names.dataset(name)} a perfect model shows a KL of {number(best.kl, 3)} nats, and "
                f"all votes go {ends} of the way there from the majority ({len(here)} of the settings)."
            )
    return " ".join(words) or "No pair of runs on a dataset with panels is here yet."


def simulated(found: Sequence[tuple[str, Mapping[str, float]]]) -> pd.DataFrame:
    """Tabulate estimates from simulated panels beside the truth; rows from `ceiling.simulate`."""
    rows = []
    for name, values in found:
        row = {"distributions": name, "annotations": f"{values['n']:.0f}"}
        row |= {"KL, true": number(values["true_kl"]), "estimate": number(values["kl"])}
        row |= {"not above": number(values["kl_above"])}
        row |= {"accuracy, true": number(values["true_accuracy"], 3)}
        rows.append(row | {"accuracy, estimate": number(values["accuracy"], 3)})
    return pd.DataFrame(rows)


def tried(found: Sequence[tuple[str, Mapping[str, float]]]) -> str:
    """Say how far the estimates from simulated panels are from the truth; rows from `ceiling.simulate`."""
    rows = [values for _, values in found]
    kl = sorted(100 * (r["kl"] / r["true_kl"] - 1) for r in rows)
    accuracy = sorted(r["accuracy"] - r["true_accuracy"] for r in rows)
    above = sum(r["kl_above"] >= r["true_kl"] for r in rows)
    return (
        f"The estimate of KL is off by {signed(kl[0], 0)} % to {signed(kl[-1], 0)} %, and the bound lies "
        f"above the truth in {above} of {len(rows)} rows. The estimate of accuracy is off by "
        f"{signed(accuracy[0], 3)} to {signed(accuracy[-1], 3)}."
    )


# The ceilings of the datasets, as they are committed.


def get(name: str, n_boot: int = BOOTSTRAPS) -> Ceiling:
    """Return the ceiling of a dataset: the committed one, else estimated now from its annotations.

    Raises
    ------
    DataUnavailable
        The dataset can be had neither here nor from the network.
    """
    path = SHELF.find(f"{name}.json", committed_only=True)
    return read(path, _parsed, "a noise ceiling", REMEDY) if path else _estimated(name, n_boot)


def _estimated(name: str, n_boot: int = BOOTSTRAPS) -> Ceiling:
    return split_half(datasets.load(name).counts, np.random.default_rng(0), n_boot)


def _parsed(content: bytes) -> Ceiling:
    body = json.loads(content)
    return Ceiling(**{**body, "panel": tuple(body["panel"])})


def of_profile(profile: str) -> dict[str, Ceiling]:
    """Return the ceilings that a chapter shows; a dataset that cannot be had here is left out."""
    wanted, n_boot = (DATASETS[-1:], 5) if profile == "smoke" else (DATASETS, BOOTSTRAPS)
    found = {}
    for name in wanted:
        try:
            found[name] = get(name, n_boot)
        except DataUnavailable:
            continue
    return found


def publish(name: str) -> Path:
    """Estimate a ceiling, or compare the twins, and write it into the committed results; returns the file."""
    found = compare(*pairs(), np.random.default_rng(0)) if name == TWINS else _estimated(name)
    path = SHELF.committed / f"{name}.json"
    write_atomically(path, (json.dumps(asdict(found), indent=1) + "\n").encode())
    return path


# Two real panels for the same image: does splitting one panel in halves tell what a second panel would say?
# Some 1,500 images of FER+ occur twice, equal pixel for pixel, and the authors asked ten annotators for each
# copy. Their table of votes gives both copies the votes of one; the tables beside the images have what was
# collected.


@dataclass(frozen=True)
class Twins:
    """Pairs of panels, and what they would show if all their annotators were exchangeable.

    Attributes
    ----------
    n_pairs : int
    divergence, expected_divergence : float
        Mean Jensen-Shannon divergence of the two panels, in nats.
    agreement, expected_agreement : float
        Share of the pairs with the same majority; ties are drawn.
    """

    n_pairs: int
    divergence: float
    expected_divergence: float
    agreement: float
    expected_agreement: float


def compare(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> Twins:
    """Compare pairs of panels with random halves of both together.

    If a second panel differs from the first only by chance, both are random parts of their union.

    Parameters
    ----------
    a, b : [N, K]
        Annotations per class of the same images by two panels.
    """
    both, entropy = a + b, lambda counts: votes.entropy(votes.soft_labels(counts))
    apart = (entropy(a) + entropy(b)) / 2
    parts = [ceiling.panel_entropy(both, panel.sum(1).astype(np.int64)) for panel in (a, b)]
    return Twins(
        n_pairs=len(a),
        divergence=float((entropy(both) - apart).mean()),
        expected_divergence=float((entropy(both) - sum(parts) / 2).mean()),
        agreement=_agreement(a, b, rng),
        expected_agreement=_agreement(*ceiling.halves(both, rng), rng),
    )


def _agreement(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> float:
    return float((votes.hard_labels(a, rng)[0] == votes.hard_labels(b, rng)[0]).mean())


def pairs(least: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Votes of both panels for the images of FER+ that occur twice, float32 ``[N, 8]`` each.

    Parameters
    ----------
    least : int
        Votes for an emotion that each panel must have.

    Raises
    ------
    DataError, DataUnavailable
        As for `fetch`.
    """
    data, collected = ferplus.load(), ferplus.collected_votes()
    rows: dict[bytes, list[int]] = {}
    for row, image in enumerate(data.images):
        rows.setdefault(image.tobytes(), []).append(row)
    chosen = np.array([copies[:2] for copies in rows.values() if len(copies) > 1])
    a, b = (np.array([collected[int(i)] for i in data.ids[side]], np.float32) for side in chosen.T)
    kept = np.minimum(a.sum(1), b.sum(1)) >= least
    return a[kept], b[kept]


def twins() -> Twins | None:
    """Return the committed comparison, or None."""
    path = SHELF.find(f"{TWINS}.json", committed_only=True)
    return (
        read(path, lambda content: Twins(**json.loads(content)), "a comparison of panels", REMEDY)
        if path
        else None
    )


def twins_sentence(found: Twins | None) -> str:
    """Say what the comparison shows."""
    if found is None:
        command = "python -m softlabels.chapters.noise_ceiling"
        return f"The comparison is not here; `{command}` makes it from the data."
    return (
        f"In {found.n_pairs:,} pairs of panels, the mean divergence of the two is {number(found.divergence)} "
        f"nats, where random halves of both together give {number(found.expected_divergence)}; the "
        f"majorities agree in {100 * found.agreement:.1f} % of the pairs, where halves give "
        f"{100 * found.expected_agreement:.1f} %."
    )


@told(2)
def main(arguments: list[str] | None = None) -> None:
    """Make the committed noise ceilings, and the comparison of panels, of the data that can be had here."""
    parser = argparse.ArgumentParser(
        prog="python -m softlabels.chapters.noise_ceiling", description=main.__doc__
    )
    known = (*DATASETS, TWINS)
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(known)}; all if left out")
    for name in parser.parse_args(arguments).names or known:
        if name not in known:
            raise unknown("dataset", name, known)
        print(publish(name))


if __name__ == "__main__":
    sys.exit(main())
