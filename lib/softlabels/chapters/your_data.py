"""Chapter 12: does the distribution pay on somebody's own data? All that it computes is in `owndata`."""

from softlabels.owndata import study as collect

__all__ = ["GRIDS", "collect"]
GRIDS = ("your_data",)
