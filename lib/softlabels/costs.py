"""What the committed runs and the commands cost: minutes and machines, from records."""

import json
from collections.abc import Iterable

import pandas as pd

from softlabels import experiments, paths, records, workload
from softlabels.formatting import markdown, number
from softlabels.records import Record


def by_network(found: Iterable[Record]) -> pd.DataFrame:
    """Runs and minutes of every dataset, network and number of epochs, on every machine.

    Minutes are wall time of training and testing as the records have it; the column "each" is the median.
    Memory is what such a run asks a scheduler for (`workload.memory`), computed and not measured.
    """
    rows = [
        {
            "dataset": r.config.dataset,
            "network": r.config.network,
            "pixels": str(r.config.image_size),
            "epochs": str(r.config.epochs),
            "machine": f"{r.environment['machine']}, {r.environment['device']}",
            "threads": str(r.environment["threads"]),
            "minutes": r.seconds / 60,
            "memory": workload.memory(r.config),
        }
        for r in found
    ]
    frame = pd.DataFrame(rows)
    if frame.empty:
        return frame
    groups = frame.groupby(list(frame.columns[:-2]), sort=True)
    table = groups["minutes"].agg(runs="size", each="median", all="sum").reset_index()
    table["MB asked for"] = groups["memory"].max().astype(str).to_list()
    table["runs"] = table["runs"].astype(str)
    for column in ("each", "all"):
        table[column] = [number(value, 1) for value in table[column]]
    return table.rename(columns={"each": "minutes each", "all": "minutes in all"})


def by_chapter(profiles: Iterable[str] = ("laptop", "paper")) -> pd.DataFrame:
    """Runs that each chapter asks for, how many of them are committed, and their minutes."""
    rows = []
    for profile in profiles:
        for chapter in experiments.CHAPTERS:
            ids = {cell.config.id for cell in experiments.grid(chapter, profile)}
            paths = [records.published_folder() / f"{run}.json" for run in sorted(ids)]
            here = [records.read(path) for path in paths if path.exists()]
            minutes = sum(r.seconds for r in here) / 60
            row = {"chapter": chapter.replace("_", " "), "profile": profile, "runs": str(len(ids))}
            rows.append(row | {"committed": str(len(here)), "minutes of these": number(minutes, 1)})
    return pd.DataFrame(rows)


def page() -> str:
    """Both tables as Markdown, from the committed records alone."""
    committed = [records.read(path) for path in sorted(records.published_folder().glob("*.json"))]
    return f"{markdown(by_chapter())}\n\n{markdown(by_network(committed))}"


def timings() -> str:
    """Markdown table of the minutes that each command took and on which machine."""
    file = paths.results() / "timings.json"
    rows = json.loads(file.read_text()) if file.exists() else []
    if not rows:
        return "Not measured yet."
    lines = [f"| `{r['command']}` | {r['minutes']:.1f} | {r['machine']} | {r['date']} |" for r in rows]
    return "\n".join(["| command | minutes | machine | measured |", "|---|---:|---|---|", *lines])
