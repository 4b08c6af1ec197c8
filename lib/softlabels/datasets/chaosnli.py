"""ChaosNLI: what a hundred people said of each of 4,645 pairs of texts (Nie, Zhou & Bansal 2020).

Two datasets ask whether a premise entails a hypothesis, leaves it open or contradicts it; the third asks
which of two hypotheses explains better what happened between two observations. Votes carry no names.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from softlabels.datasets import fetch, texts
from softlabels.datasets.base import Dataset, Source, checksum
from softlabels.errors import DataError, unknown

INFERENCE = ("entailment", "neutral", "contradiction")
VOTES = 100  # on every pair
# What may follow the name, as in "snli/words": the features in words. Those of the last two need logits.
FEATURES = {
    "": "sentence vectors",
    "/words": "mean token vectors",
    "+logits": "sentence vectors and published logits",
    "/logits": "published logits",
}


@dataclass(frozen=True)
class Part:
    """One of the three datasets: its file, its classes, their keys in the file, files of published logits."""

    file: str
    n: int
    classes: tuple[str, ...]
    keys: tuple[str, ...]
    logits: tuple[str, ...] = ()


_SNLI = ("roberta-base_0_SNLI_dev.jsonl", "roberta-base_0_SNLI_test.jsonl")
_MNLI = ("roberta-base_0_MNLI_dev.jsonl", "roberta-base_0_MNLI_test.jsonl")
PARTS = {
    "snli": Part("chaosNLI_snli.jsonl", 1514, INFERENCE, ("e", "n", "c"), _SNLI),
    "mnli": Part("chaosNLI_mnli_m.jsonl", 1599, INFERENCE, ("e", "n", "c"), _MNLI),
    "alpha": Part("chaosNLI_alphanli.jsonl", 1532, ("first hypothesis", "second hypothesis"), ("1", "2")),
}
# Classes stand in the files of logits as entailment, contradiction, neutral.
ORDER = (0, 2, 1)


@dataclass(frozen=True)
class Examples:
    """Pairs of texts and what people said of them."""

    uids: list[str]
    # Premise and hypothesis; or the same two observations around the first and the second hypothesis.
    first: list[str]
    second: list[str]
    counts: np.ndarray  # the hundred votes, float32 [N, K]
    truth: np.ndarray  # label that the pair had before: the majority of about five people, int64 [N]
    old: np.ndarray  # votes of these five, float32 [N, K]; zeros where they are not published


def load(name: str, image_size: int | None = None) -> Dataset:
    """Return one of the three datasets; no part of it was ever set aside for testing.

    "snli" has as features u, v, |u − v| and u·v of the vectors of both texts (`sentences`), float32
    [N, 1536]; "snli/words" the same of mean token vectors (`texts`), [N, 1024]; "snli+logits" adds to the
    former the three logits of a RoBERTa-base that was fine-tuned on SNLI or MNLI (Baan et al. 2022), and
    "snli/logits" has nothing else. With logits, pairs that have none are left out. ``truth`` is the label of
    before. Texts have no pixels; ``image_size`` is there because every loader takes it. Raises `ConfigError`
    where there is no such dataset or it has no such features, else as `fetch`, `texts.embed` and `examples`.
    """
    part = re.split(r"[+/]", name)[0]
    if part not in PARTS:
        raise unknown("dataset of ChaosNLI", part, PARTS)
    features, known = name.removeprefix(part), list(FEATURES)[: None if PARTS[part].logits else 2]
    if features not in known:
        raise unknown(f"features of chaosnli:{part}:", features, known)
    found, rows = examples(part), np.arange(PARTS[part].n)
    blocks, made_of = [], []
    if features.endswith("logits"):
        z, rows = logits(part, found.uids)
        blocks, made_of = [z], [z]
    if features != "/logits":
        x, digest = _vectors(found, features == "/words")
        blocks, made_of = [x[rows], *blocks], [np.frombuffer(digest, np.uint8), *made_of]
    counts, truth = found.counts[rows], found.truth[rows]
    return Dataset(
        name=f"chaosnli:{name}",
        images=np.concatenate(blocks, 1, dtype=np.float32),
        counts=counts,
        classes=PARTS[part].classes,
        source=Source(
            f"chaosnli:{name}",
            "CC BY-NC 4.0" + ("; logits: no licence stated" if features.endswith("logits") else ""),
            f"{FEATURES[features]} of {len(rows):,} pairs of texts; {VOTES} votes each",
            checksum(*made_of, counts, truth),
            "https://github.com/easonnie/ChaosNLI",
        ),
        ids=rows,
        truth=truth,
    )


def _vectors(found: Examples, words: bool) -> tuple[np.ndarray, bytes]:
    """Features of pairs of texts, float32 [N, 4 D], and a digest of texts and model: theirs may differ."""
    both = [*found.first, *found.second]
    u, v = np.split(texts.encode(both) if words else texts.embed(both), 2)
    digest = texts.digest([*texts.VECTORS, *both] if words else both)
    return np.concatenate([u, v, np.abs(u - v), u * v], 1), bytes.fromhex(digest)


def examples(name: str) -> Examples:
    """Read one of `PARTS`; a line that is not what it should be raises `DataError` with its number."""
    part = PARTS[name]
    path = fetch.fetch(f"chaosnli/{part.file}")
    lines = _lines(path)
    if len(lines) != part.n:
        raise DataError(f"{path}: expected {part.n} lines, found {len(lines)}")
    old_keys = {c: i for i, c in enumerate(part.classes)}
    counts, old = np.zeros((2, part.n, len(part.keys)), np.float32)
    pairs, truth = [], []
    for row, line in enumerate(lines):
        try:
            pairs.append(_pair(line["example"]))
            truth.append(part.keys.index(str(line["old_label"])))
            for key, n in line["label_counter"].items():
                counts[row, part.keys.index(key)] = n
            for word in line.get("old_labels", []):
                old[row, old_keys[word]] += 1
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path}, line {row + 1}: expected texts, votes and a label ({error})") from error
    wrong = np.flatnonzero(counts.sum(1) != VOTES)
    if len(wrong):
        raise DataError(
            f"{path}, line {wrong[0] + 1}: expected {VOTES} votes, found {counts[wrong[0]].sum()}"
        )
    first, second = (list(side) for side in zip(*pairs, strict=True))
    return Examples([str(line["uid"]) for line in lines], first, second, counts, np.array(truth), old)


def _pair(example: dict[str, str]) -> tuple[str, str]:
    if "premise" in example:
        return example["premise"], example["hypothesis"]
    first, second = (f"{example['obs1']} {example[h]} {example['obs2']}" for h in ("hyp1", "hyp2"))
    return first, second


def logits(name: str, uids: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Published logits of the examples that have them, float32 [n, 3], and their rows, int64 [n].

    Raises as `examples`.
    """
    found: dict[str, list[float]] = {}
    for file in PARTS[name].logits:
        path = fetch.fetch(f"chaosnli/{file}")
        for number, line in enumerate(_lines(path), 1):
            try:
                found[line["uid"]] = [float(line["logits"][k]) for k in ORDER]
            except (KeyError, IndexError, TypeError, ValueError) as error:
                raise DataError(f"{path}, line {number}: expected uid and three logits ({error})") from error
    rows = np.array([row for row, uid in enumerate(uids) if uid in found], np.int64)
    return np.array([found[uids[row]] for row in rows], np.float32), rows


def _lines(path: Path) -> list[dict[str, Any]]:
    found = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        try:
            found.append(json.loads(line))
        except ValueError as error:
            raise DataError(f"{path}, line {number}: expected a JSON object ({error})") from error
    return found
