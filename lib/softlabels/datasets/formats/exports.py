"""Votes from what labelling tools and marketplaces export, each in its documented shape.

A reader takes a `File` and `Options` and returns a `Reading`. `reads` gives it a name and a sniffer, which
looks at the same file and says whether it is one of its kind; the first in this module that does is asked.
What is no vote of a person on a whole image (predictions, boxes, cancelled and rejected work) is left out,
and a note says how much.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from softlabels.datasets.collection import Problem, is_image, printable, quoted
from softlabels.datasets.formats import tables
from softlabels.datasets.formats.columns import like_images, plain
from softlabels.datasets.formats.containers import (
    File,
    Options,
    Reading,
    Table,
    records_table,
    votes_of,
)

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


class _Collector:
    """Votes while an export is read, with what was left out and why."""

    def __init__(self, file: File, words: str) -> None:
        self.file, self.words = file, words
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

    def reading(self, taken: Iterable[tuple[str, str]]) -> Reading:
        """The votes with a note on what was left out."""
        if listed := ", ".join(f"{n:,} {why}" for why, n in (+self.left).most_common()):
            self.notes.append(f"Left out, as no votes on an image: {listed}.")
        if not self.rows and not self.problems:
            remedy = "export the annotations with a class for each whole image"
            self.problem("no annotations", "no vote on an image", remedy)
        named = any(row[1] for row in self.rows)
        return Reading(self.words, votes_of(self.rows), named, (), tuple(taken), self.notes, self.problems)


def _word(value: Any) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    if isinstance(value, float) and abs(value) < 2**53 and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _entries(value: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    for i, entry in enumerate(value if isinstance(value, list) else []):
        if isinstance(entry, dict):
            yield i, entry


# Label Studio (labelstud.io/guide/export): tasks with annotations, one object for each annotation, or CSV.


def _completions(task: dict[str, Any]) -> list[Any] | None:
    """A task's list of annotations; old versions call it completions."""
    return next(
        (task[key] for key in ("annotations", "completions") if isinstance(task.get(key), list)), None
    )


@reads("label-studio", entries(lambda e: isinstance(e.get("data"), dict) and _completions(e) is not None))
def label_studio(file: File, options: Options) -> Reading:
    """Choices, taxonomies and ratings of Label Studio's tasks; boxes and predictions are no votes."""
    found = _Collector(file, "Label Studio, JSON")
    answers: list[tuple[Any, ...]] = []
    for i, task in _entries(file.content):
        data = task.get("data")
        image = _image_of(data if isinstance(data, dict) else {})
        if isinstance(task.get("predictions"), list):
            found.left["predictions of a model"] += len(task["predictions"])
        for j, done in _entries(_completions(task)):
            if done.get("was_cancelled"):
                found.left["cancelled annotations"] += 1
                continue
            for _, result in _entries(done.get("result")):
                value = result.get("value")
                chosen = _chosen(value if isinstance(value, dict) else {})
                if chosen is None:
                    kind = printable(_word(result.get("type")) or "unknown", 30)
                    found.left[f"results of type {kind}"] += 1
                    continue
                who, where = _person(done.get("completed_by")), f"[{i}].annotations[{j}]"
                answers.append((_word(result.get("from_name")), image, who, chosen, where))
    name = found.answers(answers, "questions", options)
    return found.reading([("data", "image"), ("completed_by", "annotator"), (name or "choices", "label")])


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
    found = _Collector(file, f"Label Studio, {'CSV' if file.table else 'JSON-MIN'}")
    rest = [name for name in table.header if name not in _OWN]
    usual = [name for name in rest if name in ("image", "img", "url", "text")]
    images = [name for name in rest if like_images(table.column(name))] or usual
    answers = [name for name in rest if name not in images]
    if not images or not answers:
        shown = ", ".join(map(quoted, rest[:8]))
        remedy = "export with the data and the choices"
        found.problem("no annotations", f"columns {shown}: no image and choice", remedy)
        return found.reading([])
    label = found.choice(answers, "columns of answers", options)
    for row, line in _rows(table):
        found.vote(row[images[0]], row["annotator"], _choices(row[label]), line=line)
    return found.reading([(images[0], "image"), ("annotator", "annotator"), (label, "label")])


def _choices(cell: str) -> Any:
    """A choice of Label Studio's tables: a word, or JSON where several may be chosen."""
    value = _loaded(cell)
    if isinstance(value, dict) and isinstance(value.get("choices"), list):
        return value["choices"]
    return value if isinstance(value, list) else cell


def _loaded(cell: str) -> Any:
    if cell[:1] in "[{" and cell:
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            return None
    return None


def _rows(table: Table) -> Iterator[tuple[dict[str, str], int]]:
    assert table.rows is not None
    for cells, line in zip(table.rows.itertuples(index=False, name=None), table.lines, strict=True):
        yield dict(zip(table.header, cells, strict=True)), line


# Amazon Mechanical Turk: the results of a batch as CSV.


@reads("mturk", columns("HITId", "WorkerId", start="Answer."))
def mturk(file: File, options: Options) -> Reading:
    """Approved and submitted assignments; answers as words, as radio buttons, or as JSON of a crowd form."""
    table = file.table
    assert table is not None
    found = _Collector(file, "Amazon Mechanical Turk, results of a batch")
    inputs = [n for n in table.header if n.startswith("Input.")]
    images = [n for n in inputs if like_images(table.column(n))] or inputs
    image = options.columns.get("image", (images[0] if images else "",))[0]
    answers = [n for n in table.header if n.startswith("Answer.")]
    groups = _radio_groups(table, answers)
    names = list(dict.fromkeys(groups.get(n, n) for n in answers))
    if image not in table.header or (len(images) > 1 and "image" not in options.columns):
        shown = ", ".join(map(quoted, inputs[:8]))
        remedy = "name the column: softlabels convert {} --columns 'image=Input.NAME'"
        found.problem("question about columns", f"which column is the image: {shown}?", remedy)
        return found.reading([])
    label = found.choice(names, "questions", options)
    for row, line in _rows(table):
        status = row.get("AssignmentStatus", "").casefold()
        if status.startswith("reject"):
            found.left["rejected assignments"] += 1
        elif label in groups.values():
            boxes = (n for n in answers if groups.get(n) == label)
            on = [n for n in boxes if row[n].strip().casefold() in ("true", "on", "1")]
            chosen = [n.rpartition(".")[2] for n in on]
            found.vote(row[image], row["WorkerId"], chosen, line=line)
        else:
            found.vote(row[image], row["WorkerId"], _crowd_answer(row[label]), line=line)
    return found.reading([(image, "image"), ("WorkerId", "annotator"), (label, "label")])


def _radio_groups(table: Table, answers: list[str]) -> dict[str, str]:
    """Columns Answer.question.option that hold true and false only, and their question."""
    flags = ("true", "false", "on", "off", "")
    truth = [n for n in answers if all(c.strip().casefold() in flags for c in table.column(n).unique())]
    by_question: dict[str, list[str]] = {}
    for name in truth:
        by_question.setdefault(name.rpartition(".")[0], []).append(name)
    return {name: question for question, names in by_question.items() if len(names) > 1 for name in names}


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
        elif isinstance(entry, dict):
            if isinstance(entry.get("label"), str):
                labels.append(entry["label"])
            elif isinstance(entry.get("labels"), list):
                labels += [_word(v) for v in entry["labels"]]
            else:
                on = [key for key, v in entry.items() if v is True]
                labels += on
                waiting = [v for v in entry.values() if isinstance(v, dict | list)] + waiting
        elif isinstance(entry, str):
            labels.append(entry)
    return labels


# Toloka: the answers of a pool as TSV.


@reads("toloka", columns("ASSIGNMENT:worker_id", start="OUTPUT:"))
def toloka(file: File, options: Options) -> Reading:
    """Answers that were not rejected; control tasks are votes as well, and counted in a note."""
    table = file.table
    assert table is not None
    found = _Collector(file, "Toloka, answers of a pool")
    inputs = [n for n in table.header if n.startswith("INPUT:")]
    called = [n for n in inputs if "image" in plain(n)]
    images = [n for n in inputs if like_images(table.column(n))] or called or inputs
    label = found.choice((n for n in table.header if n.startswith("OUTPUT:")), "outputs", options)
    if not images:
        found.problem("no annotations", "no column INPUT:…", "export the inputs as well")
        return found.reading([])
    golden = [n for n in table.header if n.startswith("GOLDEN:")]
    control = 0
    for row, line in _rows(table):
        if not any(cell.strip() for cell in row.values()):
            continue
        if (
            "REJECT" in (row.get("ASSIGNMENT:status", ""), row.get("ACCEPT:verdict", ""))
            or (row.get("ASSIGNMENT:status", "").upper() in ("REJECTED", "SKIPPED", "EXPIRED", "ACTIVE"))
            or row.get("ACCEPT:verdict", "").strip() == "-"
        ):
            found.left["rejected or unfinished answers"] += 1
            continue
        control += any(row[n].strip() for n in golden)
        found.vote(row[images[0]], row["ASSIGNMENT:worker_id"], row[label], line=line)
    if control:
        found.notes.append(f"{control:,} votes are on control tasks, whose answer the project knew.")
    return found.reading([(images[0], "image"), ("ASSIGNMENT:worker_id", "annotator"), (label, "label")])


# Zooniverse: classifications as the project exports them, and question extracts of panoptes_aggregation.


@reads("zooniverse", columns("classification_id", "annotations", "subject_data"))
def zooniverse(file: File, options: Options) -> Reading:
    """Answers to one task of a workflow, on the file that the subject's data name (else the subject's id)."""
    table = file.table
    assert table is not None
    found = _Collector(file, "Zooniverse, classifications")
    answers: list[tuple[Any, ...]] = []
    for row, line in _rows(table):
        subject = _loaded(row["subject_data"])
        notes = _loaded(row["annotations"])
        if not isinstance(notes, list) or not isinstance(subject, dict):
            found.problem("broken JSON", "annotations or subject_data that are no JSON", "export again", line)
            continue
        image = _subject(subject)
        who = row.get("user_name", "") or row.get("user_id", "")
        for _, note in _entries(notes):
            value = note.get("value")
            if isinstance(value, list):  # of a survey: objects with a choice
                value = [_word(v.get("choice")) if isinstance(v, dict) else v for v in value]
            answers.append((_word(note.get("task")), image, who, value, "", line))
    task = found.answers(answers, "tasks", options)
    return found.reading(
        [("subject_data", "image"), ("user_name", "annotator"), (task or "annotations", "label")]
    )


def _subject(data: dict[str, Any]) -> str:
    """The file of a subject, from {"id": {"Filename": …}}; its id where no value ends like an image."""
    for number, fields in data.items():
        if isinstance(fields, dict):
            return next((v for v in fields.values() if isinstance(v, str) and is_image(v)), number)
    return ""


@reads("zooniverse-flat", columns("subject_id", "workflow_id", "task", start="data."))
def zooniverse_flat(file: File, options: Options) -> Reading:
    """Question extracts (a line for each classification) or reductions (counts for each subject)."""
    table = file.table
    assert table is not None
    single = "classification_id" in table.header
    found = _Collector(file, f"Zooniverse, {'extracts' if single else 'reductions'} of questions")
    classes = [n for n in table.header if n.startswith("data.") and n != "data.aggregation_version"]
    task = found.choice(filter(None, table.column("task").unique()), "tasks", options)
    for row, line in _rows(table):
        if row["task"] != task:
            continue
        chosen = {
            n.removeprefix("data."): row[n].strip() for n in classes if row[n].strip() not in ("", "0", "0.0")
        }
        counts = {name: _integer(cell) for name, cell in chosen.items()}
        wrong = next((name for name, n in counts.items() if n is None), None)
        if wrong is not None:
            what = f"{quoted(chosen[wrong])} for answer {quoted(wrong)}, expected a count"
            found.problem("not a count", what, "export again", line)
        elif single:
            found.vote(row["subject_id"], row.get("user_name", ""), list(counts), line=line)
        else:
            found.rows += [
                (row["subject_id"], "", name, n, file.name, line) for name, n in counts.items() if n
            ]
    taken = [("subject_id", "image"), *([("user_name", "annotator")] if single else []), (task, "task")]
    return found.reading([*taken, *((n, "an answer") for n in classes)])


def _integer(cell: str) -> int | None:
    whole = re.sub(r"\.0+$", "", cell)
    return int(whole) if whole.isascii() and whole.isdigit() and len(whole) < 7 else None


# CVAT (docs.cvat.ai, XML annotation format 1.1): tags of images; one file is one annotator.


def _is_cvat(file: File) -> bool:
    """XML with <annotations> and images below it."""
    root = file.content
    return (
        isinstance(root, Element)
        and root.tag == "annotations"
        and any(e.tag in ("image", "meta") for e in root)
    )


@reads("cvat", _is_cvat)
def cvat(file: File, options: Options) -> Reading:
    """Tags of whole images; the annotator is the job's assignee, else nobody is named."""
    found, root = _Collector(file, "CVAT for images, XML"), file.content
    people = {(e.text or "").strip() for e in root.iterfind(".//assignee/username")} - {""}
    who = next(iter(people)) if len(people) == 1 else ""
    for image in root.iter("image"):
        tags = image.findall("tag")
        by_hand = [tag.get("label", "") for tag in tags if tag.get("source") != "auto"]
        found.left["shapes"] += len(image) - len(tags)
        found.left["automatic tags"] += len(tags) - len(by_hand)
        found.vote(image.get("name", ""), who, by_hand)
    return found.reading([("image name", "image"), ("assignee", "annotator"), ("tag", "label")])


# VIA, the VGG Image Annotator 2: a project or its annotations as JSON, or CSV.


def _via_entries(content: Any) -> dict[str, Any]:
    """Entries with filename, regions and file_attributes, alone or in a project."""
    if isinstance(content, dict) and isinstance(content.get("_via_img_metadata"), dict):
        content = content["_via_img_metadata"]
    if not isinstance(content, dict):
        return {}
    known = [e for e in content.values() if isinstance(e, dict) and {"filename", "file_attributes"} <= set(e)]
    return content if known and len(known) == len(content) else {}


@reads("via", lambda file: bool(_via_entries(file.content)))
def via(file: File, options: Options) -> Reading:
    """Attributes of files, chosen from a list or written; regions are no votes on the whole image."""
    every = _via_entries(file.content).values()
    regions = sum(len(e.get("regions") or ()) for e in every)
    return _via(
        file, options, "VIA, JSON", [(e["filename"], e["file_attributes"], 0) for e in every], regions
    )


@reads("via-csv", columns("filename", "file_attributes", "region_count"))
def via_csv(file: File, options: Options) -> Reading:
    """The same from a table, which has a line for each region: an image counts once."""
    assert file.table is not None
    seen: dict[str, tuple[str, Any, int]] = {}
    regions = 0
    for row, line in _rows(file.table):
        seen.setdefault(row["filename"], (row["filename"], _loaded(row["file_attributes"]), line))
        regions += row.get("region_shape_attributes", "{}").strip() not in ("", "{}")
    return _via(file, options, "VIA, CSV", list(seen.values()), regions)


def _via(
    file: File, options: Options, words: str, every: list[tuple[str, Any, int]], regions: int
) -> Reading:
    found = _Collector(file, words)
    found.left["regions"] += regions
    given = [value for _, value, _ in every if isinstance(value, dict)]
    name = found.choice((k for value in given for k, v in value.items() if v), "attributes", options)
    for image, value, line in every:
        chosen = value.get(name) if isinstance(value, dict) else None
        if isinstance(chosen, dict):  # boxes that were ticked
            chosen = [key for key, on in chosen.items() if on]
        found.vote(image, "", chosen, line=line)
    return found.reading([("filename", "image"), (name or "file_attributes", "label")])


# doccano (JSON lines of a classification project) and Prodigy (JSON lines of a dataset).


@reads("prodigy", entries(lambda e: "answer" in e and ({"_task_hash", "_input_hash"} & set(e))))
def prodigy(file: File, options: Options) -> Reading:
    """Choices that were accepted, or one class accepted and rejected; ignored tasks are no votes."""
    found = _Collector(file, "Prodigy, JSON lines")
    every = list(_entries(file.content))
    offered = {_word(e.get("label")) for _, e in every if "options" not in e} - {""}
    for i, entry in every:
        line = file.lines[i] if file.lines else 0
        who = _word(entry.get("_annotator_id")) or _word(entry.get("_session_id"))
        image = _prodigy_image(entry)
        if entry.get("answer") == "ignore":
            found.left["ignored tasks"] += 1
        elif isinstance(entry.get("options"), list):
            if entry.get("answer") == "accept":
                names = {
                    _word(o.get("id")): _word(o.get("text")) or _word(o.get("id"))
                    for _, o in _entries(entry["options"])
                }
                chosen = entry.get("accept")
                ids = list(map(_word, chosen)) if isinstance(chosen, list) else [_word(chosen)]
                found.vote(image, who, [names.get(c, c) for c in ids], line=line)
            else:
                found.left["rejected tasks"] += 1
        elif entry.get("answer") == "accept":
            found.vote(image, who, entry.get("label"), line=line)
        elif len(offered) == 1:
            found.vote(image, who, f"not {_word(entry.get('label'))}", line=line)
        else:
            found.left["rejections of one class of several"] += 1
    return found.reading([("image", "image"), ("_annotator_id", "annotator"), ("accept or label", "label")])


def _prodigy_image(entry: dict[str, Any]) -> str:
    """The image's name: pictures inside of the file (data:…) are named in meta or by path."""
    meta = entry["meta"] if isinstance(entry.get("meta"), dict) else {}
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
    found = _Collector(file, "doccano, JSON lines")
    for i, entry in _entries(file.content):
        image = next((_word(entry[key]) for key in ("filename", "data", "text") if _word(entry.get(key))), "")
        label = entry.get("label")
        if isinstance(label, list) and any(isinstance(part, list | dict) for part in label):
            found.left["spans"] += 1
            continue
        who = entry.get("username") or entry.get("annotator") or entry.get("user")
        found.vote(image, who, label, line=file.lines[i] if file.lines else 0)
    return found.reading([("filename", "image"), ("label", "label")])


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
    return tables.read(records_table(file), options)


@reads("table", lambda file: file.table is not None)
def table(file: File, options: Options) -> Reading:
    """Read a table by its columns."""
    assert file.table is not None
    return tables.read(file.table, options)
