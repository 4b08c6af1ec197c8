"""Science that is wrong on purpose: each mutant changes a copy of the library, and some test must notice.

``python tests/mutations.py`` prints for each mutant the tests that failed; ``make test`` asks the same of one
mutant of each kind (`tests/test_mutations.py`). A mutant is a text of the library and what replaces it, so
that one that no longer fits is an error and not a mutant that survives. All tests pass without a mutant.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
SCIENCE = "tests/test_science.py"


@dataclass(frozen=True)
class Mutant:
    """What is wrong, where (`before` becomes `after` in `file`), and tests asked beside `SCIENCE`."""

    kind: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...] = ()


SWAPPED, LEAK, KL = "soft and hard labels swapped", "the test part leaks", "KL's arguments exchanged"
NORMALISATION, SHIFTED = "attacks forget normalisation", "labels off by one against images"
TRAINING, MODELS = "tests/test_training.py", "tests/test_models.py"
ARMS = TRAINING + "::test_both_arms_see_the_same_split_and_differ_in_targets_only"
MUTANTS = (
    Mutant(SWAPPED, "learning/inputs.py", 'config.label == "hard":', 'config.label == "soft":', (ARMS,)),
    Mutant(
        SWAPPED,
        "labels/votes.py",
        "return (counts / total).astype(np.float32)",
        "return (counts == counts.max(1, keepdims=True)).astype(np.float32)",
        ("tests/test_labels.py",),
    ),
    Mutant(
        LEAK,
        "learning/training.py",
        'train = torch.from_numpy(task.rows["train"])',
        'train = torch.from_numpy(np.concatenate([task.rows["train"], task.rows["test"]]))',
        (TRAINING + "::test_the_chosen_epoch_is_what_is_returned",),
    ),
    Mutant(
        LEAK,
        "learning/inputs.py",
        "parts = np.split(order, ends[:-1])",
        "parts = [order, *np.split(order, ends[:-1])[1:]]",
        (TRAINING + "::test_splits_are_disjoint_complete_and_sized",),
    ),
    Mutant(
        LEAK,
        "learning/inputs.py",
        'found = {"train": rest[cut:],',
        'found = {"train": np.concatenate([rest[cut:], test]),',
        ("tests/test_tasks.py",),
    ),
    Mutant(
        LEAK,
        "learning/training.py",
        'rows = task.rows["validation"]\n    log_p, _ =',
        'rows = task.rows["test"]\n    log_p, _ =',
        (TRAINING + "::test_the_chosen_epoch_is_what_is_returned",),
    ),
    Mutant(
        LEAK,
        "learning/inputs.py",
        'mean, std = statistics(data.images, parts["train"])',
        "mean, std = statistics(data.images, np.arange(len(data)))",
        (TRAINING + "::test_normalisation_knows_the_training_images_only",),
    ),
    Mutant(
        LEAK,
        "learning/annotators/training.py",
        'rng.permutation(task.rows["train"])',
        'rng.permutation(np.concatenate([task.rows["train"], task.rows["test"]]))',
    ),
    Mutant(
        LEAK, "learning/annotators/training.py", 'rows = task.rows["validation"]', 'rows = task.rows["test"]'
    ),
    Mutant(KL, "labels/metrics.py", '"kl": lambda: kl_divergence(q, p)', '"kl": lambda: kl_divergence(p, q)'),
    Mutant(
        KL,
        "labels/metrics.py",
        "return cross_entropy(p, q) - _mean(entropy(q))",
        "return cross_entropy(q, p) - _mean(entropy(p))",
        ("tests/test_metrics.py",),
    ),
    Mutant(KL, "learning/training.py", "metrics.kl_divergence(q, p)", "metrics.kl_divergence(p, q)"),
    Mutant(
        NORMALISATION,
        "learning/attacks.py",
        "logits = model(x)\n        logits = logits.to",
        "logits = model._logits(model.trunk(x))\n        logits = logits.to",
        ("tests/test_attacks.py",),
    ),
    Mutant(
        NORMALISATION,
        "learning/models.py",
        "return self._logits(self.trunk((x - self.mean) / self.std))",
        "return self._logits(self.trunk(x))",
        (MODELS + "::test_normalisation_is_inside",),
    ),
    Mutant(
        NORMALISATION,
        "learning/attacks.py",
        "shift = shift.clamp(-epsilon, epsilon)",
        "shift = shift.clamp(-epsilon / 0.25, epsilon / 0.25)",
        ("tests/test_attacks.py::test_the_images_stay_in_the_ball_and_in_range",),
    ),
    Mutant(
        SHIFTED,
        "learning/training.py",
        "target = task.targets[rows].to(hw.device)",
        "target = task.targets[rows - 1].to(hw.device)",
        (TRAINING + "::test_training_learns_what_is_easy",),
    ),
    Mutant(SHIFTED, "runs/run.py", "targets=task.soft[rows].astype", "targets=task.soft[rows - 1].astype"),
    Mutant(
        SHIFTED,
        "runs/run.py",
        "metrics.evaluate(log_p, task.soft[rows])",
        "metrics.evaluate(log_p, task.soft[rows - 1])",
    ),
    Mutant(
        SHIFTED,
        "datasets/folder.py",
        "kept = votes[rows >= 0].assign(row=rows[rows >= 0])",
        "kept = votes[rows >= 0].assign(row=(rows[rows >= 0] + 1) % len(files))",
        ("tests/test_folder.py::test_long_form",),
    ),
    Mutant(
        SHIFTED,
        "datasets/columns.py",
        "image, label = table.column(plan.image), table.column(plan.label)",
        "image, label = table.column(plan.label), table.column(plan.image)",
        ("tests/test_folder.py::test_long_form",),
    ),
    Mutant(
        SHIFTED,
        "datasets/columns.py",
        'who = table.column(plan.annotator) if plan.annotator else ""',
        'who, label = (label, table.column(plan.annotator)) if plan.annotator else ("", label)',
        ("tests/test_folder.py::test_long_form",),
    ),
    Mutant(
        SHIFTED,
        "datasets/columns.py",
        "np.array(names, object)[k], values[row, k], table",
        "np.array(names, object)[k], values[row, k - 1], table",
        ("tests/test_folder.py::test_wide_form_and_other_separators",),
    ),
    Mutant(
        SHIFTED,
        "datasets/dcic.py",
        "votes.append((row, session",
        "votes.append(((row + 1) % len(rows), session",
        ("tests/test_dcic.py::test_images_and_votes_are_those_of_the_files",),
    ),
)
# The test that is asked about the first mutant of each kind.
QUICK = {
    SWAPPED: "test_each_arm_learns_from_its_own_labels",
    LEAK: "test_training_never_looks_at_the_test_part",
    KL: "test_the_divergence_is_that_of_predictions_from_people",
    NORMALISATION: "test_an_attack_climbs_the_loss_of_the_network_as_it_is_used",
    SHIFTED: "test_a_network_learns_the_label_of_the_image_it_sees",
}


@contextmanager
def mutated(path: Path, mutant: Mutant | None) -> Iterator[None]:
    """Change the library at `path`, and change it back; what was compiled of the file goes with it."""
    file = path / "softlabels" / mutant.file if mutant else path / "none.py"
    text = file.read_text() if mutant else ""
    if mutant and text.count(mutant.before) != 1:
        raise SystemExit(f"{mutant.file} no longer holds {mutant.before!r} once: renew the mutant")
    try:
        if mutant:
            _write(file, text.replace(mutant.before, mutant.after))
        yield
    finally:
        if mutant:
            _write(file, text)


def _write(file: Path, text: str) -> None:
    file.write_text(text)
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*"):
        compiled.unlink()


class Failures:
    """A plugin of pytest that notes which tests failed."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def pytest_runtest_logreport(self, report) -> None:
        if report.failed:
            self.names.append(report.nodeid.removeprefix("tests/"))


def ask(path: Path, mutant: Mutant | None, tests: tuple[str, ...]) -> list[str]:
    """Names of the tests that fail; in a fork of this process, which has imported what is heavy already."""
    out = path / "failed"
    out.unlink(missing_ok=True)
    with mutated(path, mutant):
        child = os.fork()
        if not child:
            _test(path, out, tests)
        os.waitpid(child, 0)
    return json.loads(out.read_text()) if out.exists() else ["nothing could be run"]


def _test(path: Path, out: Path, tests: tuple[str, ...]) -> None:
    import pytest

    sys.dont_write_bytecode = False
    os.chdir(PROJECT)
    os.dup2(os.open(out.with_name("log"), os.O_WRONLY | os.O_CREAT), 1)
    os.dup2(1, 2)
    sys.path.insert(0, str(path))
    failures = Failures()
    status = pytest.main(["-q", "-p", "no:cacheprovider", *tests], plugins=[failures])
    out.write_text(json.dumps(failures.names if status in (0, 1) else [f"pytest ended with status {status}"]))
    os._exit(0)


def main(arguments: list[str]) -> int:
    """Ask every mutant, or with ``quick`` one of each kind; returns 1 if one survives."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "lib"
        shutil.copytree(PROJECT / "lib", path, ignore=shutil.ignore_patterns("__pycache__"))
        return _ask_all(path, "quick" in arguments)


def _ask_all(path: Path, quick: bool) -> int:
    import hypothesis  # noqa: F401
    import pandas  # noqa: F401
    import scipy.stats  # noqa: F401
    import timm  # noqa: F401
    import torch

    torch.set_num_threads(1)
    assert not any(name.startswith("softlabels") for name in sys.modules)
    survived = 0
    if not quick and (failed := ask(path, None, (SCIENCE,))):
        print(f"without a mutant: {', '.join(failed)}")
        return 1
    first = {mutant.kind: mutant for mutant in reversed(MUTANTS)}
    chosen = [first[kind] for kind in QUICK] if quick else MUTANTS
    for mutant in chosen:
        failed = ask(
            path, mutant, (f"{SCIENCE}::{QUICK[mutant.kind]}",) if quick else (SCIENCE, *mutant.tests)
        )
        survived += not failed
        what = f"{mutant.kind}: {mutant.file}: {' '.join(mutant.after.split())}"
        print(f"{'caught  ' if failed else 'SURVIVED'} {what}")
        for name in failed[:6]:
            print(f"             {name}")
        print(end=f"             and {len(failed) - 6} more\n" if len(failed) > 6 else "", flush=True)
    print(f"{len(chosen) - survived} of {len(chosen)} mutants caught")
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
