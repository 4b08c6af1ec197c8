"""Votes from what labelling tools and marketplaces export, each in its documented shape, and from tables.

A reader takes a `File` and `Options` and returns a `Reading`. `reads` adds it to `FORMATS` with a name and a
sniffer, which looks at the same file and says whether it is one of its kind; the first in this module that
does is asked. What is no vote of a person on a whole image (predictions, boxes, cancelled and rejected work)
is left out, and a note says how much. Nothing is downloaded and nothing is changed.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from softlabels.datasets.collection import Problem, is_image, printable, quoted
from softlabels.datasets.columns import SYNONYMS, like_images, plain, read_table
from softlabels.datasets.containers import NOT_READ as NOT_READ
from softlabels.datasets.containers import OPENED as OPENED
from softlabels.datasets.containers import File, Options, Reading, Table, opened, records_table, votes_of
from softlabels.datasets.containers import parse_columns as parse_columns
from softlabels.datasets.containers import suffix as suffix

Row = tuple[str, str, str, int, str, int]
Sniffer = Callable[[File], bool]
Reader = Callable[[File, Options], Reading]


@dataclass(frozen=True)
class Format:
    """A format: its name, whether a file is one, and the votes in it."""

    name: str
    sniff: Sniffer
    read: Reader


FORMATS: list[Format] = []


def reads(name: str, sniff: Sniffer) -> Callable[[Reader], Reader]:
    """Add the function below to `FORMATS`."""

    def add(read: Reader) -> Reader:
        FORMATS.append(Format(name, sniff, read))
        return read

    return add


def sniffed(file: File) -> Format | None:
    """The format of a file, or None where nothing knows it."""
    return next((known for known in FORMATS if known.sniff(file)), None)


def named(path: Path) -> str:
    """Name of the format of a file; empty where nothing knows it or it cannot be opened."""
    known = sniffed(opened(path))
    return known.name if known else ""


def read(path: Path, options: Options | None = None) -> Reading:
    """Read the votes of a file with every problem it has; without votes where nothing could be read."""
    options = options or Options()
    file = opened(path, options.header)
    known = sniffed(file)
    if known is None:
        if not file.problems:
            found = "no export that is known here, and no table"
            remedy = "save the votes as CSV with columns image, annotator and label"
            file.problems.append(Problem("no annotations", path.name, found, remedy))
        return Reading("nothing that is known", votes_of(), problems=file.problems)
    try:
        reading = known.read(file, options)
    except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
        # JSON from outside can have anything anywhere; what is of another shape is no export of this kind.
        found = f"looks like {known.name}, and is not ({type(error).__name__}: {error})"
        problem = Problem("broken export", path.name, found, "export the annotations again")
        return Reading(known.name, votes_of(), problems=[*file.problems, problem])
    if known.name != "table":  # a table's own problems are in its reading already
        reading.problems = [*file.problems, *reading.problems]
    return reading


def columns(*names: str, start: str = "") -> Sniffer:
    """Whether a file is a table with these columns, and with one whose name begins so."""

    def sniff(file: File) -> bool:
        header = file.table.header if file.table else []
        return {*names} <= {*header} and any(name.startswith(start) for name in header)

    return sniff


def entries(test: Callable[[dict[str, Any]], object]) -> Sniffer:
    """Whether a file is a list whose first few entries are objects, of which one passes a test."""

    def sniff(file: File) -> bool:
        first = file.content[:20] if isinstance(file.content, list) else []
        return all(isinstance(entry, dict) for entry in first) and any(map(test, first))

    return sniff


class _Votes:
    """Votes while an export is read, with what was left out and why."""

    def __init__(self, file: File, words: str) -> None:
        self.file, self.words = file, words
        self.table = file.table or Table(file.name)
        self.rows: list[Row] = []
        self.left: Counter[str] = Counter()
        self.problems: list[Problem] = []
        self.notes: list[str] = []

    def problem(self, kind: str, what: str, remedy: str, line: int = 0, place: str = "") -> None:
        """Add a problem of this file."""
        self.problems.append(Problem(kind, self.file.name + place, what, remedy, line or None))

    def choice(self, names: Iterable[str], what: str, options: Options) -> str:
        """The one of several questions whose answers are the votes; which one, has to be said."""
        known, given = list(dict.fromkeys(names)), options.columns.get("label", ("",))[0]
        if given in known:
            return given
        if len(known) > 1 or (known and given):
            shown = ", ".join(map(quoted, known[:8]))
            asked = f"{len(known)} {what} ({shown}): whose answers are the votes?"
            found = f"no {what} {quoted(given)}, found {shown}" if given else asked
            remedy = f"name one: softlabels convert {{}} --columns 'label={known[0]}'"
            self.problem("question about columns", found, remedy)
        return known[0] if known else ""

    def vote(self, image: Any, annotator: Any, label: Any, place: str = "", line: int = 0) -> None:
        """Add a vote; a list of several classes is a problem, an empty one no vote."""
        labels = [text for text in map(_word, label if isinstance(label, list) else [label]) if text]
        if len(labels) > 1:
            found = f"{', '.join(map(quoted, labels[:4]))} chosen together for {quoted(_word(image))}"
            remedy = "a vote is one class; keep one, or join them into a class of its own"
            self.problem("several classes in one vote", found, remedy, line, place)
        elif not labels:
            self.left["without an answer"] += 1
        elif not _word(image):
            self.problem("no image named", "a vote without an image", "name the image", line, place)
        else:
            self.rows.append((_word(image), _word(annotator), labels[0], 1, self.file.name + place, line))

    def answers(self, every: list[tuple[Any, ...]], what: str, options: Options) -> str:
        """Add the votes of one of several questions, from its name and what `vote` takes; says which one."""
        name = self.choice((asked for asked, *_ in every), what, options)
        for asked, *vote in every:
            if asked == name:
                self.vote(*vote)
        return name

    def reading(
        self, image: str | None = None, annotator: str | None = None, label: str | None = None
    ) -> Reading:
        """The votes, with where in the file they were found and a note on what was left out."""
        if listed := ", ".join(f"{n:,} {why}" for why, n in (+self.left).most_common()):
            self.notes.append(f"Left out, as no votes on an image: {listed}.")
        if not self.rows and not self.problems:
            remedy = "export the annotations with a class for each whole image"
            self.problem("no annotations", "no vote on an image", remedy)
        named = any(row[1] for row in self.rows)
        roles = ((image, "image"), (annotator, "annotator"), (label, "label"))
        taken = tuple((name, role) for name, role in roles if name is not None)
        return Reading(self.words, votes_of(self.rows), named, (), taken, self.notes, self.problems)


def _word(value: Any) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    if isinstance(value, float) and abs(value) < 2**53 and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _objects(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _loaded(cell: str) -> Any:
    """JSON of a cell, or None where it holds none."""
    if cell[:1] in ("[", "{"):
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            return None
    return None


# Label Studio (labelstud.io/guide/export): tasks with annotations, one object for each annotation, or CSV.
def _completions(task: dict[str, Any]) -> list[Any] | None:
    """A task's list of annotations; old versions call it completions."""
    return next(
        (task[key] for key in ("annotations", "completions") if isinstance(task.get(key), list)), None
    )


@reads("label-studio", entries(lambda e: isinstance(e.get("data"), dict) and _completions(e) is not None))
def label_studio(file: File, options: Options) -> Reading:
    """Choices, taxonomies and ratings of Label Studio's tasks; boxes and predictions are no votes."""
    found = _Votes(file, "Label Studio, JSON")
    answers: list[tuple[Any, ...]] = []
    for i, task, _ in file.entries():
        image = _image_of(_dict(task.get("data")))
        if isinstance(task.get("predictions"), list):
            found.left["predictions of a model"] += len(task["predictions"])
        for j, done in enumerate(_completions(task) or ()):
            if not isinstance(done, dict):
                continue
            if done.get("was_cancelled"):
                found.left["cancelled annotations"] += 1
                continue
            for result in _objects(done.get("result")):
                chosen = _chosen(_dict(result.get("value")))
                if chosen is None:
                    kind = printable(_word(result.get("type")) or "unknown", 30)
                    found.left[f"results of type {kind}"] += 1
                    continue
                who, where = _person(done.get("completed_by")), f"[{i}].annotations[{j}]"
                answers.append((_word(result.get("from_name")), image, who, chosen, where))
    name = found.answers(answers, "questions", options)
    return found.reading("data", "completed_by", name or "choices")


def _chosen(value: dict[str, Any]) -> list[Any] | None:
    if isinstance(value.get("choices"), list):
        return value["choices"]
    if isinstance(value.get("taxonomy"), list):
        return [
            " / ".join(map(_word, path)) if isinstance(path, list) else path for path in value["taxonomy"]
        ]
    return [value["rating"]] if isinstance(value.get("rating"), int | float) else None


def _person(value: Any) -> str:
    if isinstance(value, dict):
        return next((_word(value[key]) for key in ("email", "username", "id") if _word(value.get(key))), "")
    return _word(value)


def _image_of(data: dict[str, Any]) -> str:
    """The value that ends like an image file, else one under a usual name, else the only one."""
    words = {key: value for key, value in data.items() if isinstance(value, str)}
    files = [value for value in words.values() if is_image(value)]
    usual = ("image", "img", "url", "image_url", "file", "filename", "text")
    named = [words[key] for key in usual if key in words]
    return (files or named or list(words.values()) or [""])[0]


# Label Studio's own columns in JSON-MIN and CSV; the first three tell the format.
_OWN = ("annotator", "annotation_id", "lead_time", "id", "created_at", "updated_at", "agreement", "comments")


@reads("label-studio-min", lambda f: columns(*_OWN[:3])(f) or entries(lambda e: {*_OWN[:3]} <= set(e))(f))
def label_studio_min(file: File, options: Options) -> Reading:
    """Label Studio's JSON-MIN and CSV: one entry for each annotation."""
    table = file.table or records_table(file)
    found = _Votes(file, f"Label Studio, {'CSV' if file.table else 'JSON-MIN'}")
    rest = [name for name in table.header if name not in _OWN]
    usual = [name for name in rest if name in ("image", "img", "url", "text")]
    images = [name for name in rest if like_images(table.column(name))] or usual
    answers = [name for name in rest if name not in images]
    if not images or not answers:
        shown = ", ".join(map(quoted, rest[:8]))
        remedy = "export with the data and the choices"
        found.problem("no annotations", f"columns {shown}: no image and choice", remedy)
        return found.reading()
    label = found.choice(answers, "columns of answers", options)
    for row, line in table.records():
        value = _loaded(row[label])  # a word, or JSON where several may be chosen
        choices = value if isinstance(value, list) else _dict(value).get("choices")
        chosen = choices if isinstance(choices, list) else row[label]
        found.vote(row[images[0]], row["annotator"], chosen, line=line)
    return found.reading(images[0], "annotator", label)


# Amazon Mechanical Turk: the results of a batch as CSV.
@reads("mturk", columns("HITId", "WorkerId", start="Answer."))
def mturk(file: File, options: Options) -> Reading:
    """Approved and submitted assignments; answers as words, as radio buttons, or as JSON of a crowd form."""
    found = _Votes(file, "Amazon Mechanical Turk, results of a batch")
    table = found.table
    inputs = [n for n in table.header if n.startswith("Input.")]
    images = [n for n in inputs if like_images(table.column(n))] or inputs
    image = options.columns.get("image", (images[0] if images else "",))[0]
    answers = [n for n in table.header if n.startswith("Answer.")]
    groups = _radio_groups(table, answers)
    if image not in table.header or (len(images) > 1 and "image" not in options.columns):
        shown = ", ".join(map(quoted, inputs[:8]))
        remedy = "name the column: softlabels convert {} --columns 'image=Input.NAME'"
        found.problem("question about columns", f"which column is the image: {shown}?", remedy)
        return found.reading()
    label = found.choice((groups.get(n, n) for n in answers), "questions", options)
    boxes = [n for n in answers if groups.get(n) == label]
    for row, line in table.records():
        if row.get("AssignmentStatus", "").casefold().startswith("reject"):
            found.left["rejected assignments"] += 1
        elif boxes:
            on = [n for n in boxes if row[n].strip().casefold() in ("true", "on", "1")]
            found.vote(row[image], row["WorkerId"], [n.rpartition(".")[2] for n in on], line=line)
        else:
            found.vote(row[image], row["WorkerId"], _crowd_answer(row[label]), line=line)
    return found.reading(image, "WorkerId", label)


def _radio_groups(table: Table, answers: list[str]) -> dict[str, str]:
    """Columns Answer.question.option that hold true and false only, and their question."""
    flags = ("true", "false", "on", "off", "")
    truth = [n for n in answers if all(c.strip().casefold() in flags for c in table.column(n).unique())]
    question = {name: name.rpartition(".")[0] for name in truth}
    options = Counter(question.values())
    return {name: asked for name, asked in question.items() if options[asked] > 1}


def _crowd_answer(cell: str) -> Any:
    """An answer of a crowd form: a word, or JSON such as [{"category": {"label": "cat"}}]."""
    value = _loaded(cell)
    if value is None:
        return cell.split("|") if "|" in cell else cell
    labels: list[str] = []
    waiting = [value]
    while waiting:
        entry = waiting.pop(0)
        if isinstance(entry, list):
            waiting = entry + waiting
        elif isinstance(entry, str):
            labels.append(entry)
        elif isinstance(entry, dict):
            if isinstance(entry.get("label"), str):
                labels.append(entry["label"])
            elif isinstance(entry.get("labels"), list):
                labels += [_word(v) for v in entry["labels"]]
            else:
                labels += [key for key, v in entry.items() if v is True]
                waiting = [v for v in entry.values() if isinstance(v, dict | list)] + waiting
    return labels


# Toloka: the answers of a pool as TSV.
@reads("toloka", columns("ASSIGNMENT:worker_id", start="OUTPUT:"))
def toloka(file: File, options: Options) -> Reading:
    """Answers that were not rejected; control tasks are votes as well, and counted in a note."""
    found = _Votes(file, "Toloka, answers of a pool")
    table = found.table
    inputs = [n for n in table.header if n.startswith("INPUT:")]
    called = [n for n in inputs if "image" in plain(n)]
    images = [n for n in inputs if like_images(table.column(n))] or called or inputs
    label = found.choice((n for n in table.header if n.startswith("OUTPUT:")), "outputs", options)
    if not images:
        found.problem("no annotations", "no column INPUT:…", "export the inputs as well")
        return found.reading()
    golden = [n for n in table.header if n.startswith("GOLDEN:")]
    control = 0
    for row, line in table.records():
        if not any(cell.strip() for cell in row.values()):
            continue
        status, verdict = row.get("ASSIGNMENT:status", ""), row.get("ACCEPT:verdict", "")
        unfinished = status.upper() in ("REJECTED", "SKIPPED", "EXPIRED", "ACTIVE")
        if unfinished or "REJECT" in (status, verdict) or verdict.strip() == "-":
            found.left["rejected or unfinished answers"] += 1
            continue
        control += any(row[n].strip() for n in golden)
        found.vote(row[images[0]], row["ASSIGNMENT:worker_id"], row[label], line=line)
    if control:
        found.notes.append(f"{control:,} votes are on control tasks, whose answer the project knew.")
    return found.reading(images[0], "ASSIGNMENT:worker_id", label)


# Zooniverse: classifications as the project exports them, and question extracts of panoptes_aggregation.
@reads("zooniverse", columns("classification_id", "annotations", "subject_data"))
def zooniverse(file: File, options: Options) -> Reading:
    """Answers to one task of a workflow, on the file that the subject's data name (else the subject's id)."""
    found = _Votes(file, "Zooniverse, classifications")
    answers: list[tuple[Any, ...]] = []
    for row, line in found.table.records():
        subject, notes = _loaded(row["subject_data"]), _loaded(row["annotations"])
        if not isinstance(notes, list) or not isinstance(subject, dict):
            found.problem("broken JSON", "annotations or subject_data that are no JSON", "export again", line)
            continue
        image = _subject(subject)
        who = row.get("user_name", "") or row.get("user_id", "")
        for note in _objects(notes):
            value = note.get("value")
            if isinstance(value, list):  # of a survey: objects with a choice
                value = [_word(v.get("choice")) if isinstance(v, dict) else v for v in value]
            answers.append((_word(note.get("task")), image, who, value, "", line))
    task = found.answers(answers, "tasks", options)
    return found.reading("subject_data", "user_name", task or "annotations")


def _subject(data: dict[str, Any]) -> str:
    """The file of a subject, from {"id": {"Filename": …}}; its id where no value ends like an image."""
    for number, fields in data.items():
        if isinstance(fields, dict):
            return next((v for v in fields.values() if isinstance(v, str) and is_image(v)), number)
    return ""


@reads("zooniverse-flat", columns("subject_id", "workflow_id", "task", start="data."))
def zooniverse_flat(file: File, options: Options) -> Reading:
    """Question extracts (a line for each classification) or reductions (counts for each subject)."""
    header = file.table.header if file.table else []
    single = "classification_id" in header
    found = _Votes(file, f"Zooniverse, {'extracts' if single else 'reductions'} of questions")
    classes = [n for n in header if n.startswith("data.") and n != "data.aggregation_version"]
    task = found.choice(filter(None, found.table.column("task").unique()), "tasks", options)
    for row, line in found.table.records():
        if row["task"] != task:
            continue
        chosen = {n.removeprefix("data."): row[n].strip() for n in classes}
        chosen = {name: cell for name, cell in chosen.items() if cell not in ("", "0", "0.0")}
        whole = {name: re.sub(r"\.0+$", "", cell) for name, cell in chosen.items()}
        wrong = next((name for name, n in whole.items() if not re.fullmatch("[0-9]{1,6}", n)), None)
        if wrong is not None:
            what = f"{quoted(chosen[wrong])} for answer {quoted(wrong)}, expected a count"
            found.problem("not a count", what, "export again", line)
        elif single:
            found.vote(row["subject_id"], row.get("user_name", ""), list(whole), line=line)
        else:
            counts = {name: int(n) for name, n in whole.items() if int(n)}
            found.rows += [(row["subject_id"], "", name, n, file.name, line) for name, n in counts.items()]
    reading = found.reading("subject_id", "user_name" if single else None)
    reading.taken = (*reading.taken, (task, "task"), *((n, "an answer") for n in classes))
    return reading


# CVAT (docs.cvat.ai, XML annotation format 1.1): tags of images; one file is one annotator.
def _is_cvat(file: File) -> bool:
    """XML with <annotations> and images below it."""
    root = file.content
    if not isinstance(root, Element) or root.tag != "annotations":
        return False
    return any(e.tag in ("image", "meta") for e in root)


@reads("cvat", _is_cvat)
def cvat(file: File, options: Options) -> Reading:
    """Tags of whole images; the annotator is the job's assignee, else nobody is named."""
    found, root = _Votes(file, "CVAT for images, XML"), file.content
    people = {(e.text or "").strip() for e in root.iterfind(".//assignee/username")} - {""}
    who = next(iter(people)) if len(people) == 1 else ""
    for image in root.iter("image"):
        tags = image.findall("tag")
        by_hand = [tag.get("label", "") for tag in tags if tag.get("source") != "auto"]
        found.left["shapes"] += len(image) - len(tags)
        found.left["automatic tags"] += len(tags) - len(by_hand)
        found.vote(image.get("name", ""), who, by_hand)
    return found.reading("image name", "assignee", "tag")


# VIA, the VGG Image Annotator 2: a project or its annotations as JSON, or CSV.
def _via_entries(content: Any) -> dict[str, Any]:
    """Entries with filename, regions and file_attributes, alone or in a project."""
    if isinstance(content, dict) and isinstance(content.get("_via_img_metadata"), dict):
        content = content["_via_img_metadata"]
    every = _dict(content)
    known = [e for e in every.values() if isinstance(e, dict) and {"filename", "file_attributes"} <= set(e)]
    return every if known and len(known) == len(every) else {}


@reads("via", lambda file: bool(_via_entries(file.content)))
def via(file: File, options: Options) -> Reading:
    """Attributes of files, chosen from a list or written; regions are no votes on the whole image."""
    every = _via_entries(file.content).values()
    regions = sum(len(e.get("regions") or ()) for e in every)
    given = [(e["filename"], e["file_attributes"], 0) for e in every]
    return _via(_Votes(file, "VIA, JSON"), options, given, regions)


@reads("via-csv", columns("filename", "file_attributes", "region_count"))
def via_csv(file: File, options: Options) -> Reading:
    """The same from a table, which has a line for each region: an image counts once."""
    found = _Votes(file, "VIA, CSV")
    seen: dict[str, tuple[str, Any, int]] = {}
    regions = 0
    for row, line in found.table.records():
        seen.setdefault(row["filename"], (row["filename"], _loaded(row["file_attributes"]), line))
        regions += row.get("region_shape_attributes", "{}").strip() not in ("", "{}")
    return _via(found, options, list(seen.values()), regions)


def _via(found: _Votes, options: Options, every: list[tuple[str, Any, int]], regions: int) -> Reading:
    found.left["regions"] += regions
    asked = (k for _, value, _ in every for k, v in _dict(value).items() if v)
    name = found.choice(asked, "attributes", options)
    for image, value, line in every:
        chosen = _dict(value).get(name)
        if isinstance(chosen, dict):  # boxes that were ticked
            chosen = [key for key, on in chosen.items() if on]
        found.vote(image, "", chosen, line=line)
    return found.reading("filename", label=name or "file_attributes")


# doccano (JSON lines of a classification project) and Prodigy (JSON lines of a dataset).
@reads("prodigy", entries(lambda e: "answer" in e and ({"_task_hash", "_input_hash"} & set(e))))
def prodigy(file: File, options: Options) -> Reading:
    """Choices that were accepted, or one class accepted and rejected; ignored tasks are no votes."""
    found = _Votes(file, "Prodigy, JSON lines")
    offered = {_word(e.get("label")) for _, e, _ in file.entries() if "options" not in e} - {""}
    for _, entry, line in file.entries():
        answer, label, choices = entry.get("answer"), entry.get("label"), entry.get("options")
        if answer == "ignore":
            found.left["ignored tasks"] += 1
            continue
        if isinstance(choices, list):
            if answer != "accept":
                found.left["rejected tasks"] += 1
                continue
            names = {
                _word(o.get("id")): _word(o.get("text")) or _word(o.get("id")) for o in _objects(choices)
            }
            chosen = entry.get("accept")
            label = [names.get(c, c) for c in map(_word, chosen if isinstance(chosen, list) else [chosen])]
        elif answer != "accept":
            if len(offered) != 1:
                found.left["rejections of one class of several"] += 1
                continue
            label = f"not {_word(label)}"
        who = _word(entry.get("_annotator_id")) or _word(entry.get("_session_id"))
        found.vote(_prodigy_image(entry), who, label, line=line)
    return found.reading("image", "_annotator_id", "accept or label")


def _prodigy_image(entry: dict[str, Any]) -> str:
    """The image's name: pictures inside of the file (data:…) are named in meta or by path."""
    meta = _dict(entry.get("meta"))
    places = [entry.get("path"), entry.get("image"), *map(meta.get, ("file", "path", "source"))]
    names = (v for v in places if isinstance(v, str) and v and not v.startswith("data:"))
    return next(names, _word(entry.get("text")))


def _is_doccano(entry: dict[str, Any]) -> bool:
    """An object with a list of labels beside a file name or a text."""
    named = {"filename", "text", "data"} & set(entry)
    return isinstance(entry.get("label"), list) and bool(named) and "answer" not in entry


@reads("doccano", entries(_is_doccano))
def doccano(file: File, options: Options) -> Reading:
    """Labels of files; doccano writes one file for each annotator, so nobody is named inside."""
    found = _Votes(file, "doccano, JSON lines")
    for _, entry, line in file.entries():
        image = next((_word(entry[key]) for key in ("filename", "data", "text") if _word(entry.get(key))), "")
        label = entry.get("label")
        if isinstance(label, list) and any(isinstance(part, list | dict) for part in label):
            found.left["spans"] += 1
            continue
        who = entry.get("username") or entry.get("annotator") or entry.get("user")
        found.vote(image, who, label, line=line)
    return found.reading("filename", label="label")


# The votes of an image together, as one writes them by hand: {"1.png": {"cat": 2, "dog": 1}} or, in a list,
# {"image": "1.png", "votes": …}. They may be counts of classes, annotators with their labels, labels, or
# objects of one vote each.
_VOTES = {
    word + s for role in ("label", "annotator", "count") for word in SYNONYMS[role].split() for s in ("", "s")
}


def _unfolded(file: File) -> list[tuple[str, Any, int]]:
    """Image, votes and line of every entry; none where an entry is of another shape than the others."""
    if isinstance(file.content, dict):
        every = [(name, value, 0) for name, value in file.content.items() if is_image(name)]
        whole = len(every) == len(file.content)
    else:
        every, content = [], file.content if isinstance(file.content, list) else []
        for i, entry in enumerate(map(_dict, content)):
            parts = [(name, value) for name, value in entry.items() if isinstance(value, dict | list)]
            if len(parts) == 1 and plain(parts[0][0]) in _VOTES and isinstance(entry.get("image"), str):
                every.append((entry["image"], parts[0][1], file.lines[i] if file.lines else 0))
        whole = len(every) == len(content)
    kinds = {_kind(value) for _, value, _ in every if value}
    return every if whole and len(kinds) == 1 and "" not in kinds else []


def _kind(value: Any) -> str:
    """Whether votes of an image are objects of their own, labels, or a value for each class or annotator."""
    if not isinstance(value, dict | list):
        return ""
    parts = [*value.values()] if isinstance(value, dict) else value
    if not any(isinstance(part, dict | list) for part in parts):
        return "values" if isinstance(value, dict) else "labels"
    return "objects" if isinstance(value, list) and all(isinstance(part, dict) for part in parts) else ""


@reads("by-image", lambda file: bool(_unfolded(file)))
def by_image(file: File, options: Options) -> Reading:
    """Lay the votes of each image out as lines of a table."""
    every = _unfolded(file)
    cells = [cell for _, value, _ in every if isinstance(value, dict) for cell in value.values()]
    counts = bool(cells) and all(type(cell) in (int, float) for cell in cells)
    # A class that is not named has no vote.
    absent = dict.fromkeys((name for _, value, _ in every for name in value), 0) if counts else {}
    rows: list[tuple[dict[str, Any], int]] = []
    for image, value, line in every:
        if isinstance(value, dict):
            rows.append(({"image": image, **absent, **value}, line))
        elif all(isinstance(part, dict) for part in value):
            rows += [({"image": image, **part}, line) for part in value]
        else:
            rows.append(({"image": image} | {f"label_{k}": part for k, part in enumerate(value, 1)}, line))
    flat = File(file.name, content=[row for row, _ in rows], lines=[line for _, line in rows])
    return read_table(records_table(flat), options)


# Tables of JSON objects, and any table.
def _is_records(file: File) -> bool:
    """Objects with plain values: a table in JSON."""
    content = file.content if isinstance(file.content, list) else []
    return bool(content) and all(
        isinstance(entry, dict) and not any(isinstance(v, dict | list) for v in entry.values())
        for entry in content
    )


@reads("records", _is_records)
def records(file: File, options: Options) -> Reading:
    """Read objects as lines of a table."""
    return read_table(records_table(file), options)


@reads("table", lambda file: file.table is not None)
def table(file: File, options: Options) -> Reading:
    """Read a table by its columns."""
    assert file.table is not None
    return read_table(file.table, options)
