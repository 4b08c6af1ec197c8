"""Chapter 5: BHL's Figure 2, the feature space of images that people annotated."""

from functools import partial

from softlabels.analysis.embeddings import gather_with_maps

GRIDS = ("figure2",)
collect = partial(gather_with_maps, GRIDS)
