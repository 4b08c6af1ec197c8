"""The annotators of `letter` and `trec6`: networks trained a little, on more examples of some classes.

``python -m softlabels.chapters.annot_mix.simulated letter`` (or ``trec6``) simulates them and writes what
they answer beside the dataset's module.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from softlabels.datasets import letter, texts, trec
from softlabels.learning.models import build_for_vectors
from softlabels.store import pack, write_atomically

MAX_EPOCHS, BATCH = 20, 64
# Where the public code draws a learning rate it then drops, and every annotator learns at this one.
RATE = 1e-3


def letters(seed: int = 0) -> np.ndarray:
    """Train the annotators and let each label every letter; uint8 [20000, 20].

    As in the public code, an annotator learns letters of the validation and test parts from features that
    were not standardised, which spoils its batch norm: 36.6 % of all answers are wrong, and 31.3 % were with
    standardised features. Answers are given from standardised features throughout, which the public code
    does for the training part only.
    """
    x, truth = letter.read()
    train = letter.split(truth)["train"]
    scaled = (x - x[train].mean(0)) / x[train].std(0)
    learnt = x.copy()
    learnt[train] = scaled[train]
    rng = np.random.default_rng(seed)
    answers = [answered(learnt, scaled, truth, "mlp-256-128", 0.0, rng) for _ in range(letter.N_ANNOTATORS)]
    return np.stack(answers, 1).astype(np.uint8)


def questions(seed: int = trec.SEED) -> np.ndarray:
    """Train the annotators and let each label every question; uint8 [5952, 20].

    They learn from standardised vectors with the class network of AM's row.
    """
    said, truth = trec.read()
    x, train = texts.embed(said), trec.split(truth)["train"]
    x = ((x - x[train].mean(0)) / (x[train].std(0) + 1e-8)).astype(np.float32)
    rng = np.random.default_rng(seed)
    answers = [answered(x, x, truth, "mlp-128", 0.5, rng) for _ in range(trec.N_ANNOTATORS)]
    return np.stack(answers, 1).astype(np.uint8)


def answered(
    learnt: np.ndarray,
    x: np.ndarray,
    truth: np.ndarray,
    network: str,
    dropout: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """One annotator's classes of `x`, int64 [N], after a network learnt a little from a part of `learnt`.

    These are the same examples, float32 [N, D], as the network answers and as it learns. That part has a
    share φ_k ~ Beta(α, β) of the examples of class k, with α ~ U(0, 1), β ~ U(.5, 2).
    """
    chosen, n_classes, n_features = np.empty(0, np.int64), int(truth.max()) + 1, x.shape[1]
    while len(chosen) < BATCH:
        share = rng.beta(rng.uniform(0, 1), rng.uniform(0.5, 2), n_classes)
        members = [np.flatnonzero(truth == k) for k in range(n_classes)]
        chosen = np.concatenate([rng.choice(m, int(s * len(m))) for m, s in zip(members, share, strict=True)])
    epochs = rng.integers(1, MAX_EPOCHS + 1)
    vectors, target = torch.from_numpy(learnt), torch.from_numpy(truth)
    with torch.random.fork_rng():
        torch.manual_seed(int(rng.integers(2**62)))
        zero, one = torch.zeros(n_features), torch.ones(n_features)
        model = build_for_vectors(network, n_classes, zero, one, dropout)
        optimiser = torch.optim.RAdam(model.parameters(), RATE)
        for _ in range(epochs):
            order = torch.from_numpy(rng.permutation(chosen))
            for rows in order[: len(order) // BATCH * BATCH].split(BATCH):
                optimiser.zero_grad()
                cross_entropy(model(vectors[rows]), target[rows]).backward()
                optimiser.step()
    with torch.inference_mode():
        return model.eval()(torch.from_numpy(x)).argmax(1).numpy()


def main(arguments: list[str]) -> int:
    """Simulate the annotators of a dataset and write their answers."""
    if arguments not in (["letter"], ["trec6"]):
        print("which annotators: letter or trec6", file=sys.stderr)
        return 2
    data, answers = (letter, letters()) if arguments == ["letter"] else (trec, questions())
    path = Path(str(data.__file__)).with_name(data.ANSWERS)
    write_atomically(path, pack(answers=answers))
    _, truth = data.read()
    right = (answers == truth[:, None]).mean(0)
    print(f"{path}: noise {100 * (1 - right.mean()):.1f} %, annotators right {np.sort(right).round(2)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
