"""Data files by name, each with its SHA-256: from the data folder, the cache or the network."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

from softlabels import errors, paths
from softlabels.datasets.base import file_sha256

T = TypeVar("T")

PAUSES = (1.0, 3.0)  # seconds before the second and the third try
TIMEOUT = 30  # seconds without a byte after which a try counts as failed


@dataclass(frozen=True)
class File:
    """What a file must be, and where it is published (None: the data folder is the only place)."""

    sha256: str
    url: str | None = None


_LINES = resources.files("softlabels.datasets").joinpath("files.txt").read_text("utf-8").splitlines()
_WORDS = (line.split() for line in _LINES if not line.startswith("#"))
FILES = {path: File(*rest) for path, *rest in _WORDS}  # by their path below SOFTLABELS_DATA


def fetch(key: str) -> Path:
    """Return the path of a registered file whose checksum fits; it is downloaded where it is not at hand.

    Raises `ConfigError` where the key, its path below the data folder, is none of `FILES`; `DataError` where
    the file in the data folder, or what the server sent, is not the file that it should be; `DataUnavailable`
    where the server cannot be reached or refuses, or the file is not published.
    """
    file = _registered(key)
    target = _download_path(key)
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        found = at_hand(key)
        if found is not None:
            return found
        if file.url is None:
            raise errors.DataUnavailable(f"{key} has no public address of its own. {_remedy(key)}")
        part = target.with_name(f"{target.name}.part")
        try:
            _download(key, file, part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    return target


def at_hand(key: str) -> Path | None:
    """Return the path of a registered file without using the network, or None.

    A file in the data folder that has the wrong checksum raises `DataError`.
    """
    file = _registered(key)
    folder = paths.data()
    if folder is not None and (folder / key).is_file():
        found = file_sha256(folder / key)
        if found == file.sha256:
            return folder / key
        raise errors.DataError(
            f"{folder / key}: expected SHA-256 {file.sha256}, found {found}; replace or remove the file"
        )
    target = _download_path(key)
    return target if target.is_file() and file_sha256(target) == file.sha256 else None


def _registered(key: str) -> File:
    if key not in FILES:
        raise errors.unknown("data file", key, FILES)
    return FILES[key]


def _download_path(key: str) -> Path:
    return paths.cache() / "downloads" / key


def _remedy(key: str) -> str:
    folder = paths.data() or "$SOFTLABELS_DATA"
    return f"Remedy: put the file at {folder}/{key} (SOFTLABELS_DATA names the folder), or try again."


def persist(attempt: Callable[[], T], failure: Callable[[int | None, Exception], Exception]) -> T:
    """Try what uses the network up to three times; a server that refuses is not asked again.

    `failure` makes what is raised in the end, from the HTTP status, if there is one, and the last error.
    """
    import requests  # here, because training from cached data needs no HTTP client

    for pause in (*PAUSES, None):
        try:
            return attempt()
        except requests.RequestException as error:
            status = None if error.response is None else error.response.status_code
            if pause is None or (status is not None and 400 <= status < 500):
                raise failure(status, error) from None
            time.sleep(pause)
    raise AssertionError("the last pause is None")


def _download(key: str, file: File, part: Path) -> None:
    """Download into `part`, again from the start where the connection breaks, and check what arrived."""
    url = str(file.url)
    persist(lambda: _get(key, url, part), lambda *why: _failure(key, url, part, *why))
    found = file_sha256(part)
    if found != file.sha256:
        with part.open("rb") as content:
            html = content.read(512).lstrip().lower().startswith((b"<!doctype html", b"<html"))
        what = "an HTML page instead of the file" if html else f"{part.stat().st_size} bytes"
        raise errors.DataError(
            f"{url}: expected a file with SHA-256 {file.sha256}, found {what} with {found}. {_remedy(key)}"
        )


def _get(key: str, url: str, part: Path) -> None:
    import pooch
    from tqdm.auto import tqdm

    with tqdm(desc=Path(key).name, total=1, unit="B", unit_scale=True, leave=False) as bar:
        pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 16, timeout=TIMEOUT)(url, str(part), None)


def _failure(
    key: str, url: str, part: Path, status: int | None, error: Exception
) -> errors.DataError | errors.DataUnavailable:
    """Tell a server that refuses from a connection that broke and from one that never came about."""
    from requests.exceptions import ChunkedEncodingError

    if status is not None:
        return errors.DataUnavailable(f"{url}: expected the file, found HTTP status {status}. {_remedy(key)}")
    arrived = part.stat().st_size
    if arrived or isinstance(error, ChunkedEncodingError):
        return errors.DataError(
            f"{url}: truncated; expected the whole file, found a connection that ended early "
            f"({arrived} bytes stored, {len(PAUSES) + 1} tries). {_remedy(key)}"
        )
    reason = type(error).__name__
    return errors.DataUnavailable(f"{url}: expected a server, found none ({reason}). {_remedy(key)}")
