"""Chapter 4: BHL's Figure 1, the feature space of the synthetic images; its claim serves chapter 5 too."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from softlabels.analysis import table
from softlabels.analysis.claims import CLAIMS
from softlabels.analysis.embeddings import with_maps
from softlabels.analysis.table import difference
from softlabels.analysis.verdicts import Verdict, judge

GRIDS = ("figure1",)


def collect(
    profile: str,
    seeds: Sequence[int],
    train: bool = False,
    device: str | None = None,
    fresh: bool = False,
    committed_only: bool = False,
) -> pd.DataFrame:
    """The chapter's runs with their maps, which are computed where features are at hand."""
    runs = table.gather(GRIDS, profile, seeds, train, device, fresh, committed_only)
    return with_maps(runs, compute=not committed_only, committed_only=committed_only)


def more_regular(runs: pd.DataFrame) -> Verdict:
    """Judge "soft labels give a more regular feature space"; datasets not of the paper are our own."""
    claim, dataset = CLAIMS["bhl-features"], runs.dataset.iloc[0]
    if dataset != "synthetic":
        primary = claim.primary.replace("network of Figure 1, synthetic images", f"{dataset}")
        text = f"Soft labels give a more regular feature space ({dataset})"
        claim = replace(claim, text=text, primary=primary, group="ours")
    return judge(claim, difference(runs, "structure.distance_correlation"))
