"""Our t-SNE (openTSNE, as in `softlabels.analysis.embeddings`) against scikit-learn's.

Both get the same features, perplexity, number of iterations, start (principal components) and cores. The
trustworthiness of both maps is printed beside the times: a fast map that is worse would be no gain.
"""

from collections.abc import Sequence

import numpy as np
from common import in_turns, parser, report
from sklearn.manifold import TSNE, trustworthiness
from softlabels.analysis import embeddings

TARGET = 4.0
PERPLEXITY = 30


def features(n: int, dimensions: int = 128) -> np.ndarray:
    """Six overlapping clusters, float32 [n, dimensions], about as spread as pooled features are."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(6, dimensions))
    return (centres[rng.integers(6, size=n)] + rng.normal(size=(n, dimensions))).astype(np.float32)


def main(arguments: Sequence[str] | None = None) -> None:
    top = parser(__doc__)
    top.add_argument("--points", type=int, default=10_000)
    top.add_argument("--iterations", type=int, default=1000)
    top.add_argument("--rounds", type=int, default=1, help="of minutes each")
    options = top.parse_args(arguments)
    if options.quick:
        options.points, options.iterations = 200, 250  # fewer iterations scikit-learn refuses
    x, maps = features(options.points), {}
    embeddings.tsne(x[:200], 0, PERPLEXITY, 10)  # what is imported and compiled once is not measured

    def ours() -> None:
        maps["ours"] = embeddings.tsne(x, 0, PERPLEXITY, options.iterations, n_jobs=2)

    def peer() -> None:
        # It must not stop early, or the number of iterations would differ.
        model = TSNE(
            perplexity=PERPLEXITY,
            max_iter=options.iterations,
            n_iter_without_progress=options.iterations,
            min_grad_norm=0,
            init="pca",
            random_state=0,
            n_jobs=2,
        )
        maps["peer"] = model.fit_transform(x)

    times = in_turns(ours, peer, options.rounds)
    some = slice(0, 2000)  # its cost grows with the square
    quality = {f"trustworthiness_{k}": round(trustworthiness(x[some], m[some]), 4) for k, m in maps.items()}
    report("tsne", *times, target=TARGET, iterations=options.iterations, points=options.points, **quality)


if __name__ == "__main__":
    main()
