"""TREC's questions (Li & Roth 2002) with twenty simulated annotators, as AM made theirs (section 5).

As in `letter` an annotator is a network trained a little; what they answered lies beside this module.
``python -m softlabels.datasets.trec`` makes it anew.
"""

import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np

from softlabels.datasets import fetch, letter, sentences
from softlabels.datasets.base import Annotations, Dataset, checksum
from softlabels.datasets.crowds import crowd
from softlabels.errors import DataError

CLASSES = ("abbreviation", "description", "entity", "human", "location", "number")
KEYS = ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM")
N = {"trec/train_5500.label": 5_452, "trec/TREC_10.label": 500}
N_VALIDATION, N_ANNOTATORS = 500, letter.N_ANNOTATORS
ANSWERS = "trec_annotators.npz"
# Of the draws 1 to 10 of the annotators the one whose noise comes nearest to the published 36.9 %; the
# others give 32 to 54 %. AM's own tables are not public; the mask's seed is that of their public code.
SEED, MASK_SEED = 5, 4


def load(image_size: int | None = None) -> Dataset:
    """Return 5,952 questions as sentence vectors (`sentences`), and the answers of 20 simulated annotators.

    ``splits``: the official test questions; 500 of the others for validation, each class's share the same.
    Questions to train on keep two to four answers each, as in AM; those of the test part keep all twenty, so
    that estimates of the annotators can be tested. Questions have no pixels; ``image_size`` is there because
    every loader takes it.

    Raises
    ------
    DataError, DataUnavailable
        As for `fetch` and `sentences.embed`.
    """
    questions, truth = read()
    with resources.files("softlabels.datasets").joinpath(ANSWERS).open("rb") as file:
        answers = np.load(file, allow_pickle=False)["answers"].astype(np.int64)
    splits = split(truth)
    kept = letter.keep(len(truth), np.random.default_rng(MASK_SEED))
    kept[splits["test"]], kept[splits["validation"]] = True, False
    question, annotator = np.nonzero(kept)
    data = crowd(
        "trec6",
        sentences.embed(questions),
        truth,
        Annotations(question, annotator, answers[question, annotator]),
        CLASSES,
        splits,
        variant="sentence vectors (384) of 5,952 questions; 20 simulated annotators, 2 to 4 answers each",
        url="https://cogcomp.seas.upenn.edu/Data/QA/QC",
    )
    # Of questions and model, since vectors differ in their last digits from machine to machine.
    digest = np.frombuffer(bytes.fromhex(sentences.digest(questions)), np.uint8)
    content = checksum(digest, truth, question, annotator, answers[question, annotator])
    return replace(data, source=replace(data.source, sha256=content))


def read() -> tuple[list[str], np.ndarray]:
    """Questions, those of the training file first, and their coarse classes, int64 [5952].

    Raises
    ------
    DataError, DataUnavailable
        As for `fetch`; or a line is not what it should be, with its number.
    """
    questions, truth = [], []
    for key, n in N.items():
        path = fetch.fetch(key)
        lines = path.read_text("latin-1").splitlines()
        if len(lines) != n:
            raise DataError(f"{path}: expected {n} questions, found {len(lines)}")
        for number, line in enumerate(lines, 1):
            label, _, question = line.partition(" ")
            coarse = label.partition(":")[0]
            if coarse not in KEYS or not question:
                raise DataError(f"{path}, line {number}: expected a class and a question, found {line!r}")
            questions.append(question)
            truth.append(KEYS.index(coarse))
    return questions, np.array(truth, np.int64)


def split(truth: np.ndarray) -> dict[str, np.ndarray]:
    """AM's sizes (4,952 / 500 / 500), always the same rows."""
    first, last = N.values()
    place = letter.spread(truth[:first], len(CLASSES))
    validation, train = np.split(np.argsort(place, kind="stable"), [N_VALIDATION])
    return {
        "train": np.sort(train),
        "validation": np.sort(validation),
        "test": np.arange(first, first + last),
    }


def simulate(seed: int = SEED) -> np.ndarray:
    """Train the annotators and let each label every question; uint8 [5952, 20].

    They learn from standardised vectors with the class network of AM's row.
    """
    questions, truth = read()
    x, train = sentences.embed(questions), split(truth)["train"]
    x = ((x - x[train].mean(0)) / (x[train].std(0) + 1e-8)).astype(np.float32)
    rng = np.random.default_rng(seed)
    answers = [letter.answered(x, x, truth, "mlp-128", 0.5, rng) for _ in range(N_ANNOTATORS)]
    return np.stack(answers, 1).astype(np.uint8)


def main() -> int:
    """Simulate the annotators and write their answers beside this module."""
    from softlabels.learning.checkpoint import write_atomically
    from softlabels.runs.records import pack

    answers = simulate()
    path = Path(__file__).with_name(ANSWERS)
    write_atomically(path, pack(answers=answers))
    right = (answers == read()[1][:, None]).mean(0)
    print(f"{path}: noise {100 * (1 - right.mean()):.1f} %, annotators right {np.sort(right).round(2)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
