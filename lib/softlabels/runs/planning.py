"""Many runs in few jobs: what is missing, cut into batches that are worth the start of a process.

A batch is a file with the configurations of its runs, named after their ids; ``softlabels train --from FILE``
trains it. The file holds all that a job on another machine has to know.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from softlabels.errors import ConfigError
from softlabels.learning.config import RunConfig
from softlabels.runs.workload import Needs, Past, needs

TARGET = 15.0  # minutes: beside it the start of a job, some ten seconds on a cluster, does not count
MOST = 1000  # batches of a plan: more jobs than that no scheduler likes to see at once
SHARES = 2  # batches per place that can work, so that one slow batch does not keep everybody waiting …
LEAST = 2.0  # … unless they would be shorter than so many minutes


@dataclass(frozen=True)
class Batch:
    """Runs that one job trains, and what that job needs."""

    configs: tuple[RunConfig, ...]
    needs: Needs

    @property
    def id(self) -> str:
        """Twelve hex digits, from the ids of the runs."""
        return sha256(" ".join(c.id for c in self.configs).encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """Name of its file: the id after the kind of machine that it asks for."""
        return f"{'gpu' if self.needs.gpu else 'cpu'}-{self.id}"


def plan(
    configs: Iterable[RunConfig],
    past: Past,
    places: int = 1,
    device: str | None = None,
    target: float = TARGET,
) -> list[Batch]:
    """Cut runs into batches of about `target` minutes, at least so many that all `places` have work.

    Runs keep their order, which is the order in which they are worth training; those that ask for a GPU
    and those that do not are never in one batch.
    """
    needed = [(c, needs(c, past, device)) for c in configs]
    minutes = sum(n.minutes for _, n in needed)
    share = max(minutes / (SHARES * places), min(LEAST, minutes / places)) if places > 1 else target
    size = max(min(target, share), minutes / MOST)
    kinds = [[pair for pair in needed if pair[1].gpu == gpu] for gpu in (False, True)]
    return [_batch(pairs) for kind in kinds for pairs in _cut(kind, size)]


def _cut(needed: list[tuple[RunConfig, Needs]], size: float) -> Iterator[list[tuple[RunConfig, Needs]]]:
    batch: list[tuple[RunConfig, Needs]] = []
    minutes = 0.0
    for pair in needed:
        # Half of a run may stand over: cutting before every such run would leave batches of one.
        if batch and minutes + pair[1].minutes / 2 > size:
            yield batch
            batch, minutes = [], 0.0
        batch.append(pair)
        minutes += pair[1].minutes
    if batch:
        yield batch


def _batch(pairs: list[tuple[RunConfig, Needs]]) -> Batch:
    found = [n for _, n in pairs]
    together = Needs(sum(n.minutes for n in found), max(n.mem_mb for n in found), found[0].gpu)
    return Batch(tuple(c for c, _ in pairs), together)


def write(batch: Batch, folder: Path) -> Path:
    """Write a batch's file; a mark that such a batch is done is removed, since its runs are missing."""
    path = folder / f"{batch.name}.json"
    path.with_suffix(".done").unlink(missing_ok=True)
    n = batch.needs
    body = {
        "minutes": n.minutes,
        "limit": n.limit,
        "mem_mb": n.mem_mb,
        "runs": [_differing(c) for c in batch.configs],
    }
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    return path


def _differing(config: RunConfig) -> dict[str, Any]:
    default = RunConfig().to_dict()
    return {name: value for name, value in config.to_dict().items() if value != default[name]}


def resource(path: Path, name: str) -> int:
    """Read what a batch needs ("limit" in minutes, "mem_mb") from its file."""
    return int(json.loads(path.read_text(encoding="utf-8"))[name])


def read(path: Path) -> list[RunConfig]:
    """Read the configurations of a batch.

    Raises
    ------
    ConfigError
        If the file is not there or holds anything else.
    """
    try:
        return [RunConfig.from_dict(found) for found in json.loads(path.read_text(encoding="utf-8"))["runs"]]
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f'{path}: expected {{"runs": [{{setting: value, …}}, …]}} ({type(error).__name__}: {error})'
        ) from error
