"""Data never becomes code: no pickle, no evaluated text, and names that stay names in pages and figures."""

import ast
import io
import zipfile
import zlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from softlabels import figures, paths
from softlabels.analysis import formatting
from softlabels.datasets import images as files
from softlabels.errors import DataError
from softlabels.figures import images
from test_check import HOSTILE, Tags

SOURCES = sorted(
    path for name in ("lib", "benchmarks", "workflow") for path in (paths.PROJECT / name).rglob("*.py")
)
MODULES = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
    "pty",
    "commands",
}
CALLS = {"eval", "exec", "compile", "__import__", "execfile"}
METHODS = {
    "read_pickle",
    "to_pickle",
    "system",
    "popen",
    "unsafe_load",
    "full_load",
    "extractall",
    "unpack_archive",
}


def offences(tree):
    """Yield lines of a module that could turn data into code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None) or ""
            names = {name.split(".")[0] for name in (*(a.name for a in node.names), module)}
            if MODULES & names or module.split(".")[0] == "yaml":  # yaml.safe_load has to be spelt out
                yield node.lineno, "import"
        elif isinstance(node, ast.Call):
            called = node.func
            owner, _, name = ast.unparse(called).rpartition(".")
            options = {k.arg: getattr(k.value, "value", None) for k in node.keywords}
            plain = options.get("allow_pickle") is False or (
                owner == "torch" and options.get("weights_only") is True
            )
            unsafe = name == "load" and not plain
            if (not owner and name in CALLS) or name in METHODS or options.get("shell"):
                yield node.lineno, name
            if (owner in ("torch", "np", "numpy") and unsafe) or options.get("allow_pickle"):
                yield node.lineno, f"{owner}.load"
            if owner == "yaml" and "load" in name and name != "safe_load":
                yield node.lineno, f"yaml.{name}"


def test_no_module_can_turn_data_into_code():
    assert len(SOURCES) > 100
    found = {path.name: list(offences(ast.parse(path.read_text()))) for path in SOURCES}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "code",
    ["import pickle", "yaml.load(x)", "yaml.full_load(x)", "from yaml import load",
     "torch.load(x)", "torch.load(x, weights_only=False)",
     "np.load(x)", "np.load(x, allow_pickle=True)",
     "eval(x)", "subprocess.run(x, shell=True)", "archive.extractall(x)", "pd.read_pickle(x)"],
)  # fmt: skip
def test_what_could_is_found(code):
    assert list(offences(ast.parse(code)))
    assert not list(offences(ast.parse("model.eval(); re.compile(x); np.load(x, allow_pickle=False)")))
    assert not list(offences(ast.parse("torch.load(x, weights_only=True)")))


def test_no_committed_file_is_a_pickle():
    folders = ("results", "notebooks", "book", "lib", "tests")
    every = [path for name in folders for path in (paths.PROJECT / name).rglob("*") if path.is_file()]
    assert not [p for p in every if p.suffix in (".pkl", ".pickle", ".pt", ".pth", ".joblib")]
    npz = [p for p in every if p.suffix == ".npz"][:40]
    assert npz
    for path in npz:
        with np.load(path, allow_pickle=False) as arrays:
            assert all(arrays[name].dtype != object for name in arrays)


@pytest.mark.parametrize("word", [*HOSTILE[::2], "../../etc/passwd", "$\\frac$", "a\nb"])
def test_names_stay_names_in_tables_and_figures(word):
    tags = Tags()
    tags.feed(formatting.markup(pd.DataFrame({word: [word, "1"], "n": ["1", word]})))
    assert tags.seen <= {"div", "style", "table", "class", "thead", "tbody", "tr", "th", "td", "strong"}
    q = np.array([[0.6, 0.4]])
    figure = images.tiles(np.zeros((1, 8, 8, 3), np.uint8), q, [word, "b"])
    assert figures.png(figure)
    text = "".join(t.get_text() for axes in figure.axes for t in [axes.title])
    assert "b 0.40" in text and not [c for c in text if not c.isprintable() and c != "\n"]


def test_alternative_texts_stay_texts():
    from softlabels.figures import base

    tags = Tags()
    tags.feed(base.markup(base.empty("no"), '"><script>x</script>', "<b>", [], "", "</figure><i>"))
    assert not {"script", "b", "i"} & tags.seen


def packed(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.png", content)
    return path


def png(size):
    stream = io.BytesIO()
    Image.new("RGB", size).save(stream, "PNG")
    return stream.getvalue()


def test_images_in_an_archive_cannot_explode(tmp_path, monkeypatch):
    read = lambda **members: files.read_images(packed(tmp_path / "a.zip", **members), ["a.png"], (4, 4, 3))
    assert read(a=png((4, 4))).shape == (1, 4, 4, 3)
    with pytest.raises(DataError, match="expected an RGB image of 4 x 4 pixels"):
        read(a=png((6000, 6000)))
    with pytest.raises(DataError, match="expected an RGB image"):
        read(a=b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n")  # another program would draw it
    monkeypatch.setattr(files, "MAX_PACKED", 1000)
    with pytest.raises(DataError, match=r"an image a\.png of 2000 bytes"):
        read(a=bytes(2000))


def test_a_small_file_that_claims_to_be_a_huge_picture_is_not_decoded(tmp_path):
    content = bytearray(png((4, 4)))
    content[16:24] = (10_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(files.Unreadable, match="10000 x 10000 pixels, more than"):
        files.examine(tmp_path / "x.png")
