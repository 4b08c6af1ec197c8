"""`softlabels check`: every problem in one pass, nothing changed, no traceback, no wrong success."""

import csv
import html.parser
import io
import json
import re
import shutil
import struct
import zlib

import numpy as np
import pytest
from dcic_folders import edit
from dcic_folders import write as write_dcic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from softlabels import cli, datasets
from softlabels.datasets.collection import Problem
from softlabels.errors import SoftlabelsError
from softlabels.owndata import check
from vote_folders import N, images, long_table, wide_table, write

pytestmark = pytest.mark.usefixtures("store")


def snapshot(root):
    return {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in root.rglob("*") if p.is_file()}


def checked(root, capsys, tmp_path):
    """Status and terminal text of the command; the folder must be as before, and loading must agree."""
    before = snapshot(root)
    status = cli.main(["check", str(root), "--html", str(tmp_path / "check.html")])
    assert snapshot(root) == before
    if status == check.FINE:
        datasets.load(f"folder:{root}", image_size=8)
    else:
        with pytest.raises(SoftlabelsError):
            datasets.load(f"folder:{root}", image_size=8)
    return status, capsys.readouterr().out


def test_good_data(tmp_path, capsys):
    status, out = checked(write(tmp_path / "good"), capsys, tmp_path)
    assert status == 0 and "No problems. The data can be loaded." in out
    for words in (
        "images                           12",
        "3 to 3, median 3.0",
        "annotators                       3",
    ):
        assert words in out
    page = (tmp_path / "check.html").read_text()
    assert "Krippendorff" in page and "http" not in page.replace("http-equiv", "")


@pytest.mark.parametrize("sign", [";", " / ", "+"])
def test_a_vote_for_several_classes_is_told(sign, tmp_path, capsys):
    both = insert(2, f"img01.png,ann9,cat{sign}dog")
    status, out = checked(both(tmp_path / "both") or tmp_path / "both", capsys, tmp_path)
    assert status == 0 and f"'cat{sign}dog' joins other classes" in " ".join(out.split())


def changed(change, table=long_table):
    def build(root):
        write(root, change(table()))

    return build


def lines(change, table=long_table):
    def edited(text):
        rows = text.splitlines()
        change(rows)
        return "\n".join(rows)

    return changed(edited, table)


def insert(at, row, table=long_table):
    return lines(lambda rows: rows.insert(at, row), table)


def replaced(at, row, table=long_table):
    return lines(lambda rows: rows.__setitem__(at, row), table)


def raw(content):
    def build(root):
        images(root)
        (root / "annotations.csv").write_bytes(content)

    return build


def damaged(change):
    """Good data, then something done to the folder."""

    def build(root):
        write(root)
        change(root)

    return build


def file(name, content):
    return damaged(lambda root: (root / name).write_bytes(content))


def bones(change):
    """Good data in the DCIC layout, then something done to it."""

    def build(root):
        write_dcic(root.parent, root.name)
        change(root)

    return build


def entry(**values):
    return bones(lambda root: edit(root, lambda sets: sets[0]["annotations"][0].update(values)))


def session(**values):
    return bones(lambda root: edit(root, lambda sets: sets[0].update(values)))


def bones_json(text):
    content = text if isinstance(text, bytes) else text.encode()
    return bones(lambda root: (root / "annotations.json").write_bytes(content))


PIXELS = struct.pack(">I", 10) + b"IDAT" + bytes(10)


def png(width, height):
    """A PNG that claims a size and has no pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + PIXELS
    )


def zeros_lost(root):
    write(root, long_table().replace("img01.png", "7"))
    (root / "img01.png").rename(root / "007.png")


def float_tiff(root):
    Image.fromarray(np.zeros((8, 8), np.float32)).save(root / "img00.tif")
    (root / "img00.png").unlink()


def truncated(root):
    path = root / "img00.png"
    path.write_bytes(path.read_bytes()[:-30])


def flipped(root):
    path = root / "img00.png"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def same_stem(root):
    shutil.copy(root / "img00.png", root / "img00.jpg")
    text = (root / "annotations.csv").read_text()
    (root / "annotations.csv").write_text(text.replace("img00.png", "img00"))


def few(root):
    for i in range(4):
        (root / f"img{i:02d}.png").unlink()


def no_folds(root):
    for i in range(1, 6):
        shutil.rmtree(root / f"fold{i}")


def deeper(root):
    (root / "sub").mkdir()
    shutil.copy(root / "img00.png", root / "sub" / "img00.png")
    (root / "sub2").mkdir()
    (root / "img00.png").rename(root / "sub2" / "img00.png")


# name: (how it is built, status, a part of what is said)
MALFORMED = {
    # the table as a file
    "empty file": (raw(b""), 2, "no line below the header"),
    "blank file": (raw(b"\n\n \n"), 2, "columns|no line"),
    "header only": (raw(b"image,annotator,label\n"), 2, "no line below the header"),
    "zero byte": (raw(b"image,label\nimg00.png,\0cat\n"), 2, "line 2: a zero byte"),
    "latin-1": (raw("image,label\nimg00.png,Bär\n".encode("latin-1")), 2, "line 2: byte 23 is no UTF-8"),
    "utf-16": (raw("image,label\n".encode("utf-16")), 2, "is no UTF-8"),
    "binary": (raw(bytes(range(256)) * 20), 2, "no UTF-8"),
    "an excel file": (raw(b"PK\x03\x04\x14\x00\x06\x00\xff\xfe"), 2, "no UTF-8"),
    "html": (raw(b"<html><body>Sign in</body></html>"), 2, "name the column of image files"),
    "json": (raw(b'[{"image": "a"}]'), 2, "name the column of image files"),
    "open quote": (insert(3, '"img00.png,ann9,cat'), 1, "check the quotation marks"),
    "text after quote": (insert(3, '"img00.png"x,ann9,cat'), 1, "line 4: .*check the quotation marks"),
    "huge cell": (
        insert(3, "img00.png,ann9," + "x" * 200_000),
        1,
        "line 4: a label of more than 200 characters",
    ),
    # its header
    "no header": (lines(lambda rows: rows.pop(0)), 2, "--no-header --columns image=1,annotator=2,label=3"),
    "no image column": (replaced(0, "file,annotator,label"), 1, "no column 'image'; is it 'file'?"),
    "no label column": (replaced(0, "image,annotator,class"), 1, "is 'class' the label"),
    "column twice": (replaced(0, "image,label,label"), 2, "column 'label' occurs twice"),
    "image twice in the header": (replaced(0, "image,image,label"), 2, "column 'image' occurs twice"),
    "column without a name": (replaced(0, "image,,label"), 1, "a column without a name"),
    "annotator misspelt": (replaced(0, "image,anotator,label"), 1, "no column 'annotator'; is it 'anotator'"),
    "two separators": (replaced(0, "image;annotator,label"), 2, "name the column"),
    "wide with label": (replaced(0, "image,label,dog,owl", wide_table), 1, "are the counts the votes"),
    "wide with one class": (
        raw(b"image,cat\n" + b"".join(b"img%02d.png,3\n" % i for i in range(N))),
        1,
        "1 classes",
    ),
    # its rows
    "cell missing": (insert(2, "img00.png,ann9"), 1, "line 3: 2 cells, expected 3"),
    "cell too many": (insert(2, "img00.png,ann9,cat,1"), 1, "line 3: 4 cells, expected 3"),
    "decimal comma": (insert(2, "img00.png,ann9,0,5"), 1, "line 3: 4 cells"),
    "empty image": (insert(2, ",ann9,cat"), 1, "line 3: there is no image ''"),
    "empty annotator": (insert(2, "img00.png,,cat"), 1, "line 3: no annotator"),
    "empty label": (insert(2, "img00.png,ann9,"), 1, "line 3: no label"),
    "space as label": (insert(2, "img00.png,ann9,   "), 1, "line 3: no label"),
    "unknown image": (insert(2, "img99.png,ann9,cat"), 1, "line 3: there is no image 'img99.png'"),
    "image in capitals": (
        insert(2, "IMG01.png,ann9,cat"),
        1,
        "line 3: there is no image 'IMG01.png', but 'img01.png'; write it as the file is called",
    ),
    "zeros lost": (zeros_lost, 1, "there is no image '7', but '007.png'"),
    "image outside": (insert(2, "../../etc/passwd,ann9,cat"), 1, "there is no image '../../etc/passwd'"),
    "absolute path": (insert(2, "/etc/passwd,ann9,cat"), 1, "there is no image '/etc/passwd'"),
    "web address": (insert(2, "https://x.example/a.png,ann9,cat"), 1, "there is no image 'https"),
    "judged twice": (insert(2, "img00.png,ann0,cat"), 1, "has judged 'img00.png' in line 2|in line 3"),
    "contradiction": (insert(4, "img00.png,ann1,dog"), 1, "annotator 'ann1' has judged"),
    "two lines alike": (lines(lambda rows: rows.append(rows[1])), 1, "in line 2; keep one"),
    "not annotated": (lines(lambda rows: rows.__delitem__(slice(1, 4))), 1, "img00.png: no annotation"),
    "labels differ in case": (insert(2, "img00.png,ann9,Cat"), 1, "'Cat' and 'cat' differ only in case"),
    "labels differ in spaces": (
        changed(lambda t: t.replace("ann0,cat", "ann0,big cat").replace("ann1,cat", "ann1,big  cat")),
        1,
        "differ only in case or spaces",
    ),
    "one class": (changed(lambda t: re.sub("dog|owl", "cat", t)), 1, "1 classes"),
    "labels are names of files": (
        lines(lambda rows: rows.extend(f"img{i % N:02d}.png,x{i},c{i}" for i in range(1100))),
        1,
        "is the right column taken",
    ),
    # counts
    "negative": (replaced(1, "img00.png,-1,2,1", wide_table), 1, "line 2: '-1' for class 'cat'"),
    "fraction": (replaced(1, "img00.png,0.5,0.5,0", wide_table), 1, "line 2: '0.5' for class 'cat'"),
    "percent": (replaced(1, "img00.png,50%,50%,0", wide_table), 1, "expected a count"),
    "nan": (replaced(1, "img00.png,nan,1,1", wide_table), 1, "'nan' for class"),
    "infinity": (replaced(1, "img00.png,inf,1,1", wide_table), 1, "'inf' for class"),
    "word": (replaced(1, "img00.png,many,1,1", wide_table), 1, "'many' for class"),
    "empty count": (replaced(1, "img00.png,,1,1", wide_table), 1, "'' for class"),
    "huge count": (replaced(1, "img00.png,99999999999999999999,1,1", wide_table), 1, "expected a count"),
    "exponent": (replaced(1, "img00.png,1e3,1,1", wide_table), 1, "'1e3' for class"),
    "hexadecimal": (replaced(1, "img00.png,0x1,1,1", wide_table), 1, "'0x1' for class"),
    "underscore": (replaced(1, "img00.png,1_0,1,1", wide_table), 1, "'1_0' for class"),
    "other digits": (replaced(1, "img00.png,٣,1,1", wide_table), 1, "expected a count"),
    "superscript": (replaced(1, "img00.png,²,1,1", wide_table), 1, "expected a count"),
    "formula": (replaced(1, 'img00.png,"=1+1",1,1', wide_table), 1, "expected a count"),
    "all zero": (replaced(1, "img00.png,0,0,0", wide_table), 1, "img00.png: no annotation"),
    "image twice": (insert(2, "img00.png,1,1,1", wide_table), 1, "stands in line 2 too"),
    "wide with a cell missing": (replaced(1, "img00.png,1,1", wide_table), 1, "3 cells, expected 4"),
    # images
    "no images": (damaged(lambda root: [p.unlink() for p in root.glob("*.png")]), 2, "no image in"),
    "image missing": (
        damaged(lambda root: (root / "img05.png").unlink()),
        1,
        "there is no image 'img05.png'",
    ),
    "stray image": (
        damaged(lambda root: shutil.copy(root / "img00.png", root / "x.png")),
        1,
        "x.png: no",
    ),
    "same stem": (damaged(same_stem), 1, "'img00' is the name of 2 images"),
    "same name in two folders": (damaged(deeper), 1, "'img00.png' is the name of 2 images"),
    "few images": (
        damaged(lambda root: [(root / f"img{i:02d}.png").unlink() for i in range(4)]),
        1,
        "8 images",
    ),
    "text as image": (file("img00.png", b"hello"), 1, "img00.png: no image that can be read"),
    "empty image file": (file("img00.png", b""), 1, "img00.png: no image that can be read"),
    "html as image": (file("img00.png", b"<html></html>"), 1, "no image that can be read"),
    "postscript as image": (
        file("img00.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n"),
        1,
        "no image",
    ),
    "gif as image": (
        file("img00.png", b"GIF89a\x08\x00\x08\x00\x00\x00\x00;"),
        1,
        "no image that can be read",
    ),
    "svg as image": (file("img00.png", b"<svg xmlns='x'/>"), 1, "no image that can be read"),
    "truncated": (damaged(truncated), 1, "img00.png: .*replace the file"),
    "flipped byte": (damaged(flipped), 1, "img00.png: .*replace the file"),
    "large": (file("img00.png", png(9000, 9000)), 1, "9000 x 9000 pixels, more than"),
    "bomb": (file("img00.png", png(60_000, 60_000)), 1, "img00.png: .*pixels"),
    "bomb beyond Pillow": (file("img00.png", png(2**31 - 1, 2**31 - 1)), 1, "img00.png: "),
    "no size": (file("img00.png", png(0, 0)), 1, "img00.png: "),
    "header only image": (file("img00.png", png(8, 8)), 1, "img00.png: "),
    "float image": (damaged(float_tiff), 1, "floating-point intensities"),
    "image is a broken link": (
        damaged(lambda root: [(root / "img00.png").unlink(), (root / "img00.png").symlink_to("gone")]),
        1,
        "there is no image 'img00.png'",
    ),
    "image is a folder": (
        damaged(lambda root: [(root / "img00.png").unlink(), (root / "img00.png").mkdir()]),
        1,
        "there is no image",
    ),
    # the folder
    "empty folder": (lambda root: root.mkdir(), 2, "no annotations"),
    "images only": (images, 2, "put annotations.json .* or a CSV file"),
    "two tables": (
        damaged(
            lambda root: (
                [(root / n).write_text(long_table()) for n in ("a.csv", "b.csv")]
                and (root / "annotations.csv").unlink()
            )
        ),
        2,
        "several files of annotations: a.csv, b.csv",
    ),
    "both layouts": (file("annotations.json", b"[]"), 2, "several files of annotations"),
    # the DCIC layout
    "json empty": (bones_json(""), 2, "line 1: broken JSON"),
    "json cut off": (bones_json('[{"name": "a", "annotations": [{'), 2, "broken JSON: .* at column"),
    "json with a comma": (bones_json("[1,]"), 2, "broken JSON"),
    "json a number": (bones_json("3"), 2, "expected a list of annotation sets, found '3'"),
    "json null": (bones_json("null"), 2, "expected a list of annotation sets"),
    "json an object": (bones_json("{}"), 2, "expected a list of annotation sets, found dict"),
    "json an empty list": (bones_json("[]"), 1, "no annotation in annotations.json"),
    "json of numbers": (bones_json("[1, 2]"), 2, r"annotations.json\[0\]: expected an annotation set"),
    "json not UTF-8": (bones_json(b'["\xff"]'), 2, "byte 2 is no UTF-8"),
    "json UTF-16": (bones_json("[]".encode("utf-16")), 2, "no UTF-8"),
    "json deep": (bones_json("[" * 100_000), 2, "JSON"),
    "json huge number": (bones_json('[{"name":"a","annotations":[' + "9" * 5000 + "]}]"), 2, "JSON|expected"),
    "no name": (session(name=None), 1, r"\[0\].name: expected a set with a name"),
    "name a number": (session(name=7), 1, r"\[0\].name: expected"),
    "annotations an object": (session(annotations={}), 1, r"\[0\]: expected an annotation set"),
    "entries null": (session(annotations=[None]), 1, r"annotations\[0\]: expected image_path"),
    "path a number": (entry(image_path=3), 1, "expected image_path and class_label"),
    "path empty": (entry(image_path=""), 1, "expected a path such as"),
    "path without fold": (entry(image_path="Mine/img00.png"), 1, "expected a path such as"),
    "path outside": (entry(image_path="../../fold1/img00.png"), 1, "expected a path such as"),
    "path unknown": (entry(image_path="Mine/fold1/other.png"), 1, "there is no image"),
    "label a number": (entry(class_label=1), 1, "expected a class name or null, found '1'"),
    "label a list": (entry(class_label=["g"]), 1, "expected a class name or null, found list"),
    "label true": (entry(class_label=True), 1, "expected a class name or null"),
    "label empty": (entry(class_label=""), 1, "expected a class name or null"),
    "label alike": (entry(class_label="G"), 1, "'G' and 'g' differ only in case"),
    "image outside of folds": (
        bones(lambda root: shutil.copy(root / "fold1" / "img00.png", root / "x.png")),
        1,
        "x.png: not a PNG file in",
    ),
    "jpeg in a fold": (
        bones(lambda root: Image.new("L", (8, 8)).save(root / "fold1" / "x.jpg")),
        1,
        "x.jpg: not a PNG file in",
    ),
    "image in two folds": (
        bones(lambda root: shutil.copy(root / "fold1" / "img00.png", root / "fold2" / "img00.png")),
        1,
        "id 'img00' is also that of",
    ),
    "folds empty": (
        bones(lambda root: [shutil.rmtree(root / f"fold{i}") for i in range(1, 6)]),
        2,
        "no image",
    ),
}


def test_there_are_at_least_a_hundred():
    assert len(MALFORMED) >= 100


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_data_is_refused_with_its_place(name, tmp_path, capsys):
    build, expected, words = MALFORMED[name]
    root = tmp_path / "Mine"
    build(root)
    status, out = checked(root, capsys, tmp_path)
    assert status == expected, out
    assert re.search(words, out), out
    assert "Traceback" not in out and "; " in out, "a remedy follows"


@pytest.mark.parametrize("path", ["/nowhere", "", "\0", "x" * 5000])
def test_a_path_that_leads_nowhere(path, capsys, tmp_path):
    if path == "":
        (tmp_path / "f").write_text("")
        path = str(tmp_path / "f")
    assert cli.main(["check", path, "--html", str(tmp_path / "check.html")]) == 2


def test_all_problems_come_in_one_pass(tmp_path, capsys):
    root = write(tmp_path / "bad", long_table() + "img99.png,ann0,cat\nimg00.png,ann9,\n")
    (root / "img03.png").write_bytes(b"x")
    shutil.copy(root / "img00.png", root / "stray.png")
    out = check.inspect(root)
    assert [p.kind for p in out.problems] == [
        "missing image", "empty label", "image without annotation", "unreadable image"
    ]  # fmt: skip
    assert [p.line for p in out.problems] == [38, 39, None, None]
    assert out.facts, "what is there is described all the same"


def test_the_report_lies_outside(tmp_path, capsys):
    root = write(tmp_path / "good")
    assert cli.main(["check", str(root), "--csv", str(root / "problems.csv")]) == 2
    assert "choose a place outside" in capsys.readouterr().err
    assert cli.main(["check", str(root), "--html", "/proc/no/check.html"]) == 2
    assert "cannot be written" in capsys.readouterr().err


# What the data says never becomes anything else.

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><b>x",
    "&lt;b&gt;",
    "\x1b[31mred\x07",
    "\u202eright-to-left",
    "=HYPERLINK(1)",
    "@SUM(1)",
    "{{7*7}}",
]


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen = set()

    def handle_starttag(self, tag, attrs):
        self.seen |= {tag, *(name for name, _ in attrs)}


ALLOWED = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "strong", "div", "ul", "li"}
ALLOWED |= {"table", "thead", "tbody", "tr", "th", "td", "lang", "charset", "http-equiv", "content", "name"}
ALLOWED |= {"class"}


@pytest.mark.parametrize("word", HOSTILE)
def test_names_stay_text(word, tmp_path, capsys):
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for i, line in enumerate(long_table().splitlines()):
        image, annotator, label = line.split(",")
        writer.writerow([image, annotator if i % 3 or not i else word, word if label == "cat" else label])
    writer.writerow([word, "ann0", "dog"])
    root = write(tmp_path / "w", buffer.getvalue())
    assert (
        cli.main(["check", str(root), "--html", str(tmp_path / "p.html"), "--csv", str(tmp_path / "p.csv")])
        == 1
    )
    out, page = capsys.readouterr().out, (tmp_path / "p.html").read_text()
    assert not {c for c in out if not c.isprintable()} - {"\n"}
    tags = Tags()
    tags.feed(page)
    assert tags.seen <= ALLOWED
    assert not {c for c in page if not c.isprintable()} - {"\n"}


def test_a_table_of_problems_holds_no_formula(tmp_path):
    buffer = io.StringIO()
    words = ["=1+1", "+1", "-1", "@x", " =1", "\t=1", "|x", "fine"]
    check.write_problems([Problem(w, w, w, w, 3) for w in words], buffer)
    rows = list(csv.reader(io.StringIO(buffer.getvalue())))
    assert rows[0] == ["kind", "file", "line", "found", "remedy"] and len(rows) == len(words) + 1
    for row in rows[1:]:
        assert not any(cell.lstrip().startswith(("=", "+", "-", "@", "|")) for cell in row)


def test_a_file_name_that_is_no_unicode(tmp_path, capsys):
    root = write(tmp_path / "w")
    name = bytes(root) + b"/odd\xff.png"
    with open(name, "wb") as stream:  # noqa: PTH123 (Path takes no bytes)
        stream.write((root / "img00.png").read_bytes())
    status, out = checked(root, capsys, tmp_path)
    assert status == 1 and "udcff" in out


# Anything at all.

CELL = st.one_of(
    st.sampled_from(["img00.png", "img01", "cat", "dog", "ann0", "1", "2.0", "-1", "", " ", '"', "=x", "é"]),
    st.text(max_size=6),
)
TABLES = st.lists(st.lists(CELL, max_size=5).map(",".join), max_size=30).map("\n".join)
FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def survives(root):
    """Check and load agree: a status of 0 loads, any other is an error that says why."""
    report = check.inspect(root)
    assert report.status in (0, 1, 2) and bool(report.problems) == bool(report.status)
    assert all(p.found and p.remedy for p in report.problems)
    check.page(report).encode("utf-8")
    check.text(report).encode("utf-8")
    if report.status:
        with pytest.raises(SoftlabelsError):
            datasets.load(f"folder:{root}", image_size=8)
    else:
        assert (datasets.load(f"folder:{root}", image_size=8).counts.sum(1) > 0).all()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return images(tmp_path_factory.mktemp("fuzz") / "w")


@FUZZ
@given(head=st.sampled_from(["image,label", "image,annotator,label", "image,cat,dog", ""]), body=TABLES)
def test_any_table(pictures, head, body):
    (pictures / "annotations.csv").write_bytes(f"{head}\n{body}".encode("utf-8", "surrogatepass"))
    survives(pictures)


@FUZZ
@given(at=st.integers(0, 900), put=st.binary(max_size=8), cut=st.integers(0, 40))
def test_a_good_table_with_anything_in_it(pictures, at, put, cut):
    content = long_table().encode()
    (pictures / "annotations.csv").write_bytes(content[:at] + put + content[at + cut :])
    survives(pictures)


KEYS = ["name", "annotations", "image_path", "class_label"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["name", "annotations", "image_path", "class_label"]), inner, max_size=4
        )
    ),
    max_leaves=25,
)


@pytest.fixture(scope="module")
def bone_folder(tmp_path_factory):
    return write_dcic(tmp_path_factory.mktemp("fuzz"), "Mine", size=8)


@FUZZ
@given(found=JSON)
def test_any_json(bone_folder, found):
    (bone_folder / "annotations.json").write_text(json.dumps(found), encoding="utf-8")
    survives(bone_folder)
