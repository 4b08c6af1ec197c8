"""Write the posteriors of crowd-kit's Dawid-Skene that a test compares ours with (needs crowd-kit 1.4)."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from crowdkit.aggregation import DawidSkene


def main() -> None:
    rng = np.random.default_rng(0)
    n, k, quality = 60, 4, np.array([0.9, 0.8, 0.6, 0.5, 0.3, 0.7])
    truth = rng.integers(k, size=n)
    image, annotator = np.nonzero(rng.random((n, len(quality))) < 0.6)
    right = rng.random(len(image)) < quality[annotator]
    label = np.where(right, truth[image], rng.integers(k, size=len(image)))
    frame = pd.DataFrame({"task": image, "worker": annotator, "label": label})
    found = DawidSkene(n_iter=100).fit_predict_proba(frame).sort_index()
    posterior = np.full((n, k), 1 / k)
    posterior[found.index.to_numpy()] = found[sorted(found.columns)].to_numpy()
    stored = {
        "n_images": n,
        "n_classes": k,
        "image": image.tolist(),
        "annotator": annotator.tolist(),
        "label": label.tolist(),
        "posterior": posterior.round(9).tolist(),
    }
    Path(__file__).with_name("dawid_skene_crowdkit.json").write_text(json.dumps(stored) + "\n")


if __name__ == "__main__":
    main()
