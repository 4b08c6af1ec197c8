"""What the benchmarks share: taking turns, medians, and one way to report."""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from softlabels.learning.hardware import hardware


def parser(description: str | None) -> argparse.ArgumentParser:
    """Parser with what every benchmark takes."""
    top = argparse.ArgumentParser(description=description)
    top.add_argument("--quick", action="store_true", help="small sizes, to see that it runs; no measurement")
    return top


def seconds(action: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    """Wall time of one call; waits for the GPU if there is one. What has one thread may use another clock."""
    start = clock()
    action()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return clock() - start


def in_turns(
    ours: Callable[[], Any],
    peer: Callable[[], Any],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[list[float], list[float]]:
    """Seconds of both, measured A B A B ..., so that a busy machine is busy for both."""
    times = [(seconds(ours, clock), seconds(peer, clock)) for _ in range(rounds)]
    return [a for a, _ in times], [b for _, b in times]


def report(
    name: str,
    ours: list[float],
    peer: list[float] | None = None,
    target: float | None = None,
    device: str | None = "cpu",
    **more: Any,
) -> None:
    """Print the medians and their ratio, as one line of JSON and one for people.

    The ratio is the median of the ratios of the rounds: two neighbours in time saw the same machine.
    """
    ratio = statistics.median(b / a for a, b in zip(ours, peer, strict=True)) if peer else None
    found = hardware(device).describe()
    line = {
        "name": name,
        "ours": round(statistics.median(ours), 4),
        "peer": round(statistics.median(peer), 4) if peer else None,
        "ratio": round(ratio, 3) if ratio else None,
        "unit": "seconds, median",
        "rounds": len(ours),
        "target": target,
        "machine": found["machine"] if found["device"] == "cpu" else found["device"],
        "threads": found["threads"],
        **more,
    }
    print(json.dumps(line, ensure_ascii=False))
    print(_sentence(line), flush=True)


def _sentence(line: dict[str, Any]) -> str:
    text = f"{line['name']}: ours {line['ours']:.3g} s"
    if "limit_seconds" in line:
        text += f" (limit {line['limit_seconds']:g} s)"
    if line.get("megabytes"):
        text += f", peak memory {line['megabytes']} MB (limit {line['promised_megabytes']} MB)"
    if line["ratio"] is not None:
        goal = f" (target {line['target']:g} or more)" if line["target"] else ""
        text += f", peer {line['peer']:.3g} s, ratio {line['ratio']:.3g}{goal}"
    elif not {"limit_seconds", "megabytes"} & set(line):
        text += ", no peer here"
    return text
