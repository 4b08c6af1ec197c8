"""A part of `fuzz`, and every input that was found to be wrong once."""

import json
import os

import fuzz
import numpy as np
import pytest
from softlabels.errors import ConfigError, DataError, RecordError
from softlabels.labels import votes
from softlabels.learning.config import RunConfig
from softlabels.runs import evaluations, records
from softlabels.store import pack, read_arrays

INPUTS = int(os.environ.get("INPUTS", 200))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", fuzz.PARSERS)
def test_no_input_breaks_a_parser(name, monkeypatch):
    found = fuzz.fuzz(name, range(INPUTS), monkeypatch.setenv)
    assert found.wrong == []
    assert found.accepted > 0 and found.refused > 0, "inputs that are all alike test nothing"
    assert found.accepted + found.refused == INPUTS


# Found inputs


def test_a_whole_number_that_no_fraction_can_hold():
    with pytest.raises(ConfigError, match="lr must be a number"):
        RunConfig.from_dict({"lr": 10**400})


@pytest.mark.parametrize("settings", [None, [], "epochs", 5])
def test_settings_that_are_no_settings(settings):
    with pytest.raises(ConfigError, match="names with values"):
        RunConfig.from_dict(settings)


def test_a_name_of_any_length_is_refused_in_a_line():
    for settings in (
        {"dataset": "a" * 10**6},
        {"label": "a" * 10**6},
        {"a" * 10**6: 1},
        {"epochs": "a" * 10**6},
    ):
        with pytest.raises(ConfigError) as caught:
            RunConfig.from_dict(settings)
        assert len(str(caught.value)) < 1500


@pytest.mark.parametrize("read", [records.read, evaluations.read])
@pytest.mark.parametrize("content", [b"[" * 200_000, b"{" + b'"a":{' * 100_000, b"9" * 5000, b"NaN", b"\xff"])
def test_json_that_is_too_deep_or_no_record(read, content, tmp_path):
    (tmp_path / "0123456789ab.json").write_bytes(content)
    with pytest.raises(RecordError, match=r"0123456789ab\.json: not a"):
        read(tmp_path / "0123456789ab.json")


@pytest.mark.parametrize("number", [10**400, 10**30, -(10**19), float("inf"), float("nan"), True, "1"])
def test_a_number_that_is_none_is_refused_in_a_record(number):
    with pytest.raises(TypeError, match="kl of test: expected a number"):
        records._numbers("test", {"kl": number})


@pytest.mark.filterwarnings("ignore:overflow")
def test_counts_whose_sum_is_too_large():
    with pytest.raises(DataError, match="finite"):
        votes.soft_labels(np.full((1, 2), 1e308))


def test_arrays_that_numpy_would_unpickle_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", ids=np.array([{}], object))
    digest = fuzz.sha256((tmp_path / "x.npz").read_bytes()).hexdigest()
    with pytest.raises(RecordError, match="not the arrays of a record"):
        read_arrays(tmp_path / "x.npz", digest)


def test_arrays_that_unpack_to_more_than_memory_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("softlabels.store.LARGEST", 1 << 20)
    (tmp_path / "x.npz").write_bytes(pack(ids=np.zeros(1 << 20)))
    digest = fuzz.sha256((tmp_path / "x.npz").read_bytes()).hexdigest()
    with pytest.raises(RecordError, match="it unpacks to 8"):
        read_arrays(tmp_path / "x.npz", digest)


def test_an_archive_that_unpacks_to_much_more_than_it_is(store, tmp_path):
    with fuzz.zipfile.ZipFile(tmp_path / "bomb.zip", "w", fuzz.zipfile.ZIP_DEFLATED) as file:
        file.writestr(f"{fuzz.RUN}.json", b" " * (8 << 20) + json.dumps(fuzz.RECORD).encode())
        file.writestr(f"{fuzz.RUN}.npz", fuzz.ARRAYS)
    with pytest.raises(RecordError, match="is not a file of a record"):
        records.load(tmp_path / "bomb.zip")
    assert not any((store / "results").rglob("*.json"))
