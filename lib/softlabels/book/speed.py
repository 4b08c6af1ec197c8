"""What ``make bench`` measured: one record for all benchmarks, and the table that the pages show."""

import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from softlabels import paths, runs
from softlabels.analysis.formatting import NOTHING, markdown, number
from softlabels.errors import RecordError
from softlabels.store import write_atomically

# script in benchmarks/ -> its lines, and what each compares
SCRIPTS: dict[str, dict[str, str]] = {
    "planning": {
        "planning": "planning a graph of 10,000 runs",
        "status": "`softlabels status` of 10,000 records",
    },
    "generator": {
        "generator-64px": "15,000 synthetic images, 64 px",
        "generator-224px": "15,000 synthetic images, 224 px",
    },
    "loading": {"loading-first": "FER+ decoded into the cache", "loading-again": "FER+ from the cache"},
    "training": {
        "training": "an epoch; bare forward and backward of the same network",
        "training-memory": "an epoch, freed memory kept; returned each time",
    },
    "conventional_loop": {"conventional-loop": "an epoch; DataLoader, PIL and torchvision"},
    "attacks": {"fgsm": "FGSM at six radii; foolbox", "pgd": "PGD-10 at six radii; foolbox"},
    "tsne": {
        "tsne-3000": "t-SNE of 3,000 points; scikit-learn",
        "tsne-10000": "t-SNE of 10,000 points; scikit-learn",
    },
    "annotators": {
        "annotators-mgc": "annot-mix, size of music genres; scikit-activeml",
        "annotators-mgc-products": "the matrix products of that alone; scikit-activeml",
        "annotators-letter": "annot-mix, size of letter; scikit-activeml",
        "annotators-letter-products": "the matrix products of that alone; scikit-activeml",
        "annotators-rows": "three methods on music genres, 50 epochs, one seed; scikit-activeml",
        "annotators-table": "fourteen methods on music genres, 50 epochs, one seed",
        "annotators-memory": "annot-mix, 50,000 images, 10,000 annotators",
    },
    "overhead": {
        "overhead-local": "200 runs of a second in the workflow; the work alone on two cores",
        "overhead-slurm": "the same through SLURM",
    },
    "memory": {"memory": "images four times larger than memory; all in memory"},
    "runs_per_gpu": {
        f"runs-per-gpu-{k}": f"eight small runs, {k} at a time on a GPU; one at a time" for k in (2, 4, 8)
    },
}


def file() -> Path:
    """Where the record lies."""
    return paths.results() / "benchmarks.json"


def load() -> dict[str, dict[str, Any]]:
    """Read what was measured, by script; `RecordError` if the file holds anything else."""
    if not file().exists():
        return {}
    try:
        found = json.loads(file().read_text(encoding="utf-8"))
        return {script: {**entry, "lines": list(entry["lines"])} for script, entry in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(f"{file()}: not a record of benchmarks ({error}); run `make bench`") from error


def _here() -> dict[str, str]:
    from softlabels.learning import hardware

    found = runs.environment(hardware.hardware("cpu"))
    return {"commit": found["commit"], "machine": found["machine"]}


def measured(script: str) -> bool:
    """Whether a script was measured at this very commit on this machine."""
    entry = load().get(script, {})
    return {key: entry.get(key) for key in ("commit", "machine")} == _here()


def save(script: str, output: Iterable[str]) -> None:
    """Keep the lines of JSON among a script's output, in place of its earlier ones."""
    lines = [json.loads(line) for line in output if line.startswith("{")]
    found = load() | {script: {**_here(), "date": date.today().isoformat(), "lines": lines}}
    write_atomically(file(), (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode())


def table(measured: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """Tabulate every line that there should be; one that was not measured is shown as missing."""
    rows = []
    for script, lines in SCRIPTS.items():
        entry = measured.get(script, {})
        found = {line["name"]: line for line in entry.get("lines", ())}
        for name, words in lines.items():
            rows.append({"what; peer": words} | _row(found.get(name), entry))
    return pd.DataFrame(rows)


def _row(line: dict[str, Any] | None, entry: dict[str, Any]) -> dict[str, str]:
    if line is None:
        empty = dict.fromkeys(("ours, s", "peer, s", "ratio", "target", "n"), NOTHING)
        return empty | {"machine": "missing", "date": NOTHING}
    seconds = f"≤ {line['limit_seconds']:g} s" if "limit_seconds" in line else ""
    ratio = f"≥ {line['target']:g}" if line.get("target") else ""
    promised = filter(None, (seconds, ratio, _memory(line, "promised_megabytes", "≤ ")))
    return {
        "ours, s": number(line["ours"], 2) + _memory(line, "megabytes", ", ") + _reached(line, ""),
        "peer, s": NOTHING if line["peer"] is None else number(line["peer"], 2) + _reached(line, "peer_"),
        "ratio": NOTHING if line["ratio"] is None else number(line["ratio"], 2),
        "target": ", ".join(promised) or NOTHING,
        "n": str(line["rounds"]),
        "machine": f"{line['machine']}, {line['threads']} thread{'s' * (line['threads'] > 1)}",
        "date": str(entry["date"]),
    }


def _reached(line: dict[str, Any], whose: str) -> str:
    """Seconds of the processor and the loss at the end, where a line has them."""
    cpu, kl = line.get(f"{whose}cpu"), line.get(f"{whose}kl")
    words = "" if cpu is None else f" ({number(cpu, 2)} CPU)"
    return words if kl is None else f"{words}, KL {number(kl, 3)}"


def _memory(line: dict[str, Any], key: str, before: str) -> str:
    return f"{before}{line[key]:,} MB" if line.get(key) else ""


def page() -> str:
    """Table of all benchmarks as Markdown."""
    return markdown(table(load()))
