"""The suite fails when the science is wrong: mutants fit the library; `mutations` says who catches them."""

import subprocess
import sys

import mutations
import pytest


def test_every_mutant_fits_the_library_and_every_kind_is_there():
    for mutant in mutations.MUTANTS:
        text = (mutations.PROJECT / "lib" / "softlabels" / mutant.file).read_text()
        assert text.count(mutant.before) == 1, mutant
    assert {mutant.kind for mutant in mutations.MUTANTS} == set(mutations.QUICK)


@pytest.mark.weekly
def test_one_mutant_of_each_kind_is_caught():
    command = [sys.executable, mutations.__file__, "quick"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 of 5 mutants caught" in done.stdout
