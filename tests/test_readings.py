"""No wrong reading: a table of votes is read as what it is, or refused with a question to be pasted."""

import shlex
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from softlabels import cli
from softlabels.datasets import folder, formats
from softlabels.errors import ConfigError
from softlabels.labels import votes as labels
from softlabels.owndata import check
from vote_folders import LABELS, N, images, long_table, names, said, wide_table, write

pytestmark = pytest.mark.usefixtures("store")
EXPECTED = np.array([[sum(said(i, a) == label for a in range(3)) for label in LABELS] for i in range(N)])
PEOPLE = ("anna", "ben", "carl")


def table(root, lines, name="annotations.csv"):
    images(root)
    (root / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def report(root, **options):
    return check.inspect(root, formats.Options(**options) if options else None)


def kinds(found):
    return {problem.kind for problem in found.problems}


def rows(of, header="image,anna,ben,carl"):
    return [header, *(f"{name},{','.join(str(v) for v in of(i))}" for i, name in enumerate(names()))]


def counts(i):
    return [sum(said(i, a) == label for a in range(3)) for label in LABELS]


def numbers(i):
    return [1 + LABELS.index(said(i, a)) for a in range(3)]


# Which tables are refused with a question, and what is asked.

COUNTS = "image,cat,dog,owl"
# No or yes of three people, of whose sums none is in nine of ten rows.
BALLOTS = ["010", "101", "010", "110", "010", "101", "011", "101", "011", "001", "010", "101"]
SINGLE = ["30", "30", "10", "30", "01", "20", "21", "30", "10", "30", "30", "20"]  # a vote and a truth
QUESTIONS = {
    "class numbers of annotators": (
        rows(numbers),
        "hold whole numbers from 1 to 3",
        "annotators=anna|ben|carl",
    ),
    "class numbers from zero": (
        rows(lambda i: [v - 1 for v in numbers(i)]),
        "hold whole numbers from 0 to 2",
        "annotators=anna|ben|carl",
    ),
    "yes and no of five people": (
        rows(lambda i: [int((i + (a == 4)) % 3 == 0) for a in range(5)], "image,a1x,b1x,c1x,d1x,e1x"),
        "like class numbers",
        "annotators=a1x|b1x|c1x|d1x|e1x",
    ),
    "people called by numbers": (
        rows(lambda i: BALLOTS[i], "image,1,2,3"),
        "are called by numbers, as people may be",
        "",
    ),
    "one vote beside the truth": (
        rows(lambda i: SINGLE[i], "image,label_1,gold"),
        "'label_1' is called like a single vote",
        "",
    ),
    "thirty-nine annotators": (
        rows(
            lambda i: [1 + (i + (a % 7 == 0)) % 4 for a in range(39)],
            "image," + ",".join(f"P{a}x" for a in range(39)),
        ),
        "like class numbers",
        "annotators=",
    ),
    "a total": (
        rows(lambda i: [*counts(i), 3], COUNTS + ",total"),
        "is the sum of the other",
        "counts=cat|dog|owl",
    ),
    "a sum by another name": (
        rows(lambda i: [*counts(i), 3], COUNTS + ",everyone"),
        "'everyone' is the sum of the other",
        "counts=cat|dog|owl",
    ),
    "an index": (
        rows(lambda i: [i, *counts(i)], "image,nr,cat,dog,owl"),
        "'nr' numbers the lines",
        "counts=cat|dog|owl",
    ),
    "an index without a name": (
        rows(lambda i: [i, *counts(i)], "image,,cat,dog,owl"),
        "numbers the lines",
        "counts=",
    ),
    "the number of the largest": (
        rows(lambda i: [*counts(i), int(np.argmax(counts(i)))], COUNTS + ",top"),
        "'top' is the number of the largest",
        "counts=cat|dog|owl",
    ),
    "the same from one": (
        rows(lambda i: [*counts(i), 1 + int(np.argmax(counts(i)))], COUNTS + ",top"),
        "'top' is the number of the largest",
        "counts=cat|dog|owl",
    ),
    "the winner in words": (
        rows(lambda i: [*counts(i), LABELS[int(np.argmax(counts(i)))]], COUNTS + ",winner"),
        "'winner' holds words",
        "counts=cat|dog|owl",
    ),
    "total, index and winner": (
        rows(lambda i: [i, *counts(i), 3, int(np.argmax(counts(i)))], "image,nr,cat,dog,owl,total,top"),
        "numbers the lines",
        "counts=cat|dog|owl",
    ),
    "an entropy": (
        rows(lambda i: [*counts(i), 0.123 + i / 50], COUNTS + ",uncertainty"),
        "'uncertainty' holds fractions",
        "counts=cat|dog|owl",
    ),
    "majority and counts": (
        rows(lambda i: [LABELS[int(np.argmax(counts(i)))], *counts(i)], "image,label,cat,dog,owl"),
        "are the counts the votes",
        "counts=cat|dog|owl",
    ),
    "label and how many": (
        [
            "image,label,count",
            *(f"{n},{k},{c}" for i, n in enumerate(names()) for k, c in zip(LABELS, counts(i), strict=True)),
        ],
        "say how many gave this label",
        "count=count",
    ),
    "worker and answer": (
        [long_table().replace("annotator,label", "worker,answer").strip()],
        "is 'answer' the label and 'worker' the annotator",
        "image=image,annotator=worker,label=answer",
    ),
    "worker and label": (
        [long_table().replace("annotator,", "WorkerId,").strip()],
        "no column 'annotator'; is it 'WorkerId'",
        "annotator=WorkerId",
    ),
    "file": (
        [long_table().replace("image,", "file,").strip()],
        "no column 'image'; is it 'file'",
        "image=file",
    ),
    "any header": (
        [long_table().replace("image,annotator,label", "pic_xy,who,verdict").strip()],
        "is 'verdict' the label and 'who' the annotator",
        "image=pic_xy,annotator=who,label=verdict",
    ),
    "annotators and something else": (
        rows(lambda i: [*(said(i, a) for a in range(3)), "x" * i or "-"], "image,anna,ben,carl,remark"),
        "are columns 'anna', 'ben', 'carl' annotators",
        "annotators=anna|ben|carl",
    ),
    "numbered votes that may be counts": (
        rows(counts, "image,label_1,label_2,label_3"),
        "the votes of an image, or how many",
        "labels=label_1|label_2|label_3",
    ),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_what_a_header_leaves_open_is_asked(name, tmp_path):
    lines, words, remedy = QUESTIONS[name]
    found = report(table(tmp_path / "w", lines))
    assert found.status == check.PROBLEMS, check.text(found)
    text = check.text(found)
    assert "No problems" not in text and words in text and remedy in text, text


# The remedy, pasted as it stands, gives the right votes.

PASTED = {
    name: q
    for name, q in QUESTIONS.items()
    if q[2]
    and name
    not in ("thirty-nine annotators", "yes and no of five people", "numbered votes that may be counts")
}


@pytest.mark.parametrize("name", PASTED)
def test_the_remedy_can_be_pasted_and_is_true(name, tmp_path, capsys):
    root = table(tmp_path / "my data", PASTED[name][0])
    [question] = [p for p in report(root).problems if p.kind == "question about columns"]
    words = shlex.split(question.remedy.partition("softlabels ")[2])
    assert cli.main(words) == 0, capsys.readouterr()
    found = folder.read(root)
    assert not found.problems, found.problems
    assert found.counts.shape == (N, 3) and np.array_equal(found.counts, EXPECTED)


# A class can look like none: it follows from the others by chance, or is called so. Both readings are asked
# about, and the remedy is the one that loses no votes.

CHANCE = {
    "the number of the largest, but for the sum": (
        "cat,dog,owl,split,gold",
        "120t1 210n1 102n1 111n0 102t1 102t1 111n0 102t1 111n0 102n0 210t1 210n1",
        "cat|dog|owl",
        "'cat' is the number of the largest",
    ),
    "largest by the others, but for the sum": (
        "bee,owl,cat,dog",
        "1001 0010 1001 0020 0020 0011 0011 1010 1010 0020 1001 0101",
        "bee|owl|cat|dog",
        "'owl' follows from the largest",
    ),
    "the same beside a number of the largest": (
        "cat,dog,owl,best",
        "0111 2000 2000 2000 0111 1100 1010 0111 2000 2000 2000 0201",
        "cat|dog|owl",
        "'dog' follows from the largest",
    ),
    "without it a sum in common in all rows but one": (
        "owl,cat,dog",
        "121 121 220 300 210 121 022 220 111 111 210 220",
        "owl|cat|dog",
        "'cat' is what keeps the rows from adding up",
    ),
    "no sum in common": (
        "bee,owl,cat,dog",
        "1001 0012 2000 0101 1000 1000 1000 0011 3000 0111 0020 1000",
        "bee|owl|cat|dog",
        "'cat' follows from the largest",
    ),
    "the name of no class": (
        "y,n,unsure,both",
        "0003 0101 0020 0110 2100 1011 1000 0120 0101 0001 1000 0110",
        "y|n|unsure|both",
        "'n' is called like no class",
    ),
    "empty cells for zeros": (
        "cat,dog,owl",
        "12_ 21_ 111 03_ 30_ 12_ 021 21_ 30_ 12_ 111 21_",
        "cat|dog|owl",
        "'owl' is empty in most rows",
    ),
}


@pytest.mark.parametrize("name", CHANCE)
def test_a_confirmed_question_leaves_out_no_class(name, tmp_path):
    header, cells, columns, words = CHANCE[name]
    lines = ["image," + header, *(f"{n},{','.join(c)}" for n, c in zip(names(), cells.split(), strict=True))]
    lines = [line.replace("_", "") for line in lines]
    [question] = [p for p in report(table(tmp_path / "w", lines)).problems if "columns" in p.kind]
    assert words in question.found
    assert question.remedy.endswith(f"--columns 'image=image,counts={columns}'"), question.remedy
    other = "may be no class (then: --columns 'image=image,counts="
    assert (other in question.found) == ("empty" not in name), question.found


def test_a_majority_beside_counts_of_which_one_is_mostly_empty_is_asked_about(tmp_path):
    lines = rows(
        lambda i: [LABELS[np.argmax(counts(i))], *(n or "" for n in counts(i))], "image,label,cat,dog,owl"
    )
    [question] = [p for p in report(table(tmp_path / "w", lines)).problems if "columns" in p.kind]
    assert "are the counts the votes?" in question.found and "counts=cat|dog|owl" in question.remedy


def test_a_reader_with_words_of_their_own_is_not_left_out(tmp_path):
    lines = rows(lambda i: [said(i, 0), said(i, 1), "bird" if i < 2 else said(i, 2)])
    [question] = report(table(tmp_path / "w", lines)).problems
    assert question.remedy.endswith("--columns 'image=image,annotators=anna|ben|carl'")
    assert "'carl' with some words that no other column has; without: --columns" in question.found


def test_names_that_are_numbers_are_offered_as_people_too(tmp_path):
    [question] = report(table(tmp_path / "w", QUESTIONS["people called by numbers"][0])).problems
    assert "(then: --columns 'image=image,annotators=1|2|3')" in question.found


# What is read without a question, and right.

READ = {
    "annotators in words": (rows(lambda i: [said(i, a) for a in range(3)]), LABELS, PEOPLE),
    "annotators in words, ragged": (
        rows(lambda i: [said(i, a) if (i + a) % 4 else "" for a in range(3)]),
        LABELS,
        PEOPLE,
    ),
    "annotators by name of the column": (
        rows(numbers, "image,annotator_1,annotator_2,annotator_3"),
        ("1", "2", "3"),
        ("annotator_1", "annotator_2", "annotator_3"),
    ),
    "raters": (
        rows(numbers, "image,Rater 1,Rater 2,Rater 3"),
        ("1", "2", "3"),
        ("Rater 1", "Rater 2", "Rater 3"),
    ),
    "votes side by side": (
        rows(lambda i: [said(i, a) for a in range(3)], "image,label_1,label_2,label_3"),
        LABELS,
        (),
    ),
    "numbers side by side": (rows(numbers, "image,label_1,label_2,label_3"), ("1", "2", "3"), ()),
    "further columns": (
        [f"{line},2024-01-0{1 + i % 9},{i / 7:.2f},{30 + i % 3}" if i else f"{line},created_at,lead_time,age"
         for i, line in enumerate(long_table().splitlines())],
        LABELS,
        ("ann0", "ann1", "ann2"),
    ),
    "an index before": (
        [f"{i - 1},{line}" if i else f",{line}" for i, line in enumerate(long_table().splitlines())],
        LABELS,
        ("ann0", "ann1", "ann2"),
    ),
    "counts as fractions of one": (rows(lambda i: [f"{v}.0" for v in counts(i)], COUNTS), LABELS, ()),
    "counts of unequal panels": (
        rows(lambda i: [v * (1 + i % 3) for v in counts(i)], COUNTS),
        LABELS,
        (),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_what_is_clear_is_read(name, tmp_path):
    lines, classes, people = READ[name]
    found = folder.read(table(tmp_path / "w", lines))
    assert not found.problems, found.problems
    assert found.classes == classes and found.annotators == people
    factor = [1 + i % 3 for i in range(N)] if "unequal" in name else [1] * N
    whole = EXPECTED * np.array(factor)[:, None]
    if "ragged" in name:
        whole = np.array(
            [[sum(said(i, a) == k and (i + a) % 4 != 0 for a in range(3)) for k in LABELS] for i in range(N)]
        )
    assert np.array_equal(found.counts, whole)
    if people:
        a = found.annotations
        assert np.array_equal(labels.counts(a.image, a.label, N, 3), whole)
    assert found.form and dict(found.taken).get("image") == "image"


def test_the_report_says_what_was_read_and_what_each_column_was_taken_for(tmp_path):
    text = check.text(report(table(tmp_path / "w", READ["further columns"][0])))
    assert "a line for each vote" in text
    assert "image: 'image'; annotator: 'annotator'; label: 'label'" in text
    assert "not read: 'created_at', 'lead_time', 'age'" in text and "No problems" in text


# One label or person is not split in two.


@pytest.mark.parametrize("column", ["label", "annotator"])
def test_a_number_in_two_spellings_is_one(column, tmp_path):
    lines = ["image,annotator,label"]
    for i, name in enumerate(names()):
        for a in range(3):
            number, vote = (f"{a}.0" if i % 2 else f"{a}"), (f"{i % 3}.0" if a else f"{i % 3}")
            lines.append(f"{name},{number},{vote}")
    found = folder.read(table(tmp_path / "w", lines))
    assert not found.problems and found.classes == ("0", "1", "2") and found.annotators == ("0", "1", "2")
    assert found.counts.max(1).tolist() == [3.0] * N
    assert any(f"count as one {column}" in note for note in found.notes)


ALIKE = {
    "case": ("Anna", "anna", "ANNA"),
    "spaces": ("Anna  B", "Anna B", "Anna\tB"),
    "numbers": ("01", "1", "1.00"),
}


@pytest.mark.parametrize("kind", ALIKE)
@pytest.mark.parametrize("column", ["annotators", "classes"])
def test_look_alikes_are_never_read_in_silence(kind, column, tmp_path):
    words = ALIKE[kind]
    lines = ["image,annotator,label"]
    for name in names():
        for k, word in enumerate(words):
            lines.append(
                f"{name},{word},{'cat' if k else 'dog'}" if column == "annotators" else f"{name},p{k},{word}"
            )
    found = report(table(tmp_path / "w", lines))
    assert f"{column} that look alike" in kinds(found), found.problems


# Shares.


def shares(i, digits=2):
    return [f"{v / 3:.{digits}f}" for v in counts(i)]


@pytest.mark.parametrize("digits", [2, 3, 6])
def test_shares_are_read_on_request_only(digits, tmp_path):
    root = table(tmp_path / "w", rows(lambda i: shares(i, digits), COUNTS))
    found = report(root)
    assert kinds(found) == {"shares in place of counts"} and "--fractions N" in check.text(found)
    read = folder.read(root, formats.Options(fractions=3))
    assert not read.problems and np.array_equal(read.counts, EXPECTED)


@pytest.mark.parametrize(
    ("write", "separator"),
    [
        (lambda v: f"{100 * v / 3:.0f}%", ","),
        (lambda v: f"{100 * v / 3:.1f} %", ","),
        (lambda v: f"{100 * v / 3:.1f} %".replace(".", ","), ";"),
        (lambda v: f"{v / 3:.2f}".replace(".", ","), ";"),
        (lambda v: f"{v / 3:.3f}".removeprefix("0").replace(".", ","), "\t"),
    ],
    ids=["percent", "after a blank", "percent with a comma", "decimal comma", "decimal comma without a zero"],
)
def test_percentages_and_decimal_commas_are_shares(write, separator, tmp_path):
    lines = [COUNTS.replace(",", separator)] + [
        separator.join([name, *(write(v) for v in counts(i))]) for i, name in enumerate(names())
    ]
    root = table(tmp_path / "w", lines)
    assert kinds(report(root)) == {"shares in place of counts"}
    read = folder.read(root, formats.Options(fractions=3))
    assert not read.problems and np.array_equal(read.counts, EXPECTED)


def test_whole_percentages_are_counts_until_told_otherwise(tmp_path):
    root = table(tmp_path / "w", rows(lambda i: [round(100 * v / 3) for v in counts(i)], COUNTS))
    found = report(root)
    assert not found.problems and any("Every line adds up to 100" in note for note in found.notes)
    read = folder.read(root, formats.Options(fractions=3))
    assert not read.problems and np.array_equal(read.counts, EXPECTED)
    votes = table(tmp_path / "v", rows(counts, COUNTS))
    assert not any("100" in note for note in report(votes).notes)


def test_a_comma_in_a_number_above_one_is_no_decimal_comma(tmp_path):
    lines = [COUNTS.replace(",", ";"), *(f"{name};1,234;0;2" for name in names())]
    assert "'cat' holds words" in check.text(report(table(tmp_path / "w", lines)))


def test_remarks_above_the_header_are_passed_over(tmp_path):
    lines = rows(lambda i: [said(i, a) for a in range(3)])
    plain = folder.read(table(tmp_path / "a", lines))
    told = folder.read(table(tmp_path / "b", ["# exported in May", "#", *lines]))
    assert not told.problems and np.array_equal(told.counts, plain.counts)
    lines[3] = f"{names()[2]},a"
    found = folder.read(table(tmp_path / "c", ["# exported in May", *lines]))
    assert [p.line for p in found.problems if p.kind == "wrong number of cells"] == [5]


def test_shares_that_do_not_add_up_to_one_are_refused(tmp_path):
    lines = rows(shares, COUNTS)
    lines[3] = f"{names()[2]},0.5,0.4,0.4"
    lines[4] = f"{names()[3]},0.7,0.3,0.0"
    found = folder.read(table(tmp_path / "w", lines), formats.Options(fractions=3))
    said_ = {p.line: p.found for p in found.problems if p.line}
    assert "shares that add up to 1.3, expected 1" in said_[4]
    assert "no whole votes of 3 annotators" in said_[5]


# Votes that tell nothing of a distribution.


@pytest.mark.parametrize(("people", "said_"), [(1, "one annotation"), (3, "are unanimous")])
def test_labels_that_are_the_same_for_both_arms_are_noted(people, said_, tmp_path):
    lines = ["image,annotator,label"]
    lines += [f"{name},p{a},{LABELS[i % 3]}" for i, name in enumerate(names()) for a in range(people)]
    found = report(table(tmp_path / "w", lines))
    assert not found.problems and any(said_ in note for note in found.notes)
    lines[1] = f"{names()[0]},p0,{LABELS[1]}"
    again = report(table(tmp_path / "v", lines))
    assert not any("unanimous" in note for note in again.notes)


# Ties.


def test_the_order_of_the_names_decides_no_tie(tmp_path):
    lines = ["image,annotator,label"]
    for name in names():
        lines += [f"{name},x,a", f"{name},y,b"]
    found = report(table(tmp_path / "w", lines))
    assert [(c, n) for c, n, _ in found.classes] == [("a", N), ("b", N)], "each tied class has the majority"


# Colour of 16 bits.


def png16(path, values, kind):
    """Write a PNG of 16 bits by hand: Pillow cannot."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    height, width = values.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


@pytest.mark.parametrize(("channels", "kind"), [(3, 2), (4, 6), (2, 4)])
def test_colour_of_sixteen_bits_is_scaled_as_grey_is(channels, kind, tmp_path):
    root = write(tmp_path / "w")
    deep = {}
    for i, name in enumerate(names()):
        values = np.random.default_rng(i).integers(0, 4096, (10, 12, channels))
        if channels in (2, 4):
            values[..., -1] = 65535  # opaque
        png16(root / name, values, kind)
        deep[name] = values
    largest = 65535 if channels in (2, 4) else 4095
    data = folder.load(str(root), image_size=None)
    for i, name in enumerate(names()):
        colours = deep[name][..., :3] if channels != 2 else np.repeat(deep[name][..., :1], 3, -1)
        expected = Image.fromarray(np.round(colours * 255 / largest).astype(np.uint8))
        size = data.images.shape[1]
        same = np.asarray(expected.resize((size, size), Image.Resampling.BICUBIC)).astype(int)
        assert np.abs(data.images[i].astype(int) - same).max() <= 1
    text = check.text(report(root))
    assert ";16" in text and "No problems" in text


# Everything wrong in one pass, summarised by its cause.


def test_header_names_and_broken_images_in_one_pass(tmp_path):
    root = table(tmp_path / "w", [long_table().replace("image,", "file,").replace("img05", "img55").strip()])
    (root / "img03.png").write_bytes(b"x")
    (root / "img04.png").write_bytes(b"")
    found = report(root)
    assert {
        "question about columns",
        "missing image",
        "unreadable image",
        "image without annotation",
    } <= kinds(found)


def test_thousands_of_lines_with_one_cause_are_one_line(tmp_path):
    lines = ["image,annotator,label"]
    lines += [f"x{i:05}.png,{a},{(i // 2 + a) % 2}" for i in range(3000) for a in range(3)]
    found = report(table(tmp_path / "w", lines))
    text = check.text(found)
    [line] = [line for line in text.splitlines() if "missing image, 9,000 times" in line]
    assert line.count("there is no image") == 3 and "(line 2)" in line
    assert "as a table with --csv FILE (the HTML report lists 5,000)" in text
    assert len(text.splitlines()) < 40


def test_the_page_names_the_table_that_has_all(tmp_path, capsys):
    lines = ["image,annotator,label", *(f"x{i:05}.png,{i},{i % 2}" for i in range(6000))]
    root = table(tmp_path / "w", lines)
    arguments = ["--html", str(tmp_path / "p.html"), "--csv", str(tmp_path / "all.csv")]
    assert cli.main(["check", str(root), *arguments]) == 1
    assert "more: softlabels check PATH --csv FILE lists all" in (tmp_path / "p.html").read_text()
    assert (tmp_path / "all.csv").read_text().count("there is no image") == 6000


def test_the_remedy_of_an_error_is_quoted(tmp_path):
    (tmp_path / "my data").mkdir()
    with pytest.raises(Exception, match=r"softlabels check '.*my data'"):
        folder.load(str(tmp_path / "my data"))


def test_good_data_are_good_where_no_page_can_be_written(tmp_path, monkeypatch, capsys):
    root = write(tmp_path / "w")
    monkeypatch.setenv("SOFTLABELS_CACHE", "/proc/nothing")
    assert cli.main(["check", str(root)]) == 0
    out = capsys.readouterr().out
    assert "No problems" in out and "--html FILE" in out and "SOFTLABELS_CACHE" in out


# Files: separators, compression, other containers, links, pictures that are not read.


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("annotations.csv", lambda t: "sep=;\n" + t.replace(",", ";")),
        ("annotations.csv", lambda t: t.replace(",", "|")),
        ("annotations.csv", lambda t: t.replace(",", "   ")),
        ("annotations.tsv", lambda t: t.replace(",", "\t")),
        ("annotations.txt", lambda t: t.replace(",", "\t")),
        ("annotations.psv", lambda t: t.replace(",", "|")),
        ("annotations.csv", lambda t: t.replace("\n", "\r")),
        ("Annotations.CSV", lambda t: t),
    ],
)
def test_separators(name, change, tmp_path):
    root = images(tmp_path / "w")
    (root / name).write_bytes(change(long_table()).encode())
    found = folder.read(root)
    assert not found.problems and np.array_equal(found.counts, EXPECTED)


def test_a_long_cell_is_no_fault_and_the_rest_is_looked_at(tmp_path):
    lines = [f'{line},"{"z" * (200_000 if i == 1 else 3)}"' if i else line + ",meta"
             for i, line in enumerate(long_table().splitlines())]  # fmt: skip
    root = table(tmp_path / "w", lines)
    assert not folder.read(root).problems
    (root / "img03.png").unlink()
    assert kinds(report(root)) == {"missing image"}


@pytest.mark.parametrize("at", [2, 20, 36])
def test_after_an_open_quotation_mark_the_other_lines_are_looked_at(at, tmp_path):
    lines = long_table().splitlines()
    lines[at] = f'"{lines[at]}'
    lines[5] = lines[5].replace("img01", "img77")
    found = report(table(tmp_path / "w", lines))
    assert {"broken CSV", "missing image"} <= kinds(found)
    [broken] = [p for p in found.problems if p.kind == "broken CSV"]
    assert broken.line == at + 1


def test_a_linked_folder_is_followed_and_a_circle_ends(tmp_path):
    elsewhere = images(tmp_path / "elsewhere")
    root = tmp_path / "w"
    root.mkdir()
    (root / "images").symlink_to(elsewhere)
    (elsewhere / "again").symlink_to(root)
    (root / "annotations.csv").write_text(long_table())
    found = folder.read(root)
    assert not found.problems and len(found) == N


@pytest.mark.parametrize("suffix", ["gif", "heic", "dcm", "jp2"])
def test_a_picture_that_is_not_read_is_named_with_what_to_do(suffix, tmp_path):
    root = table(tmp_path / "w", [long_table().strip(), *(f"scan.{suffix},ann{a},cat" for a in range(3))])
    (root / f"scan.{suffix}").write_bytes(b"GIF89a")
    found = [p for p in report(root).problems if p.kind == "image that is not read"]
    assert len(found) == 3 and "such files are not read" in found[0].found
    assert ("save it as PNG" in found[0].remedy) or ("export it as PNG" in found[0].remedy)


@pytest.mark.parametrize(
    "name", ["labels.yaml", "votes.xls", "annotations.ods", "votes.pkl", "annotations.npy"]
)
def test_files_of_votes_that_are_not_read_are_named(name, tmp_path):
    root = images(tmp_path / "w")
    (root / name).write_bytes(b"\x80\x04 anything")
    text = check.text(report(root))
    assert f"no annotations that are read ({name})" in text and f"{name}: " in text


# Names of images.

PREFIXES = [
    "https://bucket.example.com/some/dir/{}",
    "https://bucket.example.com/{}?token=abc&x=1",
    "s3://bucket/dir/{}",
    "/srv/somebody/pictures/{}",
    "C:\\Photos\\me\\Pictures\\{}",
    "/data/upload/1/0a1b2c3d-{}",
    "0a1b2c3d-{}",
    "/data/local-files/?d=some/dir/{}",
    "./{}",
    "some/dir/{}",
]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_images_are_found_by_the_last_part_of_their_name(prefix, tmp_path):
    lines = long_table().splitlines()
    lines[1:] = [f"{prefix.format(line.split(',')[0])},{line.split(',', 1)[1]}" for line in lines[1:]]
    found = folder.read(table(tmp_path / "w", lines))
    assert not found.problems and np.array_equal(found.counts, EXPECTED)


@pytest.mark.parametrize("in_table", ["NFC", "NFD"])
@pytest.mark.parametrize("encoded", [False, True])
def test_both_unicode_forms_and_encoded_names_find_their_image(in_table, encoded, tmp_path):
    import unicodedata
    from urllib.parse import quote

    root = images(tmp_path / "w")
    for name in names():
        (root / name).rename(root / unicodedata.normalize("NFD", f"bär {name}"))
    lines = ["image,annotator,label"]
    for line in long_table().splitlines()[1:]:
        word = unicodedata.normalize(in_table, f"bär {line.split(',')[0]}")
        lines.append(f"{'https://x.example/' + quote(word) if encoded else word},{line.split(',', 1)[1]}")
    (root / "annotations.csv").write_text("\n".join(lines), encoding="utf-8")
    found = folder.read(root)
    assert not found.problems and np.array_equal(found.counts, EXPECTED)


def test_two_images_of_one_name_of_which_one_is_missing_are_not_one(tmp_path):
    """train/img00.png and test/img00.png, and only one img00.png is there."""
    lines = long_table().splitlines()
    half = [f"{'train' if i % 2 else 'test'}/{line}" for i, line in enumerate(lines[1:])]
    found = report(table(tmp_path / "w", [lines[0], *half]))
    assert kinds(found) == {"two names of one image"}


def test_everybody_may_have_a_folder_of_their_own(tmp_path):
    lines = long_table().splitlines()
    own = [f"/srv/{line.split(',')[1]}/pictures/{line}" for line in lines[1:]]
    found = folder.read(table(tmp_path / "w", [lines[0], *own]))
    assert not found.problems and np.array_equal(found.counts, EXPECTED)


def test_a_name_in_two_folders_is_told_apart_by_the_folder(tmp_path):
    root = tmp_path / "w"
    for part in ("train", "test"):
        images(root / part)
    lines = ["image,annotator,label"]
    for i, line in enumerate(long_table().splitlines()[1:]):
        lines += [
            f"/srv/x/train/{line}",
            f"https://e.example/a/test/{line.rsplit(',', 1)[0]},{LABELS[i % 3]}",
        ]
    (root / "annotations.csv").write_text("\n".join(lines))
    found = folder.read(root)
    assert not found.problems and len(found) == 2 * N
    train = [i for i, file in enumerate(found.files) if file.startswith("train/")]
    assert np.array_equal(found.counts[train], EXPECTED)


# Options.


def test_a_table_without_header_is_read_on_request(tmp_path):
    root = table(tmp_path / "w", long_table().splitlines()[1:])
    found = report(root)
    assert found.status == check.UNREADABLE
    assert "softlabels convert" in check.text(
        found
    ) and "--no-header --columns image=1,annotator=2,label=3" in check.text(found)
    columns = formats.parse_columns("image=1,annotator=2,label=3")
    read = folder.read(root, formats.Options(columns, header=False))
    assert not read.problems and np.array_equal(read.counts, EXPECTED)


def test_columns_are_named_by_the_user(tmp_path):
    lines = [
        line if i else "file,the worker,answer, given" for i, line in enumerate(long_table().splitlines())
    ]
    lines = ["file;the worker;answer, given", *(line.replace(",", ";") for line in lines[1:])]
    root = table(tmp_path / "w", lines)
    columns = formats.parse_columns("image=file,annotator=the worker,label=answer, given")
    read = folder.read(root, formats.Options(columns))
    assert not read.problems and np.array_equal(read.counts, EXPECTED)
    wrong = folder.read(root, formats.Options(formats.parse_columns("image=file,label=answr")))
    assert "no column 'answr'" in wrong.problems[0].found


@pytest.mark.parametrize(
    "text", ["file", "image", "pic=a", "image=", "image=a,image=b", "label=a,counts=b|c", "image=a|b"]
)
def test_columns_that_say_nothing_are_refused(text):
    with pytest.raises(ConfigError, match="--columns"):
        formats.parse_columns(text)


def test_counts_of_labels_on_request(tmp_path):
    lines = ["image,label,count"]
    lines += [f"{n},{k},{c}" for i, n in enumerate(names()) for k, c in zip(LABELS, counts(i), strict=True)]
    root = table(tmp_path / "w", lines)
    read = folder.read(root, formats.Options(formats.parse_columns("image=image,label=label,count=count")))
    assert not read.problems and np.array_equal(read.counts, EXPECTED)


# Two columns exchanged.

SWAPS = {
    "annotator and label": (
        long_table().replace("annotator,label", "label,annotator"),
        ("ann0", "ann1", "ann2"),
    ),
    "image and label": (long_table().replace("image,annotator,label", "label,annotator,image"), None),
    "image and annotator": (long_table().replace("image,annotator,label", "annotator,image,label"), None),
    "image and a class": (wide_table().replace("image,cat", "cat,image"), None),
}


@pytest.mark.parametrize("name", SWAPS)
def test_two_columns_exchanged_are_noticed(name, tmp_path):
    text, classes = SWAPS[name]
    found = report(write(tmp_path / "w", text))
    if classes is None:
        assert found.status != check.FINE
    else:  # a header may call people labels: the report shows that every image has each class once
        assert found.status != check.FINE or [c for c, _, _ in found.classes] == list(classes)
