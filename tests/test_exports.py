"""Every export that is known here gives the same votes, is named, and converts to the plain table."""

import json
import sys

import exports
import numpy as np
import pandas as pd
import pytest
from exports import said
from softlabels import cli
from softlabels.datasets import folder, formats
from softlabels.labels import votes as labels
from softlabels.owndata import check
from vote_folders import LABELS, N, images, long_table, names

pytestmark = pytest.mark.usefixtures("store")
EXPECTED = np.array([[sum(said(i, a) == label for a in range(3)) for label in LABELS] for i in range(N)])
BUILDERS = pytest.mark.parametrize("build", exports.EXPORTS, ids=lambda b: b.__name__)


def built(build, root):
    if build in exports.NEEDS:
        pytest.importorskip(exports.NEEDS[build], reason="the extra `formats` is not installed")
    build(images(root))
    return root


@BUILDERS
def test_an_export_is_read_as_it_is(build, tmp_path):
    found = folder.read(built(build, tmp_path / "w"))
    assert not found.problems, found.problems
    order = np.argsort([file.rpartition("/")[2] for file in found.files])  # a reader's folder comes first
    assert len(found) == N and found.classes == LABELS and np.array_equal(found.counts[order], EXPECTED)
    assert len(found.annotators) == exports.EXPORTS[build]
    if found.annotators:
        a = found.annotations
        assert np.array_equal(labels.counts(a.image, a.label, N, 3)[order], EXPECTED)
        # The third person is the one who says something else of some images.
        third = a.annotator == 2
        of_image = dict(zip(a.image[third].tolist(), a.label[third].tolist(), strict=True))
        assert [LABELS[of_image[i]] for i in order.tolist()] == [said(i, 2) for i in range(N)]
    if build is not exports.dcic:
        text = check.text(check.inspect(tmp_path / "w"))
        assert "votes read as" in text and "No problems" in text


@BUILDERS
def test_an_export_is_converted_to_the_plain_table(build, tmp_path, capsys):
    root = built(build, tmp_path / "w")
    assert cli.main(["convert", str(root), "-o", str(tmp_path / "votes.csv")]) == 0
    out = capsys.readouterr().out
    assert f"{3 * N} votes" in out and f"on {N} images for 3 classes" in out
    lines = (tmp_path / "votes.csv").read_text().splitlines()
    assert (
        lines[0] == ("image,annotator,label" if exports.EXPORTS[build] else "image,label")
        and len(lines) == 3 * N + 1
    )
    plain = (
        images(tmp_path / "plain")
        if build.__name__ not in ("zooniverse_extracts", "zooniverse_reductions")
        else root
    )
    (plain / "votes-long.csv").write_text("\n".join(lines))
    again = folder.read(plain)
    assert not again.problems and np.array_equal(again.counts, EXPECTED)


def test_what_is_left_out_is_said(tmp_path):
    exports.label_studio(images(tmp_path / "ls"))
    [note] = folder.read(tmp_path / "ls").notes
    assert (
        "12 predictions of a model" in note
        and "12 cancelled" in note
        and "36 results of type rectanglelabels" in note
    )
    exports.mturk(images(tmp_path / "mt"))
    assert "1 rejected assignments" in folder.read(tmp_path / "mt").notes[0]
    exports.toloka(images(tmp_path / "to"))
    notes = " ".join(folder.read(tmp_path / "to").notes)
    assert "3 votes are on control tasks" in notes and "1 rejected" in notes


def choices(*values, who=0):
    result = [{"from_name": "kind", "type": "choices", "value": {"choices": list(values)}}]
    return {"completed_by": who, "result": result}


def test_several_classes_in_one_vote_are_no_vote(tmp_path):
    tasks = [{"data": {"image": name}, "annotations": [choices("cat", "dog")]} for name in names()]
    exports.dumped(images(tmp_path / "w"), "annotations.json", tasks)
    found = folder.read(tmp_path / "w")
    assert {"several classes in one vote"} <= {p.kind for p in found.problems}


def test_of_two_questions_one_is_asked_for_and_the_remedy_works(tmp_path, capsys):
    tasks = []
    for i, name in enumerate(names()):
        done = [choices(said(i, a), who=a) for a in range(3)]
        for one in done:
            one["result"].append({"from_name": "quality", "type": "choices", "value": {"choices": ["good"]}})
        tasks.append({"data": {"image": name}, "annotations": done})
    exports.dumped(images(tmp_path / "w"), "annotations.json", tasks)
    [question] = folder.read(tmp_path / "w").problems
    assert "2 questions ('kind', 'quality'): whose answers are the votes?" in question.found
    import shlex

    assert cli.main(shlex.split(question.remedy.partition("softlabels ")[2])) == 0
    found = folder.read(tmp_path / "w")
    assert not found.problems and np.array_equal(found.counts, EXPECTED)


def test_boxes_only_are_no_votes(tmp_path):
    box = {"from_name": "b", "type": "rectanglelabels", "value": {"rectanglelabels": ["nose"]}}
    tasks = [
        {"data": {"image": name}, "annotations": [{"completed_by": 1, "result": [box]}]} for name in names()
    ]
    exports.dumped(images(tmp_path / "w"), "annotations.json", tasks)
    found = folder.read(tmp_path / "w")
    assert found.unreadable and "no vote on an image" in found.problems[0].found


def test_prodigys_yes_and_no_is_a_vote_of_two_classes(tmp_path):
    rows = [
        {"image": name, "label": "cat", "_task_hash": i, "_annotator_id": f"p{a}",
         "answer": "accept" if said(i, a) == "cat" else "reject"}
        for i, name in enumerate(names()) for a in range(3)
    ]  # fmt: skip
    exports.lines(images(tmp_path / "w"), "a.jsonl", rows)
    found = folder.read(tmp_path / "w")
    assert found.classes == ("cat", "not cat") and not found.problems
    assert np.array_equal(found.counts[:, 0], EXPECTED[:, 0])


@pytest.mark.parametrize(
    ("first", "second"),
    [("labels", "labels_old"), ("votes", "votes (1)"), ("train", "test"), ("a", "a_backup"), ("old", "new")],
)
def test_versions_of_a_table_are_not_two_readers(first, second, tmp_path):
    root = images(tmp_path / "w")
    for a, name in enumerate((first, second)):
        rows = [[n, said(i, 2 * a)] for i, n in enumerate(names())]
        exports.written(root, f"{name}.csv", ["image", "label"], rows)
    assert (
        folder.read(root).unreadable and "several files of annotations" in folder.read(root).problems[0].found
    )


def test_one_file_twice_is_not_two_readers(tmp_path):
    root = images(tmp_path / "w")
    for name in ("anna", "ben"):
        exports.written(
            root, f"{name}.csv", ["image", "label"], [[n, said(i, 0)] for i, n in enumerate(names())]
        )
    [problem] = folder.read(root).problems
    assert problem.kind == "two files alike" and "'anna.csv' of every image: is it a copy?" in problem.found


def test_copies_of_one_name_that_differ_are_not_one_image(tmp_path):
    root = images(tmp_path / "w")
    exports.folder_per_class_per_reader(root)
    [place] = root.glob(f"ben/*/{names()[3]}")
    place.write_bytes(next(root.glob(f"ben/*/{names()[4]}")).read_bytes())
    assert {p.kind for p in folder.read(root).problems} == {"copies that differ"}


@pytest.mark.parametrize(("name", "library"), [("votes.parquet", "pyarrow"), ("votes.xlsx", "openpyxl")])
def test_what_needs_an_extra_names_it(name, library, tmp_path, monkeypatch):
    pytest.importorskip(library, reason="the extra `formats` is not installed")
    root = images(tmp_path / "w")
    (exports.parquet if library == "pyarrow" else exports.excel)(root)
    for module in [m for m in sys.modules if m.split(".")[0] == library]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    if library == "pyarrow":
        monkeypatch.setitem(sys.modules, "fastparquet", None)
    [problem] = folder.read(root).problems
    assert 'pip install "softlabels[formats]"' in problem.remedy


def test_numbers_of_a_box_are_no_labels(tmp_path):
    root = images(tmp_path / "w")
    exports.dumped(root, "boxes.json", [{"image": n, "bbox": [1, 2, 3, 4]} for n in names()])
    [problem] = folder.read(root).problems
    assert "no export that is known here" in problem.found


def test_an_image_of_another_shape_than_the_others_is_not_guessed(tmp_path):
    root = images(tmp_path / "w")
    first, *others = names()
    exports.dumped(root, "votes.json", {first: ["cat"]} | {n: {"cat": 1, "dog": 2} for n in others})
    assert folder.read(root).unreadable


def test_the_sheet_with_images_is_read(tmp_path):
    pytest.importorskip("openpyxl", reason="the extra `formats` is not installed")
    root = images(tmp_path / "w")
    exports.excel(root)
    votes = pd.read_excel(root / "votes.xlsx")
    with pd.ExcelWriter(root / "votes.xlsx") as book:
        pd.DataFrame({"who": ["us"]}).to_excel(book, sheet_name="About", index=False)
        votes.to_excel(book, sheet_name="Votes", index=False)
    found = folder.read(root)
    assert "sheet 'Votes'" in check.text(check.inspect(root))
    assert not found.problems and found.counts.sum() == len(votes)


def test_damaged_containers_are_named(tmp_path):
    root = images(tmp_path / "w")
    for name, content in {"v.csv.gz": b"image,label", "v.json": b"{", "v.xml": b"<annotations>"}.items():
        (root / name).write_bytes(content)
        found = folder.read(root)
        assert found.unreadable and found.problems and found.problems[0].file == name
        (root / name).unlink()


def test_an_xml_file_that_grows_is_refused(tmp_path):
    root = images(tmp_path / "w")
    (root / "a.xml").write_text(
        '<!DOCTYPE a [<!ENTITY b "cc">]><annotations><image name="&b;"/></annotations>'
    )
    assert "a document type" in folder.read(root).problems[0].found


# The command.


def test_convert_writes_nothing_where_a_doubt_is_left(tmp_path, capsys):
    root = images(tmp_path / "w")
    (root / "votes.csv").write_text(long_table().replace("annotator,label", "who,verdict"))
    assert cli.main(["convert", str(root), "-o", str(tmp_path / "out.csv")]) == 1
    assert "is 'verdict' the label" in capsys.readouterr().err and not (tmp_path / "out.csv").exists()
    assert cli.main(["convert", str(root / "votes.csv"), "-o", str(root / "votes.csv"),
                     "--columns", "image=image,annotator=who,label=verdict"]) == 1  # fmt: skip
    assert "this is what is read" in capsys.readouterr().err


def test_convert_of_a_file_alone_needs_no_images(tmp_path, capsys):
    (tmp_path / "x.csv").write_text("pic;who;what\na.png;x;1.0\na.png;y;2\nb.png;x;1\n")
    columns = "image=pic,annotator=who,label=what"
    assert (
        cli.main(["convert", str(tmp_path / "x.csv"), "-o", str(tmp_path / "v.csv"), "--columns", columns])
        == 0
    )
    assert (tmp_path / "v.csv").read_text() == "image,annotator,label\na.png,x,1\na.png,y,2\nb.png,x,1\n"


@pytest.mark.parametrize("path", ["nowhere.csv", "."])
def test_convert_of_nothing(path, tmp_path, capsys):
    assert cli.main(["convert", str(tmp_path / path), "-o", str(tmp_path / "v.csv")]) == 1
    assert "softlabels: " in capsys.readouterr().err


def test_every_format_has_a_name_of_its_own_and_sniffs_only_its_own(tmp_path):
    known = [f.name for f in formats.FORMATS]
    assert len(set(known)) == len(known)
    own = {
        exports.label_studio: "label-studio",
        exports.label_studio_min: "label-studio-min",
        exports.label_studio_csv: "label-studio-min",
        exports.mturk: "mturk",
        exports.toloka: "toloka",
        exports.zooniverse: "zooniverse",
        exports.zooniverse_extracts: "zooniverse-flat",
        exports.cvat: "cvat",
        exports.via: "via",
        exports.via_csv: "via-csv",
        exports.prodigy: "prodigy",
        exports.doccano: "doccano",
        exports.json_counts: "by-image",
        exports.json_votes: "by-image",
        exports.json_records: "records",
        exports.annotators_in_columns: "table",
    }
    for build, name in own.items():
        root = images(tmp_path / build.__name__)
        build(root)
        for path in root.iterdir():
            if formats.suffix(path) in formats.OPENED:
                assert formats.named(path) == name, path
    assert json.dumps(known)
