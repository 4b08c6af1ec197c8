"""What may be skipped where, and that the head of a test run says so."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

TESTS = """
import pytest

def test_of_data():
    pytest.skip("ferplus is not in SOFTLABELS_DATA")

@pytest.mark.skipif(True, reason="a library is missing")
def test_of_a_library():
    pass

@pytest.mark.xfail
def test_that_fails_as_expected():
    assert False
"""


def test_in_ci_only_what_cannot_be_had_is_skipped_and_the_head_says_how_to_have_it(tmp_path):
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "test_some.py").write_text(TESTS)
    bare = dict.fromkeys(("PATH", "SOFTLABELS_DATA", "SOFTLABELS_CACHE"), str(tmp_path))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(
        command, env={**os.environ, **bare, "CI": "true"}, cwd=tmp_path, capture_output=True, text=True
    )
    assert "1 skipped, 1 xfailed, 1 error in" in done.stdout.splitlines()[-1]
    assert "a library is missing; in CI only what ALLOWED_TO_SKIP lists" in done.stdout
    assert (
        "skipped here: the site in a browser, and the PDF; to have it: apt-get install chromium"
        in done.stdout
    )
    assert re.search(
        r"(\d+) of \1 files of data are not here; to have it: export SOFTLABELS_DATA=", done.stdout
    )
