"""Chapter 13: how near to the noise ceiling the networks are."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from softlabels.analysis import names
from softlabels.analysis.formatting import number, signed
from softlabels.analysis.table import complete, settings, summary
from softlabels.chapters import table1

if TYPE_CHECKING:
    from softlabels.labels.ceiling import Ceiling

GRIDS = ("table1",)


def collect(profile: str, seeds: Sequence[int], *how: Any) -> pd.DataFrame:
    """The runs of Table 1."""
    runs = table1.collect(profile, seeds, *how)
    return runs[runs.grid == GRIDS[0]]


def ceiling_table(found: "Mapping[str, Ceiling]") -> pd.DataFrame:
    """Tabulate what a perfect model would show on each dataset, from its panels."""
    return pd.DataFrame([_row(name, c) for name, c in found.items()])


def _row(name: str, c: "Ceiling") -> dict[str, str]:
    low, mean, high = c.panel
    return {
        "dataset": names.dataset(name),
        "annotations per image": f"{low:.0f}–{high:.0f}, mean {mean:.1f}",
        "KL of a perfect model": f"{number(c.kl)} [{number(c.kl_low)}, {number(c.kl_high)}]",
        "not above": number(c.kl_above),
        "its accuracy": f"{number(c.accuracy)} [{number(c.accuracy_low)}, {number(c.accuracy_high)}]",
        "half against half": number(c.agreement),
    }


def share(here: pd.DataFrame, ceiling: "Ceiling") -> float:
    """Share of the way from the hard arm's KL to a perfect model's that the soft arm goes, or nan."""
    hard, soft = (summary(here[here.arm == arm], "test.kl")[0] for arm in ("hard", "soft"))
    return (hard - soft) / (hard - ceiling.kl)


def shares(runs: pd.DataFrame, found: "Mapping[str, Ceiling]") -> list[tuple[str, pd.DataFrame, float]]:
    """List the settings on datasets with panels that have runs of both arms, with their shares."""
    cut = settings(runs[runs.dataset.isin(list(found))])
    every = [(name, here, share(here, found[here.dataset.iloc[0]])) for name, here in cut]
    return [one for one in every if np.isfinite(one[2])]


def placed(runs: pd.DataFrame, found: "Mapping[str, Ceiling]") -> pd.DataFrame:
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


def sentence(runs: pd.DataFrame, found: "Mapping[str, Ceiling]") -> str:
    """Say for each dataset how far soft labels get from the hard arm to a perfect model."""
    every, words = shares(runs, found), []
    for name, ceiling in found.items():
        here = sorted(value for _, runs, value in every if runs.dataset.iloc[0] == name)
        if here:
            ends = _percent(here[0]) if len(here) == 1 else f"{_percent(here[0])} to {_percent(here[-1])}"
            words.append(
                f"On {names.dataset(name)} a perfect model shows a KL of {number(ceiling.kl, 3)} nats, and "
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
