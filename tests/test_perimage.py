"""`softlabels labels`: right values in every column and container, from folders and from files alone."""

import json

import numpy as np
import pytest
from softlabels import cli, paths
from softlabels.datasets import folder
from softlabels.labels import votes as labels
from softlabels.learning.annotators.aggregation import dawid_skene
from softlabels.owndata import tables
from vote_folders import LABELS, N, long_table, said, wide_table, write

pd = pytest.importorskip("pandas")
pytestmark = pytest.mark.usefixtures("store")
EXPECTED = np.array([[sum(said(i, a) == label for a in range(3)) for label in LABELS] for i in range(N)])


def test_every_column_by_hand():
    counts = np.array([[3, 0], [1, 1], [2, 1], [1, 0]], np.float32)
    found = tables.frame(["a", "b", "c", "d"], counts, ["cat", "dog"])
    assert found["votes"].tolist() == [3, 2, 3, 1] and found["count:dog"].tolist() == [0, 1, 1, 0]
    np.testing.assert_allclose(found["soft:cat"], [1, 1 / 2, 2 / 3, 1], rtol=1e-6)
    np.testing.assert_allclose(found["smoothed:cat"], [0.95, 0.95, 0.95, 0.95], rtol=1e-6)
    assert found["majority"].tolist() == ["cat"] * 4 and found["tied"].tolist() == ["", "cat|dog", "", ""]
    third = float(labels.entropy(np.array([[2 / 3, 1 / 3]]))[0])
    np.testing.assert_allclose(found["entropy"], [0, np.log(2), third, 0], atol=1e-6)
    assert not np.signbit(found["entropy"]).any()
    np.testing.assert_allclose(found["agreement"], [1, 0, 1 / 3, np.nan])
    assert found["ask_again"].tolist() == [False, True, True, True]
    assert found["gain"][1] > found["gain"][2] > found["gain"][0], "the nearer to a tie, the more is gained"
    assert "dawid_skene:cat" not in found
    assert set(found) == {c.replace("CLASS", k) for c in tables.COLUMNS for k in ("cat", "dog")} - {
        "dawid_skene:cat", "dawid_skene:dog", "annot_mix:cat", "annot_mix:dog",
    }  # fmt: skip


def test_the_gain_is_what_a_vote_takes_from_the_variance():
    """Simulated: draw p from the posterior and a vote from p, and see how the variance falls."""
    rng = np.random.default_rng(0)
    counts = rng.multinomial(5, rng.dirichlet([2, 1, 1], 200)).astype(np.float32)
    mean, gain = tables.posterior_and_gain(counts)
    np.testing.assert_allclose(mean.sum(1), 1)
    # α_0 follows from the mean: mean = (counts + w shares) / (n + w)
    n, shares = counts.sum(1, keepdims=True), counts.sum(0) / counts.sum()
    w = float(np.median((counts - n * mean)[:, 0] / (mean[:, 0] - shares[0])))
    alpha = counts + w * shares

    def variance(a):
        p = a / a.sum(-1, keepdims=True)
        return (p * (1 - p)).sum(-1) / (a.sum(-1) + 1)

    after = sum((alpha[:, k] / alpha.sum(1)) * variance(alpha + np.eye(3)[k]) for k in range(3))
    np.testing.assert_allclose(variance(alpha) - after, gain, rtol=1e-3)


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_a_folder_gives_its_table(suffix, tmp_path, capsys):
    if suffix == "parquet":
        pytest.importorskip("pyarrow", reason="the extra `formats` is not installed")
    root, out = write(tmp_path / "w"), tmp_path / f"labels.{suffix}"
    assert cli.main(["labels", str(root), "-o", str(out)]) == 0
    assert f"{N} images, {3 * N} votes, 3 classes" in capsys.readouterr().out
    if suffix == "jsonl":
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        assert [r["count"] for r in rows] == EXPECTED.tolist() and rows[0]["classes"] == list(LABELS)
        np.testing.assert_allclose([r["soft"] for r in rows], EXPECTED / 3, rtol=1e-6)
        return
    found = pd.read_csv(out, keep_default_na=False) if suffix == "csv" else pd.read_parquet(out)
    assert np.array_equal(found[[f"count:{k}" for k in LABELS]], EXPECTED)
    a = folder.read(root).annotations
    posterior = found[[f"dawid_skene:{k}" for k in LABELS]]
    np.testing.assert_allclose(posterior, dawid_skene(a, N, 3).posterior, atol=1e-6)


def test_votes_on_what_is_no_image(tmp_path, capsys):
    """Sentences, rows of a table, songs: a file of votes alone."""
    (tmp_path / "v.csv").write_text(wide_table().replace(".png", ""))
    assert cli.main(["labels", str(tmp_path / "v.csv"), "-o", str(tmp_path / "l.csv")]) == 0
    found = pd.read_csv(tmp_path / "l.csv")
    assert np.array_equal(found[[f"count:{k}" for k in LABELS]], EXPECTED)


def test_doubts_and_endings_are_refused(tmp_path, capsys):
    root = write(tmp_path / "w", long_table().replace("label", "verdict"))
    assert cli.main(["labels", str(root), "-o", str(tmp_path / "l.csv")]) == 1
    assert "is 'verdict' the label" in capsys.readouterr().err
    assert cli.main(["labels", str(write(tmp_path / "x")), "-o", str(tmp_path / "l.xls")]) == 1
    assert "expected .csv, .parquet or .jsonl" in capsys.readouterr().err


def test_the_page_documents_every_column():
    page = (paths.PROJECT / "book" / "your_votes.md").read_text()
    for name, words in tables.COLUMNS.items():
        assert f"| `{name}` | {words} |" in page
