"""Random streams: a name for each purpose, so that nothing drawn for one moves what is drawn for another."""

import numpy as np

# The numbers are part of every run's meaning and stay. Where two purposes have the same one, no run has both.
STREAMS = {
    "split": 1,  # random parts
    "annotations": 2,  # which of an image's annotations are kept
    "labels": 3,  # ties, and labels drawn from annotations
    "epoch": 4,  # order, augmentation and mixtures of an epoch
    "weights": 5,  # initial ones
    "folds": 6,  # parts that are the same for every seed
    "audit": 6,  # which records are trained again
    "validation": 7,  # part drawn from the rest of a fold
    "train images": 8,  # which are kept where a run has fewer
    "crowd split": 8,  # training and validation where a crowd judged a part
    "mixup": 9,  # partners and weights of an epoch
    "shuffled workers": 9,
    "mirrored": 10,  # in the first epoch, then in turn
    "crowd dropout": 10,
    "corruption": 20,
    "copied images": 21,  # of CIFAR-10's training part
    "attack": 22,  # where attacks begin
    "person": 30,  # who is asked
}


def generator(seed: int, purpose: str, *more: int) -> np.random.Generator:
    """A random stream of its own for each seed and purpose, and for each epoch or fold in `more`."""
    return np.random.default_rng([seed, STREAMS[purpose], *more])
