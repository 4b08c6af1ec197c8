"""UCI letter recognition with twenty simulated annotators (AM, section 5): networks that err like people.

An annotator is a network trained a little, on few examples, of some letters more than of others. What they
answered lies beside this module, because a training does not repeat bit by bit on another machine;
``python -m softlabels.datasets.letter`` makes it anew.
"""

import string
import sys
from importlib import resources
from pathlib import Path

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
MAX_EPOCHS, BATCH = 20, 64
# Where the public code draws a learning rate it then drops, and every annotator learns at this one.
RATE = 1e-3
# Of 1,000 draws of the annotators' diligence the one whose noise comes nearest to the published 51.9 %; a
# typical draw gives 36 %. AM's own tables are not public.
MASK_SEED = 679


def load(image_size: int | None = None) -> Dataset:
    """Return 20,000 letters of 16 features and the answers of 20 simulated annotators.

    Images to train on keep two to four answers each, as in AM; those of the test part keep all twenty, so
    that estimates of the annotators can be tested. Letters come as features; ``image_size`` is there
    because every loader takes it.

    Raises
    ------
    DataError, DataUnavailable
        As for `fetch`.
    """
    x, truth = read()
    with resources.files("softlabels.datasets").joinpath(ANSWERS).open("rb") as file:
        answers = np.load(file, allow_pickle=False)["answers"].astype(np.int64)
    splits = split(truth)
    kept = keep(len(x), np.random.default_rng(MASK_SEED))
    kept[splits["test"]], kept[splits["validation"]] = True, False
    image, annotator = np.nonzero(kept)
    return crowd(
        "letter",
        x,
        truth,
        Annotations(image, annotator, answers[image, annotator]),
        CLASSES,
        splits,
        variant="16 features of 20,000 letters; 20 simulated annotators, 2 to 4 answers each",
        url="https://archive.ics.uci.edu/dataset/59/letter+recognition",
        licence="CC BY 4.0",
    )


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
    rng = np.random.default_rng(0)
    order = rng.permutation(len(truth))
    # Each letter's rows spread evenly over [0, 1): any cut takes the same share of every letter.
    place = np.empty(len(truth))
    for k in range(len(CLASSES)):
        mine = order[truth[order] == k]
        place[mine] = (np.arange(len(mine)) + rng.random()) / len(mine)
    test, validation, train = np.split(np.argsort(place), [N_TEST, N_TEST + N_VALIDATION])
    return {"train": np.sort(train), "validation": np.sort(validation), "test": np.sort(test)}


def keep(n: int, rng: np.random.Generator) -> np.ndarray:
    """Which answers are kept, bool [n, 20]: two to four an image, from annotators of unequal diligence."""
    diligence = rng.beta(1, 3, N_ANNOTATORS)
    # The first r of a weighted order without replacement are those with the largest log w + Gumbel.
    rank = (-(np.log(diligence) + rng.gumbel(size=(n, N_ANNOTATORS)))).argsort(1).argsort(1)
    return rank < rng.integers(2, 5, (n, 1))


def simulate(seed: int = 0) -> np.ndarray:
    """Train the annotators and let each label every letter; uint8 [20000, 20].

    As in the public code, an annotator learns letters of the validation and test parts from features that
    were not standardised, which spoils its batch norm: 36.6 % of all answers are wrong, and 31.3 % were with
    standardised features. Answers are given from standardised features throughout, which the public code
    does for the training part only.
    """
    x, truth = read()
    train = split(truth)["train"]
    scaled = (x - x[train].mean(0)) / x[train].std(0)
    learnt = x.copy()
    learnt[train] = scaled[train]
    rng = np.random.default_rng(seed)
    return np.stack([_answers(learnt, scaled, truth, rng) for _ in range(N_ANNOTATORS)], 1).astype(np.uint8)


def _answers(learnt: np.ndarray, x: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One annotator: a share φ_k ~ Beta(α, β) of the examples of letter k, with α ~ U(0, 1), β ~ U(.5, 2)."""
    import torch
    from torch.nn.functional import cross_entropy

    from softlabels.learning.models import build_for_vectors

    chosen = np.empty(0, np.int64)
    while len(chosen) < BATCH:
        share = rng.beta(rng.uniform(0, 1), rng.uniform(0.5, 2), len(CLASSES))
        members = [np.flatnonzero(truth == k) for k in range(len(CLASSES))]
        chosen = np.concatenate([rng.choice(m, int(s * len(m))) for m, s in zip(members, share, strict=True)])
    epochs = rng.integers(1, MAX_EPOCHS + 1)
    vectors, target = torch.from_numpy(learnt), torch.from_numpy(truth)
    with torch.random.fork_rng():
        torch.manual_seed(int(rng.integers(2**62)))
        zero, one = torch.zeros(N_FEATURES), torch.ones(N_FEATURES)
        model = build_for_vectors("mlp-256-128", len(CLASSES), zero, one)
        optimiser = torch.optim.RAdam(model.parameters(), RATE)
        for _ in range(epochs):
            order = torch.from_numpy(rng.permutation(chosen))
            for rows in order[: len(order) // BATCH * BATCH].split(BATCH):
                optimiser.zero_grad()
                cross_entropy(model(vectors[rows]), target[rows]).backward()
                optimiser.step()
    with torch.inference_mode():
        return model.eval()(torch.from_numpy(x)).argmax(1).numpy()


def main() -> int:
    """Simulate the annotators and write their answers beside this module."""
    from softlabels.learning.checkpoint import write_atomically
    from softlabels.runs.records import pack

    answers = simulate()
    path = Path(__file__).with_name(ANSWERS)
    write_atomically(path, pack(answers=answers))
    _, truth = read()
    right = (answers == truth[:, None]).mean(0)
    print(f"{path}: noise {100 * (1 - right.mean()):.1f} %, annotators right {np.sort(right).round(2)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
