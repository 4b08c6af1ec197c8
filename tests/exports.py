# ruff: noqa: E501
"""What labelling tools and marketplaces export, rebuilt in small from their documented shape.

Each builder writes into a folder of images (those of `vote_folders`) the votes that `said` gives, among what
the real exports carry besides. The right reading of all of them is the same table of votes.
"""

import csv
import io
import json

from vote_folders import LABELS, names


def said(i, annotator):
    """What an annotator says of an image; no two say the same of all."""
    return LABELS[(i + (annotator == 2 and i % 4 == 0) + (annotator == 1 and i % 5 == 3)) % 3]


PEOPLE = ("anna@example.org", "ben@example.org", "carla@example.org")


def every():
    """Image number, image name, annotator number, label of each vote, image after image."""
    return [(i, name, a, said(i, a)) for i, name in enumerate(names()) for a in range(3)]


def dumped(root, name, value):
    (root / name).write_text(json.dumps(value), encoding="utf-8")


def lines(root, name, values):
    (root / name).write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")


def written(root, name, header, rows, delimiter=","):
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter)
    writer.writerows([header, *rows])
    (root / name).write_text(stream.getvalue(), encoding="utf-8")


def label_studio(root):
    """JSON: tasks with annotations; a model's predictions, a box and a cancelled annotation among them."""
    tasks = []
    for i, name in enumerate(names()):
        done = [
            {
                "id": 10 * i + a,
                "completed_by": {"id": a, "email": PEOPLE[a]},
                "result": [
                    {"from_name": "kind", "to_name": "image", "type": "choices", "value": {"choices": [said(i, a)]}},
                    {"from_name": "box", "to_name": "image", "type": "rectanglelabels",
                     "value": {"x": 1, "y": 2, "width": 3, "height": 4, "rectanglelabels": ["nose"]}},
                ],
                "was_cancelled": False, "ground_truth": False, "lead_time": 3.2,
            }
            for a in range(3)
        ]  # fmt: skip
        done.append({"id": 10 * i + 9, "completed_by": 9, "was_cancelled": True, "result": []})
        guess = [{"model_version": "m1", "result": [{"type": "choices", "value": {"choices": ["owl"]}}]}]
        data = {"image": f"/data/upload/3/{i:08x}-{name}", "note": "x"}
        tasks.append({"id": i, "data": data, "annotations": done, "predictions": guess, "meta": {}})
    dumped(root, "project-3-at-2024-01-01-00-00-abcdef.json", tasks)


def label_studio_old(root):
    """The older JSON, with completions and local files."""
    tasks = [
        {
            "id": i,
            "data": {"image": f"/data/local-files/?d=photos/{name}"},
            "completions": [
                {"completed_by": a, "result": [{"from_name": "c", "type": "choices", "value": {"choices": [said(i, a)]}}]}
                for a in range(3)
            ],
        }
        for i, name in enumerate(names())
    ]  # fmt: skip
    dumped(root, "annotations.json", tasks)


def label_studio_min(root):
    """JSON-MIN: an object for each annotation."""
    dumped(root, "result-min.json", [
        {"image": f"/data/upload/3/{i:08x}-{name}", "id": i, "kind": label, "annotator": a, "annotation_id": 3 * i + a,
         "created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z", "lead_time": 4.1}
        for i, name, a, label in every()
    ])  # fmt: skip


def label_studio_csv(root):
    """CSV of the same."""
    header = ["image", "id", "kind", "annotator", "annotation_id", "created_at", "updated_at", "lead_time"]
    rows = [
        [f"/data/upload/3/{i:08x}-{name}", i, label, PEOPLE[a], 3 * i + a, "2024-01-01", "2024-01-02", 4.1]
        for i, name, a, label in every()
    ]
    written(root, "project-3.csv", header, rows)


MTURK = ["HITId", "HITTypeId", "Title", "Reward", "AssignmentId", "WorkerId", "AssignmentStatus", "AcceptTime",
         "SubmitTime", "WorkTimeInSeconds", "LifetimeApprovalRate", "Input.image_url"]  # fmt: skip


def mturk_row(i, name, a, status="Approved"):
    url = f"https://my-bucket.s3.amazonaws.com/batch/{name}"
    return [
        f"H{i}",
        "T1",
        "What is this?",
        "$0.02",
        f"A{i}{a}",
        f"W{a}X",
        status,
        "t0",
        "t1",
        12,
        "100% (3/3)",
        url,
    ]


def mturk(root):
    """Results of a batch: radio buttons as one answer, and an assignment that was rejected."""
    rows = [[*mturk_row(i, name, a), label] for i, name, a, label in every()]
    rows.append([*mturk_row(0, names()[0], 9, "Rejected"), "owl"])
    written(root, "Batch_123_batch_results.csv", [*MTURK, "Answer.category.label"], rows)


def mturk_flags(root):
    """Radio buttons of a crowd form: a column of true and false for each."""
    header = [*MTURK, *(f"Answer.kind.{label}" for label in LABELS)]
    rows = [
        [*mturk_row(i, name, a), *("true" if label == k else "false" for k in LABELS)]
        for i, name, a, label in every()
    ]
    written(root, "Batch_124_batch_results.csv", header, rows)


def mturk_json(root):
    """The answers of a crowd form as JSON."""
    rows = [
        [*mturk_row(i, name, a), json.dumps([{"category": {"label": label}}])]
        for i, name, a, label in every()
    ]
    written(root, "Batch_125_batch_results.csv", [*MTURK, "Answer.taskAnswers"], rows)


ZOO = ["classification_id", "user_name", "user_id", "user_ip", "workflow_id", "workflow_name", "workflow_version",
       "created_at", "gold_standard", "expert", "metadata", "annotations", "subject_data", "subject_ids"]  # fmt: skip


def zooniverse(root):
    """Classifications of a project, with JSON in the cells."""
    rows = []
    for i, name, a, label in every():
        notes = [{"task": "T0", "task_label": "What is it?", "value": label}]
        subject = {f"{1000 + i}": {"retired": None, "Filename": name, "#site": "north"}}
        rows.append([3 * i + a, f"volunteer{a}" if a else "not-logged-in-5f", a, "ff", 7, "Kinds", "1.1", "2024-01-01",
                     "", "", json.dumps({"session": "x" * 50}), json.dumps(notes), json.dumps(subject), 1000 + i])  # fmt: skip
    written(root, "kinds-classifications.csv", ZOO, rows)


def by_number(root):
    """Images called after the number of their subject, as Zooniverse's flat tables name them."""
    for i, name in enumerate(names()):
        (root / name).rename(root / f"{1000 + i}.png")


def zooniverse_extracts(root):
    """Question extracts of panoptes_aggregation: a line for each classification."""
    by_number(root)
    header = ["classification_id", "user_name", "user_id", "workflow_id", "task", "created_at", "subject_id",
              "extractor", "data.aggregation_version", *(f"data.{k}" for k in LABELS)]  # fmt: skip
    rows = [
        [3 * i + a, f"volunteer{a}", a, 7, "T0", "2024-01-01", 1000 + i, "question_extractor", "4.1.0",
         *("1.0" if label == k else "" for k in LABELS)]
        for i, name, a, label in every()
    ]  # fmt: skip
    written(root, "question_extractor_kinds.csv", header, rows)


def zooniverse_reductions(root):
    """Question reductions: counts for each subject."""
    by_number(root)
    header = [
        "subject_id",
        "workflow_id",
        "task",
        "reducer",
        "data.aggregation_version",
        *(f"data.{k}" for k in LABELS),
    ]
    rows = []
    for i in range(len(names())):
        votes = [said(i, a) for a in range(3)]
        rows.append(
            [
                1000 + i,
                7,
                "T0",
                "question_reducer",
                "4.1.0",
                *(f"{votes.count(k)}.0" if k in votes else "" for k in LABELS),
            ]
        )
    written(root, "question_reducer_kinds.csv", header, rows)


def toloka(root):
    """Answers of a pool as TSV; a rejected one and a control task among them."""
    header = ["INPUT:image", "OUTPUT:result", "GOLDEN:result", "HINT:text", "ASSIGNMENT:link",
              "ASSIGNMENT:assignment_id", "ASSIGNMENT:worker_id", "ASSIGNMENT:status", "ASSIGNMENT:started"]  # fmt: skip
    rows = [
        [
            f"https://x.example/i/{name}",
            label,
            "cat" if i == 0 else "",
            "",
            "l",
            f"as{i}{a}",
            f"w{a}",
            "APPROVED",
            "t",
        ]
        for i, name, a, label in every()
    ]
    rows.append([f"https://x.example/i/{names()[0]}", "owl", "", "", "l", "as9", "w9", "REJECTED", "t"])
    written(root, "assignments_from_pool_1.tsv", header, rows, "\t")


def cvat_file(path, a):
    images = "".join(
        f'<image id="{i}" name="{name}" width="12" height="12"><tag label="{said(i, a)}" source="manual"></tag>'
        f'<box label="nose" occluded="0" xtl="1" ytl="1" xbr="3" ybr="3" z_order="0"></box></image>'
        for i, name in enumerate(names())
    )
    meta = f"<meta><job><id>{a}</id><assignee><username>reader{a}</username><email/></assignee></job></meta>"
    path.write_text(
        f'<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version>{meta}{images}</annotations>'
    )


def cvat(root):
    """A job of each reader as XML of "CVAT for images"."""
    for a in range(3):
        cvat_file(root / f"job_{a}_reader{a}.xml", a)


def via_entries(a):
    return {
        f"{name}777": {
            "filename": name,
            "size": 777,
            "regions": [],
            "file_attributes": {"kind": said(i, a), "remark": ""},
        }
        for i, name in enumerate(names())
    }


def via(root):
    """A VIA project of each reader."""
    for a, who in enumerate(("anna", "ben", "carla")):
        whole = {"_via_settings": {"project": {"name": "kinds"}}, "_via_img_metadata": via_entries(a),
                 "_via_attributes": {"region": {}, "file": {"kind": {"type": "radio"}}}}  # fmt: skip
        dumped(root, f"via_project_{who}.json", whole)


def via_csv(root):
    """VIA's annotations as CSV of each reader."""
    header = [
        "filename",
        "file_size",
        "file_attributes",
        "region_count",
        "region_id",
        "region_shape_attributes",
        "region_attributes",
    ]
    for a, who in enumerate(("anna", "ben", "carla")):
        rows = [[e["filename"], 777, json.dumps({"kind": e["file_attributes"]["kind"]}), 0, 0, "{}", "{}"]
                for e in via_entries(a).values()]  # fmt: skip
        written(root, f"via_{who}.csv", header, rows)


def doccano(root):
    """A file of JSON lines of each user."""
    for a, who in enumerate(("anna", "ben", "carla")):
        lines(root, f"{who}.jsonl", [
            {"id": i, "filename": name, "label": [said(i, a)], "Comments": []} for i, name in enumerate(names())
        ])  # fmt: skip


def prodigy(root):
    """Choices of a dataset; a task that was ignored among them."""
    options = [{"id": k, "text": k} for k in LABELS]
    base = {"options": options, "_view_id": "choice", "config": {"choice_style": "single"}}
    found = [
        {**base, "image": f"images/{name}", "_input_hash": i, "_task_hash": 2 * i, "accept": [label], "answer": "accept",
         "_annotator_id": f"kinds-p{a}", "_session_id": f"kinds-p{a}"}
        for i, name, a, label in every()
    ]  # fmt: skip
    found.append(
        {
            **base,
            "image": f"images/{names()[0]}",
            "_input_hash": 0,
            "_task_hash": 0,
            "accept": [],
            "answer": "ignore",
        }
    )
    lines(root, "kinds.jsonl", found)


def dcic(root):
    """The layout of the DCIC benchmark."""
    (root / "fold1").mkdir()
    for name in names():
        (root / name).rename(root / "fold1" / name)
    dumped(root, "annotations.json", [
        {"name": f"p{a}", "annotations": [
            {"image_path": f"Kinds/fold1/{name}", "class_label": said(i, a)} for i, name in enumerate(names())]}
        for a in range(3)
    ])  # fmt: skip


def annotators_in_columns(root):
    """A line for each image and a column for each reader."""
    rows = [[name, *(said(i, a) for a in range(3))] for i, name in enumerate(names())]
    written(root, "readings.csv", ["image", "anna", "ben", "carla"], rows)


def labels_in_columns(root):
    """label_1 to label_3: votes of nobody in particular."""
    rows = [[name, *(said(i, a) for a in range(3))] for i, name in enumerate(names())]
    written(root, "readings.csv", ["image", "label_1", "label_2", "label_3"], rows)


def file_per_reader(root):
    """A table of each reader."""
    for a, who in enumerate(("anna", "ben", "carla")):
        written(
            root, f"{who}.csv", ["image", "label"], [[name, said(i, a)] for i, name in enumerate(names())]
        )


def folder_per_class_per_reader(root):
    """READER/CLASS/image: everybody has sorted a copy of the images."""
    for i, name in enumerate(names()):
        content = (root / name).read_bytes()
        (root / name).unlink()
        for a, who in enumerate(("anna", "ben", "carla")):
            place = root / who / said(i, a)
            place.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content)


def json_records(root):
    """A list of plain objects."""
    dumped(root, "votes.json", [{"image": n, "annotator": f"p{a}", "label": k} for _, n, a, k in every()])


def json_lines(root):
    """The same, an object a line."""
    lines(
        root, "annotations.jsonl", [{"image": n, "annotator": f"p{a}", "label": k} for _, n, a, k in every()]
    )


def _counts(i):
    return {k: n for k in LABELS if (n := sum(said(i, a) == k for a in range(3)))}


def json_counts(root):
    """An object of counts for each image; a class that nobody chose is not in it."""
    dumped(root, "votes.json", {n: _counts(i) for i, n in enumerate(names())})


def json_annotators(root):
    """An object of annotators for each image."""
    dumped(root, "votes.json", {n: {f"p{a}": said(i, a) for a in range(3)} for i, n in enumerate(names())})


def json_labels(root):
    """A line for each image, with a list of labels."""
    lines(
        root,
        "v.jsonl",
        [{"image": n, "id": i, "labels": [said(i, a) for a in range(3)]} for i, n in enumerate(names())],
    )


def json_votes(root):
    """A list of images, each with a list of votes."""
    votes = [[{"annotator": f"p{a}", "label": said(i, a)} for a in range(3)] for i in range(len(names()))]
    dumped(root, "votes.json", [{"image": n, "annotations": v} for n, v in zip(names(), votes, strict=True)])


def packed(root):
    """CSV packed with gzip."""
    _frame().to_csv(root / "annotations.csv.gz", index=False)


def _frame():
    import pandas as pd

    return pd.DataFrame([(n, f"p{a}", k) for _, n, a, k in every()], columns=["image", "annotator", "label"])


def parquet(root):
    """A parquet file."""
    _frame().to_parquet(root / "votes.parquet", index=False)


def excel(root):
    """A sheet of Excel."""
    _frame().to_excel(root / "votes.xlsx", index=False)


# Builder, and how many annotators are named.
EXPORTS = {
    label_studio: 3, label_studio_old: 3, label_studio_min: 3, label_studio_csv: 3, mturk: 3, mturk_flags: 3,
    mturk_json: 3, zooniverse: 3, zooniverse_extracts: 3, zooniverse_reductions: 0, toloka: 3, cvat: 3, via: 3,
    via_csv: 3, doccano: 3, prodigy: 3, dcic: 3, annotators_in_columns: 3, labels_in_columns: 0, file_per_reader: 3,
    folder_per_class_per_reader: 3, json_records: 3, json_lines: 3, packed: 3, parquet: 3, excel: 3,
    json_counts: 0, json_annotators: 3, json_labels: 0, json_votes: 3,
}  # fmt: skip
NEEDS = {parquet: "pyarrow", excel: "openpyxl"}
