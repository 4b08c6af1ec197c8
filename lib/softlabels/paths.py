"""Where things lie: committed records, local cache, data folder; each can be moved by a variable."""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def _folder(variable: str, default: Path) -> Path:
    return Path(os.environ.get(variable) or default).expanduser()


def results() -> Path:
    """Folder of the committed run records (``SOFTLABELS_RESULTS``)."""
    return _folder("SOFTLABELS_RESULTS", PROJECT / "results")


def cache() -> Path:
    """Folder of everything that can be made again (``SOFTLABELS_CACHE``); git ignores the default."""
    return _folder("SOFTLABELS_CACHE", PROJECT / ".cache")


def data() -> Path | None:
    """Folder that already holds downloaded data files (``SOFTLABELS_DATA``), or None."""
    given = os.environ.get("SOFTLABELS_DATA")
    return Path(given).expanduser() if given else None
