"""Data files by name, each with its SHA-256: from the data folder, the cache or the network.

The archives of the DCIC benchmark come from their Zenodo record, which lists an MD5 for each. What arrived is
checked against it; then the SHA-256 is taken, kept beside the file and checked whenever the file is read
again. A download that breaks off goes on where it stopped. An archive is unpacked once, with care.
"""

import hashlib
import shutil
import stat
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import urlsplit

from filelock import FileLock
from tqdm.auto import tqdm

from softlabels import errors, paths
from softlabels.datasets.base import file_sha256
from softlabels.datasets.cache import whole_folder
from softlabels.datasets.images import BROKEN_ZIP

T = TypeVar("T")

PAUSES = (1.0, 3.0)  # seconds before the second and the third try
TIMEOUT = 30  # seconds without a byte after which a try counts as failed
RECORD = "https://zenodo.org/api/records/8115942"
BLOCK = 1 << 18  # bytes
MAX_TOTAL = 64 << 30  # bytes unpacked
MAX_RATIO = 200  # unpacked to packed; images hardly shrink, and JSON by a factor of about 20
MAX_FILES = 2_000_000
SLACK = 1 << 20  # bytes below which a ratio says nothing


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
    from requests.exceptions import ChunkedEncodingError

    url = str(file.url)

    def failure(status: int | None, error: Exception) -> errors.SoftlabelsError:
        """Tell a server that refuses from a connection that broke and from one that never came about."""
        if status is not None:
            found = f"expected the file, found HTTP status {status}"
            return errors.DataUnavailable(f"{url}: {found}. {_remedy(key)}")
        arrived = part.stat().st_size
        if arrived or isinstance(error, ChunkedEncodingError):
            return errors.DataError(
                f"{url}: truncated; expected the whole file, found a connection that ended early "
                f"({arrived} bytes stored, {len(PAUSES) + 1} tries). {_remedy(key)}"
            )
        found = f"expected a server, found none ({type(error).__name__})"
        return errors.DataUnavailable(f"{url}: {found}. {_remedy(key)}")

    persist(lambda: _get(key, url, part), failure)
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

    with tqdm(desc=Path(key).name, total=1, unit="B", unit_scale=True, leave=False) as bar:
        pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 16, timeout=TIMEOUT)(url, str(part), None)


# The archives of the DCIC benchmark.
def unpacked(name: str) -> Path:
    """Return the unpacked folder of a DCIC dataset; `name` is that of the archive, without ".zip".

    Looked for in this order: ``dcic/<name>/`` in the data folder, what was unpacked before,
    ``dcic/<name>.zip`` in the data folder, a finished download, the network. `DataError` is raised where a
    checksum does not match or the archive is damaged, `DataUnavailable` where it cannot be downloaded.
    """
    given = paths.data()
    if given is not None and (given / "dcic" / name / "annotations.json").is_file():
        return given / "dcic" / name
    target = paths.cache() / "dcic" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f"{name}.lock")):
        if not target.is_dir():
            unpack(_archive(name), target)
    inner = target / name  # the archives hold a folder of the dataset's name
    return inner if inner.is_dir() else target


def _archive(name: str) -> Path:
    given, kept = paths.data(), paths.cache() / "downloads" / "dcic"
    kept.mkdir(parents=True, exist_ok=True)
    # The data folder may be one that cannot be written to: its checksum is kept in the cache.
    own = given / "dcic" / f"{name}.zip" if given is not None else None
    if own is not None and own.is_file():
        beside = own.with_name(f"{own.name}.sha256")
        return _verified(own, beside if beside.is_file() else kept / f"{name}.given.sha256")
    target = kept / f"{name}.zip"
    if not target.is_file():
        _resumed(f"{name}.zip", target)
    return _verified(target, target.with_name(f"{target.name}.sha256"))


def _verified(path: Path, stated: Path) -> Path:
    """Hold a file to the SHA-256 kept for it; the first time, keep it."""
    found = file_sha256(path)
    if not stated.is_file():
        stated.write_text(f"{found}  {path.name}\n")
        return path
    expected = stated.read_text().split()
    if expected[:1] != [found]:
        raise errors.DataError(
            f"{path}: expected SHA-256 {' '.join(expected[:1])} as in {stated}, found {found}; remove "
            "both to download the file again"
        )
    return path


def _resumed(key: str, target: Path) -> None:
    """Download into a part that outlives a broken connection, and check its MD5."""
    part = target.with_name(f"{target.name}.part")

    def failure(status: int | None, error: Exception) -> errors.DataUnavailable:
        have = _size(part)
        kept = f" {have} bytes are kept; the next call goes on from there." if have else ""
        found = f"HTTP status {status}" if status is not None else f"no answer ({type(error).__name__})"
        return errors.DataUnavailable(
            f"{RECORD}: expected the file {key}, found {found}.{kept} "
            f"Remedy: try again, or put the file at {paths.data() or '$SOFTLABELS_DATA'}/dcic/{key}"
        )

    url, size, md5 = persist(lambda: _listed(key), failure)
    persist(lambda: _continue(key, url, size, part), failure)
    with part.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if _size(part) != size or found != md5:
        have = _size(part)
        part.unlink()
        raise errors.DataError(
            f"{url}: expected {size} bytes with MD5 {md5}, found {have} with {found}; try again"
        )
    target.with_name(f"{target.name}.sha256").unlink(missing_ok=True)
    part.replace(target)


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _listed(key: str) -> tuple[str, int, str]:
    """Address, size in bytes and MD5 of a file, from the record's list."""
    import requests

    answer = requests.get(RECORD, timeout=TIMEOUT)
    answer.raise_for_status()
    try:
        found: dict[str, Any] = {file["key"]: file for file in answer.json()["files"]}
        if key not in found:
            raise errors.DataUnavailable(f"{RECORD}: expected a file {key}, found {', '.join(sorted(found))}")
        url, size = found[key]["links"]["self"], int(found[key]["size"])
        kind, _, md5 = found[key]["checksum"].partition(":")
        same = urlsplit(url)[:2] == urlsplit(RECORD)[:2]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise errors.DataUnavailable(f"{RECORD}: expected a list of files, found another answer") from error
    if kind != "md5" or not same:
        raise errors.DataError(f"{RECORD}: expected an MD5 and an address of the same server for {key}")
    return url, size, md5


def _continue(key: str, url: str, size: int, part: Path) -> None:
    """Fetch what is still missing of a file."""
    import requests

    have = _size(part)
    if have >= size:  # whole, or too long and found out by its checksum
        return
    headers = {"Range": f"bytes={have}-"} if have else {}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        answer.raise_for_status()
        if have and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            have = 0  # the server sends all of it again
        bar = tqdm(desc=key, initial=have, total=size, unit="B", unit_scale=True, leave=False)
        with part.open("ab" if have else "wb") as file, bar:
            for block in answer.iter_content(BLOCK):
                file.write(block)
                bar.update(len(block))
    if _size(part) < size:
        raise requests.ConnectionError(f"{_size(part)} of {size} bytes arrived")


# Unpacking: nothing outside of the target, no links, no bombs.
def unpack(archive: Path, target: Path) -> Path:
    """Unpack a zip file; the folder `target` appears whole or not at all. One process at a time.

    `DataError` is raised where it is no zip file or damaged, or a member would lie outside of `target`, is a
    link, occurs twice, or is out of all proportion to its packed size.
    """

    def extract(folder: Path) -> None:
        with zipfile.ZipFile(archive) as opened:
            for member in tqdm(_checked(archive, opened), desc=archive.name, unit="file", leave=False):
                path = folder / member.filename
                if member.is_dir():
                    path.mkdir(parents=True, exist_ok=True)
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                # Zipfile reads no more than the size stated in the archive, and that was checked.
                with opened.open(member) as source, path.open("xb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)

    try:
        return whole_folder(target, extract)
    except BROKEN_ZIP as error:
        raise errors.DataError(f"{archive}: damaged ({error}); remove it and try again") from error
    except OSError as error:  # a full disk, or names that this file system cannot hold
        what = error.strerror or error
        raise errors.DataError(f"{archive}: cannot be unpacked to {target} ({what})") from error


def _checked(archive: Path, opened: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Members of an archive, after a look at all of them and before anything is written."""

    def refused(name: str, found: str) -> errors.DataError:
        remedy = "get the archive from its authors"
        return errors.DataError(f"{archive}: {name!r} is refused: {found}; {remedy}")

    members = opened.infolist()
    total = sum(member.file_size for member in members)
    if len(members) > MAX_FILES or total > MAX_TOTAL:
        raise refused("the archive", f"{len(members)} files of {total} bytes in all")
    seen = set()
    for member in members:
        name, parts = member.filename, PurePosixPath(member.filename).parts
        if not parts or name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0]:
            raise refused(name, "it would lie outside of the target folder")
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise refused(name, f"it is {'a symbolic link' if kind == stat.S_IFLNK else 'no plain file'}")
        if name in seen:
            raise refused(name, "it occurs twice")
        seen.add(name)
        if member.file_size > SLACK and member.file_size > MAX_RATIO * max(1, member.compress_size):
            raise refused(name, f"{member.compress_size} bytes that unpack to {member.file_size}")
    return members
