"""What the committed runs and the commands cost: minutes and machines, from records."""

import json
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from softlabels import paths
from softlabels.analysis.formatting import NOTHING, markdown, number
from softlabels.learning.models import VECTOR_NETWORKS
from softlabels.runs import evaluations, grids, planning, records
from softlabels.runs.profiles import PLANS, SEEDS, chosen
from softlabels.runs.records import Record


def by_network(found: Iterable[Record]) -> pd.DataFrame:
    """Runs and minutes of every dataset, network and number of epochs, on every machine.

    Minutes are those of the processor, in the oldest records and on a GPU of the clock; each: the median.
    Timed again: the median of what such runs take on a core since their code has changed, where it is known.
    Memory is what such a run asks a scheduler for (`planning.memory`), computed and not measured.
    """
    again = planning.past(committed_only=True).again
    rows = [
        {
            "dataset": r.config.dataset,
            "network": r.config.network,
            "pixels": NOTHING if r.config.network in VECTOR_NETWORKS else str(r.config.image_size),
            "epochs": str(r.config.epochs),
            "machine": _machine(r.environment),
            "minutes": r.cpu_seconds / 60,
            "timed again": again.get(planning.like(r.config)) if r.environment["device"] == "cpu" else None,
            "memory": planning.memory(r.config),
        }
        for r in found
    ]
    frame = pd.DataFrame(rows)
    if frame.empty:
        return frame
    groups = frame.groupby(list(frame.columns[:-3]), sort=True)
    table = groups["minutes"].agg(runs="size", each="median", all="sum").reset_index()
    timed = groups["timed again"].median()
    if timed.notna().any():
        table.insert(len(table.columns) - 1, "timed again", ["" if n != n else number(n, 2) for n in timed])
    table["MB asked for"] = groups["memory"].max().astype(str).to_list()
    table["runs"] = table["runs"].astype(str)
    for column, digits in {"each": 2, "all": 1}.items():
        table[column] = [number(value, digits) for value in table[column]]
    return table.rename(columns={"each": "minutes each", "all": "minutes in all"})


def _machine(where: dict[str, Any]) -> str:
    name = where["machine"].replace("(R)", "").replace(" Processor", "")
    device = f", {where['device']}" if where["device"] != "cpu" else ""
    threads = f", {where['threads']} threads" if where["threads"] > 1 else ""
    return f"{name}{device}, {where['precision']}{threads}"


def networks(profile: str = "laptop") -> pd.DataFrame:
    """Networks of one fold of CIFAR-10H, trained on votes: what a minute of the processor brings."""
    every = (records.find(cell.config, committed_only=True) for cell in grids.grid("networks", profile, [0]))
    rows = [
        {
            "network": r.config.network,
            "epochs": str(r.config.epochs),
            "validation accuracy (higher is better)": number(r.metrics["validation"]["accuracy"], 3),
            "validation KL to the people, nats (lower is better)": number(r.metrics["validation"]["kl"], 3),
            "minutes": number(r.cpu_seconds / 60, 1),
            "machine": f"{r.environment['machine']}, {r.environment['precision']}",
        }
        for r in filter(None, every)
    ]
    return pd.DataFrame(sorted(rows, key=lambda row: float(row["minutes"])))


def by_chapter(profiles: Iterable[str] = ("laptop", "paper")) -> pd.DataFrame:
    """Runs that each chapter asks for, how many are committed, their minutes, and those left to train."""
    rows, past, seconds = [], planning.past(committed_only=True), planning.seconds(committed_only=True)
    for profile in profiles:
        for chapter in grids.CHAPTERS:
            runs = {cell.config.id: cell.config for cell in grids.grid(chapter, profile)}
            here = [seconds[run] for run in sorted(runs) if run in seconds]
            left = sum(past.expected(config, False) for run, config in runs.items() if run not in seconds)
            row = {"chapter": chapter.replace("_", " "), "profile": profile, "runs": str(len(runs))}
            row |= {"committed": str(len(here)), "minutes of these": number(sum(here) / 60, 1)}
            rows.append(row | {"minutes left, about": f"{left:,.0f}"})
    return pd.DataFrame(rows)


def whole(profile: str = "laptop") -> str:
    """What all of a profile takes from nothing, each run counted once; one sentence."""
    every = {c.config.id: c.config for chapter in grids.CHAPTERS for c in grids.grid(chapter, profile)}
    hours = sum(planning.hours(every, committed_only=True)) / 2
    runs = f"with seeds {', '.join(map(str, SEEDS))}: {len(every):,} runs, each counted once"
    return f"All of profile {profile} from nothing {runs}: {hours:.1f} hours of two cores."


def measured(profile: str = "laptop") -> str:
    """What a profile's evaluations take, each the median of its kind on a core; one sentence."""
    every = list(map(evaluations.read, evaluations.SHELF.files(committed_only=True)))
    seconds, names = 0.0, []
    for kind, plan in chosen(PLANS, profile).items():
        here = [e for e in every if e.suite == plan.suite.id]
        on_core = [e.seconds * e.environment["threads"] for e in here if e.environment["device"] == "cpu"]
        if on_core:
            seconds += len(here) * statistics.median(on_core)
            names.append(f"{len(here)} of {kind}")
    return f"Evaluations ({', '.join(names)}) come on top: {seconds / 7200:.1f} hours of two cores."


def on_gpu() -> str:
    """Markdown: on which machines the committed runs of GPUs were trained, and what they took."""
    every = map(records.read, records.SHELF.files(committed_only=True))
    found = by_network(record for record in every if record.environment["device"] != "cpu")
    where = f"On {'; '.join(sorted(set(found.machine)))}:"
    return f"{where}\n\n{markdown(found.drop(columns=['machine', 'MB asked for']))}"


def page() -> str:
    """All three tables as Markdown, from the committed records alone."""
    committed = [records.read(path) for path in records.SHELF.files(committed_only=True)]
    tried = networks()
    compared = (
        "Networks made for little compute, on one fold of CIFAR-10H from random weights, trained on votes; "
        f"{len(tried)} of {len(grids.grid('networks', 'laptop', [0]))} have a record, and "
        "`softlabels train --chapter networks --publish` trains what is missing:"
    )
    tables = [
        f"{whole()} {measured()}",
        markdown(by_chapter()),
        compared,
        markdown(tried),
        markdown(by_network(committed)),
    ]
    return "\n\n".join(tables)


PARTS = {"training": "part of a training", "book": "part of `make book`"}


def shares_file() -> Path:
    """Where ``benchmarks/shares.py`` writes where the time goes."""
    return paths.results() / "shares.json"


def shares() -> str:
    """Markdown tables of where the time of a training and of ``make book`` goes, and on which machine."""
    file = shares_file()
    if not file.exists():
        return "Not measured yet."
    found = json.loads(file.read_text())
    where = f"On {found['machine']}, {found['precision']}."
    return "\n\n".join([*(markdown(_shares(found, kind)) for kind in PARTS), where])


def _shares(found: dict[str, Any], kind: str) -> pd.DataFrame:
    table = pd.DataFrame({"seconds": pd.Series(found[kind])}).rename(lambda part: part.replace("_", " "))
    table.loc["all"] = table.sum()
    return table.map(number, digits=1).rename_axis(PARTS[kind]).reset_index()


def timings() -> str:
    """Markdown table of the minutes that each command took and on which machine."""
    file = paths.results() / "timings.json"
    rows = json.loads(file.read_text()) if file.exists() else []
    if not rows:
        return "Not measured yet."
    lines = [f"| `{r['command']}` | {r['minutes']:.1f} | {r['machine']} | {r['date']} |" for r in rows]
    return "\n".join(["| command | minutes | machine | measured |", "|---|---:|---|---|", *lines])
