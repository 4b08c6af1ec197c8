"""Votes from what labelling tools and marketplaces export, each in its documented shape.

A reader takes a `File` and `Options` and returns a `Reading`; a sniffer looks at the same file and says
whether it is one of its kind. What is no vote of a person on a whole image (predictions, boxes, cancelled
and rejected work) is left out, and a note says how much.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any
from xml.etree.ElementTree import Element

from softlabels.datasets.collection import SUFFIXES, Problem, printable, quoted
from softlabels.datasets.formats import tables
from softlabels.datasets.formats.columns import plain
from softlabels.datasets.formats.containers import (
    File,
    Options,
    Reading,
    Table,
    records_table,
    votes_of,
)

SEVERAL = "several classes in one vote"
Row = tuple[str, str, str, int, str, int]


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
            self.problem(SEVERAL, found, remedy, line, place)
        elif not labels:
            self.left["without an answer"] += 1
        elif not _word(image):
            self.problem("no image named", "a vote without an image", "name the image", line, place)
        else:
            self.rows.append((_word(image), _word(annotator), labels[0], 1, self.file.name + place, line))

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


def _some(value: Any, test) -> bool:  # type: ignore[no-untyped-def]
    """Whether the first few entries are objects and pass a test."""
    first = value[:20] if isinstance(value, list) else []
    return bool(first) and all(isinstance(entry, dict) for entry in first) and any(map(test, first))


# Label Studio (labelstud.io/guide/export): tasks with annotations, one object for each annotation, or CSV.


def is_label_studio(file: File) -> bool:
    """A list of tasks, each with data and a list of annotations (completions in old versions)."""
    return _some(file.content, lambda e: isinstance(e.get("data"), dict) and _completions(e) is not None)


def _completions(task: dict[str, Any]) -> list[Any] | None:
    for key in ("annotations", "completions"):
        if isinstance(task.get(key), list):
            return task[key]
    return None


def label_studio(file: File, options: Options) -> Reading:
    """Choices, taxonomies and ratings of Label Studio's tasks; boxes and predictions are no votes."""
    found = _Collector(file, "Label Studio, JSON")
    answers: list[tuple[str, str, str, list[Any], str]] = []
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
                    found.left[
                        f"results of type {printable(_word(result.get('type')) or 'unknown', 30)}"
                    ] += 1
                    continue
                where = f"[{i}].annotations[{j}]"
                answers.append(
                    (image, _person(done.get("completed_by")), _word(result.get("from_name")), chosen, where)
                )
    name = found.choice((name for _, _, name, _, _ in answers), "questions", options)
    for image, who, asked, chosen, where in answers:
        if asked == name:
            found.vote(image, who, chosen, where)
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
    files = [value for value in words.values() if value.split("?")[0].lower().endswith(SUFFIXES)]
    named = [
        words[key] for key in ("image", "img", "url", "image_url", "file", "filename", "text") if key in words
    ]
    return (files or named or list(words.values()) or [""])[0]


_MIN = {"annotator", "annotation_id", "lead_time"}


def is_label_studio_min(file: File) -> bool:
    """Objects, or a table, with Label Studio's own columns beside data and answers."""
    if file.table is not None:
        return set(file.table.header) >= _MIN
    return _some(file.content, lambda e: set(e) >= _MIN)


def label_studio_min(file: File, options: Options) -> Reading:
    """Label Studio's JSON-MIN and CSV: one entry for each annotation."""
    table = file.table or records_table(file)
    own = {
        "id",
        "annotator",
        "annotation_id",
        "created_at",
        "updated_at",
        "lead_time",
        "agreement",
        "comments",
    }
    found = _Collector(file, f"Label Studio, {'CSV' if file.table else 'JSON-MIN'}")
    rest = [name for name in table.header if name not in own]
    images = [n for n in rest if _ends_like_files(table, n)] or [
        n for n in rest if n in ("image", "img", "url", "text")
    ]
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


def _ends_like_files(table: Table, name: str) -> bool:
    cells = [c for c in table.column(name).unique() if c.strip()]
    return bool(cells) and sum(c.split("?")[0].lower().endswith(SUFFIXES) for c in cells) >= 0.9 * len(cells)


# Amazon Mechanical Turk: the results of a batch as CSV.


def is_mturk(file: File) -> bool:
    """A table with a HIT, a worker, inputs and answers."""
    header = file.table.header if file.table else []
    return {"HITId", "WorkerId"} <= set(header) and any(name.startswith("Answer.") for name in header)


def mturk(file: File, options: Options) -> Reading:
    """Approved and submitted assignments; answers as words, as radio buttons, or as JSON of a crowd form."""
    table = file.table
    assert table is not None
    found = _Collector(file, "Amazon Mechanical Turk, results of a batch")
    inputs = [n for n in table.header if n.startswith("Input.")]
    images = [n for n in inputs if _ends_like_files(table, n)] or inputs
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
            chosen = [n.rpartition(".")[2] for n in answers if groups.get(n) == label and _true(row[n])]
            found.vote(row[image], row["WorkerId"], chosen, line=line)
        else:
            found.vote(row[image], row["WorkerId"], _crowd_answer(row[label]), line=line)
    return found.reading([(image, "image"), ("WorkerId", "annotator"), (label, "label")])


def _true(cell: str) -> bool:
    return cell.strip().casefold() in ("true", "on", "1")


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


def is_toloka(file: File) -> bool:
    """A table with columns INPUT:…, OUTPUT:… and ASSIGNMENT:worker_id."""
    header = file.table.header if file.table else []
    return "ASSIGNMENT:worker_id" in header and any(name.startswith("OUTPUT:") for name in header)


def toloka(file: File, options: Options) -> Reading:
    """Answers that were not rejected; control tasks are votes as well, and counted in a note."""
    table = file.table
    assert table is not None
    found = _Collector(file, "Toloka, answers of a pool")
    inputs = [n for n in table.header if n.startswith("INPUT:")]
    images = (
        [n for n in inputs if _ends_like_files(table, n)]
        or [n for n in inputs if "image" in plain(n)]
        or inputs
    )
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


def is_zooniverse(file: File) -> bool:
    """A table of classifications, each with its annotations and its subject as JSON."""
    header = set(file.table.header if file.table else ())
    return {"classification_id", "annotations", "subject_data"} <= header


def zooniverse(file: File, options: Options) -> Reading:
    """Answers to one task of a workflow, on the file that the subject's data name (else the subject's id)."""
    table = file.table
    assert table is not None
    found = _Collector(file, "Zooniverse, classifications")
    answers: list[tuple[str, str, str, Any, int]] = []
    for row, line in _rows(table):
        subject = _loaded(row["subject_data"])
        notes = _loaded(row["annotations"])
        if not isinstance(notes, list) or not isinstance(subject, dict):
            found.problem("broken JSON", "annotations or subject_data that are no JSON", "export again", line)
            continue
        image = _subject(subject)
        who = row.get("user_name", "") or row.get("user_id", "")
        for _, note in _entries(notes):
            answers.append((image, who, _word(note.get("task")), _answer(note.get("value")), line))
    task = found.choice((task for _, _, task, _, _ in answers), "tasks", options)
    for image, who, asked, value, line in answers:
        if asked == task:
            found.vote(image, who, value, line=line)
    return found.reading(
        [("subject_data", "image"), ("user_name", "annotator"), (task or "annotations", "label")]
    )


def _answer(value: Any) -> Any:
    """The value of a task: a word, a list of words, or of a survey the choices."""
    if isinstance(value, list):
        return [_word(v.get("choice")) if isinstance(v, dict) else v for v in value]
    return value


def _subject(data: dict[str, Any]) -> str:
    """The file of a subject, from {"id": {"Filename": …}}; its id where no value ends like an image."""
    for number, fields in data.items():
        if isinstance(fields, dict):
            words = [v for v in fields.values() if isinstance(v, str)]
            files = [v for v in words if v.split("?")[0].lower().endswith(SUFFIXES)]
            return files[0] if files else number
    return ""


def is_zooniverse_flat(file: File) -> bool:
    """Extracts or reductions: a subject, a workflow, a task, and a column data.ANSWER for each answer."""
    header = file.table.header if file.table else []
    return {"subject_id", "workflow_id", "task"} <= set(header) and any(n.startswith("data.") for n in header)


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


def is_cvat(file: File) -> bool:
    """XML with <annotations> and images below it."""
    return (
        isinstance(file.content, Element)
        and file.content.tag == "annotations"
        and (file.content.find("image") is not None or file.content.find("meta") is not None)
    )


def cvat(file: File, options: Options) -> Reading:
    """Tags of whole images; the annotator is the job's assignee, else nobody is named."""
    found, root = _Collector(file, "CVAT for images, XML"), file.content
    people = {(e.text or "").strip() for e in root.iterfind(".//assignee/username")} - {""}
    who = next(iter(people)) if len(people) == 1 else ""
    for image in root.iter("image"):
        tags = [tag.get("label", "") for tag in image.iterfind("tag")]
        found.left["shapes"] += sum(child.tag not in ("tag",) for child in image)
        automatic = [tag for tag in image.iterfind("tag") if tag.get("source") == "auto"]
        if automatic:
            found.left["automatic tags"] += len(automatic)
            tags = [tag.get("label", "") for tag in image.iterfind("tag") if tag.get("source") != "auto"]
        found.vote(image.get("name", ""), who, tags)
    return found.reading([("image name", "image"), ("assignee", "annotator"), ("tag", "label")])


# VIA, the VGG Image Annotator 2: a project or its annotations as JSON, or CSV.


def is_via(file: File) -> bool:
    """Entries with filename, regions and file_attributes, alone or in a project."""
    return bool(_via_entries(file.content))


def _via_entries(content: Any) -> dict[str, Any]:
    if isinstance(content, dict) and isinstance(content.get("_via_img_metadata"), dict):
        content = content["_via_img_metadata"]
    if not isinstance(content, dict):
        return {}
    known = [e for e in content.values() if isinstance(e, dict) and {"filename", "file_attributes"} <= set(e)]
    return content if known and len(known) == len(content) else {}


def via(file: File, options: Options) -> Reading:
    """Attributes of files, chosen from a list or written; regions are no votes on the whole image."""
    entries = [(e["filename"], e["file_attributes"]) for e in _via_entries(file.content).values()]
    regions = sum(len(e.get("regions") or ()) for e in _via_entries(file.content).values())
    return _via(file, options, "VIA, JSON", [(name, value, 0) for name, value in entries], regions)


def is_via_csv(file: File) -> bool:
    """A table with filename, file_attributes and region_count."""
    return {"filename", "file_attributes", "region_count"} <= set(file.table.header if file.table else ())


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
    file: File, options: Options, words: str, entries: list[tuple[str, Any, int]], regions: int
) -> Reading:
    found = _Collector(file, words)
    found.left["regions"] += regions
    given = [value for _, value, _ in entries if isinstance(value, dict)]
    name = found.choice((k for value in given for k, v in value.items() if v), "attributes", options)
    for image, value, line in entries:
        chosen = value.get(name) if isinstance(value, dict) else None
        if isinstance(chosen, dict):  # boxes that were ticked
            chosen = [key for key, on in chosen.items() if on]
        found.vote(image, "", chosen, line=line)
    return found.reading([("filename", "image"), (name or "file_attributes", "label")])


# doccano (JSON lines of a classification project) and Prodigy (JSON lines of a dataset).


def is_prodigy(file: File) -> bool:
    """Objects with Prodigy's own hashes and an answer."""
    return _some(file.content, lambda e: "answer" in e and ({"_task_hash", "_input_hash"} & set(e)))


def prodigy(file: File, options: Options) -> Reading:
    """Choices that were accepted, or one class accepted and rejected; ignored tasks are no votes."""
    found = _Collector(file, "Prodigy, JSON lines")
    entries = list(_entries(file.content))
    offered = {_word(e.get("label")) for _, e in entries if "options" not in e} - {""}
    for i, entry in entries:
        line = file.lines[i] if file.lines else 0
        who = _word(entry.get("_annotator_id")) or _word(entry.get("_session_id"))
        meta = entry.get("meta") if isinstance(entry.get("meta"), dict) else {}
        image = _prodigy_image(entry, meta or {})
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


def _prodigy_image(entry: dict[str, Any], meta: dict[str, Any]) -> str:
    """The image's name: pictures inside of the file (data:…) are named in meta or by path."""
    for value in (
        entry.get("path"),
        entry.get("image"),
        meta.get("file"),
        meta.get("path"),
        meta.get("source"),
    ):
        if isinstance(value, str) and value and not value.startswith("data:"):
            return value
    return _word(entry.get("text"))


def is_doccano(file: File) -> bool:
    """Objects with a list of labels beside a file name or a text."""
    return _some(
        file.content,
        lambda e: (
            isinstance(e.get("label"), list) and ({"filename", "text", "data"} & set(e)) and "answer" not in e
        ),
    )


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


def is_records(file: File) -> bool:
    """Objects with plain values: a table in JSON."""
    content = file.content
    return (
        isinstance(content, list)
        and bool(content)
        and all(
            isinstance(entry, dict) and not any(isinstance(v, dict | list) for v in entry.values())
            for entry in content
        )
    )


def records(file: File, options: Options) -> Reading:
    """Read objects as lines of a table."""
    return _table(records_table(file), options)


def is_table(file: File) -> bool:
    """Any table."""
    return file.table is not None


def table(file: File, options: Options) -> Reading:
    """Read a table by its columns."""
    assert file.table is not None
    return _table(file.table, options)


def _table(found: Table, options: Options) -> Reading:
    reading = tables.read(found, options)
    reading.problems = found.problems
    return reading
