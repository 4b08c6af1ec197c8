"""From images and targets to a trained network, and how it bears attacks and blur."""
