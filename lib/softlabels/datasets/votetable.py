"""A folder of images beside a file of votes: the votes of the file, put to the images of the folder.

Any format of `formats` is read. Names are matched with care: an image is found by its path in the folder, by
the last parts of the path that the file has for it, or by its name without the ending; never by a guess.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from shlex import quote
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd

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
from softlabels.datasets.containers import votes_of
from softlabels.datasets.formats import Options, Reading
from softlabels.errors import DataError

LONGEST = 200  # characters of a label; more are no name of a class
UPLOAD = re.compile(r"[0-9a-f]{8}-(?=.)")  # what Label Studio puts before the name of an uploaded file
PLAIN = "votes-long.csv"  # what `softlabels convert` is told to write; it is preferred to all others
NUMERAL = re.compile(r"[+-]?\d+\.0+", re.ASCII)


def read(root: Path, name: str, table: Path, options: Options | None = None) -> Collection:
    """Read the images below `root` and the file of votes `table` with every problem they have.

    The file has any format of `formats.FORMATS`; nothing is decoded and nothing changed.
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
    files = tuple(image_files(root) if images is None else sorted(images))
    sources = tuple(p.relative_to(root).as_posix() if p.is_relative_to(root) else p.name for p in tables)
    problems = _problems(reading, tables[0]) if tables else list(reading.problems)
    label = f"{len(sources)} files of votes" if sources else "the folders"
    label = sources[0] if len(sources) == 1 else label
    if not files:
        remedy = "put the images into the folder of the table"
        problems.append(Problem("no images", label, f"no image in {root}", remedy))
    elif not len(reading.votes) and not problems:
        problems.append(Problem("no annotations", label, "no votes", "add the annotations"))
    found = Collection(name, root, files, sources=sources, form=reading.format, taken=reading.taken)
    if not files or not len(reading.votes):
        return replace(found, problems=tuple(problems), unreadable=True)
    votes, notes = _tidied(reading)
    rows, more = _placed(votes, files, root)
    found = _with_votes(replace(found, notes=notes), votes, rows, reading, [*problems, *more], label)
    more = common_problems(files, found.classes, found.counts, label)
    return replace(found, problems=(*found.problems, *more))


def without_images(table: Path, reading: Reading) -> Collection:
    """The votes of a reading as they stand, images by the names that the file has for them."""
    votes, notes = _tidied(reading)
    rows, names = pd.factorize(votes["image"].map(normal), sort=True)
    files, own = tuple(map(str, names)), table.name
    found = Collection(own, table.parent, files, sources=(own,), form=reading.format, taken=reading.taken)
    found = replace(found, notes=notes)
    found = _with_votes(found, votes, rows, reading, _problems(reading, table), own)
    return replace(found, problems=(*found.problems, *lookalikes(found.classes, own, "classes")))


def _problems(reading: Reading, table: Path) -> list[Problem]:
    """Problems; a remedy that asks for a conversion names the file of votes, ready to be pasted."""
    conversion = f"{quote(str(table))} -o {quote(str(table.parent / PLAIN))}"
    return [replace(p, remedy=p.remedy.replace("{}", conversion)) for p in reading.problems]


def _with_votes(
    found: Collection,
    votes: pd.DataFrame,
    rows: np.ndarray,
    reading: Reading,
    problems: list[Problem],
    place: str,
) -> Collection:
    """A collection of images with votes, of which each has the row of its image, or -1."""
    files = found.files
    kept = votes[rows >= 0].assign(row=rows[rows >= 0])
    kept, more = _complete(kept, files, reading.named)
    declared = {NUMERAL.sub(lambda m: m[0].split(".")[0], normal(name)) for name in reading.classes}
    voted = kept[kept["count"] > 0]
    classes = tuple(sorted({*voted["label"].unique(), *declared}))
    label_of = {name: k for k, name in enumerate(classes)}
    row, label = voted["row"].to_numpy(np.int64), voted["label"].map(label_of).to_numpy(np.int64)
    counts = np.zeros((len(files), len(classes)), np.float32)
    np.add.at(counts, (row, label), voted["count"].to_numpy(np.float32))
    annotations, annotators = None, tuple(sorted(voted["annotator"].unique())) if reading.named else ()
    if reading.named:
        number_of = {name: k for k, name in enumerate(annotators)}
        who = voted["annotator"].map(number_of).to_numpy(np.int64)
        annotations = Annotations(row, who, label)
    return replace(
        found,
        classes=classes,
        counts=counts,
        annotations=annotations,
        annotators=annotators,
        problems=(*problems, *more, *lookalikes(annotators, place, "annotators")),
    )


# Words: 7 and 7.0 are one, as are both Unicode forms of an accent.
def _tidied(reading: Reading) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Votes whose names are written alike, and all notes."""
    votes, notes = reading.votes.reset_index(drop=True), [*reading.notes]
    votes["image"] = votes["image"].astype(str)
    for column in ("label", "annotator"):
        values = votes[column].astype(str)
        tidy = {value: normal(value) for value in values.unique()}
        whole = {v: v.split(".")[0] for v in tidy.values() if NUMERAL.fullmatch(v)}
        merged = sorted(v for v, short in whole.items() if short in tidy.values())
        if merged:
            shown = ", ".join(f"{quoted(v)} as {quoted(whole[v])}" for v in merged[:4])
            notes.append(f"Numbers written in two ways count as one {column}: {shown}.")
        votes[column] = values.map({value: whole.get(v, v) for value, v in tidy.items()})
    return votes, tuple(notes)


# Images.
def _placed(votes: pd.DataFrame, files: Sequence[str], root: Path) -> tuple[np.ndarray, list[Problem]]:
    """Row of the image of each vote, -1 where there is none; and what is wrong with the names."""
    index, unread = _Index(files), unread_images(root)
    codes, names = pd.factorize(votes["image"], use_na_sentinel=False)
    names = [str(name) for name in names]
    found = [index.find(name) for name in names]
    rows = np.array([matches[0] if len(matches) == 1 else -1 for matches, _ in found])
    files_of, lines_of = votes["file"].groupby(codes).first(), votes["line"].groupby(codes).unique()
    problems = []
    for i in np.flatnonzero(rows < 0).tolist():
        name, (matches, _) = names[i], found[i]
        if matches:
            kind = "ambiguous image"
            what = f"{quoted(name)} is the name of {len(matches)} images"
            remedy = f"write the path, such as {quoted(files[matches[0]])}"
        elif (other := unread.get(normal(_plain_path(name).rpartition("/")[2]))) is not None:
            kind, remedy = "image that is not read", other[1]
            what = f"{quoted(name)} is there as {quoted(other[0])}, but such files are not read"
        else:
            kind, remedy = "missing image", "add the image or remove the line"
            what = f"there is no image {quoted(name)}"
        problems += [Problem(kind, files_of[i], what, remedy, line or None) for line in lines_of[i].tolist()]
    # Two names that differ in what was dropped from them, and yet found the same image, may be two images of
    # which one is missing; unless each annotator has a folder of their own, as with files kept at home.
    people = votes.assign(dropped=[found[code][1] for code in codes]).groupby("annotator")["dropped"]
    if "" not in people.groups and (people.nunique() == 1).all():
        return rows[codes], problems
    by_row: dict[int, list[int]] = defaultdict(list)
    for i in np.flatnonzero(rows >= 0).tolist():
        if found[i][1]:
            by_row[rows[i]].append(i)
    for row, alike in by_row.items():
        if len({found[i][1] for i in alike}) > 1:
            used = " and ".join(map(quoted, sorted(names[i] for i in alike)[:3]))
            what = f"{used} are both taken for {quoted(files[row])}"
            remedy = "write the path in the folder; if they are two images, add the missing one"
            where = votes.iloc[int(np.flatnonzero(codes == alike[0])[0])]
            line = int(where["line"]) or None
            problems.append(Problem("two names of one image", str(where["file"]), what, remedy, line))
    return rows[codes], problems


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

    def __init__(self, files: Sequence[str]) -> None:
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
        shorts = [("", name)]
        if upload := UPLOAD.match(name):
            shorts.append((upload[0], name[upload.end() :]))
        for table in (self.names, self.stems):
            for drop, short in shorts:
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
def _complete(kept: pd.DataFrame, files: Sequence[str], named: bool) -> tuple[pd.DataFrame, list[Problem]]:
    """Votes that have a label and an annotator, and nobody's second vote on an image."""
    problems = []
    blank = kept["label"] == ""
    nobody = (kept["annotator"] == "") & ~blank & named
    long = kept["label"].str.len() > LONGEST
    name = "name the annotator, or remove the column if nobody is known"
    for mask, kind, what, remedy in (
        (long, "a text as label", f"a label of more than {LONGEST} characters", "name the column of labels"),
        (blank, "empty label", "no label", "write a class or remove the line"),
        (nobody, "empty annotator", "no annotator", name),
    ):
        for file, line in kept.loc[mask, ["file", "line"]].itertuples(index=False, name=None):
            problems.append(Problem(kind, file, what, remedy, line or None))
    kept = kept[~(blank | nobody | long)]
    if not named:
        return kept, problems
    again = kept.duplicated(["row", "annotator"])
    if again.any():
        first = kept[~again].set_index(["row", "annotator"])[["file", "line"]]
        doubled = kept.loc[again, ["row", "annotator", "file", "line"]]
        for row, who, file, line in doubled.itertuples(index=False, name=None):
            at = first.loc[(row, who)]
            place = f"line {at['line']}" if at["line"] else str(at["file"])
            what = f"annotator {quoted(who)} has judged {quoted(files[row])} in {place}"
            remedy = "keep one of the two; a repeated judgement needs an annotator name of its own"
            problems.append(Problem("judged twice", file, what, remedy, line or None))
    return kept[~again], problems


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
    readings = [formats.read(path, options) for path in files]
    stems = [path.name.split(".")[0] for path in files]
    people = [normal(re.sub(PREFIX, "", stem) or stem) for stem in stems]
    first, named = readings[0], readings[0].named
    if len({(r.format, r.named) for r in readings}) > 1 or len({*people}) < len(people):
        return None
    if any(not len(r.votes) or r.classes for r in readings):
        return None
    if named:
        inside = [who for r in readings for who in r.votes["annotator"].unique()]
        if len({*inside}) < len(inside):
            return None
    # Where nobody is named, an image with several lines tells of more than one reader in a file.
    elif _versions(stems) or any(r.votes["image"].map(normal).duplicated().any() for r in readings):
        return None
    votes, taken = [r.votes for r in readings], first.taken
    notes = list(dict.fromkeys(note for r in readings for note in r.notes))
    if not named:
        votes = [table.assign(annotator=who) for table, who in zip(votes, people, strict=True)]
        taken = (*taken, ("name of the file", "annotator"))
        shown = ", ".join(map(quoted, people[:6]))
        notes.insert(0, f"Each file is taken for one reader, called after it: {shown}.")
    problems = list(dict.fromkeys(p for r in readings for p in r.problems))
    for j, b in enumerate(votes):
        for i, a in enumerate(votes[:j]):
            both = a.merge(b, on="image")
            if len(a) == len(b) == len(both) >= 10 and (both["label_x"] == both["label_y"]).all():
                what = f"says the same as {quoted(files[i].name)} of every image: is it a copy?"
                remedy = "remove one, or write both into one table with a column annotator"
                problems.append(Problem("two files alike", files[j].name, what, remedy))
    form = f"{len(files)} files of one reader each ({first.format})"
    together = pd.concat(votes, ignore_index=True)
    return gathered(root, name, files, Reading(form, together, True, (), taken, notes, problems))


def _versions(stems: Sequence[str]) -> bool:
    """Whether names look like versions of one file: ``labels`` and ``labels_old``, ``train`` and ``test``."""

    def version(text: str) -> bool:
        return bool(VERSION.fullmatch(text)) and not text.isdigit()

    pairs = ((a, b) for a in stems for b in stems if a != b and b.casefold().startswith(a.casefold()))
    return all(map(version, stems)) or any(version(b[len(a) :].strip(" _-.")) for a, b in pairs)


def folders(root: Path, name: str) -> Collection | None:
    """Read READER/CLASS/image, where every reader has sorted copies of the same images.

    None where the folder is not laid out like this.
    """
    files = image_files(root)
    parts = [file.split("/") for file in files]
    if not files or any(len(part) != 3 for part in parts):
        return None
    classes: dict[str, set[str]] = defaultdict(set)
    copies: dict[str, list[str]] = defaultdict(list)
    for file, (reader, label, image) in zip(files, parts, strict=True):
        classes[reader].add(label)
        copies[normal(image)].append(file)
    shared = len(set.intersection(*classes.values()))
    if len(classes) < 2 or shared < 2 or sum(len(own) > 1 for own in copies.values()) < len(copies) / 2:
        return None
    problems = []
    for first, *others in copies.values():
        with suppress(DataError):  # which is among the unreadable images
            if len({file_sha256(root / file) for file in (first, *others)}) > 1:
                what = f"{quoted(first)} and {quoted(others[0])} have one name and differ"
                remedy = "rename one, or copy it again"
                problems.append(Problem("copies that differ", others[0], what, remedy))
    rows = [
        (copies[normal(image)][0], reader, label, 1, file, 0)
        for file, (reader, label, image) in zip(files, parts, strict=True)
    ]
    reading = Reading(
        "a folder for each class of each reader",
        votes_of(rows),
        taken=(("first folder", "annotator"), ("second folder", "label"), ("name of the file", "image")),
        notes=[f"{len(copies):,} images in {len(files):,} copies, sorted by {len(classes)} readers."],
        problems=problems,
    )
    found = gathered(root, name, [], reading, [own[0] for own in copies.values()])
    return replace(found, sources=tuple(files))
