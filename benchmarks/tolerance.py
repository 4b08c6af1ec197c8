"""How far a run differs when threads or precision do, on one machine: what `make audit` may accept elsewhere.

The same runs are trained on one thread, on two, and in bfloat16. No peer and no seconds: the largest
difference of a test metric is written to ``results/tolerance.json``, which `softlabels.audit` reads. The
machines' own differences cannot be measured on one machine; they too are sums taken in another order.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from common import parser
from softlabels import paths, records, runs
from softlabels.audit import difference
from softlabels.config import RunConfig
from softlabels.hardware import hardware

SMALL = RunConfig(network="resnet9-tiny", image_size=32, limit=3000, epochs=10, batch_size=32, lr=0.02)
TINY = SMALL.replace(limit=240, epochs=1)


def trained(config: RunConfig, threads: int, precision: str) -> records.Record:
    torch.set_num_threads(threads)
    with TemporaryDirectory() as folder:
        return runs.train_in(Path(folder), config, "cpu", precision=precision)


def compared(configs: Sequence[RunConfig], change: str, threads: int, precision: str) -> dict:
    """Differences of all runs under one change; the largest and the median of each metric."""
    found = []
    for config in configs:
        found.append(difference(trained(config, 1, "fp32"), trained(config, threads, precision)))
        print(f"{change}, {config.label}, seed {config.seed}: {found[-1]}", flush=True)
    by_metric = {metric: sorted(row[metric] for row in found) for metric in found[0]}
    summary = {m: {"largest": v[-1], "median": v[len(v) // 2]} for m, v in by_metric.items()}
    return {"change": change, "runs": len(found), **summary}


def main(arguments: Sequence[str] | None = None) -> None:
    top = parser(__doc__)
    top.add_argument("--seeds", type=int, default=5)
    top.add_argument("--out", type=Path, help="default: results/tolerance.json; with --quick none")
    options = top.parse_args(arguments)
    base = TINY if options.quick else SMALL
    seeds = range(1 if options.quick else options.seeds)
    configs = [base.replace(label=label, seed=seed) for label in ("hard", "soft") for seed in seeds]
    before = torch.get_num_threads()
    changes = [compared(configs, "two threads", 2, "fp32"), compared(configs, "bfloat16", 1, "bf16")]
    torch.set_num_threads(before)
    body = {"run": base.to_dict(), "machine": hardware("cpu").describe()["machine"], "changes": changes}
    out = options.out or (None if options.quick else paths.results() / "tolerance.json")
    if out:
        out.write_text(json.dumps(body, indent=1) + "\n")
    words = "; ".join(f"{c['change']} {c['macro_accuracy']['largest']:.4f}" for c in changes)
    print(json.dumps({"name": "tolerance", "changes": changes}))
    print(f"tolerance: largest differences in accuracy: {words}")


if __name__ == "__main__":
    main()
