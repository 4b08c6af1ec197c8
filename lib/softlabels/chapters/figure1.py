"""Chapter 4: BHL's Figure 1, the feature space of the synthetic images; its claim serves chapter 5 too."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from softlabels.analysis.competence import lacking
from softlabels.analysis.embeddings import Embedding, Settings, gather_with_maps, measured
from softlabels.analysis.table import ARMS, difference
from softlabels.analysis.verdicts import CLAIMS, Verdict, judge

GRIDS = ("figure1",)
LEAST = int(Settings.perplexity)  # images of a cluster: as many as t-SNE takes for neighbours
collect = partial(gather_with_maps, GRIDS, compute=True)  # where the features are at hand


def six(found: Embedding) -> float:
    """Silhouette of the six kinds of pure images in a map of the synthetic images, in [-1, 1].

    1: six clusters, each small beside its distance to the next (Rousseeuw 1987). Pure images have one of
    the three hues and one of the two shapes that the generator blends.
    """
    from sklearn.metrics import silhouette_score

    hue, shape = 3 * found.known["hue"].round(4), found.known["shape_weight"].round(4)
    pure = (np.abs(hue - hue.round()) < 1e-3) & np.isin(shape, (0, 1))
    return float(silhouette_score(found.points[pure], (2 * (hue.round() % 3) + shape)[pure]))


def pieces(found: Embedding) -> int:
    """Clusters of a map, of `LEAST` images or more, that HDBSCAN finds (Campello et al. 2013)."""
    from sklearn.cluster import HDBSCAN

    return int(HDBSCAN(min_cluster_size=LEAST, copy=True).fit_predict(found.points).max() + 1)


def counted(runs: pd.DataFrame) -> pd.DataFrame:
    """Add what can be counted in the maps: the silhouette "six" and the number of "pieces"."""
    return runs.assign(
        six=[six(one) if one else np.nan for one in runs.embedding],
        pieces=[float(pieces(one)) if one else np.nan for one in runs.embedding],
    )


def clusters(runs: pd.DataFrame) -> list[Verdict]:
    """Judge what BHL see in maps, once `counted`: six clusters with votes, more with the majority."""
    return [
        judge(CLAIMS["bhl-six"], difference(runs, "six")),
        judge(CLAIMS["bhl-pieces"], difference(runs, "pieces")),
    ]


def by_measure(runs: pd.DataFrame) -> str:
    """Which measures of structure are higher, and which lower, with votes; one sentence, "" without maps."""
    every = {title: difference(runs, f"structure.{name}") for name, title in measured(runs).items()}
    signs = {title: less.sign for title, less in every.items() if less and less.n > 1}
    if not signs:
        return ""
    higher, lower = ([title for title, sign in signs.items() if sign == way] for way in (1, -1))
    parts = [
        f"{len(some)} {word} ({', '.join(some)})" if some else f"none {word}"
        for some, word in ((higher, "higher"), (lower, "lower"))
    ]
    return f"Of {len(signs)} measures, with all votes {parts[0]} and {parts[1]}, beyond their intervals."


def more_regular(runs: pd.DataFrame) -> Verdict:
    """Judge "soft labels give a more regular feature space"; datasets not of the paper are our own."""
    claim, dataset = CLAIMS["bhl-features"], runs.dataset.iloc[0]
    if dataset != "synthetic":
        primary = f"distance correlation of features and label distributions, {dataset}"
        text = f"Soft labels give a more regular feature space ({dataset})"
        claim = replace(claim, text=text, primary=primary, group="ours")
    found = difference(runs, "structure.distance_correlation")
    return judge(claim, found, lacking(runs, ARMS))
