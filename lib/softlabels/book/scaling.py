"""What all runs of profile `paper` would take on 1, 8 and 64 GPUs: computed, not measured.

Hours follow from the floating-point operations of each run and from a rate that is assumed; the table gives
them for three rates. With the first records of a GPU theirs is added.
"""

from collections.abc import Iterable, Sequence
from heapq import heapify, heapreplace

import pandas as pd

from softlabels.analysis.formatting import markdown, number
from softlabels.learning.config import RunConfig
from softlabels.runs import grids as experiments
from softlabels.runs import planning
from softlabels.runs.planning import Past

GPUS = (1, 8, 64)
NO_GPU = "**No record of a GPU is here yet**, so that every rate below is assumed."
RATES = (2e12, 5e12, 20e12)  # FLOP/s, sustained: a small network on a large GPU … a large one in bfloat16


def runs_of(profile: str) -> list[RunConfig]:
    """List every run that some chapter asks for in this profile, once."""
    grids = (experiments.grid(chapter, profile) for chapter in experiments.CHAPTERS)
    return list({cell.config.id: cell.config for cells in grids for cell in cells}.values())


def makespan(hours: Iterable[float], places: int) -> float:
    """Hours until the last of some runs ends, if the longest go first and nobody waits."""
    ends = [0.0] * places
    heapify(ends)
    for each in sorted(hours, reverse=True):
        heapreplace(ends, ends[0] + each)
    return max(ends)


def enough(hours: Sequence[float]) -> int:
    """GPUs beyond which one more brings nothing: the longest run takes as long as all others side by side."""
    return max(1, round(sum(hours) / max(hours)))


def _split(configs: Iterable[RunConfig], past: Past) -> tuple[list[RunConfig], list[RunConfig]]:
    """Runs that ask for a GPU, and those that do not."""
    needs = [(c, planning.needs(c, past).gpu) for c in configs]
    return [c for c, gpu in needs if gpu], [c for c, gpu in needs if not gpu]


def by_network(configs: Iterable[RunConfig]) -> pd.DataFrame:
    """Runs and work of each dataset and network, the heaviest first."""
    work: dict[tuple[str, str, int], list[float]] = {}
    for c in configs:
        work.setdefault((c.dataset, c.network, c.image_size), []).append(planning.flop(c) / 1e15)
    rows = [
        {
            "dataset": dataset,
            "network": network,
            "pixels": str(size),
            "runs": str(len(each)),
            "PFLOP each": number(max(each), 1),
            "PFLOP in all": number(sum(each), 0),
        }
        for (dataset, network, size), each in sorted(work.items(), key=lambda item: -sum(item[1]))
    ]
    return pd.DataFrame(rows)


def by_gpus(configs: Sequence[RunConfig], rates: Sequence[float] = RATES) -> pd.DataFrame:
    """Hours on 1, 8 and 64 GPUs, and where more of them bring nothing, for each rate."""
    rows = []
    for rate in rates:
        hours = [planning.flop(c) / rate / 3600 for c in configs]
        row = {"TFLOP/s": number(rate / 1e12, 0)}
        row |= {f"{n} GPU{'s' if n > 1 else ''}, hours": number(makespan(hours, n), 1) for n in GPUS}
        rows.append(row | {"longest run, hours": number(max(hours), 1), "GPUs that help": str(enough(hours))})
    return pd.DataFrame(rows)


def page(profile: str = "paper") -> str:
    """Both tables and what stands outside them, as Markdown, from committed records alone."""
    past = planning.past(committed_only=True)
    on_gpu, on_cpu = _split(runs_of(profile), past)
    hours = sum(past.expected(c, gpu=False) for c in on_cpu) / 60
    measured = [past.rate(gpu=True)] if past.rates.get(True) else []
    rest = (
        f"{len(on_gpu)} runs of profile `{profile}` ask for a GPU. The other {len(on_cpu)} do not: on one "
        f"core they take about {number(hours, 0)} hours, by the records of their like and by their work."
    )
    known = f"Records of a GPU give {number(measured[0] / 1e12, 1)} TFLOP/s." if measured else NO_GPU
    tables = (by_network(on_gpu), by_gpus(on_gpu, [*RATES, *measured]))
    return "\n\n".join([f"{known} {rest}", *map(markdown, tables)])
