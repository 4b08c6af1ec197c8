"""TREC's questions (Li & Roth 2002) with twenty simulated annotators, as AM made theirs (section 5).

As in `letter` an annotator is a network trained a little; what they answered lies beside this module.
``python -m softlabels.chapters.annot_mix.simulated trec6`` makes it anew.
"""

from dataclasses import replace

import numpy as np

from softlabels.datasets import fetch, letter, texts
from softlabels.datasets.base import Dataset, checksum
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
    Answers are kept as in `letter`. Questions have no pixels; ``image_size`` is there because every loader
    takes it. Raises as `read` and `texts.embed`.
    """
    questions, truth = read()
    splits = split(truth)
    found = letter.simulated_answers(ANSWERS, splits, MASK_SEED)
    data = crowd(
        "trec6",
        texts.embed(questions),
        truth,
        found,
        CLASSES,
        splits,
        variant="sentence vectors (384) of 5,952 questions; 20 simulated annotators, 2 to 4 answers each",
        url="https://cogcomp.seas.upenn.edu/Data/QA/QC",
    )
    # Of questions and model, since vectors differ in their last digits from machine to machine.
    digest = np.frombuffer(bytes.fromhex(texts.digest(questions)), np.uint8)
    content = checksum(digest, truth, found.image, found.annotator, found.label)
    return replace(data, source=replace(data.source, sha256=content))


def read() -> tuple[list[str], np.ndarray]:
    """Questions, those of the training file first, and their coarse classes, int64 [5952].

    A line that is not what it should be raises `DataError` with its number.
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
    test = np.arange(first, first + last)
    return {"train": np.sort(train), "validation": np.sort(validation), "test": test}
