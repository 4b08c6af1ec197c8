"""Chapter 12: the questions of the other chapters, asked of one dataset. What it computes is `owndata`."""

GRIDS = ("your_data",)
