"""How far a run differs when threads or precision do, on one machine: what `make audit` may accept elsewhere.

The same runs are trained on one thread, on two, and in bfloat16. No peer and no seconds: the largest
difference of a test metric is written to ``results/tolerance.json``, which `softlabels.runs.audit` reads. The
machines' own differences cannot be measured on one machine; they too are sums taken in another order. The
runs are those of the chapter on one's own data, which converge: where a training does not, a last digit
decides where it ends, and no tolerance would mean anything.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from common import parser
from softlabels import paths, runs
from softlabels.learning.config import RunConfig
from softlabels.learning.hardware import hardware
from softlabels.runs import grids, profiles, records
from softlabels.runs.audit import difference

TINY = RunConfig(network="resnet9-tiny", image_size=32, limit=240, epochs=1, batch_size=32, lr=0.02)


def trained(config: RunConfig, threads: int, precision: str) -> records.Record:
    torch.set_num_threads(threads)
    with TemporaryDirectory() as folder:
        return runs.train_in(Path(folder), config, "cpu", precision=precision)


def compared(bases: Sequence[records.Record], change: str, threads: int, precision: str) -> dict:
    """Differences of all runs under one change; the largest and the median of each metric."""
    found = []
    for base in bases:
        found.append(difference(base, trained(base.config, threads, precision)))
        print(f"{change}, {base.config.label}, seed {base.config.seed}: {found[-1]}", flush=True)
    by_metric = {metric: sorted(row[metric] for row in found) for metric in found[0]}
    summary = {m: {"largest": v[-1], "median": v[len(v) // 2]} for m, v in by_metric.items()}
    return {"change": change, "runs": len(found), **summary}


def main(arguments: Sequence[str] | None = None) -> None:
    top = parser(__doc__)
    top.add_argument("--seeds", type=int, default=3)
    top.add_argument("--out", type=Path, help="default: results/tolerance.json; with --quick none")
    options = top.parse_args(arguments)
    seeds = range(1 if options.quick else options.seeds)
    whole = [c.config for c in grids.your_data("laptop", seeds) if c.recipe == profiles.OWN_ALL]
    configs = [TINY, TINY.replace(label="hard")] if options.quick else whole
    before = torch.get_num_threads()
    bases = [trained(config, 1, "fp32") for config in configs]
    changes = [compared(bases, "two threads", 2, "fp32"), compared(bases, "bfloat16", 1, "bf16")]
    torch.set_num_threads(before)
    body = {"run": configs[0].to_dict(), "machine": hardware("cpu").describe()["machine"], "changes": changes}
    out = options.out or (None if options.quick else paths.results() / "tolerance.json")
    if out:
        out.write_text(json.dumps(body, indent=1) + "\n")
    words = "; ".join(f"{c['change']} {c['macro_accuracy']['largest']:.4f}" for c in changes)
    print(json.dumps({"name": "tolerance", "changes": changes}))
    print(f"tolerance: largest differences in accuracy: {words}")


if __name__ == "__main__":
    main()
