"""UCI letter recognition with twenty simulated annotators (AM, section 5): networks that err like people.

An annotator is a network trained a little, on few examples, of some letters more than of others. What they
answered lies beside this module, because a training does not repeat bit by bit on another machine;
``python -m softlabels.chapters.annot_mix.simulated letter`` makes it anew.
"""

import string
from importlib import resources

import numpy as np

from softlabels.datasets import fetch
from softlabels.datasets.base import Annotations, Dataset
from softlabels.datasets.crowds import crowd
from softlabels.errors import DataError

CLASSES = tuple(string.ascii_uppercase)
N, N_FEATURES, N_ANNOTATORS = 20_000, 16, 20
N_TEST, N_VALIDATION = 4_000, 500
FILE = "letter/letter-recognition.data"
ANSWERS = "letter_annotators.npz"
# Of 1,000 draws of the annotators' diligence the one whose noise comes nearest to the published 51.9 %; a
# typical draw gives 36 %. AM's own tables are not public.
MASK_SEED = 679


def load(image_size: int | None = None) -> Dataset:
    """Return 20,000 letters of 16 features and the answers of 20 simulated annotators.

    Images to train on keep two to four answers each, as in AM; those of the test part keep all twenty, so
    that estimates of the annotators can be tested. Letters come as features; ``image_size`` is there
    because every loader takes it. Raises as `fetch`.
    """
    x, truth = read()
    splits = split(truth)
    return crowd(
        "letter",
        x,
        truth,
        simulated_answers(ANSWERS, splits, MASK_SEED),
        CLASSES,
        splits,
        variant="16 features of 20,000 letters; 20 simulated annotators, 2 to 4 answers each",
        url="https://archive.ics.uci.edu/dataset/59/letter+recognition",
        licence="CC BY 4.0",
    )


def simulated_answers(file: str, splits: dict[str, np.ndarray], seed: int) -> Annotations:
    """What simulated annotators answered, from a file beside this module, as far as `keep` keeps it."""
    with resources.files("softlabels.datasets").joinpath(file).open("rb") as stream:
        answers = np.load(stream, allow_pickle=False)["answers"].astype(np.int64)
    kept = keep(len(answers), np.random.default_rng(seed))
    kept[splits["test"]], kept[splits["validation"]] = True, False
    image, annotator = np.nonzero(kept)
    return Annotations(image, annotator, answers[image, annotator])


def read() -> tuple[np.ndarray, np.ndarray]:
    """Features float32 [20000, 16] and letters int64 [20000]."""
    path = fetch.fetch(FILE)
    rows = [line.split(",") for line in path.read_text("ascii").splitlines()]
    x = np.array([row[1:] for row in rows], np.float32)
    if x.shape != (N, N_FEATURES):
        raise DataError(f"{path}: expected {N} rows of {N_FEATURES} features, found {x.shape}")
    return x, np.array([CLASSES.index(row[0]) for row in rows])


def split(truth: np.ndarray) -> dict[str, np.ndarray]:
    """AM's sizes (15,500 / 500 / 4,000), each letter's share the same in every part; always the same rows."""
    place = spread(truth, len(CLASSES))
    test, validation, train = np.split(np.argsort(place), [N_TEST, N_TEST + N_VALIDATION])
    return {"train": np.sort(train), "validation": np.sort(validation), "test": np.sort(test)}


def spread(truth: np.ndarray, n_classes: int) -> np.ndarray:
    """Places in [0, 1), always the same, float64 [N]: any cut takes the same share of each class."""
    rng = np.random.default_rng(0)
    order, place = rng.permutation(len(truth)), np.empty(len(truth))
    for k in range(n_classes):
        mine = order[truth[order] == k]
        place[mine] = (np.arange(len(mine)) + rng.random()) / len(mine)
    return place


def keep(n: int, rng: np.random.Generator) -> np.ndarray:
    """Which answers are kept, bool [n, 20]: two to four an image, from annotators of unequal diligence."""
    diligence = rng.beta(1, 3, N_ANNOTATORS)
    # The first r of a weighted order without replacement are those with the largest log w + Gumbel.
    rank = (-(np.log(diligence) + rng.gumbel(size=(n, N_ANNOTATORS)))).argsort(1).argsort(1)
    return rank < rng.integers(2, 5, (n, 1))
