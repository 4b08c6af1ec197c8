"""Files of the cache that are damaged: set aside under another name, with a warning, and made again."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from softlabels.errors import RecordError
from softlabels.learning.config import RunConfig
from softlabels.runs import records
from softlabels.runs.records import Record
from softlabels.store import set_aside

_SUFFIXES = (".json", ".npz", ".features.npz")


def sound(config: RunConfig, aside: bool = False) -> Record | None:
    """Return the record of a run, or None where it has to be made: a damaged one of the cache does not count.

    Parameters
    ----------
    aside : bool
        Set the files of a damaged record aside, so that another one can be written, and warn of it.

    Raises
    ------
    RecordError
        If it is a committed record that is damaged: git has the whole one.
    """
    try:
        record = records.find(config)
        if record and record.folder == records.SHELF.cached:
            record.check_files()
        return record
    except RecordError as error:
        if records.SHELF.find(f"{config.id}.json", committed_only=True):
            raise
        if aside:
            files = [records.SHELF.cached / f"{config.id}{suffix}" for suffix in _SUFFIXES]
            set_aside([path for path in files if path.exists()], str(error))
        return None


def filled(model: nn.Module, path: Path) -> bool:
    """Load weights into a network; False where there is no file, or none that fits: that is set aside."""
    if not path.exists():
        return False
    try:
        model.load_state_dict(load_file(path))
        return True
    except (SafetensorError, RuntimeError, OSError) as error:
        set_aside([path], f"{path}: not the weights of this run ({error})")
        return False
