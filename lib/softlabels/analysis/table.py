"""One table of runs, a row for each, and the paired difference of two arms in it.

    runs = gather(["human"], "laptop", [0])
    difference(runs, "test.kl", "soft", "truth")

Tables, figures and verdicts are drawn from such a table, or from the like one of what was measured with the
networks of its runs (`evaluated`). A run without a record has its row too, without numbers.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from softlabels.analysis import names
from softlabels.analysis.statistics import Interval, mean_sd, paired_interval
from softlabels.errors import ConfigError, DataUnavailable
from softlabels.learning import bars
from softlabels.runs import evaluations, planning, profiles, records
from softlabels.runs.grids import grid

if TYPE_CHECKING:  # who only trains need not have it
    import pandas as pd

    from softlabels.runs.grids import Cell
    from softlabels.runs.records import Record

HIGHER_IS_BETTER = {
    "macro_accuracy": True,
    "kl": False,
    "cross_entropy": False,
    "brier": False,
    "ece": False,
    "entropy_correlation": True,
    "second_best_accuracy": True,
}
ARMS = ("hard", "soft")
SETTING = ["profile", "setting", "epochs"]  # what both arms of a comparison have in common
PAIR = ("network", "seed", "fold")  # what two runs have in common when they are compared
PLACE = ("grid", "profile", "dataset", "network", "recipe", "setting", "arm", "seed", "fold", "epochs")
# What a row of an evaluation says of its run.
OF_RUN = ["id", "grid", "profile", "arm", "network", "seed", "fold", "overlap", "record"]
# Columns that there are even without a record: measures against the people and against the dataset's label.
COLUMNS = (
    "id",
    *PLACE,
    "overlap",
    "shared",
    *(f"{part}.{name}" for part in ("test", "truth") for name in HIGHER_IS_BETTER),
    "config",
    "record",
)


def gather(
    names: Sequence[str],
    profile: str,
    seeds: Sequence[int],
    train: bool = False,
    device: str | None = None,
    fresh: bool = False,
    committed_only: bool = False,
) -> "pd.DataFrame":
    """Tabulate the runs of some of `grids.CHAPTERS`, in the order of the grids.

    What has no record is trained if asked for, everything if `fresh`; runs whose data cannot be had here stay
    missing in any case. `committed_only` leaves the cache out, so that the answer is the same in every clone.

    Returns
    -------
    DataFrame
        A row for each run: `PLACE`, `config`, `record` (None where there is none), "overlap" (test images
        per training image where its split is a random one, which shares images with others; else 0),
        "shared" (whether all runs on the dataset have one test part), and a column for each measure of each
        part, nan where it is undefined: such as "test.kl" (against the people), "truth.macro_accuracy"
        (against the dataset's own label), "validation.loss", or "last.accuracy" and "annotators.auroc" of a
        method for several annotators.
    """
    cells = [(name, cell) for name in names for cell in grid(name, profile, seeds)]
    return of_cells(cells, profile, train, device, fresh, committed_only)


def of_cells(
    cells: "Sequence[tuple[str, Cell]]",
    profile: str,
    train: bool = False,
    device: str | None = None,
    fresh: bool = False,
    committed_only: bool = False,
) -> "pd.DataFrame":
    """As `gather`, of runs with the names of their grids: they need not be those of a profile."""
    for name, given in (("train", train), ("fresh", fresh)):
        if not isinstance(given, bool):  # the word "false" would train for hours
            raise ConfigError(f"{name} has to be True or False, not {given!r}")
    if train and not fresh:
        from softlabels.runs import parallel

        parallel.on_all_cores([cell.config for _, cell in cells], device)
    look = {cell.config.id: cell for _, cell in cells}  # two grids may share a run
    trained = [c.config for c in look.values() if fresh or (train and records.find(c.config) is None)]
    found = {}
    with bars.one_bar(planning.minutes(trained)) as done:
        for key, cell in look.items():
            found[key] = record_of(cell, train, device, fresh, committed_only)
            done(cell.config)
    return tabulate(((name, cell, found[cell.config.id]) for name, cell in cells), profile)


def record_of(
    cell: "Cell",
    train: bool = False,
    device: str | None = None,
    fresh: bool = False,
    committed_only: bool = False,
) -> "Record | None":
    """Record of one run, trained where asked for; None where it has none or its data cannot be had here."""
    if not (train or fresh):
        return records.find(cell.config, committed_only)
    from softlabels.runs import run

    try:
        return run.get(cell.config, device, fresh)
    except DataUnavailable:
        return None


def tabulate(found: "Iterable[tuple[str, Cell, Record | None]]", profile: str = "") -> "pd.DataFrame":
    """The table of runs in their places in grids, with their records."""
    import pandas as pd

    rows = []
    for name, cell, record in found:
        config = cell.config
        # The size of an image is part of the setting where it is ours to choose.
        data = f"{cell.dataset} {config.image_size} px" if cell.dataset == "synthetic" else cell.dataset
        setting = f"{data} · {cell.network} · {cell.recipe}"
        place = (name, profile, cell.dataset, cell.network, cell.recipe, setting, cell.arm, cell.seed)
        row = dict(zip(PLACE, (*place, config.fold, config.epochs), strict=True))
        row |= {"id": config.id, "config": config, "record": record, "overlap": 0.0}
        row["shared"] = config.split == "official"
        if record and config.split == "random" and "n_test" in record.data:
            row["overlap"] = record.data["n_test"] / record.data["n_train"]
        parts = record.metrics if record else {}
        rows.append(row | {f"{part}.{m}": v for part, one in parts.items() for m, v in one.items()})
    frame = pd.DataFrame(rows)
    measured = [c for c in frame.columns if c not in COLUMNS]
    frame = frame.reindex(columns=[*COLUMNS[:-2], *measured, *COLUMNS[-2:]])
    numbers = [c for c in frame.columns if "." in c]
    return frame.astype(dict.fromkeys(numbers, np.float64) | {"record": object})


def recorded(runs: "pd.DataFrame") -> "list[Record]":
    """The records of a table, each once: setting by setting, arm by arm, pair by pair."""
    here = runs[runs.record.notna()]
    places = here.groupby([c for c in (*SETTING, "arm") if c in here], sort=False).ngroup()
    ordered = here.assign(place=places).sort_values(["place", *PAIR], kind="stable")
    return list({record.id: record for record in ordered.record}.values())


def complete(runs: "pd.DataFrame", arms: Sequence[str] = ARMS) -> "pd.DataFrame":
    """Rows of these arms whose pairs have a record in each of them, in the order of arms and pairs."""
    here = runs[runs.arm.isin(arms) & runs.record.notna()]
    whole = here.groupby(list(PAIR)).arm.transform("nunique") == len(set(arms))
    return (
        here[whole]
        .sort_values(list(PAIR), kind="stable")
        .sort_values("arm", key=lambda a: a.map(arms.index), kind="stable")
    )


def values(runs: "pd.DataFrame", measure: str) -> np.ndarray:
    """One number for each run, float64 [n]; runs where the measure is undefined are left out."""
    return runs[measure].dropna().to_numpy(np.float64) if measure in runs else np.empty(0)


def summary(runs: "pd.DataFrame", measure: str) -> tuple[float, float, int]:
    """Mean, standard deviation and number of runs."""
    found = values(runs, measure)
    return *mean_sd(found), len(found)


def arms(runs: "pd.DataFrame", measure: str) -> list[str]:
    """Arms with at least one value, in the table's order."""
    return list(runs.arm[runs[measure].notna()].unique()) if measure in runs else []


def paired(
    a: "pd.DataFrame", b: "pd.DataFrame", measure: str, on: Sequence[str] = PAIR
) -> tuple[np.ndarray, np.ndarray]:
    """Values of two tables on the pairs that both have, in one order.

    Raises ValueError if a table has several runs with the same values of the columns `on`.
    """
    if measure not in a or measure not in b:
        return np.empty(0), np.empty(0)
    x, y = (_by_pair(side, measure, on) for side in (a, b))
    common = sorted(x.keys() & y.keys())
    return np.array([x[key] for key in common]), np.array([y[key] for key in common])


def _by_pair(runs: "pd.DataFrame", measure: str, on: Sequence[str]) -> dict[tuple, float]:
    """Values by the values of some columns; a dictionary, for a thousand small tables are compared."""
    keys = zip(*(runs[name].tolist() for name in on), strict=True)
    known = [(key, value) for key, value in zip(keys, runs[measure].tolist(), strict=True) if value == value]
    found = dict(known)
    if len(found) < len(known):
        raise ValueError(f"several runs with the same {', '.join(on)}: cut the table into its settings first")
    return found


def pairs(
    runs: "pd.DataFrame", measure: str, arm: str = "soft", base: str = "hard"
) -> tuple[np.ndarray, np.ndarray]:
    """Values of two arms of a setting on the pairs that both have, in one order."""
    narrow = runs[[c for c in ("arm", *PAIR, measure) if c in runs]]
    return paired(narrow[narrow.arm == arm], narrow[narrow.arm == base], measure)


def difference(
    runs: "pd.DataFrame", measure: str, arm: str = "soft", base: str = "hard", relative: bool = False
) -> Interval | None:
    """Mean of arm - base, or of (arm - base) / base if `relative`, with its paired 95 % interval; or None.

    `runs` are of one setting: of each arm one run for each pair. Where the column "overlap" says that splits
    share images, with the correction of Nadeau and Bengio; where all runs have one test part in common, over
    its images too.
    """
    a, b = pairs(runs, measure, arm, base)
    if not len(a):
        return None
    if relative:
        a, b = a / b, np.ones(len(b))
    overlap = float(runs.overlap.max()) if "overlap" in runs else 0.0
    left_out: Sequence[float] | np.ndarray = ()
    if measure.startswith(("test.", "truth.")) and "shared" in runs and runs.shared.all():
        both = complete(runs, (arm, base))
        x, y = (both.record[both.arm == of] for of in (arm, base))
        left_out = without_images(x, y, measure, relative)
    return paired_interval(a, b, overlap=overlap, left_out=left_out)


def without_images(
    a: "Iterable[Record]", b: "Iterable[Record]", measure: str, relative: bool = False
) -> np.ndarray | Sequence[float]:
    """Mean difference of pairs of records without each of some groups of the images of their one test part.

    `paired_interval` has why. Empty where the records have no such part.
    """
    less = []
    for x, y in ((one.left_out(measure), other.left_out(measure)) for one, other in zip(a, b, strict=True)):
        if x is None or y is None:
            return ()
        less.append(x / y - 1 if relative else x - y)
    return np.mean(less, axis=0) if less else ()


def winner(runs: "pd.DataFrame", measure: str) -> str:
    """ "soft" or "hard" where the 95 % interval decides which is better, else "open" or "missing"."""
    found = difference(runs, measure)
    if found is None:
        return "missing"
    sign = found.sign * (1 if HIGHER_IS_BETTER[measure.rpartition(".")[2]] else -1)
    return {1: "soft", -1: "hard", 0: "open"}[sign]


def settings(runs: "pd.DataFrame", complete_only: bool = True) -> "list[tuple[str, pd.DataFrame]]":
    """The table cut into its settings, with their names; those without a pair of runs only if asked for."""
    cut = [(name, here) for (_, name, _), here in runs.groupby(SETTING, sort=False)]
    return [(name, here) for name, here in cut if not complete_only or len(complete(here))]


def missing(runs: "pd.DataFrame") -> str:
    """Markdown: which runs are missing and the commands that train them; empty where none is."""
    lines = []
    for (name, profile), lacks in runs[runs.record.isna()].groupby(["grid", "profile"], sort=False):
        seeds = " ".join(str(seed) for seed in sorted(lacks.seed.unique()))
        said = map(names.arm, lacks.arm.unique())
        lines.append(
            f"Missing: {len(lacks)} runs of the grid `{name}` ({', '.join(said)}). They are "
            f"trained by `softlabels train --chapter {name} --profile {profile} --seeds {seeds}`."
        )
    return "\n\n".join(lines)


def evaluated(
    runs: "pd.DataFrame",
    kind: str,
    train: bool = False,
    device: str | None = None,
    fresh: bool = False,
    committed_only: bool = False,
) -> "pd.DataFrame":
    """What the suite of the profile found with the networks of these runs: attacks, shift, corruptions, blur.

    A row for each number has `OF_RUN`, kind, case, level, measure, value, and the evaluation; each that is
    missing has one row without numbers. It is made now only if `train`.
    """
    import pandas as pd

    plan = profiles.plan(runs.profile.iloc[0], kind)
    wanted = pd.concat([runs[runs.arm == arm] for arm in plan.arms])
    found, rows = {}, []
    for record in recorded(wanted):
        with suppress(DataUnavailable):
            found[record.id] = (
                evaluations.get(record.config, plan.suite, device, fresh)
                if train or fresh
                else evaluations.find(record.config, plan.suite, committed_only)
            )
    for place in wanted[OF_RUN].to_dict("records"):
        one = found.get(place["id"])
        measured = one.rows if one else [(None, np.nan, None, np.nan)]
        named = (dict(zip(("case", "level", "measure", "value"), row, strict=True)) for row in measured)
        rows += [place | {"kind": kind, **row, "evaluation": one} for row in named]
    return pd.DataFrame(rows)


def at(
    found: "pd.DataFrame", case: str, measure: str = "accuracy", level: float | None = 0
) -> "pd.DataFrame":
    """Rows of one measure of one case, at one level or (None) at all."""
    here = found[(found.case == case) & (found.measure == measure)]
    return here if level is None else here[here.level == level]


def unevaluated(found: "pd.DataFrame", runs: "pd.DataFrame") -> str:
    """Markdown: which evaluations are missing and the command that makes them; empty where none is."""
    lacks = found[found.evaluation.isna()]
    if lacks.empty:
        return ""
    name, profile, kind = lacks[["grid", "profile", "kind"]].iloc[0]
    seeds = " ".join(str(seed) for seed in sorted(found.seed.unique()))
    first = f"{missing(runs)}\n\n" if lacks.record.isna().any() else ""
    return (
        f"{first}Missing: {len(lacks)} evaluations of kind `{kind}`. They are made by `softlabels evaluate "
        f"--chapter {name} --profile {profile} --kinds {kind} --seeds {seeds}`."
    )


def by_epoch(runs: "pd.DataFrame", measure: str) -> dict[str, dict[float, list[float]]]:
    """What the history of each run says of a measure by arm and epoch, as `figures.curves` takes it.

    Histories that do not have the measure, such as "validation_kl", are left out.
    """
    found: dict[str, dict[float, list[float]]] = {}
    for arm, record in runs[runs.record.notna()][["arm", "record"]].itertuples(index=False):
        for row in record.history:
            if measure in row:
                found.setdefault(arm, {}).setdefault(row["epoch"], []).append(row[measure])
    return found


def curves(
    runs: "pd.DataFrame", x: "str | Callable" = "level", y: str = "value", by: str = "arm"
) -> dict[str, dict[float, list[float]]]:
    """Values by arm and level, as `figures.curves` takes them."""
    known = runs.dropna(subset=[y])
    cut = known.groupby([by, x], sort=False)[y].agg(list)
    found: dict[str, dict[float, list[float]]] = {}
    for (arm, level), listed in cut.items():
        found.setdefault(arm, {})[level] = listed
    return found
