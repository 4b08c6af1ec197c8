"""Sentences of film reviews that 203 people called positive or negative: nothing here is tied to images.

A sentence becomes the mean of its tokens' vectors. Vectors and tokens are those that the package wordllama
ships in its wheel, so that nothing is downloaded from a model hub.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from softlabels.datasets import fetch
from softlabels.datasets.base import Annotations, Dataset
from softlabels.datasets.crowds import crowd
from softlabels.errors import DataError, DataUnavailable

CLASSES = ("negative", "positive")
N = {"train": 4_999, "test": 3_999}
N_VALIDATION, N_FEATURES = 500, 256
# Files of the package and their SHA-256: another release could bring other vectors under the same name.
VECTORS = (
    "weights/l2_supercat_256.safetensors",
    "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5",
)
TOKENS = (
    "tokenizers/l2_supercat_tokenizer_config.json",
    "93248f2a9ec36c7b35f700a033d5f36228aae48db61aee31007fa49062cdeb68",
)


def load_sentiment(image_size: int | None = None) -> Dataset:
    """Return sentence polarity (Rodrigues et al. 2013): 8,998 sentences, 203 people on the first 4,999.

    ``splits``: the annotated sentences to train on, 500 of the other 3,999 for validation, the rest for test.
    Sentences have no pixels; ``image_size`` is there because every loader takes it.

    Raises
    ------
    DataError
        As for `fetch`; also if the parts do not fit together, or the package brings other vectors.
    DataUnavailable
        As for `fetch`; also if the extra "text" (wordllama) is not installed.
    """
    texts, truth = zip(*(_part(part) for part in N), strict=True)
    answers = np.loadtxt(fetch.fetch("sentiment/answers.txt"), dtype=np.int64)
    sentence, annotator = np.nonzero(answers >= 0)
    rest = np.random.default_rng(0).permutation(N["test"]) + N["train"]
    splits = {
        "train": np.arange(N["train"]),
        "validation": np.sort(rest[:N_VALIDATION]),
        "test": np.sort(rest[N_VALIDATION:]),
    }
    return crowd(
        "sentiment",
        encode([sentence for part in texts for sentence in part]),
        np.concatenate(truth),
        Annotations(sentence, annotator, answers[sentence, annotator]),
        CLASSES,
        splits,
        variant="mean token vectors (256, wordllama) of 8,998 sentences; 203 people labelled 4,999",
        url="https://github.com/fmenat/PyLearningCrowds",
    )


def _part(part: str) -> tuple[list[str], np.ndarray]:
    """Sentences and their true classes, int64 [n]."""
    path = fetch.fetch(f"sentiment/Sentiment_text_{part}.txt")
    texts = path.read_text("utf-8").rstrip("\n").split("\n")
    truth = np.loadtxt(fetch.fetch(f"sentiment/Sentiment_Z_{part}.txt")).astype(np.int64)
    if not len(texts) == len(truth) == N[part]:
        raise DataError(f"{path}: expected {N[part]} sentences, found {len(texts)} and {len(truth)} classes")
    return texts, truth


def encode(texts: list[str]) -> np.ndarray:
    """Mean of the vectors of each text's tokens, float32 [n, 256]; zero for a text without tokens.

    Raises
    ------
    DataError, DataUnavailable
        As for `load_sentiment`.
    """
    from safetensors.numpy import load_file

    vectors, tokens = _shipped(*VECTORS), _shipped(*TOKENS)
    from tokenizers import Tokenizer  # comes with wordllama

    table = load_file(vectors)["embedding.weight"].astype(np.float32)  # [32000, 256]
    found = Tokenizer.from_file(str(tokens)).encode_batch(texts, add_special_tokens=False)
    out = np.zeros((len(texts), N_FEATURES), np.float32)
    for row, text in zip(out, found, strict=True):
        if text.ids:
            row[:] = table[text.ids].mean(0)
    return out


def _shipped(name: str, digest: str) -> Path:
    """Path of a file of the package, which is not imported: its loader looks for the tokens on a hub."""
    package = find_spec("wordllama")
    if package is None or package.origin is None:
        raise DataUnavailable(
            "the sentences are encoded with vectors of the package wordllama: pip install 'softlabels[text]'"
        )
    path = Path(package.origin).parent / name
    found = fetch.sha256(path) if path.is_file() else "no such file"
    if found != digest:
        raise DataError(f"{path}: expected SHA-256 {digest}, found {found}; install wordllama 0.4.0")
    return path
