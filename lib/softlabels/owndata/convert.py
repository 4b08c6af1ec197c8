"""Votes of any format as the plain long table: a line for each vote, ``image,annotator,label``."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from softlabels.datasets import folder
from softlabels.datasets.collection import Collection, printable, quoted, summary
from softlabels.datasets.formats import Options
from softlabels.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

# Problems of the images, or of how many there are; the votes are none the worse for them.
OF_IMAGES = ("too few images", "number of classes", "image without annotation")


def convert(path: Path, output: Path, options: Options | None = None) -> list[str]:
    """Write the votes of a file, or of a folder, as a plain table; returns what was done, in sentences.

    Raises
    ------
    DataError
        The votes cannot be read without a doubt: every cause is named, and nothing is written. Or the output
        is the input, or cannot be written.
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
    return _told(found, table, output)


def votes(found: Collection) -> "pd.DataFrame":
    """One row for each vote: image, annotator (where there are any) and label, as text."""
    import pandas as pd

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

    Raises
    ------
    DataError
        Nothing is there.
    """
    found = folder.votes_of(path, options)
    if not path.is_dir():
        return path, found
    return (path / found.sources[0] if len(found.sources) == 1 else None), found


def _told(found: Collection, table: "pd.DataFrame", output: Path) -> list[str]:
    people = f" of {len(found.annotators):,} annotators" if found.annotators else " of nobody in particular"
    voted = set(table["label"])
    silent = [name for name in found.classes if name not in voted]
    lines = [f"Read as: {found.form}."]
    lines += [f"  {printable(name)}: {role}" for name, role in found.taken[:40]]
    lines += [f"  {note}" for note in found.notes]
    if silent:
        lines.append(f"  Classes that nobody chose are left out: {', '.join(map(quoted, silent[:8]))}.")
    lines.append(
        f"{output}: {len(table):,} votes{people} on {table['image'].nunique():,} images for "
        f"{len(voted):,} classes."
    )
    return lines
