"""Chapter 5: BHL's Figure 2, the feature space of images that people annotated."""

from collections.abc import Sequence

import pandas as pd

from softlabels.analysis import table
from softlabels.analysis.embeddings import with_maps

GRIDS = ("figure2",)


def collect(
    profile: str,
    seeds: Sequence[int],
    train: bool = False,
    device: str | None = None,
    fresh: bool = False,
    committed_only: bool = False,
) -> pd.DataFrame:
    """The chapter's runs with their maps, which are computed only if `train`."""
    runs = table.gather(GRIDS, profile, seeds, train, device, fresh, committed_only)
    return with_maps(runs, train, committed_only)
