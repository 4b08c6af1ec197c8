"""Our t-SNE (openTSNE with `softlabels.analysis.tsne`) against scikit-learn's, and against openTSNE's own.

All get the same features, perplexity, number of iterations, start (principal components) and cores. Beside
wall seconds stand those of the processor, and the KL(P ‖ Q) that each map reaches, summed over all pairs for
the same P: a fast map that is worse would be no gain.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median

import numpy as np
from common import parser, report, seconds
from openTSNE.affinity import PerplexityBasedNN
from sklearn.manifold import TSNE
from softlabels.analysis import embeddings
from softlabels.analysis.embeddings import Settings
from softlabels.analysis.tsne import exact_gradient

TARGET = 3.5
PERPLEXITY = 30


def features(n: int, dimensions: int = 128) -> np.ndarray:
    """Six overlapping clusters, float32 [n, dimensions], about as spread as pooled features are."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(6, dimensions))
    return (centres[rng.integers(6, size=n)] + rng.normal(size=(n, dimensions))).astype(np.float32)


def peer(x: np.ndarray, iterations: int) -> np.ndarray:
    # It must not stop early, or the number of iterations would differ.
    model = TSNE(
        perplexity=PERPLEXITY,
        max_iter=iterations,
        n_iter_without_progress=iterations,
        min_grad_norm=0,
        init="pca",
        random_state=0,
        n_jobs=2,
    )
    return model.fit_transform(x)


def compare(x: np.ndarray, iterations: int, rounds: int) -> None:
    settings = Settings(PERPLEXITY, iterations)
    makers: dict[str, Callable[[], np.ndarray]] = {
        "": lambda: embeddings.tsne(x, settings),
        "peer_": lambda: peer(x, iterations),
        "approximate_": lambda: embeddings.tsne(x, replace(settings, gradient="auto")),
    }
    affinities = PerplexityBasedNN(x.astype(float), PERPLEXITY, method="exact").P
    wall: dict[str, list[float]] = {name: [] for name in makers}
    cpu: dict[str, list[float]] = {name: [] for name in makers}
    kl = {}
    for _ in range(rounds):
        for name, make in makers.items():
            start, maps = time.process_time(), []
            wall[name].append(seconds(lambda make=make, maps=maps: maps.append(make())))
            cpu[name].append(time.process_time() - start)
            kl[f"{name}kl"] = round(exact_gradient(maps[0], affinities, should_eval_error=True)[0], 4)
    report(
        f"tsne-{len(x)}",
        wall[""],
        wall["peer_"],
        target=TARGET,
        iterations=iterations,
        **{f"{name}cpu": round(median(found), 4) for name, found in cpu.items()},
        cpu_ratio=round(median(b / a for a, b in zip(cpu[""], cpu["peer_"], strict=True)), 3),
        approximate=round(median(wall["approximate_"]), 4),
        **kl,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    top = parser(__doc__)
    top.add_argument("--points", type=int, nargs="+", default=[3_000, 10_000])
    top.add_argument("--iterations", type=int, default=5000)
    top.add_argument("--rounds", type=int, default=1, help="of up to twenty minutes each")
    options = top.parse_args(arguments)
    if options.quick:
        options.points, options.iterations = [200], 250  # fewer iterations scikit-learn refuses
    # What is imported and compiled once is not measured.
    embeddings.tsne(features(200), Settings(PERPLEXITY, 10))
    for points in options.points:
        compare(features(points), options.iterations, options.rounds)


if __name__ == "__main__":
    main()
