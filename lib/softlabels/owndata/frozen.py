"""Small sets of images as a network sees them that ImageNet trained: features to learn from, once computed.

Some hundred images are too few to learn to see from. EfficientNet-Lite0 stays as it is, and only a small
network on its averaged features is trained, in seconds. On one split of 1,200 faces of FER+ resnet9 from
random weights predicted the votes better, at twenty times the cost.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from softlabels import paths
from softlabels.datasets import Dataset, features, folder
from softlabels.errors import DataUnavailable
from softlabels.store import pack, write_atomically

NETWORK = "efficientnet-lite0"
FEWER = 500  # images below which features are frozen
MOST = 5000  # images up to which annot-mix gets features that nobody gave: a minute of a core
SIZE = 128  # pixels that the network sees
BATCH = 50
FOLDER = "features"  # of the cache


def pinned(dataset: str) -> str:
    """Name by which runs know a dataset; a small folder becomes features, where the weights are here.

    Raises as `folder.pin`.
    """
    name = folder.pin(dataset)
    if not name.startswith(folder.PIN_PREFIX) or len(folder.files(name)) >= FEWER or not available():
        return name
    root = Path(folder.noted(name)["path"])
    return features.pin(root, of_folder(name, root))


def available() -> bool:
    """Whether the ImageNet weights are installed."""
    from softlabels.learning import models

    try:
        models.build(NETWORK, 2, pretrained=True)
    except DataUnavailable:
        return False
    return True


def vectors(data: Dataset) -> Dataset | None:
    """The same data with a vector for each thing: its own, or what `NETWORK` sees in a folder's images.

    None where there are neither, or more than `MOST` images.
    """
    if data.images.ndim == 2:
        return data
    if not data.name.startswith(folder.PIN_PREFIX) or len(data) > MOST or not available():
        return None
    root = Path(folder.noted(data.name)["path"])
    return replace(data, images=features.read(of_folder(data.name, root), root, folder.files(data.name)))


def is_frozen(name: str) -> bool:
    """Whether pinned data are images as `NETWORK` sees them."""
    places = folder.noted(name) if name.startswith(folder.FEATURES_PREFIX) else {}
    return Path(places.get("features", "")).parent == (paths.cache() / FOLDER).resolve()


def of_folder(name: str, root: Path) -> Path:
    """Averaged features [N, D] of the images of a pinned folder, computed once and kept in the cache."""
    import torch

    from softlabels.learning import models

    checksum = name.removeprefix(folder.PIN_PREFIX)
    kept = paths.cache() / FOLDER / f"{checksum}-{NETWORK}-{SIZE}.npz"
    if kept.exists():
        return kept
    data = folder.load_pinned(checksum, SIZE)
    network, found = models.build(NETWORK, 2, pretrained=True).eval(), []
    for start in tqdm(range(0, len(data), BATCH), "features", unit="batch"):
        batch = torch.from_numpy(np.asarray(data.images[start : start + BATCH])).permute(0, 3, 1, 2)
        with torch.inference_mode():
            found.append(network.features(batch.expand(-1, 3, -1, -1).float() / 255)[1])
    names = np.array(folder.files(name))
    write_atomically(kept, pack(names=names, features=torch.cat(found).numpy()))
    return kept
