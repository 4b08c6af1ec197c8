"""A folder of images beside a file of votes: the votes of the file, put to the images of the folder.

Any format of `formats` is read. Names are matched with care: an image is found by its path in the folder, by
the last parts of the path that the file has for it, or by its name without the ending; never by a guess.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import numpy as np

from softlabels.datasets import formats
from softlabels.datasets.base import Annotations, file_sha256
from softlabels.datasets.collection import (
    Collection,
    Problem,
    common_problems,
    image_files,
    lookalikes,
    normal,
    quoted,
    unread_images,
)
from softlabels.datasets.formats import Options, Reading
from softlabels.datasets.formats.containers import votes_of
from softlabels.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

LONGEST = 200  # characters of a label; more are no name of a class
UPLOAD = re.compile(r"[0-9a-f]{8}-(?=.)")  # what Label Studio puts before the name of an uploaded file
PLAIN = "votes-long.csv"  # what `softlabels convert` is told to write; it is preferred to all others
NUMERAL = re.compile(r"[+-]?\d+\.0+", re.ASCII)


def read(root: Path, name: str, table: Path, options: Options | None = None) -> Collection:
    """Read images and votes with every problem they have; nothing is decoded and nothing changed.

    Parameters
    ----------
    root : Path
        Folder of the images, which may lie in folders of their own.
    table : Path
        The file of votes, in any format of `formats.FORMATS`.
    options : Options or None
        What a user says of the file.
    """
    return gathered(root, name, [table], formats.read(table, options))


def gathered(
    root: Path, name: str, tables: Sequence[Path], reading: Reading, images: Sequence[str] | None = None
) -> Collection:
    """Put the votes of a reading to the images of a folder.

    Parameters
    ----------
    tables : sequence of Path
        The files of votes; none where the votes are the places of the images.
    images : sequence of str or None
        Paths of the images below `root`; None: all there are.
    """
    files = image_files(root) if images is None else sorted(images)
    sources = tuple(p.relative_to(root).as_posix() if p.is_relative_to(root) else p.name for p in tables)
    problems = [_with_path(p, tables[0]) if tables else p for p in reading.problems]
    label = (
        sources[0] if len(sources) == 1 else f"{len(sources)} files of votes" if sources else "the folders"
    )
    if not files:
        remedy = "put the images into the folder of the table"
        problems.append(Problem("no images", label, f"no image in {root}", remedy))
    if not files or not len(reading.votes):
        if files and not problems:
            problems.append(Problem("no annotations", label, "no votes", "add the annotations"))
        return Collection(
            name, root, tuple(files), tuple(files), problems=tuple(problems), unreadable=True,
            sources=sources, form=reading.format, taken=reading.taken,
        )  # fmt: skip
    votes, notes = _tidied(reading)
    rows, more = _placed(votes, files, root)
    problems += more
    kept = votes[rows >= 0].assign(row=rows[rows >= 0])
    kept, more = _complete(kept, files, reading.named)
    problems += more
    classes, counts, annotations, annotators = _arrays(kept, len(files), reading)
    problems += lookalikes(annotators, label, "annotators")
    return Collection(
        name=name,
        root=root,
        files=tuple(files),
        ids=tuple(files),
        classes=classes,
        counts=counts,
        annotations=annotations,
        annotators=annotators,
        folds=np.zeros(len(files), np.int64),
        sources=sources,
        problems=(*problems, *common_problems(files, classes, counts, label)),
        form=reading.format,
        taken=reading.taken,
        notes=(*reading.notes, *notes),
    )


def without_images(table: Path, reading: Reading) -> Collection:
    """The votes of a reading as they stand, images by the names that the file has for them."""
    import pandas as pd

    problems = [_with_path(p, table) for p in reading.problems]
    votes, notes = _tidied(reading)
    rows, names = pd.factorize(votes["image"].map(normal), sort=True)
    files = [str(name) for name in names]
    kept, more = _complete(votes.assign(row=rows, image=votes["image"].map(normal)), files, reading.named)
    classes, counts, annotations, annotators = _arrays(kept, len(files), reading)
    return Collection(
        table.name, table.parent, tuple(files), tuple(files), classes, counts, annotations, annotators,
        sources=(table.name,), form=reading.format, taken=reading.taken, notes=(*reading.notes, *notes),
        problems=(
            *problems, *more, *lookalikes(annotators, table.name, "annotators"),
            *lookalikes(classes, table.name, "classes"),
        ),
    )  # fmt: skip


def _with_path(problem: Problem, table: Path) -> Problem:
    """A remedy that names the file of votes where it asks for a conversion, ready to be pasted."""
    if "{}" not in problem.remedy:
        return problem
    return replace(problem, remedy=problem.remedy.replace("{}", conversion(table)))


def conversion(table: Path) -> str:
    """Arguments of ``softlabels convert`` that write the plain form beside a file of votes."""
    return f"{quote(str(table))} -o {quote(str(table.parent / PLAIN))}"


# Words: 7 and 7.0 are one, as are both Unicode forms of an accent.


def _tidied(reading: Reading) -> tuple["pd.DataFrame", list[str]]:
    votes, notes = reading.votes.reset_index(drop=True), []
    votes = votes.assign(image=votes["image"].astype(str))
    for column in ("label", "annotator"):
        values = votes[column].astype(str)
        tidy = {value: normal(value) for value in values.unique()}
        whole = {v: v.split(".")[0] for v in tidy.values() if NUMERAL.fullmatch(v)}
        merged = sorted(v for v, short in whole.items() if short in tidy.values())
        if merged:
            shown = ", ".join(f"{quoted(v)} as {quoted(whole[v])}" for v in merged[:4])
            notes.append(f"Numbers written in two ways count as one {column}: {shown}.")
        votes[column] = values.map({value: whole.get(v, v) for value, v in tidy.items()})
    return votes, notes


# Images.


def _placed(votes: "pd.DataFrame", files: list[str], root: Path) -> tuple[np.ndarray, list[Problem]]:
    """Row of the image of each vote, -1 where there is none; and what is wrong with the names."""
    import pandas as pd

    index, unread = _Index(files), unread_images(root)
    codes, names = pd.factorize(votes["image"], use_na_sentinel=False)
    found = [index.find(str(name)) for name in names]
    files_of, lines_of = votes["file"].groupby(codes).first(), votes["line"].groupby(codes).unique()
    problems, rows = [], np.full(len(names), -1)
    for i, (name, (matches, _)) in enumerate(zip(names, found, strict=True)):
        if len(matches) == 1:
            rows[i] = matches[0]
            continue
        if matches:
            kind = "ambiguous image"
            what = f"{quoted(name)} is the name of {len(matches)} images"
            remedy = f"write the path, such as {quoted(files[matches[0]])}"
        elif (other := unread.get(_last(str(name)))) is not None:
            kind, remedy = "image that is not read", other[1]
            what = f"{quoted(name)} is there as {quoted(other[0])}, but such files are not read"
        else:
            kind, remedy = "missing image", "add the image or remove the line"
            what = f"there is no image {quoted(name)}"
        problems += [Problem(kind, files_of[i], what, remedy, line or None) for line in lines_of[i].tolist()]
    clashes = _clashes(votes, codes, [str(n) for n in names], found, rows, files)
    return rows[codes], problems + clashes


def _clashes(
    votes: "pd.DataFrame",
    codes: np.ndarray,
    names: list[str],
    found: "list[tuple[list[int], str]]",
    rows: np.ndarray,
    files: list[str],
) -> list[Problem]:
    """Two names that differ in what was dropped from them, and yet found the same image.

    They may be two images of which one is missing, so they are refused; unless each annotator has a folder of
    their own, as with files that everybody keeps at home.
    """
    by_row: dict[int, set[str]] = defaultdict(set)
    for matches, dropped in found:
        if len(matches) == 1 and dropped:
            by_row[matches[0]].add(dropped)
    several = {row: heads for row, heads in by_row.items() if len(heads) > 1}
    if not several:
        return []
    dropped_of = np.array([d for _, d in found], object)[codes]
    people = votes["annotator"].to_numpy()
    own: dict[str, set[str]] = defaultdict(set)
    for who, dropped in zip(people, dropped_of, strict=True):
        own[who].add(dropped)
    if all(who and len(kept) == 1 for who, kept in own.items()):
        return []
    problems = []
    for row, heads in several.items():
        used = [names[i] for i in np.flatnonzero(rows == row) if found[i][1] in heads]
        what = f"{' and '.join(map(quoted, sorted(used)[:3]))} are both taken for {quoted(files[row])}"
        remedy = "write the path in the folder; if they are two images, add the missing one"
        where = votes.iloc[int(np.flatnonzero(codes == names.index(used[0]))[0])]
        problems.append(
            Problem("two names of one image", str(where["file"]), what, remedy, int(where["line"]) or None)
        )
    return problems


def _last(path: str) -> str:
    return normal(_plain_path(path).rpartition("/")[2])


def _plain_path(cell: str) -> str:
    """A name as a path with "/": of a URL its path or its parameter ``d``, with %20 and the like undone."""
    text = normal(cell)
    if "://" in text or text.startswith("/data/"):
        try:
            parts = urlsplit(text)
        except ValueError:  # such as brackets that are no address
            return text.replace("\\", "/")
        local = re.fullmatch(r"(?:.*&)?d=([^&]+)(?:&.*)?", parts.query)  # Label Studio's local files
        text = normal(unquote(local[1] if local else parts.netloc + parts.path))
    return text.replace("\\", "/").removeprefix("./")


class _Index:
    """Images by path, by the last part of it, and by that without its ending."""

    def __init__(self, files: list[str]) -> None:
        self.paths: dict[str, int] = {}
        self.names: dict[str, list[int]] = defaultdict(list)
        self.stems: dict[str, list[int]] = defaultdict(list)
        self.files = [normal(file) for file in files]
        for i, path in enumerate(self.files):
            self.paths[path] = i
            name = path.rpartition("/")[2]
            self.names[name].append(i)
            self.stems[name.rpartition(".")[0]].append(i)

    def find(self, cell: str) -> tuple[list[int], str]:
        """Images that a name can mean, and what of the name had to be dropped to find them."""
        path = _plain_path(cell)
        if path in self.paths:
            return [self.paths[path]], ""
        if "%" in path and path.rpartition("/")[2] not in self.names:
            path = normal(unquote(path))
        head, _, name = path.rpartition("/")
        for table in (self.names, self.stems):
            for drop, short in (("", name), *((m[0], name[m.end() :]) for m in [UPLOAD.match(name)] if m)):
                if short and short in table:
                    return self._nearest(table[short], head), f"{head}|{drop}" if head or drop else ""
        return [], ""

    def _nearest(self, rows: list[int], head: str) -> list[int]:
        """Those among images of one name whose folders agree with most of the name's last folders."""
        if len(rows) == 1 or not head:
            return rows
        wanted = head.split("/")[::-1]

        def common(row: int) -> int:
            folders = self.files[row].split("/")[-2::-1] if "/" in self.files[row] else []
            same = [a == b for a, b in zip(folders, wanted, strict=False)]
            # All folders of the image have to be in the name, or it is another folder.
            return len(same) if folders and all(same) and len(folders) <= len(wanted) else 0

        best = max(map(common, rows))
        return [row for row in rows if common(row) == best] if best else rows


# Votes.


def _complete(kept: "pd.DataFrame", files: list[str], named: bool) -> tuple["pd.DataFrame", list[Problem]]:
    """Votes that have a label and an annotator, and nobody's second vote on an image."""
    problems = []
    blank = kept["label"] == ""
    nobody = (kept["annotator"] == "") & ~blank if named else np.zeros(len(kept), bool)
    long = kept["label"].str.len() > LONGEST
    for mask, kind, what, remedy in (
        (long, "a text as label", f"a label of more than {LONGEST} characters", "name the column of labels"),
        (blank, "empty label", "no label", "write a class or remove the line"),
        (
            nobody,
            "empty annotator",
            "no annotator",
            "name the annotator, or remove the column if nobody is known",
        ),
    ):
        for file, line in kept.loc[mask, ["file", "line"]].itertuples(index=False, name=None):
            problems.append(Problem(kind, file, what, remedy, line or None))
    kept = kept[~(blank | nobody | long)]
    if not named:
        return kept, problems
    again = kept.duplicated(["row", "annotator"])
    if again.any():
        first = kept[~again].set_index(["row", "annotator"])[["file", "line"]]
        for row, who, file, line in kept.loc[again, ["row", "annotator", "file", "line"]].itertuples(
            index=False, name=None
        ):
            at = first.loc[(row, who)]
            place = f"line {at['line']}" if at["line"] else str(at["file"])
            what = f"annotator {quoted(who)} has judged {quoted(files[row])} in {place}"
            remedy = "keep one of the two; a repeated judgement needs an annotator name of its own"
            problems.append(Problem("judged twice", file, what, remedy, line or None))
    return kept[~again], problems


def _arrays(
    kept: "pd.DataFrame", n: int, reading: Reading
) -> tuple[tuple[str, ...], np.ndarray, Annotations | None, tuple[str, ...]]:
    """Classes (sorted), counts [N, K], annotations where annotators are named, and their names."""
    declared = {NUMERAL.sub(lambda m: m[0].split(".")[0], normal(name)) for name in reading.classes}
    voted = kept[kept["count"] > 0]
    classes = tuple(sorted({*voted["label"].unique(), *declared}))
    number = {name: k for k, name in enumerate(classes)}
    label = voted["label"].map(number).to_numpy(np.int64)
    row = voted["row"].to_numpy(np.int64)
    counts = np.zeros((n, len(classes)), np.float32)
    np.add.at(counts, (row, label), voted["count"].to_numpy(np.float32))
    if not reading.named:
        return classes, counts, None, ()
    annotators = tuple(sorted(voted["annotator"].unique()))
    who = voted["annotator"].map({name: k for k, name in enumerate(annotators)}).to_numpy(np.int64)
    return classes, counts, Annotations(row, who, label), annotators


# Votes of several readers apart: a file for each, or for each a folder with a folder for each class.


# Ends of file names that say "another version of the same", not "another reader".
VERSION = re.compile(
    r"(copy|backup|bak|old|new|final|v\d{1,2}|\(\d+\)|draft|raw|clean(ed)?|fixed|train|val|valid|test)", re.I
)
PREFIX = re.compile(
    r"^(via_project|via|annotations?|labels?|votes?|answers?|reader|rater|annotator)[ _\-]+", re.I
)


def tables(root: Path, name: str, files: Sequence[Path], options: Options | None) -> Collection | None:
    """Read files of one form as those of one reader each.

    A reader is who is named inside, where nobody is named in two of the files; else the file's own name.
    None where they are no such files: other forms, one reader in two, counts, or versions of one another.
    """
    import pandas as pd

    readings = [formats.read(path, options) for path in files]
    stems = [path.name.split(".")[0] for path in files]
    people = [normal(re.sub(PREFIX, "", stem) or stem) for stem in stems]
    inside = [frozenset(r.votes["annotator"]) for r in readings]
    named = readings[0].named
    one_form = len({(r.format, r.named) for r in readings}) == 1
    if not one_form or any(not len(r.votes) or r.classes for r in readings) or len({*people}) < len(people):
        return None
    if named and len(frozenset().union(*inside)) < sum(map(len, inside)):
        return None
    # Where nobody is named, an image with several lines tells of more than one reader in a file.
    several = any(r.votes["image"].map(normal).duplicated().any() for r in readings)
    if not named and (several or _versions(stems)):
        return None
    votes = [
        r.votes if named else r.votes.assign(annotator=who) for r, who in zip(readings, people, strict=True)
    ]
    problems = list(dict.fromkeys(p for r in readings for p in r.problems))
    problems += _twice(files, votes)
    first, shown = readings[0], ", ".join(map(quoted, people[:6]))
    note = "" if named else f"Each file is taken for one reader, called after it: {shown}."
    notes = dict.fromkeys(note for r in readings for note in r.notes)
    reading = Reading(
        f"{len(files)} files of one reader each ({first.format})",
        pd.concat(votes, ignore_index=True),
        True,
        (),
        first.taken if named else (*first.taken, ("name of the file", "annotator")),
        [*([note] if note else []), *notes],
        problems,
    )
    return gathered(root, name, files, reading)


def _twice(files: Sequence[Path], votes: "Sequence[pd.DataFrame]") -> list[Problem]:
    """Files that say the same of ten images or more without exception: one may be a copy of the other."""
    found = []
    for j, b in enumerate(votes):
        for i, a in enumerate(votes[:j]):
            both = a.merge(b, on="image")
            if len(a) == len(b) == len(both) >= 10 and (both["label_x"] == both["label_y"]).all():
                what = f"says the same as {quoted(files[i].name)} of every image: is it a copy?"
                remedy = "remove one, or write both into one table with a column annotator"
                found.append(Problem("two files alike", files[j].name, what, remedy))
    return found


def _versions(stems: Sequence[str]) -> bool:
    """Whether names look like versions of one file: ``labels`` and ``labels_old``, ``train`` and ``test``."""
    if all(VERSION.fullmatch(stem) and not stem.isdigit() for stem in stems):
        return True
    rests = [
        b[len(a) :].strip(" _-.")
        for a in stems
        for b in stems
        if a != b and b.casefold().startswith(a.casefold())
    ]
    return any(VERSION.fullmatch(rest) and not rest.isdigit() for rest in rests)


def folders(root: Path, name: str) -> Collection | None:
    """Read READER/CLASS/image, where every reader has sorted copies of the same images.

    None where the folder is not laid out like this.
    """
    files = image_files(root)
    parts = [tuple(file.split("/")) for file in files]
    if not files or any(len(part) != 3 for part in parts):
        return None
    readers = sorted({reader for reader, _, _ in parts})
    classes: dict[str, set[str]] = defaultdict(set)
    images: dict[str, list[str]] = defaultdict(list)
    for file, (reader, label, image) in zip(files, parts, strict=True):
        classes[reader].add(label)
        images[normal(image)].append(file)
    shared = len(set.intersection(*classes.values()))
    if len(readers) < 2 or shared < 2 or sum(len(copies) > 1 for copies in images.values()) < len(images) / 2:
        return None
    problems = _copies(root, images)
    rows = [
        (images[normal(image)][0], reader, label, 1, file, 0)
        for file, (reader, label, image) in zip(files, parts, strict=True)
    ]
    reading = Reading(
        "a folder for each class of each reader", votes_of(rows), True, (),
        (("first folder", "annotator"), ("second folder", "label"), ("name of the file", "image")),
        [f"{len(images):,} images in {len(files):,} copies, sorted by {len(readers)} readers."], problems,
    )  # fmt: skip
    found = gathered(root, name, [], reading, [copies[0] for copies in images.values()])
    return replace(found, sources=tuple(files))


def _copies(root: Path, images: dict[str, list[str]]) -> list[Problem]:
    """Images of one name that are not one file: these would be two images taken for one."""
    problems = []
    for copies in images.values():
        try:
            if len({file_sha256(root / file) for file in copies}) > 1:
                what = f"{quoted(copies[0])} and {quoted(copies[1])} have one name and differ"
                problems.append(
                    Problem("copies that differ", copies[1], what, "rename one, or copy it again")
                )
        except DataError:
            continue  # it is among the unreadable images
    return problems
