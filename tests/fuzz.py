"""Every parser against damaged and hostile input: no crash, no hang, and no wrong success.

`make test` tries some of each; all of them: ``python tests/fuzz.py 10000``, and of one parser
``python tests/fuzz.py 10000 archive``. An input follows from its parser's name and its number alone, so that
a found one is made again by these two. Structured inputs are valid ones with some entries replaced; others
are valid bytes that are cut, spliced and flipped.
"""

import csv
import io
import json
import os
import random
import shlex
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import dcic_folders
import exports
import numpy as np
import vote_folders
from PIL import Image
from softlabels.datasets import dcic, fetch, formats, images
from softlabels.datasets import folder as folders
from softlabels.datasets.collection import demand
from softlabels.errors import SoftlabelsError
from softlabels.labels import votes as labels
from softlabels.learning.config import RunConfig
from softlabels.runs import records
from softlabels.store import pack, read_arrays

PATIENCE = 20  # seconds for one input, on a busy machine

NASTY = [
    None, True, False, 0, -1, 1, 2**63, -(2**70), 10**400, 0.5, -0.0, 1e308, float("nan"), float("inf"),
    [], {}, [[]], {"": 0}, "", " ", "0", "soft", "synthetic", "annot-mix", "fold1/a.png", "../../etc/passwd",
    "C:\\x", "/etc/passwd", "<script>alert(1)</script>", "=1+1", "\0", "\ud800", "\u202e", "é", "e\u0301",
    "a" * 3000, "{{7*7}}", "0" * 64, "__class__", "nan", "1e9", [1] * 50, [None], {"test": {}},
]  # fmt: skip
BYTES = [
    b"", b"\0", b"\xff", b"\n", b'"', b"'", b",", b";", b"\t", b"{", b"}", b"[", b"]", b":", b"null", b"NaN",
    b"1e999", b"-1", b"=1", b"../", b"PK\x03\x04", b"PK\x01\x02", b"\xef\xbb\xbf", b"\x93NUMPY", b"\x80\x04",
    b"[" * 300, b"9" * 400, b"[" * 100_000,
]  # fmt: skip


def bent(value, rng, rate=0.08):
    """A JSON value with entries replaced, removed, renamed or doubled."""
    if rng.random() < rate:
        return rng.choice(NASTY)
    if isinstance(value, dict):
        items = [(k, bent(v, rng, rate)) for k, v in value.items() if rng.random() > rate / 4]
        if items and rng.random() < rate:
            items.append((str(rng.choice(NASTY)), items[0][1]))
        return dict(items)
    if isinstance(value, list):
        items = [bent(v, rng, rate) for v in value if rng.random() > rate / 4]
        return items * 2 if rng.random() < rate / 4 else items
    return value


def damaged(content, rng, most=4):
    """Bytes that are cut, flipped, doubled, or have others put between them."""
    content = bytearray(content)
    for _ in range(rng.randint(1, most)):
        at = rng.randrange(len(content) + 1)
        kind = rng.randrange(5)
        if kind == 0 and at < len(content):
            content[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            content[at : at + rng.randint(0, 30)] = rng.choice(BYTES)
        elif kind == 2:
            del content[at : at + rng.randint(1, 200)]
        elif kind == 3:
            content[at:at] = content[at : at + rng.randint(1, 200)]
        else:
            del content[at if rng.random() < 0.3 else len(content) :]
    return bytes(content)


def dumped(value):
    """JSON text as bytes, whatever is in it."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


# What there is to parse. Each takes a folder of its own and a random stream, raises `SoftlabelsError` where
# it refuses, returns where it accepts, and asserts that what it accepted is what it may accept.


def valid_record():
    q = np.random.default_rng(0).dirichlet([1, 1, 1], 6).astype(np.float16)
    arrays = pack(ids=np.arange(6), log_probs=np.log(q), targets=q)
    config = RunConfig(epochs=2)
    row = {"train_loss": 1.0, "validation_loss": 0.5, "seconds": 0.1}
    body = {
        "schema": 1,
        "id": config.id,
        "config": config.to_dict(),
        "metrics": {"test": {"kl": 0.1, "macro_accuracy": 0.9}, "validation": {"loss": 0.5}},
        "best_epoch": 2,
        "labels": {"ties": 0},
        "data": {"name": "x", "variant": "y", "sha256": "0" * 64, "n_test": 6},
        "environment": {"device": "cpu", "machine": "m", "precision": "fp32", "commit": "0" * 10},
        "seconds": 1.5,
        "checksums": {"arrays": sha256(arrays).hexdigest(), "features": "0" * 64},
        "history": [{"epoch": 1, **row}, {"epoch": 2, **row}],
    }
    return body, arrays


RECORD, ARRAYS = valid_record()
RUN = RECORD["id"]


def configuration(folder, rng):
    settings = bent(RunConfig().to_dict(), rng, 0.02)
    config = RunConfig.from_dict(settings)
    again = RunConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config and again.id == config.id and len(config.id) == 12


def good(record):
    """What a table or a figure relies on."""
    assert all(np.isfinite(v) for part in record.metrics.values() for v in part.values())
    assert record.metrics["test"] is not None and 1 <= record.best_epoch <= len(record.history)
    assert json.loads(record.to_json())["id"] == record.id
    assert f"{record.data['name']}{record.environment['commit'][:7]}{record.seconds / 60:.1f}"


def record(folder, rng):
    path = folder / f"{RUN}.json"
    content = dumped(bent(RECORD, rng, 0.03)) if rng.random() < 0.7 else dumped(RECORD)
    path.write_bytes(damaged(content, rng) if rng.random() < 0.5 else content)
    found = records.read(path)
    good(found)
    assert found.id == RUN == found.config.id


def odd_arrays(rng):
    """An npz file of arrays that no record has: objects, which numpy would pickle, and odd types."""
    odd = [
        np.array([{}, None], object),
        np.array(["=1+1"]),
        np.zeros((2, 0)),
        np.zeros(3, "f2,i4"),
        np.array(1j),
    ]
    stream = io.BytesIO()
    np.savez(stream, ids=rng.choice(odd), **{rng.choice(["a", "../a", "a/b"]): rng.choice(odd)})
    return stream.getvalue()


def arrays(folder, rng):
    content = rng.choice([ARRAYS, odd_arrays(rng)])
    content = damaged(content, rng, 2) if rng.random() < 0.7 else content
    (folder / "x.npz").write_bytes(content)
    found = read_arrays(folder / "x.npz", sha256(content).hexdigest())
    assert all(isinstance(a, np.ndarray) and a.dtype != object for a in found.values())


NAMES = [
    f"{RUN}.json", f"{RUN}.npz", f"{RUN}.features.npz", "../evil.json", "/tmp/evil.npz", "a/b.json",
    "..\\e.json", "evil.ipynb", "_config.yml", "C:x.npz", "0123456789ab.json", "0" * 300 + ".npz",
    f"{RUN}.json\0.txt", "", ".json",
]  # fmt: skip


def archive_of_records(folder, rng):
    stream = io.BytesIO()
    body = bent(RECORD, rng, 0.01) if rng.random() < 0.5 else RECORD
    members = {f"{RUN}.json": dumped(body), f"{RUN}.npz": ARRAYS}
    for _ in range(rng.choice([0, 0, 1, 2])):
        members[rng.choice(NAMES)] = rng.choice([b"{}", ARRAYS, dumped(RECORD), b"\0" * 3_000_000])
    with zipfile.ZipFile(stream, "w", rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as file:
        for name, content in members.items():
            file.writestr(zipfile.ZipInfo(name or "x"), content, zipfile.ZIP_DEFLATED)
    path = folder / "in.zip"
    content = stream.getvalue()
    path.write_bytes(damaged(content, rng) if rng.random() < 0.6 else content)
    try:
        records.load(path)
    except SoftlabelsError:
        assert not records.SHELF.committed.exists() or not any(records.SHELF.committed.iterdir())
        raise
    for file in records.SHELF.committed.glob("*.json"):
        read = records.read(file)
        good(read)
        read.arrays()


def zip_of_images(folder, rng):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for name in ["MiceBone/a.png", rng.choice([*NAMES, "MiceBone/", "x/../../evil", "x" * 300])]:
            member = zipfile.ZipInfo(name or "x")
            member.external_attr = rng.choice([0, 0, 0o100644, 0o120777, 0o020666, 0o040755]) << 16
            file.writestr(member, rng.choice([b"x", b"\0" * 3_000_000]), zipfile.ZIP_DEFLATED)
    content = stream.getvalue()
    (folder / "in.zip").write_bytes(damaged(content, rng) if rng.random() < 0.6 else content)
    target = folder / "inside" / "target"
    try:
        fetch.unpack(folder / "in.zip", target)
    finally:
        inside = [*folder.joinpath("inside").iterdir()] if (folder / "inside").exists() else []
        assert inside in ([], [target])
    assert not any(path.is_symlink() for path in target.rglob("*"))


def votes(collection):
    demand(collection)
    assert len(collection.files) == len(collection.counts) and len(collection.classes) >= 2
    assert np.isfinite(collection.counts).all() and (collection.counts.sum(1) > 0).all()
    np.testing.assert_allclose(labels.soft_labels(collection.counts).sum(1), 1, atol=1e-5)


def annotations(folder, rng):
    sets = dcic_folders.annotation_sets("Mine")
    content = dumped(bent(sets, rng, 0.004)) if rng.random() < 0.8 else dumped(sets)
    content = damaged(content, rng) if rng.random() < 0.4 else content
    (folder / "annotations.json").write_bytes(content)
    votes(dcic.read(folder, "Mine"))


def table(folder, rng):
    text = rng.choice([vote_folders.long_table, vote_folders.wide_table])()
    (folder / "annotations.csv").write_bytes(damaged(text.encode(), rng, 3))
    votes(folders.read(folder))


# Tables of known votes in every form that people keep them in, with what stands beside them. Whatever is
# accepted has to be these votes: another reading in silence is the worst that can happen.

CLASSES = [("cat", "dog", "owl", "bee", "elk"), ("0", "1", "2", "3", "4"), ("1", "2", "3", "4", "5"),
           ("yes", "no", "unsure", "both", "none of these"), ("a b", "c,d", 'e"f', "g;h", "é")]  # fmt: skip
WHO = [("anna", "ben", "carl", "dora", "emil"), ("1", "2", "3", "4", "5"), ("r1", "r2", "r3", "r4", "r5"),
       ("annotator_1", "annotator_2", "annotator_3", "annotator_4", "annotator_5")]  # fmt: skip
HEADERS = {
    "image": [*["image"] * 12, "file", "filename", "Image name", "url", "id", "x"],
    "annotator": [*["annotator"] * 12, "worker", "rater id", "user", "who", "name", "coder"],
    "label": [*["label"] * 12, "answer", "class", "verdict", "choice", "y", "category"],
}


def known_votes(rng):
    """Classes, annotators, and what each says of each image (None: nothing)."""
    k, m = rng.randint(2, 5), rng.randint(1, 5)
    classes, people = rng.choice(CLASSES)[:k], rng.choice(WHO)[:m]
    skill, missing = rng.random(), rng.choice([0, 0, 0, 0.1])
    truth = [rng.randrange(k) for _ in range(vote_folders.N)]

    def vote(right):
        if rng.random() < missing:
            return None
        return right if rng.random() < skill else rng.randrange(k)

    said = [[vote(t) for _ in people] for t in truth]
    return classes, people, said


def beside(rng, rows):
    """Columns that exports have beside the votes."""
    n = len(rows)
    kinds = {
        "created_at": lambda: [f"2024-01-{1 + i % 28:02d}T10:00:00Z" for i in range(n)],
        "age": lambda: [rng.randint(18, 80) for _ in range(n)],
        "": lambda: list(range(n)),
        "index": lambda: list(range(1, n + 1)),
        "seconds": lambda: [f"{rng.random() * 9:.3f}" for _ in range(n)],
        "split": lambda: [rng.choice(["train", "test"]) for _ in range(n)],
        "remark": lambda: [rng.choice(["", "", "hard", "blurred, dark"]) for _ in range(n)],
        "gold": lambda: [rng.randint(0, 1) for _ in range(n)],
    }
    return {name: kinds[name]() for name in rng.sample(list(kinds), rng.choice([0, 0, 1, 2]))}


def lines_of_votes(rng, classes, people, said):
    rows = [
        (name, who, classes[v])
        for name, given in zip(vote_folders.names(), said, strict=True)
        for who, v in zip(people, given, strict=True)
        if v is not None
    ]
    rng.shuffle(rows)
    head = [rng.choice(HEADERS[role]) for role in ("image", "annotator", "label")]
    kept = [0, 2] if rng.random() < 0.2 else [0, 1, 2]
    return {head[c]: [row[c] for row in rows] for c in kept} | beside(rng, rows)


def line_of_an_image(rng, classes, people, said):
    """Counts, annotators or votes side by side, with sums and the like beside them."""
    columns = {rng.choice(HEADERS["image"]): vote_folders.names()}
    counts = [[given.count(k) for k in range(len(classes))] for given in said]
    form = rng.randrange(3)
    if form == 0:
        columns |= {name: [row[k] for row in counts] for k, name in enumerate(classes)}
        derived = {
            "total": [sum(row) for row in counts],
            "z": [sum(row) for row in counts],
            "best": [row.index(max(row)) + rng.choice([0, 1]) * 0 for row in counts],
            "majority": [classes[row.index(max(row))] for row in counts],
            "label": [classes[row.index(max(row))] for row in counts],
            "share": [f"{max(row) / max(1, sum(row)):.2f}" for row in counts],
        }
        columns |= {name: derived[name] for name in rng.sample(list(derived), rng.choice([0, 0, 1, 2]))}
    else:
        heads = people if form == 1 else [f"label_{a + 1}" for a in range(len(people))]
        for a, head in enumerate(heads):
            columns[head] = ["" if given[a] is None else classes[given[a]] for given in said]
    return columns | beside(rng, said)


def forms(folder, rng):
    classes, people, said = known_votes(rng)
    build = lines_of_votes if rng.random() < 0.5 else line_of_an_image
    columns = build(rng, classes, people, said)
    order = list(columns)
    if rng.random() < 0.4:
        rng.shuffle(order)
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=rng.choice([",", ",", ";", "\t", "|"]))
    if rng.random() < 0.95:
        writer.writerow(order)
    writer.writerows(zip(*(columns[name] for name in order), strict=True))
    (folder / "annotations.csv").write_text(stream.getvalue(), encoding="utf-8")
    found = folders.read(folder)
    if rng.random() < 0.7:  # say yes to the question, as its remedy does
        counted = {name for name in classes if isinstance(columns.get(name, [""])[0], int)}
        heads = {*people, *(f"label_{a + 1}" for a in range(5))} & {*columns} - counted
        found = confirmed(folder, found, counted, heads)
    demand(found)
    right = {
        (name, classes[k]): given.count(k)
        for name, given in zip(vote_folders.names(), said, strict=True)
        for k in set(given) - {None}
    }
    image, label = np.nonzero(found.counts)
    read = {
        (found.files[i], found.classes[k]): int(found.counts[i, k]) for i, k in zip(image, label, strict=True)
    }
    assert read == right, f"read as {found.form}, {found.taken}: other votes than the table has"


def confirmed(folder, found, classes, people):
    """The reading after a yes to the question, by one who knows which columns are classes and people.

    What the remedy names is pasted if it is nothing else, and not compared with the table. Who has to refuse
    it takes one of the commands in the question, if that names all of them.
    """
    for question in [p for p in found.problems if p.kind == "question about columns"][:1]:
        for text in (question.remedy, *question.found.split("(")):
            if "--columns " not in text:
                continue
            words = shlex.shlex(text.partition("--columns ")[2], posix=True)
            words.whitespace_split, words.commenters = True, ""
            columns = formats.parse_columns(words.get_token().rstrip("),"))
            counts, heads = {*columns.get("counts", ())}, {*columns.get("annotators", ())}
            whole = (counts or classes, heads or people) == (classes, people)
            if counts <= classes and heads <= people and (whole or text is question.remedy):
                return folders.read(folder, formats.Options(columns))
    return found


def export(folder, rng):
    """A file of a labelling tool, whole, bent or damaged."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.suffix != ".png":
            path.unlink()
    builders = [b for b in exports.EXPORTS if b.__name__ not in LEFT]
    rng.choice(builders)(folder)
    files = [p for p in sorted(folder.iterdir()) if p.suffix != ".png"]
    for path in files:
        content = path.read_bytes()
        if path.suffix == ".json" and rng.random() < 0.5:
            content = dumped(bent(json.loads(content), rng, 0.004))
        elif rng.random() < 0.5:
            content = damaged(content, rng, 3)
        path.write_bytes(content)
    votes(folders.read(folder))


# These move the images about, or need a library that a bare machine lacks.
LEFT = ("zooniverse_extracts", "zooniverse_reductions", "dcic", "folder_per_class_per_reader")
LEFT += ("parquet", "excel")

NUMBERS = [0, 0, 1, 1, 2, 3, 0.5, 1e-320, 1e-30, 1e30, 1e308, -1, -0.0, float("nan"), float("inf"), 2**53]


def counts(folder, rng):
    shape = (rng.randint(0, 4), rng.randint(1, 4))
    kind = rng.choice([np.float32, np.float64])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what 1e308 is as float32
        given = (
            np.array([rng.choice(NUMBERS) for _ in range(shape[0] * shape[1])]).reshape(shape).astype(kind)
        )
        soft = labels.soft_labels(given)
    np.testing.assert_allclose(soft.sum(1), 1, atol=1e-5)
    assert (soft >= 0).all() and soft.dtype == np.float32
    if given.max(initial=0) < 1e6 and (given == given.astype(np.int64)).all():
        kept = labels.subsample(given, 2, np.random.default_rng(0))
        assert (kept.sum(1) <= 2).all() and (kept <= given).all()
    top = labels.hard_labels(given, np.random.default_rng(0))[0]
    assert (given[np.arange(len(given)), top] == given.max(1)).all()


def encoded(kind):
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (9, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


PICTURES = [encoded(kind) for kind in ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM")]


def image(folder, rng):
    (folder / "x.png").write_bytes(damaged(rng.choice(PICTURES), rng))
    try:
        found = images.decode(folder / "x.png", 8)
    except images.Unreadable as error:
        raise SoftlabelsError(str(error)) from error
    assert found.shape == (8, 8, 3) and found.dtype == np.uint8


PARSERS: dict[str, Callable] = {
    "configuration": configuration,
    "record": record,
    "arrays": arrays,
    "archive": archive_of_records,
    "zip": zip_of_images,
    "annotations": annotations,
    "table": table,
    "forms": forms,
    "export": export,
    "counts": counts,
    "image": image,
}


@dataclass
class Outcome:
    """What became of the inputs of a parser; `wrong` lists the number of each bad one and what it did."""

    accepted: int
    refused: int
    slowest: float
    wrong: list[tuple[int, str]]


@contextmanager
def place(name):
    """A folder with what the parser needs around its input."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "folder"
        if name == "annotations":
            dcic_folders.write(Path(scratch), "folder", size=4)
        elif name in ("table", "forms", "export"):
            vote_folders.images(folder, size=4)
        else:
            folder.mkdir()
        yield folder


def fuzz(name, numbers, patch):
    """Try inputs of one parser; `patch` sets the variables that say where records and cache lie."""
    outcome = Outcome(0, 0, 0.0, [])
    with place(name) as folder:
        results = folder.parent / "results"
        patch("SOFTLABELS_RESULTS", str(results))
        patch("SOFTLABELS_CACHE", str(folder.parent / "cache"))
        around = {path.name for path in folder.parent.iterdir()} | {"results", "cache"}
        for number in numbers:
            one(name, number, folder, outcome)
            shutil.rmtree(results, ignore_errors=True)
            shutil.rmtree(folder / "inside", ignore_errors=True)
            if {path.name for path in folder.parent.iterdir()} - around:
                outcome.wrong.append((number, "wrote outside of its folder"))
    return outcome


def one(name, number, folder, outcome):
    """Try input `number`, and note what became of it."""
    signal.signal(signal.SIGALRM, _late)
    signal.alarm(PATIENCE)
    start = time.perf_counter()
    try:
        PARSERS[name](folder, random.Random(f"{name} {number}"))
        outcome.accepted += 1
    except SoftlabelsError as error:
        outcome.refused += 1
        if not str(error).strip():
            outcome.wrong.append((number, "an error without a word"))
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        last = traceback.extract_tb(error.__traceback__)[-1]
        outcome.wrong.append(
            (number, f"{type(error).__name__}: {str(error)[:200]} ({last.name}:{last.lineno})")
        )
    finally:
        signal.alarm(0)
    outcome.slowest = max(outcome.slowest, time.perf_counter() - start)


def _late(*_):
    raise TimeoutError(f"no answer after {PATIENCE} seconds")


def main(arguments):
    warnings.simplefilter("ignore")  # what Pillow and zipfile say of damaged input
    number, names = int((arguments or ["10000"])[0]), arguments[1:] or list(PARSERS)
    failed = False
    for name in names:
        begin = time.perf_counter()
        found = fuzz(name, range(number), os.environ.__setitem__)
        words = f"{found.accepted} accepted, {found.refused} refused, {len(found.wrong)} wrong"
        minutes = (time.perf_counter() - begin) / 60
        print(
            f"{name:14} {number} inputs: {words}; slowest {found.slowest:.2f} s, {minutes:.1f} min",
            flush=True,
        )
        for place_, what in found.wrong[:20]:
            print(f"   input {place_}: {what}")
        failed = failed or bool(found.wrong)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
