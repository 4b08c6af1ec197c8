"""Your own data: a folder of images with the votes in any format that is read, or in the DCIC layout.

The votes of a file, in any format of `formats`, are put to the images of the folder. Names are matched with
care: an image is found by its path in the folder, by the last parts of the path that the file has for it, or
by its name without the ending; never by a guess.

A run is named after its data, not after the place where the data lies. `pin` turns ``folder:PATH`` into
``folder@CHECKSUM``, the SHA-256 over names and bytes of images and annotations, and notes the path in the
cache. So the same folder gives the same runs on every machine, and changed data gives others.
"""

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import numpy as np

from softlabels import errors, paths
from softlabels.datasets import dcic, formats
from softlabels.datasets.base import Annotations, Dataset, Source, file_sha256
from softlabels.datasets.collection import (
    Collection,
    Problem,
    common_problems,
    content_sha256,
    demand,
    image_files,
    lookalikes,
    normal,
    quoted,
    unread_images,
)
from softlabels.datasets.containers import votes_of as rows_of_votes
from softlabels.datasets.formats import Options, Reading
from softlabels.store import write_atomically

if TYPE_CHECKING:
    import pandas as pd

DIGITS = 32  # of the checksum, in a name
PATH_PREFIX, PIN_PREFIX = "folder:", "folder@"
FEATURES_PREFIX = "features@"  # votes with a vector for each voted thing; see `features`
PLAIN = "votes-long.csv"  # what `softlabels convert` is told to write
FIRST = (PLAIN, "annotations")  # what is read though other tables lie there, best first
VOTES = ("annotation", "label", "vote", "answer", "judg", "rating", "classification", "result", "export")
LONGEST = 200  # characters of a label; more are no name of a class
UPLOAD = re.compile(r"[0-9a-f]{8}-(?=.)")  # what Label Studio puts before the name of an uploaded file
NUMERAL = re.compile(r"[+-]?\d+\.0+", re.ASCII)
# Ends of file names that say "another version of the same", not "another reader".
VERSION = re.compile(
    r"(copy|backup|bak|old|new|final|v\d{1,2}|\(\d+\)|draft|raw|clean(ed)?|fixed|train|val|valid|test)", re.I
)
PREFIX = re.compile(
    r"^(via_project|via|annotations?|labels?|votes?|answers?|reader|rater|annotator)[ _\-]+", re.I
)


def read(path: Path, options: Options | None = None) -> Collection:
    """Read a folder with every problem it has; nothing is decoded and nothing changed.

    It has images with a file of votes, of which `options` say what a user says, one file for each reader, a
    folder for each class of each reader, or the DCIC layout.
    """
    name = path.resolve().name or "folder"

    def unreadable(found: str, remedy: str = "give the path of a folder of images") -> Collection:
        problem = Problem("nothing to read", str(path), found, remedy)
        return Collection(name, path, problems=(problem,), unreadable=True)

    try:
        if path.is_file() and formats.suffix(path) in formats.OPENED:
            alone = f"without images: softlabels labels {path} -o labels.csv"
            return unreadable("not a folder", f"give the folder that has it and the images; {alone}")
        if not path.is_dir():
            return unreadable("not a folder" if path.exists() else "no such file or folder")
        there = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        return unreadable(f"cannot be read ({error})")
    every = [p for p in there if formats.suffix(p) in formats.OPENED and not _is_prose(p)]
    tables = _preferred(every)
    if not tables:
        return _folders_of_readers(path, name) or unreadable(*_nothing(there))
    if len(tables) > 1:
        if (of_readers := _files_of_readers(path, name, tables, options)) is not None:
            return of_readers
        names = ", ".join(p.name for p in tables)
        return unreadable(f"several files of annotations: {names}", "keep one, as annotations.csv")
    [table] = tables
    # Where a JSON file is no export that is known, what is wrong with it is said for the DCIC layout.
    if table.name == dcic.ANNOTATIONS and formats.named(table) in ("", "records"):
        return dcic.read(path, name)
    found = _gathered(path, name, [table], formats.read(table, options))
    others = ", ".join(quoted(p.name) for p in [p for p in every if p != table][:5])
    note = f"{quoted(table.name)} is read; {others} beside it is not."
    return replace(found, notes=(*found.notes, note)) if others else found


def votes_of(path: Path, options: Options | None = None) -> Collection:
    """Read a folder, or a file of votes alone, whose images are named as the file names them.

    Where nothing is there `DataError` is raised.
    """
    if path.is_dir():
        return read(path, options)
    if not path.exists():
        raise errors.DataError(
            f"{path}: expected a file of votes or a folder, found neither; give another path"
        )
    return _without_images(path, formats.read(path, options))


def _preferred(every: list[Path]) -> list[Path]:
    """Of files that may hold votes the one that is preferred, else all."""
    for wanted in FIRST:
        chosen = [p for p in every if wanted in (p.name.lower(), p.name.lower().split(".")[0])]
        if chosen:
            return chosen
    return every


def _is_prose(path: Path) -> bool:
    """A text file that is not named after votes: a licence, notes, requirements."""
    name = path.name.lower()
    return formats.suffix(path) == ".txt" and name != "data.txt" and not any(word in name for word in VOTES)


def _nothing(there: list[Path]) -> tuple[str, str]:
    """No file can be read as votes: what was found, such as files that were meant to be, and the remedy."""
    meant = [p for p in there if formats.suffix(p) in formats.NOT_READ or "annotation" in p.name.lower()][:5]
    if not meant:
        return "no annotations", (
            "put annotations.json (DCIC layout) or a CSV file with columns image and label there, or what a "
            "labelling tool exports; book/your_votes.md lists what is read"
        )
    remedies = (f"{p.name}: {formats.NOT_READ.get(formats.suffix(p), 'save it as .csv')}" for p in meant)
    return f"no annotations that are read ({', '.join(p.name for p in meant)})", "; ".join(remedies)


def _gathered(
    root: Path, name: str, tables: Sequence[Path], reading: Reading, images: Sequence[str] | None = None
) -> Collection:
    """Put the votes of a reading to the images of a folder, all there are or those of these paths.

    `tables` are the files of votes; there are none where the votes are the places of the images.
    """
    files = tuple(image_files(root) if images is None else sorted(images))
    sources = tuple(p.relative_to(root).as_posix() if p.is_relative_to(root) else p.name for p in tables)
    problems = _problems(reading, tables[0]) if tables else list(reading.problems)
    label = f"{len(sources)} files of votes" if len(sources) > 1 else "".join(sources) or "the folders"
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


def _without_images(table: Path, reading: Reading) -> Collection:
    """The votes of a reading as they stand, images by the names that the file has for them."""
    import pandas as pd

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
    votes: "pd.DataFrame",
    rows: np.ndarray,
    reading: Reading,
    problems: list[Problem],
    place: str,
) -> Collection:
    """A collection of images with votes, of which each has the row of its image, or -1."""
    import pandas as pd

    files = found.files
    kept = votes[rows >= 0].assign(row=rows[rows >= 0])
    kept, more = _complete(kept, files, reading.named)
    declared = {NUMERAL.sub(lambda m: m[0].split(".")[0], normal(name)) for name in reading.classes}
    voted = kept[kept["count"] > 0]
    classes = tuple(sorted({*voted["label"].unique(), *declared}))
    row = voted["row"].to_numpy(np.int64)
    label = pd.Categorical(voted["label"], classes).codes.astype(np.int64)
    counts = np.zeros((len(files), len(classes)), np.float32)
    np.add.at(counts, (row, label), voted["count"].to_numpy(np.float32))
    found = replace(found, classes=classes, counts=counts)
    problems = [*problems, *more]
    if reading.named:
        who, people = pd.factorize(voted["annotator"], sort=True)
        found = replace(found, annotations=Annotations(row, who, label), annotators=tuple(people))
        problems += lookalikes(found.annotators, place, "annotators")
    return replace(found, problems=tuple(problems))


# Words: 7 and 7.0 are one, as are both Unicode forms of an accent.
def _tidied(reading: Reading) -> "tuple[pd.DataFrame, tuple[str, ...]]":
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
def _placed(votes: "pd.DataFrame", files: Sequence[str], root: Path) -> tuple[np.ndarray, list[Problem]]:
    """Row of the image of each vote, -1 where there is none; and what is wrong with the names."""
    import pandas as pd

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
        elif near := index.alike.get(_loosely(_plain_path(name).rpartition("/")[2])):
            kind, remedy = "missing image", "write it as the file is called"
            what = f"there is no image {quoted(name)}, but {quoted(near)}"
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


def _loosely(name: str) -> str:
    """A name without what Windows and spreadsheets do not keep: capital letters, zeros before a number."""
    return re.sub(r"^0+(?=\d)", "", name.casefold())


class _Index:
    """Images by path, by the last part of it, and by that without its ending."""

    def __init__(self, files: Sequence[str]) -> None:
        self.paths: dict[str, int] = {}
        self.names: dict[str, list[int]] = defaultdict(list)
        self.stems: dict[str, list[int]] = defaultdict(list)
        self.alike: dict[str, str] = {}  # by the last part as `_loosely` has it, with its ending and without
        self.files = [normal(file) for file in files]
        for i, path in enumerate(self.files):
            self.paths[path] = i
            name = path.rpartition("/")[2]
            self.names[name].append(i)
            self.stems[stem := name.rpartition(".")[0]].append(i)
            self.alike |= {_loosely(name): path, _loosely(stem): path}

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
def _complete(
    kept: "pd.DataFrame", files: Sequence[str], named: bool
) -> "tuple[pd.DataFrame, list[Problem]]":
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


def _files_of_readers(
    root: Path, name: str, files: Sequence[Path], options: Options | None
) -> Collection | None:
    """Read files of one form as those of one reader each.

    A reader is who is named inside, where nobody is named in two of the files; else the file's own name.
    None where they are no such files: other forms, one reader in two, counts, or versions of one another.
    """
    import pandas as pd

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
    return _gathered(root, name, files, Reading(form, together, True, (), taken, notes, problems))


def _versions(stems: Sequence[str]) -> bool:
    """Whether names look like versions of one file: ``labels`` and ``labels_old``, ``train`` and ``test``."""

    def version(text: str) -> bool:
        return bool(VERSION.fullmatch(text)) and not text.isdigit()

    pairs = ((a, b) for a in stems for b in stems if a != b and b.casefold().startswith(a.casefold()))
    return all(map(version, stems)) or any(version(b[len(a) :].strip(" _-.")) for a, b in pairs)


def _folders_of_readers(root: Path, name: str) -> Collection | None:
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
        with suppress(errors.DataError):  # which is among the unreadable images
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
        rows_of_votes(rows),
        taken=(("first folder", "annotator"), ("second folder", "label"), ("name of the file", "image")),
        notes=[f"{len(copies):,} images in {len(files):,} copies, sorted by {len(classes)} readers."],
        problems=problems,
    )
    found = _gathered(root, name, [], reading, [own[0] for own in copies.values()])
    return replace(found, sources=tuple(files))


# The name of a folder: what a run knows it by.
def pin(name: str) -> str:
    """Return the name by which a run knows a dataset: ``folder@CHECKSUM`` for ``folder:PATH``.

    Names of other datasets are returned as they are. Problems of the folder raise `DataError`, which names
    the first few.
    """
    if not name.startswith(PATH_PREFIX):
        return name
    root = Path(name.removeprefix(PATH_PREFIX)).expanduser().resolve()
    pinned = checksum(demand(read(root)))
    note(pinned, {"path": str(root)})
    return PIN_PREFIX + pinned


def load(path: str, image_size: int | None = None, slice: int = 1) -> Dataset:
    """Return the data of a folder, named ``folder@CHECKSUM``; raises as `pin` and `dcic.load`.

    All images are made squares of one size, in pixels; None is their median size. A slice says which folds
    are official, as for `dcic.load`; without five folds there is no official split.
    """
    return load_pinned(pin(PATH_PREFIX + path).removeprefix(PIN_PREFIX), image_size, slice)


def load_pinned(pinned: str, image_size: int | None = None, slice: int = 1) -> Dataset:
    """Return the data of a folder by its checksum; it must have been named on this machine before.

    Raises `DataUnavailable` where it was not, and `DataError` where the folder has changed since.
    """
    root = Path(noted(PIN_PREFIX + pinned)["path"])
    found = demand(read(root))
    now = checksum(found)
    if now != pinned:
        raise errors.DataError(
            f"{root}: expected the data with checksum {pinned}, found {now}: the folder has changed; "
            f"name it again as {PATH_PREFIX}{root} to start runs of the new data"
        )
    words = f"{len(found)} images, {len(found.classes)} classes"
    source = Source(PIN_PREFIX + pinned, "its owner's", words, "")
    return dcic.dataset(found, source, image_size, slice)


def people(name: str) -> tuple[str, ...]:
    """Names of the annotators of pinned data; none for other datasets, or where nobody is named."""
    return votes_of(Path(noted(name)["path"])).annotators if is_pinned(name) else ()


def files(name: str) -> tuple[str, ...]:
    """Names of what was voted on in pinned data, in the order of the dataset; none for other datasets."""
    return votes_of(Path(noted(name)["path"])).files if is_pinned(name) else ()


def is_pinned(name: str) -> bool:
    """Whether a name is that of somebody's own data."""
    return name.startswith((PIN_PREFIX, FEATURES_PREFIX))


def checksum(found: Collection) -> str:
    """What a run calls a folder: from names and bytes of its images and votes."""
    return content_sha256(found.root, (*found.files, *found.sources))[:DIGITS]


def _note(pinned: str) -> Path:
    return paths.cache() / "folders" / f"{pinned}.json"


def note(pinned: str, places: dict[str, str]) -> None:
    """Note in the cache where pinned data lie."""
    write_atomically(_note(pinned), json.dumps(places).encode())


def noted(name: str) -> dict[str, str]:
    """Where pinned data lie: "path", and "features" where there are any."""
    prefix, _, pinned = name.partition("@")
    known = {"path", "features"} if f"{prefix}@" == FEATURES_PREFIX else {"path"}
    if re.fullmatch(f"[0-9a-f]{{{DIGITS}}}", pinned):
        with suppress(OSError, ValueError, TypeError):
            found = json.loads(_note(pinned).read_text("utf-8"))
            if set(found) == known and all(isinstance(place, str) for place in found.values()):
                return found
    raise errors.DataUnavailable(
        f"{name}: expected a folder that was named here before, found none; name it once as "
        f"{PATH_PREFIX}PATH, for instance by `softlabels check PATH`"
    )
