"""The tables that people take away: votes as lines ``image,annotator,label``, and labels of each image."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from softlabels.datasets import Annotations, folder
from softlabels.datasets.collection import Collection, demand, printable, quoted, summary
from softlabels.datasets.formats import Options
from softlabels.errors import DataError
from softlabels.labels import votes as labels
from softlabels.labels.ceiling import WEIGHTS
from softlabels.learning.annotators.aggregation import dawid_skene

# Problems of the images, or of how many there are; the votes are none the worse for them.
OF_IMAGES = ("too few images", "number of classes", "image without annotation")


def convert(path: Path, output: Path, options: Options | None = None) -> list[str]:
    """Write the votes of a file, or of a folder, as a plain table; returns what was done, in sentences.

    Votes that cannot be read without a doubt raise `DataError`, which names every cause, and nothing is
    written; so does an output that is the input, or cannot be written.
    """
    source, found = read(path, options)
    problems = [p for p in found.problems if p.kind not in OF_IMAGES]
    if problems:
        listed = "\n".join(f"  {line}" for line in summary(problems))
        raise DataError(f"{path}: nothing is converted, because of\n{listed}")
    if source is not None and output.exists() and output.samefile(source):
        raise DataError(f"{output}: this is what is read; name another file with -o")
    table = votes(found)
    if not len(table):
        raise DataError(f"{path}: expected votes, found none; `softlabels check` says what is there")
    try:
        table.to_csv(output, index=False, lineterminator="\n")
    except OSError as error:
        raise DataError(f"{output}: cannot be written ({error.strerror}); name another with -o") from error
    voted = set(table["label"])
    silent = [name for name in found.classes if name not in voted]
    done = [f"Read as: {found.form}."]
    done += [f"  {printable(name)}: {role}" for name, role in found.taken[:40]]
    done += [f"  {note}" for note in found.notes]
    if silent:
        done.append(f"  Classes that nobody chose are left out: {', '.join(map(quoted, silent[:8]))}.")
    people = f" of {len(found.annotators):,} annotators" if found.annotators else " of nobody in particular"
    images = f"{table['image'].nunique():,} images for {len(voted):,} classes"
    return [*done, f"{output}: {len(table):,} votes{people} on {images}."]


def votes(found: Collection) -> pd.DataFrame:
    """One row for each vote: image, annotator (where there are any) and label, as text."""
    given = found.annotations
    if given is None:
        image, label = np.nonzero(found.counts)
        times = found.counts[image, label].astype(np.int64)
        columns = {"image": np.repeat(image, times), "label": np.repeat(label, times)}
    else:
        order = np.lexsort((given.annotator, given.image))
        columns = {name: getattr(given, name)[order] for name in ("image", "annotator", "label")}
    words = {"image": found.files, "annotator": found.annotators, "label": found.classes}
    return pd.DataFrame({name: np.array(words[name], object)[rows] for name, rows in columns.items()})


def read(path: Path, options: Options | None) -> tuple[Path | None, Collection]:
    """Read a file of votes, or a folder with one; also the file, where there is one.

    Images of a folder are named by their paths in it, those of a file alone as the file names them.
    """
    found = folder.votes_of(path, options)
    if not path.is_dir():
        return path, found
    return (path / found.sources[0] if len(found.sources) == 1 else None), found


# What is known of each image: counts, soft labels of several kinds, agreement, and whether to ask again.
EPSILON = 0.1  # of label smoothing
# Columns for each class are called KIND:CLASS, as in "soft:cat".
COLUMNS = {
    "image": "path of the image in the folder, or its name in the table",
    "votes": "number of votes",
    "count:CLASS": "votes for the class",
    "soft:CLASS": "share of the votes (sums to 1)",
    "smoothed:CLASS": f"majority, smoothed: (1 - ε) of a vote for it and ε / K for all, ε = {EPSILON:g}",
    "posterior:CLASS": "mean of a Dirichlet posterior: the shares drawn towards those of the whole dataset",
    "dawid_skene:CLASS": "probability of the true class by Dawid and Skene, where annotators are named",
    "annot_mix:CLASS": "the same by annot-mix, from features and votes together; with `--annot-mix`",
    "majority": "class with most votes; of tied ones the first by name",
    "tied": "all classes that tie for most votes, separated by |; empty without a tie",
    "entropy": "of the soft label, in nats",
    "agreement": "share of pairs of votes that agree; empty for one vote",
    "gain": "variance of the posterior that one more vote takes away, on average",
    "ask_again": "true where two classes tie, or one more vote could make them tie",
}


def table(found: Collection, annot_mix: np.ndarray | None = None) -> pd.DataFrame:
    """Describe each image that has votes in a row; `COLUMNS` says what the columns are.

    `annot_mix` [N, K] is what `annotmix.estimate` says of all images. A collection without votes raises
    `DataError`.
    """
    if not len(found) or not found.counts.size:
        raise DataError(f"{found.root}: expected votes, found none; `softlabels check` says what is there")
    kept = np.flatnonzero(found.counts.sum(1) > 0)  # the others have no label to speak of
    given = found.annotations
    if given is not None:
        given = Annotations(np.searchsorted(kept, given.image), given.annotator, given.label)
    names = [found.files[i] for i in kept]
    return frame(
        names, found.counts[kept], found.classes, given, None if annot_mix is None else annot_mix[kept]
    )


def frame(
    names: Sequence[str],
    counts: np.ndarray,
    classes: Sequence[str],
    annotations: Annotations | None = None,
    annot_mix: np.ndarray | None = None,
) -> pd.DataFrame:
    """The same from arrays: names of N images, counts [N, K], names of K classes, votes, estimates [N, K]."""
    soft, k = labels.soft_labels(counts), len(classes)
    top = counts == counts.max(1, keepdims=True)
    majority = counts.argmax(1)
    posterior, gain = posterior_and_gain(counts)
    blocks = {
        "count": counts.astype(np.int64),
        "soft": soft,
        "smoothed": labels.smoothed(labels.one_hot(majority, k), EPSILON),
        "posterior": posterior,
    }
    if annotations is not None and len(annotations.image):
        blocks["dawid_skene"] = dawid_skene(annotations, *counts.shape).posterior
    if annot_mix is not None:
        blocks["annot_mix"] = annot_mix
    columns: dict[str, Any] = {"image": list(names), "votes": counts.sum(1).astype(np.int64)}
    for kind, values in blocks.items():
        columns |= {f"{kind}:{name}": values[:, j] for j, name in enumerate(classes)}
    tied = ["|".join(np.array(classes, object)[row]) if row.sum() > 1 else "" for row in top]
    n, largest = counts.sum(1, dtype=np.float64), np.sort(counts, axis=1)
    pairs = (counts.astype(np.float64) * (counts - 1)).sum(1)  # that agree
    columns |= {
        "majority": [classes[j] for j in majority.tolist()],
        "tied": tied,
        "entropy": labels.entropy(soft) + 0.0,  # no -0.0 of unanimous votes
        "agreement": np.where(n > 1, pairs / np.maximum(n * (n - 1), 1), np.nan),
        "gain": gain,
        "ask_again": largest[:, -1] - largest[:, -2] <= 1 if k > 1 else np.ones(len(counts), bool),
    }
    return pd.DataFrame(columns)


def posterior_and_gain(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each image's Dirichlet posterior [N, K], and what one more vote would gain [N].

    The prior has the class shares of the dataset and the weight, among `ceiling.WEIGHTS`, by which each vote
    is best predicted from the others of its image. With α_0 = n + weight, the variance of the posterior is
    (1 - Σ_k p_k²) / (α_0 + 1), and one more vote takes 1 / (α_0 + 1) of it away on average.
    """
    n = counts.sum(1, keepdims=True, dtype=np.float64)
    shares = counts.sum(0, dtype=np.float64) / counts.sum(dtype=np.float64)

    def surprise(weight: float) -> float:
        """Mean −log probability of a vote given the others of its image, in nats."""
        others = np.where(counts > 0, (counts - 1 + weight * shares) / (n - 1 + weight), 1.0)
        return float(-(counts * np.log(others)).sum() / counts.sum())

    weight = min(WEIGHTS, key=surprise)
    mean = (counts + weight * shares) / (n + weight)
    after = (n[:, 0] + weight + 1) ** 2
    return mean, (1 - (mean**2).sum(1)) / after


def write(found: Collection, output: Path, annot_mix: np.ndarray | None = None) -> str:
    """Write the table of a collection as CSV, parquet or JSON lines by the ending; returns what was done.

    JSON lines have one list for each kind of label, in the order of ``classes``. `DataError` is raised for
    problems of the votes, an unknown ending, a missing library, or a place that cannot be written.
    """
    rows = table(of_votes(found), annot_mix)
    kind = output.suffix.lower()
    try:
        if kind == ".csv":
            rows.to_csv(output, index=False, lineterminator="\n")
        elif kind == ".parquet":
            rows.to_parquet(output, index=False)
        elif kind in (".jsonl", ".ndjson"):
            lines = (_line(row, found.classes) + "\n" for row in rows.to_dict("records"))
            output.write_text("".join(lines), "utf-8")
        else:
            raise DataError(f"{output}: expected .csv, .parquet or .jsonl; name such a file with -o")
    except ImportError as error:
        remedy = 'pip install "softlabels[formats]", or write .csv'
        raise DataError(f"{output}: a library that writes parquet is not installed; {remedy}") from error
    except OSError as error:
        raise DataError(f"{output}: cannot be written ({error.strerror}); name another with -o") from error
    again = int(rows["ask_again"].sum())
    return (
        f"{output}: {len(rows):,} images, {int(rows['votes'].sum()):,} votes, {len(found.classes)} classes, "
        f"{len(rows.columns)} columns; to ask about again: {again:,}"
    )


def of_votes(found: Collection) -> Collection:
    """A collection without the problems that touch its images only; others raise `DataError`."""
    return demand(replace(found, problems=tuple(p for p in found.problems if p.kind not in OF_IMAGES)))


def _line(row: dict, classes: Sequence[str]) -> str:
    """One image as JSON, with a list for each kind of label."""
    found: dict[str, object] = {"image": row["image"], "votes": int(row["votes"]), "classes": list(classes)}
    for kind in ("count", "soft", "smoothed", "posterior", "dawid_skene", "annot_mix"):
        if f"{kind}:{classes[0]}" in row:
            values = [row[f"{kind}:{name}"] for name in classes]
            found[kind] = [int(v) if kind == "count" else float(v) for v in values]
    found |= {name: row[name] for name in ("majority", "tied")}
    for name in ("entropy", "agreement", "gain"):
        found[name] = float(row[name]) if np.isfinite(row[name]) else None
    found["ask_again"] = bool(row["ask_again"])
    return json.dumps(found, ensure_ascii=False)
